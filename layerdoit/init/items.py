"""Settings that are proposed, one value each; valid by the schema, each once, and in its order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Item:
    """One value of a setting: an item of a list, `(name, value)` of a mapping, or the only value."""

    path: str
    value: Any
    why: str
    active: bool = True


def checked(item: Item) -> Item:
    """The item, inactive where the schema refuses its value."""
    from layerdoit.config import Config, reading
    from layerdoit.config.kinds import Invalid

    kind = dict(reading.flat(Config))[item.path].metadata["kind"]
    try:
        kind.parse(_node(item, kind.many))
    except Invalid as invalid:
        return Item(item.path, item.value, f"{item.why}; {invalid.problem}", active=False)
    return item


def _node(item: Item, many: bool) -> Any:
    from layerdoit.config.kinds import Node

    if isinstance(item.value, tuple):
        name, value = item.value
        return Node(1, {name: Node(1, value, value)})
    one = Node(1, item.value, str(item.value))
    return Node(1, (one,)) if many else one


def unique(items: Iterable[Item]) -> Iterator[Item]:
    """Each value once, the active and the first reason first; a single setting or name only once active."""
    from layerdoit.config import Config, reading

    many = {name for name, setting in reading.flat(Config) if setting.metadata["kind"].many}
    seen: dict[tuple[str, Any], Item] = {}
    for item in items:
        key = (item.path, item.value) if item.path in many else (item.path, item.value[0] if _named(item) else None)
        old = seen.get(key)
        repeated = item.path in ("image.cmd", "deploy.args")  # arguments may be given twice
        if old is None or repeated:
            seen[(*key, len(seen)) if repeated else key] = item  # type: ignore[index]
        elif item.path == "image.env" or (item.active and not old.active):
            seen[key] = item  # the last ENV wins
    yield from seen.values()


def _named(item: Item) -> bool:
    return isinstance(item.value, tuple)


def in_order(items: Iterable[Item]) -> list[Item]:
    """In the order in which the schema documents them; of one setting the active ones first."""
    from layerdoit.config import Config, reading

    order: Mapping[str, int] = {name: place for place, (name, _) in enumerate(reading.flat(Config))}
    return sorted(items, key=lambda item: (order[item.path], not item.active))
