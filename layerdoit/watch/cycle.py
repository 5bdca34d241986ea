"""A turn for more than an edit: the ordinary cycle, in a process of its own that can be ended at any moment.

`python -m layerdoit.watch.cycle` reads what is to be done, pickled, from its standard input. What an ordinary run
survives (a signal, a kill), the watch survives too.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core import process, terminal
from layerdoit.core.errors import Interrupted, LayerdoitError, as_error
from layerdoit.core.ladder import Graces

if TYPE_CHECKING:
    from layerdoit.core.ending import Ending
    from layerdoit.flows.session import Session

GRACE: Final = 13.0
"""Seconds for the process to end after an interrupt: it ends buildx, and puts back what served."""
TERMINATE_GRACE: Final = 1.0
_SUCCESS: Final = 0
_VIEWED: Final = 1.0
"""Seconds between lines that say how far it is, where only the last one is in view."""
_OURS: Final = "layerdoit: "
"""What `warn` puts before a line."""
_ERROR: Final = f"{_OURS}error: "
_REACHED: Final = "layerdoit-watch: reached "
_BUILT: Final = "layerdoit-watch: built"


class Failed(LayerdoitError):
    """A cycle that did not come to its end; what it said is the message."""


class DeployFailed(Failed):
    """One that has built its layers, and whose service could not be deployed."""


class Wish(NamedTuple):
    """What the process is to do: `cycle` builds and deploys, `image` only builds, `check` tests, `destroy` removes.

    `viewed`: how far it is stands in a block on a terminal.
    """

    task: str
    session: Session
    viewed: bool = False


def run(wish: Wish, told: Callable[[str, str], None], ending: Ending, *, coloured: bool) -> str:
    """Do it in a process of its own; `told` hears stream and line. Gives the name of the facts that it came to.

    `Failed` with what it said of its failure; `Stopped` where it was ended.
    """
    failure: list[str] = []
    reached, built = "", False

    def hear(stream: str, line: str) -> None:
        nonlocal reached, built
        if line.startswith(_REACHED):
            reached = line.removeprefix(_REACHED)
        elif line == _BUILT:
            built = True
        elif failure or (stream == "stderr" and line.startswith(_ERROR)):
            failure.append(line.removeprefix(_ERROR))
        else:
            told(stream, line)

    wish = wish._replace(viewed=terminal.moves(sys.stdout))
    environment = {"CLICOLOR_FORCE": "1"} if coloured else {}
    code = process.stream(
        [sys.executable, "-m", "layerdoit.watch.cycle"],
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        on_line=hear,
        graces=Graces(GRACE, TERMINATE_GRACE),
        fed=pickle.dumps(wish),
        ending=ending,
    )
    if code != _SUCCESS:
        kind = DeployFailed if built else Failed
        raise kind("\n".join(failure) or f"the cycle ended with exit code {code}")
    return reached


# --- in the process --------------------------------------------------------------------------------------------------


def _cycle(session: Session) -> None:
    from layerdoit.flows import cycles
    from layerdoit.watch.facts import Facts

    _image(session)
    print(_BUILT, flush=True)
    if session.run.live is not None:
        from layerdoit.watch import supervisor

        supervisor.have(session, session.run.live)
    cycles.fast(session)
    print(f"{_REACHED}{Facts.of(session).name()}", flush=True)


def _image(session: Session) -> None:
    from layerdoit.flows import ensure, reporting

    reporting.each(ensure.ensure_each(session, "app"))
    ensure.sweep(session)


def _check(session: Session) -> None:
    from layerdoit.flows import check

    check.show(session)


def _destroy(session: Session) -> None:
    from layerdoit.flows import removing

    for one in session.built:
        removing.destroy(one)


_TASKS: Final[Mapping[str, Callable[[Session], None]]] = {
    "cycle": _cycle,
    "image": _image,
    "check": _check,
    "destroy": _destroy,
}


def main() -> int:
    """Do what standard input says."""
    from layerdoit.core.console import replace_unprintable, warn
    from layerdoit.core.signals import as_errors
    from layerdoit.engine import display

    replace_unprintable()
    try:
        with as_errors():
            wish: Wish = pickle.load(sys.stdin.buffer)  # noqa: S301 - the watch itself wrote it
            if wish.viewed:
                display.tell_every(_VIEWED)
            _TASKS[wish.task](wish.session)
    except Interrupted as error:
        return error.exit_code
    except (LayerdoitError, OSError) as error:
        failure = as_error(error)
        warn(f"error: {failure.shown(coloured=terminal.colour(sys.stderr))}")
        return failure.exit_code
    return _SUCCESS


if __name__ == "__main__":
    sys.exit(main())
