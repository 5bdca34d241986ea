"""Who a project is besides its name: the repository that it comes from, or the folder that it is.

Two projects of one name are the same where a mark agrees: the first commit, the address of the remote (each with the
folder inside the repository), or the id of the folder. The id is in the state folder, so it moves with the folder.
Nothing here is asked by a run with nothing to do.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import uuid
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from layerdoit.core import files
from layerdoit.core.errors import LayerdoitError
from layerdoit.core.process import capture_quick
from layerdoit.core.state import FOLDER, State
from layerdoit.engine.mounts import this_host
from layerdoit.engine.ownership import Owner, digest_of
from layerdoit.tree import git

_FILE: Final = "identity.json"


def of(root: Path, state: State) -> Owner:
    """The project in a folder. What was found out is noted in its state folder."""
    noted = state.note(_FILE)
    own = git.find(root)
    marks, repository = _of_repository(root, own, noted) if own else ([], {})
    folder = _folder_id(root, noted)
    # Not another one as soon as there is a first commit: each costs a compilation.
    drawn = noted["drawn"] if noted.get("drawn") and folder == noted["folder"] else ""
    drawn = drawn or digest_of((*marks, f"folder:{folder}")[0])
    kept = _kept(state, noted, {"folder": folder, "path": str(root), **repository, "drawn": drawn})
    top = own.top if own else root
    return Owner(
        (*marks, f"folder:{kept['folder']}", place(root)),
        str(root),
        lambda inside: (top / inside / "Cargo.toml").is_file(),
        kept["drawn"],
    )


def at(path: Path) -> Owner | None:
    """The project in another folder, of which nothing is written; None where nothing says who it is."""
    noted = State(path / FOLDER).note(_FILE)
    own = git.find(path)
    if not path.is_dir() or not (noted or own):
        return None
    marks, _ = _of_repository(path, own, noted) if own else ([], {})
    folder = [f"folder:{noted['folder']}"] if noted.get("path") == str(path) else []
    return Owner((*marks, *folder, place(path)), str(path))


# --- the folder ------------------------------------------------------------------------------------------------------


def _folder_id(root: Path, noted: dict[str, str]) -> str:
    """The id of this folder: that of the note, unless the folder is a copy and the original is still there."""
    known, path = noted.get("folder", ""), noted.get("path", "")
    if known and path != str(root) and State(Path(path) / FOLDER).note(_FILE).get("folder") == known:
        known = ""
    return known or uuid.uuid4().hex[:16]


def _kept(state: State, old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Write the note; of two runs that make the first one at once, one id counts."""
    with contextlib.suppress(OSError):  # a read-only state folder costs time, nothing else
        if not old:
            part = Path(files.temporary(state / _FILE))
            files.write_json(part, new)
            with contextlib.suppress(FileExistsError):
                os.link(part, state / _FILE)
            part.unlink()
            return {**new, **state.note(_FILE)}
        state.keep_note(_FILE, new)
    return new


def place(root: Path) -> str:
    """The folder's path: it decides where the state folder was deleted and git says nothing."""
    return f"path:{hashlib.sha256(f'{this_host()}{root}'.encode()).hexdigest()[:16]}"


# --- the repository --------------------------------------------------------------------------------------------------


def _of_repository(root: Path, own: git.Checkout, noted: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Marks of the repository, and what is to be noted of it."""
    inside = root.relative_to(own.top).as_posix()
    suffix = "" if inside == "." else f"//{quote(inside)}"
    repository = _repository(own)
    first = noted.get("root", "") if noted.get("repository") == repository else ""
    first = first or _first_commit(own)
    marks = [f"root:{first}{suffix}"] if first else []
    marks += [f"remote:{address}{suffix}" for address in sorted({*map(address, git.remotes(own))} - {""})]
    return marks, {"repository": repository, "root": first} if first else {}


def _repository(own: git.Checkout) -> str:
    """Tells a repository from one that is made anew in its place: git never writes its description again."""
    stamps = [str(own.common)]
    for path in (own.common, own.common / "description"):
        with contextlib.suppress(OSError):
            found = os.stat(path)
            stamps.append(f"{found.st_ino}" if path == own.common else f"{found.st_mtime_ns}")
    return hashlib.sha256(" ".join(stamps).encode()).hexdigest()[:16]


def _first_commit(own: git.Checkout) -> str:
    """The first commit of the present branch; '' without one, and in a shallow clone: its history has no beginning."""
    if (own.common / "shallow").exists():
        return ""
    try:
        said = capture_quick(git.command("rev-list", "--max-parents=0", "--first-parent", "HEAD"), cwd=own.top)
    except LayerdoitError:
        return ""
    return said.decode(errors="replace").strip().rpartition("\n")[2]


def address(url: str) -> str:
    """A remote's address in the one form that its https and ssh forms share, without user and password.

    A path of this machine is a digest: labels travel with images.
    """
    url = url.strip()
    scp = re.fullmatch(r"(?:[^@/\s]+@)?(\[[^\]]+\]|[^:/\s\[\]]{2,}):(?!//)(.+)", url)
    parts = urlsplit(f"ssh://{scp[1]}/{scp[2].lstrip('/')}" if scp else url) if scp or "://" in url else None
    if parts is None or parts.scheme == "file" or not parts.netloc:
        path = parts.path if parts is not None else url
        return f"local-{hashlib.sha256(_bare(path).encode()).hexdigest()[:12]}" if _bare(path) else ""
    host = parts.netloc.rpartition("@")[2].lower()
    name, colon, port = host.rpartition(":")
    # Which port ssh has tells nothing of the one that https has.
    if colon and port.isdigit() and (parts.scheme not in ("http", "https") or port in ("80", "443")):
        host = name
    return f"{host}/{quote(_bare(parts.path), safe='/%~+@:')}"


def _bare(path: str) -> str:
    return path.strip("/").removesuffix(".git").rstrip("/")
