"""From words of the command line to the explanation: reads, compares, and asks what is in no key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.build import planning
from layerdoit.core.errors import EngineError
from layerdoit.explain import difference, lookup, miss, naming, outside
from layerdoit.explain.rendering import Explanation
from layerdoit.layers.key import IMAGES, ORDER

if TYPE_CHECKING:
    from layerdoit.engine.handle import Engine
    from layerdoit.explain.sides import Side
    from layerdoit.project.inputs import Inputs


def explain(inputs: Inputs, engine: Engine, words: list[str], old_word: str, new_word: str) -> Explanation:
    """The difference between two sides. ConfigError for words that mean nothing, or several things."""
    layer, old_word, new_word = lookup.asked(words, old_word, new_word)
    read = lookup.Reading(inputs, engine, layer)
    notes: list[str] = []
    plan = None
    if (new_word or naming.TREE) == naming.TREE:
        try:
            plan = planning.make(engine, inputs)
            read.ask_builder(plan)
        except EngineError as error:
            notes.append(f"what the keys do not cover is unknown: {error.what}")
    new = read.side("--to", new_word or naming.TREE)
    old = read.side("--from", old_word or naming.LAST)
    if not old_word and _is_built(old, new) and read.before.kind == "built":
        old = read.before
        notes.append("nothing changed since the last build: this is what that one changed")
    layers = ORDER if layer is None else IMAGES[layer]
    found = tuple(
        one for one in difference.between(old, new, layers) if one.old is not None or old.kind in ("built", "nothing")
    )
    notes += [*(f"from: {note}" for note in old.notes), *(f"to: {note}" for note in new.notes)]
    actions: dict[str, str] = {}
    besides: dict[str, tuple[str, ...]] = {}
    if plan is not None:
        facts = read.facts(plan)
        planned = [layer for layer in layers if plan.has(layer)]
        actions = {layer: plan.step(layer).action for layer in planned}
        besides = {layer: tuple(outside.reasons(plan.step(layer), facts)) for layer in planned}
    keys = {listing.key for side in (old, new) if (listing := side.layers.get("app")) is not None}
    log = read.app_log(keys) if "app" in layers else None
    missed = miss.missed(log[1]) if log is not None else None
    return Explanation(
        old, new, found, actions, besides, missed, log[0] if missed is not None and log else None, tuple(notes)
    )


def _is_built(last: Side, new: Side) -> bool:
    """Whether the last build was of just this: then it says nothing to compare the two."""
    return last.kind == "built" and {name: one.key for name, one in last.layers.items()} == {
        name: one.key for name, one in new.layers.items()
    }
