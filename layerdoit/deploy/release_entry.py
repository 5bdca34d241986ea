"""One line of the log of releases: a deployment, or an attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from layerdoit.deploy.release import Release

Kind = Literal["deploy", "rollback", "destroy"]
Outcome = Literal["ok", "failed", "interrupted", "rolled back"]
"""`rolled back`: it served, a check of `verify` failed, and the release before serves again."""


@dataclass(frozen=True)
class Entry:
    """One deployment, or attempt. `at`: seconds since 1970; `who`: user and machine; `seconds`: all phases together.

    `settings`: the section `deploy` as it was, without values of secrets; `image`: the image's id on the engine.
    """

    id: str
    at: float
    environment: str
    deployment: str
    provider: str
    reference: str
    key: str
    digest: str = ""
    image: str = ""
    commit: str = ""
    dirty: bool | None = None
    who: str = ""
    kind: Kind = "deploy"
    outcome: Outcome = "ok"
    failed_in: str | None = None
    error: str | None = None
    seconds: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    started_with: str = ""

    @property
    def release(self) -> Release:
        """What was deployed."""
        return Release(self.reference, self.key, self.digest, self.environment, self.commit, self.id)

    @property
    def good(self) -> bool:
        """Whether it came to serve."""
        return self.outcome == "ok" and self.kind != "destroy"
