"""What a watch says of its events, in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from layerdoit.core.prose import listed
from layerdoit.core.units import count_text, duration_text
from layerdoit.watch.events import Event, Kind
from layerdoit.watch.panel import Part, Turn

_PATHS: Final = 3
_LAYERS: Final = 4

STAGES: Final[Mapping[str, str]] = {
    "configuration": "the configuration has an error",
    "compile": "does not compile",
    "start": "does not start",
    "health": "is not healthy",
    "assets": "its assets could not be copied in",
    "build": "could not be built",
    "deploy": "could not be deployed",
    "image": "its image could not be built",
    "ended": "has ended",
}
"""What has failed, by the stage."""
_STAYS: Final = {
    "configuration": "the last one without an error stays in force",
    "image": "what was compiled serves on without it",
}
_TRIED_AGAIN: Final = ("configuration", "build", "deploy")
_AGAIN: Final = "the next change tries again"


def sentence(event: Event, part: Part | None = None, *, located: bool = True) -> str:
    """One line about an event, '' where there is none. `part`: its project after it. Its `text` is not in the line.

    `located`: with the address of what serves; a block has it in view.
    """
    said = _SENTENCES.get(event.kind)
    if said is None:
        return ""
    if not located and event.kind == "serving":
        return said({**event.facts, "url": ""}, None)
    return said(event.facts, part)


def deed(turn: Turn) -> str:
    """What a turn did: `2 crates compiled`, `deps, app built`, `does not compile`."""
    if turn.kind == "failed":
        return failure(turn.facts)
    return _done(turn.facts)


def failure(facts: Mapping[str, Any]) -> str:
    """What has failed, by the facts of such an event."""
    return STAGES.get(str(facts.get("stage", "")), "failed")


def changed_paths(facts: Mapping[str, Any]) -> str:
    """`src/main.rs, src/lib.rs, build.rs and 4 more`."""
    paths = [str(path) for path in facts.get("paths", ())]
    return listed(paths, _PATHS, facts.get("count"))


def _done(facts: Mapping[str, Any]) -> str:
    how = facts.get("how")
    if how == "built":
        layers = [str(layer) for layer in facts.get("layers", ())]
        return f"{listed(layers, _LAYERS)} built" if layers else "deployed"
    if how == "compiled":
        crates = facts.get("crates")
        return "compiled" if crates is None else f"{count_text(int(crates), 'crate')} compiled"
    return {"restarted": "started again", "assets": "assets copied in", "unchanged": "no difference"}.get(str(how), "")


def _at(facts: Mapping[str, Any], part: Part | None) -> str:
    """The address; of one of several services that has none, its name."""
    found = facts.get("url") or (facts.get("deployment") if facts.get("of") else None)
    return str(found or (part.url if part is not None else ""))


def _preparing(_facts: Mapping[str, Any], _part: Part | None) -> str:
    return "getting ready for edits: all is compiled once more, where they will be"


def _watching(facts: Mapping[str, Any], _part: Part | None) -> str:
    files, folders = int(facts.get("files", 0)), int(facts.get("folders", 0))
    polled = ", each of which is looked at again and again" if facts.get("polling") else ""
    return f"watching {count_text(files, 'file')} in {count_text(folders, 'folder')}{polled}"


def _changed(facts: Mapping[str, Any], _part: Part | None) -> str:
    return f"changed: {changed_paths(facts)}"


def _building(facts: Mapping[str, Any], part: Part | None) -> str:
    layer, words = str(facts.get("layer", "")), str(facts.get("words", ""))
    if words and not layer:
        # A line of an ordinary run says itself what it is about; why there is one was said when it began.
        return words
    why = str(facts.get("why") or (part.why if part is not None else ""))
    return " · ".join(filter(None, (f"building {layer}".rstrip(), words, why)))


def _serving(facts: Mapping[str, Any], part: Part | None) -> str:
    where = " ".join(filter(None, ("serving", _at(facts, part))))
    seconds = facts.get("seconds")
    if facts.get("how") == "unchanged":
        return f"{where} as before" if seconds is None else f"{where} as before: the change makes no difference"
    done = _done(facts)
    return "".join(
        (where, "" if seconds is None else f", {duration_text(seconds)} after the change", f" ({done})" if done else "")
    )


def _failed(facts: Mapping[str, Any], part: Part | None) -> str:
    stage = str(facts.get("stage"))
    serves = facts.get("serves") if part is None else part.serves
    stays = _STAYS.get(stage, "the old one serves on") if serves else _AGAIN if stage in _TRIED_AGAIN else ""
    return "; ".join(filter(None, (failure(facts), stays)))


def _following(_facts: Mapping[str, Any], _part: Part | None) -> str:
    return "its image is being built"


def _followed(facts: Mapping[str, Any], _part: Part | None) -> str:
    image, seconds = facts.get("image"), facts.get("seconds")
    took = "" if seconds is None else f", built and put in place in {duration_text(seconds)}"
    return f"serving {image or 'its image'}{took}"


def _tests(facts: Mapping[str, Any], _part: Part | None) -> str:
    state, seconds = facts.get("state"), facts.get("seconds")
    if state == "began":
        return "tests run"
    took = "" if seconds is None else f" in {duration_text(seconds)}"
    passed, failed = facts.get("passed"), facts.get("failed")
    if state == "passed":
        return f"{'tests' if passed is None else count_text(int(passed), 'test')} passed{took}"
    return f"{'tests' if failed is None else count_text(int(failed), 'test')} failed{took}"


def _cancelled(_facts: Mapping[str, Any], _part: Part | None) -> str:
    return "given up for a newer change"


def _stopped(facts: Mapping[str, Any], part: Part | None) -> str:
    serves = facts.get("serves", part is not None and part.serves)
    where = _at(facts, part)
    stays = f"{where} serves on" if where else "what serves stays"
    return f"the watch has ended; {stays}" if serves else "the watch has ended"


_SENTENCES: Final[Mapping[Kind, Callable[[Mapping[str, Any], Part | None], str]]] = {
    "preparing": _preparing,
    "watching": _watching,
    "changed": _changed,
    "compiling": lambda _facts, _part: "compiling",
    "building": _building,
    "serving": _serving,
    "failed": _failed,
    "following": _following,
    "followed": _followed,
    "tests": _tests,
    "cancelled": _cancelled,
    "stopped": _stopped,
}
