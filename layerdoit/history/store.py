"""The database file: its schema and migrations, safe under concurrent runs and a kill at any moment, bounded in size.

Its failures are never a build's: a broken file is set aside, anything else costs one line on standard error.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from layerdoit.core import files
from layerdoit.core.console import warn

if TYPE_CHECKING:
    import sqlite3

FILE: Final = "history.db"
BROKEN: Final = "history.broken.db"
LOCK: Final = "history.lock"
KEPT: Final = 2_000
"""Runs; older ones are dropped. One takes about 1 kB."""
PATIENCE: Final = 5.0
"""Seconds that a write waits for others."""

_TABLES: Final = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,
    at REAL NOT NULL,
    task TEXT NOT NULL,
    variant TEXT NOT NULL,
    host TEXT NOT NULL,
    version TEXT NOT NULL,
    git_commit TEXT,
    dirty INTEGER,
    outcome TEXT NOT NULL,
    failed_in TEXT,
    error TEXT,
    seconds REAL NOT NULL
);
CREATE TABLE phases (
    run INTEGER NOT NULL,
    phase TEXT NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (run, phase)
) WITHOUT ROWID;
CREATE TABLE layers (
    run INTEGER NOT NULL,
    layer TEXT NOT NULL,
    key TEXT NOT NULL,
    action TEXT NOT NULL,
    cold INTEGER NOT NULL,
    seconds REAL NOT NULL,
    how TEXT NOT NULL DEFAULT '',
    export REAL,
    compiled INTEGER,
    fresh INTEGER,
    external INTEGER,
    size INTEGER,
    sent INTEGER,
    reasons TEXT NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (run, layer)
) WITHOUT ROWID;
"""
# The first form was one table without a version.
_OF_THE_FIRST: Final = """
INSERT INTO runs (id, token, at, task, variant, host, version, outcome, seconds)
    SELECT id, 'before-' || id, at, '', variant, '', '', 'ok', seconds FROM old_layers;
INSERT INTO layers (run, layer, key, action, cold, seconds, compiled, external, reasons, outcome)
    SELECT id, layer, key, action, layer IN ('base', 'runtime') OR reasons LIKE '%not built before%',
        seconds, compiled, external, reasons, 'ok' FROM old_layers;
DROP TABLE old_layers;
"""
_CRATES: Final = """
CREATE TABLE crates (
    run INTEGER NOT NULL,
    crate TEXT NOT NULL,
    version TEXT NOT NULL,
    seconds REAL NOT NULL,
    share REAL NOT NULL,
    PRIMARY KEY (run, crate, version)
) WITHOUT ROWID;
"""
_BENCHMARKS: Final = """
CREATE TABLE benchmarks (
    variant TEXT NOT NULL,
    scenario TEXT NOT NULL,
    peer TEXT NOT NULL,
    at REAL NOT NULL,
    seconds REAL NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (variant, scenario, peer)
) WITHOUT ROWID;
"""
# Reasons were sentences; they are data now. Of an older one, no more than the sentence is known.
_REASONS: Final = """
UPDATE layers SET reasons = CASE WHEN json_valid(reasons) THEN (
    SELECT json_group_array(json_object('kind', 'noted', 'names', json_array(value), 'count', 1))
    FROM json_each(layers.reasons)
) ELSE '[]' END;
"""
_SHARED: Final = """
ALTER TABLE layers ADD COLUMN shared INTEGER;
"""
# What each version adds to the one before, from the second on.
_ADDED: Final = (_CRATES, _BENCHMARKS, _REASONS, _SHARED)
VERSION: Final = 1 + len(_ADDED)
# SQLite's codes for: a statement does not fit the tables, malformed, not a database.
_NOT_OURS: Final = (1, 11, 26)
_BUSY: Final = 5


class _Newer(Exception):
    """A later layerdoit has written it."""


def write(folder: Path, change: Callable[[sqlite3.Connection], None]) -> None:
    """Make a change whole or not at all. Never raises what the database is to blame for."""
    import sqlite3

    try:
        try:
            with _stays(folder):
                _changed(folder, change)
        except sqlite3.Error as error:
            if not _broken(error):
                raise
            _start_over(folder, change)
    except _Newer:
        warn(f"{folder / FILE} is of a later layerdoit; this run is not in it")
    except (sqlite3.Error, OSError) as error:
        warn(f"this run was not recorded in the history: {folder / FILE}: {error}")


def read(folder: Path, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
    """The rows that a query finds; none where there is no history, or none that can be read."""
    if not (folder / FILE).is_file():
        return []
    import sqlite3

    try:
        with _stays(folder), _opened(folder) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(query, values).fetchall()
    except (sqlite3.Error, OSError, _Newer):
        return []


def _stays(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Nobody sets the file aside meanwhile.

    Who has the old file open and finds the log of the new one takes it for its own, and both lose what they write.
    """
    return files.locked(folder / LOCK, shared=True)


def _changed(folder: Path, change: Callable[[sqlite3.Connection], None]) -> None:
    with _opened(folder) as connection, _transaction(connection):
        change(connection)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[sqlite3.Connection]:
    import sqlite3

    with contextlib.closing(sqlite3.connect(folder / FILE, timeout=PATIENCE, isolation_level=None)) as connection:
        # Survives a kill; a power cut may cost the last runs, never the file.
        connection.execute("PRAGMA synchronous=NORMAL")
        if _version(connection) != VERSION:
            _migrate(connection)
        yield connection


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    found = connection.execute("PRAGMA user_version").fetchone()
    return int(found[0])


def _migrate(connection: sqlite3.Connection) -> None:
    _use_log(connection)
    with _transaction(connection):
        # Another run may have been faster.
        version = _version(connection)
        if version > VERSION:
            raise _Newer
        if version == 0:
            _first(connection)
        for added in _ADDED[max(0, version - 1) :]:
            _execute(connection, added)
        connection.execute(f"PRAGMA user_version={VERSION}")


def _use_log(connection: sqlite3.Connection) -> None:
    """Write-ahead logging, which stays with the file. For this alone SQLite does not wait for others by itself."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except connection.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != _BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def _first(connection: sqlite3.Connection) -> None:
    old = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'layers'").fetchone()
    if old:
        connection.execute("ALTER TABLE layers RENAME TO old_layers")
    _execute(connection, _TABLES + (_OF_THE_FIRST if old else ""))


def _execute(connection: sqlite3.Connection, statements: str) -> None:
    # `executescript` would commit.
    for statement in statements.split(";")[:-1]:
        connection.execute(statement)


def _broken(error: sqlite3.Error) -> bool:
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _NOT_OURS


def _start_over(folder: Path, change: Callable[[sqlite3.Connection], None]) -> None:
    import sqlite3

    with files.locked(folder / LOCK):
        try:
            # Another run may have begun a new one meanwhile.
            _changed(folder, change)
        except sqlite3.Error as error:
            if not _broken(error):
                raise
            # The log of a database must never meet another one.
            for suffix in ("-wal", "-shm"):
                (folder / f"{FILE}{suffix}").unlink(missing_ok=True)
            os.replace(folder / FILE, folder / BROKEN)
            warn(f"{folder / FILE} cannot be read ({error}); it is {BROKEN} now, and a new history begins")
            _changed(folder, change)
