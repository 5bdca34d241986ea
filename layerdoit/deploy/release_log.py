"""What was deployed when, by whom, and how it ended: one line of JSON each, in the user's folder on this machine.

All checkouts of a project share it, and the state folder of one can be deleted without losing the way back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from layerdoit.core import files, user_folder
from layerdoit.core.errors import ConfigError
from layerdoit.core.prose import listed
from layerdoit.deploy.release_entry import Entry
from layerdoit.engine.ownership import digest_of

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings

GOOD: Final = 5
"""So many of the last good releases of each environment are kept, whatever cache level or retention says."""
_SHORTEST: Final = 4
"""Characters of a commit, key or digest by which a release can be named."""


class ReleaseLog:
    """The log of one project. Reading asks for no lock; adding does."""

    def __init__(self, settings: DeploySettings) -> None:
        self._settings = settings
        self._folder = user_folder.state() / "releases" / settings.project

    def entries(self) -> tuple[Entry, ...]:
        """All of the project, of all its environments, the oldest first."""
        return tuple(_entries(self._file()))

    def here(self) -> tuple[Entry, ...]:
        """Those of this deployment in its environment, the oldest first."""
        wanted = (self._settings.environment, self._settings.name)
        return tuple(one for one in self.entries() if (one.environment, one.deployment) == wanted)

    def serving(self) -> Entry | None:
        """What came to serve last; None where nothing did, or it was removed since."""
        ended = [one for one in self.here() if one.good or (one.kind == "destroy" and one.outcome == "ok")]
        return ended[-1] if ended and ended[-1].good else None

    def next_id(self) -> str:
        """What the next release of this deployment is called: a number."""
        numbers = [int(one.id) for one in self.here() if one.id.isdigit()]
        return str(max(numbers, default=0) + 1)

    def add(self, entry: Entry) -> None:
        """Write one more line; readable by this user alone."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._file()
        with files.locked(self._folder / ".lock"):
            fresh = not path.exists()
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
                if fresh:
                    file.write(json.dumps({"marks": self._settings.owner.text}) + "\n")
                file.write(json.dumps(asdict(entry), sort_keys=True) + "\n")

    def _file(self) -> Path:
        owner = self._settings.owner
        for path in sorted(self._folder.glob("*.jsonl")):
            if owner.is_of(_marks(path)):
                return path
        return self._folder / f"{digest_of(owner.marks[0] if owner.marks else '')}.jsonl"


def kept(entries: Iterable[Entry], most: int = GOOD) -> tuple[Entry, ...]:
    """The last good releases of each deployment: those that `rollback` can go back to, with what serves.

    What was deployed before a deployment was removed is kept no longer.
    """
    by_place: dict[tuple[str, str], dict[str, Entry]] = {}
    for one in entries:
        good = by_place.setdefault((one.environment, one.deployment), {})
        if one.kind == "destroy" and one.outcome == "ok":
            good.clear()
        elif one.good:
            # The same image once more is no other release to go back to.
            good.pop(one.key, None)
            good[one.key] = one
    return tuple(one for good in by_place.values() for one in list(good.values())[-most:])


def before(entries: Sequence[Entry], serving: Entry | None) -> Entry | None:
    """The release to which a rollback goes: the last good one whose image or settings are not what serves."""
    if serving is None:
        return next((one for one in reversed(entries) if one.good), None)
    now = (serving.key, serving.started_with)
    return next((one for one in reversed(_until(entries, serving)) if (one.key, one.started_with) != now), None)


def _until(entries: Sequence[Entry], serving: Entry) -> list[Entry]:
    """The good releases before the one that serves; rollbacks do not count: two of them go two back."""
    numbered = [one for one in entries if one.good and one.kind == "deploy"]
    original = next((at for at, one in enumerate(numbered) if one.id == serving.id), len(numbered))
    return numbered[:original]


def named(entries: Sequence[Entry], word: str, place: str) -> Entry:
    """The good release that a user means: by its number, or the beginning of its commit, key or digest. ConfigError."""
    good = [one for one in entries if one.good]
    found = [one for one in good if one.id == word]
    if not found and len(word) >= _SHORTEST:
        plain = word.removeprefix("sha256:")
        found = [one for one in good if _is_called(one, plain)]
    if not found:
        names = [one.id for one in good]
        hint = f"known releases: {listed(names[::-1], 8)}" if names else "doit releases lists what was tried"
        raise ConfigError(f'TO: {place} has no good release "{word}"', hint=hint)
    return found[-1]


def _is_called(entry: Entry, word: str) -> bool:
    return any(name.startswith(word) for name in (entry.commit, entry.key, entry.digest.removeprefix("sha256:")))


def _entries(path: Path) -> Iterator[Entry]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
    except OSError:
        return
    for line in lines:
        # A line that a kill cut short, or that a later layerdoit wrote, is none that we can go back to.
        try:
            yield Entry(**json.loads(line))
        except (ValueError, TypeError):
            continue


def _marks(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return str(json.loads(file.readline()).get("marks", ""))
    except (OSError, ValueError, AttributeError):
        return "?"
