"""What `init` finds in a tree, what it proposes, and the files it would write."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from layerdoit import config
from layerdoit.cargo.projects_below import find_projects
from layerdoit.config import json_schema, reading, shipped
from layerdoit.core.errors import LayerdoitError, WorkspaceError
from layerdoit.core.state import State
from layerdoit.init import proposal, write
from layerdoit.init.found import Found, look, project_root
from layerdoit.init.items import Item
from layerdoit.project.settings_cache import put_schema
from tests.support.files import write as write_files
from tests.support.git import git
from tests.unit.test_dockerfile_parse import TEXT as DOCKERFILE

MANIFEST = """\
[package]
name = "server"
version = "0.1.0"
edition = "2021"

[dependencies]
openssl-sys = { version = "0.9", optional = true }

[features]
tls = ["openssl-sys"]
metrics = []
"""
LOCK = """\
version = 3

[[package]]
name = "openssl-sys"
version = "0.9.100"
source = "registry+https://example.com/index"
checksum = "aa"

[[package]]
name = "server"
version = "0.1.0"
dependencies = [
 "openssl-sys",
]
"""
MAIN = 'fn main() { print!("{}", include_str!("../static/a.txt")); }\n'


def make(folder: Path, files: dict[str, str] | None = None) -> Path:
    return write_files(folder, {"Cargo.toml": MANIFEST, "Cargo.lock": LOCK, "src/main.rs": MAIN, **(files or {})})


def proposed(found: Found) -> dict[str, list[object]]:
    out: dict[str, list[object]] = {}
    for item in proposal.propose(found).active:
        out.setdefault(item.path, []).append(item.value)
    return out


def unlike_schema(text: str) -> list[str]:
    """What an editor that has read the schema underlines."""
    validator = jsonschema.Draft7Validator(json_schema.schema())
    return [error.message for error in validator.iter_errors(yaml.safe_load(text) or {})]


def shown(found: Found) -> str:
    return write.settings_text(proposal.propose(found))


def loaded(text: str, folder: Path) -> config.Config:
    assert unlike_schema(text) == []
    (folder / "layerdoit.yaml").write_text(text, encoding="utf-8")
    return config.load(folder, variables={})


def test_a_plain_project_needs_no_settings(tmp_path: Path) -> None:
    found = look(make(tmp_path))
    assert proposal.propose(found).items == ()
    text = shown(found)
    assert all(line.startswith("#") for line in text.splitlines())
    got = loaded(text, tmp_path)
    assert {**vars(got), "source": (), "where": {}} == vars(config.Config())


def test_a_dockerfile_is_taken_over_in_our_names(tmp_path: Path) -> None:
    make(tmp_path, {"Dockerfile": DOCKERFILE, "static/a.txt": "", "templates/x.html": "", "config.toml": ""})
    found = look(tmp_path)
    assert proposed(found) == {
        "features": ["tls", "metrics"],
        "env": [("SQLX_OFFLINE", "true")],
        "sources.include": ["static"],
        "base.packages": ["libssl-dev", "protobuf-compiler"],
        "base.runtime_packages": ["libssl3t64", "tzdata"],
        "image.cmd": ["--listen", "0.0.0.0:8080"],
        "image.env": [("PORT", "8080"), ("LOG", "info")],
        "image.user": ["web"],
        "image.workdir": ["/srv"],
        "image.expose": ["8080", "9090/udp"],
        "image.assets": [
            ("templates", "/srv/templates"),
            ("static", "/srv/static"),
            ("config.toml", "/srv/config.toml"),
        ],
        "deploy.volumes": ["server-data:/data"],
    }
    text = shown(found)
    assert "    - libssl-dev  # openssl-sys 0.9.100\n" in text
    assert "    - protobuf-compiler  # from Dockerfile:12\n" in text
    assert "#     - curl  # from Dockerfile:20; no source starts it; the Dockerfile may need it for itself\n" in text
    assert "# profile: release  # from Dockerfile:16; dev compiles much faster\n" in text
    # Two ports: which one is the service's, a person must say.
    assert "#   port: 8080  # from Dockerfile:28; one of 8080, 9090\n" in text
    got = loaded(text, tmp_path)
    assert got.features == ("tls", "metrics")
    assert got.image.expose == ("8080", "9090/udp")
    # What is a comment is valid once it is none.
    lines = [line.removeprefix("# ") for line in text.splitlines()[2:]]
    assert loaded("\n".join(lines), tmp_path).profile == "release"


def test_what_of_a_dockerfile_has_no_counterpart_is_told_beside_what_has(tmp_path: Path) -> None:
    text = """\
FROM node AS web
WORKDIR /w
COPY web .
RUN npm run build
FROM rust AS build
RUN cargo build
FROM nginx:1
ENV GOSU_VERSION=1 LEVEL=info
RUN curl -o /gosu https://example.com/$GOSU_VERSION && mkdir -p /data /etc/x
COPY --from=web /w/dist /srv/dist
COPY static /a
COPY static /b
COPY start.sh /start.sh
LABEL org.example.title=Shop
STOPSIGNAL SIGINT
HEALTHCHECK CMD ["server", "check"]
EXPOSE 80
ENTRYPOINT ["/start.sh"]
CMD ["serve"]
"""
    make(tmp_path, {"Dockerfile": text, "static/a.txt": "", "start.sh": 'exec server "$@"', "web/x": ""})
    found = look(tmp_path)
    assert proposed(found) == {
        "sources.include": ["static"],
        "image.entrypoint": ["/start.sh"],
        "image.cmd": ["serve"],
        "image.env": [("LEVEL", "info")],
        "image.labels": [("org.example.title", "Shop")],
        "image.expose": ["80"],
        "image.stop_signal": ["SIGINT"],
        "image.assets": [("static", "/a"), ("start.sh", "/start.sh")],
        "deploy.port": [80],
        "deploy.health.command": ["server check"],
        "deploy.volumes": ["server-data:/data"],
    }
    shown_text = shown(found)
    assert (
        "#     web/dist: /srv/dist  # from Dockerfile:10, `npm run build` in web makes it (Dockerfile:4)\n"
        in shown_text
    )
    assert '#   runtime_image: "nginx:1"  # from Dockerfile:7, as the image is made from it' in shown_text
    assert '#     GOSU_VERSION: "1"  # from Dockerfile:8, which only the Dockerfile itself uses\n' in shown_text
    assert '#     - "server-etc-x:/etc/x"' in shown_text
    remarks = proposal.propose(found).remarks
    for start in ("Dockerfile:9: `curl", "Dockerfile:10: the image lacks /srv/dist", "Dockerfile:12: static is also"):
        assert len([remark for remark in remarks if remark.startswith(start)]) == 1, start
    assert loaded(shown_text, tmp_path).image.stop_signal == "SIGINT"
    (tmp_path / "web/dist").mkdir()
    assert ("web/dist", "/srv/dist") in proposed(look(tmp_path))["image.assets"]


ROOTS = """\
FROM rust:1 AS build
RUN cargo build --release
FROM {base}
WORKDIR /root/app
COPY static static
VOLUME ["/root/kept", "/var/lib/x y"]
{user}ENTRYPOINT ["server"]
"""


def test_an_image_that_runs_as_root_is_told_and_its_own_folders_are_not_taken(tmp_path: Path) -> None:
    make(tmp_path, {"Dockerfile": ROOTS.format(base="debian:trixie-slim", user=""), "static/a": ""})
    found = look(tmp_path)
    got = proposed(found)
    assert ("image.user" in got, "image.workdir" in got) == (False, False)
    assert got["image.assets"] == [("static", "/srv/app/static")]
    assert got["deploy.volumes"] == ["server-root-kept:/srv/kept", "server-var-lib-x-y:/var/lib/x y"]
    remarks = "\n".join(proposal.propose(found).remarks)
    assert "runs as root (Dockerfile:3), ours as app" in remarks
    assert "only root may enter /root/app (Dockerfile:4)" in remarks
    assert "#   user: root  # from Dockerfile:3" in shown(found)
    assert loaded(shown(found), tmp_path).image.workdir == "/srv"


@pytest.mark.parametrize(
    ("base", "user", "told"),
    [
        ("debian:trixie-slim", "USER root\n", True),
        ("debian:trixie-slim", "USER 1000\n", False),
        ("gcr.io/distroless/cc:nonroot", "", False),
        ("debian:trixie-slim", "RUN apt-get install gosu\n", False),
        ("$BASE", "", False),
    ],
)
def test_whether_an_image_runs_as_root(tmp_path: Path, base: str, user: str, told: bool) -> None:
    make(tmp_path, {"Dockerfile": ROOTS.format(base=base, user=user), "static/a": ""})
    assert any("runs as root" in text for text in proposal.propose(look(tmp_path)).remarks) is told


def test_packages_have_the_names_of_the_image_that_is_configured(tmp_path: Path) -> None:
    yaml = "base: {image: example.org/rust-ubuntu22.04, runtime_image: ubuntu:22.04}\n"
    alpine = "FROM rust:alpine\nRUN apk add openssl-dev odd-thing && cargo build --features tls\n"
    make(tmp_path, {"Dockerfile": alpine})
    newest = look(tmp_path)
    assert proposed(newest)["base.runtime_packages"] == ["libssl3t64"]
    assert "- odd-thing  # from Dockerfile:2, by Alpine's name; Debian's may be another\n" in shown(newest)
    (tmp_path / "layerdoit.yaml").write_text(yaml)
    assert proposed(look(tmp_path))["base.runtime_packages"] == ["libssl3"]


def test_compose_makefile_and_tiltfile_are_read(tmp_path: Path) -> None:
    compose = (
        "services:\n  db:\n    image: x\n    ports: ['5432:5432']\n  web:\n    build: .\n    ports:\n      - 80:8080\n"
    )
    make(tmp_path, {"compose.yaml": compose, "Makefile": "x:\n\tcargo build --features tls\n"})
    found = look(tmp_path)
    assert proposed(found)["deploy.port"] == [8080]
    assert proposed(found)["deploy.publish"] == [80]
    assert proposed(found)["features"] == ["tls"]
    assert found.files == ("Makefile", "compose.yaml")
    assert "  port: 8080  # from compose.yaml:8\n" in shown(found)
    (tmp_path / "compose.yaml").write_text("services: [")
    assert "compose.yaml was left out: broken YAML" in look(tmp_path).notes[0]
    (tmp_path / "Tiltfile").write_text("k8s_resource('x', port_forwards='7000:7001')\n")
    assert proposed(look(tmp_path))["deploy.port"] == [7001]


def test_what_a_compose_file_says_of_the_container_holds(tmp_path: Path) -> None:
    compose = """\
services:
  web:
    build: {context: ., dockerfile: own/Dockerfile, target: run}
    command: [serve, serve]
    environment: {LOG: info, DB_PASS: hunter2, DB: "postgres://u:hunter2@db/x", CACHE: "redis://cache"}
    volumes: ["data:/data", "/host/more:/more"]
    user: "1000"
    healthcheck: {test: [CMD, wget, "http://localhost:80/up"], start_period: 40s}
    stop_grace_period: 10s
    ports: ["81:80"]
  db: {image: postgres}
  cache: {image: redis}
"""
    dockerfile = (
        "FROM rust AS build\nRUN cargo build\nFROM debian AS run\nEXPOSE 80\nVOLUME /data /more\nUSER web\n"
        'HEALTHCHECK CMD server check\nCMD ["server"]\nFROM run AS later\nENV LATER=1\n'
    )
    make(tmp_path, {"compose.yaml": compose, "own/Dockerfile": dockerfile, "Dockerfile": "FROM rust\nENV A=b\n"})
    found = look(tmp_path)
    assert proposed(found) == {
        "image.user": ["1000"],
        "image.expose": ["80"],
        "deploy.port": [80],
        "deploy.publish": [81],
        "deploy.health.path": ["/up"],
        "deploy.health.timeout": [40],
        "deploy.env": [("LOG", "info"), ("CACHE", "redis://cache")],
        "deploy.volumes": ["server-data:/data", "server-more:/more"],
        "deploy.args": ["serve", "serve"],
        "deploy.stop_grace": [10],
    }
    text = shown(found)
    folder = tmp_path.name.lower()
    assert f"network: {folder}_default  # from compose.yaml:5, where db and cache can be reached\n" in text
    assert "provider: compose  # from compose.yaml:2, runs the image as its service web, beside db, cache\n" in text
    remarks = "\n".join(proposal.propose(found).remarks)
    assert "hunter2" not in text + remarks
    for words in ("DB, CACHE point to db and cache", "db (postgres), cache (redis) are not started by layerdoit"):
        assert words in remarks
    assert found.files == ("own/Dockerfile", "compose.yaml")
    assert loaded(text, tmp_path).deploy.args == ("serve", "serve")


def test_features_that_two_builds_do_not_share_are_only_shown(tmp_path: Path) -> None:
    text = "FROM rust\nRUN cargo build --features tls\nRUN cargo build --features metrics\nFROM debian\n"
    found = look(make(tmp_path, {"Dockerfile": text}))
    assert proposed(found) == {}
    assert "# features:\n#   - tls  # from Dockerfile:2\n" in shown(found)


def test_linkers_of_the_cargo_configuration(tmp_path: Path) -> None:
    text = '[target.\'cfg(target_os = "linux")\']\nlinker = "clang"\nrustflags = ["-C", "link-arg=-fuse-ld=mold"]\n'
    other = "[target.x86_64-pc-windows-gnu]\nlinker = 'lld'\n"
    found = look(make(tmp_path, {".cargo/config.toml": text + other}))
    assert proposed(found) == {"base.packages": ["clang", "mold"]}


def test_a_secret_is_not_taken_over(tmp_path: Path) -> None:
    text = 'FROM debian\nENV API_TOKEN=abc URL=postgres://me:pw@db/x MODE=1\nCMD ["server"]\n'
    found = look(make(tmp_path, {"Dockerfile": text}))
    assert proposed(found)["image.env"] == [("MODE", "1")]
    assert "abc" not in shown(found)
    assert ":pw@" not in shown(found)
    assert not any("abc" in remark or ":pw@" in remark for remark in proposal.propose(found).remarks)


def test_queries_that_need_a_database_are_named(tmp_path: Path) -> None:
    lock = (
        LOCK + '\n[[package]]\nname = "sqlx-macros"\nversion = "0.8.0"\nsource = "registry+https://example.com/index"\n'
    )
    make(tmp_path, {"Cargo.lock": lock, "src/db.rs": "fn f() {\n    sqlx::query_as!(A, 1);\n}\n"})
    remarks = proposal.propose(look(tmp_path)).remarks
    assert any("src/db.rs:2" in remark and "cargo sqlx prepare" in remark for remark in remarks)
    make(tmp_path, {"Cargo.lock": lock, ".sqlx/query-1.json": "{}"})
    found = look(tmp_path)
    assert proposed(found) == {"env": [("SQLX_OFFLINE", "true")]}
    assert found.asks_database is None


def test_members_where_no_default_member_has_a_binary(tmp_path: Path) -> None:
    files = {"Cargo.toml": '[workspace]\nmembers = ["a", "b"]\ndefault-members = ["a"]\n'}
    for name, file in (("a", "lib.rs"), ("b", "main.rs")):
        files[f"{name}/src/{file}"] = "fn main() {}\n"
        files[f"{name}/Cargo.toml"] = f'[package]\nname = "{name}"\nversion = "0.1.0"\n'
    entries = "".join(f'[[package]]\nname = "{name}"\nversion = "0.1.0"\n\n' for name in "ab")
    found = look(make(tmp_path, {**files, "Cargo.lock": f"version = 3\n\n{entries}"}))
    assert proposed(found) == {"project": ["b"], "packages": ["b"]}
    assert found.problem is None


def test_of_two_binaries_of_one_name_one_is_chosen_and_the_other_named(tmp_path: Path) -> None:
    """An image holds one: the file says which, and what to write for the other."""
    members = {name: f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n' for name in "abc"}
    bins = {name: "worker" if name == "c" else "server" for name in members}
    files = {
        f"{name}/Cargo.toml": f'{text}[[bin]]\nname = "{bins[name]}"\npath = "src/main.rs"\n'
        for name, text in members.items()
    }
    locked = "".join(f'\n[[package]]\nname = "{name}"\nversion = "0.1.0"\n' for name in members)
    sources = {f"{name}/src/main.rs": "fn main() {}\n" for name in members}
    workspace = '[workspace]\nmembers = ["a", "b", "c"]\nresolver = "2"\n'
    texts = {"Cargo.toml": workspace, "Cargo.lock": f"version = 4\n{locked}", **files, **sources}
    root = write_files(tmp_path / "w", texts)
    found = look(root)
    assert found.problem is None
    assert proposed(found)["packages"] == ["a", "c"]
    assert "or b in its place: both have a binary `server`" in shown(found)


def test_a_name_that_another_package_would_change_is_written_down(tmp_path: Path) -> None:
    """Images, caches and the container of the old name would be left behind, and the container would go on serving."""

    def of(*names: str) -> dict[str, list[Any]]:
        files = {"Cargo.toml": f"[workspace]\nmembers = {json.dumps(names)}\n"}
        for name in names:
            files[f"{name}/src/main.rs"] = "fn main() {}\n"
            files[f"{name}/Cargo.toml"] = f'[package]\nname = "{name}"\nversion = "0.1.0"\n'
        entries = "".join(f'[[package]]\nname = "{name}"\nversion = "0.1.0"\n\n' for name in names)
        folder = tmp_path / f"Shop{len(names)}"
        folder.mkdir()
        return proposed(look(make(folder, {**files, "Cargo.lock": f"version = 3\n\n{entries}"})))

    assert of("server") == {"project": ["server"]}
    assert of("admin", "server") == {"project": ["shop2"]}


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"no Cargo\.toml"):
        project_root(tmp_path)
    make(tmp_path)
    (tmp_path / "Cargo.lock").unlink()
    with pytest.raises(WorkspaceError) as raised:
        look(tmp_path)
    assert "cargo generate-lockfile" in (raised.value.hint or "")
    (tmp_path / "Cargo.lock").write_text("version = 3\n")
    assert "Cargo.lock does not have the package `server`" in (look(tmp_path).problem or "")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("rust-toolchain", "1.80.0\n", "1.80.0 (rust-toolchain)"),
        ("rust-toolchain.toml", "# channel = '1.70'\n[toolchain]\nchannel = '1.80'\n", "1.80 (rust-toolchain.toml)"),
        ("rust-toolchain.toml", "[toolchain]\ncomponents = ['clippy']\n", "the host's"),
        ("../rust-toolchain.toml", "[toolchain]\nchannel = '1.80'\n", "1.80 (rust-toolchain.toml)"),
    ],
)
def test_the_toolchain_is_the_one_that_a_build_takes(tmp_path: Path, name: str, text: str, words: str) -> None:
    found = look(make(tmp_path / "one", {name: text}))
    assert found.toolchain.partition(" (no")[0] == words
    assert found.problem is None


def test_a_broken_toolchain_file_is_to_be_mended_first(tmp_path: Path) -> None:
    found = look(make(tmp_path, {"rust-toolchain.toml": "[toolchain\n"}))
    assert "rust-toolchain.toml:1: this is not valid TOML" in (found.problem or "")
    assert found.selection is not None


def test_a_library_s_repository_names_the_program_in_it(tmp_path: Path) -> None:
    make(tmp_path, {"tool/Cargo.toml": MANIFEST.replace("server", "tool"), "tool/Cargo.lock": LOCK})
    (tmp_path / "Cargo.lock").unlink()
    with pytest.raises(WorkspaceError) as failed:
        look(tmp_path)
    assert "--root tool" in str(failed.value.hint)


def test_where_the_project_is(tmp_path: Path) -> None:
    make(tmp_path / "services/api")
    assert project_root(tmp_path) == tmp_path / "services/api"
    make(tmp_path / "services/other")
    with pytest.raises(WorkspaceError, match="2 Rust projects here: services/api, services/other"):
        project_root(tmp_path)
    with pytest.raises(WorkspaceError, match="inside a Rust project"):
        project_root(tmp_path / "services/api/src")
    assert find_projects(tmp_path / "services/api/src") == []


def test_submodules_that_are_not_there(tmp_path: Path) -> None:
    found = look(make(tmp_path, {".gitmodules": '[submodule "x"]\n\tpath = vendor/x\n\turl = y\n'}))
    assert any("the submodule vendor/x is not checked out" in text for text in proposal.propose(found).remarks)
    missing = MANIFEST.replace("[dependencies]\n", '[dependencies]\nx-sys = { path = "vendor/x/sys" }\n')
    (tmp_path / "Cargo.toml").write_text(missing)
    with pytest.raises(WorkspaceError, match="a submodule that is not checked out") as caught:
        look(tmp_path)
    assert caught.value.hint == "git submodule update --init vendor/x"
    (tmp_path / "Cargo.lock").unlink()
    with pytest.raises(WorkspaceError, match=r"no Cargo\.lock") as caught:
        look(tmp_path)
    assert (caught.value.hint or "").startswith("git submodule update --init, then run `cargo generate-lockfile`")


# --- dodo.py ----------------------------------------------------------------------------------------------------------

TAKEN = frozenset(("image", "deploy"))


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"import os\n",
        b"import os",
        b"x = 1\r\ny = 2\r\n",
        "# é\n".encode(),
        b"\xef\xbb\xbfx = 1\n",
        b"def task_a():\n    pass",
    ],
)
def test_a_line_is_added_and_nothing_else(before: bytes) -> None:
    made = write.dodo(before, ".", "dodo.py", TAKEN)
    assert made is not None
    after, _ = made
    assert after.startswith(before)
    assert after[len(before) :].strip().splitlines() == [b"from layerdoit import task_layerdoit"]
    assert after.endswith(b"\r\n" if b"\r\n" in before else b"\n")
    ast.parse(after)
    assert write.dodo(after, ".", "dodo.py", TAKEN) is None


def test_tasks_of_the_same_name_keep_their_names() -> None:
    made = write.dodo(b"def task_deploy():\n    pass\n", "services/api", "dodo.py", TAKEN)
    assert made is not None
    assert 'task_layerdoit = layerdoit.tasks("services/api", prefix="rust")' in made[0].decode()


@pytest.mark.parametrize("text", [b"def (:\n", b"\xff\xfe", b"x = '", b"\0"])
def test_a_broken_dodo_is_left_alone(text: bytes) -> None:
    with pytest.raises(LayerdoitError, match="not valid Python"):
        write.dodo(text, ".", "dodo.py", TAKEN)


def test_all_files_or_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o640)
    changes = [write.Change(tmp_path / "a", b"new", "", new=False), write.Change(tmp_path / "no/b", b"", "", new=True)]
    with pytest.raises(FileNotFoundError):
        write.write(changes)
    assert (tmp_path / "a").read_bytes() == b"old"
    write.write(changes[:1])
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


# --- the schema -------------------------------------------------------------------------------------------------------


def test_the_shipped_schema_is_up_to_date() -> None:
    assert shipped.schema().read_text(encoding="utf-8") == json_schema.text()


def test_the_schema_knows_every_key_and_no_other() -> None:
    for name, field in reading.flat(config.Config):
        node = json_schema.schema()
        for part in name.split("."):
            assert node["additionalProperties"] is False
            node = node["properties"][part]
        assert node["description"] == field.metadata["doc"]
        assert set(node) & {"type", "enum", "anyOf"}, f"{name}: its kind says nothing to editors"


def test_editors_find_the_schema_where_the_file_says(tmp_path: Path) -> None:
    loaded(write.settings_text(proposal.Proposal(())), tmp_path)
    put_schema(State.open(tmp_path))
    line = (tmp_path / "layerdoit.yaml").read_text().splitlines()[0]
    assert (tmp_path / line.partition("$schema=")[2]).read_bytes() == shipped.schema().read_bytes()


@given(st.text())
def test_any_value_is_written_as_it_is_read(value: str) -> None:
    item = Item("image.env", ("A", value), "why")
    node = reading.parse(write.settings_text(proposal.Proposal((item,))).encode(), "layerdoit.yaml")
    for name in ("image", "env", "A"):
        assert isinstance(node.value, Mapping)
        node = node.value[name]
    assert node.value == value


@pytest.mark.parametrize("source", ["server", "/dist/server", "${TARGETARCH}/server"])
def test_a_program_that_is_made_before_the_image_is_the_project_s_own(tmp_path: Path, source: str) -> None:
    text = f'FROM debian\nCOPY --chmod=755 {source} /app/\nENTRYPOINT ["/app/server"]\n'
    manifest = '[package]\nname = "server"\nversion = "0.1.0"\n'
    files = {"Cargo.toml": manifest, "src/main.rs": "fn main() {}\n", "Dockerfile": text}
    found = look(make(tmp_path, files))
    got = proposed(found)
    assert "image.entrypoint" not in got
    assert "image.assets" not in got
    assert "the image lacks" not in shown(found)
    assert "depends on a variable" not in shown(found)


BUILDER = """\
FROM rust AS build
RUN apt-get install -y libhwloc-dev libssl-dev libother-dev musl-tools
ENV ROCKSDB_LIB_DIR=/usr/lib PROTOC=/opt/protoc/bin/protoc FOO_NO_VENDOR=1 CARGO_TARGET_DIR=/t RUSTFLAGS=-g
RUN cargo build
FROM debian
RUN apt-get install -y libhwloc15 rsync curl tini cargo
COPY --from=build /target/release/server /app
CMD ["/app", "-c", "/etc/x.toml", "--dir=/srv/y"]
"""


def test_packages_and_variables_of_a_builder_are_taken_where_crates_ask_for_them(tmp_path: Path) -> None:
    manifest = '[package]\nname = "server"\nversion = "0.1.0"\n[dependencies]\nhwlocality-sys = "0.1"\n'
    lock = LOCK.replace("openssl-sys", "hwlocality-sys").replace("0.9.100", "0.1.0")
    files = {"Cargo.toml": manifest, "Cargo.lock": lock}
    run = 'fn main() { std::process::Command::new("rsync"); }\n'
    found = look(make(tmp_path, {**files, "Dockerfile": BUILDER, "src/main.rs": run}))
    got = proposed(found)
    assert got["base.packages"] == ["libhwloc-dev"]
    assert got["base.runtime_packages"] == ["libhwloc15", "rsync"]
    assert got["env"] == [("ROCKSDB_LIB_DIR", "/usr/lib"), ("FOO_NO_VENDOR", "1")]
    assert got["image.cmd"] == ["-c", "/etc/x.toml", "--dir=/srv/y"]
    text = shown(found)
    assert "libhwloc-dev  # from Dockerfile:2, for hwlocality-sys\n" in text
    for line in (
        "libssl-dev  # from Dockerfile:2; no crate of Cargo.lock is known to ask for it",
        "libother-dev  # from Dockerfile:2; no crate of Cargo.lock is known to ask for it",
        "curl  # from Dockerfile:6; no source starts it; the Dockerfile may need it for itself",
        "tini  # from Dockerfile:6; the image starts the program by itself",
        "PROTOC: /opt/protoc/bin/protoc  # from Dockerfile:3; only the image that the Dockerfile builds in has this",
    ):
        assert re.search(rf"(?m)^#.*{re.escape(line)}", text), line
    assert "musl-tools" not in text
    assert "- cargo" not in text
    remarks = proposal.propose(found).remarks
    assert any("the arguments name /etc/x.toml, which the image will not have" in remark for remark in remarks)
    assert any("PROFILE=release" in remark for remark in remarks)


def test_the_dockerfile_that_is_shipped_is_read(tmp_path: Path) -> None:
    text = "FROM rust:1.79.0 AS b\nRUN cargo build\nFROM debian\nEXPOSE {}\n"
    names = ["docker/debian/Dockerfile", "docker/alpine/Dockerfile", "images/Worker.Dockerfile", "Dockerfile.dev"]
    make(tmp_path, {name: text.format(port) for port, name in enumerate(names, 1)})
    found = look(tmp_path)
    assert found.files == ("images/Worker.Dockerfile",)
    assert any("docker/alpine/Dockerfile" in note and "Dockerfile.dev" in note for note in found.notes)
    assert '# toolchain: "1.79.0"  # from images/Worker.Dockerfile:1; without it, this machine\'s own' in shown(found)
    make(tmp_path, {"dockerfile": text.format(80)})
    assert look(tmp_path).files == ("dockerfile",)
    compose = (
        "services:\n  dev: {build: {context: ., dockerfile: Dockerfile.dev}, ports: ['1:2']}\n"
        "  prod: {build: ., ports: ['3:4']}\n"
    )
    make(tmp_path, {"compose.yaml": compose, "Dockerfile": text.format(81)})
    found = look(tmp_path)
    assert found.files == ("Dockerfile", "compose.yaml")
    assert "publish: 3" not in shown(found), "two ports, 81 and 4"
    assert "expose:\n    - 81  # from Dockerfile:4\n    - 4  # from compose.yaml:3\n" in shown(found)


def test_only_the_programs_that_are_copied_into_the_image_are_built(tmp_path: Path) -> None:
    text = "FROM rust AS b\nRUN cargo build\nFROM debian\nCOPY --from=b /target/debug/server /usr/bin/\n"
    make(tmp_path, {"Dockerfile": text, "src/bin/tool.rs": "fn main() {}\n"})
    assert proposed(look(tmp_path))["bins"] == ["server"]
    (tmp_path / "src/bin/tool.rs").unlink()
    assert "bins" not in proposed(look(tmp_path))


def test_advice_that_several_notes_share_stands_once(tmp_path: Path) -> None:
    text = "FROM debian\nRUN ln -s /a /b\nRUN pip install x\nENV A=$B\n"
    remarks = proposal.propose(look(make(tmp_path, {"Dockerfile": text}))).remarks
    own = [remark for remark in remarks if remark.startswith("Dockerfile:")]
    assert [remark.partition(": ")[0] for remark in own] == ["Dockerfile:4", "Dockerfile:2", "Dockerfile:3"]
    assert [("dockerfiles.app" in remark) for remark in own] == [False, False, True]


def test_whether_a_submodule_matters_is_said(tmp_path: Path) -> None:
    modules = "".join(f'[submodule "{name}"]\n\tpath = vendor/{name}\n\turl = y\n' for name in "ab")
    make(tmp_path, {".gitmodules": modules})
    (remark,) = (text for text in proposal.propose(look(tmp_path)).remarks if "submodule" in text)
    assert remark == "2 submodules are not checked out; nothing that is built names them"
    make(tmp_path, {".gitmodules": modules, "build.rs": 'fn main() { cc("vendor/a/x.c"); }\n'})
    (remark,) = (text for text in proposal.propose(look(tmp_path)).remarks if "submodule" in text)
    assert remark.endswith("sources or a Dockerfile name it: git submodule update --init vendor/a")


def test_a_compiler_wrapper_is_switched_off_and_git_is_told(tmp_path: Path) -> None:
    script = 'fn main() {\n    std::process::Command::new("git").output();\n}\n'
    make(tmp_path, {".cargo/config.toml": '[build]\nrustc-wrapper = "sccache"\n', "build.rs": script})
    found = look(tmp_path)
    assert proposed(found)["env"] == [("RUSTC_WRAPPER", "")]
    assert loaded(shown(found), tmp_path).env == {"RUSTC_WRAPPER": ""}
    # Outside a repository, it is only a comment.
    assert "build.git" not in proposed(found)
    assert "git: commit" in shown(found)
    git(tmp_path, "init", "--quiet")
    found = look(tmp_path)
    assert (proposed(found)["build.git"], proposed(found)["base.packages"]) == (["commit"], ["git"])
    assert loaded(shown(found), tmp_path).build.git == "commit"


def test_credentials_of_a_dockerfile_are_named_and_not_repeated(tmp_path: Path) -> None:
    last = "FROM debian\nENV X_SETUP__ADMIN_PWD=admin2 DB_PASS=hunter2 MAX_TOKENS=4096 DB=postgres://u:hunter2@db/x\n"
    cmd = 'ENTRYPOINT ["server"]\nCMD ["serve", "--db", "postgres://u:hunter2@db/x"]\n'
    make(tmp_path, {"Dockerfile": f"FROM rust AS build\nRUN cargo build\n{last}{cmd}"})
    proposed = proposal.propose(look(tmp_path))
    text = write.settings_text(proposed) + "\n".join(proposed.remarks)
    assert "hunter2" not in text
    assert "admin2" not in text
    assert 'MAX_TOKENS: "4096"' in text
    for told in (
        '"X_SETUP__ADMIN_PWD" looks like a secret',
        '"DB_PASS" looks like a secret',
        'of "DB" holds a password',
        "command",
    ):
        assert any(told in remark for remark in proposed.remarks), told
    assert not any(item.path == "image.cmd" for item in proposed.items)


# --- mutilated trees --------------------------------------------------------------------------------------------------

REAL = {
    "Cargo.toml": MANIFEST,
    "Cargo.lock": LOCK,
    "Dockerfile": DOCKERFILE,
    "compose.yaml": "services:\n  web:\n    build: .\n    ports: ['80:8080', 9:9]\n    environment: {A: b}\n",
    "Makefile": "run:\n\tcargo build --features tls\n\tdocker run -p 1:2 x\n",
    "Tiltfile": "k8s_resource('x', port_forwards=['80:8080'])\n",
    ".cargo/config.toml": "[build]\nrustflags = ['-Clink-arg=-fuse-ld=mold']\n",
    "rust-toolchain.toml": "[toolchain]\nchannel = '1.80'\n",
    ".gitmodules": "[submodule 'x']\npath = x\n",
    "web/package.json": (
        '{"name": "web", "scripts": {"build": "vite build"}, "workspaces": ["a"],\n"dependencies": {"vite": "1"}}'
    ),
    "web/vite.config.ts": "x({build: {outDir: 'made'},\nserver: {proxy: {'/api': 'http://localhost:8080'}}})\n",
    "web/pnpm-workspace.yaml": "packages:\n  - a\n",
    "web/yarn.lock": "",
}
# Several services, and files that tell of them.
SEVERAL = {
    "compose.yaml": (
        "services:\n  web:\n    build: {context: ., args: {BIN: server}}\n    depends_on: {db: {condition: x}}\n"
        "  work:\n    build: .\n    command: [server, work]\n    environment: {DB: 'x://db:1'}\n  db: {image: y}\n"
    ),
    "Dockerfile": (
        'FROM rust AS b\nRUN cargo build\nFROM debian\nARG BIN=server\nCOPY --from=b /t/server /s\nCMD ["/s"]\n'
    ),
    "web/package.json": '{"scripts": {"build": "ng build"}, "devDependencies": {"@angular/core": "1"}}',
    "web/angular.json": (
        '{"projects": {"x": {"architect": {"build": {"builder": "a:application",\n"options": {"outputPath": "o"}}}}}}'
    ),
}
ODD = ["[", "]", "=", '"', "\0", "{}", "é", "- ", "$", "<<", "1", "[[bin]]\n", "\n\n"]
TEXTS = (*REAL.values(), *SEVERAL.values())
PIECES = st.sampled_from([line for text in TEXTS for line in text.split("\n")] + ODD)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.booleans(), st.sampled_from(sorted({**REAL, **SEVERAL})), st.integers(0, 900), st.integers(0, 40), PIECES)
# The version of a package stands where that of the lockfile does.
@example(False, "Cargo.lock", 1, 23, 'name = "server"')
def test_mutilated_trees(tmp_path: Path, several: bool, name: str, start: int, gone: int, piece: str) -> None:
    """One clear error, or files that are valid: never another exception."""
    files = {**REAL, **(SEVERAL if several or name not in REAL else {})}
    text = files[name]
    make(tmp_path, {**files, name: text[:start] + piece + text[start + gone :]})
    try:
        found = look(tmp_path)
    except LayerdoitError:
        return
    written = shown(found)
    loaded(written, tmp_path)
    (tmp_path / "layerdoit.yaml").unlink()
    assert shown(look(tmp_path)) == written
