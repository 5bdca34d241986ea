"""What cargo really said, recorded from builds of a tiny project in which one thing was changed after the dependencies.

The logs hold cargo's own lines (1.95, `CARGO_LOG=cargo::core::compiler::fingerprint=info`), and what the build's script
says of crates that were not fresh: their names, and their fingerprints in the deps layer and in this build.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.explain import miss

LOGS = Path(__file__).parent / "cargo_logs"
ALL = "3 external crates compiled again in the app build (anyhow@1.0.104, itoa@1.0.18, log@0.4.35): "
ABSENT = "cargo found nothing compiled of this version with these settings"
SAID = {
    "rustflags": ALL + "RUSTFLAGS: none in the deps layer, -C debuginfo=1 in the app build",
    "profile": ALL + "the profile differs (the fingerprint does not say in which key)",
    "toolchain": ALL + "the compiler differs",
    "features": "1 external crate compiled again in the app build (log@0.4.35): "
    "features: none in the deps layer, alloc std in the app build",
    "dependency": "1 external crate compiled again in the app build (itoa@1.0.14): "
    "the deps layer compiled another version or source of it",
    "variable": "1 external crate compiled again in the app build (anyhow@1.0.104): "
    "environment variable RUSTC_BOOTSTRAP: not set → 1",
}


def recorded(name: str) -> str:
    return (LOGS / f"{name}.log").read_text(encoding="utf-8")


def without(name: str, words: str) -> str:
    return "\n".join(line for line in recorded(name).splitlines() if words not in line)


@pytest.mark.parametrize("name", SAID)
def test_one_sentence_says_what_compiled_again_and_why(name: str) -> None:
    found = miss.missed(recorded(name))
    assert found is not None
    assert found.sentence == SAID[name]
    assert found.count == len(found.crates)


@pytest.mark.parametrize("name", ["nothing", "local"])
def test_where_every_external_crate_was_fresh_there_is_no_miss(name: str) -> None:
    assert miss.missed(recorded(name)) is None


@pytest.mark.parametrize("name", SAID)
def test_without_fingerprints_cargos_words_are_all_that_is_known(name: str) -> None:
    found = miss.missed(without(name, "layerdoit: fingerprint"))
    assert found is not None
    wanted = SAID[name].partition(": ")[2] if name == "variable" else ABSENT
    assert [cause.reason for cause in found.causes] == [wanted]


def test_without_cargos_words_the_fingerprints_say_it() -> None:
    found = miss.missed(without("rustflags", "cargo::core"))
    assert found is not None
    assert found.sentence == SAID["rustflags"]


def test_a_build_that_recorded_no_reason_gets_none_invented() -> None:
    log = (
        "layerdoit: compiled=3 units=9 external=2\nlayerdoit: not-fresh log@0.4.35\nlayerdoit: not-fresh itoa@1.0.14\n"
    )
    found = miss.missed(log)
    assert found is not None
    assert found.causes == ()
    assert found.sentence == (
        "2 external crates compiled again in the app build (log@0.4.35, itoa@1.0.14); cargo's reason was not recorded"
    )


def test_several_reasons_are_told_with_their_crates() -> None:
    found = miss.missed(recorded("features") + recorded("variable"))
    assert found is not None
    assert {cause.crates for cause in found.causes} == {("log",), ("anyhow",)}
    assert "not set → 1 (anyhow)" in found.sentence
    assert "in the app build (log)" in found.sentence


def test_what_only_follows_from_a_dependency_is_no_reason() -> None:
    units = miss.units(recorded("local"))
    assert [(unit.crate, unit.consequence) for unit in units] == [
        ("app 0.1.0", True), ("native 0.1.0", True), ("native 0.1.0", False)
    ]  # fmt: skip
    assert units[-1].reason == "/build/src/native/data.txt changed"
    assert not any(unit.external for unit in units)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ('EnvVarChanged { name: "A", old_value: Some("1"), new_value: None }', "environment variable A: 1 → not set"),
        ('RustflagsChanged { old: [], new: ["-C", "lto"] }', "RUSTFLAGS: none → -C lto"),
        ('FeaturesChanged { old: "[\\"std\\"]", new: "[]" }', "features: std → none"),
        ("TargetConfigurationChanged", "its target's settings in the manifest changed"),
        ("FsStatusOutdated(StaleDepFingerprint { unit: UnitIndex(6) })", "one of its dependencies was compiled again"),
        ('FsStatusOutdated(StaleItem(MissingFile { path: "/a/b" }))', "/a/b is missing or cannot be read"),
        ("NothingObvious", "cargo gives no reason"),
        ("SomethingNew { of: 1 }", "cargo says: SomethingNew { of: 1 }"),
    ],
)
def test_cargos_reasons_as_sentences(words: str, sentence: str) -> None:
    assert miss.sentence(words) == sentence
