"""A record on `Frozen` behaves as a frozen dataclass does, tried beside one of the same fields."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace
from functools import cached_property
from typing import Any

import pytest

from layerdoit.core.frozen import Frozen


@dataclass(frozen=True)
class Theirs:
    name: str
    size: int = 0
    more: tuple[str, ...] = field(default_factory=tuple)
    aside: Any = field(default=None, compare=False, repr=False)


class Ours(Frozen):
    name: str
    size: int = 0
    more: tuple[str, ...] = field(default_factory=tuple)
    aside: Any = field(default=None, compare=False, repr=False)

    @cached_property
    def doubled(self) -> int:
        return self.size * 2


class Wider(Ours):
    extra: int = 1


class Single(Frozen, eq=False):
    name: str


GIVEN: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("a",), {}),
    (("a", 2), {"more": ("x",)}),
    ((), {"name": "a", "aside": [1]}),
    (("a", 2, ("x",), [2]), {}),
]


@pytest.mark.parametrize(("args", "words"), GIVEN)
def test_it_holds_what_it_was_given(args: tuple[Any, ...], words: dict[str, Any]) -> None:
    ours, theirs = Ours(*args, **words), Theirs(*args, **words)
    assert vars(ours) == vars(theirs)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")


def test_records_are_compared_and_hashed_by_what_counts() -> None:
    for mine in GIVEN:
        for other in GIVEN:
            same = Theirs(*mine[0], **mine[1]) == Theirs(*other[0], **other[1])
            one, two = Ours(*mine[0], **mine[1]), Ours(*other[0], **other[1])
            assert (one == two) is same
            assert not same or hash(one) == hash(two)
    assert Ours("a") != Wider("a")
    assert Ours("a") != ("a", 0, ())
    assert Wider("a", 1, extra=2) == Wider("a", 1, (), None, 2)


@pytest.mark.parametrize(
    ("args", "words"), [((), {}), (("a",), {"name": "b"}), (("a",), {"other": 1}), (("a", 1, (), None, 5), {})]
)
def test_what_does_not_fit_is_refused(args: tuple[Any, ...], words: dict[str, Any]) -> None:
    for kind in (Ours, Theirs):
        with pytest.raises(TypeError):
            kind(*args, **words)


def test_nothing_of_it_can_be_changed() -> None:
    ours = Ours("a")
    with pytest.raises(FrozenInstanceError):
        ours.name = "b"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del ours.name
    assert replace(ours, size=3) == Ours("a", 3)
    assert ours == Ours("a")


def test_it_is_copied_and_pickled_with_what_was_worked_out() -> None:
    ours = Ours("a", 2)
    assert ours.doubled == 4
    for made in (copy.copy(ours), pickle.loads(pickle.dumps(ours))):
        assert made == ours
        assert vars(made)["doubled"] == 4


def test_identity_where_it_is_asked_for() -> None:
    one = Single("a")
    assert one == one  # noqa: PLR0124
    assert one != Single("a")
    assert len({one, Single("a")}) == 2
