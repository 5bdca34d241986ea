"""What a turn of a watch goes by: the keys of a reading of the tree, and what of them differs from those that serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from layerdoit import deploy
from layerdoit.deploy import read_files
from layerdoit.layers.key import digest

if TYPE_CHECKING:
    from layerdoit.flows.session import Session

Turn = Literal["nothing", "edit", "more"]

_BY_EDIT: Final = {"sources", "assets"}
"""The inputs of an app image that a workshop and a copy of files bring up to date."""


@dataclass(frozen=True)
class Facts:
    """One reading of a tree. `lower`: keys of the layers below the apps, by layer; what does not serve has none.

    `apps`: the inputs of each app image, by the name of its deployment; `keys`: the key of each; `deployed`: what each
    is started with, as a digest; `assets`: the files that are copied into each; `kinds`: what each is made of.
    """

    lower: Mapping[str, str]
    apps: Mapping[str, Mapping[str, str]]
    keys: Mapping[str, str]
    deployed: Mapping[str, str]
    kinds: Mapping[str, str]

    @classmethod
    def of(cls, session: Session) -> Facts:
        """Those of the reading that a session is at. LayerdoitError where the tree or the configuration is wrong."""
        apps, keys, deployed, kinds = {}, {}, {}, {}
        lower: dict[str, str] = {}
        for one in session.built:
            settings = deploy.settings_of(one.project)
            for spec in one.inputs.specs:
                if spec.layer == "app":
                    apps[settings.name], keys[settings.name] = spec.inputs, spec.key
                else:
                    lower[f"{settings.name} {spec.layer}"] = spec.key
            deployed[settings.name] = f"{settings.digest()} {read_files.digest(one.project)}"
            kinds[settings.name] = one.project.kind
        for one in session.services.values():
            if one.project.kind == "foreign":
                settings = deploy.settings_of(one.project)
                deployed[settings.name] = settings.digest()
        return cls(lower, apps, keys, deployed, kinds)

    def name(self) -> str:
        """Names what is made and deployed from the tree: equal where nothing is to be done."""
        return digest(
            word
            for group in (self.lower, self.keys, self.deployed)
            for name in sorted(group)
            for word in (name, group[name])
        )


def turn(old: Facts | None, new: Facts) -> Turn:
    """What has to be done so that a tree serves in the place of another."""
    if old is not None and old.name() == new.name():
        return "nothing"
    if old is None or (old.lower, old.deployed, old.kinds) != (new.lower, new.deployed, new.kinds):
        return "more"
    if any(new.kinds[name] != "compiled" for name in differing(old, new)):
        return "more"
    changed = (_differing(old.apps[name], new.apps[name]) for name in new.apps)
    return "edit" if all(found <= _BY_EDIT for found in changed) else "more"


def differing(old: Facts, new: Facts) -> list[str]:
    """The deployments whose app images differ."""
    return [name for name, key in new.keys.items() if old.keys.get(name) != key]


def sources_differ(old: Facts, new: Facts) -> bool:
    """Whether anything has to be compiled."""
    return any(old.apps[name].get("sources") != found.get("sources") for name, found in new.apps.items())


def why_more(old: Facts | None, new: Facts) -> str:
    """Why the ordinary layers are built, in words."""
    if old is None:
        return "the watch begins"
    if old.deployed.keys() != new.deployed.keys():
        return "other services"
    layers = {name.rpartition(" ")[2] for name in new.lower if old.lower.get(name) != new.lower[name]}
    if layers:
        return "another base" if layers & {"base", "runtime"} else "other dependencies or features"
    if old.deployed != new.deployed:
        return "other settings of the deployment"
    found: set[str] = set()
    names = differing(old, new)
    for name in names:
        found |= _differing(old.apps.get(name, {}), new.apps[name])
    if found - _BY_EDIT:
        return f"changed: {', '.join(sorted(found - _BY_EDIT)[:3])}"
    if not names:
        return "asked for"
    return "changed sources" if all(new.kinds[name] == "compiled" for name in names) else "not compiled here"


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
