"""What the state folder holds of layerdoit.yaml: its parsed content, and the JSON schema for editors."""

from __future__ import annotations

import contextlib
from typing import Any, Final

from layerdoit.core import files
from layerdoit.core.state import State

_FORMAT: Final = 1
_KEPT: Final = 16
_FILE: Final = "config.json"


class SettingsCache:
    """Parsed files by the digest of their content: importing PyYAML costs 10-20 ms."""

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self, digest: str) -> Any:
        """What `put` was given for a file of this content, or None."""
        return self._entries().get(digest)

    def put(self, digest: str, parsed: Any) -> None:
        """Keep what a file says, beside the last ones; and put the schema where the editor of that file finds it."""
        kept = dict(list(self._entries().items())[-(_KEPT - 1) :]) | {digest: parsed}
        with contextlib.suppress(OSError):  # a read-only state folder costs time, nothing else
            files.write_json(self._state / _FILE, {"format": _FORMAT, "files": kept})
            put_schema(self._state)

    def _entries(self) -> dict[str, Any]:
        stored = files.read_json(self._state / _FILE)
        found = stored.get("files") if stored.get("format") == _FORMAT else None
        return found if isinstance(found, dict) else {}


def put_schema(state: State) -> None:
    """Have the schema in the state folder, where the first line of layerdoit.yaml names it."""
    from layerdoit.config import shipped

    wanted = shipped.schema().read_bytes()
    path = state / shipped.NAME
    if not path.is_file() or path.read_bytes() != wanted:
        files.write(path, wanted)
