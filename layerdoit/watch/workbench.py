"""The workshop that a project has in a watch: one at most, which stands on the layers that serve."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from layerdoit.core.errors import ContextDiffers, LayerdoitError
from layerdoit.watch import edit_turn
from layerdoit.watch.workshop import Cancelled, Workshop

if TYPE_CHECKING:
    from layerdoit.deploy.live import Live
    from layerdoit.flows.session import Session
    from layerdoit.watch.telling import Telling


class Workbench:
    """It is opened after a turn that built, and not where that cannot be; then each edit is built as an image."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._workshop: Workshop | None = None
        self._lower: Mapping[str, str] = {}
        # Why there is none, as it was told.
        self._without = ""

    @property
    def workshop(self) -> Workshop | None:
        """The workshop, while the connection to its engine stands."""
        return self._workshop if self._workshop is not None and self._workshop.alive else None

    @property
    def lost(self) -> str:
        """Why there is none any more, in words; '' where there is one, or never was."""
        return "the workshop was stopped or removed" if self._workshop is not None and not self._workshop.alive else ""

    def stands_on(self, lower: Mapping[str, str]) -> None:
        """What is compiled next stands on these layers: in another workshop, where they are others."""
        if lower != self._lower:
            self.close()
        self._lower = lower

    def open(self, session: Session, live: Live | None, cancel: threading.Event) -> None:
        """Have one, with all compiled in it that an edit leaves as it is. Cancelled, ContextDiffers."""
        if self.workshop is not None or live is None:
            return
        inputs = edit_turn.compiled_inputs(session)
        if inputs is None:
            return
        self._telling.tell("preparing")
        try:
            self._workshop = Workshop.open(session, live, edit_turn.programs(session))
            self._workshop.compile(inputs, lambda _: None, cancel)
        except (Cancelled, ContextDiffers):
            raise
        except LayerdoitError as error:
            if (text := f"{error.what}; each edit is built as an image") != self._without:
                self._without = text
                self._telling.tell("warning", text)

    def expect(self) -> None:
        """Have what can be done before the next edit be done."""
        if self._workshop is not None:
            self._workshop.expect()

    def at_images(self, deployments: Iterable[str]) -> None:
        """Note that these serve the programs of their images."""
        for one in deployments if self._workshop is not None else ():
            assert self._workshop is not None  # noqa: S101 - just asked
            # The deployment has noted it, too.
            with contextlib.suppress(LayerdoitError):
                self._workshop.ahead(one, None)

    def close(self) -> None:
        """There is none any more."""
        if self._workshop is not None:
            self._workshop.close()
            self._workshop = None
