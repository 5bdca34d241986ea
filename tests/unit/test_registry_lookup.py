"""How docker's login for a registry is shown to the engine."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from layerdoit.engine import registry_lookup


def shown(header: str) -> dict[str, str]:
    return dict(json.loads(base64.urlsafe_b64decode(header)))


AUTH = {"auth": base64.b64encode(b"builder:pass:word").decode()}


@pytest.mark.parametrize(
    ("known", "host", "user"),
    [
        ({}, "registry.example.com", None),
        ({"auths": {"registry.example.com": AUTH}}, "registry.example.com", "builder"),
        ({"auths": {"https://registry.example.com/v2/": AUTH}}, "registry.example.com", "builder"),
        ({"auths": {"registry.example.com:5000": AUTH}}, "registry.example.com:5000", "builder"),
        ({"auths": {"registry.example.com": AUTH}}, "other.example.com", None),
    ],
)
def test_the_login_of_a_registry(
    known: dict[str, object], host: str, user: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(known))
    found = registry_lookup._login(host)
    assert found is not None
    if user is None:
        assert found == {}
    else:
        told = shown(found["X-Registry-Auth"])
        assert told == {"username": user, "password": "pass:word", "serveraddress": host}


@pytest.mark.parametrize(
    "known",
    [
        {"credsStore": "desktop"},
        {"credHelpers": {"registry.example.com": "ecr-login"}},
        {"auths": {"registry.example.com": {"identitytoken": "x"}}},
        {"auths": {"registry.example.com": {"auth": "%%%"}}},
        {"auths": {"registry.example.com": None}},
    ],
)
def test_a_login_that_only_the_sdk_finds(
    known: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(known))
    assert registry_lookup._login("registry.example.com") is None


def test_without_a_configuration_there_is_no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
    assert registry_lookup._login("registry.example.com") == {}
