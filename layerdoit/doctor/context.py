"""What is sent to builds: how much, and which files that nobody compiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from layerdoit.core.prose import listed
from layerdoit.core.units import size_text
from layerdoit.doctor.finding import Fact, Finding, Item, Rule, rules

# Below, a file or folder costs nothing that anybody notices.
LARGE_FILE = 5 * 10**6
LARGE_FOLDER = 20 * 10**6
LARGE_CONTEXT = 200 * 10**6

LARGE = Rule(
    "context-large",
    "warning",
    "Large amounts of data are sent to builds.",
    "it is hashed, copied and sent to the engine, and a change in it runs cargo",
    "exclude what is not source code: in .gitignore, .dockerignore, or sources.exclude in layerdoit.yaml",
)
LARGE_ITEM = Rule(
    "context-large-file",
    "hint",
    "A large file or folder is among the sources.",
    "it is sent to every builder, and a change in it runs cargo",
    "exclude it (sources.exclude in layerdoit.yaml); what only the running program needs belongs in image.assets",
)
RULES = tuple(rules(globals()))

_COMPILED = (".rs", ".c", ".h", ".cc", ".cpp", ".hpp", ".toml", ".lock", ".proto", ".sql")


@dataclass(frozen=True)
class Context:
    """Sizes in bytes by path relative to the workspace root; `sources` are what the compiler may see."""

    sources: Mapping[str, int]
    assets: Mapping[str, int]


def context(found: Context) -> Iterator[Item]:
    """Size, and what is large."""
    total = sum(found.sources.values()) + sum(found.assets.values())
    assets = f", {len(found.assets)} of them assets" if found.assets else ""
    yield Fact("context", f"{size_text(total)} in {len(found.sources) + len(found.assets)} files{assets}")
    if total > LARGE_CONTEXT:
        names = [f"{name} ({size_text(size)})" for name, size in largest(found.sources, 5)]
        yield LARGE.found(f"{size_text(total)} are sent to builds; the largest: {listed(names)}")
    yield from _items(found.sources)


def _items(sizes: Mapping[str, int]) -> Iterator[Finding]:
    folders = list(_folders(sizes))
    for folder, size in folders:
        yield LARGE_ITEM.found(f"{folder}/ holds {size_text(size)} that no compiler reads", folder)
    inside = tuple(f"{folder}/" for folder, _ in folders)
    plain = {name: size for name, size in sizes.items() if not name.startswith(inside) and not name.endswith(_COMPILED)}
    for name, size in largest(plain, 5):
        if size >= LARGE_FILE:
            yield LARGE_ITEM.found(f"{name} has {size_text(size)}", name)


def _folders(sizes: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    """The deepest folders that hold much, little of which is compiled: at most five, none inside another."""
    all_of: dict[str, int] = {}
    compiled: set[str] = set()
    for name, size in sizes.items():
        parts = name.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            all_of[folder] = all_of.get(folder, 0) + size
            if name.endswith((".rs", "Cargo.toml")):
                compiled.add(folder)
    # One large file is told as such.
    heavy = {
        folder: size
        for folder, size in all_of.items()
        if size >= LARGE_FOLDER
        and folder not in compiled
        and max(item for name, item in sizes.items() if name.startswith(f"{folder}/")) < size * 0.9
    }
    tops = [folder for folder in heavy if not any(folder.startswith(f"{other}/") for other in heavy)]
    return sorted(((folder, heavy[folder]) for folder in tops), key=lambda item: -item[1])[:5]


def largest(sizes: Mapping[str, int], count: int) -> list[tuple[str, int]]:
    """The largest files, largest first."""
    return sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:count]
