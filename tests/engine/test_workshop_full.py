"""A workshop where a disk is full: one message, what served is as it was, and the next compilation is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

import pytest

from layerdoit.core.errors import BuildError, as_error
from layerdoit.core.state import State
from layerdoit.watch import agent, workshop
from tests.engine.test_workshop import room
from tests.support.checkout import Checkout
from tests.support.scratch import docker


def full_log(*_: object) -> TextIO:
    return open("/dev/full", "w", encoding="utf-8", buffering=1)


def test_a_full_disk_is_told_and_what_served_stays(
    checkout: Callable[..., Checkout], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = checkout()

    def cramped(labels: Mapping[str, str], volumes: Mapping[str, str]) -> Sequence[str]:
        """Little space for sources, and none for programs."""
        places = ("/ctx:size=512k", "/live/served:size=64k")
        found = [name for name, place in volumes.items() if place != "/live/served"]
        words = [word for place in places for word in ("--tmpfs", place)]
        return [*agent.options(labels, {name: volumes[name] for name in found}), *words]

    monkeypatch.setattr(workshop, "options", cramped)
    with room(one) as made:
        assert made.compile().crates == 4

        docker("exec", made.container, "sh", "-c", "echo old >/live/served/app")
        one.replace("app/src/main.rs", '"0000"', '"1111"')
        with pytest.raises(BuildError, match="app: the disk is full") as told:
            made.compile()
        assert "free some space" in str(told.value)
        assert docker("exec", made.container, "cat", "/live/served/app") == "old\n"
        docker("exec", made.container, "rm", "/live/served/app")
        made.compile()
        assert made.said() == one.promised()

        one.write({"app/data/text.txt": "2" * (1 << 20)})
        with pytest.raises(BuildError, match="app: the disk is full"):
            made.compile()
        one.write({"app/data/text.txt": "2222"})
        assert (made.compile().crates, made.said()) == (1, one.promised())

        one.write({"app/data/text.txt": "3333"})
        with monkeypatch.context() as here:
            here.setattr(State, "open_log", full_log)
            with pytest.raises(OSError, match="No space left") as full:
                made.compile()
            assert str(as_error(full.value)).startswith("the disk is full\nnext: free some space")
        made.compile()
        assert made.said() == one.promised()
