"""The end of a cycle in a few lines: what each phase took, and how that compares with this project's own history."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit import deploy
from layerdoit.core.units import count_text, duration_text, size_text
from layerdoit.history import Figures, LayerRecord, Part, of_layer, of_phase, together
from layerdoit.layers.key import IMAGES

if TYPE_CHECKING:
    from layerdoit.layers.outcome import Outcome

# Fewer runs say nothing of what is usual.
ENOUGH: Final = 5
# A phase is far outside its history when it takes so much longer than the median and nine runs in ten, in all of:
TIMES_MEDIAN: Final = 2.0
TIMES_P90: Final = 1.5
SECONDS: Final = 1.0
# Processes that want to run, for each core: a build alone keeps about one busy.
BUSY: Final = 2.0

_DONE: Final = {"reuse": "reused", "pull": "pulled", "build": "built"}


class Phase(NamedTuple):
    """What a phase took, what it usually takes, and what else there is to say."""

    name: str
    seconds: float
    usual: Figures | None = None
    more: tuple[str, ...] = ()


class Past(NamedTuple):
    """Where a run's figures are compared: the state folder, the variant, and the run's own token."""

    folder: Path
    variant: str
    token: str


# --- the summary -----------------------------------------------------------------------------------------------------


def of_cycle(past: Past, *, verbose: bool) -> list[str]:
    """The summary of what this run has done so far; nothing where its history cannot be read.

    `verbose`: a line for each phase, instead of all in one.
    """
    from layerdoit.history.export import of_run

    folder, variant, token = past.folder, past.variant, past.token
    done = of_run(folder, token)
    made = [layer for layer in done.layers if layer.action != "reuse"]
    if not made and not done.phases:
        return []

    def usual(layer: LayerRecord, part: Part) -> Figures | None:
        return of_layer(folder, variant, layer.layer, cold=layer.cold, part=part, besides=token)

    phases = [
        Phase(name, seconds, of_phase(folder, variant, name, besides=token)) for name, seconds in done.phases.items()
    ]
    works = {layer.layer: usual(layer, "work") for layer in made}
    exports = {layer.layer: usual(layer, "export") for layer in made}
    found = rows(done.layers, phases, works, exports)
    return lines(done.layers, found) if verbose else [line(found)]


def rows(
    layers: Sequence[LayerRecord],
    phases: Sequence[Phase],
    works: Mapping[str, Figures | None],
    exports: Mapping[str, Figures | None],
) -> list[Phase]:
    """What took time, in order. `phases`: all but the layers'. `works`, `exports`: what is usual for made layers."""
    made = {layer.layer: layer for layer in layers if layer.action != "reuse"}
    found = [phase for phase in phases if phase.name == "plan"]
    for name, members in IMAGES.items():
        parts = [made[member] for member in members if member in made]
        if parts:
            seconds = sum(part.seconds - (part.export or 0.0) for part in parts)
            found.append(Phase(name, seconds, together(works[part.layer] for part in parts), _counted(parts)))
    exported = [layer for layer in made.values() if layer.export]
    if exported:
        seconds = sum(layer.export or 0.0 for layer in exported)
        found.append(Phase("export", seconds, together(exports[layer.layer] for layer in exported), _sized(exported)))
    by_name = {phase.name: phase for phase in phases}
    deploying = [by_name[name] for name in deploy.phases() if name in by_name]
    if deploying:
        usual = together(phase.usual for phase in deploying)
        found.append(Phase("deploy", _total(deploying), usual, (_each(deploying),)))
    return found


def lines(layers: Sequence[LayerRecord], phases: Sequence[Phase]) -> list[str]:
    """At most eight lines, one for each phase."""
    return [f"cycle   {duration_text(_total(phases))}: {', '.join(_hits(layers))}", *map(_row, phases)]


def line(phases: Sequence[Phase]) -> str:
    """All in one line: `cycle   2.3 s, median 2.5 s of 20: plan 0.1 s, app 1.4 s, deploy 0.6 s`."""
    usual = together(phase.usual for phase in phases)
    than = "" if usual is None or usual.n < ENOUGH else f", {compared(usual)}"
    return f"cycle   {duration_text(_total(phases))}{than}: {_each(phases)}"


def _total(phases: Iterable[Phase]) -> float:
    return sum(phase.seconds for phase in phases)


def _each(phases: Iterable[Phase]) -> str:
    return ", ".join(f"{phase.name} {duration_text(phase.seconds)}" for phase in phases)


def _hits(layers: Iterable[LayerRecord]) -> list[str]:
    """Each layer as a user counts them: base stands for builder and runtime."""
    found: dict[str, str] = {}
    for layer in layers:
        name = "base" if layer.layer in IMAGES["base"] else layer.layer
        if found.get(name, "reuse") == "reuse":
            found[name] = layer.action
    return [f"{name} {_DONE[found[name]]}" for name in IMAGES if name in found]


def _row(phase: Phase) -> str:
    usual = "" if phase.usual is None else f", {compared(phase.usual)}"
    more = f": {', '.join(phase.more)}" if phase.more else ""
    return f"  {phase.name:<7} {duration_text(phase.seconds)}{usual}{more}"


def compared(usual: Figures) -> str:
    """The median, and of how many."""
    return f"median {duration_text(usual.median)} of {usual.n}"


def _counted(parts: Sequence[LayerRecord]) -> tuple[str, ...]:
    compiled = sum(part.compiled or 0 for part in parts)
    fresh = sum(part.fresh or 0 for part in parts)
    sent = sum(part.sent or 0 for part in parts)
    crates = f"{count_text(compiled, 'crate')} compiled"
    known = any(part.compiled is not None for part in parts)
    words = [f"{crates}, {fresh} fresh" if fresh else crates] if known else []
    return (*words, *([f"{size_text(sent)} sent"] if sent else []))


def _sized(exported: Sequence[LayerRecord]) -> tuple[str, ...]:
    return tuple(f"{layer.layer} {size_text(layer.size)}" for layer in exported if layer.size)


# --- what is far from usual ------------------------------------------------------------------------------------------


def notes(past: Past, outcome: Outcome) -> list[str]:
    """A remark where a layer took far longer than it does, with the reasons that are known."""
    step = outcome.step
    if not step.works:
        return []
    layer = step.spec.layer

    def usual(part: Part) -> Figures | None:
        return of_layer(past.folder, past.variant, layer, cold=outcome.cold, part=part, besides=past.token)

    took = usual("all")
    if took is None or not is_far(outcome.seconds, took):
        return []
    because = why(outcome, usual("compiled")) or busy(os.getloadavg()[0], os.cpu_count() or 1)
    # Without a reason it says nothing that the summary's own figures do not say.
    return [f"{regression(layer, outcome.seconds, took)}; {because}"] if because else []


def is_far(seconds: float, usual: Figures) -> bool:
    """Whether something took so long that it is no chance. Never said of few runs."""
    return usual.n >= ENOUGH and seconds > max(
        usual.median * TIMES_MEDIAN, usual.p90 * TIMES_P90, usual.median + SECONDS
    )


def regression(name: str, seconds: float, usual: Figures) -> str:
    """In words, with the figures."""
    return f"{name} took {duration_text(seconds)}, median {duration_text(usual.median)} over {usual.n} runs"


def why(outcome: Outcome, compiled: Figures | None) -> str:
    """The causes that the figures of the layer show; '' where they show none."""
    external, own = outcome.counts.get("external", 0), outcome.counts.get("compiled")
    because = f" ({outcome.step.why})"
    if outcome.step.spec.layer == "app" and external:
        return f"{count_text(external, 'external crate')} compiled again{because}"
    if own is not None and compiled is not None and own > compiled.p90:
        return f"{own} crates compiled, median {compiled.median:g}{because}"
    return ""


def busy(load: float, cores: int) -> str:
    """That this machine had much else to do in the last minute; '' where it had not: a build alone loads its cores."""
    return f"the machine was busy (load {load:.1f} on {count_text(cores, 'core')})" if load >= BUSY * cores else ""
