"""Random edits of a workspace of readers: a user, a branch switch, a backup tool and a careless script."""

from __future__ import annotations

import os
import random
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.support.clean_build import listed
from tests.support.git import git
from tests.support.reading_workspace import FIXED, NAMES, PLAIN, Workspace, content

_HOUR_NS: Final = 3_600_000_000_000
_Kept = tuple[bytes, int] | str
"""A file's content and time, or where a link leads."""


class Editor:
    """Each `step` is one edit and returns what it was; `states` are the trees that `remember` kept."""

    def __init__(self, root: Path, made: Workspace, chance: random.Random) -> None:
        self.root, self.made, self.chance = root, made, chance
        self._states: list[dict[str, _Kept]] = []
        self._branches: list[str] = []
        self._missing: tuple[str, _Kept] | None = None
        self._edits: list[tuple[int, Callable[[], str]]] = [
            (8, self.change), (4, self.quiet), (8, self.add), (5, self.remove), (4, self.rename), (3, self.move),
            (2, self.swap), (2, self.to_folder), (2, self.to_file), (2, self.empty), (2, self.link), (2, self.leads),
            (2, self.points), (2, self.binary), (2, self.times), (2, self.unread), (3, self.source), (2, self.script),
            (2, self.feature), (2, self.version), (1, self.needed), (2, self.branch), (3, self.switch),
            (3, self.revert), (2, self.several),
        ]  # fmt: skip
        git(root, "init", "--quiet", "--initial-branch", "first")
        self.branch()

    def step(self) -> str:
        """One edit, after what the last one broke is made good."""
        if self._missing is not None:
            (path, kept), self._missing = self._missing, None
            self._put(path, kept)
            return f"brought back {path}"
        edit = self.chance.choices([edit for _, edit in self._edits], [weight for weight, _ in self._edits])[0]
        return f"{edit.__name__}: {edit()}"

    def remember(self) -> None:
        """Keep the tree as it is for a later revert."""
        self._states.append({path: self._kept(path) for path in listed(self.root)})

    # --- data --------------------------------------------------------------------------------------------------------

    def change(self) -> str:
        path = self.chance.choice(self._data())
        self._write(path)
        return path

    def quiet(self) -> str:
        """A change of equal size that keeps the file's time."""
        path = self.chance.choice(self._data())
        before = (self.root / path).stat().st_mtime_ns
        self._write(path)
        os.utime(self.root / path, ns=(before, before))
        return path

    def add(self) -> str:
        path = f"{self.chance.choice(self.made.places)}/{self.chance.choice(NAMES)}"
        self._write(path)
        return path

    def remove(self) -> str:
        return self._without(self.chance.choice(self._loose()))

    def rename(self) -> str:
        old = self.chance.choice(self._loose())
        place = next(place for place in self.made.places if old.startswith(f"{place}/"))
        return self._moved(old, f"{place}/{self.chance.choice(NAMES)}")

    def move(self) -> str:
        """From folder to folder, content and time as they are."""
        old = self.chance.choice(self._loose())
        return self._moved(old, f"{self.chance.choice(self.made.places)}/{old.rpartition('/')[2]}")

    def swap(self) -> str:
        """Two files in each other's place, by renames, with their times."""
        first = self.chance.choice(self._loose())
        others = [path for path in self._loose() if path != first and path.rpartition("/")[2] != "Cargo.toml"]
        if not others or first.endswith(".rs"):
            return "nothing"
        second = self.chance.choice([path for path in others if not path.endswith(".rs")] or [first])
        kept = self._kept(first), self._kept(second)
        self._put(second, kept[0])
        self._put(first, kept[1])
        return f"{first} {second}"

    def to_folder(self) -> str:
        """A folder of the same name in a file's place."""
        path = self.chance.choice(self._loose())
        (self.root / path).unlink()
        self._write(f"{path}/inside.txt")
        return path

    def to_file(self) -> str:
        """A file of the same name in a folder's place."""
        folders = {path.rpartition("/")[0] for path in self._loose()} - set(self.made.places)
        kept = {path.rpartition("/")[0] for path in self._data() if path not in self._loose()}
        found = sorted(one for one in folders if not any(f"{path}/".startswith(f"{one}/") for path in kept))
        if not found:
            return "nothing"
        path = self.chance.choice(found)
        shutil.rmtree(self.root / path)
        self._write(path)
        return path

    def empty(self) -> str:
        """All that a folder has, and so the folder."""
        place = self.chance.choice(self.made.places)
        for path in self._loose():
            if path.startswith(f"{place}/"):
                self._without(path)
        return place

    def link(self) -> str:
        """A link to a file, or to nothing."""
        path = f"{self.chance.choice(self.made.places)}/link.txt"
        target = self.chance.choice([*self._data(), "nowhere"])
        self._put(path, os.path.relpath(target, os.path.dirname(path)))
        return f"{path} to {target}"

    def leads(self) -> str:
        """A folder link leads elsewhere. Not one by which a source is found."""
        links = {f"via{number}": part for number, part in enumerate(self.made.parts) if part.link}
        found = [path for path in self.made.links if links[path.rpartition("/")[2]].way not in PLAIN]
        if not found:
            return "nothing"
        path, place = self.chance.choice(found), self.chance.choice(self.made.places)
        self._put(path, os.path.relpath(place, os.path.dirname(path) or "."))
        return f"{path} to {place}"

    def points(self) -> str:
        """Another name in the file that names a file."""
        path = f"{self.chance.choice(self.made.places)}/pointer"
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        name = self.chance.choice(
            [*NAMES[:4], *(one[len(path) - 7 :] for one in self._data() if one.startswith(path[:-7]))]
        )
        (self.root / path).write_text(name)
        return f"{path} to {name}"

    def needed(self) -> str:
        """What does not compile; the next edit repairs it."""
        found = [path for path in self._data() if path.rpartition("/")[2] in {os.path.basename(name) for name in FIXED}]
        if not found:
            return "nothing"
        path = self.chance.choice(found)
        self._missing = (path, self._kept(path))
        return f"without {self._without(path)}"

    # --- the packages ------------------------------------------------------------------------------------------------

    def source(self) -> str:
        return self._constant(
            "SOURCE", [f"{self.made.app}src/main.rs", f"{self.made.app}src/bin/second.rs", *self._paths("src/lib.rs")]
        )

    def script(self) -> str:
        return self._constant("SCRIPT", self._paths("build.rs"))

    def binary(self) -> str:
        """One more program, or one fewer."""
        path = f"{self.made.app}src/bin/more.rs"
        if (self.root / path).exists():
            return f"without {self._without(path)}"
        self._write(path)
        return path

    def feature(self) -> str:
        path = self.chance.choice(["crates/lib/Cargo.toml", "crates/util/Cargo.toml", f"{self.made.app}Cargo.toml"])
        text = (self.root / path).read_text()
        on = "default = []" in text
        (self.root / path).write_text(
            text.replace("default = []", 'default = ["extra"]')
            if on
            else text.replace('default = ["extra"]', "default = []")
        )
        return f"{path} {'on' if on else 'off'}"

    def version(self) -> str:
        """Another version of a member, in its manifest and in Cargo.lock."""
        crate = self.chance.choice(["app", "lib", "util", "store", "script0"])
        new = f"0.{self.chance.randrange(10)}.{self.chance.randrange(10)}"
        for path, head in ((f"{self.made.folder(crate)}Cargo.toml", ""), ("Cargo.lock", "")):
            text = (self.root / path).read_text()
            pattern = rf'(name = "{crate}"\n{head}version = )"[^"]*"'
            assert re.search(pattern, text), path
            (self.root / path).write_text(re.sub(pattern, rf'\1"{new}"', text))
        return f"{crate} {new}"

    # --- the whole tree ----------------------------------------------------------------------------------------------

    def times(self) -> str:
        path = self.chance.choice(listed(self.root))
        stamp = time.time_ns() + self.chance.randrange(-10_000, 10_000) * _HOUR_NS // 10
        os.utime(self.root / path, ns=(stamp, stamp), follow_symlinks=False)
        return path

    def unread(self) -> str:
        path = self.chance.choice(["README.md", ".github/ci.yml", "docs/page.md", "docs/more.md"])
        self._write(path)
        return path

    def branch(self) -> str:
        name = f"b{len(self._branches)}"
        git(self.root, "checkout", "--quiet", "-b", name)
        self._commit()
        self._branches.append(name)
        return name

    def switch(self) -> str:
        self._commit()
        name = self.chance.choice(self._branches)
        git(self.root, "checkout", "--quiet", name)
        return name

    def revert(self) -> str:
        """All files as they were at an earlier build, with their old times, as a restored backup has them."""
        if not self._states:
            return "nothing"
        number = self.chance.randrange(len(self._states))
        wanted = self._states[number]
        for path in listed(self.root):
            self._without(path)
        for path, kept in wanted.items():
            self._put(path, kept)
        return f"to state {number}"

    def several(self) -> str:
        edits = (self.change, self.add, self.remove, self.rename, self.source, self.script, self.unread)
        return "; ".join(f"{edit.__name__}: {edit()}" for edit in self.chance.choices(edits, k=3))

    # --- how ---------------------------------------------------------------------------------------------------------

    def _number(self) -> str:
        """Always four digits: sizes stay equal."""
        return f"{self.chance.randrange(10_000):04d}"

    def _data(self) -> list[str]:
        """Files below the folders that are read, without links and those that name others."""
        inside = tuple(f"{place}/" for place in self.made.places)
        return [
            path
            for path in listed(self.root)
            if path.startswith(inside) and not (self.root / path).is_symlink() and not path.endswith("/pointer")
        ]

    def _loose(self) -> list[str]:
        """Those of them without which all compiles; if there is none, one is made."""
        fixed = {os.path.basename(name) for name in FIXED}
        found = [path for path in self._data() if path.rpartition("/")[2] not in fixed]
        if not found:
            found = [f"{self.chance.choice(self.made.places)}/a.txt"]
            self._write(found[0])
        return found

    def _paths(self, name: str) -> list[str]:
        homes = {self.made.folder(part.crate) for part in self.made.parts}
        return [path for home in sorted(homes) if (self.root / (path := home + name)).exists()]

    def _constant(self, name: str, paths: list[str]) -> str:
        path, number = self.chance.choice(paths), self._number()
        text = (self.root / path).read_text()
        (self.root / path).write_text(re.sub(rf'(const {name}: &str = )"\d+"', rf'\1"{number}"', text))
        return f"{path} {number}"

    def _write(self, path: str) -> None:
        self._put(path, (content(path, self._number()).encode(), time.time_ns()))

    def _kept(self, path: str) -> _Kept:
        file = self.root / path
        return os.readlink(file) if file.is_symlink() else (file.read_bytes(), file.stat().st_mtime_ns)

    def _put(self, path: str, kept: _Kept) -> None:
        target = self.root / path
        # What stands in the way goes: a file where a folder has to be, or a folder where the file has to be.
        for parent in reversed(target.relative_to(self.root).parents):
            if (place := self.root / parent).is_file():
                place.unlink()
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        elif os.path.lexists(target):
            target.unlink()
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(kept, str):
            target.symlink_to(kept)
        else:
            target.write_bytes(kept[0])
            os.utime(target, ns=(kept[1], kept[1]))

    def _without(self, path: str) -> str:
        """Remove a file, and the folders that are empty then, as git does."""
        target = self.root / path
        target.unlink()
        for parent in target.relative_to(self.root).parents:
            if parent.name and not any((self.root / parent).iterdir()):
                (self.root / parent).rmdir()
        return path

    def _moved(self, old: str, new: str) -> str:
        kept = self._kept(old)
        self._without(old)
        self._put(new, kept)
        return f"{old} to {new}"

    def _commit(self) -> None:
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--allow-empty", "--message", "x")
