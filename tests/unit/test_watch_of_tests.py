"""What a watch shows of tests that failed."""

from __future__ import annotations

import itertools
from typing import Any

from layerdoit.core.errors import LayerdoitError
from layerdoit.watch import of_tests
from layerdoit.watch.beside import Beside
from layerdoit.watch.events import Event
from layerdoit.watch.telling import Telling

SAID = """\
     Running unittests src/lib.rs (/build/target/debug/deps/tiny-b8411d1b6389d6df)

running 1 test
test tests::one ... FAILED

failures:

---- tests::one stdout ----

thread 'tests::one' (59) panicked at src/lib.rs:15:16:
assertion `left == right` failed
  left: 1
 right: 2
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace


failures:
    tests::one

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

error: test failed, to rerun pass `-p tiny --lib`
     Running unittests src/bin/api.rs (/build/target/debug/deps/api-5768b658e9b6208c)

running 0 tests

test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running unittests src/bin/web.rs (/build/target/debug/deps/web-912f2531335be924)

running 0 tests

test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

   Doc-tests tiny

running 0 tests

test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

error: 1 target failed:
    `-p tiny --lib`
"""
SHOWN = """\
     Running unittests src/lib.rs (/build/target/debug/deps/tiny-b8411d1b6389d6df)

test tests::one ... FAILED

failures:

---- tests::one stdout ----

thread 'tests::one' (59) panicked at src/lib.rs:15:16:
assertion `left == right` failed
  left: 1
 right: 2
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

failures:
    tests::one

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

error: test failed, to rerun pass `-p tiny --lib`

error: 1 target failed:
    `-p tiny --lib`
"""


def test_what_failed_is_shown_and_what_passed_is_not() -> None:
    shown = of_tests.failed(SAID.split("\n"))
    assert [line for line in shown if line] == [line for line in SHOWN.split("\n") if line]
    assert not any(not one and not two for one, two in itertools.pairwise(shown))


def test_nothing_is_left_of_what_passed_and_the_last_lines_of_much() -> None:
    passed = ["   Doc-tests a", "", "running 1 test", "test b ... ok", "", "test result: ok. 1 passed; 0 failed", ""]
    assert of_tests.failed(passed) == []
    assert of_tests.failed(str(number) for number in range(1000)) == [str(number) for number in range(800, 1000)]


class Failing:
    """A job of tests that has failed."""

    has_ended, seconds = True, 1.0
    lines = ("check",)
    aside = ("test a ... ok", "left: 1")

    def result(self) -> str:
        raise LayerdoitError("1 test failed")


def test_the_words_of_tests_that_failed_are_told() -> None:
    told: list[Event] = []
    beside = Beside(Telling("", told.append, coloured=False), lambda: None)
    tests: Any = Failing()
    beside._tests = tests
    beside.tell_tests()
    assert told[0].text == "check\nleft: 1\n1 test failed"
