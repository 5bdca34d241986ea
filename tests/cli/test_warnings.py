"""What the compiler says, and how much a build says, as typed."""

from __future__ import annotations

from pathlib import Path

from tests.support.scratch import Crate, message

UNUSED = "\nfn unused() {}\n"


def test_warnings_of_the_compiler(crate: Crate) -> None:
    good = (crate.folder / "src/main.rs").read_text()
    crate.write("src/main.rs", good + UNUSED)
    first = crate.doit().ok()
    assert first.err.count("warning: function `unused` is never used") == 1
    assert "--> src/main.rs:" in first.err
    assert "\x1b" not in first.err, "no terminal, no colours"
    assert first.err.endswith("layerdoit: 1 warning (hello)\n")
    assert len(first.out.splitlines()) == 2, "what was built, and the image"

    # The same sources with another image: cargo repeats what it said, and nobody has touched the crate.
    crate.write("extra", "1")
    crate.edit("layerdoit.yaml", "deploy:", "image:\n  env: {EXTRA: '1'}\ndeploy:")
    assert "never used" not in crate.doit().ok().err

    before = crate.images()
    what, step = message(crate.doit("WARNINGS=deny"))
    assert what.startswith("WARNINGS=deny: app did not build: 1 warning, and `warnings: deny`")
    assert "warnings: show" in step
    assert crate.images() == before
    again = crate.doit().ok()
    assert again.out == f"nothing to do: {crate.name}:latest is the image of this tree\n"

    crate.write("src/main.rs", good)
    assert "warning" not in crate.doit("WARNINGS=deny").ok().err


def test_warnings_of_cargo_itself(crate: Crate) -> None:
    manifest = (crate.folder / "Cargo.toml").read_text()
    crate.write("Cargo.toml", manifest.replace("[package]", "[package]\nforgotten = 1", 1))
    crate.write("build.rs", 'fn main() { println!("cargo:warning=look out"); }')
    first = crate.doit("WARNINGS=deny").ok()
    assert "warning: unused manifest key: package.forgotten\n" in first.err
    assert "@0.1.0: look out\n" in first.err
    assert first.err.count("warning: ") == 2, "each once, and they deny nothing"
    assert first.err.endswith("layerdoit: 2 warnings (cargo, hello)\n")

    # Another image of what is compiled already: the build script does not run again.
    crate.edit("layerdoit.yaml", "deploy:", "image:\n  env: {EXTRA: '1'}\ndeploy:")
    again = crate.doit("WARNINGS=count").ok()
    assert again.err.endswith("layerdoit: 2 warnings (cargo, hello) (-v shows them)\n")
    assert "warning: " not in again.err


def test_colours_where_they_are_asked_for(crate: Crate) -> None:
    good = (crate.folder / "src/main.rs").read_text()
    crate.write("src/main.rs", good + UNUSED.replace("{}", "{ let number: u32 = 'a'; }"))
    failed = crate.doit(env={"CLICOLOR_FORCE": "1"})
    assert failed.code == 1
    assert "\x1b[1m\x1b[91merror[E0308]\x1b[0m" in failed.err
    plain = crate.doit(env={"CLICOLOR_FORCE": "1", "NO_COLOR": "1"})
    assert "\x1b" not in plain.err
    assert "error[E0308]: mismatched types" in plain.err


def test_warnings_stand_before_the_errors(crate: Crate) -> None:
    good = (crate.folder / "src/main.rs").read_text()
    crate.write("src/main.rs", f"use std::fmt;\n{good}\nfn wrong() -> u32 {{ 'a' }}\n")
    failed = crate.doit()
    assert failed.code == 1
    assert "\x1b" not in failed.err
    warning, _, error = failed.err.partition("layerdoit: error: app did not build\n")
    assert warning.count("warning: unused import: `std::fmt`") == 1
    assert error.startswith("error[E0308]: mismatched types")
    assert "unused import" not in error

    counted = crate.doit("WARNINGS=count")
    assert counted.code == 1
    assert "unused import" not in counted.err
    log = counted.err.rpartition("the whole log: ")[2].strip()
    assert "in the whole log" in counted.err
    assert "unused import: `std::fmt`" in Path(log).read_text()


def test_cargo_s_own_messages_name_files_of_here(crate: Crate) -> None:
    crate.write("Cargo.toml", (crate.folder / "Cargo.toml").read_text() + 2 * '[[bin]]\nname = "x"\npath = "x.rs"\n')
    what, _ = message(crate.doit())
    assert "failed to parse manifest at `Cargo.toml`" in what
    assert "found duplicate binary name x" in what
    assert "/build/" not in what


def test_warnings_are_counted_where_that_is_wanted(crate: Crate) -> None:
    good = (crate.folder / "src/main.rs").read_text()
    crate.write("src/main.rs", good + UNUSED.replace("unused", "never_used"))
    counted = crate.doit("WARNINGS=count").ok()
    assert counted.err.endswith("layerdoit: 1 warning (hello) (-v shows it)\n")
    assert "function" not in counted.err
