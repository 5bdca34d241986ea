"""What a benchmark does without an engine: copies, edits, marks, Dockerfiles, what is stale, whose record is whose."""

from __future__ import annotations

import calendar
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from benchmarks import generated
from layerdoit import config
from layerdoit.bench import buildkit, choice, edits, effective, measuring, peers, running, scenarios, scratch, subject
from layerdoit.bench.choice import Wanted
from layerdoit.core.errors import ConfigError, Interrupted
from layerdoit.engine.api import builder_name
from layerdoit.history import benchmarks
from layerdoit.history.benchmarks import Recorded
from tests.support.git import git

FACTS = subject.Facts(
    profile="dev",
    target=None,
    workdir="_",
    cargo_args=("--profile", "dev", "-p", "app"),
    bins=(("app", "app"), ("app", "tool")),
    env=(("RUSTFLAGS", "-C debuginfo=0"),),
    other_packages=("shared/clock",),
    assets=(("_/assets", "/srv/assets"),),
    user="app",
    entrypoint="app",
    dockerignore="",
    friendly="x:latest",
    builder="x:base-1",
    runtime="x:runtime-1",
)


# --- edits -----------------------------------------------------------------------------------------------------------


def test_an_edit_changes_one_line_and_only_the_mark() -> None:
    first = scenarios.with_line("fn main() {}", "leaf", "first-1", "2021")
    second = scenarios.with_line(first, "leaf", "edited-1", "2021")
    changed = [pair for pair in zip(first.split("\n"), second.split("\n"), strict=True) if pair[0] != pair[1]]
    assert len(changed) == 1
    assert scenarios.marks(first.encode()) == {"leaf": {"first-1"}}
    assert scenarios.marks(second.encode()) == {"leaf": {"edited-1"}}


def test_forbidden_unsafe_code_is_only_denied_in_the_first_state() -> None:
    source = scenarios.with_line("#![forbid(unsafe_code)]\npub fn f() {}\n", "deep", "first", "2024")
    assert "#![deny(unsafe_code)]" in source
    assert "unsafe(link_section" in source


@pytest.mark.skipif(shutil.which("rustc") is None, reason="needs a Rust compiler")
@pytest.mark.parametrize("edition", ["2015", "2024"])
def test_marks_survive_compiler_and_linker_in_a_binary_and_in_a_library_below_it(tmp_path: Path, edition: str) -> None:
    (tmp_path / "below.rs").write_text(scenarios.with_line("pub fn f() {}", "deep", "first", edition))
    used = "extern crate below; fn main() { below::f() }"
    (tmp_path / "main.rs").write_text(scenarios.with_line(used, "leaf", "first", edition))
    common = ["rustc", "--edition", edition, "-C", "opt-level=3", "-D", "warnings"]
    subprocess.run([*common, "--crate-type", "rlib", "below.rs"], cwd=tmp_path, check=True)
    subprocess.run([*common, "-L", ".", "main.rs"], cwd=tmp_path, check=True)
    assert scenarios.marks((tmp_path / "main").read_bytes()) == {"leaf": {"first"}, "deep": {"first"}}
    subprocess.run([tmp_path / "main"], check=True)


@pytest.mark.parametrize(
    ("manifest", "field"),
    [
        ('[package]\nname = "a"\n', "description"),
        ('[package]\nname = "a"\ndescription = "old"\n[dependencies]\ndescription = "1"\n', "description"),
        ('[package]\ndescription.workspace = true\nname = "a"\n', "homepage"),
        ('[package]\nname = "a"\ndescription = """\nlong\n"""\n', "homepage"),
    ],
)
def test_a_description_is_one_field_of_the_package(manifest: str, field: str) -> None:
    old, new = tomllib.loads(manifest), tomllib.loads(scenarios.with_description(manifest, "new"))
    assert new["package"][field] == "new"
    del new["package"][field]
    old["package"].pop(field, None)
    assert new == old


@pytest.mark.parametrize("suffix", [".css", ".js", ".html", ".svg", ".txt"])
def test_an_asset_gets_a_mark(suffix: str) -> None:
    assert scenarios.marks(scenarios.with_asset_mark("x\n", suffix, "edited-1").encode()) == {"asset": {"edited-1"}}


def lock(**versions: str) -> str:
    source = 'source = "registry+x"'
    return "".join(f'[[package]]\nname = "{name}"\nversion = "{v}"\n{source}\n' for name, v in versions.items())


def test_a_bump_is_a_change_of_exactly_one_crate() -> None:
    old = lock(anyhow="1.0.5", serde="1.0.1")
    assert scenarios.single_change(old, lock(anyhow="1.0.4", serde="1.0.1")) == ("anyhow", "1.0.5", "1.0.4")
    assert scenarios.single_change(old, old) is None
    assert scenarios.single_change(old, lock(anyhow="1.0.4", serde="1.0.2")) is None
    assert scenarios.single_change(old, lock(anyhow="1.0.4", serde="1.0.1", new="1.0.0")) is None


def test_versions_to_try_are_earlier_patches() -> None:
    assert scenarios.other_versions("1.0.2") == ["1.0.1", "1.0.0"]
    assert scenarios.other_versions("1.0.9")[-1] == "1.0.4"
    assert scenarios.other_versions("1.0.0-alpha") == []


# --- right or stale --------------------------------------------------------------------------------------------------


def test_an_older_state_is_stale() -> None:
    expected = {"leaf": "edited"}
    assert scenarios.wrong(expected, {"leaf": {"edited"}}, {"leaf": {"edited"}}) == []
    assert scenarios.wrong(expected, {"leaf": {"first"}}, {"leaf": {"first"}})
    assert scenarios.wrong(expected, {"leaf": {"first", "edited"}}, {"leaf": {"edited"}})


def test_a_mark_that_others_show_must_be_there_and_one_that_nobody_shows_proves_nothing() -> None:
    assert scenarios.wrong({"deep": "edited"}, {}, {"deep": {"edited"}})
    assert scenarios.wrong({"deep": "edited"}, {}, {}) == []


def test_a_file_that_should_be_gone_is_stale() -> None:
    assert scenarios.wrong({}, {"bin": {"new"}}, {"bin": {"new"}})


# --- choosing what to edit -------------------------------------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(generated, "ask", lambda *_args, **_kwargs: "")
    root = generated.workspace(tmp_path / "tiny", 120)
    (root / "Cargo.lock").write_text("version = 4\n")
    return root


def test_a_generated_workspace_has_as_many_files_as_wanted(tiny: Path) -> None:
    assert len(list(tiny.rglob("*.rs"))) == 120


def test_the_deepest_library_and_the_entry_points_main_file_are_edited(tiny: Path) -> None:
    found = edits.places(tiny, "app")
    assert (found.leaf, found.deep, found.leaf_manifest) == ("app/src/main.rs", "deep/src/lib.rs", "app/Cargo.toml")
    assert found.asset == "assets/page.css"


def test_a_copy_has_its_own_name_and_keeps_the_projects_settings(tiny: Path) -> None:
    (tiny / "over.yaml").write_text("env: {LEVEL: yes}\nregistry: {repository: example.org/x}\nbuilder: other\n")
    given = effective.effective(tiny, {"PROFILE": "release", "CONFIG": str(tiny / "over.yaml")})
    assert subject.configure(tiny, given, "bench", "token", "app") == []
    written = yaml.safe_load((tiny / "layerdoit.yaml").read_text())
    assert written["project"] == "bench"
    assert written["image"] == {"assets": {"assets": "/srv/assets"}, "entrypoint": "app"}
    assert "registry" not in written
    assert written["builder"] == builder_name(), "whatever BUILDX_BUILDER says"
    found = subject.facts(tiny)
    assert (found.profile, found.env, found.bins) == ("release", (("LEVEL", "yes"),), (("app", "app"),))
    assert found.assets == (("assets", "/srv/assets"),)
    assert {"token" in (tiny / path).read_text() for path in written["dockerfiles"].values()} == {True}


def test_a_dockerfile_that_cannot_be_marked_is_named(tiny: Path) -> None:
    (tiny / "own").write_text("FROM x\nRUN my-own-way\n")
    assert subject.configure(tiny, {"dockerfiles": {"deps": "own"}}, "bench", "token", "app") == ["deps"]


def test_settings_survive_as_they_are_written(tmp_path: Path) -> None:
    text = "toolchain: 1.80\nenv:\n  A: 010\n  B: off\n  C: '1'\n  D: 2024-01-01\nfeatures: [a, b]\ntarget: null\n"
    (tmp_path / "layerdoit.yaml").write_text(text)
    before = config.load(tmp_path, variables={})
    (tmp_path / "layerdoit.yaml").write_text(effective.text(effective.effective(tmp_path, {})))
    after = config.load(tmp_path, variables={})
    assert after.toolchain == "1.80"
    assert after.env == {"A": "010", "B": "off", "C": "1", "D": "2024-01-01"}
    assert replace(before, where={}) == replace(after, where={})


def test_variables_win_over_files(tmp_path: Path) -> None:
    (tmp_path / "layerdoit.yaml").write_text("profile: dev\nfeatures: [a]\n")
    found = effective.effective(tmp_path, {"PROFILE": "release", "FEATURES": "b,c", "PORT": "80", "YES": "1"})
    expected = {"profile": "release", "features": ["b", "c"], "deploy": {"port": 80}}
    assert yaml.safe_load(effective.text(found)) == expected


# --- the copy --------------------------------------------------------------------------------------------------------


def test_a_copy_is_the_tree_as_it_stands(tiny: Path, tmp_path: Path) -> None:
    """Uncommitted, deleted, ignored but wanted, a repository inside, a link; not what git ignores."""
    git(tiny, "init", "--quiet")
    git(tiny, "add", "--all")
    git(tiny, "commit", "--quiet", "--message", "x")
    (tiny / "app/src/main.rs").write_text("fn main() { changed() }\n")
    (tiny / "new.txt").write_text("new")
    (tiny / "assets/page.css").unlink()
    (tiny / "link").symlink_to("assets")
    for name in ("target/big", "target/wanted/a.js"):
        (tiny / name).parent.mkdir(parents=True, exist_ok=True)
        (tiny / name).write_text(name)
    (tiny / "inner").mkdir()
    (tiny / "inner/file").write_text("inner")
    git(tiny / "inner", "init", "--quiet")
    git(tiny / "inner", "add", "--all")
    git(tiny / "inner", "commit", "--quiet", "--message", "x")
    copied = subject.copy(tiny, tmp_path / "copy", ("target/wanted",))
    assert copied == tmp_path / "copy"
    assert (copied / "app/src/main.rs").read_text() == "fn main() { changed() }\n"
    assert (copied / "inner/file").read_text() == "inner"
    assert (copied / "link").is_symlink()
    assert (copied / "target/wanted/a.js").is_file()
    there = [name for name in ("assets/page.css", "target/big", ".git", "inner/.git") if (copied / name).exists()]
    assert there == []
    assert (copied / "new.txt").stat().st_mtime_ns == (tiny / "new.txt").stat().st_mtime_ns


def test_a_toolchain_file_above_the_project_counts(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "rust-toolchain").write_text("1.80\n")
    assert (subject.copy(tiny, tmp_path / "copy") / "rust-toolchain").read_text() == "1.80\n"


# --- Dockerfiles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", benchmarks.DOCKERFILES)
def test_every_command_of_a_peer_holds_the_runs_token(peer: str) -> None:
    text = peers.dockerfile_text(peer, "token-r1", FACTS)
    commands = [line for line in text.split("\n") if line.startswith("RUN ")]
    assert commands
    assert all("token-r1;" in line for line in commands)
    assert "cp target/debug/app target/debug/tool /peer/out/" in text
    assert ("--mount=type=cache" in text) == (peer == "mount")
    assert text.index("COPY") < text.index("cargo build")


def test_chef_cooks_before_it_sees_the_sources() -> None:
    text = peers.dockerfile_text("chef", "t", FACTS)
    cook = text.index("chef cook")
    assert (
        text.index("COPY shared/clock /src/shared/clock")
        < cook
        < text.rindex("COPY . /src")
        < text.index("cargo build")
    )


@pytest.mark.parametrize(
    ("profile", "words"), [("dev", []), ("release", ["--release"]), ("dist", ["--profile", "dist"])]
)
def test_chef_spells_profiles_in_its_own_way(profile: str, words: list[str]) -> None:
    assert peers.chef_args(("--profile", profile, "-p", "app")) == [*words, "-p", "app"]


# --- cleaning --------------------------------------------------------------------------------------------------------


def record(name: str, parent: str, description: str, at: str = "12:00:00") -> str:
    when = f"2026-01-02 {at}.893816434 +0000 UTC"
    return f"ID:\t\t{name}\nParent:\t\t{parent}\nCreated at:\t{when}\nDescription:\t{description}\nUsage count:\t1\n\n"


def test_only_the_benchmarks_own_records_are_removed_children_first() -> None:
    cook = "mount / from exec /bin/sh -c {}sh /ctx/control/cook.sh"
    build = "from exec /bin/sh -c sh /control/build.sh"
    listing = (
        record("base", "", "pulled")
        + record("cook1", "base", cook.format(": bench-1-r1; "))
        + record("mount1", "", f'cached mount /build {build} with id "/layerdoit/bench-1/abc/dev/host"')
        + record("app1", "cook1", f"mount / {build}")
        + record("cook2", "cook1", cook.format(""))
        + record("peer", "base", "mount / from exec /bin/sh -c : bench-1-r1; cargo build")
        + record("other", "base", cook.format(": bench-10; "))
        + record("mount2", "", f'cached mount /build {build} with id "/layerdoit/bench-10/abc/dev/host"')
    )
    found = buildkit.owned(buildkit.parsed(listing), "bench-1-r", "bench-1", 0)
    assert set(found) == {"cook1", "mount1", "app1", "cook2", "peer"}
    assert found.index("app1") < found.index("cook1")
    assert found.index("cook2") < found.index("cook1")


def test_layers_of_an_image_go_where_nothing_else_stands_on_them_and_they_came_with_the_benchmark() -> None:
    listing = (
        record("early", "", "from local", "11:59:59")
        + record("low", "early", "from local")
        + record("high", "low", "from local")
        + record("mine", "high", "[build-bench-1-r1 2/2] COPY . /src")
        + record("shared", "", "from local")
        + record("mine2", "shared", "[final-bench-1-r1 2/2] COPY --from=build")
        + record("theirs", "shared", "[app 2/2] COPY --from=build")
        + record("step", "", "[base 2/2] RUN something")
        + record("mine3", "step", "[final-bench-1-r1 2/2] COPY --from=build")
    )
    began = calendar.timegm((2026, 1, 2, 12, 0, 0))
    found = buildkit.owned(buildkit.parsed(listing), "bench-1-r", "bench-1", began)
    assert set(found) == {"mine", "high", "low", "mine2", "mine3"}
    assert found.index("mine") < found.index("high") < found.index("low")


# --- names and leftovers ---------------------------------------------------------------------------------------------


def test_a_session_of_this_process_is_alive_and_one_of_a_process_that_ended_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        digits = f"{child.pid:06x}{int(time.time()):08x}"
        name = f"demo-bench-{scratch.place()}-{digits}"
        own = f"demo-bench-{scratch.identity()}"
        texts = [f"{name}-plain:{name}-r1", f'with id "/layerdoit/{own}/x"', f"my-{name}", f"{name}0"]
        assert scratch.dead(texts, "demo") == []
    finally:
        child.communicate()
    assert scratch.dead(texts, "demo") == [name]
    assert scratch.dead([f"my-{name}", f"{name}0", name.replace(scratch.place(), "000000")], "demo") == []
    reused = f"demo-bench-{scratch.place()}-{os.getpid():06x}{1:08x}"
    assert scratch.dead([reused], "demo") == [reused], "another process has that number now"


def test_the_environment_is_what_it_was_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSTFLAGS", "-C opt-level=1")
    before = dict(os.environ)
    with running.environment("demo"):
        assert "RUSTFLAGS" not in os.environ
        assert os.environ[running.SESSION] == "demo"
        assert (os.getpid(), "demo") not in list(scratch._processes()), "children have it, not who sets it"
        # Started is not there yet: the kernel shows the environment of a program a moment after that.
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert child.stdout is not None
            child.stdout.readline()
            assert (child.pid, "demo") in list(scratch._processes())
        finally:
            child.communicate()
    assert dict(os.environ) == before


def test_folders_of_dead_benchmarks_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = tmp_path / f"layerdoit-bench-{scratch.place()}-{os.getpid():06x}{1:08x}-abc"
    kept = [tmp_path / f"layerdoit-bench-{scratch.identity()}-abc", tmp_path / "layerdoit-bench-x"]
    for folder in (gone, *kept):
        folder.mkdir()
    scratch._clear_folders()
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_a_signal_is_an_error_and_the_folder_goes() -> None:
    seen: list[Path] = []

    def ended_inside() -> None:
        with scratch.folder() as work:
            seen.append(work)
            (work / "file").write_text("x")
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted) as raised:
        ended_inside()
    assert raised.value.exit_code == 143
    assert not seen[0].exists()


def test_messages_hold_no_paths_and_addresses(tmp_path: Path) -> None:
    assert measuring.public(f"{tmp_path}/a https://host/x failed", tmp_path) == "<work>/a <address> failed"


# --- what is asked for -----------------------------------------------------------------------------------------------


def test_peers_and_scenarios_are_chosen_by_name_in_a_fixed_order() -> None:
    assert choice.wanted("plain", "back, leaf", "2") == Wanted(("plain", "layerdoit"), ("cold", "leaf", "back"), 2)
    assert choice.wanted("native,mount", "", "3").peers == ("mount", "layerdoit", "native")
    assert choice.wanted("plain", "", "3").scenarios == tuple(scenarios.SCENARIOS)


@pytest.mark.parametrize(
    ("words", "what", "hint"),
    [
        (("kaniko", "", "3"), '--against: there is no "kaniko"', "plain, mount, chef, native"),
        ((" , ", "", "3"), "--against is empty", "plain, mount, chef, native"),
        (("plain", "leef", "3"), '--scenarios: there is no "leef"', 'did you mean "leaf"?'),
        (("plain", "", "0"), '--runs expects a number from 1 to 100, got "0"', "--runs 3"),
        (("plain", "", "many"), '--runs expects a number from 1 to 100, got "many"', "--runs 3"),
    ],
)
def test_wrong_words_are_one_error_that_lists_what_is_valid(words: tuple[str, str, str], what: str, hint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        choice.wanted(*words)
    assert raised.value.what == what
    assert hint in str(raised.value.hint)


def test_how_long_it_takes_is_known_only_from_what_was_measured(tmp_path: Path) -> None:
    asked = Wanted(("plain", "layerdoit"), ("cold", "nothing"), 2)
    cold = {("cold", "plain"): (60.0, 3), ("cold", "layerdoit"): (50.0, 3)}
    assert choice.seconds(asked, None, cold) is None
    rest = {("nothing", "plain"): (0.5, 9), ("nothing", "layerdoit"): (0.25, 9)}
    assert choice.seconds(asked, None, {**cold, **rest}) == 2 * (110 + 3 * 0.75)
    assert choice.seconds(asked, 40.0, rest) == 2 * (80 + 3 * 0.75), "a first build of ours says it for the others"
    assert choice.expected(tmp_path, "dev/host", asked) is None
    benchmarks.record(tmp_path, "dev/host", Recorded(1.0, {**cold, **rest}))
    assert choice.expected(tmp_path, "dev/host", asked) == 224.5
    assert "16 builds" in choice.announced(asked, "demo", "dev/host", 224.5)
    assert choice.announced(asked, "demo", "dev/host", 224.5).endswith("expected time: about 3 min 44 s")
    assert "unknown" in choice.announced(asked, "demo", "dev/host", None)
