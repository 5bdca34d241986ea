"""What a registry may have against a publication: one message each, and no tag that people see is half-published."""

from __future__ import annotations

import re
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from layerdoit.core.errors import LayerdoitError
from tests.engine.published_fixture import Published
from tests.engine.registry_fixture import Registry
from tests.support.checkout import Checkout
from tests.support.faulty_registry import Answer, Fault, Faulty, before, never

WRITES = ("PUT", "POST", "PATCH")


@pytest.fixture(scope="module")
def faulty(registry: Registry) -> Iterator[Faulty]:
    with before(registry.address) as found:
        yield found


@pytest.fixture(scope="module")
def project(docker_engine: Any, faulty: Faulty) -> Iterator[Published]:
    """One image for all; each test has a repository of its own."""
    with tempfile.TemporaryDirectory(prefix="layerdoit-test-") as folder:
        name = f"lt-{uuid.uuid4().hex[:10]}"
        root = Path(folder).resolve() / name
        root.mkdir()
        one = Checkout(root, name, docker_engine)
        try:
            yield Published(one, f"{faulty.address}/team/{name}")
        finally:
            one.remove()


@pytest.fixture
def one(project: Published, faulty: Faulty) -> Iterator[Published]:
    repository = f"{faulty.address}/team/{uuid.uuid4().hex[:8]}"
    project.move_to(repository)
    faulty.fault = never
    yield project
    faulty.fault = never


def written(status: int, code: str, message: str, path: str = "") -> Fault:
    """Whatever is written to such a path is refused."""
    return lambda method, at, _: Answer(status, code, message) if method in WRITES and re.search(path, at) else None


def after(count: int, path: str, answer: Answer) -> Fault:
    """So many requests to write there are well."""
    seen = []

    def fault(method: str, at: str, _: str) -> Answer | None:
        if method in WRITES and re.search(path, at):
            seen.append(at)
            return answer if len(seen) > count else None
        return None

    return fault


REFUSALS: list[tuple[str, Callable[[], Fault], str, str]] = [
    (
        "read-only",
        lambda: written(405, "UNSUPPORTED", "The operation is unsupported."),
        "nothing can be pushed",
        "takes no changes",
    ),
    ("full", lambda: written(507, "UNKNOWN", "no space left on device"), "nothing can be pushed", "free some space"),
    ("no right", lambda: written(403, "DENIED", "requested access is denied"), "denied", "as a user who may push"),
    ("broken", lambda: written(500, "UNKNOWN", "unknown error", "manifests"), "500|unknown", "itself failed|by hand"),
    (
        "login gone in the middle",
        lambda: after(1, "manifests", Answer(401, "UNAUTHORIZED", "token expired", 'Basic realm="x"')),
        "unauthorized|authentication|401",
        "docker login",
    ),
    (
        "tags are protected",
        lambda: written(403, "DENIED", "tag is immutable", r"manifests/1\.0\.0"),
        "immutable",
        "may",
    ),
]


@pytest.mark.parametrize(("fault", "what", "hint"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS])
def test_what_the_registry_refuses_is_one_message_and_no_tag(
    one: Published, faulty: Faulty, fault: Callable[[], Fault], what: str, hint: str
) -> None:
    faulty.fault = fault()
    with pytest.raises(LayerdoitError) as caught:
        one.publish(VERSION="1.0.0")
    assert re.search(what, caught.value.what, re.IGNORECASE), caught.value.what
    assert re.search(hint, caught.value.hint or ""), caught.value.hint
    faulty.fault = never
    assert one.tags() == {}
    one.publish(VERSION="1.0.0")
    assert set(one.tags()) == {"1.0.0", "1.0", "latest"}


def test_tags_that_had_moved_are_told(one: Published, faulty: Faulty) -> None:
    faulty.fault = written(403, "DENIED", "tag is immutable", "manifests/latest")
    with pytest.raises(LayerdoitError, match=r"(?s)immutable.*1\.0\.0, 1\.0 had been moved to sha256:"):
        one.publish(VERSION="1.0.0")
    faulty.fault = never
    one.publish(VERSION="1.0.0")
    assert len(set(one.tags().values())) == 1


def test_a_token_that_expires_in_the_middle_is_asked_for_again(one: Published, faulty: Faulty) -> None:
    gone: set[str] = set()

    def fault(method: str, path: str, login: str) -> Answer | None:
        realm = f'Bearer realm="http://{faulty.address}/token",service="x",scope="repository:x:pull,push"'
        if method == "PUT" and re.search(r"manifests/1\.0", path) and not gone:
            gone.add(login)
        return Answer(401, "UNAUTHORIZED", "token expired", realm) if not login or login in gone else None

    faulty.fault = fault
    one.publish(VERSION="1.0.0")
    assert len(gone) == 1
    assert set(one.tags()) == {"1.0.0", "1.0", "latest"}


def test_a_registry_that_is_away(one: Published) -> None:
    one.move_to("127.0.0.1:9/team/x")
    with pytest.raises(LayerdoitError, match="cannot be reached") as caught:
        one.publish(VERSION="1.0.0")
    assert "nothing listens at 127.0.0.1:9" in str(caught.value.hint)
    with pytest.raises(LayerdoitError, match="cannot be reached"):
        one.push()
