"""Each change that `explain` tells of is made to a real workspace, and the words are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from layerdoit.layers import reasons, words
from tests.support import locked_workspace as tiny
from tests.support.locked_workspace import Tiny, lock, told

DEPS, BASE = "the deps layer changed", "the base layer changed"


@pytest.fixture
def tree(tmp_path: Path) -> Tiny:
    return tiny.make(tmp_path / "tiny")


def edit(path: str, old: str, new: str) -> Callable[[Tiny], None]:
    return lambda tree: tree.replace(path, old, new)


def locked(**changed: tuple[str, tuple[str, ...]] | None) -> Callable[[Tiny], None]:
    return lambda tree: tree.write("Cargo.lock", lock(**changed))


def both(*changes: Callable[[Tiny], None]) -> Callable[[Tiny], None]:
    def change(tree: Tiny) -> None:
        for one in changes:
            one(tree)

    return change


HTTP = 'http = { version = "1.2", features = ["json"] }'
OF_DEPS = {
    "a direct dependency, by cargo update": (
        locked(log=("0.4.22", ())),
        ["log 0.4.20 → 0.4.22 — direct dependency of api, core, with the same requirement as before"],
    ),
    "a direct dependency, asked for differently": (
        both(edit("api/Cargo.toml", '"1.2"', '"1.3"'), locked(http=("1.3.0", ("body",)))),
        [
            "api: dependency http: asks for 1.3 (was 1.2)",
            "http 1.2.0 → 1.3.0 — direct dependency of api; api: dependency http: asks for 1.3 (was 1.2)",
        ],
    ),
    "a transitive dependency alone": (
        locked(bytes=("1.6.0", ())),
        ["bytes 1.5.0 → 1.6.0 — needed by http → body (of api), which did not move"],
    ),
    "a transitive one along with what needs it": (
        locked(body=("0.4.0", ("bytes",)), bytes=("1.6.0", ())),
        [
            "body 0.3.0 → 0.4.0 — needed by http (of api), which did not move",
            "bytes 1.5.0 → 1.6.0 — needed by body, which moved too",
        ],
    ),
    "a new transitive one": (
        locked(http=("1.2.1", ("body", "idna")), idna=("1.0.0", ())),
        [
            "http 1.2.0 → 1.2.1 — direct dependency of api, with the same requirement as before",
            "idna 1.0.0 added — needed by http, which moved too",
        ],
    ),
    "a transitive one that is gone": (
        locked(http=("1.2.1", ()), body=None, bytes=None),
        [
            "http 1.2.0 → 1.2.1 — direct dependency of api, with the same requirement as before",
            "body 0.3.0 removed — was needed by http, which moved too",
            "bytes 1.5.0 removed — was needed by body, which is gone too",
        ],
    ),
    "a new direct dependency": (
        both(
            edit("core/Cargo.toml", 'log = "0.4"\n', 'log = "0.4"\nitoa = { version = "1", optional = true }\n'),
            locked(core=("0.1.0", ("itoa", "log")), itoa=("1.0.1", ())),
        ),
        [
            "core: new dependency itoa (1, optional)",
            "itoa 1.0.1 added — direct dependency of core; core: new dependency itoa (1, optional)",
        ],
    ),
    "a direct dependency that is gone": (
        both(
            edit("api/Cargo.toml", HTTP + "\n", ""), edit("api/Cargo.toml", '["http/tls"]', "[]"),
            locked(api=("0.1.0", ("core", "log")), http=None, body=None, bytes=None),
        ),
        [
            "api: dependency http removed",
            "api: feature tls no longer enables http/tls",
            "http 1.2.0 removed — direct dependency of api; api: dependency http removed",
            "body 0.3.0 removed — was needed by http, which is gone too",
            "bytes 1.5.0 removed — was needed by body, which is gone too",
        ],
    ),
    "a feature, switched on by one member": (
        edit("api/Cargo.toml", '["json"]', '["json", "gzip"]'), ["api: dependency http: feature gzip enabled"]
    ),
    "default features, switched off by two members alike": (
        both(*(edit(f"{name}/Cargo.toml", '"0.4"', '{ version = "0.4", default-features = false }')
               for name in ("api", "core"))),
        ["api, core: dependency log: default features disabled"],
    ),
    "a feature's list": (
        edit("api/Cargo.toml", '["http/tls"]', '["http/rustls"]'),
        ["api: feature tls enables http/rustls, no longer enables http/tls"],
    ),
    "a new feature": (edit("api/Cargo.toml", "default = []", "default = []\nfast = []"), ["api: new feature fast"]),
    "a dependency that is for builds only": (
        edit("core/Cargo.toml", "[dependencies]", "[build-dependencies]"),
        ["core: new build-dependency log (0.4)", "core: dependency log removed"],
    ),
    "a dependency of one target": (
        edit("core/Cargo.toml", "[dependencies]", "[target.'cfg(unix)'.dependencies]"),
        ["core: dependency log removed", "core: new dependency log [cfg(unix)] (0.4)"],
    ),
    "a profile key": (
        edit("Cargo.toml", "debug = 0", "debug = 1\nopt-level = 3"),
        ["profile dev: debug 0 → 1, opt-level = 3 (was not set)"],
    ),
    "a profile key of one package": (
        edit("Cargo.toml", "debug = 0", "debug = 0\n[profile.dev.package.http]\nopt-level = 1"),
        ["profile dev: package.http.opt-level = 1 (was not set)"],
    ),
    "an environment variable": (edit("layerdoit.yaml", "RUSTFLAGS: -g", "RUSTFLAGS: -O"), ["env RUSTFLAGS: -g → -O"]),
    "an environment variable that is gone": (
        edit("layerdoit.yaml", "env:\n  RUSTFLAGS: -g\n", ""), ["env RUSTFLAGS: removed (was -g)"]
    ),
    "flags in cargo's configuration": (
        lambda tree: tree.write(".cargo/config.toml", '[build]\nrustflags = ["-g"]\n'),
        ['config build.rustflags: now ["-g"]'],
    ),
    "features of the configuration": (
        edit("layerdoit.yaml", "project: tiny", "project: tiny\nfeatures: [tls]"), ["feature tls added"]
    ),
    "default features of the configuration": (
        edit("layerdoit.yaml", "project: tiny", "project: tiny\ndefault_features: false"),
        ["default features are disabled"],
    ),
    "the edition": (
        edit("core/Cargo.toml", 'edition = "2021"', 'edition = "2018"'), ["edition core: 2021 → 2018"]
    ),
    "the resolver": (edit("Cargo.toml", 'resolver = "2"', 'resolver = "3"'), ["resolver: 2 → 3"]),
    "a build script": (lambda tree: tree.write("core/build.rs", "fn main() {}"), ["core has a build script now"]),
}  # fmt: skip


@pytest.mark.parametrize("case", OF_DEPS)
def test_what_changes_the_deps_layer(tree: Tiny, case: str) -> None:
    change, said = OF_DEPS[case]
    before = tree.side()
    change(tree)
    found = told(before, tree.side())
    assert found["deps"] == said
    assert DEPS in found["app"]
    assert "base" not in found


@pytest.mark.parametrize(
    ("change", "layer", "said"),
    [
        (edit("layerdoit.yaml", "1.95.0", "1.96.0"), "base", ["toolchain: 1.95.0 → 1.96.0"]),
        (
            edit("layerdoit.yaml", "[cmake]", "[clang]"),
            "base",
            ["system package clang added; system package cmake removed"],
        ),
        (
            edit("layerdoit.yaml", "packages: [cmake]", "packages: [cmake]\n  runtime_packages: [curl]"),
            "base (runtime image)",
            ["system package curl added"],
        ),
        (
            edit("layerdoit.yaml", "packages: [cmake]", "packages: [cmake]\n  suite: bookworm"),
            "base",
            ["os: debian trixie → debian bookworm"],
        ),
        (edit("layerdoit.yaml", "PORT: '80'", "PORT: '81'"), "app", ["image env: PORT 80 → 81"]),
        (
            edit("layerdoit.yaml", "image:", "image:\n  entrypoint: other"),
            "app",
            ["binary api/other added", "image entrypoint: api → other", "file api/src/bin/other.rs added"],
        ),
        (lambda tree: tree.write("api/src/main.rs", "fn main() { }"), "app", ["file api/src/main.rs changed"]),
        (lambda tree: tree.write("api/src/more.rs", ""), "app", ["file api/src/more.rs added"]),
        (lambda tree: (tree.root / "core/src/lib.rs").rename(tree.root / "core/src/x.rs"), "app",
         ["file core/src/lib.rs removed", "file core/src/x.rs added"]),
        (lambda tree: tree.write("web/page.html", "two"), "app", ["asset web/page.html changed"]),
    ],
)  # fmt: skip
def test_what_changes_the_other_layers(tree: Tiny, change: Callable[[Tiny], None], layer: str, said: list[str]) -> None:
    before = tree.side()
    if "entrypoint" in str(said):
        tree.write("api/src/bin/other.rs", "fn main() {}")
    change(tree)
    assert told(before, tree.side())[layer] == said


def test_variables_change_the_build_as_configuration_does(tree: Tiny) -> None:
    found = told(tree.side(), tree.side(PROFILE="release"))
    assert found["deps"] == ["option profile: dev → release", "profile dev: debug no longer set (was 0)"]


def test_nothing_changed_nothing_said(tree: Tiny) -> None:
    assert told(tree.side(), tree.side()) == {}


def test_many_files_are_counted_and_a_few_named(tree: Tiny) -> None:
    before = tree.side()
    for number in range(20):
        tree.write(f"api/src/m{number:02}.rs", "")
    tree.write("api/src/main.rs", "fn main() { }")
    said = told(before, tree.side())["app"]
    assert said[0] == "21 files: 1 changed, 20 added"
    assert said[1] == "file api/src/m00.rs added"
    assert (len(said), said[-1]) == (14, "and 9 more files; --json names all")


def test_plan_and_explain_say_the_same(tree: Tiny) -> None:
    """One difference in words: the compact form has the same texts."""
    before = tree.side()
    tree.replace("api/Cargo.toml", '["json"]', "[]")
    tree.write("Cargo.lock", lock(log=("0.4.22", ())))
    old, new = before.layers["deps"].inputs, tree.side().layers["deps"].inputs
    assert old is not None
    assert new is not None
    compact = reasons.sentences(reasons.difference(old, new))
    assert sorted(compact) == sorted(change.text for change in words.changes(old, new))
    assert "api: dependency http: feature json no longer enabled" in compact


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("1.0.1 aa; 2.0.3 bb", "1.0.1 aa; 2.0.4 cc", "syn 2.0.3 → 2.0.4 (1.0.1 stays)"),
        ("1.0.1 aa", "1.0.1 aa; 2.0.4 cc", "syn 2.0.4 added beside 1.0.1"),
        ("1.0.1 aa; 2.0.4 cc", "2.0.4 cc", "syn 1.0.1 removed (2.0.4 stays)"),
        ("1.0.1 aa", "1.0.1 git+https://h/x#ab", "syn 1.0.1: now from git+https://h/x#ab (was crates.io)"),
        ("1.0.1 aa -> b 1.0", "1.0.1 aa -> b 2.0", "syn 1.0.1: it uses b 2.0 (was b 1.0)"),
        ("1.0.1 aa", "1.0.1 bb", "syn 1.0.1: different content or source"),
    ],
)
def test_packages_that_are_locked_in_several_versions(old: str, new: str, text: str) -> None:
    assert reasons.text(reasons.difference({"package syn": old}, {"package syn": new})) == text
