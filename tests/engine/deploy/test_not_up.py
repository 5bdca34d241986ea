"""A container that does not come up: its message has the line that cures it, and is there as soon as it has ended."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from typing import Any

import pytest

from layerdoit.deploy.docker import health
from layerdoit.engine import api_version
from tests.engine.deploy.cycling import Make, go, names
from tests.support.files import write


def test_a_file_that_is_not_in_the_image(make: Make, image: str, tmp_path: Path) -> None:
    write(tmp_path, {"config/default.toml": "x = 1\n"})
    files = {"root": tmp_path, "files": lambda: ("config/default.toml",)}
    failed = go(make(env={"READS": "config/default.toml"}, **files), image)
    assert failed.error is not None
    assert "config/default.toml is in the project but not in the image" in failed.error.what
    assert failed.error.hint == "add to layerdoit.yaml: image: {assets: {config: /config}}"
    # What a volume brings is there.
    there = ("./config:/config:ro",)
    assert go(make(env={"READS": "config/default.toml"}, volumes=there, **files), image).error is None


def test_a_variable_that_is_not_set(make: Make, image: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert go(make(), image).error is None
    failed = go(make(env={"ASKS": "DATABASE_URL"}), image, "k2")
    assert "trying again" not in capsys.readouterr().err, "no other network would help"
    assert failed.error is not None
    assert "the environment variable DATABASE_URL is not set in the container" in failed.error.what
    assert failed.error.hint == "add to layerdoit.yaml: deploy: {env: {DATABASE_URL: …}}"


def test_another_answer_to_the_health_check(make: Make, image: str) -> None:
    where = {"deploy.health.path": "layerdoit.yaml:4"}
    failed = go(make(env={"ONLY": "/health", "LOGS": "1"}, health={"timeout": 3}, where=where), image)
    assert failed.error is not None
    assert failed.error.where == "layerdoit.yaml:4"
    assert "GET / answered 404" in failed.error.what
    assert "deploy: {health: {path: …}}" in (failed.error.hint or "")
    (line,) = (line for line in failed.error.what.splitlines() if "GET / HTTP/1.1" in line and "times" in line)
    assert line.strip().startswith("GET / HTTP/1.1 answered")


def test_the_wait_ends_with_the_container(
    docker_engine: Any, make: Make, image: str, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the next probe is far away."""
    monkeypatch.setattr(health, "pauses", lambda: itertools.repeat(3600.0))
    began = time.monotonic()
    failed = go(make(env={"SICK": "1"}, health={"timeout": 0.1}), image)
    # Which reason it has then depends on whether it has come to listen.
    assert "was not healthy within 0.1 s" in str(failed.error), "a timeout counts, whatever the pause"
    failed = go(make(env={"DELAY": "200", "LISTEN": "no address"}, health={"timeout": 3600}), image)
    assert "ended with exit code 101" in str(failed.error)
    assert time.monotonic() - began < 60
    assert names(docker_engine, project) == []


def test_an_engine_that_has_another_version_of_its_api(
    docker_engine: Any, make: Make, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_version, "WRITTEN_FOR", "1.99")
    monkeypatch.setattr(api_version, "_agreed", {})
    assert go(make(), image).error is None
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    assert api_version.known(host) == docker_engine.version()["ApiVersion"]
