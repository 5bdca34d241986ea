"""The turns of one project: a change serves, a newer one ends what an older one began, the image follows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final

from layerdoit import deploy
from layerdoit.core.command_errors import Stopped
from layerdoit.core.errors import ConfigError, ContextDiffers, LayerdoitError, WorkspaceError, as_error
from layerdoit.flows.deploying import Place
from layerdoit.watch import edit_turn, sessions, watched
from layerdoit.watch.agent import Gone
from layerdoit.watch.beside import Beside
from layerdoit.watch.changes import Changes
from layerdoit.watch.cycle import Wish
from layerdoit.watch.events import Event
from layerdoit.watch.facts import Facts, Turn, turn, why_more
from layerdoit.watch.jobs import Job
from layerdoit.watch.readings import Readings
from layerdoit.watch.telling import Telling
from layerdoit.watch.there import Astray
from layerdoit.watch.workbench import Workbench
from layerdoit.watch.workshop import Cancelled

if TYPE_CHECKING:
    from layerdoit.deploy.live import Live
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.flows.session import Session
    from layerdoit.project.project import Project

LOOKED: Final = 60.0
"""Seconds without a word of a change, after which the tree is looked at all the same."""
_AGAIN: Final = "the last try failed"
_TRIES: Final = 5
"""A tree that changes while it is sent is read again; after so many times its next change is waited for."""


class Turns:
    """One project of a watch, in a thread of its own. Any thread may call what is public."""

    def __init__(
        self, project: Project, prefix: str, label: str, tell: Callable[[Event], None], *, coloured: bool
    ) -> None:
        """`prefix`: before the names of its tasks; `label`: as the user types it; `tell`: hears what happens."""
        self.project, self.label = project, label
        self._prefix, self._coloured = prefix, coloured
        self._telling = Telling(label, tell, coloured=coloured)
        self._live: Live | None = sessions.next_live(project)
        self._session, self._peek = self._opened(), self._opened()
        self._changes = Changes(self.changed, lambda text: self._telling.tell("warning", text), self.began)
        self._readings = Readings(self._changes, self._read)
        self._workbench = Workbench(self._telling)
        # What serves; whether the container's image is the one of it.
        self._serving: Facts | None = None
        self._imaged = True
        self._files: edit_turn.Files = {}
        # Why what serves is to be deployed again, ''; whether assets are there of a tree that does not serve.
        self._astray, self._mixed = "", False
        self._addresses: tuple[edit_turn.Address, ...] = ()
        self._deployed: tuple[DeploySettings, ...] = ()
        # What the tree is now that does not serve: its name, or what is wrong where it cannot be read; and the name of
        # one of which no image could be made.
        self._wrong = self._unfollowed = ""
        # Whether a turn was given up, and no other one has come to its end since.
        self._given_up = False
        self._woken, self._over, self._cancel = threading.Event(), threading.Event(), threading.Event()
        self._since: float | None = None
        self._quiet = 0.0
        self._asked: set[str] = set()
        self._job: Job | None = None
        self._beside = Beside(self._telling, self._woken.set)
        self._broken: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"watch {label}")

    # --- what others ask ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin: catch up with the tree, then wait for changes."""
        self._woken.set()
        self._thread.start()

    def began(self) -> None:
        """Something may be changing. Unless a turn is in progress, it is read while it may go on."""
        if self._readings.at is None and self._readings.is_behind():
            self._since = self._since or time.monotonic()
            self._woken.set()

    def changed(self) -> None:
        """Something may have changed. A turn in progress is ended, if it is about another tree than the one of now."""
        if not self._readings.is_behind():
            return
        at = self._readings.at
        if at is None or sessions.finds_other(self._peek, at, self._workbench.workshop):
            self._since = self._since or time.monotonic()
            # Else another turn has begun meanwhile, and has read it.
            if at is not None and self._readings.at is at:
                self._overtake()
        self._woken.set()

    def ask(self, what: str) -> None:
        """Do something though nothing changed: `rebuild`, `tests`."""
        self._asked.add(what)
        if what == "rebuild":
            self._overtake()
        self._woken.set()

    def end(self) -> None:
        """Begin to end; returns at once. Asked again, what goes on is ended with more force."""
        self._over.set()
        self._overtake()
        self._beside.end()
        self._woken.set()

    def has_ended(self, seconds: float) -> bool:
        """Wait for the end, at most so long; whether it has come."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def refuse_broken(self) -> None:
        """Raise what nobody foresaw, if that has ended it."""
        if self._broken is not None:
            raise self._broken

    def keeps(self, watch: str) -> bool:
        """Whether a container with the label of a watch is one of this project's own."""
        return self._live is not None and self._live.watch == watch

    @property
    def is_busy(self) -> bool:
        """Whether a container may be replaced, or its program started again, just now."""
        return self._readings.at is not None or self._beside.follows or self._over.is_set()

    @property
    def is_ahead(self) -> bool:
        """Whether what serves is ahead of the image of its container."""
        return self._serving is not None and not self._imaged

    @property
    def outlasts_its_tree(self) -> bool:
        """Whether something serves, and what the tree is now has failed."""
        return self._serving is not None and bool(self._wrong)

    def at_rest(self) -> None:
        """What serves is its image."""
        self._imaged = True

    def places(self) -> list[Place]:
        """Where it serves, with providers of their own."""
        return [Place(deploy.provider_with(settings), settings) for settings in self._deployed]

    def last(self, task: str) -> Job:
        """When it has ended: `cycle`, an ordinary container of the image of the tree; `destroy`, no container."""
        self._live = None
        return Job(Wish(task, self._opened()), self._telling.line, coloured=self._coloured).start()

    # --- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            sessions.sweep(self.project, self._live, over=self._over.is_set())
            while not self._over.is_set():
                try:
                    self._go_on()
                except (LayerdoitError, OSError) as error:
                    self._fail("build", as_error(error))
        except BaseException as error:  # noqa: BLE001 - it comes out of `refuse_broken`
            self._broken = error
        finally:
            self._changes.close()
            self._beside.join()
            self._workbench.close()
            sessions.sweep(self.project, self._live, over=self._over.is_set())

    def _go_on(self) -> None:
        """Wait for what is to be done next, and do it."""
        if self._woken.wait(self._idle()):
            self._woken.clear()
            self._heard()
            self._turn()
            self._begin_tests()
        elif self._idle() == 0.0:
            self._follow()
        else:
            # Nobody told of anything: what git says is asked, too.
            self._session.project.kept.git.forget()
            self._turn()

    def _idle(self) -> float:
        """Seconds until something is to be done without a change."""
        serving = self._serving
        if serving is None or self._imaged or self._beside.follows or self._unfollowed == serving.name():
            return LOOKED
        if self._wrong or self._astray:
            return LOOKED
        due = self._quiet + self._session.project.config.watch.settle
        return min(LOOKED, max(0.0, due - time.monotonic()))

    def _turn(self) -> None:
        for _ in range(_TRIES):
            if self._over.is_set() or not self._tried():
                return
        self._woken.set()

    def _tried(self) -> bool:
        """One try of a turn; whether another one has to follow at once."""
        self._cancel.clear()
        since, self._since = self._since or time.monotonic(), None
        anew = "rebuild" in self._asked
        self._asked.discard("rebuild")
        try:
            facts = self._readings.next()
        except (LayerdoitError, OSError) as error:
            self._refused(as_error(error), since)
            return False
        try:
            return self._done(facts, since, anew=anew)
        finally:
            self._readings.over()

    def _done(self, facts: Facts, since: float, *, anew: bool) -> bool:
        """What a reading found is done; whether another try has to follow at once."""
        self._telling.changes(self._session)
        what = self._kind(facts, anew=anew)
        if what == "nothing":
            if self._wrong or (self._given_up and self._serving is not None):
                self._served(facts, since, "unchanged")
            return False
        if facts.name() == self._wrong and not anew:
            return False
        try:
            self._do(what, facts, since)
        except (Cancelled, Stopped):
            self._given_up = True
            if not self._over.is_set():
                self._telling.tell("cancelled")
            return True
        except ContextDiffers:
            return True
        except (Astray, Gone) as error:
            self._astray = error.what
            return True
        except (LayerdoitError, OSError) as error:
            self._wrong = facts.name()
            self._telling.before_error(as_error(error), self._session)
            self._fail(edit_turn.stage_of(error) or ("compile" if what == "edit" else "build"), as_error(error), since)
        finally:
            self._quiet = time.monotonic()
        self._workbench.expect()
        return False

    def _kind(self, facts: Facts, *, anew: bool) -> Turn:
        """What has to be done so that a tree serves."""
        found = turn(self._serving, facts)
        if found == "nothing" and self._mixed:
            found = "edit"
        if found == "edit" and self._workbench.workshop is None:
            self._astray = self._astray or self._workbench.lost
            return "more"
        return "more" if anew or self._astray else found

    def _do(self, what: Turn, facts: Facts, since: float) -> None:
        if what == "edit":
            self._edit(facts, since)
        else:
            self._more(facts, since)

    def _read(self) -> Facts:
        self._session.read_again(asking=True, connection=self._workbench.workshop)
        facts = Facts.of(self._session)
        self._changes.watch(watched.folders(self._session))
        return facts

    def _refused(self, error: LayerdoitError, since: float) -> None:
        """What is configured, or the tree, is wrong: what serves goes on."""
        text = error.shown(coloured=self._coloured)
        if text != self._wrong:
            self._wrong = text
            self._fail("configuration" if isinstance(error, ConfigError | WorkspaceError) else "build", error, since)

    def _served(
        self, facts: Facts, since: float, how: str, deployments: Collection[str] | None = None, **more: Any
    ) -> None:
        """It serves. `deployments`: those of which something is another one; None: nothing else is known of any."""
        began, self._serving = self._serving is None, facts
        self._deployed = tuple(deploy.settings_of(one.project) for one in self._session.built)
        self._wrong, self._given_up = "", False
        if how == "built":
            # An edit changes nothing of it.
            self._addresses = tuple(edit_turn.addresses(self._session))
        for one in self._addresses:
            if deployments is not None and one.name not in deployments:
                continue
            told = {"deployment": one.name, "key": facts.keys.get(one.name, ""), "how": how, **more}
            if one.url:
                told["url"] = one.url
            if len(self._addresses) > 1:
                told |= {"of": len(self._addresses), "service": one.service}
            if not began:
                told["seconds"] = round(time.monotonic() - since, 3)
            if self._imaged:
                told["image"] = one.image
            self._telling.tell("serving", **told)

    # --- kinds of turns ----------------------------------------------------------------------------------------------

    def _edit(self, facts: Facts, since: float) -> None:
        """Compile in the workshop, and let it serve in the container that is there."""
        workshop = self._workbench.workshop
        if workshop is None:
            raise Gone(self._workbench.lost)
        assert self._serving is not None  # noqa: S101 - else there is more to do
        self._beside.overtake()
        files = edit_turn.placed(self._session)
        changes = edit_turn.between(self._files, files)

        def placing(name: str) -> None:
            self._files, self._mixed = {**self._files, name: files[name]}, True

        wish = edit_turn.Wish(self._session, self._serving, facts, workshop, changes, placing, self._telling.remark)
        # Where the image of another tree is on its way, the container may be another one soon.
        there = None if self._beside.follows else edit_turn.looked_for(wish)
        made = edit_turn.compiled(wish, self._telling.tell, self._cancel)
        self._beside.end_follower()
        if made is not None:
            self._telling.compiler(made, self._session)
        done = edit_turn.served(wish, made, self._cancel, there)
        self._imaged, self._files, self._mixed = self._imaged and facts == self._serving, files, False
        # Where nothing is another one, all of them say so.
        self._served(facts, since, done.how, done.deployments or None, crates=done.crates, files=done.files)

    def _more(self, facts: Facts, since: float) -> None:
        """Build the layers and deploy, as ever; on other layers, there is another workshop."""
        self._beside.end_follower()
        again = _AGAIN if self._serving is None and self._wrong else ""
        why = self._astray or again or why_more(self._serving, facts)
        self._telling.tell("building", why, why=why)
        self._job = Job(Wish("cycle", self._opened()), self._telling.line, coloured=self._coloured).start()
        if self._over.is_set():
            self._job.end()
        try:
            name = self._job.result()
        finally:
            self._telling.aside(self._job)
            self._job = None
        self._imaged, self._astray = True, ""
        if name != facts.name():
            # The process has read a newer tree.
            self._serving = None
            self._woken.set()
            return
        self._workbench.stands_on(facts.lower)
        self._files, self._mixed = edit_turn.placed(self._session), False
        self._served(facts, since, "built")
        self._workbench.open(self._session, self._live, self._cancel)
        files = len(self._session.tree.all_sources.entries)
        self._telling.tell("watching", files=files, folders=len(watched.folders(self._session)))

    # --- beside the turns --------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Have the image of what serves made, and its container take the place."""
        try:
            wish = Wish("cycle", self._opened())
        except (LayerdoitError, OSError):
            # It was changed just now: a turn says what is wrong.
            self._woken.set()
            return
        self._beside.follow(wish)

    def _heard(self) -> None:
        """What became of what goes on beside the turns."""
        found = self._beside.followed()
        if found is not None and found.error is not None:
            self._unfollowed = self._serving.name() if self._serving else ""
            self._fail("image", found.error)
        elif found is not None:
            self._followed(found.name, found.seconds)
        self._beside.tell_tests()

    def _followed(self, name: str, seconds: float) -> None:
        if self._serving is None or name != self._serving.name():
            return
        self._imaged = True
        self._workbench.at_images(self._serving.keys)
        self._addresses = tuple(edit_turn.addresses(self._session))
        for one in self._addresses:
            key = self._serving.keys.get(one.name, "")
            self._telling.tell("followed", deployment=one.name, key=key, image=one.image, seconds=round(seconds, 3))

    def _begin_tests(self) -> None:
        if "tests" in self._asked and not self._over.is_set() and not self._beside.tests_run:
            self._asked.discard("tests")
            self._beside.test(Wish("check", self._opened()))

    # --- small things ------------------------------------------------------------------------------------------------

    def _overtake(self) -> None:
        self._cancel.set()
        if (job := self._job) is not None:
            job.end()

    def _opened(self) -> Session:
        return sessions.opened(self.project, self._live, self._prefix)

    def _fail(self, stage: str, error: LayerdoitError, since: float | None = None) -> None:
        serves = self._serving is not None
        # At the start of a watch, nothing was changed.
        seconds = time.monotonic() - since if since is not None and serves else None
        self._telling.fail(stage, error, serves=serves, seconds=seconds)
