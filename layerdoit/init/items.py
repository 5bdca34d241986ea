"""Settings that are proposed, one value each; valid by the schema, each once, and in its order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from layerdoit.config.kinds import Kind

_REPEATED: Final = frozenset(("image.cmd", "deploy.args"))
"""Arguments may be given twice."""


@dataclass(frozen=True)
class Item:
    """One value of a setting: an item of a list, `(name, value)` of a mapping, or the only value."""

    path: str
    value: Any
    why: str
    active: bool = True

    @property
    def plain(self) -> str:
        """The path of the setting in the configuration of one service: `services.api.image.env` is `image.env`."""
        parts = self.path.split(".")
        return ".".join(parts[2:]) if parts[0] == "services" else self.path


def kind_of(path: str) -> Kind:
    """The kind of a setting, also of one of a service or a component."""
    from layerdoit.config import Config, reading

    schema: Any = Config
    parts = path.split(".")
    while True:
        metadata = reading.settings(schema)[parts.pop(0)].metadata
        if "sections" in metadata:
            schema = metadata["sections"]
            del parts[0]
        elif "section" in metadata and parts:
            schema = metadata["section"]
        else:
            kind: Kind = metadata["or"] if "section" in metadata else metadata["kind"]
            return kind


def _place(path: str) -> tuple[int, ...]:
    """Where the schema documents a setting; those of two services are at one place."""
    from layerdoit.config import Config, reading

    schema: Any = Config
    parts = path.split(".")
    places = []
    while parts:
        names = reading.settings(schema)
        place = list(names).index(parts[0])
        metadata = names[parts.pop(0)].metadata
        places.append(place)
        if "sections" in metadata:
            schema = metadata["sections"]
            del parts[0]
        else:
            schema = metadata.get("section")
    return tuple(places)


def checked(item: Item) -> Item:
    """The item, inactive where the schema refuses its value."""
    from layerdoit.config.kinds import Invalid

    kind = kind_of(item.path)
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
    seen: dict[tuple[str, Any], Item] = {}
    for item in items:
        many = kind_of(item.path).many
        key = (item.path, item.value) if many else (item.path, item.value[0] if _named(item) else None)
        old = seen.get(key)
        repeated = item.plain in _REPEATED
        if old is None or repeated:
            seen[(*key, len(seen)) if repeated else key] = item  # type: ignore[index]
        elif item.plain == "image.env" or (item.active and not old.active):
            seen[key] = item  # the last ENV wins
    yield from seen.values()


def _named(item: Item) -> bool:
    return isinstance(item.value, tuple)


def in_order(items: Iterable[Item]) -> list[Item]:
    """In the order in which the schema documents them; of one setting the active ones first."""
    return sorted(items, key=lambda item: (_place(item.path), not item.active))
