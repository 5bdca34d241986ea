"""What is going on: a row for each layer, and how an event changes it. Values only; `board_view` draws them."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from layerdoit.core.doing import Doing

State = Literal["waits", "reused", "works", "done"]

# Below this, what a rate says of the rest is a guess.
_SURE_SHARE: Final = 0.1


class Usual(NamedTuple):
    """How long such a work took before: the median of `n` runs, in seconds."""

    seconds: float
    n: int


class Job(NamedTuple):
    """Something that runs now, since when."""

    name: str
    since: float


class Row(NamedTuple):
    """One layer. `words`: what is done while nothing more is told; `since`, `until`: when its work began and ended."""

    name: str
    state: State = "waits"
    words: str = ""
    since: float = 0.0
    until: float = 0.0
    doing: Doing = Doing("")
    doing_since: float = 0.0
    jobs: tuple[Job, ...] = ()
    usual: Usual | None = None

    @property
    def what(self) -> str:
        """What is done now."""
        return self.doing.words or self.words

    def begun(self, words: str, now: float) -> Row:
        """Its work begins."""
        return Row(self.name, "works", words, since=now, doing_since=now)

    def told(self, doing: Doing, now: float) -> Row:
        """What is done now; jobs that go on keep their time."""
        before = dict(self.jobs)
        jobs = tuple(Job(name, before.get(name, now)) for name in doing.jobs)
        since = self.doing_since if doing.words == self.doing.words else now
        return self._replace(doing=doing, jobs=jobs, doing_since=since)

    def ended(self, now: float) -> Row:
        """Its work is done."""
        return self._replace(state="done", until=now, jobs=(), doing=Doing(""))

    def left(self, now: float) -> float | None:
        """Seconds that are left by what such a work usually takes; the further it is, the more its own pace counts.

        None where nothing is known, or it takes longer than it ever should: then no figure is honest.
        """
        if self.usual is None or self.state != "works":
            return None
        spent = now - self.since
        # The share of a transfer says nothing of what comes after it.
        share = self.doing.share if self.doing.unit in ("crates", "packages") else None
        by_history = self.usual.seconds - spent
        if share is None or share < _SURE_SHARE:
            return by_history if by_history > 0 else None
        by_pace = spent * (1 - share) / share
        return max(0.0, (1 - share) * max(0.0, by_history) + share * by_pace)


class Board(NamedTuple):
    """All rows, from the lowest layer up."""

    rows: tuple[Row, ...]

    def row(self, name: str) -> Row:
        """The row of a layer."""
        return next(row for row in self.rows if row.name == name)

    def with_row(self, changed: Row) -> Board:
        """With another row of that name; one that was not there comes last."""
        if all(row.name != changed.name for row in self.rows):
            return Board((*self.rows, changed))
        return Board(tuple(changed if row.name == changed.name else row for row in self.rows))

    @property
    def working(self) -> tuple[Row, ...]:
        """What is worked on now."""
        return tuple(row for row in self.rows if row.state == "works")
