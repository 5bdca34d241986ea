"""What a watch prints of an event: the lines that stay, on a terminal and elsewhere. Pure."""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from layerdoit.core.terminal import plain_lines, tame, width
from layerdoit.engine.board_view import Look, coloured
from layerdoit.watch.event_words import failure, sentence
from layerdoit.watch.events import Event
from layerdoit.watch.panel import Panel, Part

_OUTCOMES: Final = ("serving", "failed", "followed", "tests", "stopped")
"""What stays on a terminal, on which a block tells the rest."""


class Printed(NamedTuple):
    """Lines, and whether they are ours: those of the compiler and of services are printed as they are."""

    text: str
    ours: bool = True


def printed(event: Event, before: Panel, after: Panel, look: Look, *, brief: bool) -> Printed | None:
    """What to print of an event; None for nothing. `before`, `after`: what the watch is at without and with it.

    `brief`: only what a block does not tell.
    """
    if event.kind == "log":
        return Printed(_of_service(event, after, look), ours=False) if after.logs else None
    part = after.part(event.project)
    if event.kind == "warning":
        if event.facts.get("by"):
            return Printed(f"{_theirs(event.text, look)}\n", ours=False)
        return Printed(_headed(event, part, _coloured(f"warning: {event.text}", "warning", "33", look)))
    if brief and (event.kind not in _OUTCOMES or event.facts.get("state") == "began"):
        return None
    said = sentence(event, part, located=not brief or _moved(event, before))
    if not said or said == _said_before(event, before):
        return None
    line = _headed(event, part, _with_colour(event, said, look))
    # Why a turn for more begins is a part of its line.
    if not event.text or event.kind == "building":
        return Printed(line)
    theirs = event.facts.get("stage") in ("compile", "start", "health") or event.kind == "tests"
    return Printed(f"{line}\n{_theirs(event.text, look)}\n", ours=not theirs)


def _moved(event: Event, before: Panel) -> bool:
    """Whether it serves elsewhere than before; otherwise a block has the address in view."""
    part = before.part(event.project)
    url = event.facts.get("url")
    return part is None or (url is not None and url not in part.url.split())


def _said_before(event: Event, before: Panel) -> str:
    """What was said of the same turn: progress within a step is no new line."""
    part = before.part(event.project)
    if part is None or not part.works or part.state != event.kind:
        return ""
    return sentence(Event(event.kind, event.project, facts=part.facts), part)


def _headed(event: Event, part: Part | None, text: str) -> str:
    """With the time and the project."""
    name = event.project if part is None else part.name
    at = time.strftime("%H:%M:%S", time.localtime(event.at))
    return "  ".join(filter(None, (f"{at} {name}".rstrip(), text))) if name else f"{at} {text}"


def _with_colour(event: Event, said: str, look: Look) -> str:
    if event.kind == "failed":
        return coloured(said, failure(event.facts), "31", look)
    if event.facts.get("state") == "failed":
        return coloured(said, "failed", "31", look)
    return coloured(said, "serving", "32", look) if event.kind in ("serving", "followed") else said


def _coloured(text: str, words: str, code: str, look: Look) -> str:
    return coloured(_theirs(text, look), words, code, look)


def _of_service(event: Event, panel: Panel, look: Look) -> str:
    """As `doit logs` has it: of several, each line with its name."""
    text = _theirs(event.text, look)
    several = len(panel.parts) > 1
    name = _writer(event.project, str(event.facts.get("service", "")), several=several)
    if not name:
        return text
    every = (_writer(part.name, one, several=several) for part in panel.parts for one in part.services or ("",))
    name += " " * (max(map(width, every)) - width(name))
    return "\n".join(f"{name} | {line}" for line in text.split("\n"))


def _writer(project: str, service: str, *, several: bool) -> str:
    """Whose a line is, as it is typed: `api`, `shop:api` where there are several projects. '' of the only one."""
    return ":".join(filter(None, (project if several else "", service)))


def _theirs(text: str, look: Look) -> str:
    """In its own colours, where colours are shown; nothing else of it moves a terminal."""
    text = text.rstrip("\n")
    return "\n".join(map(tame, text.split("\n"))) if look.colour else plain_lines(text)
