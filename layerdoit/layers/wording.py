"""Describe the change of a single input."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from layerdoit.core.prose import listed

_KEYS = ("base", "deps", "runtime")
_DEPENDENCY = re.compile(r"((?:build-|dev-)?dependency) (\S+): (\S+)(?: \[(.*)\])?")
_FEATURE = re.compile(r"feature (\S+): (.+)", re.DOTALL)
_PROFILE = re.compile(r"(?:config )?profile \S+")
_SHORT = 80
# Inputs that are lists of words: what an item of them is called.
_LISTS = {
    "packages": "system package",
    "targets": "target",
    "binaries": "binary",
    "selection": "built package",
    "option features": "feature",
    "image folders": "folder of the user",
}
_KINDS = {
    **dict.fromkeys(("packages", "os", "platform", "user"), "system"),
    **dict.fromkeys(("toolchain", "targets", "linker"), "toolchain"),
    **dict.fromkeys(_KEYS, "layer"),
}
_WORDS = {
    "package": "package",
    "feature": "feature",
    "option": "option",
    "profile": "profile",
    "env": "environment",
    **dict.fromkeys(("file", "files"), "file"),
    **dict.fromkeys(("asset", "assets"), "asset"),
}
_SWITCHES = {
    "option all-features": ("all features are enabled", "all features are no longer enabled"),
    "option default-features": ("default features are disabled", "default features are enabled again"),
}


NO_LONGER: Mapping[str, str] = {"file": "no longer a source", "asset": "no longer an asset"}
"""What is said of a file that is listed as something else than before."""


def kind_of(name: str) -> str:
    """The kind of an input: one of `words.KINDS`."""
    if name in _KINDS:
        return _KINDS[name]
    if _DEPENDENCY.fullmatch(name):
        return "dependency"
    if _PROFILE.fullmatch(name):
        return "profile"
    first, space, _ = name.partition(" ")
    return _WORDS.get(first, "setting") if space else "setting"


def is_folder(name: str) -> bool:
    """Whether a listing's name stands for all files of a folder, as of many files: `files in src/`."""
    return name.startswith(("files in ", "assets in "))


def path_of(name: str) -> str:
    """`file src/main.rs` -> `src/main.rs`, `files in src/` -> `src/`."""
    first, _, rest = name.partition(" ")
    return rest.removeprefix("in ") if first in ("files", "assets") else rest


def change_text(kind: str, names: Sequence[str], old: str | None, new: str | None) -> str:
    """Describe one change. Only a dependency, which several members may have, has several names. `old != new`."""
    if kind == "dependency":
        return dependency_text(names, old, new)
    return text_of(kind, names[0], old, new)


def text_of(kind: str, name: str, old: str | None, new: str | None) -> str:
    """Describe one change; `old != new`."""
    if kind in ("file", "asset"):
        return f"{path_of(name)} {_came_or_went(old, new)}"
    special = _SPECIAL.get(kind, _setting)
    return special(name, old, new) or _plain(name, old, new)


def _came_or_went(old: str | None, new: str | None) -> str:
    return "added" if old is None else "removed" if new is None else "changed"


# --- packages of Cargo.lock ------------------------------------------------------------------------------------------


class Moved(NamedTuple):
    """Versions of one package: removed, added and kept."""

    went: tuple[str, ...]
    came: tuple[str, ...]
    stayed: tuple[str, ...]


def moved(old: str | None, new: str | None) -> Moved:
    """Compare a package's versions, from its input's old and new text."""
    before, after = _versions(old), _versions(new)
    return Moved(
        tuple(version for version in before if version not in after),
        tuple(version for version in after if version not in before),
        tuple(version for version in after if version in before),
    )


def _locked(value: str | None) -> dict[str, str]:
    """Version -> the rest: checksum, source, and the versions used where several are locked."""
    parts = [] if value is None else value.split("; ")
    return {version: rest for version, _, rest in (part.partition(" ") for part in parts)}


def _versions(value: str | None) -> list[str]:
    return list(_locked(value))


def _package(name: str, old: str | None, new: str | None) -> str:
    name = name.removeprefix("package ")
    found = moved(old, new)
    went, came, stayed = (", ".join(versions) for versions in (found.went, found.came, found.stayed))
    if found.went and found.came:
        return f"{name} {went} → {came}" + (f" ({stayed} stays)" if stayed else "")
    if found.came:
        return f"{name} {came} added" + (f" beside {stayed}" if stayed else "")
    if found.went:
        return f"{name} {went} removed" + (f" ({stayed} stays)" if stayed else "")
    before, after = _locked(old), _locked(new)
    version = next((version for version in after if before[version] != after[version]), stayed)
    return f"{name} {version}: {_otherwise(before.get(version, ''), after.get(version, ''))}"


def _otherwise(old: str, new: str) -> str:
    """How a package differs although its version is the same."""
    (was, _, edges), (now, _, others) = old.partition("-> "), new.partition("-> ")
    if was == now:
        return f"it uses {others or 'no choice of versions'} (was {edges or 'none'})"
    sources = [re.search(r"(?:^|from )((?:git|path|registry|sparse)\+\S+)", text) for text in (was, now)]
    if sources[0] is not None or sources[1] is not None:
        before, after = (found[1] if found else "crates.io" for found in sources)
        if before != after:
            return f"now from {after} (was {before})"
    return "different content or source"


# --- dependency tables and features ----------------------------------------------------------------------------------


def dependency_of(name: str) -> str:
    """The input's name without the member, so that equal changes of several members become one."""
    found = _DEPENDENCY.fullmatch(name)
    assert found is not None  # noqa: S101 - asked for dependencies only
    return f"{found[1]} {found[3]} {found[4]}"


def members_of(names: Sequence[str]) -> list[str]:
    """The members whose dependency tables have the change."""
    return [found[2] for name in names if (found := _DEPENDENCY.fullmatch(name))]


def dependency_text(names: Sequence[str], old: str | None, new: str | None) -> str:
    """Describe a changed entry of the members' dependency tables."""
    found = _DEPENDENCY.fullmatch(names[0])
    assert found is not None  # noqa: S101
    members = members_of(names)
    who = listed(members, 4)
    kind, crate = found[1], found[3]
    where = f" [{found[4]}]" if found[4] else ""
    what = f"{kind} {crate}{where}"
    before, after = _table(old), _table(new)
    if old is None and after is not None:
        return f"{who}: new {what}{_described(after)}"
    if new is None:
        return f"{who}: {what} removed"
    parts = [] if before is None or after is None else _respecified(before, after)
    return f"{who}: {what}: {'; '.join(parts) or f'{_short(old)} → {_short(new)}'}"


def _described(table: Mapping[str, Any]) -> str:
    words = [str(table["version"])] if "version" in table else []
    words += [f"{name} {table[name]}" for name in ("git", "path", "branch", "rev", "tag") if name in table]
    parts = [" ".join(words)] if words else []
    if table.get("features"):
        parts.append(f"features {', '.join(map(str, table['features']))}")
    if table.get("default-features") is False:
        parts.append("without default features")
    if table.get("optional"):
        parts.append("optional")
    return f" ({', '.join(parts)})" if parts else ""


def _respecified(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    parts = []
    if old.get("version") != new.get("version"):
        parts.append(f"asks for {new.get('version', 'any version')} (was {old.get('version', 'any')})")
    was, now = (set(map(str, table.get("features", ()))) for table in (old, new))
    parts += [f"feature {name} enabled" for name in sorted(now - was)]
    parts += [f"feature {name} no longer enabled" for name in sorted(was - now)]
    if old.get("default-features", True) != new.get("default-features", True):
        parts.append(f"default features {'enabled' if new.get('default-features', True) else 'disabled'}")
    if bool(old.get("optional")) != bool(new.get("optional")):
        parts.append("is optional now" if new.get("optional") else "is no longer optional")
    told = ("version", "features", "default-features", "optional")
    rest = sorted(name for name in old.keys() | new.keys() if name not in told and old.get(name) != new.get(name))
    return parts + [f"{name} {_item(old.get(name))} → {_item(new.get(name))}" for name in rest]


def _feature(name: str, old: str | None, new: str | None) -> str | None:
    found = _FEATURE.fullmatch(name)
    was, now = _list(old), _list(new)
    if found is None:
        return None
    if old is None and now is not None:
        return f"{found[1]}: new feature {found[2]}" + (f", enables {', '.join(now)}" if now else "")
    if new is None:
        return f"{found[1]}: feature {found[2]} removed"
    if was is None or now is None or set(was) == set(now):
        return None
    parts = [f"enables {item}" for item in now if item not in was]
    parts += [f"no longer enables {item}" for item in was if item not in now]
    return f"{found[1]}: feature {found[2]} {', '.join(parts)}"


# --- settings --------------------------------------------------------------------------------------------------------


def _profile(name: str, old: str | None, new: str | None) -> str | None:
    return _keys(name, old, new)


def _keys(name: str, old: str | None, new: str | None) -> str | None:
    """Compare tables, key by key; None if one is not a table."""
    before, after = ({} if value is None else _table(value) for value in (old, new))
    if before is None or after is None:
        return None
    was, now = _flat(before), _flat(after)
    changed = sorted(key for key in was.keys() | now.keys() if was.get(key) != now.get(key))
    parts = [f"{key} {_from_to(was.get(key), now.get(key))}" for key in changed]
    return f"{name}: {', '.join(parts)}" if parts else None


def _from_to(old: Any, new: Any) -> str:
    if old is None:
        return f"= {_item(new)} (was not set)"
    return f"no longer set (was {_item(old)})" if new is None else f"{_item(old)} → {_item(new)}"


def _setting(name: str, old: str | None, new: str | None) -> str | None:
    if name.startswith("Dockerfile.") or name == "local packages under external ones":
        return f"{name} changed"
    if name.startswith(("component ", "embedded component ")):
        return f"{name} {_came_or_went(old, new)}"
    if name.startswith("version ") and old and new:
        return f"{name.removeprefix('version ')} {old} → {new}"
    if name.startswith("build script "):
        return f"{name.removeprefix('build script ')} {'has a build script now' if new else 'has no build script now'}"
    if name in ("image env", "image labels", "image assets"):
        return _keys(name, old, new)
    return _items(name, old, new)


def _items(name: str, old: str | None, new: str | None) -> str | None:
    """Compare lists of words, word by word; None if the input is not a list."""
    if name not in _LISTS:
        return None
    before, after = (old or "").split(), (new or "").split()
    parts = [f"{_LISTS[name]} {item} added" for item in after if item not in before]
    parts += [f"{_LISTS[name]} {item} removed" for item in before if item not in after]
    return "; ".join(parts) or None


def _option(name: str, old: str | None, new: str | None) -> str | None:
    if name in _SWITCHES:
        return _SWITCHES[name][0 if old is None else 1]
    return _items(name, old, new)


def _layer(name: str, _old: str | None, _new: str | None) -> str:
    return f"the {name} layer changed"


_SPECIAL: Mapping[str, Callable[[str, str | None, str | None], str | None]] = {
    "package": _package,
    "feature": _feature,
    "option": _option,
    "profile": _profile,
    "layer": _layer,
}


def _plain(name: str, old: str | None, new: str | None) -> str:
    if old is None:
        return f"{name}: now {_short(new)}"
    if new is None:
        return f"{name}: removed (was {_short(old)})"
    return f"{name}: {_short(old)} → {_short(new)}"


# --- texts -----------------------------------------------------------------------------------------------------------


def _json(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None


def _table(text: str | None) -> Mapping[str, Any] | None:
    found = _json(text)
    return found if isinstance(found, dict) else None


def _list(text: str | None) -> list[str] | None:
    found = _json(text)
    return found if isinstance(found, list) and all(isinstance(item, str) for item in found) else None


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict) and value:
            out.update(_flat(value, f"{prefix}{name}."))
        else:
            out[f"{prefix}{name}"] = value
    return out


def _item(value: Any) -> str:
    if value is None:
        return "(none)"
    return _short(value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False))


def _short(value: str | None) -> str:
    text = value or "(none)"
    return text if len(text) <= _SHORT else text[: _SHORT - 3] + "..."
