"""Containers of images that are not built here: started, waited for, left alone, and never without their data."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from layerdoit.config import Config, Deploy, Health, Image
from layerdoit.core.errors import DeployError, LayerdoitError
from layerdoit.deploy import needs
from layerdoit.deploy.docker.foreign import Foreign, Had
from layerdoit.deploy.docker.foreign_provider import ForeignProvider
from layerdoit.deploy.provider import Release
from layerdoit.deploy.settings import DeploySettings
from tests.engine.deploy.cycling import Make, ask, go, names, owner, way
from tests.support.ports import PORT, free_port

Describe = Callable[..., DeploySettings]


@pytest.fixture(scope="module")
def store(docker_engine: Any, image: str) -> Iterator[str]:
    """An image as those of databases are: with data in a volume, and a check that is asked too seldom."""
    name = image.replace("server", "store")
    made = docker_engine.api.create_container(image, command=["x"])["Id"]
    try:
        changes = 'VOLUME ["/data"]\nHEALTHCHECK --interval=1h CMD ["/server", "check"]\nCMD []'
        docker_engine.api.commit(made, repository=name.split(":")[0], tag=name.split(":")[1], changes=changes)
    finally:
        docker_engine.api.remove_container(made)
    yield name
    docker_engine.images.remove(name, force=True)


@pytest.fixture
def db(docker_engine: Any, project: str, store: str) -> Iterator[Describe]:
    """`db(version, …)`: the settings of the service `db`; volumes of the project are removed at the end."""

    def build(version: str = "1", **changes: Any) -> DeploySettings:
        env = {"VERSION": version, **changes.pop("env", {})}
        health = Health(**{"timeout": 8, **changes.pop("health", {})})
        more = {name: changes.pop(name) for name in ("owner", "environment", "apart", "where") if name in changes}
        foreign, name = changes.pop("foreign", store), changes.pop("name", f"{project}-db")
        config = Deploy(**{"port": PORT, "env": env, "health": health, "stop_grace": 0.0, **changes})
        plain = Config(image=Image(user="root"))
        return DeploySettings(
            config, name, project, Path.cwd(), source="layerdoit.yaml db", whole=plain, service="db", foreign=foreign,
            **more,
        )  # fmt: skip

    yield build
    for container in docker_engine.containers.list(all=True, filters={"label": f"io.layerdoit.project={project}"}):
        container.remove(force=True)
    for volume in docker_engine.volumes.list(filters={"label": f"io.layerdoit.project={project}"}):
        volume.remove()


def needing(make: Make, database: DeploySettings, version: str = "1", **changes: Any) -> Any:
    """The provider of a service that needs the database, and ends at its start where it does not reach it."""
    provider = make(version, env={"NEEDS": f"db:{PORT}"}, **changes)
    found = replace(provider.settings, service="api", needs=("db",), table=lambda: {"db": database})
    return type(provider)(found)


def mounted(docker_engine: Any, name: str) -> dict[str, str]:
    mounts = docker_engine.containers.get(name).attrs["Mounts"]
    return {one["Destination"]: one["Name"] for one in mounts if one.get("Name")}


def test_started_then_left_alone_whatever_changes(docker_engine: Any, project: str, db: Describe) -> None:
    name = f"{project}-db"
    assert Foreign(db()).lacking()
    first = Foreign(db()).have()
    assert first.networks == (f"layerdoit-{project}",)
    started, volume = first.remarks
    assert started.startswith(f"{name} was started (layerdoit-test-store:")
    assert ask(started.rpartition(" at ")[2]) == "1"
    assert mounted(docker_engine, name) == {"/data": f"{name}-data"}
    assert f"{name}-data" in volume
    found = docker_engine.containers.get(name)
    assert found.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert not found.attrs["HostConfig"]["Init"]
    assert set(found.attrs["NetworkSettings"]["Networks"][f"layerdoit-{project}"]["Aliases"]) >= {"db", name}
    assert (Foreign(db()).have().remarks, Foreign(db()).lacking()) == ((), False)
    (told,) = Foreign(db("2", volumes=("other:/other",))).have().remarks
    assert told == (f"{name} was started with other settings (env, volumes), and stays: doit deploy:db replaces it")
    assert docker_engine.containers.get(name).id == found.id
    assert docker_engine.containers.get(name).attrs["State"] == found.attrs["State"]


def test_replaced_when_asked_for_with_the_same_data(docker_engine: Any, project: str, db: Describe) -> None:
    name = f"{project}-db"
    Foreign(db()).have()
    before = docker_engine.containers.get(name)
    assert ForeignProvider(db()).deploy(Release("", "")).phases == (), "nothing has changed"
    done = ForeignProvider(db("2")).deploy(Release("", ""))
    assert (done.error, done.replaced) == (None, True)
    assert done.service is not None
    assert ask(done.service.address) == "2"
    assert (done.service.url or "").startswith("tcp://127.0.0.1:")
    assert docker_engine.containers.get(name).ports == before.ports
    assert mounted(docker_engine, name) == {"/data": f"{name}-data"}
    assert names(docker_engine, project) == [name]
    own = f"{name}-mine"
    volume = docker_engine.volumes.create(own, labels={"io.layerdoit.project": project})
    moved = ForeignProvider(db("2", volumes=(f"{own}:/data",))).deploy(Release("", ""))
    assert moved.error is None
    assert moved.remarks[-1] == f"the volume {name}-data, which it had, stays"
    assert docker_engine.volumes.get(f"{name}-data")
    assert mounted(docker_engine, name) == {"/data": volume.name}


def test_what_fails_gives_way_to_the_old_one(docker_engine: Any, project: str, db: Describe) -> None:
    name = f"{project}-db"
    Foreign(db()).have()
    old = docker_engine.containers.get(name).id
    failed = ForeignProvider(db("2", env={"EXIT": "4"})).deploy(Release("", ""))
    assert failed.error is not None
    assert "ended with exit code 4" in failed.error.what
    assert "giving up" in failed.error.what
    now = docker_engine.containers.get(name)
    assert (now.id, now.status, now.attrs["HostConfig"]["RestartPolicy"]["Name"]) == (old, "running", "unless-stopped")
    assert names(docker_engine, project) == [name]
    assert Foreign(db()).have().remarks == ()


def test_one_that_stopped_is_started_again_and_renamed_ones_are_found(
    docker_engine: Any, project: str, db: Describe
) -> None:
    name = f"{project}-db"
    Foreign(db()).have()
    first = docker_engine.containers.get(name)
    first.stop(timeout=0)
    assert Foreign(db("2")).have().remarks[0] == f"{name} was started again"
    first.rename(f"{name}-renamed")
    assert f"{name}-renamed is called {name} again" in Foreign(db()).have().remarks
    docker_engine.networks.get(f"layerdoit-{project}").disconnect(name)
    assert Foreign(db()).have().remarks == (f"connected {name} to its network again",)
    assert docker_engine.containers.get(name).id == first.id
    first.pause()
    with pytest.raises(DeployError, match="is paused") as caught:
        Foreign(db()).have()
    assert caught.value.hint == f"docker unpause {name} lets it go on"
    first.unpause()


def test_one_that_is_slow_goes_on_and_is_waited_for_again(
    docker_engine: Any, project: str, db: Describe, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"env": {"WAITS": "/go/go"}, "volumes": (f"{tmp_path}:/go",)}
    with pytest.raises(DeployError, match="was not healthy within 1 s") as caught:
        Foreign(db(health={"timeout": 1, "tcp": True}, **options)).have()
    assert "waits for it again" in (caught.value.hint or "")
    (half,) = names(docker_engine, project)
    identity = docker_engine.containers.get(half).id
    (tmp_path / "go").touch()
    Foreign(db(health={"tcp": True}, **options)).have()
    assert names(docker_engine, project) == [f"{project}-db"]
    assert docker_engine.containers.get(f"{project}-db").id == identity


def test_one_that_ends_at_its_start_leaves_its_data_only(docker_engine: Any, project: str, db: Describe) -> None:
    with pytest.raises(DeployError) as caught:
        Foreign(db(env={"EXIT": "3"})).have()
    assert caught.value.what.startswith(f"{project}-db ended with exit code 3 before it was healthy")
    assert "giving up" in caught.value.what
    assert names(docker_engine, project) == []
    assert docker_engine.volumes.get(f"{project}-db-data")
    with pytest.raises(DeployError) as caught:
        Foreign(db(env={"ASKS": "DB_PASSWORD"})).have()
    assert caught.value.hint == "add to layerdoit.yaml: services: {db: {deploy: {env: {DB_PASSWORD: …}}}}"
    assert Foreign(db()).have().remarks, "corrected settings are taken at once: it was never healthy"


# --- who needs it ----------------------------------------------------------------------------------------------------


def test_a_service_finds_what_it_needs_by_its_name(
    docker_engine: Any, project: str, make: Make, image: str, db: Describe
) -> None:
    first = go(needing(make, db()), image)
    assert first.error is None, first.error
    assert first.remarks[0].startswith(f"{project}-db was started")
    database = docker_engine.containers.get(f"{project}-db").attrs["State"]["StartedAt"]
    second = go(needing(make, db(), "2"), image, "k2")
    assert (second.error, second.remarks) == (None, ())
    assert way(docker_engine, project) == "again", "on the isolated network, there is no database"
    assert second.service is not None
    assert ask(second.service.address) == "2"
    assert docker_engine.containers.get(f"{project}-db").attrs["State"]["StartedAt"] == database
    third = go(needing(make, db(), "3", gap="none"), image, "k3")
    assert third.error is None, third.error
    # Also by the name of its service, though something stands before it.
    fourth = make("4", env={"NEEDS": f"api:{PORT}"}, name=f"{project}-page")
    assert go(fourth, image, "k4").error is None


def test_networks_of_their_own_are_joined(
    docker_engine: Any, project: str, make: Make, image: str, db: Describe
) -> None:
    network = docker_engine.networks.create(f"{project}-own", labels={"io.layerdoit.project": project})
    try:
        for version in ("1", "2"):
            done = go(needing(make, db(network=network.name), version), image, version)
            assert done.error is None, done.error
            assert done.service is not None
            assert ask(done.service.address) == version
            joined = docker_engine.containers.get(project).attrs["NetworkSettings"]["Networks"]
            assert set(joined) == {network.name, f"layerdoit-{project}"}
        network.disconnect(project)
        assert (
            f"connected {project} to its network again"
            in go(needing(make, db(network=network.name), "2"), image, "2").recovered
        )
    finally:
        for container in network.client.networks.get(network.id).containers:
            network.disconnect(container, force=True)


def test_without_what_it_needs_the_old_one_serves_on(
    docker_engine: Any, project: str, make: Make, image: str, db: Describe
) -> None:
    first = go(needing(make, db()), image)
    assert first.service is not None
    docker_engine.containers.get(f"{project}-db").remove(force=True)
    failed = go(needing(make, db(env={"EXIT": "5"}), "2"), image, "k2")
    assert failed.error is not None
    assert f"{project}-db ended with exit code 5" in failed.error.what
    assert "giving up" in failed.error.what
    assert failed.service == first.service
    assert ask(first.service.address) == "1"
    assert names(docker_engine, project) == [project]


def test_two_at_once_start_one(docker_engine: Any, project: str, db: Describe) -> None:
    found: list[object] = []

    def have() -> None:
        try:
            found.append(Foreign(db()).have().networks)
        except BaseException as error:  # noqa: BLE001 - compared below
            found.append(error)

    threads = [threading.Thread(target=have) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(f"layerdoit-{project}",)] * 4
    assert names(docker_engine, project) == [f"{project}-db"]


def test_environments_keep_apart(docker_engine: Any, project: str, db: Describe) -> None:
    Foreign(db()).have()
    staging: dict[str, Any] = {"name": f"{project}-db-staging", "environment": "staging", "apart": "staging"}
    other = Foreign(db("2", **staging)).have()
    assert other.networks == (f"layerdoit-{project}.staging",)
    assert mounted(docker_engine, f"{project}-db-staging") == {"/data": f"{project}-db-staging-data"}
    docker_engine.containers.get(f"{project}-db-staging").remove(force=True)
    with pytest.raises(DeployError, match="two at once would ruin") as caught:
        Foreign(db("2", volumes=(f"{project}-db-data:/data",), **staging)).have()
    assert f"docker stop {project}-db" in (caught.value.hint or "")


# --- the end, and what is not ours -----------------------------------------------------------------------------------


def test_the_tasks_of_one(docker_engine: Any, project: str, db: Describe, capfd: pytest.CaptureFixture[str]) -> None:
    provider = ForeignProvider(db())
    assert provider.status().health == "not deployed"
    assert provider.destroy() is False
    assert list(provider.changes(Release("", ""))) == [f"{project}-db would be started with {db().foreign}"]
    Foreign(db()).have()
    status = provider.status()
    assert (status.health, status.remark) == ("healthy", "")
    assert "doit deploy:db replaces it" in ForeignProvider(db("2")).status().remark
    assert list(provider.logs(tail=1)) == ["listening"]
    assert provider.execute(["/server", "check"]) == 0
    assert "another one started with its volumes" in next(ForeignProvider(db("2")).changes(Release("", "")))
    assert provider.holds() == ()
    assert provider.destroy() is True
    assert f"docker volume rm {project}-db-data" in capfd.readouterr().out
    assert names(docker_engine, project) == []
    assert docker_engine.volumes.get(f"{project}-db-data")
    assert docker_engine.networks.list(filters={"label": f"io.layerdoit.project={project}"}) == []


def test_what_is_not_ours_is_refused_and_stays(docker_engine: Any, project: str, image: str, db: Describe) -> None:
    theirs = docker_engine.containers.create(image, name=f"{project}-db")
    try:
        with pytest.raises(DeployError, match="is taken by a container that does not belong"):
            Foreign(db()).have()
        assert ForeignProvider(db()).destroy() is False
        assert docker_engine.containers.get(theirs.id).name == f"{project}-db"
    finally:
        theirs.remove(force=True)
    Foreign(db(owner=owner("/a/shop", "folder:1"))).have()
    for act in ("have", "replace", "remove"):
        with pytest.raises(LayerdoitError, match="belongs to another project"):
            getattr(Foreign(db(owner=owner("/b/shop", "folder:2"))), act)()
    Foreign(db(owner=owner("/a/shop", "folder:1"))).remove()
    with pytest.raises(LayerdoitError, match=r"the volume .* belongs to another project"):
        Foreign(db(owner=owner("/b/shop", "folder:2"))).have()


def test_an_image_that_cannot_be_had_is_one_message(project: str, db: Describe) -> None:
    settings = db(foreign="localhost:1/nowhere/postgres:17", where={"image": "layerdoit.yaml:4"})
    with pytest.raises(DeployError) as caught:
        Foreign(settings).have()
    assert str(caught.value).startswith(
        "layerdoit.yaml:4: the engine does not have the image localhost:1/nowhere/postgres:17, and it cannot be pulled"
    )
    assert "docker load" in (caught.value.hint or "")


def test_a_port_that_somebody_has_is_one_message(docker_engine: Any, project: str, db: Describe) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DeployError, match=f"port {port} is taken by"):
            Foreign(db(publish=port)).have()
    assert names(docker_engine, project) == []


@pytest.mark.parametrize("provider", ["kubernetes", "azure-container-apps", "command", "compose"])
def test_other_providers_start_none(project: str, make: Make, db: Describe, provider: str) -> None:
    settings = replace(db(), config=replace(db().config, provider=provider))
    needer = replace(needing(make, settings).settings, config=replace(make().settings.config, provider=provider))
    assert needs.have(needer) == Had()
    assert "is not started" in needs.unmanaged(settings)
    with pytest.raises(DeployError, match="belongs into"):
        needs.refuse(settings)
    assert needs.unmanaged(db()) == ""


# --- cut short -------------------------------------------------------------------------------------------------------

DRIVER = """
import sys
from pathlib import Path
from layerdoit.config import Deploy, Health
from layerdoit.deploy.docker.foreign_provider import ForeignProvider
from layerdoit.deploy.provider import Release
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.containers import Containers
from tests.support.lethal import lethal
project, image, version, limit, signum = *sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])
changes = ("create", "start", "rename", "restart_as", "stop", "remove", "ensure_network")
lethal(limit, signum, {Containers: changes})
config = Deploy(port=8080, env={"VERSION": version}, health=Health(timeout=8), stop_grace=0.0)
settings = DeploySettings(config, f"{project}-db", project, Path.cwd(), source="layerdoit.yaml db", service="db",
                          foreign=image)
result = ForeignProvider(settings).deploy(Release("", ""))
sys.exit(result.error.exit_code if result.error else 0)
""".replace("8080", str(PORT))


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_each_single_change_may_be_the_last(
    docker_engine: Any, project: str, store: str, db: Describe, signum: signal.Signals
) -> None:
    """The next call goes on: one container is there and healthy, with the data, in the end."""
    name = f"{project}-db"
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def drive(version: str, limit: int) -> int:
        program = ["env", "--default-signal=INT", sys.executable, "-c", DRIVER]
        words = [*program, project, store, version, str(limit), str(int(signum))]
        return subprocess.run(words, env=path, capture_output=True, timeout=60, check=False).returncode

    for version, reached in (("1", 5), ("2", 8)):
        # A kill may come between any two; of interrupts, which are put right at once, every other one is tried.
        for limit in range(1, 20, 1 if signum == signal.SIGKILL else 2):
            code = drive(version, limit)
            # Those that were replaced by then were replaced for good.
            Foreign(db("1")).have()
            assert names(docker_engine, project) == [name]
            assert mounted(docker_engine, name) == {"/data": f"{name}-data"}
            found = docker_engine.containers.get(name)
            assert (found.status, found.attrs["HostConfig"]["RestartPolicy"]["Name"]) == ("running", "unless-stopped")
            if code == 0:
                assert limit > reached, f"{limit} changes"
                break
            if version == "1":
                Foreign(db("1")).remove()
            else:
                Foreign(db("1")).replace()
        else:
            pytest.fail("it did not come to its end")
