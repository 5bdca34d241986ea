"""What a planned deps layer compiles: told from the crates of this build, not from all that Cargo.lock lists."""

from __future__ import annotations

from layerdoit.build import compiling
from layerdoit.cargo import lock as locks
from layerdoit.layers.key import Spec
from layerdoit.layers.plan import Step
from layerdoit.layers.reasons import Reason, difference, sentences
from layerdoit.layers.specs import app
from layerdoit.layers.specs.deps import Cooked
from tests.support.lockfile import entry, external, lockfile

LOCK = locks.parse(
    lockfile(
        entry("api", "0.1.0", ("clap", "http")),
        *(
            external(name, version, f"{version.encode().hex():0<64.64}", needs)
            for name, version, needs in (
                ("clap", "4.0.0", ("lex", "windows-sys")),
                ("lex", "1.1.0", ()),
                ("windows-sys", "0.61.0", ()),
                ("http", "1.0.0", ("bytes",)),
                ("bytes", "1.5.0", ()),
            )
        ),
    )
)
COMPILED = {("clap", "4.0.0"), ("lex", "1.1.0"), ("http", "1.0.0"), ("bytes", "1.5.0")}
PARENT = Cooked("k", "p:deps-k", "c", "k", 0, frozenset(), "")


def step(*reasons: Reason, parent: Cooked | None = PARENT) -> Step:
    return Step(Spec("deps", {}, "p"), "build", reasons, parent)


def package(name: str, old: str | None, new: str | None) -> Reason:
    return Reason("changed", (f"package {name}",), "package", old, new)


def test_what_is_for_other_targets_is_not_told() -> None:
    came = [
        package("clap", None, "4.0.0 aa"),
        package("lex", None, "1.1.0 aa"),
        package("windows-sys", None, "0.61.0 a"),
    ]
    found = compiling.among(step(*came), LOCK, COMPILED, known=True)
    assert found.crates == (("clap", "4.0.0"), ("lex", "1.1.0"))
    assert list(found.lines()) == [
        "compiles 2 crates: clap 4.0.0, lex 1.1.0",
        "Cargo.lock changed 1 more package that this build does not compile: for other targets or features",
    ]
    assert sentences(reason for reason in came if found.shown(reason)) == ["clap 4.0.0 added", "lex 1.1.0 added"]
    assert found.as_json()["not_compiled"] == ["windows-sys 0.61.0"]


def test_what_needs_a_bumped_crate_compiles_too() -> None:
    bump = package("bytes", "1.4.0 aa", "1.5.0 bb")
    found = compiling.among(step(bump), LOCK, COMPILED, known=True)
    assert list(found.lines()) == ["compiles 1 crate: bytes 1.5.0, and 1 that needs them: http 1.0.0"]
    assert sentences([bump]) == ["bytes 1.4.0 → 1.5.0"]


def test_other_features_compile_a_crate_again_and_a_removed_one_compiles_nothing() -> None:
    asked = Reason("changed", ("dependency api: lex",), "dependency", "{}", '{"features":["x"]}')
    found = compiling.among(step(asked, package("old", "1.0.0 aa", None)), LOCK, COMPILED, known=False)
    assert (found.crates, found.dependents) == ((("lex", "1.1.0"),), (("clap", "4.0.0"),))
    assert next(found.lines()).startswith("compiles about 1 crate: lex 1.1.0")


def test_without_an_earlier_image_all_compiles() -> None:
    found = compiling.among(step(parent=None), LOCK, COMPILED, known=True)
    assert list(found.lines()) == ["compiles all 4 crates"]


def test_the_version_of_a_member_is_told_as_such() -> None:
    """Of an image that did not note it, nothing is said."""
    old, new = {"version api": "0.4.48", "file Cargo.toml": "a"}, {"version api": "0.4.49", "file Cargo.toml": "b"}
    assert sentences(difference(*app.alike(old, new))) == ["api 0.4.48 → 0.4.49", "1 file changed: Cargo.toml"]
    before = {"file Cargo.toml": "a"}
    assert sentences(difference(*app.alike(before, new))) == ["1 file changed: Cargo.toml"]
