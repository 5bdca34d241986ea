"""What an interrupted replacement left, and what somebody changed by hand, is put right: one container serves, or none.

Names say how far a replacement had come. A front leads to the one that serves before any other one is removed.
"""

from __future__ import annotations

from layerdoit.core.console import warn
from layerdoit.core.errors import DeployError, LayerdoitError
from layerdoit.deploy import supervision
from layerdoit.deploy.docker.haproxy import Front
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.container import Container, strays
from layerdoit.engine.containers import Containers


class Recovery:
    """Of one deployment. `done`: what was put right, in words."""

    def __init__(self, settings: DeploySettings, containers: Containers, front: Front) -> None:
        self._settings = settings
        self._name = settings.name
        self._containers = containers
        self._front = front
        self.done: list[str] = []

    def run(self) -> tuple[str, ...]:
        """Put it right; nothing is told where nothing was wrong."""
        there = self._containers.mine()
        serving, coming, old, tried = (there.get(self._name + part) for part in ("", "-next", "-old", "-try"))
        if self._named_again(serving or old, strays(there.values(), self._name)) and not (serving or old):
            serving = self._containers.inspect_mine(self._name)
        if old and not serving:
            self._containers.rename(old, self._name)
            serving, old = self._containers.inspect_mine(self._name), None
            self.done.append(f"put {self._name} back into service")
        front = there.get(self._front.name)
        if coming or old:
            front = self._led_back(front, serving)
        for left in (tried, coming, old):
            if left:
                self._containers.remove(left)
                self.done.append(f"removed {left.name}, left by an interrupted deployment")
        self._of_former_name(serving)
        self._front_again(front, serving)
        if serving:
            self._as_it_serves(serving)
        supervision.sweep(self._settings, (one.labels for one in (tried, coming, old) if one))
        return tuple(self.done)

    def _named_again(self, serving: Container | None, renamed: list[Container]) -> bool:
        """What somebody renamed serves under its own name again; beside one that has it, it is only spoken of."""
        again = bool(renamed) and serving is None and self._containers.inspect(self._name) is None
        if again:
            first = renamed.pop(0)
            self._containers.rename(first, self._name)
            self.done.append(f"{first.name} is called {self._name} again: it is the container of this deployment")
        for one in renamed:
            warn(f"{one.name} is of this deployment, too, and still runs; docker rm -f {one.name} removes it")
        return again

    def _of_former_name(self, serving: Container | None) -> None:
        """What was deployed under another name serves until it is replaced, and no longer."""
        for one in self._containers.former(self._settings.source):
            front = self._front.before(one)
            if serving:
                for left in filter(None, (front, one)):
                    self._containers.remove(left)
                    self.done.append(f"removed {left.name}, which {serving.name} has replaced")
            elif one.running and not (front or one).attached:
                self._containers.attach_again(front or one)
                self.done.append(f"connected {(front or one).name} to its network again")

    def _as_it_serves(self, serving: Container) -> None:
        if not serving.attached:
            self._containers.attach_again(serving)
            self.done.append(f"connected {self._name} to its network again")
        if (wanted := serving.label("restart") or "no") != serving.restart:
            self._containers.restart_as(serving, wanted)
            self.done.append(f"{self._name} has its restart policy ({wanted}) again")

    # --- the front ---------------------------------------------------------------------------------------------------

    def _led_back(self, front: Container | None, serving: Container | None) -> Container | None:
        """The front, which leads to the one that serves; None where it cannot be told so."""
        if front and serving and serving.label("front") and serving.running and self._front.usable(front):
            try:
                self._front.follow(front, serving)
            except DeployError:
                return None
        return front

    def _front_again(self, front: Container | None, serving: Container | None) -> None:
        """A front stands before what serves if that was started for one, and only then."""
        if serving is None or not serving.label("front"):
            if front:
                self._containers.remove(front)
                self.done.append(f"removed {front.name}, before which nothing serves")
            return
        if self._front.usable(front) or not serving.running:
            return
        try:
            if front and front.running:
                self._containers.attach_again(front)
            else:
                front = self._front.start(self._front.spec_of(serving))
            self._front.follow(self._containers.inspect(front.id) or front, serving)
        except LayerdoitError as error:
            # The deployment that begins now puts up another one, or says why it cannot.
            warn(f"{self._front.name} is gone, and cannot be put up again: {error.what}")
        else:
            self.done.append(f"put up {self._front.name} again: until now, nobody reached {serving.name}")
