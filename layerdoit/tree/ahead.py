"""What git said in the last reading counts in the next one where all that it stands on is the same; else it is asked.

It is asked the same again when the reading begins, before it is known what is needed.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from layerdoit.core import process
from layerdoit.core.errors import ProcessError
from layerdoit.core.process import Begun
from layerdoit.tree.standing import Standing, Unknown

_FED: Final = 1 << 15
"""Bytes; a command that is fed more is not begun ahead, for that would have to be waited for."""


class _Question(NamedTuple):
    argv: tuple[str, ...]
    cwd: str
    fed: bytes


class Ahead:
    """The answers of git. Each was asked after the reading began that it is for, or would be the same if it were.

    No threads: they and what reads meanwhile would wait for each other longer than all of it takes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # What was asked in this reading; what of it is asked already.
        self._asked: dict[_Question, None] = {}
        self._begun: dict[_Question, Begun] = {}
        # It was taken before the answers were asked.
        self._standing: Standing | None = None
        self._folders: tuple[frozenset[str], frozenset[str]] | None = None
        self._answers: dict[_Question, bytes | ProcessError] | None = None
        # The folders are those of the reading of the answers, and not of one that was about another tree, or failed.
        self._confirmed = False
        self.reading = 0
        """Names the reading that the answers of now are asked for, or were."""

    def begin(self) -> None:
        """A new reading begins."""
        with self._lock:
            if self._standing is not None and self._confirmed and self._standing.holds():
                return
            self.reading += 1
            self._answers, self._confirmed = None, False
            asked, self._asked = self._asked, {}
            self._drop()
            if self._standing is not None:
                self._answers = {} if self._standing.take() else None
                if self._answers is None:
                    # Where it is said what they stand on has changed.
                    self._standing = self._folders = None
            self._begin(asked)

    def _begin(self, asked: Collection[_Question]) -> None:
        for one in asked:
            if len(one.fed) > _FED:
                continue
            try:
                self._begun[one] = Begun(*one)
            except OSError:
                # Who needs it hears of that.
                return

    @property
    def is_known(self) -> bool:
        """Whether there are answers, or some are on their way."""
        return bool(self._begun or self._answers)

    def answer(self, argv: Sequence[str], cwd: str | Path, fed: bytes = b"") -> bytes:
        """What a command prints in this reading. ProcessError."""
        question = _Question(tuple(argv), str(cwd), fed)
        # Those of this reading, even if another one begins meanwhile.
        answers, begun = self._answers, self._begun.pop(question, None)
        self._asked[question] = None
        found = answers.get(question) if answers is not None else None
        if found is None:
            found = _said(question, begun)
            if answers is not None:
                answers[question] = found
        if isinstance(found, ProcessError):
            raise found.with_traceback(None)
        return found

    def stands_on(self, reading: int, folders: Collection[str], tops: Collection[str], clock: Path) -> None:
        """In which folders any change counts, and those of their repositories, as a reading found; see `Standing`.

        The answers of the next reading are the first that stand on it.
        """
        known = frozenset(folders), frozenset(tops)
        with self._lock:
            if known == self._folders:
                self._confirmed = self._answers is not None and (self._confirmed or reading == self.reading)
                return
            self._folders, self._answers, self._confirmed = known, None, False
            try:
                self._standing = Standing(folders, tops, clock)
            except Unknown:
                self._standing = None

    def forget(self) -> None:
        """Believe nothing, and ask nothing ahead."""
        with self._lock:
            self._asked, self._answers, self._confirmed = {}, None, False
            self._standing = self._folders = None
            self._drop()

    def _drop(self) -> None:
        while self._begun:
            self._begun.popitem()[1].drop()


def _said(question: _Question, begun: Begun | None) -> bytes | ProcessError:
    try:
        return begun.result() if begun is not None else process.capture_quick(*question)
    except ProcessError as error:
        return error
