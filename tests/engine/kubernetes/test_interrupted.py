"""Ended in the middle, by Ctrl-C or `kill -9`: one release serves, and the next call says what it found."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from layerdoit.core.errors import DeployError
from layerdoit.deploy.provider import Release
from tests.support.kube_child import stopped
from tests.support.kube_project import Place, workload
from tests.support.waiting import until

Releases = Callable[..., Release]

LOCK, APPLY, ROLLOUT, BACK, FREE = "replace", "apply", "rollout status", "patch deployment/web", "Lease"


def deployed(place: Place, release: Release) -> None:
    place.write(workload())
    assert place.provider().deploy(release).error is None


@pytest.mark.parametrize(
    ("before", "fate", "told"),
    [
        (LOCK, "ready", 0),
        (APPLY, "ready", 1),
        (ROLLOUT, "unready", 2),
        (BACK, "crash", 1),
    ],
    ids=["lock", "apply", "rollout", "going back"],
)
def test_after_a_kill_the_next_deployment_puts_it_right(
    place: Place, release: Releases, tmp_path: Path, before: str, fate: str, told: int
) -> None:
    deployed(place, release())
    child = stopped(place, release(fate, 1), before, tmp_path / "child")
    assert child.end(signal.SIGKILL) == -signal.SIGKILL
    # Nobody has lost what served.
    assert place.ready_images() & {release().reference, release(fate, 1).reference}
    # The release that fails now goes back to the good one, whatever was left.
    failed = place.provider().deploy(release("pull", 2))
    assert failed.error is not None
    assert len(failed.recovered) >= told, failed.recovered
    serves = {release().reference}
    if fate == "ready" and before in (APPLY, ROLLOUT):
        serves.add(release(fate, 1).reference)  # the cluster may have rolled it out by itself
    assert place.image() in serves
    assert place.ready_images() == {place.image()}
    assert place.provider().deploy(release(number=3)).error is None
    assert place.ready_images() == {release(number=3).reference}


@pytest.mark.parametrize(
    ("before", "fate", "back"), [(APPLY, "ready", False), (BACK, "crash", True)], ids=["deploy", "rollback"]
)
def test_a_killed_deployment_that_goes_on_does_not_pass_for_the_next_one(
    place: Place, release: Releases, tmp_path: Path, before: str, fate: str, back: bool
) -> None:
    """Its kubectl lives on without it, and may be slower than the whole next deployment, or the way back."""
    deployed(place, release())
    assert place.provider().deploy(release(number=1)).error is None
    child = stopped(place, release(fate, 2), before, tmp_path / "child")
    child.process.kill()
    child.process.wait()

    def late(phase: str) -> None:
        if phase == "rollout":
            child.go_on()

    provider, wanted = place.provider(), release(number=0 if back else 3)
    done = (provider.roll_back if back else provider.deploy)(wanted, on_phase=late)
    assert done.error is not None
    assert "somebody else changed Deployment/web while it was rolled out" in done.error.what
    assert place.image() == release(number=1).reference
    assert place.provider().deploy(wanted).error is None
    assert place.ready_images() == {wanted.reference}


def test_what_was_good_is_known_when_no_pod_of_it_is_left(place: Place, release: Releases, tmp_path: Path) -> None:
    place.write(workload(more="strategy: {type: Recreate}"))
    assert place.provider().deploy(release()).error is None
    stopped(place, release("unready", 1), ROLLOUT, tmp_path / "child").end(signal.SIGKILL)
    until(lambda: place.objects("pods") and not place.ready_images(), 30, "the end of the old pods")
    assert place.provider().deploy(release("pull", 2)).error is not None
    assert place.ready_images() == {release().reference}


@pytest.mark.parametrize("before", [APPLY, ROLLOUT])
def test_after_ctrl_c_the_old_release_serves_and_nothing_is_locked(
    place: Place, release: Releases, tmp_path: Path, before: str
) -> None:
    deployed(place, release())
    child = stopped(place, release("unready", 1), before, tmp_path / "child")
    assert child.end(signal.SIGINT) == 130
    assert place.image() == release().reference
    until(lambda: place.ready_images() == {release().reference}, 30, "the old release")
    again = place.provider().deploy(release())
    assert (again.error, again.recovered) == (None, ())


def test_one_at_a_time_and_a_lock_that_was_left(place: Place, release: Releases, tmp_path: Path) -> None:
    deployed(place, release())
    child = stopped(place, release(number=1), APPLY, tmp_path / "child")
    try:
        other = place.provider().deploy(release(number=2))
        assert "shop-prod is being deployed by" in str(other.error)
        assert "doit deploy_unlock" in str(other.error)
        with pytest.raises(DeployError, match="is being deployed by"):
            place.provider().check(release(number=2))
        assert "is being deployed by" in place.provider().status().remark
    finally:
        child.end(signal.SIGKILL)
    # As it would be if it came from a machine that nobody here can look into.
    process = "io.layerdoit/process=elsewhere 1 2"
    place.kubectl("annotate", "--overwrite", "lease/layerdoit-shop-prod", process)
    assert place.provider().deploy(release(number=2)).error is not None
    assert place.provider().unlock().startswith("removed the lock of")
    assert place.provider().unlock().startswith("nobody holds")
    assert place.provider().deploy(release(number=2)).error is None
