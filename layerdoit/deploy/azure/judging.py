"""What the states of a revision mean: wait, healthy, or failed."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from layerdoit.deploy.azure.app_state import Revision

_RUNS: Final = ("running", "runningatmaxscale")
_ASLEEP: Final = ("scaledtozero", "scaletozero")
_FAILED: Final = ("failed", "activationfailed", "provisioningfailed")
_STOPPED: Final = ("stopped", "deprovisioned", "deprovisioning")


class Verdict(NamedTuple):
    """`why`: in Azure's own words where it has some. `running`: Azure does not say yes or no to its health."""

    state: Literal["healthy", "running", "wait", "failed", "stopped"]
    why: str


def verdict(revision: Revision) -> Verdict:
    """Judge a revision by what Azure says at this moment.

    Degraded, and whatever a later Azure may say, is no failure yet: the deadline decides.
    """
    running, provisioning = _plain(revision.running), _plain(revision.provisioning)
    if provisioning == "failed" or running in _FAILED:
        return Verdict("failed", reason(revision) or f"its state is {_words(revision)}")
    if not revision.active or running in _STOPPED or provisioning in _STOPPED:
        return Verdict("stopped", "it is not active")
    health = _plain(revision.health)
    if provisioning in ("provisioned", "") and (running in (*_RUNS, *_ASLEEP) or (not running and health == "healthy")):
        if health == "unhealthy":
            return Verdict("wait", reason(revision) or "its probes do not answer yet")
        # A revision that was scaled to zero ran before, and has nothing to be looked at.
        if health == "healthy" or running in _ASLEEP:
            return Verdict("healthy", "healthy")
        return Verdict("running", "it runs; Azure does not say whether it is healthy")
    return Verdict("wait", reason(revision) or f"its state is {_words(revision)}")


def given_up(revision: Revision) -> bool:
    """Whether Azure could not make the revision at all: it would not try again."""
    return _plain(revision.provisioning) == "failed"


def reason(revision: Revision) -> str:
    """What Azure gives as the reason; '' where it gives none."""
    return " ".join(dict.fromkeys(one.strip() for one in (revision.error, revision.details) if one.strip()))


def _plain(state: str) -> str:
    """Azure writes its states in more than one way: Scaled to zero, ScaledToZero."""
    return "".join(filter(str.isalpha, state)).casefold()


def _words(revision: Revision) -> str:
    return revision.running or revision.provisioning or revision.health or "not known yet"
