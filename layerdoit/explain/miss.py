"""A miss: external crates that compiled again in an app build, and cargo's own reason, read from the build's log.

    missed(log) -> Miss | None

The log holds what the app build's script says (`NotFresh`, `Fingerprint`) and, where the build recorded them, cargo's
words (`CARGO_LOG=cargo::core::compiler::fingerprint=info`).

Cargo (seen with 1.95) keeps a crate that has other flags, features, profile or compiler under another hash. Its own
reason is then only that there was none before; the two fingerprints say what differs.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from layerdoit.components.script_protocol import Fingerprint, NotFresh, counts, every
from layerdoit.core.prose import listed
from layerdoit.core.units import count_text

_CARGO = re.compile(r"cargo::core::compiler::fingerprint[\]:]\s*(.*)")
_UNIT = re.compile(r"fingerprint (?:dirty|error) for (\S+) v(\S+?)(?: \((.*?)\))?/(\w+)/")
_VARIABLE = re.compile(r'(?:name|var): "([^"]*)", (?:old_value|previous): (.*?), (?:new_value|current): (.*?) \}')
_OLD_NEW = re.compile(r"\w+ \{ old: (.*), new: (.*) \}")
_PATH = re.compile(r'(?:stale: |path: |\()"([^"]+)"')

# The dependency was made anew: the reason is there.
_CONSEQUENCE = re.compile(r"UnitDependency|StaleDep|NumberOfDependenciesChanged")
_ABSENT = "cargo found nothing compiled of this version with these settings"
_SENTENCES: Mapping[str, str] = {
    "RustcChanged": "the compiler changed",
    "DeclaredFeaturesChanged": "the features that its manifest declares changed",
    "TargetConfigurationChanged": "its target's settings in the manifest changed",
    "PathToSourceChanged": "its sources are in another folder",
    "ProfileConfigurationChanged": "the profile changed",
    "ConfigSettingsChanged": "cargo's configuration changed",
    "CompileKindChanged": "it is compiled for another target",
    "PrecalculatedComponentsChanged": "its sources changed",
    "RerunIfChangedOutputPathsChanged": "its build script names other files",
    "RerunIfChangedOutputFileChanged": "its build script's output moved",
    "EnvVarsChanged": "its build script reads other environment variables",
    "LocalFingerprintTypeChanged": "its build script declares in another way what it reads",
    "LocalLengthsChanged": "its build script names a different number of files or variables",
    "Forced": "it was forced",
    "FreshBuild": _ABSENT,
    "NothingObvious": "cargo gives no reason",
}


@dataclass(frozen=True)
class Unit:
    """One compilation that cargo called dirty. `consequence`: only because a dependency of it was."""

    crate: str
    external: bool
    step: str
    reason: str
    consequence: bool


@dataclass(frozen=True)
class Cause:
    """A reason, and the crates that it holds for."""

    reason: str
    crates: tuple[str, ...]


@dataclass(frozen=True)
class Miss:
    """`count`: external crates that compiled again; `crates`: the named ones; `causes`: () when none is recorded."""

    count: int
    crates: tuple[str, ...]
    causes: tuple[Cause, ...]

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        named = listed(self.crates, 8, self.count)
        crates = count_text(self.count, "external crate")
        what = f"{crates} compiled again in the app build ({named})"
        if not self.causes:
            return f"{what}; cargo's reason was not recorded"
        first = self.causes[0]
        if len(self.causes) == 1:
            return f"{what}: {first.reason}"
        parts = [f"{cause.reason} ({listed(cause.crates, 3)})" for cause in self.causes[:4]]
        return f"{what}: {'; '.join(parts)}" + ("; and other reasons" if len(self.causes) > 4 else "")


def missed(log: str) -> Miss | None:
    """The miss of an app build by its log; None where every external crate was fresh, or nothing compiled."""
    lines = log.splitlines()
    crates = tuple(dict.fromkeys(note.crate for note in every(NotFresh, lines)))
    if not crates:
        return None
    counted = counts(lines)
    return Miss(max(len(crates), counted.external if counted else 0), crates, tuple(_causes(log, crates)))


def _causes(log: str, crates: tuple[str, ...]) -> list[Cause]:
    wanted = {crate.partition("@")[0] for crate in crates}
    found: dict[str, list[str]] = defaultdict(list)
    differing = fingerprints(log)
    for unit in units(log):
        name = unit.crate.partition(" ")[0]
        if name not in wanted or unit.consequence:
            continue
        reason = unit.reason
        if reason == _ABSENT:
            reason = differing.get(name, _ABSENT)
        if reason != _UNCHANGED and name not in found[reason]:
            found[reason].append(name)
    # Where cargo's words were not recorded, the fingerprints alone may say it.
    told = {name for names in found.values() for name in names}
    for name, reason in differing.items():
        if name in wanted and name not in told and reason != _UNCHANGED:
            found[reason].append(name)
    causes = [Cause(reason, tuple(names)) for reason, names in found.items() if names]
    return sorted(causes, key=lambda cause: (cause.reason == _ABSENT, -len(cause.crates)))


# --- cargo's words ---------------------------------------------------------------------------------------------------


def units(log: str) -> list[Unit]:
    """What `CARGO_LOG=cargo::core::compiler::fingerprint=info` says, in cargo's order: dependents come first."""
    found: list[Unit] = []
    current: re.Match[str] | None = None
    for line in log.splitlines():
        said = _CARGO.search(line)
        if said is None:
            continue
        if unit := _UNIT.match(said[1]):
            current = unit
            continue
        kind, colon, words = said[1].partition(": ")
        if current is None or not colon or kind not in ("dirty", "err"):
            continue
        reason = _ABSENT if kind == "err" and words.startswith("failed to read") else sentence(words)
        external = current[3] is None or "://" in current[3]
        consequence = _CONSEQUENCE.match(words.removeprefix("FsStatusOutdated(")) is not None
        found.append(Unit(f"{current[1]} {current[2]}", external, current[4], reason, consequence))
        current = None
    return found


def sentence(words: str) -> str:
    """Cargo's reason, such as `EnvVarChanged { name: … }`, as a sentence; its own words where it is unknown to us."""
    inner = words.removeprefix("FsStatusOutdated(")
    name = re.match(r"\w+", inner)
    kind = name[0] if name else ""
    if kind == "StaleItem":
        inner = inner.removeprefix("StaleItem(")
        name = re.match(r"\w+", inner)
        kind = name[0] if name else ""
    variable = _VARIABLE.search(inner)
    if kind in ("EnvVarChanged", "ChangedEnv") and variable:
        return f"environment variable {variable[1]}: {_option(variable[2])} → {_option(variable[3])}"
    if kind in ("RustflagsChanged", "FeaturesChanged") and (pair := _OLD_NEW.match(inner)):
        what = "RUSTFLAGS" if kind == "RustflagsChanged" else "features"
        return f"{what}: {_debug_list(pair[1])} → {_debug_list(pair[2])}"
    path = _PATH.search(inner)
    if kind in ("ChangedFile", "FileSizeChanged", "ChangedChecksum") and path:
        return f"{path[1]} changed"
    if kind in ("MissingFile", "UnableToReadFile", "FailedToReadMetadata") and path:
        return f"{path[1]} is missing or cannot be read"
    if _CONSEQUENCE.match(inner):
        return "one of its dependencies was compiled again"
    return _SENTENCES.get(kind, f"cargo says: {words}")


def _option(text: str) -> str:
    found = re.fullmatch(r'Some\("(.*)"\)', text)
    return found[1] if found else "not set" if text == "None" else text


def _debug_list(text: str) -> str:
    """`["-C", "debuginfo=1"]`, or features: `"[\\"std\\"]"`."""
    words = re.findall(r'"([^"\\\[\],]+)\\?"', text)
    return " ".join(words) or "none"


# --- fingerprints ----------------------------------------------------------------------------------------------------

_UNCHANGED = ""


def fingerprints(log: str) -> dict[str, str]:
    """Crate -> what differs between what the deps image has of it and what the build made, in words."""
    sides: dict[str, dict[tuple[str, str], list[Mapping[str, Any]]]] = {
        "cooked": defaultdict(list), "used": defaultdict(list)
    }  # fmt: skip
    for note in every(Fingerprint, log.splitlines()):
        if (table := _object(note.content)) is not None:
            sides[note.side][note.crate, note.unit].append(table)
    out: dict[str, str] = {}
    for (crate, file), made in sides["used"].items():
        for used in made:
            reason = _differing(sides["cooked"].get((crate, file), []), used)
            # Of a crate's units, one that differs in itself says more than one that follows from another.
            out[crate] = out.get(crate) or reason
    return out


def _differing(cooked: Iterable[Mapping[str, Any]], used: Mapping[str, Any]) -> str:
    lists = [_fields(one, used) for one in cooked]
    if not lists:
        return "the deps layer did not compile it"
    fewest: list[str] = min(lists, key=len)
    return "; ".join(fewest)


def _fields(cooked: Mapping[str, Any], used: Mapping[str, Any]) -> list[str]:
    """What differs, in words; empty when only dependencies do."""
    if cooked.get("path") != used.get("path"):
        return ["the deps layer compiled another version or source of it"]
    parts = []
    if cooked.get("rustc") != used.get("rustc"):
        parts.append("the compiler differs")
    if cooked.get("features") != used.get("features"):
        was, now = (_words(table.get("features")) for table in (cooked, used))
        parts.append(f"features: {was} in the deps layer, {now} in the app build")
    if cooked.get("rustflags") != used.get("rustflags"):
        was, now = (_words(table.get("rustflags")) for table in (cooked, used))
        parts.append(f"RUSTFLAGS: {was} in the deps layer, {now} in the app build")
    if cooked.get("profile") != used.get("profile"):
        parts.append("the profile differs (the fingerprint does not say in which key)")
    if cooked.get("compile_kind") != used.get("compile_kind"):
        parts.append("it is compiled for another target")
    if cooked.get("target") != used.get("target"):
        parts.append("its target's settings in the manifest differ")
    was_read, now_read = _read(cooked), _read(used)
    for name in sorted(was_read.keys() & now_read.keys()):
        if was_read[name] != now_read[name]:
            before, after = (value if value is not None else "not set" for value in (was_read[name], now_read[name]))
            parts.append(f"environment variable {name}: {before} in the deps layer, {after} in the app build")
    if not parts and cooked.get("config") != used.get("config"):
        parts.append("cargo's configuration differs")
    return parts


def _read(table: Mapping[str, Any]) -> dict[str, str | None]:
    """Variables that a build script reads, with their values."""
    entries = [entry.get("RerunIfEnvChanged") for entry in table.get("local", ()) if isinstance(entry, dict)]
    return {str(entry["var"]): entry.get("val") for entry in entries if isinstance(entry, dict) and "var" in entry}


def _words(value: Any) -> str:
    """`["-C", "lto"]`, or features, which are a list in a text."""
    found = _object(value) if isinstance(value, str) else value
    return " ".join(map(str, found)) if isinstance(found, list) and found else "none"


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
