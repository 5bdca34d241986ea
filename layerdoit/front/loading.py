"""Everything that depends on how doit works inside; the rest of the package uses what doit documents.

Each trick has a test in tests/unit/test_loading.py, which runs with the oldest and the newest doit that we allow.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FrameType
from typing import Any, Final, NamedTuple, NoReturn

from layerdoit.core import console
from layerdoit.core.signals import CAUGHT, EXIT_GRACE, posted_to

# --- the command that loads the dodo ---------------------------------------------------------------------------------


class AllButOnRequest(list[str]):
    """The names of all tasks of a command that run by default, known once the command has loaded them.

    doit runs every task of a dodo where neither the command line nor `default_tasks` names any. Ours that have effects
    beyond building carry `meta={"on_request": True}`, and are left out.
    """

    def __init__(self, command: Any) -> None:
        super().__init__()
        self._command = command

    def _names(self) -> list[str]:
        tasks = self._command.task_list
        return [task.name for task in tasks if task.subtask_of is None and not (task.meta or {}).get("on_request")]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __getitem__(self, index: Any) -> Any:
        return self._names()[index]

    def __len__(self) -> int:
        return len(self._names())


_NAMING: Final = ("help", "info", "list", "forget", "clean", "ignore")
"""doit's commands whose words are names of tasks; `run` has a class of its own (doit_commands.py)."""


class Loading(NamedTuple):
    """The doit command that loads the dodo, its options, and the words after it (or the dodo's `default_tasks`)."""

    command: Any
    params: dict[str, Any]
    words: list[str] | None

    @property
    def to_run(self) -> list[str]:
        """What was named to be run; empty where none was, and for commands that run nothing."""
        named = self.words is not None and not isinstance(self.words, AllButOnRequest)
        return list(self.words or ()) if named and self.command.name == "run" else []

    def leave_out_on_request(self) -> None:
        """Correct the command's default selection."""
        if self.words is None:
            self.command.sel_tasks = AllButOnRequest(self.command)

    def answer_words(self, answer: Callable[[Any, list[str]], bool]) -> None:
        """For commands whose words are names of tasks: `answer` is asked first, True if nothing is left to do."""
        if self.command.name not in _NAMING:
            return
        act = self.command._execute  # noqa: SLF001 - doit calls it once the tasks are there, by the names in its signature

        @functools.wraps(act)
        def asking(**params: Any) -> Any:
            words = [] if self.command.sel_default_tasks else list(self.command.sel_tasks)
            return answer(self.command, words) or act(**params)

        self.command._execute = asking  # noqa: SLF001

    def leave_output_to_task(self) -> None:
        """For a task that prints JSON: doit's own lines would make it unreadable for programs. Errors still show."""
        if getattr(self.params.get("reporter"), "of_console", self.params.get("reporter") == "console"):
            self.params["reporter"] = "error-only"

    @property
    def verbose(self) -> bool:
        """Whether `-v 2` was typed. What a dodo sets for its own tasks does not count."""
        typed: set[str] = getattr(self.params, "_non_default_keys", set())
        return "verbosity" in typed and self.params.get("verbosity") == 2

    def leave_lines_to_tasks(self) -> None:
        """doit's own lines (`.  app`, `-- deps`) are left out for tasks that say themselves what they do."""
        if self.params.get("reporter") == "console":
            from layerdoit.front.reporter import Reporter

            self.params["reporter"] = Reporter

    def end_quietly_without_reader(self) -> None:
        """What doit itself prints (`doit list | head -1`) ends without a traceback once its reader is gone."""
        if isinstance(self.command.outstream, Piped):
            return
        self.command.outstream = Piped(self.command.outstream)
        if self.params.get("outfile") is sys.stdout:
            # Where `doit run` takes its stream from.
            self.params["outfile"] = self.command.outstream
        atexit.register(discard_unread)


def loading() -> Loading | None:
    """Called by a task creator: what loads the dodo, found on the stack; None without doit's command line."""
    from doit.cmd_base import DoitCmdBase

    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - doit passes a creator nothing to ask
    while frame is not None:
        command = frame.f_locals.get("self")
        if isinstance(command, DoitCmdBase):
            params = frame.f_locals.get("params")
            return Loading(command, params if isinstance(params, dict) else {}, command.sel_tasks)
        frame = frame.f_back
    return None


# --- variables of the command line -----------------------------------------------------------------------------------


def typed_variables() -> Mapping[str, str]:
    """All `NAME=value` words of the command line."""
    from doit import doit_cmd

    typed: Mapping[str, str] | None = doit_cmd._CMDLINE_VARS  # noqa: SLF001 - `get_var` cannot list them
    return typed or {}


def dodo_variables() -> set[str]:
    """Names that the dodo, or a module of the project that it imports, may ask for with `get_var`."""
    here = f"{os.getcwd()}{os.sep}"
    files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
    own = {file for file in files if os.path.abspath(file).startswith(here) and "site-packages" not in file}
    found: set[str] = set()
    for path in own | {"dodo.py"}:
        with contextlib.suppress(OSError, UnicodeDecodeError), open(path, encoding="utf-8") as file:
            found |= set(re.findall(r"""get_var\(\s*['"](\w+)['"]""", file.read()))
    return found


# --- files of a task -------------------------------------------------------------------------------------------------


class Vouched(set[str]):
    """A task's files, of which the key has said that nothing changed: doit need not look at each (10 us a file).

    Equal to every set, lest doit take it for other files; looked through, it is empty.
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, set)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # as of every set

    def __iter__(self) -> Iterator[str]:
        return iter(())


def vouch(task: Any) -> None:
    """Called by a task's `uptodate`, before doit compares files: they need no look."""
    task.file_dep = Vouched()


# --- ways to end -----------------------------------------------------------------------------------------------------

BROKEN_PIPE: Final = 128 + signal.SIGPIPE
"""What a shell reports of a program that SIGPIPE ended: with `pipefail`, `doit logs | head` is as `git log | head`."""
_AGAIN: Final = 2.0
"""Seconds that a worker has to react to a signal."""


class Ended(SystemExit):
    """Ends doit without a traceback. `doit -n` makes it anew from its text: the code must not become one."""

    def __init__(self, code: int | str) -> None:
        super().__init__(int(code))


def exit_when_signalled() -> None:
    """Have SIGINT, SIGTERM and SIGHUP end this process by `Ended`. What was set or ignored by others stays.

    In the main process of `doit -n` that makes doit end its workers.
    """
    if threading.current_thread() is not threading.main_thread():
        return

    def end(signum: int, _frame: object) -> None:
        if "multiprocessing.util" in sys.modules:
            # The last one to be registered is called first: before the workers are joined.
            atexit.register(_end_workers)
        if not threading.main_thread().is_alive():
            # Python ends already, and would show an exception. Another signal ends it at once.
            signal.signal(signum, signal.SIG_DFL)
            return
        raise Ended(128 + signum)

    for signum in CAUGHT:
        if signal.getsignal(signum) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(signum, end)


def _end_workers() -> None:
    """End the other processes of `doit -n`. One that missed its signals, as `next_event` tells, gets them again."""
    import queue
    from multiprocessing import active_children

    deadline = time.monotonic() + EXIT_GRACE
    with posted_to(queue.SimpleQueue()):
        while (workers := active_children()) and time.monotonic() < deadline:
            for worker in workers:
                worker.terminate()
            again = time.monotonic() + _AGAIN
            for worker in workers:
                worker.join(max(0.0, again - time.monotonic()))
        for worker in workers:
            worker.kill()


def end_unread() -> NoReturn:
    """End without a message, as other programs do, once the reader of our output is gone (`head` that has enough)."""
    console.discard()
    raise Ended(BROKEN_PIPE)


def print_help(lines: Iterable[str]) -> None:
    """What was asked for, to the end or to where its reader has enough."""
    try:
        print("\n".join(lines), flush=True)
    except BrokenPipeError:
        end_unread()


def discard_unread() -> None:
    """At exit: discard what Python has not yet written if its reader is gone; Python would complain."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        console.discard()


class Piped:
    """doit's output stream, with `Ended` in place of BrokenPipeError, for which doit would print a traceback."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except BrokenPipeError:
            end_unread()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
