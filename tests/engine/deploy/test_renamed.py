"""Another name in the settings, and another clone of the project: what served before is replaced, and it is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from layerdoit.deploy.provider import Release
from layerdoit.engine.ownership import Owner
from tests.engine.deploy.cycling import Make, ask, go, names, owner
from tests.support.waiting import until

HERE = owner("/here", "root:1", "folder:1", "path:1")


def test_another_name_replaces_what_served_under_the_former_one(
    docker_engine: Any, make: Make, image: str, project: str
) -> None:
    former = f"{project}-former"
    first = go(make("1", name=former, owner=HERE), image)
    assert first.service is not None
    renamed = make("2", owner=HERE)
    status = renamed.status()
    assert status.service is not None
    assert (status.service.name, status.health) == (former, "healthy")
    assert f"{former} is of an earlier deploy.name: doit cycle_fast replaces it by {project}" in status.remark
    until(lambda: list(renamed.logs()) == ["starting 1", "listening"])
    # What fails leaves it serving.
    failed = go(make("2", owner=HERE, env={"EXIT": "3"}), image, "k2")
    assert failed.error is not None
    assert failed.service is not None
    assert (failed.service.name, ask(first.service.address)) == (former, "1")

    second = go(renamed, image, "k2")
    assert second.error is None
    assert second.service is not None
    assert second.service.address == first.service.address, "the port that it had"
    assert second.remarks == (f"{former}, of an earlier deploy.name, was replaced by {project}",)
    assert (names(docker_engine, project), ask(second.service.address)) == ([project], "2")
    # And back, killed before the last step.
    back = make("3", name=former, owner=HERE)
    steps = back.replacement()
    with steps.lock():
        steps.recover()
        steps.swap(steps.wait_healthy(steps.start_beside(Release(image, "k3"))))
        assert names(docker_engine, project) == [project, former]
        assert back.replacement().recover() == (f"removed {project}, which {former} has replaced",)
    assert (names(docker_engine, project), ask(second.service.address)) == ([former], "3")
    # The end of it, by its other name.
    assert make("1", owner=HERE).destroy() is True
    assert names(docker_engine, project) == []


@pytest.mark.parametrize(
    ("owner", "source"),
    [
        (HERE, "staging.yaml"),
        (owner("/elsewhere", "root:1", "folder:2", "path:2"), "layerdoit.yaml"),
        (owner("/here", "root:2", "folder:2", "path:1"), "layerdoit.yaml"),
    ],
    ids=["another file of settings", "another clone", "another project"],
)
def test_what_others_deploy_under_another_name_stays(
    docker_engine: Any, make: Make, image: str, project: str, owner: Owner, source: str
) -> None:
    other = go(make("1", name=f"{project}-other", owner=owner, source=source), image)
    assert make("2", owner=HERE).status().service is None
    ours = go(make("2", owner=HERE), image)
    assert ours.remarks == ()
    assert other.service is not None
    assert ours.service is not None
    assert (ask(other.service.address), ask(ours.service.address)) == ("1", "2")
    assert make("2", owner=HERE).destroy() is True
    assert names(docker_engine, project) == [f"{project}-other"]


def test_a_clone_says_whose_container_it_replaces(make: Make, image: str, project: str, tmp_path: Path) -> None:
    first, second, gone = tmp_path / "first", tmp_path / "second", tmp_path / "gone"
    clones = [owner(str(path), "root:1", f"folder:{n}", f"path:{n}") for n, path in enumerate((first, second, gone))]
    first.mkdir()
    second.mkdir()
    assert go(make("1", owner=clones[0]), image).remarks == ()
    told = f"{project} was deployed from {first}, another clone of this project"
    assert make("2", owner=clones[1]).status().remark == told
    (remark,) = go(make("2", owner=clones[1]), image, "k2").remarks
    assert remark.startswith(f"{told}, and is replaced; ")
    assert f"deploy: {{name: {project}-2}}" in remark
    assert go(make("3", owner=clones[1]), image, "k3").remarks == (), "its own"
    # The same folder at another place, and a clone that is gone, are no others.
    moved = owner(str(gone), "root:1", "folder:1", "path:9")
    assert go(make("4", owner=moved), image, "k4").remarks == ()
    assert go(make("5", owner=clones[0]), image, "k5").remarks == ()
