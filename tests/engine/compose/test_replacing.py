"""A service of a compose file gets our image; it is replaced only by a healthy one, and nothing else is touched."""

from __future__ import annotations

import contextlib
import re
import socket
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from layerdoit.config import Deploy, Health
from layerdoit.deploy.docker.deployment import DockerProvider
from layerdoit.deploy.provider import Release
from layerdoit.deploy.settings import DeploySettings, Page
from layerdoit.dockerfile import hashed_names, nginx_conf
from tests.engine.compose.composing import Project
from tests.engine.deploy.cycling import ask
from tests.engine.served_page_fixture import page_image
from tests.support.ports import PORT, free_port
from tests.support.waiting import until

WITH_DATABASE = f"""
services:
  web:
    build: .
    depends_on: {{db: {{condition: service_healthy}}}}
    healthcheck: {{test: [CMD, /server, check], interval: 1s}}
    ports: ["{PORT}"]
    volumes: ["data:/data", "/scratch"]
  db:
    image: IMAGE
    healthcheck: {{test: [CMD, /server, check], interval: 1s}}
  proxy:
    image: IMAGE
    depends_on: [web]
volumes: {{data: {{}}}}
"""


def fixed(port: int, more: str = "") -> str:
    return f"""
services:
  web:
    build: .
    container_name: NAME
    ports: ["127.0.0.1:{port}:{PORT}"]
    {more}
"""


def mounted(container: Any, at: str) -> str:
    return next(str(one["Name"]) for one in container.attrs["Mounts"] if one["Destination"] == at)


def test_first_then_nothing_to_do_then_replaced_beside_the_old_one(composed: Project) -> None:
    composed.write(WITH_DATABASE)
    first = composed.go("1")
    assert (first.error, first.replaced) == (None, False)
    assert first.service is not None
    assert first.service.name == f"{composed.name}-web-1"
    assert ask(first.service.address) == "1"
    assert composed.running() == ["db", "proxy", "web"]
    assert set(first.remarks) == {"db was started", "proxy was started"}
    before = composed.containers()
    again = composed.go("1")
    assert (again.error, again.phases, again.remarks) == (None, (), ())
    assert {one.id for one in composed.containers().values()} == {one.id for one in before.values()}
    second = composed.go("2")
    assert (second.error, second.replaced, second.remarks) == (None, True, ())
    assert second.service is not None
    assert (second.service.name, ask(second.service.address)) == (first.service.name, "2")
    after = composed.containers()
    assert set(after) == set(before)
    kept = {name: one for name, one in before.items() if "-web-" not in name}
    assert all(after[name].attrs["State"]["StartedAt"] == one.attrs["State"]["StartedAt"] for name, one in kept.items())
    old, new = before[first.service.name], after[first.service.name]
    # Also what has no name, as docker compose itself would hand it on.
    assert [mounted(new, at) for at in ("/data", "/scratch")] == [mounted(old, at) for at in ("/data", "/scratch")]
    assert composed.go("2").phases == (), "what was handed on makes no difference"


def test_others_are_brought_up_where_they_changed_and_ours_stays(composed: Project) -> None:
    composed.write(WITH_DATABASE)
    first = composed.go("1")
    composed.containers("proxy").popitem()[1].remove(force=True)
    composed.write(WITH_DATABASE.replace("[web]", "[web]\n    environment: {CHANGED: 1}"))
    again = composed.go("1")
    assert (again.phases, again.remarks) == ((), ("proxy was started",))
    assert first.service is not None
    assert again.service is not None
    assert again.service.id == first.service.id


@pytest.mark.parametrize("strategy", [None, "recreate"])
def test_a_fixed_port(composed: Project, strategy: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    text = fixed(port, "restart: always").replace("NAME", f"{composed.name}-mine")
    composed.write(text)
    compose: dict[str, Any] = {"compose": {"strategy": strategy}}
    assert composed.go("1", **compose).error is None
    assert "nobody answers" not in capsys.readouterr().out, "nothing was replaced"
    second = composed.go("2", **compose)
    assert (second.error, second.replaced) == (None, True)
    assert "nobody answers" in capsys.readouterr().out
    assert second.service is not None
    assert second.service.address == f"127.0.0.1:{port}"
    assert ask(second.service.address) == "2"
    started = composed.containers()[f"{composed.name}-mine"].attrs["State"]["StartedAt"]
    bad = composed.go("3", env={"EXIT": "3"}, **compose)
    assert bad.error is not None
    assert "ended with exit code 3" in bad.error.what
    assert "giving up" in bad.error.what
    # One that came back has only been started.
    until(lambda: ask(second.service.address if second.service else None) == "2")
    now = composed.containers()
    assert list(now) == [f"{composed.name}-mine"]
    # A trial never touches the one that serves; a program that must not run twice was stopped, and came back.
    assert (now[f"{composed.name}-mine"].attrs["State"]["StartedAt"] == started) is (strategy is None)
    assert composed.go("2", **compose).phases == ()
    # One that ends at its start is not started again and again; one that serves is.
    assert now[f"{composed.name}-mine"].attrs["HostConfig"]["RestartPolicy"]["Name"] == "always"


def test_a_failure_that_only_the_published_port_shows(composed: Project) -> None:
    port, taken = free_port(), free_port()
    composed.write(fixed(port).replace("NAME", f"{composed.name}-mine"))
    first = composed.go("1")
    composed.write(fixed(taken).replace("NAME", f"{composed.name}-mine"))
    with socket.create_server(("127.0.0.1", taken)):
        failed = composed.go("2")
    assert failed.error is not None
    assert str(taken) in failed.error.what
    assert failed.error.where == "compose.yaml:7"
    assert first.service is not None
    until(lambda: ask(first.service.address if first.service else None) == "1")
    assert composed.version() == "1"


def test_what_the_user_started_is_replaced_and_comes_back_where_ours_fails(composed: Project) -> None:
    port = free_port()
    text = fixed(port, 'environment: {VERSION: "theirs"}\n    stop_grace_period: 500ms').replace(
        "build: .", "image: IMAGE"
    )
    composed.write(text.replace("NAME", f"{composed.name}-mine"))
    composed.compose("up", "-d")
    compose: dict[str, Any] = {"compose": {"service": "web"}}
    assert composed.make("1", **compose).status().health == "not deployed"
    bad = composed.go("1", env={"EXIT": "3"}, **compose)
    assert bad.error is not None
    assert composed.version() == "theirs"
    good = composed.go("2", **compose)
    assert (good.error, good.replaced) == (None, True)
    assert composed.version() == "2"


def test_replicas_are_all_replaced(composed: Project) -> None:
    composed.write("services:\n  web: {build: ., deploy: {replicas: 2}}\n")
    assert composed.go("1", port=PORT).error is None
    assert composed.go("2", port=PORT).error is None
    assert sorted(composed.containers("web")) == [f"{composed.name}-web-1", f"{composed.name}-web-2"]
    assert composed.go("2", port=PORT).phases == ()


def test_a_worker_and_migrations_get_the_image_too(composed: Project) -> None:
    composed.write(
        """
        services:
          web:
            build: .
            expose: ["8080"]
            depends_on: {migrate: {condition: service_completed_successfully}}
          worker: {build: .}
          migrate: {build: ., command: [check]}
    """.replace("8080", str(PORT))
    )
    web: dict[str, Any] = {"compose": {"service": "web"}}
    assert composed.go("1", **web).error is None
    first = composed.containers("migrate").popitem()[1]
    assert (first.status, first.attrs["State"]["ExitCode"], composed.version("worker")) == ("exited", 0, "1")
    assert composed.go("1", **web).remarks == ()
    assert composed.containers("migrate").popitem()[1].attrs["State"] == first.attrs["State"], "once for each release"
    assert composed.go("2", **web).error is None
    assert (composed.version(), composed.version("worker")) == ("2", "2")
    bad = composed.go("3", env={"SICK": "1"}, **web)
    assert bad.error is not None
    assert "migrate ended with exit code 1" in bad.error.what
    assert (composed.version(), composed.version("worker")) == ("2", "2")
    assert {one.by for one in composed.make("2", **web).holds()} == set(composed.containers())


def test_secrets_and_files_of_compose(composed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value from the environment stands in no file; what docker compose puts into a container is there."""
    monkeypatch.setenv("TOKEN", "hush-hush-123")
    composed.write(
        fixed(free_port(), "configs: [{source: settings, target: /settings}]").replace("NAME", f"{composed.name}-mine")
        + "configs: {settings: {content: some}}\n"
    )
    options: dict[str, Any] = {"secrets": {"TOKEN": None}}
    options["env"] = {"READS": "/settings", "ASKS": "TOKEN", "PRICE": "5$$A"}
    for number in ("1", "2"):
        done = composed.go(number, **options)
        assert done.error is None, done.error
    (one,) = composed.containers("web").values()
    assert {"TOKEN=hush-hush-123", "PRICE=5$A"} <= set(one.attrs["Config"]["Env"])
    written = [path for path in composed.root.rglob("*") if path.is_file()]
    assert written
    assert all("hush" not in path.read_text(encoding="utf-8") for path in written)
    assert "hush" not in str(one.labels)
    monkeypatch.setenv("TOKEN", "another-one")
    changed = composed.go("2", **options)
    assert (changed.error, changed.replaced) == (None, True)


def test_status_logs_exec_holds_and_the_end(composed: Project, capfd: pytest.CaptureFixture[str]) -> None:
    composed.write(WITH_DATABASE)
    assert composed.make("1").destroy() is False
    composed.go("1")
    provider = composed.make("1")
    assert provider.status().health == "healthy"
    until(lambda: list(provider.logs()) == ["starting 1", "listening"])
    until(lambda: list(provider.logs(since=0.01)) == [], 60, "that what was said is older")
    assert list(provider.logs(since=3600)) == ["starting 1", "listening"]
    assert provider.execute(["/server", "check"]) == 0
    assert [one.by for one in provider.holds()] == [f"{composed.name}-web-1"]
    lines = "\n".join(composed.make("2").changes(Release("new:1", "k2")))
    assert f"{composed.image} -> new:1" in lines
    assert re.search(r"\bdb\b", lines) is None
    assert provider.destroy() is True
    assert "docker compose down" in capfd.readouterr().out
    assert composed.running() == ["db", "proxy"]
    assert provider.status().service is None
    assert composed.engine.volumes.get(f"{composed.name}_data")


def test_two_environments_share_no_service(composed: Project) -> None:
    composed.write("services:\n  web: {build: .}\n")
    assert composed.go("1", port=PORT).error is None
    other = composed.go("2", port=PORT, deployment=f"{composed.name}-staging", environment="staging")
    assert other.error is not None
    assert f"project: {composed.name}-staging" in (other.error.hint or "")
    assert composed.version() == "1"


def test_another_name_of_the_service_or_the_project_moves_it(composed: Project) -> None:
    port = free_port()
    text = f'services:\n  web: {{build: ., ports: ["127.0.0.1:{port}:{PORT}"]}}\n'
    composed.write(text)
    assert composed.go("1").error is None
    composed.write(text.replace("web", "api"))
    moved = composed.go("2")
    assert (moved.error, moved.replaced) == (None, True)
    assert list(composed.containers()) == [f"{composed.name}-api-1"]
    assert moved.service is not None
    assert ask(moved.service.address) == "2"


def test_another_provider_takes_over_and_gives_back(composed: Project) -> None:
    port = free_port()
    composed.write(f'services:\n  web: {{build: ., ports: ["127.0.0.1:{port}:{PORT}"]}}\n')
    name, release = composed.name, Release(composed.image, "k")
    config = Deploy(port=PORT, publish=port, health=Health(timeout=10))
    plain = DockerProvider(DeploySettings(config, name, name, composed.root, source="layerdoit.yaml"))
    try:
        assert plain.deploy(release).error is None
        taken = composed.go("1")
        assert (taken.error, taken.replaced, composed.version()) == (None, True, "1")
        assert plain.deploy(release).error is None
        mine = composed.engine.containers.list(all=True, filters={"label": f"io.layerdoit.project={name}"})
        assert [one.name for one in mine] == [name]
    finally:
        plain.destroy()


def test_hashed_files_of_the_old_page_stay_for_one_more_release(
    composed: Project, page_runtime: str, tmp_path: Path
) -> None:
    composed.write(f"services: {{web: {{build: ., ports: [{PORT}]}}}}")
    pages = (Page(nginx_conf.ROOT, hashed_names.expression(["assets/*"])),)
    statuses = []
    for number in "123":
        files = {"index.html": b"page", f"assets/{number}.js": number.encode()}
        composed.image = page_image(files, page_runtime, tmp_path / number, port=PORT)
        try:
            done = composed.go(number, pages=pages, health={"path": "/"}, port=PORT)
            assert done.error is None, done.error
            assert done.service is not None
            for name in "123":
                with (
                    contextlib.suppress(HTTPError),
                    urlopen(f"http://{done.service.address}/assets/{name}.js") as found,
                ):
                    statuses.append(number + name)
                    assert found.read() == name.encode()
        finally:
            composed.engine.images.remove(composed.image, force=True)
    assert statuses == ["11", "21", "22", "32", "33"]
