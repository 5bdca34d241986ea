"""The state folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.core import state


def test_each_build_has_a_log_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that one process begins in the same second; their names are in the order in which they began."""
    monkeypatch.setattr("layerdoit.core.state.time.strftime", lambda _form: "20260101-000000")
    names = []
    for number in range(3):
        with state.open_log(tmp_path, "app") as log:
            log.write(str(number))
            names.append(Path(log.name).name)
    assert [(tmp_path / "logs" / name).read_text() for name in sorted(names)] == ["0", "1", "2"]
    assert sorted(names) == names
