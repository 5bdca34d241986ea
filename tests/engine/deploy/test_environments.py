"""Several environments of one project on one machine, and releases that are known by their digest."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from layerdoit.core.errors import DeployError
from layerdoit.deploy.provider import Release
from tests.engine.deploy.cycling import Make, ask, go, names
from tests.support.waiting import until


def test_two_environments_of_a_project_do_not_touch_one_another(
    docker_engine: Any, make: Make, image: str, project: str
) -> None:
    dev = go(make("dev"), image)
    of_staging = {
        "name": f"{project}-staging",
        "environment": "staging",
        "source": "layerdoit.staging.yaml ENV=staging",
    }
    staging = go(make("staging", **of_staging), image, "k2")
    assert dev.service is not None
    assert staging.service is not None
    assert names(docker_engine, project) == [project, f"{project}-staging"]
    assert go(make("dev 2"), image, "k3").error is None
    assert (ask(dev.service.address), ask(staging.service.address)) == ("dev 2", "staging")
    assert docker_engine.containers.get(f"{project}-staging").id == staging.service.id
    docker_engine.containers.get(f"{project}-staging").stop(timeout=0)
    assert make("dev 2").destroy()
    docker_engine.containers.get(f"{project}-staging").start()
    assert names(docker_engine, project) == [f"{project}-staging"]
    until(lambda: ask(staging.service.address if staging.service else None) == "staging")


def test_the_container_of_another_environment_is_respected(
    docker_engine: Any, make: Make, image: str, project: str
) -> None:
    prod = go(make("prod", environment="prod"), image)
    ours = make("dev")
    failed = go(ours, image, "k2")
    assert f"{project} is the container of the environment prod" in str(failed.error)
    assert (ours.status().service, ours.status().remark) == (None, f"{project} is of the environment prod")
    for act in (ours.destroy, ours.logs, lambda: ours.check(Release(image, "k2"))):
        with pytest.raises(DeployError, match="the environment prod"):
            act()
    assert names(docker_engine, project) == [project]
    assert prod.service is not None
    assert ask(prod.service.address) == "prod"


def test_what_runs_is_the_image_of_the_digest(docker_engine: Any, make: Make, image: str, project: str) -> None:
    identity = docker_engine.images.get(image).id
    release = Release(image, "k1", digest=identity, commit="c" * 40, id="r1")
    done = make("1", environment="prod").deploy(release)
    assert done.error is None
    assert done.service is not None
    assert (done.service.release, done.service.commit, done.service.digest) == ("r1", "c" * 40, identity)
    labels = docker_engine.containers.get(project).labels
    assert labels["io.layerdoit.environment"] == "prod"
    assert make("1", environment="prod").deploy(release).phases == ()
    moved = make("2", environment="prod").deploy(Release(image, "k2", digest=f"sha256:{'0' * 64}"))
    assert "is another image by now" in str(moved.error)
    assert ask(done.service.address) == "1"


def test_a_rollback_runs_the_image_of_then_as_it_was_then(
    docker_engine: Any, make: Make, image: str, project: str, record_property: Callable[[str, object], None]
) -> None:
    """Its tag may be on another image by now."""
    identity = docker_engine.images.get(image).id
    moved = docker_engine.api.create_container(image)
    other = docker_engine.api.commit(moved["Id"], repository=image.partition(":")[0], tag="moved")["Id"]
    docker_engine.api.remove_container(moved["Id"])
    try:
        first = go(make("1"), image)
        assert go(make("2"), image, "k2").error is None
        begun = time.perf_counter()
        back = make("1").roll_back(Release(f"{image.partition(':')[0]}:moved", "k1", digest=identity))
        record_property("rollback", f"{time.perf_counter() - begun:.3f} s")
        assert back.error is None
        assert back.replaced
        assert first.service is not None
        assert ask(first.service.address) == "1"
        assert docker_engine.containers.get(project).attrs["Image"] == identity != other
        gone = make("1").roll_back(Release("layerdoit-test-none:1", "k0", digest=f"sha256:{'0' * 64}"))
        assert "does not exist" in str(gone.error)
        assert ask(first.service.address) == "1"
    finally:
        docker_engine.images.remove(other, force=True)
