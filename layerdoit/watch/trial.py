"""A program that was started again after an edit, until it is known to be good."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final

from layerdoit.core.errors import DeployError
from layerdoit.watch.agent import Agent, Request

_ANSWERS: Final = 5.0
"""Seconds that a supervisor has for an answer, beyond the grace of the program that it ends."""
_NOT_PLACED: Final = "2"
"""The exit code where programs could not be put in place."""


class Deserted(DeployError):
    """Nobody listens in a container: it was stopped or removed."""


class Trial:
    """One program in trial, in one deployment. Its old one lies beside it until `keep` or `put_back`.

    `overlap`: it starts as soon as the one before listens no longer. `killed`: whether that did not end by itself in
    the seconds that it had; `lingered`: the seconds for which it listened no longer, and this one waited for its end.
    """

    def __init__(
        self, agent: Agent, deployment: str, token: str, grace: float, binaries: Sequence[str], *, overlap: bool
    ) -> None:
        self._agent = agent
        self._deployment = deployment
        self._token = token
        self._grace = grace
        self._binaries = binaries
        self._how = "overlap" if overlap else "restart"
        self.killed = False
        self.lingered = 0.0
        self._starting: Request | None = None
        self._waiting: Request | None = None
        self._ended = ""

    @property
    def over(self) -> bool:
        """Whether there is nothing to wait for."""
        return self._starting is None and self._waiting is None

    def begin(self) -> None:
        """Have the new programs put in place, and started: `started` waits for that."""
        self._starting = self._ask("start", self._how, f"{self._grace:g}", *self._binaries)

    def started(self) -> None:
        """DeployError where it does not start. What serves then is unknown until it is put back."""
        assert self._starting is not None  # noqa: S101 - it was begun
        told = self._told(self._starting)
        self._starting = None
        match told.split():
            case ["started", _, lingered, *killed]:
                self.lingered, self.killed = int(lingered) / 1000, bool(killed)
            case _:
                raise DeployError(f"{self._deployment}: the new program does not start: {told.removeprefix('failed ')}")
        self.listen()

    def listen(self) -> None:
        """Have the supervisor say when the program ends; again where that question was ended with a compilation."""
        self._waiting = self._agent.ask("ask", self._token, "wait")

    def ended(self) -> str | None:
        """How the program has ended, in words; None while it runs. It waits for nothing."""
        while self._waiting is not None and not self._ended and (answer := self._waiting.next(0)) is not None:
            if answer.word == "told" and answer.words[:1] == ("ended",):
                self._ended = words_of(answer.words)
            elif answer.word in ("done", "gone"):
                self._waiting = None
                if answer.words != ("0",):
                    self._ended = "ended together with its container"
        return self._ended or None

    def check(self) -> None:
        """DeployError where the new program has ended."""
        if (how := self.ended()) is not None:
            raise DeployError(f"{self._deployment}: the new program {how}")

    def keep(self) -> None:
        """The program is good: its end is that of the container again. DeployError where it has ended meanwhile."""
        told = self._told(self._ask("keep"))
        self._waiting = None
        if told != "kept":
            self._ended = words_of(tuple(told.split()))
            raise DeployError(f"{self._deployment}: the new program {self._ended}")

    def put_back(self) -> None:
        """Put the old programs back, start them, and keep them. DeployError where that cannot be done."""
        if self._starting is not None:
            # The two would move the same files.
            with contextlib.suppress(DeployError):
                self._told(self._starting)
        self._starting = self._waiting = None
        told = self._told(self._ask("put_back", f"{self._grace:g}"))
        if told != "kept":
            raise DeployError(f"{self._deployment}: the old program was put back, and {words_of(tuple(told.split()))}")

    def _ask(self, verb: str, *words: str) -> Request:
        return self._agent.ask(verb, self._deployment, self._token, *words)

    def _told(self, request: Request) -> str:
        """What the supervisor told last."""
        told = ""
        while True:
            answer = self._agent.answer(request, self._grace * 2 + _ANSWERS)
            if answer is None:
                raise DeployError(f"{self._deployment}: the supervisor in its container does not answer")
            if answer.word == "told":
                told = " ".join(answer.words)
            elif answer.word == "done":
                if answer.words == (_NOT_PLACED,):
                    raise DeployError(f"{self._deployment}: {self._agent.words() or 'its programs cannot be replaced'}")
                if answer.words != ("0",):
                    raise Deserted(f"{self._deployment}: nothing listens in its container: it was stopped or removed")
                return told


def words_of(told: tuple[str, ...]) -> str:
    """What a supervisor says of the end of a program, for people."""
    match told:
        case ("ended", "signal", number):
            return f"was ended by signal {number}"
        case ("ended", code):
            return f"ended with exit code {code}"
        case _:
            return " ".join(told)
