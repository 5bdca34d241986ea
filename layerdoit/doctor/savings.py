"""What other profile settings and linkers would save per edit: measured on this project, in its own builder image."""

from __future__ import annotations

import posixpath
import shlex
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerdoit.components.script_protocol import Measured, every
from layerdoit.core.units import size_text
from layerdoit.doctor.finding import Fact, Item, Rule, Unchecked, rules
from layerdoit.flows.ensure import ensure
from layerdoit.layers.key import ORDER
from layerdoit.project import question

if TYPE_CHECKING:
    from layerdoit.flows.session import Session
    from layerdoit.project.inputs import Inputs
    from layerdoit.project.project import Project
    from layerdoit.project.question import Question

FASTER = Rule(
    "measured-faster",
    "hint",
    "A setting makes every edit faster, as `--measure` found.",
    "an edit waits for the compiler, and most of all for the linker",
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
        yield Unchecked("what other settings would save", "the current build could not be measured")
        return
    best = min(by_name.values(), key=lambda item: item.ms)
    saved = plain.ms - best.ms
    if saved >= max(LEAST_MS, plain.ms * LEAST_PART):
        what = f"{best.name} saves {saved / 1000:.2f} s of {plain.ms / 1000:.2f} s per edit"
        yield FASTER.found(what, fix=fixes[best.name])


def measured(session: Session) -> Iterator[Item]:
    """Build and time every variant. The layers below have to be there; no image is left."""
    from layerdoit.engine import removal

    waiting = [name for name in ORDER[:-1] if session.plan.step(name).action != "reuse"]
    if waiting:
        yield Unchecked("what other settings would save", f"not built yet: {', '.join(waiting)}; run doit first")
        return
    config = session.project.config
    tried = variants(config.profile, config.env.get("RUSTFLAGS", ""))
    asking = session.asking(_question(touched(session.inputs), tried))
    outcome = ensure(asking, "app")[-1]
    described = asking.engine.images.inspect(outcome.step.spec.tag) or {}
    removal.untag(asking.project.name, [(outcome.step.spec.tag, str(described.get("Id")))])
    yield from judged(every(Measured, outcome.notes), tried)


def _question(edited: str, tried: Iterable[Variant]) -> Callable[[Project, str], Question]:
    files = {
        "measured": edited.encode(),
        "variants": "".join(f"{variant.name}\t{variant.env}\n" for variant in tried).encode(),
    }
    # Never found: what was measured before says nothing of the machine as it is now.
    unique = str(time.time_ns())
    return lambda project, platform: question.measure(project, platform, files, unique)


def touched(inputs: Inputs) -> str:
    """The source that is edited: the first program's, in the build context."""
    workspace, sources = inputs.project.workspace, inputs.sources
    place = workspace.packages[inputs.project.selection.owners[0]].dir
    usual = [sources.context_path(posixpath.join(place, name)) for name in ("src/main.rs", "src/lib.rs")]
    below = sorted(path for path in sources.entries if path.endswith(".rs"))
    return next((path for path in (*usual, *below) if path in sources.entries), "")
