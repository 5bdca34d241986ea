"""What a release is refused for; that it builds and installs is tried by `doit release` itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import release


def test_the_wheel_must_hold_every_file_of_the_package() -> None:
    tracked = ["layerdoit/py.typed", "layerdoit/data/native.toml", "dockerfiles/build.sh", "docs/tasks.md", "dodo.py"]
    wanted = release.in_wheel(tracked)
    assert wanted == ["layerdoit/py.typed", "layerdoit/data/native.toml", "layerdoit/dockerfiles/build.sh"]
    licence = "layerdoit-0.1.0.dist-info/licenses/LICENSE"
    release.refuse_missing("x.whl", wanted, [*wanted, licence])
    with pytest.raises(release.Refused, match=re.escape("x.whl lacks layerdoit/dockerfiles/build.sh\nnext: ")):
        release.refuse_missing("x.whl", wanted, [*wanted[:2], licence])
    with pytest.raises(release.Refused, match=r"x\.whl lacks LICENSE"):
        release.refuse_missing("x.whl", wanted, wanted)


def test_the_wheel_of_the_sdist_is_that_of_the_sources() -> None:
    release.refuse_difference({"a": b"1"}, {"a": b"1"})
    for other in ({"a": b"2"}, {}, {"a": b"1", "b": b""}):
        with pytest.raises(release.Refused, match="differs"):
            release.refuse_difference({"a": b"1"}, other)


def test_what_it_needs_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert release.main(["--build"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("release: build and twine not installed here\nnext: scripts/setup-venv dev")


def test_changes_that_no_commit_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "_git", lambda *_: " M setup.cfg\n")
    monkeypatch.setattr(release, "build", lambda: pytest.fail("it was built"))
    assert release.main([]) == 1


def test_nothing_is_sent_anywhere() -> None:
    """The command that publishes is only said."""
    source = Path(release.__file__).read_text()
    assert source.count("twine upload") == 1
    assert "upload" not in source.replace(release.PUBLISH, "")
