"""What is tried by `doctor --measure`, and how the result is judged."""

from __future__ import annotations

import subprocess

from layerdoit.components.script_protocol import Measured
from layerdoit.doctor.finding import Fact, Finding, Unchecked
from layerdoit.doctor.savings import AS_IT_IS, judged, variants

TRIED = variants("dev", "")


def hints(*found: Measured) -> list[str]:
    return [item.what for item in judged(found, TRIED) if isinstance(item, Finding)]


def test_the_best_that_pays_is_proposed() -> None:
    slow, best = Measured(AS_IT_IS, 2000, 9_000_000), Measured("the linker mold", 900, 9_000_000)
    other = Measured('debug = "line-tables-only"', 1500, 4_000_000)
    assert hints(slow, other, best) == ["the linker mold saves 1.10 s of 2.00 s per edit"]
    items = list(judged([slow, other, best], TRIED))
    assert Fact("edit, as it is", "2.00 s, programs of 9 MB") in items
    assert [item.fix for item in items if isinstance(item, Finding)] == [
        "base: {packages: [mold]} and env: {RUSTFLAGS: -Clink-arg=-fuse-ld=mold} in layerdoit.yaml"
    ]


def test_noise_is_no_saving() -> None:
    assert hints(Measured(AS_IT_IS, 2000, 1), Measured("debug = false", 1800, 1)) == []
    assert hints(Measured(AS_IT_IS, 300, 1), Measured("debug = false", 220, 1)) == []
    assert hints(Measured(AS_IT_IS, 300, 1)) == []


def test_without_a_base_line_nothing_is_said() -> None:
    assert [type(item) for item in judged([], TRIED)] == [Unchecked]


def test_settings_reach_cargo_as_words() -> None:
    tried = {variant.name: variant.env for variant in variants("my-fast", "-Copt-level=1 -g")}
    assert tried['debug = "line-tables-only"'] == "CARGO_PROFILE_MY_FAST_DEBUG=line-tables-only"
    said = subprocess.run(
        ["sh", "-c", f'eval "env -i {tried["the linker lld"]} env"'], capture_output=True, text=True, check=True
    ).stdout
    assert said == "RUSTFLAGS=-Copt-level=1 -g -Clink-arg=-fuse-ld=lld\n"
    assert tried[AS_IT_IS] == ""
