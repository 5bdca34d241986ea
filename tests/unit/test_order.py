"""The order of test files, by how long they took; and what a skipped test is in CI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import durations
from tests.support.required import VARIABLE

ROOT = Path(__file__).resolve().parents[2]
pytest_plugins = ["pytester"]


def test_every_file_that_is_written_down_is_there() -> None:
    written = json.loads(durations.FILE.read_text(encoding="utf-8"))
    assert written
    assert [name for name in written if not (durations.TESTS / name).is_file()] == []


def test_what_was_measured_replaces_what_was_known() -> None:
    old = {"engine/test_a.py": 80.0, "engine/test_gone.py": 9.0, "unit/test_b.py": 3.0}
    new = {"engine/test_a.py": 41.26, "unit/test_b.py": 0.2, "unit/test_c.py": 5.0}
    there = ["engine/test_a.py", "unit/test_b.py", "unit/test_c.py"]
    assert durations.merged(old, new, there) == {"engine/test_a.py": 41.3, "unit/test_c.py": 5.0}


@pytest.fixture
def skipping(pytester: pytest.Pytester) -> pytest.Pytester:
    """Tests of which one lacks something, one was not asked for, and one fails as it is known to."""
    pytester.makeconftest(
        "import os, pytest\n"
        "from tests.support import required\n"
        "@pytest.hookimpl(wrapper=True)\n"
        "def pytest_runtest_makereport():\n"
        "    return required.judged((yield), os.environ)\n"
    )
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.fixture\n"
        "def registry(): pytest.skip('no registry')\n"
        "def test_pull(registry): pass\n"
        "@pytest.mark.skipif(True, reason='opt-in: ask for it')\n"
        "def test_large(): pass\n"
        "@pytest.mark.xfail(strict=True)\n"
        "def test_known(): assert False\n"
        "def test_fine(): pass\n"
    )
    pytester.syspathinsert(ROOT)
    return pytester


def test_a_skip_is_a_failure_only_in_ci(skipping: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    skipping.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1, skipped=2, xfailed=1)
    monkeypatch.setenv(VARIABLE, "fail")
    judged = skipping.runpytest_inprocess("-p", "no:cacheprovider")
    judged.assert_outcomes(passed=1, skipped=1, xfailed=1, errors=1)
    judged.stdout.fnmatch_lines(["*skipped, which LAYERDOIT_SKIPS=fail forbids: no registry*"])
