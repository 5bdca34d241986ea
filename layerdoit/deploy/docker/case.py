"""A container that did not come up, and what was found to be the cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from layerdoit.deploy.settings import DeploySettings


class Cause(NamedTuple):
    """What is wrong, the next step, and the setting that it is about ("" for none).

    `certain`: whether it would be the same on another network.
    """

    what: str
    hint: str
    setting: str = ""
    certain: bool = True


@dataclass(frozen=True)
class Case:
    """`lines`: the end of its log, as text; `ended`: whether it stopped by itself, with `exit_code`.

    `reason`: what its health check said last. `lacks`: whether a path is not there in the container, None where that
    cannot be told. `environment`: what it was started with. `publisher`: the container that has a port of this machine,
    with a network that it is in.
    """

    settings: DeploySettings
    lines: Sequence[str]
    ended: bool
    exit_code: int = 0
    reason: str = ""
    out_of_memory: bool = False
    lacks: Callable[[str], bool | None] = lambda _: None
    environment: Mapping[str, str] = field(default_factory=dict)
    publisher: Callable[[int], tuple[str, str] | None] = lambda _: None

    @cached_property
    def files(self) -> Sequence[str]:
        """The files of the project, relative to its folder."""
        return tuple(self.settings.files())
