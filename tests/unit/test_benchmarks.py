"""What the benchmarks do without an engine: edits, marks, Dockerfiles, choices, tables and verdicts."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from benchmarks import engine, generated, peers, report, run, scenarios, subject
from benchmarks.report import Cell, Result

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
    monkeypatch.setattr(engine, "ask", lambda *_args, **_kwargs: "")
    root = generated.workspace(tmp_path / "tiny", 120)
    (root / "Cargo.lock").write_text("version = 4\n")
    return root


def test_a_generated_workspace_has_as_many_files_as_wanted(tiny: Path) -> None:
    assert len(list(tiny.rglob("*.rs"))) == 120


def test_the_deepest_library_and_the_entry_points_main_file_are_edited(tiny: Path) -> None:
    found = subject.places(tiny, "app", None, None)
    assert (found.leaf, found.deep, found.leaf_manifest) == ("app/src/main.rs", "deep/src/lib.rs", "app/Cargo.toml")
    assert found.asset == "assets/page.css"
    named = subject.places(tiny, "app", None, "middle/src/lib.rs")
    assert named.deep == "middle/src/lib.rs"


def test_a_copy_has_its_own_name_and_keeps_the_projects_settings(tiny: Path) -> None:
    import yaml

    subject.configure(tiny, "bench", "release", "token", "app")
    settings = yaml.safe_load((tiny / "layerdoit.yaml").read_text())
    assert settings["project"] == "bench"
    assert settings["image"] == {"assets": {"assets": "/srv/assets"}, "entrypoint": "app"}
    assert settings["env"] == {"LAYERDOIT_BENCHMARK": "token"}
    found = subject.facts(tiny)
    assert (found.profile, found.env, found.bins) == ("release", (), (("app", "app"),))
    assert found.assets == (("assets", "/srv/assets"),)


# --- Dockerfiles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", peers.DOCKER_PEERS)
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


def test_crates_are_counted_in_plain_progress_and_in_raw_output() -> None:
    plain = "#12 3.456    Compiling itoa v1.0.17\n#12 4.0    Compiling app v0.1.0 (/src/app)\n#12 5.0 Finished\n"
    assert engine.compiled(plain) == ["itoa v1.0.17", "app v0.1.0"]
    assert engine.compiled("   Compiling itoa v1.0.17\nnot Compiling x v1\n") == ["itoa v1.0.17"]


# --- cleaning --------------------------------------------------------------------------------------------------------


def record(name: str, parent: str, description: str) -> str:
    return f"ID:\t\t{name}\nParent:\t\t{parent}\nCreated at:\tnow\nDescription:\t{description}\nUsage count:\t1\n\n"


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
    found = engine.owned(engine.parsed(listing), "bench-1-r", "bench-1")
    assert set(found) == {"cook1", "mount1", "app1", "cook2", "peer"}
    assert found.index("app1") < found.index("cook1")
    assert found.index("cook2") < found.index("cook1")


# --- tables and verdicts ---------------------------------------------------------------------------------------------


def cells(scenario: str = "leaf", stale: str = "", **times: float) -> list[Cell]:
    return [Cell(1, scenario, peer, value, 1, stale=["old"] if peer == stale else []) for peer, value in times.items()]


def held(found: list[Cell], scenario: str = "leaf") -> dict[str, bool]:
    return {verdict.budget: verdict.held for verdict in report.verdicts(found, scenario)}


def test_the_best_peer_plus_five_percent_and_native_plus_600_ms() -> None:
    found = held(cells(plain=9, mount=2.0, chef=5, layerdoit=2.1, native=1.5))
    assert found == {"≤ mount + 5 %": True, "≤ native + 0.6 s": True}
    found = held(cells(plain=9, mount=2.0, chef=5, layerdoit=2.11, native=1.5))
    assert found == {"≤ mount + 5 %": False, "≤ native + 0.6 s": False}


def test_a_stale_peer_is_never_the_best_and_a_stale_build_of_ours_holds_nothing() -> None:
    stale = cells(stale="mount", mount=0.7, chef=5.0, layerdoit=4.0)
    assert held(stale) == {"≤ chef + 5 %": True}
    assert report.ratio_text(stale, "leaf") == "0.80 (chef)"
    assert "**STALE** 1 of 1" in report.cell_text(report.of(stale, "leaf", "mount"))
    ours = cells(stale="layerdoit", mount=0.7, layerdoit=0.1)
    assert held(ours) == {"the right binary": False}
    assert report.ratio_text(ours, "leaf") == "–"


def test_the_way_back_builds_nothing() -> None:
    back = [Cell(1, "back", "layerdoit", 0.3, 0), Cell(1, "back", "plain", 0.3, 0)]
    assert all(held(back, "back").values())
    built = [Cell(1, "back", "layerdoit", 0.3, 0, layers=["app"]), Cell(1, "back", "plain", 0.3, 0)]
    assert held(built, "back")["no build"] is False


def test_cold_is_compared_with_plain_and_nothing_with_a_cached_build() -> None:
    assert held(cells("cold", plain=10, mount=20, layerdoit=10.6), "cold")["≤ 1.05 × plain"] is False
    assert held(cells("nothing", plain=0.2, layerdoit=0.19), "nothing")["≤ cached docker build"] is True


def test_median_minimum_maximum_and_number() -> None:
    three = [Cell(n, "leaf", "plain", seconds, 3 + n) for n, seconds in enumerate((5.0, 3.0, 4.0))]
    assert report.cell_text(three) == "4.00 (3.00–5.00, n=3) / 3–5"
    assert report.cell_text(three[:1]) == "5.00 (n=1) / 3"
    assert report.cell_text([Cell(1, "leaf", "chef", 1, 0, error="x")]) == "**fails**"
    assert report.cell_text([]) == "–"


def test_noop_budgets() -> None:
    assert [verdict.held for verdict in report.noop_verdicts(2000, 0.19, 0.9)] == [True, True]
    assert [verdict.held for verdict in report.noop_verdicts(2000, 0.21, 1.1)] == [False, False]
    assert [verdict.held for verdict in report.noop_verdicts(10000, 0.5, 0.51)] == [False]
    assert report.noop_verdicts(200, 1, 1) == []


def test_a_result_survives_its_file_and_makes_a_page(tmp_path: Path) -> None:
    meta = {"project": "demo", "profile": "dev", "machine": "2 cores"}
    table = Result("run", meta, cells(mount=2.0, layerdoit=1.0), scenarios={"leaf": "one line"}, notes=["a note"])
    noop = Result("noop", {}, rows=[{"files": 2000, "doit": [0.1, 0.12], "docker": [0.2, 0.2]}])
    swap = Result("swap", meta, rows=[{"phases": {"start": 0.3, "swap": 0.2}}])
    for name, result in (("a", swap), ("b", noop), ("c", table)):
        (tmp_path / f"{name}.json").write_text(report.to_json(result))
    found = report.stored(tmp_path)
    assert [report.to_json(one) for one in found] == [report.to_json(one) for one in (table, noop, swap)]
    page = report.page(found)
    assert "## demo, dev" in page
    assert "| one line | 2.00 (n=1) / 1 | 1.00 (n=1) / 1 | 0.50 (mount) | ✓ ≤ mount + 5 % |" in page
    assert "| 2,000 | 0.110 (min 0.100, n=2) | 0.200 (min 0.200, n=2) | 0.55 | 0.50 | ✓ ≤ 1.0 ×<br>✓ ≤ 0.2 s |" in page
    assert "| **all** | 0.50 (n=1) ✓" in page


def test_the_page_in_docs_is_up_to_date() -> None:
    assert report.main(["--check"]) == 0, "python -m benchmarks.report writes it"


# --- the command line ------------------------------------------------------------------------------------------------


def test_peers_and_scenarios_are_chosen_by_name_in_a_fixed_order(capsys: pytest.CaptureFixture[str]) -> None:
    options = run.parsed(["--peers", "layerdoit,plain", "--scenarios", "back,leaf"])
    assert options.peers == ["plain", "layerdoit"]
    assert options.scenarios == ["cold", "leaf", "back"]
    with pytest.raises(SystemExit):
        run.parsed(["--peers", "kaniko"])
    assert 'there is no "kaniko"; valid: plain, mount' in capsys.readouterr().err


def test_messages_hold_no_paths_and_addresses(tmp_path: Path) -> None:
    session = run.Session("x", tmp_path, tmp_path, run.parsed([]))
    assert run._public(session, f"{tmp_path}/a https://host/x failed") == "<work>/a <address> failed"
