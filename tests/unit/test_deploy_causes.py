"""Why a container does not serve: what the engine refuses, where the service listens, where it may not write."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from layerdoit import config as configuration
from layerdoit.config import Config, Deploy, Image
from layerdoit.core.errors import ConfigError
from layerdoit.core.units import address_text
from layerdoit.deploy.docker import denied, refusals
from layerdoit.deploy.docker.case import Case
from layerdoit.deploy.docker.sockets import why_unreachable
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.container import Refused

WHERE = {
    name: f"layerdoit.yaml:{line}" for line, name in enumerate(("deploy.volumes", "deploy.network", "deploy.bind"))
}
SETTINGS = DeploySettings(Deploy(), "api", "shop", Path("/shop"), where=WHERE)

# --- volumes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("volume", "says"),
    [
        ("data/db:/data", "write ./data/db:/data"),
        ("x:/data", "two or more"),
        ("$HOME/x:/data", "variables are not filled in"),
        ("~nobody-of-that-name/x:/data", "there is no user"),
        ("data:/", "nothing can be mounted over"),
        ("dä/ta:/x", "write ./dä/ta:/x"),
    ],
)
def test_a_volume_that_the_engine_would_refuse(tmp_path: Path, volume: str, says: str) -> None:
    (tmp_path / "layerdoit.yaml").write_text(f"deploy:\n  volumes:\n    - ok:/ok\n    - {volume}\n")
    with pytest.raises(ConfigError, match=r"deploy\.volumes") as caught:
        configuration.load(tmp_path, variables={})
    assert caught.value.where == "layerdoit.yaml:4"
    assert says in str(caught.value)


def test_two_volumes_at_one_place(tmp_path: Path) -> None:
    (tmp_path / "layerdoit.yaml").write_text("deploy:\n  volumes:\n    - one:/data\n    - two:/data/\n")
    with pytest.raises(ConfigError, match="two volumes are mounted at /data") as caught:
        configuration.load(tmp_path, variables={})
    assert caught.value.where == "layerdoit.yaml:4"


def test_sources_of_volumes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    written = ("~/x:/a", "~:/b", "./d:/c:ro", ".d:/d", "/abs:/e", "named:/f")
    (tmp_path / "layerdoit.yaml").write_text("deploy:\n  volumes:\n" + "".join(f'    - "{one}"\n' for one in written))
    read = configuration.load(tmp_path, variables={}).deploy
    assert replace(SETTINGS, config=read).volumes == (
        *("/home/me/x:/a", "/home/me:/b", "/shop/d:/c:ro", "/shop/.d:/d", "/abs:/e", "named:/f"),
    )


# --- what the engine refuses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ('create data/db: "data/db" includes invalid characters for a local volume name', "deploy.volumes"),
        ("invalid volume specification: 'x:/data:foo'", "deploy.volumes"),
        ("error while creating mount source path '/x': mkdir /x: read-only file system", "deploy.volumes"),
        ("failed to set up container networking: network shop not found", "deploy.network"),
        (
            "driver failed programming external connectivity on endpoint a: cannot assign requested address",
            "deploy.bind",
        ),
    ],
)
def test_a_refusal_names_the_setting(text: str, setting: str) -> None:
    found = refusals.explained(
        Refused(f"failed to create task for container: OCI runtime create failed: {text}"), SETTINGS
    )
    assert found.where == WHERE[setting]
    assert found.what == f"the engine refuses {setting}: {text}"
    assert found.hint


def test_another_refusal_keeps_the_engines_words() -> None:
    found = refusals.explained(Refused("the moon is full"), SETTINGS)
    assert (found.what, found.where) == ("the engine could not start the container: the moon is full", None)


# --- where it listens ------------------------------------------------------------------------------------------------

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue\n"
ANY6, LOOP6 = "0" * 32, "0" * 24 + "01000000"


def table(*sockets: str, state: str = "0A") -> str:
    rows = (f"   {n}: {one} 00000000:0000 {state} 00000000:00000000\n" for n, one in enumerate(sockets))
    return HEAD + "".join(rows)


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ("", None),
        (table("00000000:1F90"), None),
        (table(f"{ANY6}:1F90"), None),
        (table("020011AC:1F90"), None),
        (table("0100007F:1F90", "00000000:1F90"), None),
        (table("0100007F:1F90"), "listens on 127.0.0.1 only"),
        (table(f"{LOOP6}:1F90"), "listens on ::1 only"),
        (table("0000000000000000FFFF00000100007F:1F90"), "listens on 127.0.0.1 only"),
        (table("00000000:2328"), "listens on port 9000, not on 8080"),
        (table("00000000:2328", "00000000:2329"), "listens on port 9000 and 9001"),
        (table("0100007F:2328"), "on 127.0.0.1 only"),
        (table("0B00007F:A0B1"), "nothing in it listens"),
        (table("00000000:1F90", state="01"), "nothing in it listens"),
    ],
)
def test_where_a_service_listens(tables: str, says: str | None) -> None:
    found = why_unreachable(tables, 8080)
    assert (found is None) if says is None else (found is not None and says in found.cause.what)


# --- where it may write ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("could not create certificate directory /certs: Permission denied", ("/certs", "volume certs", "volume rm")),
        ('Os { code: 13, kind: PermissionDenied, message: "Permission denied" }', ("/srv", "/certs", "/host/data")),
        ("open /data/x.db: permission denied (os error 13)", ("/host/data of this machine", "chown")),
        ("cannot write /var/lib/x: EACCES", ("/var/lib/x", "/srv (image.workdir)")),
        ("attempt to write a readonly database", ("/srv",)),
    ],
)
def test_a_service_that_may_not_write(line: str, says: tuple[str, ...]) -> None:
    config = Deploy(volumes=("certs:/certs", "/host/data:/data"))
    found = denied.cause(Case(replace(SETTINGS, config=config), ["starting", line, "giving up"], ended=True))
    assert found is not None
    told = found.hint
    assert "runs as app (image.user)" in told
    assert "image.user: root" in told
    assert [words for words in says if words not in told] == []


def test_nothing_is_said_of_permissions_where_they_are_not_the_matter() -> None:
    assert denied.cause(Case(SETTINGS, ["listening", "connection refused"], ended=True)) is None
    root = replace(SETTINGS, whole=Config(image=Image(user="0:0")))
    assert denied.cause(Case(root, ["Permission denied"], ended=True)) is None


def test_an_address() -> None:
    assert address_text("127.0.0.1", 80) == "127.0.0.1:80"
    assert address_text("::1", 8129) == "[::1]:8129"
