"""What goes on beside the turns of a project, each in a process of its own: its image follows, its tests run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.core.command_errors import Stopped
from layerdoit.core.errors import LayerdoitError
from layerdoit.watch import of_tests
from layerdoit.watch.jobs import Job

if TYPE_CHECKING:
    from layerdoit.watch.cycle import Wish
    from layerdoit.watch.telling import Telling


class Followed(NamedTuple):
    """How the image that followed came out. `name`: of the facts that it is of; `error`: why it was not made."""

    name: str = ""
    seconds: float = 0.0
    error: LayerdoitError | None = None


class Beside:
    """The image that follows, and the tests, of one project; at most one of each at a time."""

    def __init__(self, telling: Telling, done: Callable[[], None]) -> None:
        """`done`: is called from any thread when one of them has ended."""
        self._telling, self._done = telling, done
        self._follower: Job | None = None
        self._tests: Job | None = None

    @property
    def follows(self) -> bool:
        """Whether an image is being made, or has been and nobody asked yet."""
        return self._follower is not None

    @property
    def tests_run(self) -> bool:
        """Whether tests run."""
        return self._tests is not None

    def follow(self, wish: Wish) -> None:
        """Have the image made, and its container take the place."""
        self._telling.tell("following")
        self._follower = self._started(wish)

    def test(self, wish: Wish) -> None:
        """Run the tests."""
        self._telling.tell("tests", state="began")
        self._tests = self._started(wish)

    def _started(self, wish: Wish) -> Job:
        return Job(wish, lambda _: None, self._done, coloured=self._telling.coloured).start()

    def overtake(self) -> None:
        """Begin to end the image that follows: its tree is an old one."""
        if self._follower is not None:
            self._follower.end()

    def end_follower(self) -> None:
        """End it, and wait for that."""
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.end()
            follower.join()

    def end(self) -> None:
        """Begin to end all of it; again: with more force."""
        for job in (self._follower, self._tests):
            if job is not None:
                job.end()

    def join(self) -> None:
        """Wait until all of it has ended."""
        for job in (self._follower, self._tests):
            if job is not None:
                job.join()

    def followed(self) -> Followed | None:
        """How the image came out, once; None where there is nothing to say."""
        follower = self._follower
        if follower is None or not follower.has_ended:
            return None
        self._follower = None
        try:
            return Followed(follower.result(), follower.seconds)
        except Stopped:
            return None
        except LayerdoitError as error:
            return Followed(error=error)

    def tell_tests(self) -> None:
        """Tell how the tests came out, once."""
        tests = self._tests
        if tests is None or not tests.has_ended:
            return
        self._tests = None
        try:
            tests.result()
            self._telling.tell("tests", state="passed", seconds=tests.seconds)
        except Stopped:
            pass
        except LayerdoitError as error:
            said = [*tests.lines, *of_tests.failed(tests.aside), error.shown(coloured=self._telling.coloured)]
            text = "\n".join(said)
            self._telling.tell("tests", text, state="failed", seconds=tests.seconds)
