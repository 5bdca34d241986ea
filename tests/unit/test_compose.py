"""What compose files tell of the own service, and which others are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.init import compose
from layerdoit.init.hints import Files, Hint
from tests.support.files import write

OWN = "services:\n  web:\n    build: .\n"


def read(folder: Path, files: dict[str, str]) -> compose.Told:
    write(folder, files)
    return compose.read(folder, Files(lambda path: (folder / path).exists(), programs=frozenset(("server", "worker"))))


def told(folder: Path, lines: str) -> list[Hint]:
    """Of the own service with more lines; `#` begins what stands beside it."""
    own, _, beside = lines.partition("#")
    text = OWN + "".join(f"    {line}\n" for line in own.strip("\n").splitlines()) + beside
    found = read(folder, {"compose.yaml": text})
    assert found.notes == ()
    return list(found.hints)


def plain(hints: list[Hint]) -> list[tuple[str, str]]:
    return [(hint.kind, hint.value) for hint in hints]


@pytest.mark.parametrize(
    ("lines", "hints"),
    [
        ("ports: ['80:8080']", [("port", "8080"), ("publish", "80")]),
        ("ports: ['127.0.0.1:80:8080/tcp', 90]", [("port", "8080"), ("publish", "80"), ("port", "90")]),
        ("ports: ['53:53/udp']", [("port", "53/udp"), ("publish", "53")]),
        ("ports: ['${OUT:-81}:${IN:-8081}']", [("port", "8081"), ("publish", "81")]),
        ("ports:\n- {target: 8080, published: '80', protocol: tcp, mode: host}", [("port", "8080"), ("publish", "80")]),
        ("expose: ['8080']", [("port", "8080")]),
        ("environment: {N: 5, ON: yes, E: ''}", [("deploy-env", n) for n in ("N=5", "ON=yes", "E=")]),
        ("environment: ['A=a=b', 'D=${X:-y}', 'P=a$$b']", [("deploy-env", n) for n in ("A=a=b", "D=y", "P=a$b")]),
        ("command: serve --x 'a b'", [("args", '["serve", "--x", "a b"]')]),
        ("command: [/usr/local/bin/server, serve]", [("entrypoint", "server"), ("args", '["serve"]')]),
        ("entrypoint: server\ncommand: serve", [("entrypoint", "server"), ("args", '["serve"]')]),
        ("volumes: ['data:/data', 'conf:/etc/x:ro,z']", [("mount", "data:/data"), ("mount", "conf:/etc/x:ro")]),
        ("volumes:\n- {type: volume, source: data, target: /data, read_only: true}", [("mount", "data:/data:ro")]),
        ("volumes: ['./there:/there']", [("mount", "./there:/there")]),
        ("volumes: ['./new/x:/new']", [("mount", "new-x:/new")]),
        ("volumes: [/anonymous]", [("volume", "/anonymous")]),
        ("volumes: ['/run/docker.sock:/d.sock']", [("mount", "/run/docker.sock:/d.sock")]),
        ("healthcheck: {test: curl http://x/up, start_period: 1m30s}", [("health", "/up"), ("health-timeout", "90")]),
        ("healthcheck: {test: [CMD, server, check]}", [("health-command", "server check")]),
        ("healthcheck: {test: [CMD-SHELL, test -f /x]}", [("health-command", "test -f /x")]),
        ("healthcheck: {test: [NONE]}", []),
        ("healthcheck: {disable: true}", []),
        ("stop_signal: SIGINT\nstop_grace_period: 1m", [("stop-signal", "SIGINT"), ("stop-grace", "60")]),
        ("user: '1000:1000'\nworking_dir: /app", [("user", "1000:1000"), ("workdir", "/app")]),
        ("restart: always\ncontainer_name: x\nx-own: 1\ndepends_on: []", []),
    ],
)  # fmt: skip
def test_a_setting_of_the_own_service_has_a_counterpart(
    tmp_path: Path, lines: str, hints: list[tuple[str, str]]
) -> None:
    (tmp_path / "there").mkdir()
    assert plain(told(tmp_path, lines)) == hints


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("ports: ['3000-3005:3000-3005']", "the port 3000-3005"),
        ("environment: [FROM_SHELL, 'X=${NOT_SET}']", "FROM_SHELL, X come from your shell"),
        ("env_file: .env", "the variables of .env are not read"),
        ("env_file:\n- {path: a.env, required: false}\n- b.env", "the variables of a.env, b.env"),
        ("command: sh -c 'migrate && server'", "runs `sh -c"),
        ("command: 'server --port $PORT'", "runs `server --port $PORT`"),
        ("command: cargo watch -x run", "for development"),
        ("entrypoint: /wait-for-it.sh", "no binary of this project"),
        ("volumes: ['.:/app']", "sees the sources"),
        ("volumes: ['./src:/app/src']", "sees the sources"),
        ("volumes: ['${D}:/data']", "depends on a variable"),
        ("volumes:\n- {type: tmpfs, target: /tmp}", "a tmpfs is mounted"),
        ("healthcheck: {test: 'x $Y'}", "the health check"),
        ("user: ${UID}", "${UID} depends on a variable"),
        ("cap_add: [X]\ndeploy:\n  a:\n    b:\n      c:\n      - d: e\n        f: [[gpu]]", "cap_add, deploy"),
    ],
)  # fmt: skip
def test_what_has_none_is_told(tmp_path: Path, lines: str, words: str) -> None:
    (note,) = told(tmp_path, lines)
    assert note.kind == "note"
    assert words in note.value
    assert note.where.startswith("compose.yaml:")


def test_other_services_are_named_and_what_points_to_them(tmp_path: Path) -> None:
    lines = "environment: {CACHE: 'redis://cache:6379', DB_HOST: db, LOG: dbx}\nnetworks: [back]"
    beside = (
        "  db: {image: 'postgres:16'}\n  cache: {image: redis, profiles: [full]}\n  ui: {build: ./ui}\nname: shop\n"
    )
    hints = told(tmp_path, f"{lines}#{beside}")
    notes = [hint.value for hint in hints if hint.kind.startswith("note")]
    assert any("db (postgres:16), cache (redis, profile full), ui" in text for text in notes)
    assert any("docker compose up -d db cache ui; or with deploy: {provider: compose}" in text for text in notes)
    (way,) = (hint for hint in hints if hint.kind == "provider")
    assert (way.value, way.sure) == ("compose", False)
    (points,) = (text for text in notes if "point to" in text)
    assert points.startswith("CACHE, DB_HOST point to cache and db: docker compose up -d cache db")
    unsure = {hint.kind: hint.value for hint in hints if not hint.sure}
    assert unsure == {"network": "shop_back", "isolated": "no", "provider": "compose"}


def test_the_own_service_is_found(tmp_path: Path) -> None:
    two = "services:\n  worker: {build: ., command: worker run}\n  api: {build: {context: .}, ports: ['1:2']}\n"
    found = read(tmp_path / "a", {"compose.yml": two})
    assert plain(list(found.hints))[:2] == [("port", "2"), ("publish", "1")]
    assert [hint.value for hint in found.hints if hint.kind == "note"] == [
        "worker runs the same image with the command `worker run`: a deployment of ours is one container"
    ]
    named = "services:\n  x: {image: 'me/server:1', ports: ['1:2']}\n  y: {image: other, ports: ['3:4']}\n"
    assert plain(list(read(tmp_path / "b", {"compose.yml": named}).hints))[:1] == [("port", "2")]
    foreign = "services:\n  x: {image: other, ports: ['3:4']}\n"
    assert [kind for kind, _ in plain(list(read(tmp_path / "c", {"compose.yml": foreign}).hints))] == [
        "beside",
        "note-beside",
    ]
    below = "services:\n  x: {build: {context: .., dockerfile: docker/Own.Dockerfile, target: run}}\n"
    got = read(tmp_path / "d", {"docker/compose.yml": below, "docker/Own.Dockerfile": "FROM rust\nRUN cargo build\n"})
    assert (got.dockerfile, got.target, got.files) == ("docker/Own.Dockerfile", "run", ("docker/compose.yml",))


def test_what_docker_compose_would_not_take_is_only_named(tmp_path: Path) -> None:
    found = read(tmp_path / "a", {"compose.e2e.yml": OWN, "docker/compose.prod.yml": OWN})
    assert (found.hints, found.files) == ((), ())
    assert found.notes == (
        "compose.e2e.yml, docker/compose.prod.yml were not read: none is what docker compose up takes",
    )
    assert read(tmp_path / "b", {"compose.prod.yml": OWN}).files == ("compose.prod.yml",)


def test_extends_anchors_overrides_and_includes(tmp_path: Path) -> None:
    files = {
        "compose.yaml": (
            "include: [more/db.yml]\n"
            "x-env: &env {LOG: info, N: one}\nx-more: &more\n  <<: *env\n  M: more\n"
            "services:\n  web:\n    extends: {file: base/common.yml, service: common}\n    build: .\n"
            "    environment: {<<: *more, N: two}\n    ports: ['1:2']\n"
        ),
        "compose.override.yaml": (
            "services:\n  web:\n    command: !override serve\n    ports: !reset null\n    user: web\n"
        ),
        "base/common.yml": (
            "services:\n  common:\n    stop_signal: SIGINT\n    volumes: ['data:/data']\n    expose: [9]\n"
        ),
        "more/db.yml": "services:\n  db: {image: postgres}\n",
        "compose.prod.yaml": "services: {web: {user: other}}\n",
    }
    found = read(tmp_path, files)
    got = plain(list(found.hints))
    for one in (
        ("user", "web"),
        ("args", '["serve"]'),
        ("stop-signal", "SIGINT"),
        ("mount", "data:/data"),
        ("port", "9"),
    ):
        assert one in got, one
    assert {value for kind, value in got if kind == "deploy-env"} == {"LOG=info", "M=more", "N=two"}
    assert any("db (postgres) is not started" in value for kind, value in got if kind == "note-beside")
    assert set(found.files) == {"compose.yaml", "compose.override.yaml", "base/common.yml", "more/db.yml"}
    assert found.notes == ("compose.yaml was read; compose.prod.yaml may be of interest, too",)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (note,) = read(tmp_path / "a", {"compose.yaml": "services: ["}).notes
    assert note.startswith("compose.yaml was left out: broken YAML")
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for before, name in zip("abcdef", "bcdefg", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    (note,) = read(tmp_path / "b", {"compose.yaml": bomb}).notes
    assert "more than 50000 values" in note
    deep = "services: " + "{a: " * 60 + "x" + "}" * 60
    (note,) = read(tmp_path / "c", {"compose.yaml": deep}).notes
    assert "nested too deeply (compose.yaml:1)" in note
    endless = "services:\n  web: {build: ., extends: {service: web}}\n"
    assert read(tmp_path / "d", {"compose.yaml": endless}).notes == ()
