"""How a watch ends."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from layerdoit.core.errors import Interrupted
from layerdoit.watch import loop


def test_a_watch_that_a_signal_ends_does_not_say_that_nothing_was_kept() -> None:
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(Interrupted, match=r"^the watch was ended by signal 15$") as caught:
        loop.run([], json=True)
    assert caught.value.exit_code == 128 + signal.SIGTERM
