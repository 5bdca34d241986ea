"""What `doit watch` is about: the projects and services of a dodo.py that are named."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from layerdoit.core.errors import ConfigError
from layerdoit.core.prose import listed
from layerdoit.front import project_registry
from layerdoit.front.project_registry import REGISTERED
from layerdoit.front.variables import variables
from layerdoit.project.project import Project

if TYPE_CHECKING:
    from layerdoit.flows.session import Session
    from layerdoit.watch.loop import Part


def watch(session: Session, projects: Sequence[str], json: bool) -> None:
    """Watch the project, or those that are named."""
    from layerdoit.watch import loop

    found = named(session, projects) if projects else [_part(session.project, session.run.prefix)]
    loop.run(found, json=json)


def watch_every(session: Session, projects: Sequence[str], json: bool) -> None:
    """The same where all projects of a dodo.py have prefixes: all of them, or those that are named."""
    from layerdoit.watch import loop

    words = projects or [one.prefix for one in REGISTERED if one.dodo == _dodo(session)]
    loop.run(named(session, words), json=json)


def named(session: Session, words: Sequence[str]) -> list[Part]:
    """Services of this project, or projects by their prefixes, or services of those. ConfigError for another word."""
    services = {name: (session.project, name) for name in session.project.services}
    others = {one.prefix: one for one in REGISTERED if one.prefix and one.dodo == _dodo(session)}
    parts: list[Part] = []
    for word in dict.fromkeys(words):
        prefix, _, service = word.partition(":")
        if word in services:
            parts.append(_part(session.project.of_service(word), session.run.prefix, word))
        elif prefix in others:
            one = others[prefix]
            project = Project.open(one.folder, variables(), call=project_registry.with_others(one))
            if service and service not in project.services:
                raise _unknown(word, {f"{prefix}:{name}": None for name in project.services})
            parts.append(_part(project.of_service(service) if service else project, prefix, word))
        else:
            raise _unknown(word, {**services, **others})
    return parts


def _dodo(session: Session) -> str:
    root, prefix = session.project.root, session.run.prefix
    found = (one.dodo for one in REGISTERED if one.prefix == prefix and one.folder.resolve() == root)
    return next(found, REGISTERED[0].dodo if REGISTERED else "")


def _part(project: Project, prefix: str, label: str = "") -> Part:
    from layerdoit.watch.loop import Part

    return Part(project, prefix, label or prefix)


def _unknown(word: str, known: Mapping[str, object]) -> ConfigError:
    near = difflib.get_close_matches(word, known, 1)
    there = f"there are {listed(sorted(known))}" if known else "this dodo.py has one project without services"
    hint = f"did you mean `doit watch {near[0]}`?" if near else there
    return ConfigError(f"doit watch: there is no project or service {word}", hint=hint)
