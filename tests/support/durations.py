"""How long test files take. Each run notes it in pytest's cache; `./test --record` writes it down for fresh clones."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

TESTS: Final = Path(__file__).resolve().parents[1]
FILE: Final = TESTS / "durations.json"
CACHE: Final = "layerdoit/durations"
NOTED: Final = 1.0
"""Files that take less than this many seconds are in no order."""


def load(config: pytest.Config) -> dict[str, float]:
    """File below tests/ -> seconds: what was last seen here, else what is written down."""
    written = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    return {**written, **_cached(config)}


def _cached(config: pytest.Config) -> dict[str, float]:
    cache = getattr(config, "cache", None)  # not there under `-p no:cacheprovider`
    return dict(cache.get(CACHE, {})) if cache else {}


def file_of(nodeid: str) -> str:
    """Return the file of a test, as it is named below tests/."""
    return nodeid.partition("::")[0].removeprefix("tests/")


def merged(old: Mapping[str, float], new: Mapping[str, float], there: Iterable[str]) -> dict[str, float]:
    """Take over what was measured, and forget files that are gone or quick."""
    found = {**old, **{name: round(seconds, 1) for name, seconds in new.items()}}
    return {name: found[name] for name in sorted(there) if found.get(name, 0.0) >= NOTED}


class Recorder:
    """A plugin of the process that collects the reports; workers send it theirs."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one phase of one test."""
        self._seconds[file_of(report.nodeid)] += report.duration

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Note the files that ran as a whole and to the end."""
        if exitstatus != pytest.ExitCode.OK or _selected(self._config):
            return
        there = [path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")]
        found = merged(load(self._config), self._seconds, there)
        if cache := getattr(self._config, "cache", None):
            cache.set(CACHE, found)
        if self._config.getoption("--record"):
            FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _selected(config: pytest.Config) -> bool:
    """Did the user choose single tests, so that files seem quicker than they are?"""
    options: Any = config.option
    return bool(options.keyword or options.markexpr or any("::" in word for word in config.args))
