"""What hides a file from builds: the rule that leaves it out, where it stands, and what would send it all the same."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.core.errors import ProcessError, WorkspaceError
from layerdoit.tree import git, links, listing
from layerdoit.tree.ignore_patterns import GitIgnore, Patterns

if TYPE_CHECKING:
    from layerdoit.tree.lister import Lister


class Hidden(NamedTuple):
    """A path that is there, and not sent. `path`: relative to the workspace; `why`: what of it, as a sentence.

    `include`: what `sources.include` has to name; "" where that does not help. `cure`: what helps then.
    """

    path: str
    why: str
    include: str = ""
    cure: str = ""

    def hint(self, included: Sequence[str] = ()) -> str:
        """The next step. `included`: what is included already."""
        if not self.include:
            return self.cure
        return f"add to layerdoit.yaml: sources: {{include: [{', '.join(dict.fromkeys((*included, self.include)))}]}}"


def left_out(lister: Lister, path: str) -> WorkspaceError:
    """The error for a file that a manifest names, and that is not sent."""
    path = os.path.normpath(path)
    found = why(lister, path)
    what = f"{path} is not sent to builds: {found.why}" if found else f"{path} is not sent to builds"
    return WorkspaceError(what, where=str(lister.root / path), hint=found.hint(lister.include) if found else None)


def why(lister: Lister, path: str, assets: Sequence[str] = ()) -> Hidden | None:
    """What hides a path, relative to the workspace; None where nothing does, or where it does not exist.

    `assets`: paths that are only copied into the image.
    """
    path = os.path.relpath(os.path.normpath(lister.root / path), lister.root)
    if not os.path.lexists(lister.root / path):
        return None
    asset = next((name for name in map(posixpath.normpath, assets) if f"{path}/".startswith(f"{name}/")), None)
    if asset is not None:
        return Hidden(path, "it is an asset (image.assets), which no compiler sees", asset)
    if lister.has(path) or (os.path.isdir(lister.root / path) and lister.has_below(path)):
        return None
    return _behind_link(lister, path) or _outside(lister, path) or _left_out(lister, path)


def _behind_link(lister: Lister, path: str) -> Hidden | None:
    on_it, end = links.way(str(lister.root), path)
    if not on_it:
        return None
    link = f"{on_it[-1]} is a symbolic link to {os.readlink(lister.root / on_it[-1])}"
    if not end:
        return Hidden(path, f"{link}, an absolute path, which a build does not have", cure="make it a relative link")
    beyond = lister.top or str(lister.root)
    if not listing.within(os.path.normpath(lister.root / end), beyond):
        kept = "the git repository" if lister.top else "the workspace, which is in no git repository"
        return Hidden(path, f"{link}, outside of {kept}", cure=f"move what it leads to into {kept.partition(',')[0]}")
    found = _outside(lister, end) or _left_out(lister, end)
    return found._replace(path=path, why=f"{link}, and {found.path}: {found.why}")


def _outside(lister: Lister, path: str) -> Hidden | None:
    if not links.leads_out(path):
        return None
    host = os.path.normpath(lister.root / path)
    if lister.top is None:
        return Hidden(path, "it lies outside the workspace, which is in no git repository", cure=f"move {path} into it")
    if not listing.within(host, lister.top):
        return Hidden(path, "it lies outside the git repository", cure=f"move {path} into the repository")
    folder = path if os.path.isdir(host) else posixpath.dirname(path)
    return Hidden(path, "it lies outside the workspace", path if set(folder.split("/")) == {".."} else folder)


def _left_out(lister: Lister, path: str) -> Hidden:
    """By the first rule that holds for the path or a folder around it: that is what has to be included."""
    if listing.of_credentials(path):
        why = "it holds credentials, which are never sent"
        return Hidden(
            path, why, cure="builds get this machine's cargo credentials as secrets; remove what reads the file"
        )
    for part in (*_parents(path), path):
        if rule := _rule(lister, part):
            return Hidden(path, rule, _with_others(lister, part))
    return Hidden(path, "git does not list it", path)


def _rule(lister: Lister, path: str) -> str:
    name = posixpath.basename(path)
    if name in listing.TOOL_DIRS:
        return f"{name} is a folder of a tool's, of which only what git tracks is sent"
    if (lister.root / path / "CACHEDIR.TAG").is_file():
        return f"{path} is a cache, as its CACHEDIR.TAG says"
    if found := _pattern(path, lister.exclude):
        return f"sources.exclude leaves it out (`{found[1]}`)"
    if found := _pattern(path, lister.dockerignore.splitlines()):
        return f".dockerignore:{found[0]} leaves it out (`{found[1]}`)"
    return ignored(lister, path)


def _with_others(lister: Lister, path: str) -> str:
    """The folder of a file, where nothing in it is sent: the others will be looked for next."""
    folder = posixpath.dirname(path)
    alone = os.path.isdir(lister.root / path) or not folder or lister.has_below(folder)
    return path if alone else folder


def _parents(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts)))


def _pattern(path: str, lines: Sequence[str]) -> tuple[int, str] | None:
    """The last pattern that matches, with its number, if it leaves the path out."""
    for number, line in reversed(list(enumerate(lines, 1))):
        text = line.strip()
        if text and not text.startswith("#") and Patterns([text.removeprefix("!").strip()]).match(path):
            return None if text.startswith("!") else (number, text)
    return None


def ignored(lister: Lister, path: str) -> str:
    """What git says, or what `.gitignore` says where there is no git."""
    if lister.top is not None:
        try:
            said = lister.run(git.command("check-ignore", "-v", "--", path), lister.root).decode("utf-8", "replace")
        except (ProcessError, FileNotFoundError):
            return ""
        rule, _, _ = said.partition("\t")
        where, _, pattern = rule.rpartition(":")
        return f"git ignores it ({_short(lister, where)}: `{pattern}`)"
    found = _by_gitignore(lister.root, path)
    return f"it is ignored ({found[0]}: `{found[1]}`)" if found else ""


def _short(lister: Lister, where: str) -> str:
    """`file:line` as git names it, from the top of the repository, as seen from the workspace."""
    name, _, line = where.rpartition(":")
    host = Path(str(lister.top), name)
    return f"{name if os.path.isabs(name) else os.path.relpath(host, lister.root)}:{line}"


def _by_gitignore(root: Path, path: str) -> tuple[str, str] | None:
    is_dir = (root / path).is_dir()
    for folder in reversed(["", *_parents(path)]):
        name = posixpath.join(folder, ".gitignore")
        try:
            lines = (root / name).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        except OSError:
            continue
        base = f"{folder}/" if folder else ""
        for number, line in reversed(list(enumerate(lines, 1))):
            verdict = GitIgnore(base, line).verdict(path, is_dir)
            if verdict is not None:
                return (f"{name}:{number}", line.strip()) if verdict else None
    return None
