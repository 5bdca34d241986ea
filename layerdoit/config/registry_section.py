"""The settings of the registry where layers are shared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from layerdoit.config.deploy_section import NO_TEXT
from layerdoit.config.keep_section import RegistryRetention
from layerdoit.config.kinds import Settings, boolean, choice, many, optional, section, setting
from layerdoit.config.values import REPOSITORY
from layerdoit.layers.key import ARTEFACTS, LAYERS

# It has a docstring also because `dataclass` derives a missing one from the signature, which is slow.


class Registry(Settings):
    """Where layers are shared with other machines."""

    repository: str | None = setting(
        optional(REPOSITORY), None, "Repository that keyed layers are pulled from and pushed to."
    )
    pull: tuple[str, ...] | None = setting(
        optional(many(choice(*LAYERS, ARTEFACTS), "base, deps, app, artefacts")),
        None,
        "Layers that are looked for in the repository before they are built; default: base, deps, and what is pushed.",
    )
    push: tuple[str, ...] = setting(
        many(choice(*LAYERS, ARTEFACTS), "base, deps, app, artefacts"),
        NO_TEXT,
        "Layers to push after a build; `artefacts`: what is compiled of the workspace, for first builds elsewhere.",
    )
    retention: RegistryRetention = section(RegistryRetention, "What `doit registry_gc` keeps in the registry.")
    strict: bool = setting(
        boolean(),
        False,
        "A push that fails also fails the run, at its end: for CI. Otherwise it is told, and the next run pushes.",
    )

    @property
    def pulled(self) -> frozenset[str]:
        """Layers that are looked for. An app only where a team shares it: each edit waits for the registry's no."""
        return frozenset(pulled_by_default(self.push) if self.pull is None else self.pull)


def pulled_by_default(push: Iterable[str]) -> set[str]:
    """What is looked for where nothing says so."""
    return {"base", "deps", *push}


def pushing_nothing(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the section by which nothing is pushed; what is pulled stays as it is."""
    push, pull = given.get("push"), given.get("pull")
    if push and pull is None and given.get("repository"):
        pull = tuple(sorted(pulled_by_default(push)))
    return {**given, "push": (), "pull": pull}
