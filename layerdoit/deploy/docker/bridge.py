"""Files of the old page, for browsers that are open while it is replaced: they load more of its parts later.

Those are the files with hashed names that the image of the old container has, and the new one lacks. They are laid into
the new container before it starts, so they live as long as it does: for one more release. What was laid into the old
container itself is left behind; it is known by a bit of its mode that means nothing for files.
"""

from __future__ import annotations

import posixpath
import re
import stat
import tarfile
import tempfile
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Final

from layerdoit.core.errors import LayerdoitError
from layerdoit.core.units import count_text, instant, size_text

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings, Page
    from layerdoit.engine.container import Container
    from layerdoit.engine.containers import Containers

LIMIT: Final = 64_000_000
"""Bytes of a page that are laid into the next one."""
_IN_MEMORY: Final = 8_000_000
_LAID: Final = stat.S_ISVTX
"""On a file, Linux ignores it, and no image has it."""


class Bridge:
    """Of one replacement. `told`: what the user should know of it."""

    def __init__(self, settings: DeploySettings, containers: Containers) -> None:
        self._pages = settings.pages
        self._containers = containers
        self.told: list[str] = []

    def lay(self, old: Container | None, new: Container) -> None:
        """From the old container into one that replaces it. What fails is told: no deployment fails for that."""
        self.told = []
        for page in self._pages if old else ():
            try:
                if old and page.hashed:
                    self._lay(page, old, new)
            except (LayerdoitError, OSError) as error:
                said = error.what if isinstance(error, LayerdoitError) else str(error)
                self.told.append(f"browsers with the old page open may miss parts of it ({page.folder}): {said}")

    def _lay(self, page: Page, old: Container, new: Container) -> None:
        created, mounts = self._containers.created(old)
        # A volume outlives the container, and is somebody else's.
        for one in (*mounts, *self._containers.created(new)[1]):
            if _below(page.folder, one) or _below(one, page.folder):
                return
        there = {member.name for member, _ in self._containers.contents(new, page.folder)}
        if not there:
            return
        parent = posixpath.dirname(page.folder)
        own = _Own(self._containers, old, parent, instant(created))

        def wanted(member: tarfile.TarInfo) -> bool:
            if member.name in there:
                return False
            # Of the same image once more, what the old one had of the release before.
            laid = bool(member.mode & _LAID)
            return laid if old.image == new.image else not laid and own.holds(member)

        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spooled:
            with tarfile.open(fileobj=spooled, mode="w") as packed:
                count = self._pack(page, old, wanted, packed)
            spooled.seek(0)
            if count:
                self._containers.fill(new, parent, spooled)

    def _pack(
        self, page: Page, old: Container, wanted: Callable[[tarfile.TarInfo], bool], packed: tarfile.TarFile
    ) -> int:
        """Pack the hashed files that are wanted, with their folders; how many those are."""
        hashed = re.compile(page.hashed)
        folders: dict[str, tarfile.TarInfo] = {}
        size = count = left_out = 0
        for member, content in self._containers.contents(old, page.folder):
            if member.isdir():
                folders[member.name] = member
            elif content is not None and hashed.match(member.name.partition("/")[2]) and wanted(member):
                if size + member.size > LIMIT:
                    left_out += 1
                    continue
                for name in [name for name in folders if member.name.startswith(f"{name}/")]:
                    packed.addfile(_readable(folders.pop(name), 0o755))
                packed.addfile(_readable(member, 0o444 | _LAID), content)
                size, count = size + member.size, count + 1
        if left_out:
            left = count_text(left_out, "hashed file")
            self.told.append(f"{left} of the old page are gone for open browsers: more than {size_text(LIMIT)} in all")
        return count


class _Own:
    """The files that a container has of its image. What it wrote itself later is none of them."""

    def __init__(self, containers: Containers, container: Container, parent: str, created: int) -> None:
        self._containers = containers
        self._container = container
        self._parent = parent
        self._created = created

    @cached_property
    def _changed(self) -> frozenset[str]:
        return self._containers.changed(self._container)

    def holds(self, member: tarfile.TarInfo) -> bool:
        """Whether a file is one of them. Only where its time leaves that open, the engine is asked, which is slow."""
        return member.mtime < self._created or posixpath.join(self._parent, member.name) not in self._changed


def _readable(member: tarfile.TarInfo, mode: int) -> tarfile.TarInfo:
    """As it was, and open to whatever user the new container has."""
    return member.replace(mode=member.mode | mode, deep=False)


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
