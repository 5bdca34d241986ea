"""Frozen records, without the methods that `@dataclass(frozen=True)` writes and compiles for each class.

Those take 0.6 ms a class, and a run with nothing to do has a dozen of them to wait for.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, dataclass_transform


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
class Frozen:
    """Base of records: a subclass is a frozen dataclass, compared and shown by field.

    `class Run(Frozen, eq=False)` is compared by identity, as with `@dataclass(eq=False)`.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __init_subclass__(cls, *, eq: bool = True, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
        if not eq:
            cls.__eq__ = object.__eq__  # type: ignore[method-assign]
            cls.__hash__ = object.__hash__  # type: ignore[method-assign]

    def __init__(self, *args: Any, **given: Any) -> None:
        values, fields = vars(self), dataclasses.fields(self)
        if len(args) > len(fields):
            raise TypeError(f"{type(self).__name__} has {len(fields)} fields, and was given {len(args)} values")
        for field, value in zip(fields, args, strict=False):
            values[field.name] = value
        for field in fields[len(args) :]:
            if field.name in given:
                values[field.name] = given.pop(field.name)
            elif field.default is not dataclasses.MISSING:
                values[field.name] = field.default
            elif field.default_factory is not dataclasses.MISSING:
                values[field.name] = field.default_factory()
            else:
                raise TypeError(f"{type(self).__name__} needs {field.name}")
        if given:
            raise TypeError(f"{type(self).__name__} has no {', '.join(given)}, or was given it twice")

    def __setattr__(self, name: str, value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        fields = dataclasses.fields(self)
        return all(getattr(self, one.name) == getattr(other, one.name) for one in fields if one.compare)

    def __hash__(self) -> int:
        used = (one for one in dataclasses.fields(self) if (one.compare if one.hash is None else one.hash))
        return hash(tuple(getattr(self, one.name) for one in used))

    def __repr__(self) -> str:
        shown = (f"{one.name}={getattr(self, one.name)!r}" for one in dataclasses.fields(self) if one.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"
