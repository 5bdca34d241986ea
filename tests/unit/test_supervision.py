"""How a container is created that a watch keeps, and which ones it cannot keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from layerdoit.config import Config, Deploy, Image
from layerdoit.core.errors import DeployError
from layerdoit.deploy import supervision
from layerdoit.deploy.docker import kept_live
from layerdoit.deploy.live import CONTROL, PROGRAMS, Live
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine import live_volumes

SERVER = f"{PROGRAMS}/server"


@pytest.fixture
def image(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The configuration of the image."""
    config: dict[str, Any] = {}

    class Api:
        def get(self, path: str) -> Any:
            assert path == "/images/shop:app/json"
            return {"Config": config}

    monkeypatch.setattr(supervision, "connect", Api)
    monkeypatch.setattr(live_volumes, "ensure", lambda *_: None)
    return config


def settings(entrypoint: str | None = None, **deploy: Any) -> DeploySettings:
    whole = Config(image=Image(entrypoint=entrypoint))
    where = {"dockerfiles.app": "layerdoit.yaml:7", "deploy.volumes": "layerdoit.yaml:9"}
    return DeploySettings(Deploy(**deploy), "shop", "shop", Path("/shop"), whole=whole, where=where)


@pytest.mark.parametrize(
    ("config", "args", "program"),
    [
        ({"Entrypoint": [SERVER]}, (), (SERVER,)),
        ({"Entrypoint": [SERVER], "Cmd": ["serve"]}, (), (SERVER, "serve")),
        ({"Entrypoint": [SERVER], "Cmd": ["serve"]}, ("check",), (SERVER, "check")),
        ({"Entrypoint": None, "Cmd": [SERVER, "serve"]}, (), (SERVER, "serve")),
        ({"Entrypoint": ["tini", "--", SERVER]}, (), ("tini", "--", SERVER)),
        ({"Entrypoint": ["/bin/sh", "-c", f"exec {SERVER}"]}, (), ("/bin/sh", "-c", f"exec {SERVER}")),
    ],
)
def test_what_is_started(image: dict[str, Any], config: Any, args: tuple[str, ...], program: tuple[str, ...]) -> None:
    image |= config
    found = supervision.supervised(settings(args=args), Live("w"), "shop:app")
    assert found.entrypoint == (f"{CONTROL}/live", f"{CONTROL}/{found.token}", "--", *program)
    assert found.volumes == (f"layerdoit-live-w:{CONTROL}", f"layerdoit-live-w.shop:{PROGRAMS}")
    assert found.labels == {"io.layerdoit.live": f"w/{found.token}"}
    assert supervision.token_of(found.labels) == found.token
    assert supervision.supervised(settings(args=args), Live("w"), "shop:app").token != found.token


def test_a_script_of_the_project_and_its_signal(image: dict[str, Any]) -> None:
    image |= {"Entrypoint": ["/start"], "StopSignal": "SIGINT"}
    found = supervision.supervised(settings("/start"), Live("w"), "shop:app")
    assert found.entrypoint[2:] == ("SIGINT", "--", "/start")


@pytest.mark.parametrize("runs", [["/app/server"], ["server"], ["/bin/sh", "-c", "server"], ["/usr/local/binary"], []])
def test_a_program_that_an_edit_would_not_reach(image: dict[str, Any], runs: list[str]) -> None:
    image["Entrypoint"] = runs
    with pytest.raises(DeployError, match="a watch cannot replace it") as caught:
        supervision.supervised(settings(), Live("w"), "shop:app")
    assert (runs or ["nothing"])[0] in caught.value.what
    assert caught.value.where == "layerdoit.yaml:7"


@pytest.mark.parametrize(
    "volume", ["./bin:/usr/local/bin/", "x:/usr/local/bin/server:ro", "/usr/local/bin", "x:/usr/local", "x:/.layerdoit"]
)
def test_a_volume_in_the_way(volume: str) -> None:
    with pytest.raises(DeployError, match="shop mounts something at /") as caught:
        kept_live.refuse(settings(volumes=(volume,)))
    assert caught.value.where == "layerdoit.yaml:9"


def test_other_volumes_are_in_nobody_s_way() -> None:
    kept_live.refuse(settings(volumes=("./data:/data", "bin:/usr/local/binary", "x:/usr/loc")))
