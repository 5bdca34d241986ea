"""Questions in the background."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from layerdoit.core.background import Background, Late
from layerdoit.core.errors import LayerdoitError


def test_the_answer_is_waited_for() -> None:
    gate = threading.Event()
    asked = Background(lambda: gate.wait(60) and 7)
    gate.set()
    assert asked.result() == 7
    assert asked.result() == 7


def test_a_question_has_a_last_moment() -> None:
    never = threading.Event()
    with pytest.raises(Late):
        Background(never.wait, deadline=time.monotonic()).result()
    never.set()


@pytest.mark.parametrize("error", [LayerdoitError("no"), KeyboardInterrupt("no")])
def test_an_error_comes_back_to_who_asks_for_the_answer(error: BaseException) -> None:
    def fails() -> None:
        raise error

    with pytest.raises(type(error), match="no"):
        Background(fails).result()


def test_a_question_without_an_answer_does_not_keep_the_program_from_ending() -> None:
    script = "import threading; from layerdoit.core.background import Background; Background(threading.Event().wait)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
