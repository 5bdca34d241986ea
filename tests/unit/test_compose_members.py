"""What an interrupted replacement leaves of a compose service, and what serves then."""

from __future__ import annotations

import pytest

from layerdoit.deploy.compose import members
from layerdoit.deploy.compose.members import HASH, Member, settled


def one(name: str, created: int, attempt: str = "", state: str = "running", role: str = "serving") -> Member:
    labels = {"io.layerdoit.attempt": attempt, "io.layerdoit.role": role} if attempt else {}
    return Member(f"id-{name}", name, state, created, labels)


OLD = one("web-1", 1, "a")
NEW = one("web-2", 2, "b")


@pytest.mark.parametrize(
    ("there", "serving", "back", "gone"),
    [
        ([], [], [], []),
        ([OLD], ["web-1"], [], []),
        ([OLD, NEW], ["web-1"], [], ["web-2"]),
        ([OLD, one("web-2", 2, "b", "created")], ["web-1"], [], ["web-2"]),
        ([OLD, one("web-try", 2, "b", role="candidate")], ["web-1"], [], ["web-try"]),
        ([one("web-1-back", 1, "a", "exited"), NEW], ["web-1-back"], ["web-1-back"], ["web-2"]),
        ([one("web-1-back", 1, "a", "exited")], ["web-1-back"], ["web-1-back"], []),
        ([one("web-1-old", 1, "a"), NEW], ["web-2"], [], ["web-1-old"]),
        ([one("web-1-old", 1, "a", "exited"), one("web-1", 2, "b")], ["web-1"], [], ["web-1-old"]),
        # Of two that are replaced, one was renamed already.
        ([OLD, one("web-2-old", 1, "a"), one("web-3", 2, "b"), one("web-4", 2, "b")],
         ["web-3", "web-4"], [], ["web-1", "web-2-old"]),
        ([one("theirs", 1), NEW], ["theirs"], [], ["web-2"]),
        # Somebody ran `docker compose up` after us: what is not ours is never taken for ours.
        ([OLD, one("theirs", 2)], ["web-1", "theirs"], [], []),
        ([one("web-1", 1, "a", "created")], [], [], ["web-1"]),
        ([one("web-1", 1, "b"), one("web-2", 1, "a")], ["web-2"], [], ["web-1"]),
    ],
)  # fmt: skip
def test_who_serves(there: list[Member], serving: list[str], back: list[str], gone: list[str]) -> None:
    found = settled(there)
    assert [one.name for one in found.serving] == serving
    assert [one.name for one in found.back] == back
    assert [one.name for one in found.gone] == gone


def test_names_without_how_far_it_has_come() -> None:
    assert [one(name, 1).plain_name for name in ("web-1-back", "web-1-old", "web-try", "web-1")] == [
        "web-1", "web-1", "web", "web-1",
    ]  # fmt: skip


def listed(status: str, state: str = "running", wanted: str = "h", image: str = "db:1") -> Member:
    return Member("id", "db-1", state, 1, {HASH: wanted}, "sha256:1", image, status)


@pytest.mark.parametrize(
    ("there", "once", "expected"),
    [
        ([listed("Up 2 hours")], False, True),
        ([listed("Up 2 hours (healthy)")], False, True),
        ([listed("Up 2 hours (unhealthy)")], False, False),
        ([listed("Up 1 second (health: starting)")], False, False),
        ([listed("Up 2 hours", wanted="other")], False, False),
        ([listed("Up 2 hours", image="sha256:12")], False, False),
        ([listed("Exited (0) 2 hours ago", "exited")], False, False),
        ([listed("Exited (0) 2 hours ago", "exited")], True, True),
        ([listed("Exited (1) 2 hours ago", "exited")], True, False),
        ([listed("Up"), listed("Up")], False, False),
        ([], False, False),
        ([], True, False),
    ],
)
def test_others_that_docker_compose_would_leave_alone(there: list[Member], once: bool, expected: bool) -> None:
    assert members.up_to_date(there, "h", "db:1", 1, once=once) is expected
