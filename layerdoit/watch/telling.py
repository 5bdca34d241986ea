"""What the turns of a project tell: facts of what happens, and what others said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from layerdoit.components import compiler_paths, compiler_words
from layerdoit.components.rust_failures import NotBuilt
from layerdoit.watch.cycle import DeployFailed
from layerdoit.watch.events import Event, Kind

if TYPE_CHECKING:
    from layerdoit.cargo.diagnostics import Diagnostic
    from layerdoit.core.errors import LayerdoitError
    from layerdoit.flows.session import Session
    from layerdoit.tree.index import Entry
    from layerdoit.watch.jobs import Job
    from layerdoit.watch.workshop import Compiled

_PATHS: Final = 5
"""Changed files that are named."""
_NOT_BUILT: Final = "app did not build\n"
_NEXT: Final = (
    ("correct it and run again", "correct it and save"),
    (", then run doit cycle_fast", ", and save"),
)
"""What a message says for a command that has ended, and what is to be done while a watch goes on."""


class Telling:
    """Tells of one project. `coloured`: messages are shown where there are colours."""

    def __init__(self, label: str, say: Callable[[Event], None], *, coloured: bool) -> None:
        self._label, self._say = label, say
        self.coloured = coloured
        self._entries: Mapping[str, Entry] | None = None
        self._remarked: set[str] = set()

    def tell(self, kind: Kind, text: str = "", **facts: Any) -> None:
        """One thing that happened."""
        self._say(Event(kind, self._label, text, facts))

    def remark(self, about: str, text: str) -> None:
        """What a user may want to know, and does not have to be told at each edit."""
        if about not in self._remarked:
            self._remarked.add(about)
            self.tell("warning", text)

    def fail(self, stage: str, error: LayerdoitError, *, serves: bool, seconds: float | None = None) -> None:
        """Something failed. `serves`: whether what was there before serves on; `seconds`: since the change was seen."""
        if stage == "build" and isinstance(error, DeployFailed):
            stage = "deploy"
        text = error.shown(coloured=self.coloured)
        if stage == "compile":
            # That is said by the stage.
            text = text.removeprefix(_NOT_BUILT)
        for ended, watched in _NEXT:
            text = text.replace(ended, watched)
        took = {} if seconds is None else {"seconds": round(seconds, 3)}
        self.tell("failed", text, stage=stage, serves=serves, **took)

    def line(self, text: str) -> None:
        """A line of an ordinary run."""
        self.tell("building", words=text)

    def aside(self, job: Job) -> None:
        """What an ordinary run warned of, and what the compiler said in it."""
        if text := "\n".join(job.aside).strip():
            self.tell("warning", text, by="rustc")

    def compiler(self, made: Compiled, session: Session) -> None:
        """What the compiler and cargo said of the crates that were compiled for an edit."""
        found = compiler_words.told(made.diagnostics, session.project.config.warnings, log=str(made.log))
        self._warn(found.shown, lambda text: compiler_paths.opened_from_here(text, session.inputs))
        if found.line and not found.shown:
            self.tell("warning", found.line)

    def before_error(self, error: LayerdoitError, session: Session) -> None:
        """What the compiler warned of in an edit that does not compile. The error comes after it."""
        if isinstance(error, NotBuilt):
            found = compiler_words.beside_errors(error.said, session.project.config.warnings)
            self._warn(found.shown)
            if found.line:
                self.tell("warning", found.line)

    def _warn(self, said: Iterable[Diagnostic], placed: Callable[[str], str] = str) -> None:
        for one in said:
            self.tell("warning", placed(one.text), by=one.by, **({"crate": one.crate} if one.crate else {}))

    def changes(self, session: Session) -> None:
        """Which files differ from those of the reading before."""
        sources = session.tree.all_sources
        known, self._entries = self._entries, sources.entries
        if known is None or known is sources.entries:
            return
        found = [path for path, entry in sources.entries.items() if known.get(path) != entry]
        if found := [*found, *(path for path in known if path not in sources.entries)]:
            paths = sorted(map(sources.own_path, found))
            self.tell("changed", paths=paths[:_PATHS], count=len(paths))
