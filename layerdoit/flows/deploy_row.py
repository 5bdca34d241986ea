"""The row of a deployment while it goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from layerdoit.core.doing import Doing, tell

WORDS: Final = {
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


@contextlib.contextmanager
def shown(prefix: str, first: Callable[[], None] = lambda: None) -> Iterator[Callable[[str], None]]:
    """Gives what hears each phase. Nothing is shown, nor imported, before there is one; `first` is called before it."""
    with contextlib.ExitStack() as stack:
        begun: list[str] = []

        def phase(name: str) -> None:
            if not begun:
                first()
                from layerdoit.engine.board import Board, Row
                from layerdoit.engine.display import Display

                display = Display(Board((Row("deploy"),)), f"{prefix}:" if prefix else "")
                stack.enter_context(display.shown())
                stack.enter_context(display.work("deploy", "replacing the container"))
            begun.append(name)
            tell(Doing(WORDS.get(name, name)))

        yield phase
