"""The deps layer: its inputs, and the earlier image it can be cooked from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from layerdoit.layers.key import Spec, key

# Inputs that name single crates: they decide what compiles, not whether what was compiled still counts.
PER_CRATE = (
    "package ",
    "dependency ",
    "build-dependency ",
    "dev-dependency ",
    "feature ",
    "kind ",
    "edition ",
    "build script ",
    "selection",
    "option features",
    "option all-features",
    "option default-features",
)

# What only `doit check` has. It is cooked from a build's image; a build never from one with dev-dependencies in it.
CHECK = "check "

# A parent that shares less than this part of its packages saves little and carries much that is dead.
MIN_OVERLAP = 0.3


def spec(crates: Mapping[str, str], base_key: str, dockerfile: str, kept: str, repository: str) -> Spec:
    """The deps layer of a stub workspace.

    `crates`: inputs of the stub workspace; `dockerfile`: digest of Dockerfile.deps and its scripts;
    `kept`: digest of local packages that external crates depend on.
    """
    inputs = {**crates, "base": base_key, "Dockerfile.deps": dockerfile, "local packages under external ones": kept}
    return Spec("deps", inputs, repository)


def compatibility(inputs: Mapping[str, str]) -> str:
    """A key of all that must be equal for compiled crates to be reusable: base, profile, target, flags."""
    return key({name: value for name, value in inputs.items() if not name.startswith(PER_CRATE)})


@dataclass(frozen=True)
class Cooked:
    """An existing deps image, read from its labels. `cook`: id of its chain; `depth`: how many images it builds on.

    `afar`: it is not here; the project's registry has it.
    """

    key: str
    tag: str
    compat: str
    cook: str
    depth: int
    packages: frozenset[str]
    created: str
    afar: bool = False


def packages(inputs: Mapping[str, str]) -> frozenset[str]:
    """Every `name version` in a listing of inputs."""
    return frozenset(f"{name} {value}" for name, value in inputs.items() if name.startswith("package "))


def of_use(inputs: Mapping[str, str], cooked: Iterable[Cooked]) -> list[Cooked]:
    """The images whose compiled crates can be reused: compatible ones, and for a check also those of a build."""
    built = {name: value for name, value in inputs.items() if not name.startswith(CHECK)}
    compats = {compatibility(inputs), compatibility(built)}
    return [image for image in cooked if image.compat in compats]


def parent(inputs: Mapping[str, str], cooked: Iterable[Cooked], max_chain: int) -> Cooked | None:
    """The image to cook from: reusable, its chain not full, and with the most packages in common."""
    wanted = packages(inputs)
    candidates = [
        (len(image.packages & wanted), image.created, image)
        for image in of_use(inputs, cooked)
        if image.depth < max_chain
    ]
    if not candidates:
        return None
    common, _, best = max(candidates, key=lambda candidate: candidate[:2])
    return best if common >= MIN_OVERLAP * max(1, len(wanted)) else None
