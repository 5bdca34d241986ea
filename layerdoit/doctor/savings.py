"""What other profile settings and linkers would save per edit: measured on this project, in its own builder image."""

from __future__ import annotations

import posixpath
import shlex
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from layerdoit.components.script_protocol import Measured, every
from layerdoit.core.resources import dockerfile_dir
from layerdoit.core.units import size_text
from layerdoit.doctor.finding import Fact, Item, Rule, Unchecked, rules
from layerdoit.flows.check import CheckProject
from layerdoit.layers.key import ORDER

if TYPE_CHECKING:
    from layerdoit.cargo.selection import Selection
    from layerdoit.layers.key import Spec
    from layerdoit.project.project import Project
    from layerdoit.tree.sources import Sources

FASTER = Rule(
    "measured-faster",
    "hint",
    "A setting was measured to make every edit faster (`--measure`).",
    "an edit waits for the compiler and, more than for anything else, for the linker",
    "set it",
)
RULES = tuple(rules(globals()))

AS_IT_IS = "as it is"
# What is less is noise.
LEAST_PART, LEAST_MS = 0.15, 100


@dataclass(frozen=True)
class Variant:
    """A setting to try: words for `env`, and how it is set for good."""

    name: str
    env: str
    fix: str


def variants(profile: str, rustflags: str) -> tuple[Variant, ...]:
    """What is tried. `rustflags`: those that the project sets already."""
    variable = f"CARGO_PROFILE_{profile.upper().replace('-', '_')}"
    settings = [
        Variant(
            f"{name} = {value}",
            f"{variable}_{env}={plain}",
            f"[profile.{profile}] {name} = {value} in Cargo.toml{note}",
        )
        for name, value, env, plain, note in (
            ("debug", '"line-tables-only"', "DEBUG", "line-tables-only", "; backtraces keep their lines"),
            ("debug", "false", "DEBUG", "false", "; backtraces then have no lines"),
            ("split-debuginfo", '"unpacked"', "SPLIT_DEBUGINFO", "unpacked", ""),
        )
    ]
    linkers = [
        Variant(
            f"the linker {name}",
            shlex.quote(f"RUSTFLAGS={f'{rustflags} '.lstrip()}-Clink-arg=-fuse-ld={name}"),
            f"base: {{packages: [{name}]}} and env: {{RUSTFLAGS: -Clink-arg=-fuse-ld={name}}} in layerdoit.yaml",
        )
        for name in ("mold", "lld")
    ]
    return (Variant(AS_IT_IS, "", ""), *settings, *linkers)


def judged(found: Iterable[Measured], tried: Iterable[Variant]) -> Iterator[Item]:
    """Facts, and a hint for the best that pays."""
    by_name = {item.name: item for item in found}
    fixes = {variant.name: variant.fix for variant in tried}
    for item in by_name.values():
        yield Fact(f"edit, {item.name}", f"{item.ms / 1000:.2f} s, programs of {size_text(item.size)}")
    plain = by_name.get(AS_IT_IS)
    if plain is None:
        yield Unchecked("what other settings would save", "the build as it is could not be measured")
        return
    best = min(by_name.values(), key=lambda item: item.ms)
    saved = plain.ms - best.ms
    if saved >= max(LEAST_MS, plain.ms * LEAST_PART):
        what = f"{best.name} saves {saved / 1000:.2f} s of {plain.ms / 1000:.2f} s per edit"
        yield FASTER.found(what, fix=fixes[best.name])


class _Measured(CheckProject):
    """The project's own packages and dependencies, built to be timed."""

    @cached_property
    def variant(self) -> str:
        return f"{self.config.profile}+measure/{self.config.target or 'host'}"

    @cached_property
    def selection(self) -> Selection:
        from dataclasses import replace

        return replace(self.plain.selection, bins=())

    @cached_property
    def sources(self) -> Sources:
        return self.plain.sources

    def scripts(self, *names: str) -> dict[str, bytes]:
        found = self.plain.scripts(*names)
        if "build.sh" not in found:
            return found
        tried = variants(self.config.profile, self.config.env.get("RUSTFLAGS", ""))
        return {
            **found,
            "build.sh": (dockerfile_dir() / "measure.sh").read_bytes() + found["build.sh"],
            "measured": self.touched.encode(),
            "variants": "".join(f"{variant.name}\t{variant.env}\n" for variant in tried).encode(),
        }

    @cached_property
    def touched(self) -> str:
        """The source that is edited: the first program's, in the context."""
        place = self.workspace.packages[self.selection.packages[0]].dir
        usual = ("src/main.rs", "src/lib.rs")
        paths = [self.workspace.context_path(posixpath.join(place, name)) for name in usual]
        below = sorted(path for path in self.sources.entries if path.endswith(".rs"))
        return next((path for path in (*paths, *below) if path in self.sources.entries), "")

    @cached_property
    def specs(self) -> tuple[Spec, ...]:
        from layerdoit.layers.key import Spec

        *below, _ = self.plain.specs
        app = self.plain.specs[-1]
        # Never found: what was measured before says nothing of the machine as it is now.
        return (*below, Spec("app", {**app.inputs, "measured": str(time.time_ns())}, app.repository))


def measured(project: Project) -> Iterator[Item]:
    """Build and time every variant. The layers below have to be there; no image is left."""
    from layerdoit.build import execute, planning
    from layerdoit.engine import removal

    waiting = [name for name in ORDER[:-1] if planning.plan_of(project).step(name).action != "reuse"]
    if waiting:
        yield Unchecked("what other settings would save", f"not built yet: {', '.join(waiting)}; run doit first")
        return
    twin = _Measured(project.root, project.variables)
    outcome = execute.ensure(twin, "app")[-1]
    described = twin.images.inspect(outcome.step.spec.tag) or {}
    removal.untag(twin.name, [(outcome.step.spec.tag, str(described.get("Id")))])
    tried = variants(twin.config.profile, twin.config.env.get("RUSTFLAGS", ""))
    yield from judged(every(Measured, outcome.notes), tried)
