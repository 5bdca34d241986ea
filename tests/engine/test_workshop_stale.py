"""The random edits of the stale-binary guard, compiled in a workshop: what runs is what the sources say."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from layerdoit.core.errors import BuildError
from layerdoit.watch.workshop import Cancelled
from tests.engine.test_stale import RUNS, SEED, Editor
from tests.engine.test_workshop import Room, room
from tests.support.checkout import Checkout


def broken_then_repaired(made: Room, editor: Editor) -> None:
    """A compile error, then the file as it was, with its old time."""
    target = made.one.root / "app/src/main.rs"
    content, stamp = target.read_bytes(), target.stat().st_mtime_ns
    target.write_bytes(content + b"\nfn broken( {\n")
    editor.done.append("a compile error, repaired")
    with pytest.raises(BuildError, match=r"error: .*(delimiter|expected)"):
        made.compile()
    editor.put("app/src/main.rs", content, stamp)


def overtaken(made: Room, chance: random.Random) -> None:
    """A newer change comes while it compiles."""
    cancelled = threading.Event()
    timer = threading.Timer(chance.random() * 0.4, cancelled.set)
    timer.start()
    try:
        made.compile(cancelled=cancelled)
    except Cancelled:
        pass
    finally:
        timer.cancel()


def test_random_edits_never_serve_a_stale_program(checkout: Callable[..., Checkout]) -> None:
    print(f"LAYERDOIT_STALE_SEED={SEED} LAYERDOIT_STALE_RUNS={RUNS}")
    one, chance = checkout(), random.Random(f"{SEED}/workshop")  # noqa: S311
    with room(one) as made:
        editor = Editor(one, chance)
        for _ in range(RUNS):
            editor.done.append("turn")
            if chance.random() < 0.03:
                broken_then_repaired(made, editor)
            if chance.random() < 0.1:
                overtaken(made, chance)
                editor.step()
            made.compile()
            said, promised = made.said(), one.promised()
            assert said == promised, f"stale with LAYERDOIT_STALE_SEED={SEED}: " + "; ".join(editor.done[-40:])
            editor.remember()
            for _ in range(chance.randrange(1, 4)):
                editor.step()
        made.compile()
        assert made.said() == one.said(one.build()["app"].step.spec.tag), "the image of the same tree"
