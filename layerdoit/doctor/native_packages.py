"""C libraries and programs that crates need, against the packages of the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from layerdoit.cargo.native import IMAGES, suites
from layerdoit.doctor.finding import Finding, Level, Rule, rules

if TYPE_CHECKING:
    from layerdoit.cargo.native import Need
    from layerdoit.config import Config

MISSING = Rule(
    "native-missing",
    "error",
    "A crate needs a system package that the configuration does not name.",
    "its build script fails, or the program does not start on the runtime image",
    "name the packages in layerdoit.yaml",
)
RULES = tuple(rules(globals()))


def missing(needs: Sequence[Need], config: Config) -> Iterator[Finding]:
    """One finding for what is certain, one for what may be. An image of one's own may have it: then it is a warning."""
    build, run = _names(config.base.packages), _names(config.base.runtime_packages)
    lacking = [
        need for need in needs if need.elsewhere or not build.issuperset(need.build) or not run.issuperset(need.run)
    ]
    place = config.where.get("base.packages") or config.where.get("base.runtime_packages")
    own = config.base.image or config.base.runtime_image
    levels: tuple[tuple[bool, Level], ...] = ((True, "warning" if own else "error"), (False, "hint"))
    for certain, level in levels:
        chosen = [need for need in lacking if need.certain == certain]
        if not chosen:
            continue
        what = "; ".join(f"{need.crate} {need.version} {need.why}" for need in chosen)
        doubt = "" if certain else "possibly (it depends on features that Cargo.lock does not show): "
        yield MISSING.found(doubt + what, place, fix=_fix(chosen, config), level=level)


def _fix(needs: Sequence[Need], config: Config) -> str:
    """The whole setting, with what it has now."""
    wanted = (
        ("packages", [*config.base.packages, *(name for need in needs for name in need.build)]),
        ("runtime_packages", [*config.base.runtime_packages, *(name for need in needs for name in need.run)]),
    )
    told = ", ".join(f"{setting}: [{', '.join(dict.fromkeys(names))}]" for setting, names in wanted if names)
    steps = [f"base: {{{told}}} in layerdoit.yaml"] if any(need.build or need.run for need in needs) else []
    if any(need.elsewhere for need in needs):
        steps.append(f"another suite with {IMAGES}")
    doubt = suites(config).doubt
    return "; ".join([*steps, doubt] if doubt else steps)


def _names(packages: Sequence[str]) -> frozenset[str]:
    return frozenset(entry.partition("=")[0].partition(":")[0] for entry in packages)
