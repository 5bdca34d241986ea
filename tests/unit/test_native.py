"""Native packages: which crates are built, and what they need."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.cargo import cfg, lock, manifest, native
from layerdoit.cargo.options import Options
from layerdoit.cargo.selection import select
from layerdoit.cargo.semver import satisfies
from layerdoit.cargo.suite import SUITES as ALL_SUITES
from layerdoit.config import Base, Config
from layerdoit.core.resources import data_dir
from tests.support.lockfile import entry as locked_package
from tests.support.lockfile import lockfile

Entry = tuple[str, str, list[str]]
SOURCE = "registry+https://example.com/index"


def locked(*packages: Entry) -> str:
    """A lockfile; packages of the name `app` or `tool` are local."""
    entries = [
        locked_package(name, version, needs, source="" if name in ("app", "tool") else SOURCE)
        for name, version, needs in packages
    ]
    return lockfile(*entries, version=3)


def needs(
    folder: Path,
    dependencies: str,
    *packages: Entry,
    suite: str = "trixie",
    features: tuple[str, ...] = (),
    target: str | None = None,
) -> dict[str, native.Need]:
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src/main.rs").write_text("fn main() {}\n")
    text = f'[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n{dependencies}'
    (folder / "Cargo.toml").write_text(text)
    (folder / "Cargo.lock").write_text(locked(*packages))
    ws, found = manifest.load(folder), lock.load(folder)
    options = Options(features=features, target=target)
    listed = native.needed(ws, found, select(ws, build=options), options, suite)
    return {need.crate: need for need in listed}


OPENSSL = ("openssl-sys", "0.9.100", ["cc", "pkg-config"])
VENDORED = ("openssl-sys", "0.9.100", ["cc", "openssl-src", "pkg-config"])
LEAVES: tuple[Entry, ...] = (("cc", "1.0.0", []), ("pkg-config", "0.3.0", []), ("openssl-src", "300.0.0", ["cc"]))


def test_a_library_and_its_names_by_suite(tmp_path: Path) -> None:
    app = ("app", "0.1.0", ["native-tls"])
    tls = ("native-tls", "0.2.0", ["openssl-sys"])
    found = needs(tmp_path, '[dependencies]\nnative-tls = "0.2"\n', app, tls, OPENSSL, *LEAVES[:2])
    need = found["openssl-sys"]
    assert (need.build, need.run, need.certain) == (("libssl-dev",), ("libssl3t64",), True)
    assert need.why == "links to openssl, through native-tls"
    older = needs(tmp_path, '[dependencies]\nnative-tls = "0.2"\n', app, tls, OPENSSL, *LEAVES[:2], suite="bookworm")
    assert older["openssl-sys"].run == ("libssl3",)


def test_a_vendored_library_needs_only_its_tools(tmp_path: Path) -> None:
    app = ("app", "0.1.0", ["openssl-sys"])
    table = '[dependencies]\nopenssl-sys = { version = "0.9", features = ["vendored"] }\n'
    found = needs(tmp_path, table, app, VENDORED, *LEAVES)
    assert {name: need.build for name, need in found.items()} == {"openssl-src": ("perl",)}


def test_what_an_inactive_feature_vendors_is_uncertain(tmp_path: Path) -> None:
    app = ("app", "0.1.0", ["openssl-sys"])
    table = '[dependencies]\nopenssl-sys = "0.9"\n[features]\nstatic = ["openssl-sys/vendored"]\n'
    found = needs(tmp_path, table, app, VENDORED, *LEAVES)
    assert not found["openssl-sys"].certain
    on = needs(tmp_path, table, app, VENDORED, *LEAVES, features=("static",))
    assert set(on) == {"openssl-src"}
    assert on["openssl-src"].certain


OPTIONAL = '[dependencies]\nopenssl-sys = { version = "0.9", optional = true }\n'


@pytest.mark.parametrize(
    ("table", "features", "needed"),
    [
        (OPTIONAL, (), False),
        (OPTIONAL, ("openssl-sys",), True),
        (OPTIONAL + '[features]\ndefault = ["tls"]\ntls = ["dep:openssl-sys"]\n', (), True),
        (OPTIONAL + '[features]\ntls = ["dep:openssl-sys"]\n', ("tls",), True),
        (OPTIONAL + '[features]\nweak = ["openssl-sys?/vendored"]\n', ("weak",), False),
        (OPTIONAL + '[features]\nstrong = ["openssl-sys/other"]\n', ("strong",), True),
        ('[dev-dependencies]\nopenssl-sys = "0.9"\n', (), False),
        ('[build-dependencies]\nopenssl-sys = "0.9"\n', (), True),
        ("[target.'cfg(windows)'.dependencies]\nopenssl-sys = \"0.9\"\n", (), False),
        ("[target.'cfg(unix)'.dependencies]\nopenssl-sys = \"0.9\"\n", (), True),
        ('[dependencies]\nssl = { version = "0.9", package = "openssl-sys" }\n', (), True),
    ],
)
def test_only_what_is_built_counts(tmp_path: Path, table: str, features: tuple[str, ...], needed: bool) -> None:
    app = ("app", "0.1.0", ["openssl-sys"])
    found = needs(tmp_path, table, app, OPENSSL, *LEAVES[:2], features=features)
    assert ("openssl-sys" in found) is needed


GIT2: tuple[Entry, ...] = (
    ("app", "0.1.0", ["git2"]),
    ("git2", "0.20.0", ["libgit2-sys", "openssl-sys"]),
    ("libgit2-sys", "0.18.0", ["cc", "openssl-sys", "pkg-config"]),
    VENDORED,
    *LEAVES,
)
_GIT2 = '[dependencies]\ngit2 = {{ version = "0.20", default-features = false{} }}\n[features]\nstatic = ["git2/{}"]\n'


def test_an_optional_dependency_that_nobody_asks_for_is_not_proposed(tmp_path: Path) -> None:
    """A feature that is off put openssl into the lockfile; that git2 uses it only with features is in the table."""
    assert not needs(tmp_path, _GIT2.format("", "vendored-openssl"), *GIT2)


def test_an_optional_dependency_that_is_asked_for_is_certain(tmp_path: Path) -> None:
    table = _GIT2.format(', features = ["https"]', "https")
    plain = [OPENSSL if entry is VENDORED else entry for entry in GIT2 if entry[0] != "openssl-src"]
    assert needs(tmp_path, table, *plain)["openssl-sys"].certain
    on = needs(tmp_path, _GIT2.format("", "vendored-openssl"), *GIT2, features=("static",))
    assert {name: need.build for name, need in on.items()} == {"openssl-src": ("perl",)}


def test_an_optional_dependency_stays_open_where_other_crates_ask_too(tmp_path: Path) -> None:
    table = _GIT2.format("", "vendored-openssl") + '[dependencies.auth]\nversion = "1"\n'
    others = (("app", "0.1.0", ["auth", "git2"]), ("auth", "1.0.0", ["git2"]), *GIT2[1:])
    found = needs(tmp_path, table, *others)
    assert "openssl-sys" in found
    assert not found["openssl-sys"].certain


def test_the_validated_build_of_aws_lc_is_proposed_where_it_is_asked_for(tmp_path: Path) -> None:
    """A feature of the project that is off puts it into the lockfile, below three crates that are built without it."""
    entries: tuple[Entry, ...] = (
        ("app", "0.1.0", ["tokio-rustls"]),
        ("tokio-rustls", "0.26.4", ["rustls"]),
        ("rustls", "0.23.42", ["aws-lc-rs", "ring"]),
        ("aws-lc-rs", "1.17.3", ["aws-lc-fips-sys", "aws-lc-sys"]),
        ("aws-lc-fips-sys", "0.13.16", ["bindgen", "cc", "cmake"]),
        ("bindgen", "0.72.1", ["clang-sys"]),
        *((name, "1.0.0", []) for name in ("aws-lc-sys", "cc", "clang-sys", "cmake", "ring")),
    )
    table = '[dependencies]\ntokio-rustls = { version = "0.26", default-features = false }\n'
    table += '[features]\nfips = ["tokio-rustls/fips"]\n'
    assert not needs(tmp_path, table, *entries)
    on = needs(tmp_path, table, *entries, features=("fips",))
    assert on["aws-lc-fips-sys"].certain
    assert "golang-go" in on["aws-lc-fips-sys"].build


def test_what_compiles_its_own_library_needs_none(tmp_path: Path) -> None:
    """openssl's `vendored` is asked for, whatever else the lockfile leaves open."""
    app = ("app", "0.1.0", ["openssl", "other"])
    more = (("openssl", "0.10.0", ["openssl-sys"]), ("other", "1.0.0", ["openssl-sys"]))
    table = '[dependencies]\nopenssl = { version = "0.10", features = ["vendored"] }\nother = "1"\n'
    table += '[features]\nmore = ["other/more"]\n'
    assert "openssl-sys" not in needs(tmp_path, table, app, *more, VENDORED, *LEAVES)


def test_what_only_another_target_vendors_is_uncertain(tmp_path: Path) -> None:
    """The lockfile is of all targets: openssl's sources stand in it, and are not compiled here."""
    app = ("app", "0.1.0", ["native-tls", "openssl-sys"])
    table = '[dependencies]\nnative-tls = "0.2"\n[target.arm-linux-androideabi.dependencies]\n'
    table += 'openssl-sys = { version = "0.9", features = ["vendored"] }\n'
    found = needs(tmp_path, table, app, ("native-tls", "0.2.0", ["openssl-sys"]), VENDORED, *LEAVES)
    assert {name: need.build for name, need in found.items()} == {
        "openssl-src": ("perl",),
        "openssl-sys": ("libssl-dev",),
    }


def test_crates_of_other_systems_are_not_wondered_at(tmp_path: Path) -> None:
    app = ("app", "0.1.0", ["mio"])
    leaves = [(name, "0.3.0", list[str]()) for name in ("fuchsia-zircon-sys", "kernel32-sys", "ws2_32-sys")]
    needs(tmp_path, '[dependencies]\nmio = "0.6"\n', app, ("mio", "0.6.0", [name for name, *_ in leaves]), *leaves)
    ws, found, options = manifest.load(tmp_path), lock.load(tmp_path), Options()
    assert native.unknown(ws, found, select(ws, build=options), options) == ()


def test_sqlite_is_bundled_where_the_lock_has_its_compiler(tmp_path: Path) -> None:
    app = ("app", "0.1.0", ["rusqlite"])
    rusqlite = ("rusqlite", "0.32.0", ["libsqlite3-sys"])
    table = '[dependencies]\nrusqlite = "0.32"\n'
    plain = needs(tmp_path, table, app, rusqlite, ("libsqlite3-sys", "0.30.0", ["pkg-config"]), LEAVES[1])
    assert plain["libsqlite3-sys"].build == ("libsqlite3-dev",)
    bundled = ("libsqlite3-sys", "0.30.0", ["cc", "pkg-config"])
    assert not needs(tmp_path, table, app, rusqlite, bundled, *LEAVES[:2])


def test_bindgen_of_another_system_is_not_built(tmp_path: Path) -> None:
    table = '[dependencies]\ncpal = "0.15"\n'
    packages: list[Entry] = [
        ("cpal", "0.15.0", ["alsa-sys", "coreaudio-sys"]),
        ("coreaudio-sys", "0.2.0", ["bindgen"]),
        ("bindgen", "0.70.0", ["clang-sys"]),
        ("clang-sys", "1.8.0", []),
        ("alsa-sys", "0.3.0", []),
    ]
    found = needs(tmp_path, table, ("app", "0.1.0", ["cpal"]), *packages)
    assert set(found) == {"alsa-sys"}
    aws = [("aws-lc-sys", "0.30.0", ["bindgen", "cmake"]), ("cmake", "0.1.0", []), *packages[2:4]]
    assert not needs(tmp_path, '[dependencies]\naws-lc-sys = "0.30"\n', ("app", "0.1.0", ["aws-lc-sys"]), *aws)
    other = [("z-sys", "1.0.0", ["cmake"]), ("cmake", "0.1.0", [])]
    found = needs(tmp_path, '[dependencies]\nz-sys = "1"\n', ("app", "0.1.0", ["z-sys"]), *other)
    assert found["cmake"].build == ("cmake",)


def test_protoc_unless_it_is_brought_along(tmp_path: Path) -> None:
    table = '[build-dependencies]\nprost-build = "0.13"\nprotox = "0.7"\n'
    prost: Entry = ("prost-build", "0.13.0", [])
    alone = needs(tmp_path, table.split("protox", maxsplit=1)[0], ("app", "0.1.0", ["prost-build"]), prost)
    assert alone["prost-build"].build == ("protobuf-compiler", "libprotobuf-dev")
    app = ("app", "0.1.0", ["prost-build", "protox"])
    assert not needs(tmp_path, table, app, prost, ("protox", "0.7.0", []))


def test_musl_gets_no_library_of_debian(tmp_path: Path) -> None:
    app = ("app", "0.1.0", ["openssl-sys"])
    table = '[dependencies]\nopenssl-sys = "0.9"\n'
    need = needs(tmp_path, table, app, OPENSSL, *LEAVES[:2], target="x86_64-unknown-linux-musl")["openssl-sys"]
    assert (need.build, need.run) == ((), ())
    assert "vendored" in need.why


def test_unselected_members_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "tool/src").mkdir(parents=True)
    (tmp_path / "tool/src/main.rs").write_text("fn main() {}\n")
    tool = '[package]\nname = "tool"\nversion = "0.1.0"\n[dependencies]\nopenssl-sys = "0.9"\n'
    (tmp_path / "tool/Cargo.toml").write_text(tool)
    packages = (("app", "0.1.0", []), ("tool", "0.1.0", ["openssl-sys"]), OPENSSL, *LEAVES[:2])
    assert not needs(tmp_path, '[workspace]\nmembers = ["tool"]\n', *packages)


def test_unknown_sys_crates_are_named(tmp_path: Path) -> None:
    needs(tmp_path, '[dependencies]\nodd-sys = "1"\n', ("app", "0.1.0", ["odd-sys"]), ("odd-sys", "1.0.0", []))
    ws, found = manifest.load(tmp_path), lock.load(tmp_path)
    assert native.unknown(ws, found, select(ws), Options()) == ("odd-sys",)


# --- the table --------------------------------------------------------------------------------------------------------


def raw() -> dict[str, Any]:
    return tomllib.loads((data_dir() / "native.toml").read_text(encoding="utf-8"))


def test_the_table_is_consistent() -> None:
    data = raw()
    names = [*data["library"], *data["tool"]]
    assert len(names) == len(set(names))
    for rule in data["crate"]:
        assert set(rule["needs"]) <= set(names), rule
        assert "versions" not in rule or satisfies(rule["versions"], "1.0.0") is not None
        known = {"names", "needs", "versions", "unless_built", "unless_asked"}
        known |= {f"{word}_{kind}" for word in ("unless", "when") for kind in ("locked", "features")}
        assert set(rule) <= known, rule
    for failure in data["failure"]:
        assert set(failure.get("needs", ())) <= set(names)
    package = r"[a-z0-9][a-z0-9+.-]+"
    for suite in SUITES:
        for provider in native.table().providers(suite).values():
            for name in (*provider.build, *provider.run):
                assert re.fullmatch(package, name), name


SUITES = ("trixie", *native.table().suites)


def test_the_suites_of_the_table() -> None:
    data = raw()
    assert SUITES == ("trixie", "bookworm", "jammy", "noble")
    own = set(SUITES) - {"trixie"}
    for kind in ("library", "tool"):
        for name, entry in data[kind].items():
            tables = {key: value for key, value in entry.items() if isinstance(value, dict)}
            assert set(tables) <= own | {"alpine"}, name
            assert all(set(value) <= {"build", "run"} for value in tables.values()), name
            assert set(entry.get("suites", SUITES)) <= set(SUITES), name
    assert {entry.get("like", "trixie") for entry in data["suites"].values()} <= set(SUITES)
    assert set(data["suites"]) == ALL_SUITES


def test_what_changes_from_suite_to_suite_is_known_in_all() -> None:
    """Of a library that two suites name differently every suite has an entry, an empty one if it is equal."""
    for name, entry in raw()["library"].items():
        if entry.keys() & {"bookworm", "jammy", "noble"}:
            assert {"jammy", "noble"} <= entry.keys(), name


def test_64_bit_times_are_in_the_names_of_newer_suites_only() -> None:
    """Debian 13 and Ubuntu 24.04 compiled libraries anew for it, by new names that older suites do not have."""
    data = native.table()
    of = {suite: data.providers(suite) for suite in SUITES}
    for name, provider in of["trixie"].items():
        for suite in ("bookworm", "jammy"):
            assert not [one for one in of[suite][name].run if one.endswith("t64")], name
        if any(one.endswith("t64") for one in provider.run):
            assert all(one.endswith("t64") for one in of["noble"][name].run), name


@pytest.mark.parametrize(
    ("suite", "library", "run"),
    [
        ("noble", "openssl", ("libssl3t64",)),
        ("jammy", "openssl", ("libssl3",)),
        ("noble", "icu", ("libicu74",)),
        ("jammy", "icu", ("libicu70",)),
        ("noble", "mysqlclient", ("libmysqlclient21",)),
        ("bookworm", "mysqlclient", ("libmariadb3",)),
        ("jammy", "pq", ("libpq5",)),
        ("jammy", "webkit2gtk-4_0", ("libwebkit2gtk-4.0-37",)),
        ("noble", "webkit2gtk-4_0", ()),
        ("focal", "openssl", ("libssl3",)),
        ("sid", "icu", ("libicu76",)),
    ],
)
def test_names_by_suite(suite: str, library: str, run: tuple[str, ...]) -> None:
    assert native.table().providers(suite)[library].run == run


def test_a_package_is_one_library_in_every_suite() -> None:
    """By it, names that a Dockerfile of one suite installs become those of another."""
    seen: dict[str, str] = {}
    for suite in SUITES:
        for provider in native.table().providers(suite).values():
            for name in (*provider.build, *provider.run):
                assert seen.setdefault(name, provider.name) == provider.name, name


def test_a_package_of_alpine_is_one_library() -> None:
    data = raw()
    names = [
        name
        for kind in ("library", "tool")
        for entry in data[kind].values()
        if (own := entry.get("alpine")) is not None
        for name in (*own.get("build", entry["build"]), *own.get("run", ()))
    ]
    assert len(names) == len(set(names)) == len(native.table().of_alpine)
    assert native.table().of_alpine["openssl-dev"] == "openssl"


def test_builder_and_runtime_of_different_suites(tmp_path: Path) -> None:
    table = native.table().providers("jammy", "trixie")
    assert (table["jpeg"].build, table["jpeg"].run) == (("libturbojpeg0-dev",), ("libturbojpeg0",))
    assert not table["webkit2gtk-4_0"].build  # the runtime image would lack it
    assert native.table().providers("jammy", "bookworm")["webkit2gtk-4_0"].build


@pytest.mark.parametrize(
    ("base", "build", "run", "doubt"),
    [
        ({}, "trixie", "trixie", ""),
        ({"suite": "bookworm"}, "bookworm", "bookworm", ""),
        ({"image": "company/rust:1.95-ubuntu24.04", "runtime_image": "ubuntu:24.04"}, "noble", "noble", ""),
        ({"image": "company/rust:jammy"}, "jammy", "trixie", ""),
        (
            {"image": "own/rust:7", "runtime_image": "ubuntu:22.04"},
            "trixie",
            "jammy",
            "these are names of Debian 13 (trixie): the suite of own/rust:7 is not known (set base.suite)",
        ),
        (
            {"image": "own/a", "runtime_image": "own/b"},
            "trixie",
            "trixie",
            "these are names of Debian 13 (trixie): the suite of own/a and own/b is not known (set base.suite)",
        ),
        ({"image": "own/rust:7", "runtime_image": "own/run:7", "suite": "noble"}, "noble", "noble", ""),
        (
            {"suite": "bullseye"},
            "bookworm",
            "bookworm",
            "these are names of Debian 12 (bookworm), the nearest known to Debian 11 (bullseye)",
        ),
    ],
)
def test_the_suites_of_a_configuration(base: dict[str, str], build: str, run: str, doubt: str) -> None:
    where = {f"base.{name}": "layerdoit.yaml:1" for name in base}
    found = native.suites(Config(base=Base(**base), where=where))  # type: ignore[arg-type]
    assert found == native.Suites(build, run, doubt)


def test_what_a_suite_lacks_is_said(tmp_path: Path) -> None:
    app = ("app", "0.1.0", ["webkit2gtk-sys"])
    webkit: Entry = ("webkit2gtk-sys", "0.18.0", [])
    table = '[dependencies]\nwebkit2gtk-sys = "0.18"\n'
    need = needs(tmp_path, table, app, webkit)["webkit2gtk-sys"]
    assert (need.build, need.run) == ((), ())
    assert need.why == "links to webkit2gtk-4_0, available only in Debian 12 (bookworm) and Ubuntu 22.04 (jammy)"
    need = needs(tmp_path, table, app, webkit, suite="jammy")["webkit2gtk-sys"]
    assert (need.build, need.elsewhere) == (("libwebkit2gtk-4.0-dev",), ())


def test_the_optional_dependencies_are_consistent() -> None:
    for rule in raw()["optional"]:
        assert {"of", "crates", "asked"} <= set(rule) <= {"of", "crates", "asked", "only_asked"}, rule
        assert all(features for features in rule["asked"].values()), rule


def test_one_name_says_one_thing() -> None:
    """A library that two entries claim would be advised by chance."""
    seen: dict[tuple[str, str], str] = {}
    for provider in native.table().providers("trixie").values():
        for kind in ("pc", "lib", "programs"):
            for word in getattr(provider, kind):
                assert seen.setdefault((kind, word), provider.name) == provider.name, word


@pytest.mark.parametrize(
    ("version", "conditions", "answer"),
    [
        ("2.0.0", ">=2", True),
        ("1.9.9", ">=2", False),
        ("1.5.0", ">=1, <2", True),
        ("2.0.0-rc.1+7", ">=2", True),
        ("300.1.0", "<2", False),
        ("x", "", True),
    ],
)
def test_fits(version: str, conditions: str, answer: bool) -> None:
    assert native._fits(version, conditions) is answer


LINUX = "x86_64-unknown-linux-gnu"


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        (None, True),
        (LINUX, True),
        ("x86_64-pc-windows-msvc", False),
        ("cfg(unix)", True),
        ("cfg(windows)", False),
        ("cfg(not(windows))", True),
        ('cfg(target_os = "macos")', False),
        ('cfg(any(target_os = "macos", target_os = "linux"))', True),
        ('cfg(all(unix, not(target_os = "linux")))', False),
        ('cfg(target_env = "musl")', False),
        ("cfg(any())", False),
        ("cfg(tokio_unstable)", True),
        ("cfg(not(tokio_unstable))", True),
        ("cfg(all(windows, something_new))", False),
        ("cfg(", True),
    ],
)
def test_platform_conditions(condition: str | None, answer: bool) -> None:
    assert cfg.applies(condition, LINUX) is answer


@given(st.text(alphabet='cfganyltof()",= _uxwids\\', max_size=40), st.sampled_from([LINUX, "wasm32", "", "a-b-c-d"]))
def test_any_condition_has_an_answer(text: str, triple: str) -> None:
    assert cfg.applies(f"cfg({text}", triple) in (True, False)
