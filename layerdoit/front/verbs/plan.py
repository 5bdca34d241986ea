"""`doit layers plan`: what would be done to each layer, why, how long that takes by this project's own history, what
would travel, and what retention would remove."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from layerdoit.core.console import say
from layerdoit.front.verbs import CHANGES, JSON, Verb, flag
from layerdoit.layers.key import IMAGES

if TYPE_CHECKING:
    from layerdoit.build.compiling import Compiling
    from layerdoit.flows.session import Session
    from layerdoit.history import Figures
    from layerdoit.layers.plan import Plan, Step


@dataclass(frozen=True)
class Travel:
    """Bytes between registry and engine; None: not known."""

    bytes: int | None


@dataclass(frozen=True)
class Foreseen:
    """What a step will cost. None: it does not apply, or, of `expected`, was never measured here."""

    expected: Figures | None
    pull: Travel | None
    push: Travel | None

    def text(self) -> str:
        """What follows the layer in its line."""
        parts = [_seconds(self.expected)] if self.expected else []
        parts += [f"pulls {_size(self.pull)}"] if self.pull else []
        parts += [f"pushes {'at most ' if self.push.bytes is not None else ''}{_size(self.push)}"] if self.push else []
        return f"  {', '.join(parts)}" if parts else ""

    def as_json(self) -> Mapping[str, Any]:
        """The documented form."""
        return {
            "expected": _as_json(self.expected),
            "pull": None if self.pull is None else {"bytes": self.pull.bytes},
            "push": None if self.push is None else {"at_most_bytes": self.push.bytes},
        }


def run(params: Any, _words: Sequence[str]) -> int:
    """Print the plan; with `--exit-code`, 2 when something would be done."""
    from layerdoit.flows import component_builds, early_refusals, obstacles, pushes, watched_services
    from layerdoit.flows.session import Session
    from layerdoit.front import projects
    from layerdoit.project.run import Run

    session = Session(Run(goals=("app",)), projects.opened(params))
    plan = session.plan
    foreseen = _foreseen(session, plan)
    removal = _removal(session)
    compiling = _compiling(session, plan)
    stops = obstacles.of_session(session) or early_refusals.of_session(session)
    waiting, live = pushes.waiting(session), watched_services.found(session)
    parts = session.built if session.project.services else []
    components = component_builds.plans(session)
    if params["json"]:
        compiles = {"deps": compiling.as_json() if compiling else None}
        layers = [
            {**step.as_json(), **foreseen[step.spec.layer].as_json(), "compiles": compiles.get(step.spec.layer)}
            for step in plan.layers()
        ]
        services = {
            one.project.service: {**one.plan.step("app").as_json(), **_foreseen(one, one.plan)["app"].as_json()}
            for one in parts
        }
        way = session.project.way
        of = {"platform": way.platform, "way": way.kind, "why": way.why} if way is not None else {}
        more = {**of, "removes": removal.as_json() if removal else None, "obstacle": stops.what if stops else None}
        more["pending"] = [one.tag for one in waiting]
        more |= {"live": live} if live else {}
        named = {one.inputs.name: one.as_json() for one in components}
        told = {**({"services": services} if services else {}), **({"components": named} if named else {})}
        say(json.dumps({"layers": layers, **told, **more}, indent=2))
    else:
        if session.project.elsewhere and session.project.way is not None:
            say(session.project.way.words)
        for step in plan.layers():
            _tell(step.spec.layer, step, foreseen, compiling if compiling and step.spec.layer == "deps" else None)
        for text in (line for one in components for line in one.lines()):
            say(text)
        for one in parts:
            _tell(one.project.service, one.plan.step("app"), _foreseen(one, one.plan), None)
        for name, now in live.items():
            say(f"{name}  live: {now}")
        if waiting:
            say(pushes.words(session, waiting))
        if removal:
            say(removal.line())
        if stops:
            say(f"this cannot be built yet: {stops}")
    return CHANGES if params["exit_code"] and any(one.changes for one in (plan, *(each.plan for each in parts))) else 0


def _tell(name: str, step: Step, foreseen: Mapping[str, Foreseen], compiling: Compiling | None) -> None:
    from layerdoit.layers import reasons

    say(f"{name:<5} {step.action:<6} {step.spec.tag}{foreseen[step.spec.layer].text()}")
    why = [reason for reason in step.reasons if compiling is None or compiling.shown(reason)]
    for sentence in (*reasons.sentences(why), *(compiling.lines() if compiling else ())):
        say(f"      {sentence}")
    if step.parent is not None and step.parent.afar:
        say(f"      is cooked on {step.parent.tag} of the registry, which is pulled first")
    if step.donors:
        from layerdoit.layers.specs import donors

        for words in donors.taken_words(step.donors):
            say(f"      {words}")


def _foreseen(session: Session, plan: Plan) -> dict[str, Foreseen]:
    """By layer as a user counts them; `runtime` where there is no base."""
    pulls = _pulls(session, [step for step in plan.steps if step.action == "pull"])
    return {
        step.spec.layer: Foreseen(
            _expected(session, plan, parts),
            _together(pulls[name] for name in parts if name in pulls),
            _together(_pushes(session, plan.step(name), step.spec.layer) for name in parts),
        )
        for step in plan.layers()
        if (parts := [name for name in IMAGES.get(step.spec.layer, (step.spec.layer,)) if plan.has(name)])
    }


def _compiling(session: Session, plan: Plan) -> Compiling | None:
    """What the deps layer compiles; the host's cargo is asked only where it is built."""
    if not plan.has("deps") or plan.step("deps").action != "build":
        return None
    step = plan.step("deps")
    from layerdoit.build import compiling

    return compiling.of(session.inputs, step)


def _together(parts: Any) -> Travel | None:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    sizes = [part.bytes for part in known]
    return Travel(None if None in sizes else sum(sizes))


def _pulls(session: Session, steps: Sequence[Step]) -> dict[str, Travel]:
    """What pulling takes; the registry is asked only where the plan pulls."""
    repository = session.project.config.registry.repository
    if not steps or repository is None:
        return {}
    from layerdoit.engine import transfers
    from layerdoit.layers.key import tag

    images = session.engine.images
    described = [images.inspect(image.id) or {} for image in images.of_project(session.project.name)]
    local = [(one.get("RootFS") or {}).get("Layers") or () for one in described]
    found = transfers.to_pull(
        [tag(repository, step.spec.layer, step.spec.key) for step in steps], local, session.engine.platform
    )
    return {step.spec.layer: Travel(size) for step, size in zip(steps, found, strict=True)}


def _pushes(session: Session, step: Step, layer: str) -> Travel | None:
    """As large as the last image of its layer was, at most: it travels packed, without what the registry has."""
    registry = session.project.config.registry
    if step.action != "build" or registry.repository is None or layer not in registry.push:
        return None
    from layerdoit import history

    return Travel(
        history.last_size(session.project.state.folder, session.inputs.variant_of(step.spec.layer), step.spec.layer)
    )


def _removal(session: Session) -> Any:
    """What goes after the build; asked only where something would."""
    if not session.project.config.retention.after_build:
        return None
    from layerdoit.cache import forecast

    return forecast.removal(session.inputs, session.engine, [(one.inputs, one.plan) for one in session.built])


def _expected(session: Session, plan: Plan, images: Sequence[str]) -> Figures | None:
    """How long builds of this kind took here; None for what is not built, or was never built so."""
    parts = [step for step in map(plan.step, images) if step.action == "build"]
    if not parts:
        return None
    from layerdoit import history
    from layerdoit.build import execute

    return history.together(
        history.of_layer(
            session.project.state.folder,
            session.inputs.variant_of(part.spec.layer),
            part.spec.layer,
            cold=execute.from_nothing(part),
        )
        for part in parts
    )


def _as_json(found: Figures | None) -> Mapping[str, float] | None:
    if found is None:
        return None
    return {"seconds": found.median, "low": found.low, "high": found.high, "n": found.n}


def _seconds(found: Figures) -> str:
    from layerdoit.core.units import duration_text

    between = f"{duration_text(found.low)} to {duration_text(found.high)}" if found.n > 1 else "one build"
    return f"about {duration_text(found.median)} ({between}{f', n={found.n}' if found.n > 1 else ''})"


def _size(found: Travel) -> str:
    from layerdoit.core.units import size_text

    return "it" if found.bytes is None else size_text(found.bytes)


VERB: Final = Verb(
    "show what would be done to each layer, and why; builds nothing",
    run,
    (JSON, flag("exit_code", "exit with 2 when a layer would be pulled or built")),
    when="Before a build that you would not like to be surprised by, and in CI to see whether there is anything to do.",
    example="doit layers plan PROFILE=release",
    ends="with --exit-code, 2 when a layer would be pulled or built, 0 when nothing would be done",
)
