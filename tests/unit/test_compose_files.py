"""Which compose files are read, and what is laid over them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from layerdoit.core.errors import DeployError
from layerdoit.deploy import read_files
from layerdoit.deploy.compose import compose_files, override_file
from layerdoit.deploy.compose.composition import Service
from layerdoit.deploy.compose.override_file import Carried, Wanted
from layerdoit.deploy.live import Live
from layerdoit.deploy.supervision import Instead, Supervised
from layerdoit.project.project import Project


def chosen(root: Path, *named: str, **environ: str) -> list[str]:
    return [path.name for path in compose_files.chosen(root, named, environ, "layerdoit.yaml:3")]


def test_as_docker_compose_chooses(tmp_path: Path) -> None:
    root = tmp_path / "repository" / "server"
    root.mkdir(parents=True)
    (tmp_path / "repository" / "docker-compose.yml").touch()
    assert chosen(root) == ["docker-compose.yml"], "also above the project"
    for name in ("docker-compose.yaml", "compose.override.yaml", "prod.yaml"):
        (root / name).touch()
    assert chosen(root) == ["docker-compose.yaml", "compose.override.yaml"]
    (root / "compose.yaml").touch()
    assert chosen(root) == ["compose.yaml", "compose.override.yaml"]
    assert chosen(root, "compose.yaml", "prod.yaml") == ["compose.yaml", "prod.yaml"]
    assert chosen(root, COMPOSE_FILE="prod.yaml:compose.yaml") == ["prod.yaml", "compose.yaml"]
    assert chosen(root, "compose.yaml", COMPOSE_FILE="prod.yaml") == ["compose.yaml"]
    (root / ".env").write_text("COMPOSE_FILE=compose.yaml,prod.yaml\nCOMPOSE_PATH_SEPARATOR=,\n", encoding="utf-8")
    assert chosen(root) == ["compose.yaml", "prod.yaml"]
    assert chosen(root, COMPOSE_FILE="prod.yaml", COMPOSE_PATH_SEPARATOR=":") == ["prod.yaml"]


def test_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="no compose file") as caught:
        chosen(tmp_path)
    assert caught.value.where == "layerdoit.yaml:3"
    (tmp_path / "compose.yaml").touch()
    with pytest.raises(DeployError, match=r"deploy\.compose\.file names prod\.yaml") as caught:
        chosen(tmp_path, "prod.yaml")
    assert "compose.yaml" in (caught.value.hint or "")
    with pytest.raises(DeployError, match=r"COMPOSE_FILE names \.\./no\.yaml|COMPOSE_FILE names .*/no\.yaml"):
        chosen(tmp_path, COMPOSE_FILE="../no.yaml")


def test_what_a_watch_goes_by(tmp_path: Path) -> None:
    """Without asking docker compose."""
    (tmp_path / "layerdoit.yaml").write_text("project: shop\ndeploy: {provider: compose}\n")
    project = Project.open(tmp_path, {})
    found = [read_files.digest(project)]
    for name, text in (("compose.yaml", "services: {}"), ("compose.yaml", "services: {a: {}}"), (".env", "A=1")):
        (tmp_path / name).write_text(text)
        found.append(read_files.digest(project))
    assert len(set(found)) == 4
    assert read_files.digest(project) == found[-1]
    (tmp_path / "layerdoit.yaml").write_text("project: shop\n")
    assert read_files.digest(Project.open(tmp_path, {})) == found[0]


def test_the_line_of_a_key(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n  web:\n    build: .\n    ports: !override\n      - 80\n"
        "  db:\n    image: x\n    profiles: [data]\n",
        encoding="utf-8",
    )
    (tmp_path / "prod.yaml").write_text("services:\n  web:\n    image: y\n", encoding="utf-8")
    files = [tmp_path / "compose.yaml", tmp_path / "prod.yaml"]
    assert compose_files.line(files, tmp_path, "web", "ports", "0") == "compose.yaml:4"
    assert compose_files.line(files, tmp_path, "web") == "prod.yaml:2"
    assert compose_files.line(files, tmp_path, "db", "image") == "compose.yaml:7"
    assert compose_files.line(files, tmp_path, "cache") is None
    assert compose_files.profiles(files, "db") == ("data",)
    assert compose_files.profiles(files, "web") == ()


def test_what_is_laid_over() -> None:
    wanted = Wanted(
        "shop:app-1",
        {"io.layerdoit.key": "k$1"},
        {"PRICE": "5$A"},
        ("TOKEN",),
        ("--port", "$P"),
        (Service("worker", {"init": False}),),
        {"io.layerdoit.key": "k"},
        (Carried("abc", "/data"),),
    )
    text = override_file.text(Service("web", {}), wanted)
    assert text.count('"build": !reset null') == 2
    assert '"container_name": !reset null' in text
    assert '"PRICE": "5$$A"' in text
    assert '"TOKEN": null' in text
    assert '"init": true' in text
    assert text.count('"init"') == 1, "who says it himself is asked nothing"
    assert '"name": "abc"' in text
    assert override_file.image_of(text) == "shop:app-1"


def test_what_is_laid_over_for_a_watch() -> None:
    live = Live("w1")
    found = Supervised(
        "t1",
        ("/.layerdoit/live", "/.layerdoit/t1", "--", "/usr/local/bin/web", "$A"),
        (f"{live.control}:/.layerdoit", f"{live.programs('shop')}:/usr/local/bin"),
        {"io.layerdoit.live": "w1/t1"},
    )
    worker = Service("worker", {})
    wanted = Wanted(
        "i", {"io.layerdoit.key": "k"}, {}, args=["--x"], siblings=[worker], carried=[Carried("abc", "/data")]
    )
    text = override_file.text(Service("web", {"init": True}), wanted._replace(supervised=found))
    written = json.loads(text.replace("!reset null", "null"))
    web, other = written["services"]["web"], written["services"]["worker"]
    assert web["entrypoint"] == ["/.layerdoit/live", "/.layerdoit/t1", "--", "/usr/local/bin/web", "$$A"]
    assert '"command": !reset null' in text
    assert web["init"] is False
    assert web["labels"] == {"io.layerdoit.key": "k", "io.layerdoit.live": "w1/t1"}
    places = {one["target"]: written["volumes"][one["source"]] for one in web["volumes"]}
    names = {"/data": "abc", "/.layerdoit": "layerdoit-live-w1", "/usr/local/bin": "layerdoit-live-w1.shop"}
    assert places == {target: {"name": name, "external": True} for target, name in names.items()}
    # What runs the same image is started as ever.
    assert (other.get("entrypoint"), other.get("volumes"), other["init"]) == (None, None, True)


@pytest.mark.parametrize(
    ("entrypoint", "command", "argv"),
    [
        # As the engine has them, asked for each.
        (None, None, "/ent cmd"),
        (None, (), "/ent cmd"),
        (None, ("y",), "/ent y"),
        ((), None, "cmd"),
        ((), (), "cmd"),
        ((), ("y",), "y"),
        (("/x",), None, "/x"),
        (("/x",), (), "/x"),
        (("/x",), ("y",), "/x y"),
    ],
)
def test_what_a_service_starts(entrypoint: tuple[str, ...] | None, command: tuple[str, ...] | None, argv: str) -> None:
    assert " ".join(Instead(entrypoint, command).argv(["/ent"], ["cmd"])) == argv
