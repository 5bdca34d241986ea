"""The row of a deployment while it goes on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from layerdoit.core.doing import Doing, tell

if TYPE_CHECKING:
    from layerdoit.engine.display import Display

WORDS: Final = {
    "needs": "starting what others need",
    "start": "starting the new container",
    "healthy": "waiting until it is healthy",
    "swap": "making it the one that serves",
    "drain": "letting requests to the old one end",
    "remove old": "removing the old one",
    "apply": "applying the manifests",
    "rollout": "waiting until it is rolled out",
    "revision": "making a new revision",
    "shift traffic": "giving it the traffic",
    "deactivate old": "deactivating the old revision",
    "push": "pushing the image",
    "verify": "running the checks of deploy.verify",
    "command": "running deploy.command.deploy",
    "rollback": "going back to the release before",
}


class Shared:
    """The rows of several deployments that go on side by side. Nothing is shown before one of them has a phase."""

    def __init__(self, label: str, names: Iterable[str]) -> None:
        self._label = label
        self._names = tuple(names)
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._display: Display | None = None

    def __enter__(self) -> Shared:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def display(self) -> Display:
        """What shows them, from the first phase on."""
        with self._lock:
            if self._display is None:
                from layerdoit.engine.board import Board, Row
                from layerdoit.engine.display import Display

                display = Display(Board(tuple(Row(name) for name in self._names)), self._label)
                self._display = self._stack.enter_context(display.shown())
            return self._display

    @contextlib.contextmanager
    def row(self, name: str) -> Iterator[None]:
        """Meanwhile, this thread's deployment is shown in a row of that name."""
        _here.row = (self, name)
        try:
            yield
        finally:
            _here.row = None


_here = threading.local()


@contextlib.contextmanager
def shown(prefix: str, first: Callable[[], None] = lambda: None) -> Iterator[Callable[[str], None]]:
    """Gives what hears each phase. Nothing is shown, nor imported, before there is one; `first` is called before it."""
    with contextlib.ExitStack() as stack:
        begun: list[str] = []

        def phase(name: str) -> None:
            if not begun:
                first()
                display, row = _place(stack, f"{prefix}:" if prefix else "")
                stack.enter_context(display.work(row, "replacing the container"))
            begun.append(name)
            tell(Doing(WORDS.get(name, name)))

        yield phase


def _place(stack: contextlib.ExitStack, label: str) -> tuple[Display, str]:
    shared: tuple[Shared, str] | None = getattr(_here, "row", None)
    if shared is not None:
        return shared[0].display(), shared[1]
    from layerdoit.engine.board import Board, Row
    from layerdoit.engine.display import Display

    return stack.enter_context(Display(Board((Row("deploy"),)), label).shown()), "deploy"
