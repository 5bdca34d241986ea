"""Whatever is wrong with a compose file or the settings for it: one message, before anything is built or changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from layerdoit.core.errors import LayerdoitError
from layerdoit.deploy.compose.our_service import OurService
from layerdoit.deploy.provider import Release
from tests.engine.compose.composing import Project

WEB = "services:\n  web: {build: .}\n"

BAD: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "no file": ("", {}, ["no compose file", "deploy: {compose: {file: …}}"]),
    "another file": (WEB, {"compose": {"file": ("prod.yaml",)}}, ["prod.yaml", "does not exist", "compose.yaml"]),
    "misspelt service": (WEB, {"compose": {"service": "wep"}}, ['"wep"', 'did you mean "web"']),
    "no service of ours": ("services:\n  db: {image: x}\n", {}, ["compose.yaml:3: no service", "db", "service: …"]),
    "two of ours": (
        WEB.replace("}", ", ports: [80]}") + "  job: {build: .}\n",
        {},
        ["compose.yaml:", "2 services", "job, web", "service: web"],
    ),
    "profile": (
        WEB + "  shop: {build: ., profiles: [all]}\n",
        {"compose": {"service": "shop"}},
        ["the profile all", "COMPOSE_PROFILES=all"],
    ),
    "broken": ("services:\n  web: a: b\n", {}, ["compose.yaml:3", "mapping values"]),
    "unknown key": (WEB.replace("{build: .}", "\n    build: .\n    prots: []"), {}, ["compose.yaml", "prots"]),
    "unset": (WEB.replace("{build: .}", "\n    image: ${X_UNSET:?say it}\n"), {}, ["compose.yaml:4", "say it", ".env"]),
    "undefined": (WEB.replace("}", ", depends_on: [db]}"), {}, ["compose.yaml:3", "undefined service", "db"]),
    "shared": (
        WEB + '  vpn: {image: x, network_mode: "service:web"}\n',
        {},
        ["compose.yaml:3", "vpn has network_mode"],
    ),
    "for another provider": (
        WEB,
        {"publish": 80, "where": {"deploy.provider": "a.yaml:2", "deploy.publish": "a.yaml:3"}},
        ["a.yaml:3", "deploy.publish has no effect", "compose file"],
    ),
}


@pytest.mark.parametrize("case", list(BAD))
def test_one_message(composed: Project, case: str) -> None:
    text, changes, says = BAD[case]
    if text:
        composed.write(text)
    provider = composed.make("1", **changes)
    with pytest.raises(LayerdoitError) as caught:
        provider.check(Release(composed.image, "k1"))
    message = str(caught.value)
    assert all(word in message for word in says), message
    assert "next: " in message
    assert caught.value.exit_code != 0
    assert composed.containers() == {}


def test_the_example_is_understood(composed: Project) -> None:
    # Another one: at the end, all that has the project's name is removed.
    example = replace(composed, root=Path(__file__).parents[3] / "examples" / "bookshelf", name="bookshelf")
    ours = OurService(example.make("1").settings)
    found = ours.service
    assert (found.name, found.strategy(None), found.ports) == ("web", "tried", (8080,))
    assert [one.name for one in ours.composition.before(found)] == ["db"]


def test_an_unset_variable_is_told_once(composed: Project, capsys: pytest.CaptureFixture[str]) -> None:
    composed.write('services:\n  web: {build: ., environment: {A: "${X_UNSET}"}}\n')
    composed.make("1").check(Release(composed.image, "k1"))
    assert capsys.readouterr().err.count("X_UNSET") == 1


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("exit 1", ["`docker compose` does not answer", "docker-compose-plugin"]),
        ('case "$*" in *version*) echo 2.3.3;; *--hash*) ;; *) echo "{\\"name\\": \\"x\\"}";; esac', ["2.3", "2.20"]),
    ],
    ids=["missing", "too old"],
)
def test_compose_itself(composed: Project, script: str, says: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    composed.write(WEB)
    program = composed.root / "bin" / "docker"
    program.parent.mkdir()
    missing = "echo \"docker: 'compose' is not a docker command.\" >&2; " if script == "exit 1" else ""
    program.write_text(f"#!/bin/sh\n{missing}{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    with pytest.raises(LayerdoitError) as caught:
        composed.make("1").check(Release(composed.image, "k1"))
    assert all(word in str(caught.value) for word in says), str(caught.value)
