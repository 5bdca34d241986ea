"""What cargo's lines tell while it works."""

from __future__ import annotations

import pytest

from layerdoit.cargo import output


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("   Compiling serde v1.0.1", ("crate", "serde")),
        ("    Checking app v0.1.0 (/build/src/app)", ("crate", "app")),
        (" Downloading 3 crates", ("", "Downloading 3 crates")),
        ("  Downloaded serde v1.0.1", ("", "Downloaded serde v1.0.1")),
        ("    Updating crates.io index", ("", "Updating crates.io index")),
        ("    Finished `dev` profile in 0.1s", ("", "Finished `dev` profile in 0.1s")),
        ("       Fresh serde v1.0.1", ("", "Fresh serde v1.0.1")),
        ("    Blocking waiting for file lock", ("", "Blocking waiting for file lock")),
    ],
)
def test_cargo_says_how_far_it_is(line: str, told: tuple[str, str]) -> None:
    assert output.progress(line) == told


@pytest.mark.parametrize(
    "line",
    [
        "",
        "warning: unused",
        "     Running unittests",
        "   Doc-tests lib",
        "Finished the dishes",
        "    Freshly",
        "test a ... ok",
    ],
)
def test_other_lines_are_no_progress(line: str) -> None:
    assert output.progress(line) is None


def test_crates_are_counted_in_plain_progress_and_in_cargos_own_output() -> None:
    plain = "#12 3.456    Compiling itoa v1.0.17\n#12 4.0    Compiling app v0.1.0 (/src/app)\n#12 5.0 Finished\n"
    assert output.compiled(plain) == ["itoa v1.0.17", "app v0.1.0"]
    assert output.compiled("   Compiling itoa v1.0.17\nnot Compiling x v1\n") == ["itoa v1.0.17"]


def test_of_a_failing_build_the_errors_are_shown() -> None:
    lines = ["   Compiling app v0.1.0", "note: x", "error[E0308]: mismatched", "   Compiling b v1", " --> src/main.rs"]
    assert output.relevant(lines) == ["error[E0308]: mismatched", " --> src/main.rs"]
    assert output.relevant([f"line {number}" for number in range(50)]) == [f"line {number}" for number in range(10, 50)]
