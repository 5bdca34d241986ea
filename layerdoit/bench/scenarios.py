"""What a developer does between two builds: each scenario is one edit, with a mark that must show in what is built.

A mark is a string that the linker keeps, so that a binary tells which edits are in it without being run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layerdoit.bench import subject
from layerdoit.bench.edits import Places
from layerdoit.bench.running import ask
from layerdoit.core import toml
from layerdoit.core.command_errors import ProgramMissing
from layerdoit.core.errors import WorkspaceError

SCENARIOS: Mapping[str, str] = {
    "cold": "cold: base images there, nothing else",
    "nothing": "nothing changed",
    "leaf": "one line in the binary crate",
    "deep": "one line in the deepest library",
    "manifest": "a description in a manifest",
    "bump": "one dependency bumped",
    "new-bin": "a new `src/bin` file",
    "asset": "an asset",
    "back": "back to the first state",
}
# Short cells are measured more often, in the same state.
REPEATS: Mapping[str, int] = {"nothing": 3}
NEW_BIN = "layerdoit_benchmark"

_MARK = re.compile(rb"layerdoit-benchmark:(leaf|deep|bin|asset):([\w-]+);")
_LINE = re.compile(r"layerdoit-benchmark:(leaf|deep):([\w-]+);")


def mark(where: str, state: str) -> str:
    """The string that one state of an edited place holds."""
    return f"layerdoit-benchmark:{where}:{state};"


def marks(content: bytes) -> dict[str, set[str]]:
    """The states whose marks a file holds, by place."""
    found: dict[str, set[str]] = {}
    for where, state in _MARK.findall(content):
        found.setdefault(where.decode(), set()).add(state.decode())
    return found


def rust_line(where: str, state: str, edition: str) -> str:
    """One line of Rust that puts a mark into every binary that the crate is linked into.

    An entry of `.init_array` is the one thing that neither compiler nor linker may drop.
    """
    section = 'link_section = ".init_array"'
    attribute = f"unsafe({section})" if int(edition) >= 2024 else section
    body = f'{{ extern "C" fn mark() {{ core::hint::black_box("{mark(where, state)}"); }} mark }}'
    return (
        f'#[allow(unsafe_code, dead_code)] #[used] #[cfg_attr(target_os = "linux", {attribute})] '
        f'static LAYERDOIT_BENCHMARK: extern "C" fn() = {body};'
    )


def with_line(source: str, where: str, state: str, edition: str) -> str:
    """A source file with the mark: appended the first time, one line changed from then on."""
    if _LINE.search(source):
        return _LINE.sub(mark(where, state), source)
    # What is forbidden cannot be allowed for one line; the first state says `deny`, before anything is measured.
    relaxed = re.sub(r"#!\[forbid\(([^)]*)\)\]", r"#![deny(\1)]", source)
    return f"{relaxed.rstrip()}\n\n{rust_line(where, state, edition)}\n"


def with_description(manifest: str, text: str) -> str:
    """A manifest with another description, or another home page where that cannot be set in one line."""
    lines = manifest.split("\n")
    start = next((at for at, line in enumerate(lines) if re.fullmatch(r"\s*\[package\]\s*(#.*)?", line)), None)
    if start is None:
        raise WorkspaceError("the Cargo.toml of the edited binary has no [package] line")
    end = next((at for at in range(start + 1, len(lines)) if re.match(r"\s*\[", lines[at])), len(lines))
    for name in ("description", "homepage", "documentation"):
        at = next((n for n in range(start + 1, end) if re.match(rf"\s*{name}\b", lines[n])), None)
        new = f'{name} = "{text}"'
        if at is None:
            return "\n".join([*lines[: start + 1], new, *lines[start + 1 :]])
        if re.fullmatch(rf'\s*{name}\s*=\s*"(?!"")[^"]*"\s*(#.*)?', lines[at]):
            return "\n".join([*lines[:at], new, *lines[at + 1 :]])
    raise WorkspaceError("the Cargo.toml of the edited binary has no field that one line can change")


def with_asset_mark(content: str, suffix: str, state: str) -> str:
    """An asset with the mark in a comment at its end."""
    text = mark("asset", state)
    comment = {".css": f"/* {text} */", ".js": f"/* {text} */", ".txt": text}.get(suffix, f"<!-- {text} -->")
    return f"{content.rstrip()}\n{comment}\n"


# --- a dependency bump -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bump:
    """One locked crate in another version: the Cargo.lock that says so."""

    crate: str
    old: str
    new: str
    lock: str


def locked(lock: str) -> set[tuple[str, str]]:
    """(name, version) of the external packages of a Cargo.lock."""
    return {(item["name"], item["version"]) for item in toml.loads(lock).get("package", []) if "source" in item}


def single_change(old: str, new: str) -> tuple[str, str, str] | None:
    """(crate, old version, new version) when two lock files differ in exactly that."""
    gone, come = locked(old) - locked(new), locked(new) - locked(old)
    if len(gone) == len(come) == 1:
        (name, before), (same, after) = *gone, *come
        if name == same:
            return name, before, after
    return None


def other_versions(version: str) -> list[str]:
    """Compatible versions that may exist beside one: the patches before it."""
    found = re.fullmatch(r"(\d+\.\d+)\.(\d+)", version)
    return (
        [f"{found[1]}.{patch}" for patch in range(int(found[2]) - 1, max(-1, int(found[2]) - 6), -1)] if found else []
    )


def find_bump(scratch: Path, candidates: Sequence[str]) -> Bump | None:
    """Let cargo itself try, in a scratch copy: the newest compatible version, else an earlier patch.

    None where nothing was found, or this machine has no cargo.
    """
    lockfile = scratch / "Cargo.lock"
    original = lockfile.read_text(encoding="utf-8")
    for crate in candidates:
        versions = [version for name, version in locked(original) if name == crate]
        if len(versions) != 1:
            continue
        for version in ["", *other_versions(versions[0])]:
            words = ["cargo", "update", "-p", crate, *(["--precise", version] if version else [])]
            try:
                ask(words, scratch, check=False)
            except ProgramMissing:
                return None
            changed = lockfile.read_text(encoding="utf-8")
            lockfile.write_text(original, encoding="utf-8")
            if (found := single_change(original, changed)) and found[0] == crate:
                return Bump(*found, changed)
    return None


# --- carrying out ----------------------------------------------------------------------------------------------------


@dataclass
class Tree:
    """The copy of one run, and the state of each mark in its sources. `run` makes all contents unique to the run."""

    tree: Path
    root: Path
    run: str
    places: Places
    bump: Bump | None = None
    state: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """The first state, with the marks in it."""
        self._line("leaf", "first")
        if self.places.deep:
            self._line("deep", "first")
        for manifest in ("Cargo.toml", self.places.leaf_manifest):
            path = self.root / manifest
            path.write_text(
                re.sub(r'(unsafe_code\s*=\s*(?:\{[^}\n]*level\s*=\s*)?)"forbid"', r'\1"deny"', path.read_text())
            )
        subject.start_git(self.tree)

    def apply(self, scenario: str) -> None:
        """Make a scenario's edit. Edits add up until `back`."""
        steps: Mapping[str, Callable[[], None]] = {
            "leaf": lambda: self._line("leaf", "edited"),
            "deep": lambda: self._line("deep", "edited"),
            "manifest": self._manifest,
            "bump": self._bump,
            "new-bin": self._new_bin,
            "asset": self._asset,
            "back": self._back,
        }
        if scenario in steps:
            steps[scenario]()

    def possible(self, scenario: str) -> str:
        """Why this project cannot have a scenario; '' when it can."""
        if scenario == "deep" and not self.places.deep:
            return "the binary depends on no library of the workspace"
        if scenario == "bump" and not self.bump:
            return "cargo on this machine found no locked crate with another version that changes nothing else"
        if scenario == "asset" and not self.places.asset:
            return "there are no assets"
        return ""

    def _line(self, where: str, state: str) -> None:
        file = self.places.leaf if where == "leaf" else self.places.deep
        edition = self.places.leaf_edition if where == "leaf" else self.places.deep_edition
        path = self.root / (file or "")
        self.state[where] = f"{state}-{self.run}"
        path.write_text(with_line(path.read_text(), where, self.state[where], edition))

    def _manifest(self) -> None:
        path = self.root / self.places.leaf_manifest
        path.write_text(with_description(path.read_text(), f"benchmark {self.run}"))

    def _bump(self) -> None:
        if self.bump:
            (self.root / "Cargo.lock").write_text(self.bump.lock)

    def _new_bin(self) -> None:
        package = self.root / self.places.leaf_package
        path = package / "src" / "bin" / f"{NEW_BIN}.rs"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.state["bin"] = f"new-{self.run}"
        path.write_text(f'fn main() {{\n    println!("{mark("bin", self.state["bin"])}");\n}}\n')
        if not self.places.autobins:
            manifest = self.root / self.places.leaf_manifest
            table = f'\n[[bin]]\nname = "{NEW_BIN}"\npath = "src/bin/{NEW_BIN}.rs"\n'
            manifest.write_text(manifest.read_text() + table)

    def _asset(self) -> None:
        path = self.root / (self.places.asset or "")
        self.state["asset"] = f"edited-{self.run}"
        path.write_text(with_asset_mark(path.read_text(), path.suffix, self.state["asset"]))

    def _back(self) -> None:
        subject.go_back(self.tree)
        self.state = {where: f"first-{self.run}" for where in ("leaf", "deep") if where in self.state}


def wrong(expected: Mapping[str, str], found: Mapping[str, set[str]], others: Mapping[str, set[str]]) -> list[str]:
    """What is stale in a peer's result, in words.

    `others`: the states that any peer's result shows. A mark that nobody shows is not linked in, and proves nothing.
    """
    problems = []
    for where, state in expected.items():
        seen = found.get(where, set())
        if seen - {state}:
            problems.append(f"{where}: holds {', '.join(sorted(seen - {state}))}, not {state}")
        elif not seen and others.get(where):
            problems.append(f"{where}: holds no mark")
    problems += [f"{where}: is still there" for where in found if where not in expected]
    return problems
