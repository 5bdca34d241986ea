"""A Rust project of made-up sources, and what init proposes for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from layerdoit.init import proposal
from layerdoit.init.found import Found, look
from layerdoit.init.items import Item
from tests.support.files import write
from tests.support.lockfile import entry, external, lockfile
from tests.support.manifest import package

Values = dict[str, object]


def project(root: Path, main: str, files: Mapping[str, str] | None = None, needs: tuple[str, ...] = ()) -> Found:
    """What is found in a package with these sources. `needs`: crates that it depends on."""
    tables = "[dependencies]\n" + "".join(f'{name} = "1"\n' for name in needs)
    crates = [external(name, "1.0.0", "aa") for name in needs]
    write(root, {
        "Cargo.toml": package("shop", tables), "Cargo.lock": lockfile(entry("shop", needs=needs), *crates),
        "src/main.rs": main, **(files or {}),
    })  # fmt: skip
    return look(root)


def items(found: Found, *, active: bool = True) -> list[Item]:
    return [item for item in proposal.propose(found).items if item.active is active]


def values(found: Found, *paths: str) -> Values:
    """The active settings, or those of some parts."""
    out: Values = {}
    for item in items(found):
        if not paths or item.path.startswith(paths):
            if isinstance(item.value, tuple):
                out.setdefault(item.path, {})[item.value[0]] = item.value[1]  # type: ignore[index]
            else:
                known = out.get(item.path, [])
                several = [*(known if isinstance(known, list) else [known]), item.value]
                out[item.path] = several if len(several) > 1 else item.value
    return out


def assets(found: Found) -> object:
    return values(found, "image.assets").get("image.assets", {})


def inside(code: str) -> str:
    return f"fn main() {{ {code} }}\n"


def workspace(root: Path, files: Mapping[str, str]) -> Found:
    """Two programs and a library of theirs, with these sources."""
    members = ("web", "worker", "core")
    manifests = {
        f"{name}/Cargo.toml": package(name, "[dependencies]\ncore = { path = '../core' }\n") for name in members[:2]
    }
    return look(write(root, {
        "Cargo.toml": '[workspace]\nmembers = ["web", "worker", "core"]\nresolver = "2"\n',
        "Cargo.lock": lockfile(entry("web", needs=("core",)), entry("worker", needs=("core",)), entry("core")),
        "core/Cargo.toml": package("core"), "core/src/lib.rs": "", "worker/src/main.rs": inside(""),
        **manifests, **files,
    }))  # fmt: skip
