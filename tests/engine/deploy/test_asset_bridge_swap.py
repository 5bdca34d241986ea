"""A browser that has the old page open loads more of it while it is replaced, and after."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from layerdoit.config.services_section import Static
from layerdoit.core.errors import EngineError
from layerdoit.deploy.docker import bridge
from layerdoit.deploy.provider import Deployed
from layerdoit.deploy.settings import Page
from layerdoit.dockerfile import hashed_names, nginx_conf
from layerdoit.engine.containers import Containers
from tests.engine.deploy.cycling import Make, go, names, way
from tests.engine.served_page_fixture import page_image
from tests.support.load import Load
from tests.support.ports import PORT
from tests.support.waiting import until

PAGES = (Page(nginx_conf.ROOT, hashed_names.expression(Static().immutable)),)
GAPS: dict[str, dict[str, Any]] = {"moved": {}, "again": {"isolated_start": False}, "none": {"gap": "none"}}


def files(number: str) -> Mapping[str, bytes]:
    """Of one release: a chunk with a name of its own, one in a folder of its own, and what every release has."""
    return {
        "index.html": f"release {number}".encode(),
        "about.html": f"about {number}".encode(),
        "plain.js": f"plain {number}".encode(),
        f"only{number}.html": b"a page",
        f"only{number}.js": b"no hashed name",
        f"assets/lazy-0000000{number}.js": f"lazy {number}".encode() * 100,
        f"deep-{number}/chunk-0000000{number}.css": f"chunk {number}".encode(),
        "assets/same-12345678.js": b"same",
    }


LAZY = "/assets/lazy-0000000{}.js"
DEEP = "/deep-{0}/chunk-0000000{0}.css"


@pytest.fixture(scope="module")
def releases(docker_engine: Any, page_runtime: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The images of four releases."""
    made: list[str] = []
    for number in range(4):
        folder = tmp_path_factory.mktemp(f"release-{number}")
        made.append(page_image(files(str(number)), page_runtime, folder, port=PORT))
    yield made
    for tag in made:
        docker_engine.images.remove(tag, force=True)


def get(done: Deployed, path: str) -> tuple[int, str, str]:
    """Status, body and ETag of what is there."""
    assert done.error is None, done.error
    assert done.service is not None
    connection = http.client.HTTPConnection(done.service.address or "", timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers.get("ETag", "")
    finally:
        connection.close()


def status(done: Deployed, path: str) -> int:
    return get(done, path)[0]


@pytest.mark.parametrize("expected", GAPS)
def test_hashed_files_of_the_old_page_for_one_more_release(
    docker_engine: Any, make: Make, releases: list[str], project: str, expected: str
) -> None:
    def deploy(number: int) -> Deployed:
        return go(make(str(number), pages=PAGES, **GAPS[expected]), releases[number], f"k{number}")

    first = deploy(0)
    before = get(first, LAZY.format(0))
    assert before[:2] == (200, "lazy 0" * 100)
    assert first.service is not None
    with Load(first.service.address or "", path=LAZY.format(0)) as load:
        second = deploy(1)
        load.wait(50)
    assert second.remarks == ()
    if expected != "none":
        assert way(docker_engine, project) == expected
    # Where the port is nobody's for a moment, a request finds nobody; no request ever finds that the file is gone.
    assert {how for how in load.ended if how.isdigit()} == {"200"}
    assert expected != "none" or set(load.ended) == {"200"}
    assert set(load.bodies) <= {"lazy 0" * 100, ""}
    assert get(second, LAZY.format(0)) == before, "and its tag is the same"
    assert (status(second, DEEP.format(0)), status(second, LAZY.format(1))) == (200, 200)
    # All others are those of the new release.
    assert get(second, "/")[1] == "release 1"
    assert get(second, "/about.html")[1] == "about 1"
    assert get(second, "/plain.js")[1] == "plain 1"
    assert get(second, "/only0.html")[1] == "release 1", "a route of the page"
    assert status(second, "/only0.js") == 404
    changed = docker_engine.containers.get(project).diff()
    assert not [one for one in changed if "same-" in one["Path"]], "what both have is not copied"

    third = deploy(2)
    assert (status(third, LAZY.format(1)), status(third, DEEP.format(1))) == (200, 200)
    assert (status(third, LAZY.format(0)), status(third, DEEP.format(0))) == (404, 404)


def test_a_restart_and_the_same_image_once_more_keep_them(
    docker_engine: Any, make: Make, releases: list[str], project: str
) -> None:
    go(make("0", pages=PAGES), releases[0], "k0")
    second = go(make("1", pages=PAGES), releases[1], "k1")
    docker_engine.containers.get(project).restart(timeout=1)
    assert _once_up(second, LAZY.format(0)) == 200
    again = go(make("other variables", pages=PAGES), releases[1], "k1")
    assert again.replaced
    assert (status(again, LAZY.format(0)), status(again, LAZY.format(1))) == (200, 200)
    third = go(make("2", pages=PAGES), releases[2], "k2")
    assert (status(third, LAZY.format(0)), status(third, LAZY.format(1))) == (404, 200)


def test_what_the_container_wrote_itself_is_no_part_of_the_page(
    docker_engine: Any, make: Make, releases: list[str], project: str
) -> None:
    go(make("0", pages=PAGES), releases[0], "k0")
    told = docker_engine.containers.get(project).exec_run(
        ["sh", "-c", "cp -p /srv/page/plain.js /srv/page/assets/own-12345678.js && touch /srv/page/assets/own-*"],
        user="root",
    )
    assert told.exit_code == 0, told.output
    second = go(make("1", pages=PAGES), releases[1], "k1")
    assert (status(second, "/assets/own-12345678.js"), status(second, LAZY.format(0))) == (404, 200)


def _once_up(done: Deployed, path: str) -> int:
    def answered() -> int | None:
        try:
            return status(done, path)
        except (OSError, http.client.HTTPException):
            return None

    return int(until(answered, 60, "the page after its restart"))


def test_the_way_back_has_them_too(make: Make, releases: list[str]) -> None:
    go(make("0", pages=PAGES), releases[0], "k0")
    go(make("1", pages=PAGES), releases[1], "k1")
    back = go(make("0", pages=PAGES), releases[0], "k0")
    assert get(back, "/")[1] == "release 0"
    assert (status(back, LAZY.format(0)), status(back, LAZY.format(1))) == (200, 200)


def test_what_cannot_be_kept_fails_no_deployment(
    docker_engine: Any, make: Make, releases: list[str], project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(make("0", pages=PAGES), releases[0], "k0")
    with monkeypatch.context() as patched:
        patched.setattr(bridge, "LIMIT", 100)
        limited = go(make("1", pages=PAGES), releases[1], "k1")
    (remark,) = limited.remarks
    assert remark.startswith("1 hashed file of the old page")
    assert status(limited, LAZY.format(0)) == 404
    assert get(limited, DEEP.format(0))[1] == "chunk 0"

    def refuse(*_: object) -> None:
        raise EngineError("container rootfs is marked read-only")

    with monkeypatch.context() as patched:
        patched.setattr(Containers, "fill", refuse)
        refused = go(make("2", pages=PAGES), releases[2], "k2")
    (remark,) = refused.remarks
    assert remark.endswith("container rootfs is marked read-only")
    assert get(refused, "/")[1] == "release 2"
    assert status(refused, LAZY.format(1)) == 404
    assert names(docker_engine, project) == [project]


def test_folders_that_are_not_there_or_are_volumes(
    docker_engine: Any, make: Make, releases: list[str], project: str, tmp_path: Path
) -> None:
    (tmp_path / "index.html").write_text("of the user")
    tmp_path.chmod(0o755)
    volume = {"volumes": (f"{tmp_path}:{nginx_conf.ROOT}",)}
    pages = (Page("/srv/none", ".*"), *PAGES)
    assert go(make("0", pages=pages), releases[0], "k0").remarks == ()
    mounted = go(make("1", pages=pages, **volume), releases[1], "k1")
    assert mounted.remarks == ()
    assert get(mounted, "/")[1] == "of the user"
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [], "nothing is written into a volume"
    after = go(make("2", pages=pages), releases[2], "k2")
    assert after.remarks == ()
    assert get(after, "/")[1] == "release 2"
    docker_engine.containers.get(project).stop(timeout=1)
    assert status(go(make("3", pages=pages), releases[3], "k3"), LAZY.format(2)) == 200, "of one that has stopped"
