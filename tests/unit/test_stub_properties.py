"""The stub of any workspace: complete, the same for what does not matter, and as the tree for what does."""

from __future__ import annotations

import json
import posixpath
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from layerdoit.cargo import lock as locks
from layerdoit.cargo import lock_drift, manifest, stub
from layerdoit.cargo.selection import Selection
from tests.support.files import write
from tests.support.lockfile import entry, external, lockfile

CRATES = ("serde", "log", "http")
TABLES = ("dependencies", "build-dependencies", "dev-dependencies")
TARGETS = ("", "cfg(unix)", "x86_64-pc-windows-msvc")


@dataclass(frozen=True)
class Member:
    """A package of the workspace. `needs`: (table, target, name, specification) of external crates."""

    needs: tuple[tuple[str, str, str, Mapping[str, Any]], ...]
    uses: tuple[int, ...]
    features: Mapping[str, list[str]]
    kind: str
    script: bool
    source: str = "fn main() {}"
    version: str = "0.1.0"
    told: str = ""


SPEC = st.fixed_dictionaries(
    {"version": st.just("1")},
    optional={
        "features": st.lists(st.sampled_from(["derive", "std", "json"]), unique=True),
        "default-features": st.booleans(),
        "optional": st.just(True),
    },
)
NEED = st.tuples(st.sampled_from(TABLES), st.sampled_from(TARGETS), st.sampled_from(CRATES), SPEC)
FEATURES = st.dictionaries(
    st.sampled_from(["default", "tls", "fast"]),
    st.lists(st.sampled_from(["serde/derive", "log/std", "http?/json"]), max_size=2),
    max_size=3,
)
MEMBER = st.builds(
    Member,
    needs=st.lists(NEED, max_size=4, unique_by=lambda need: need[:3]).map(tuple),
    uses=st.lists(st.integers(0, 3), max_size=2, unique=True).map(tuple),
    features=FEATURES,
    kind=st.sampled_from(["bin", "lib", "proc-macro", "cdylib"]),
    script=st.booleans(),
)
WORKSPACE = st.lists(MEMBER, min_size=1, max_size=4).map(tuple)


def manifest_of(number: int, member: Member) -> dict[str, Any]:
    """Cargo.toml of a member; it depends on members with a higher number only."""
    out: dict[str, Any] = {
        "package": {"name": f"m{number}", "version": member.version, "edition": "2021", "build": member.script},
        "features": dict(member.features),
    }
    if member.script:
        out["package"]["build"] = "build.rs"
    if member.told:
        out["package"]["description"] = member.told
    if member.kind != "bin":
        out["lib"] = {"proc-macro": True} if member.kind == "proc-macro" else {"crate-type": [member.kind]}
    for table, target, name, spec in member.needs:
        scope = out.setdefault("target", {}).setdefault(target, {}) if target else out
        # Cargo knows no optional dev-dependencies.
        kept = {key: value for key, value in spec.items() if key != "optional" or table != "dev-dependencies"}
        scope.setdefault(table, {})[name] = kept
    return out


def files(members: tuple[Member, ...]) -> dict[str, str]:
    """The whole tree, and a lock that fits."""
    packages = [f"p{number}" for number in range(len(members))]
    tree = {"Cargo.toml": tomli_w.dumps({"workspace": {"members": packages, "resolver": "2"}})}
    entries = [external(name, "1.0.0", "aa") for name in CRATES]
    for number, member in enumerate(members):
        inside = [use for use in member.uses if number < use < len(members)]
        table = manifest_of(number, member)
        for use in inside:
            table.setdefault("dependencies", {})[f"m{use}"] = {"path": f"../p{use}"}
        tree[f"p{number}/Cargo.toml"] = tomli_w.dumps(table)
        tree[f"p{number}/src/{'main' if member.kind == 'bin' else 'lib'}.rs"] = member.source
        if member.script:
            tree[f"p{number}/build.rs"] = "fn main() {}"
        needed = {name for _, _, name, _ in member.needs} | {f"m{use}" for use in inside}
        entries.append(entry(f"m{number}", member.version, needed))
    return {**tree, "Cargo.lock": lockfile(*entries)}


def made(members: tuple[Member, ...]) -> stub.Stub:
    with tempfile.TemporaryDirectory(prefix="layerdoit-stub-") as folder:
        root = write(Path(folder) / "ws", files(members))
        ws, lock = manifest.load(root), locks.load(root)
        lock_drift.check(ws, lock)
        return stub.make(ws, lock, Selection(tuple(f"m{number}" for number in range(len(members))), ()))


def dependencies(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """All that a manifest depends on: table, target, name, specification."""
    for target, scope in {"": table, **table.get("target", {})}.items():
        for name in TABLES:
            for crate, spec in scope.get(name, {}).items():
                yield name, target, crate, spec


def canonical(need: tuple[str, str, str, Mapping[str, Any]]) -> str:
    """A dependency as text, whatever the order of its keys."""
    return json.dumps(need, sort_keys=True)


def tomls(made_: stub.Stub) -> dict[str, dict[str, Any]]:
    return {name: tomllib.loads(text.decode()) for name, text in made_.files.items() if name.endswith("Cargo.toml")}


@settings(max_examples=60)
@given(WORKSPACE)
def test_it_is_complete(members: tuple[Member, ...]) -> None:
    """Every file that a manifest of the stub names is in the stub, and every member is."""
    result = made(members)
    parsed = tomls(result)
    assert len(parsed["Cargo.toml"]["workspace"]["members"]) == len(members)
    for folder in parsed["Cargo.toml"]["workspace"]["members"]:
        table = parsed[f"{folder}/Cargo.toml"]
        named = [table["lib"]["path"], *([table["package"]["build"]] if table["package"]["build"] else [])]
        named += [f"{spec['path']}/Cargo.toml" for _, _, _, spec in dependencies(table) if "path" in spec]
        assert [path for path in named if posixpath.normpath(f"{folder}/{path}") not in result.files] == []


@settings(max_examples=60)
@given(WORKSPACE)
def test_it_asks_for_the_same_crates(members: tuple[Member, ...]) -> None:
    """External dependencies, features and kinds of library are those of the tree: cargo decides by nothing else."""
    parsed = tomls(made(members))
    for number, member in enumerate(members):
        table, real = parsed[f".stub/m{number}/Cargo.toml"], manifest_of(number, member)
        outside = [need for need in dependencies(table) if "path" not in need[3]]
        assert sorted(map(canonical, outside)) == sorted(map(canonical, dependencies(real)))
        assert table.get("features", {}) == real["features"]
        assert {**table["lib"], "path": ""} == {**real.get("lib", {}), "path": ""}
        assert bool(table["package"]["build"]) is member.script


@settings(max_examples=60)
@given(WORKSPACE, st.integers(0, 3), st.text(alphabet="abc", min_size=1, max_size=5))
def test_sources_versions_and_words_do_not_matter(members: tuple[Member, ...], index: int, text: str) -> None:
    number = index % len(members)
    other = replace(members[number], source=f"// {text}", version="7.8.9", told=text)
    assert made((*members[:number], other, *members[number + 1 :])) == made(members)


@settings(max_examples=60)
@given(WORKSPACE, st.integers(0, 3), NEED)
def test_another_dependency_does(members: tuple[Member, ...], index: int, need: Any) -> None:
    number = index % len(members)
    member = members[number]
    others = tuple(known for known in member.needs if known[:3] != need[:3])
    other = replace(member, needs=(*others, need))
    same = manifest_of(number, other) == manifest_of(number, member)
    assert (made((*members[:number], other, *members[number + 1 :])) == made(members)) is same
