"""An engine is asked for its platform again, unless it cannot be another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from layerdoit.core.errors import EngineError
from layerdoit.engine import api, handle
from layerdoit.engine.handle import Engine


class Machine:
    """An engine of some architecture, or none that answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.architecture, self.asked, self.place = "amd64", 0, "unix:///here"
        monkeypatch.setattr(api, "connect", lambda: self)
        monkeypatch.setattr(api, "endpoint", lambda: self.place)
        monkeypatch.setattr(api, "builder_name", lambda: "default")
        monkeypatch.setattr(api, "chosen_builder", lambda: None)
        monkeypatch.setattr(handle, "architecture", lambda: "x86_64")

    def get(self, path: str) -> Mapping[str, Any]:
        assert path == "/version"
        self.asked += 1
        if not self.architecture:
            raise EngineError("nobody answers")
        return {"Os": "linux", "Arch": self.architecture}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_it_is_asked_again(machine: Machine) -> None:
    one = Engine()
    assert one.platform == "linux/amd64"
    machine.architecture = "arm64"
    assert one.again().platform == "linux/arm64"
    # Nothing is known of whom the connection is to, before it is asked while that stands.
    machine.architecture = "riscv64"
    assert one.again(object()).platform == "linux/riscv64"


def test_it_is_not_asked_while_a_connection_stands(machine: Machine) -> None:
    one, connection = Engine().again(), object()
    one = one.again(connection)
    assert one.platform == "linux/amd64"
    asked = machine.asked
    one = one.again(connection).again(connection)
    assert one.platform == "linux/amd64"
    assert machine.asked == asked
    machine.architecture = "arm64"
    assert one.again(object()).platform == "linux/arm64"
    assert one.again().platform == "linux/arm64"
    machine.place = "tcp://there:2375"
    assert one.again(connection).platform == "linux/arm64"


def test_an_engine_that_did_not_answer_is_asked_again(machine: Machine) -> None:
    machine.architecture, connection = "", object()
    one = Engine().again(connection)
    assert one.platform == "linux/amd64"
    machine.architecture = "arm64"
    assert one.again(connection).platform == "linux/arm64"
