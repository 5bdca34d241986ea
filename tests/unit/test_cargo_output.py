"""What cargo's output tells afterwards."""

from __future__ import annotations

from layerdoit.cargo import output


def test_crates_are_counted_in_plain_progress_and_in_cargos_own_output() -> None:
    plain = "#12 3.456    Compiling itoa v1.0.17\n#12 4.0    Compiling app v0.1.0 (/src/app)\n#12 5.0 Finished\n"
    assert output.compiled(plain) == ["itoa v1.0.17", "app v0.1.0"]
    assert output.compiled("   Compiling itoa v1.0.17\nnot Compiling x v1\n") == ["itoa v1.0.17"]


def test_of_a_failing_build_the_errors_are_shown() -> None:
    lines = ["   Compiling app v0.1.0", "note: x", "error[E0308]: mismatched", "   Compiling b v1", " --> src/main.rs"]
    assert output.relevant(lines) == ["error[E0308]: mismatched", " --> src/main.rs"]
    assert output.relevant([f"line {number}" for number in range(50)]) == [f"line {number}" for number in range(10, 50)]
