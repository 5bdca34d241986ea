"""What goes wrong is one message: what happened, where, what to do next. Nothing else is lost by it.

Each stands whole in tests/messages.txt, to be read from top to bottom.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import messages
from tests.support.scratch import Crate, Result, message

# Root reads everything unless it gives up the capabilities to do so; anybody else needs no help.
UNPRIVILEGED = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")
    if os.geteuid() == 0
    else ()
)
needs_setpriv = pytest.mark.skipif(
    bool(UNPRIVILEGED) and shutil.which("setpriv") is None, reason="setpriv, to try it as root, is not installed"
)


def told_of(case: str, crate: Crate, result: Result, **names: str) -> tuple[str, str]:
    """The message of a command that failed, which is the one in the file. `names`: what stands for -> text."""
    found = message(result)
    known = {str(crate.folder): "<folder>", crate.name: "<name>"} | {text: f"<{name}>" for name, text in names.items()}
    # Why an image cannot be pulled depends on the network here, and the lines of a log on which stream was faster.
    text = re.sub(r"is not available: .*", "is not available: <why>", "\nnext: ".join(found))
    text = re.sub(r"(its log:)(?:\n  .*)+", r"\1\n  <lines>", text)
    messages.check("errors", case, text, known)
    return found


# --- what is wrong with the project ----------------------------------------------------------------------------------


def _append(path: str, text: str) -> Callable[[Crate], None]:
    return lambda crate: crate.write(path, (crate.folder / path).read_text() + text)


def _remove(path: str) -> Callable[[Crate], None]:
    return lambda crate: (crate.folder / path).unlink()


def _replace(path: str, text: str) -> Callable[[Crate], None]:
    return lambda crate: crate.write(path, text)


# What spoils the project, words on the command line, what is said (a regular expression), and the next step.
PROJECT: dict[str, tuple[Callable[[Crate], None], list[str], str, str]] = {
    "no Cargo.toml": (_remove("Cargo.toml"), [], r"{folder}: there is no Cargo.toml here", "cargo init"),
    "no Cargo.lock": (_remove("Cargo.lock"), [], r"{folder}: there is no Cargo.lock here", "cargo generate-lockfile"),
    "broken Cargo.toml": (_append("Cargo.toml", "x = [\n"), [], r"{folder}/Cargo.toml:5: .*not valid TOML", "fix"),
    "broken Cargo.lock": (_append("Cargo.lock", "x = [\n"), [], r"{folder}/Cargo.lock:\d+: .*not valid TOML", "fix"),
    "broken toolchain file": (
        _replace("rust-toolchain.toml", "[toolchain\n"),
        [],
        r"{folder}/rust-toolchain.toml:1: .*not valid TOML",
        "fix",
    ),
    "broken layerdoit.yaml": (
        _append("layerdoit.yaml", "image: [\n"),
        [],
        r"layerdoit.yaml:\d+: broken YAML",
        "correct it",
    ),
    "unknown key": (
        _append("layerdoit.yaml", "proifle: dev\n"),
        [],
        r'layerdoit.yaml:7: unknown key "proifle"',
        'did you mean "profile"?',
    ),
    "unknown key in a section": (
        _append("layerdoit.yaml", "image:\n  entrypont: x\n"),
        [],
        r'layerdoit.yaml:8: unknown key "image.entrypont"',
        'did you mean "entrypoint"?',
    ),
    "unknown binary": (
        _append("layerdoit.yaml", "bins: [helo]\n"),
        [],
        r"layerdoit.yaml:7: there is no binary `helo`",
        'did you mean "hello"?',
    ),
    "missing asset": (
        _append("layerdoit.yaml", "image:\n  assets:\n    page: /srv\n"),
        [],
        r'layerdoit.yaml:8: image.assets: there is no "page"',
        "relative to the project",
    ),
    "broken CONFIG file": (
        _replace("over.yaml", "a: b: c\n"),
        ["CONFIG=over.yaml"],
        r"over.yaml:1: broken YAML",
        "correct it",
    ),
    "unknown key in CONFIG": (
        _replace("over.yaml", "profil: dev\n"),
        ["CONFIG=over.yaml"],
        r'over.yaml:1: unknown key "profil"',
        'did you mean "profile"?',
    ),
    "toolchain not available": (
        lambda _: None,
        ["TOOLCHAIN=1.0.0"],
        r"Rust 1.0.0.* is not installed",
        "rustup toolchain",
    ),
}


@pytest.mark.parametrize("case", PROJECT)
def test_of_the_project(crate: Crate, case: str) -> None:
    spoil, words, what, step = PROJECT[case]
    spoil(crate)
    before = crate.images(), crate.containers()
    for task in ("image", "cycle_fast"):
        told = told_of(case, crate, crate.doit(task, *words))
        assert re.search(what.format(folder=re.escape(str(crate.folder))), told[0]), told
        assert step in told[1]
    assert (crate.images(), crate.containers()) == before
    planned = crate.doit("layers", "plan", "--json", *words)
    if case != "toolchain not available":
        assert (planned.code, planned.out) == (2, "")
        message(planned)


def test_a_package_that_asks_for_a_newer_rust(crate: Crate) -> None:
    crate.edit("Cargo.toml", 'edition = "2021"\n', 'edition = "2021"\nrust-version = "1.999"\n')
    before = crate.images(), crate.containers()
    failed = crate.doit("image")
    assert failed.code == 2
    what, step = message(failed)
    assert re.fullmatch(rf"{crate.folder}/Cargo.toml:5: `hello` requires Rust 1\.999, and the builder has 1\..*", what)
    assert step.startswith("build with it: TOOLCHAIN=1.999 for once")
    planned = crate.doit("layers", "plan").ok().out
    assert f"this cannot be built yet: {what}\nnext: {step}" in planned
    assert (crate.images(), crate.containers()) == before, "nothing was built"


def test_other_tasks_of_a_dodo_run_in_a_tree_that_is_broken(plain: Crate) -> None:
    _append("dodo.py", "def task_fix():\n    return {'actions': ['echo fixed'], 'verbosity': 2}\n")(plain)
    _append("Cargo.toml", "x = [\n")(plain)
    assert "fixed" in plain.doit("fix").ok().out
    plain.doit("list").ok()


@needs_setpriv
def test_of_a_file_that_cannot_be_read(crate: Crate) -> None:
    (crate.folder / "src/main.rs").chmod(0)
    what, step = told_of("a file that cannot be read", crate, crate.doit("image", before=UNPRIVILEGED))
    assert f"{crate.folder}/src/main.rs" in what
    assert step
    (crate.folder / "src/main.rs").chmod(0o644)
    crate.doit("image", before=UNPRIVILEGED).ok()


@needs_setpriv
def test_of_a_configuration_that_cannot_be_read(plain: Crate) -> None:
    (plain.folder / "layerdoit.yaml").chmod(0)
    what, _ = told_of("a configuration that cannot be read", plain, plain.doit("list", before=UNPRIVILEGED))
    assert "layerdoit.yaml" in what


@needs_setpriv
def test_of_a_folder_that_cannot_be_written(plain: Crate) -> None:
    for name in (".doit.db.dat", ".doit.db.dir", ".doit.db.bak", ".doit.db"):
        (plain.folder / name).touch()
    plain.folder.chmod(0o555)
    what, step = told_of("a folder that cannot be written", plain, plain.doit("list", before=UNPRIVILEGED))
    assert ".layerdoit" in what
    assert "permission to write there" in step
    plain.folder.chmod(0o755)


# --- what is wrong with the engine -----------------------------------------------------------------------------------

EVERY_TASK = ["image", "cycle_fast", "deploy", "status", "logs", "connect", "destroy", "cache_status", "watch"]


@pytest.mark.parametrize("task", [*EVERY_TASK, "cache_clear:soft"])
def test_of_an_engine_that_does_not_run(plain: Crate, task: str) -> None:
    told = told_of("no engine", plain, plain.doit(task, env={"DOCKER_HOST": "unix:///nonexistent"}))
    assert told[0] == "no Docker engine answers at unix:///nonexistent"
    assert "systemctl start docker" in told[1]
    assert "DOCKER_HOST, which names it" in told[1]


def test_of_engines_that_are_misnamed(plain: Crate) -> None:
    def plan(case: str, **env: str) -> tuple[str, str]:
        return told_of(case, plain, plain.doit("layers", "plan", env=env))

    assert plan("no engine by TCP", DOCKER_HOST="tcp://127.0.0.1:1")[0].startswith("no Docker engine answers at ")
    assert "nonsense" in plan("an engine without a scheme", DOCKER_HOST="nonsense")[0]
    assert "docker context ls" in plan("an unknown context", DOCKER_CONTEXT="nonsense", DOCKER_HOST="")[1]


@needs_setpriv
@pytest.mark.parametrize("task", ["image", "cycle_fast", "destroy", "logs"])
def test_of_a_socket_without_permission(plain: Crate, tmp_path: Path, task: str) -> None:
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0)
        refused = plain.doit(task, env={"DOCKER_HOST": f"unix://{path}"}, before=UNPRIVILEGED)
    told = told_of("a socket without permission", plain, refused, socket=str(path))
    assert told[0] == f"no permission to use the Docker engine at unix://{path}"
    assert "group 'docker'" in told[1]


@pytest.fixture
def fake_docker(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """A `docker` first on PATH whose `buildx build` runs a shell script; everything else is the real one's work."""

    def make(script: str) -> dict[str, str]:
        real = shutil.which("docker")
        folder = tmp_path / "fake"
        folder.mkdir(exist_ok=True)
        (folder / "docker").write_text(f'#!/bin/sh\n[ "$1 $2" = "buildx build" ] || exec {real} "$@"\n{script}\n')
        (folder / "docker").chmod(0o755)
        return {"PATH": f"{folder}:{os.environ['PATH']}"}

    return make


def _says(*lines: str, code: int = 1) -> str:
    return "cat >&2 <<'EOF'\n" + "\n".join(lines) + f"\nEOF\nexit {code}"


# What docker 28, 20 and 19 answer without the plugin, and old buildx to what it does not know.
USAGE = "Usage:  docker [OPTIONS] COMMAND [ARG...]"
NO_PLUGIN = _says("unknown flag: --progress", "", USAGE, "", "Run 'docker --help' for more information", code=125)
NO_PLUGIN_OLD = _says("unknown flag: --progress", "See 'docker --help'.", code=125)
NOT_A_COMMAND = _says("docker: 'buildx' is not a docker command.", "See 'docker --help'")
OLD_PLUGIN = _says("ERROR: invalid progress mode rawjson")
OLDER_PLUGIN = _says("unknown flag: --provenance", "See 'docker buildx build --help'.", code=125)
NO_SPACE = "failed to compute cache key: failed to copy: write /var/lib/docker/tmp/x: no space left on device"
FULL = _says(f"ERROR: failed to solve: {NO_SPACE}")
STEP = '"digest":"sha256:1","name":"[build 1/1] RUN sh /control/build.sh","started":"2026-01-01T00:00:00Z"'
FAILED = r"process \"/bin/sh -c sh /control/build.sh\" did not complete successfully: exit code: 101"
WORDS = base64.b64encode(b"error: failed to write out.o: No space left on device (os error 28)\n").decode()
FULL_IN_STEP = _says(
    f'{{"vertexes":[{{{STEP}}}]}}',
    f'{{"logs":[{{"vertex":"sha256:1","stream":2,"data":"{WORDS}","timestamp":"2026-01-01T00:00:00Z"}}]}}',
    f'{{"vertexes":[{{{STEP},"completed":"2026-01-01T00:00:01Z","error":"{FAILED}"}}]}}',
    "ERROR: failed to solve: " + FAILED.replace("\\", ""),
)
GONE = _says("ERROR: Cannot connect to the Docker daemon at unix:///run/x.sock. Is the docker daemon running?")
FORBIDDEN = _says(
    "ERROR: permission denied while trying to connect to the Docker daemon socket at unix:///run/x.sock: "
    'Head "http://x/_ping": dial unix /run/x.sock: connect: permission denied'
)


@pytest.mark.parametrize(
    ("script", "what", "step"),
    [
        (NO_PLUGIN, "docker buildx is not installed", "docker-buildx"),
        (NO_PLUGIN_OLD, "docker buildx is not installed", "docker-buildx"),
        (NOT_A_COMMAND, "docker buildx is not installed", "docker-buildx"),
        (OLD_PLUGIN, "docker buildx is too old", "0.13"),
        (OLDER_PLUGIN, "docker buildx is too old", "0.13"),
        (FULL, "app: the disk is full", "doit cache_status"),
        (FULL_IN_STEP, "app: the disk is full", "doit cache_status"),
        (GONE, "no Docker engine answers at unix:///", "start it"),
        (FORBIDDEN, "no permission to use the Docker engine at unix:///", "group 'docker'"),
        ("kill -9 $$", "app did not build: buildx ended without an error message", "log"),
    ],
)
def test_of_buildx(
    crate: Crate, fake_docker: Callable[[str], dict[str, str]], script: str, what: str, step: str
) -> None:
    crate.doit().ok()
    crate.edit("src/main.rs", "first text", f"text of {hash(script)}")
    before = crate.images()
    told = told_of(f"buildx: {what.strip(': ')}", crate, crate.doit(env=fake_docker(script)))
    assert told[0].startswith(what), told
    assert step in told[1]
    assert crate.images() == before


def test_of_a_missing_docker_client(crate: Crate, tmp_path: Path) -> None:
    crate.edit("src/main.rs", "first text", "text without client")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("rustc", "env", "git", "sh"):
        if found := shutil.which(name):
            (tools / name).symlink_to(Path(found))
    told = told_of("no docker client", crate, crate.doit(env={"PATH": str(tools)}))
    assert told == ("the program `docker` was not found", told[1])
    assert "docker.io" in told[1]


def test_of_a_builder_that_is_not_there(crate: Crate) -> None:
    crate.edit("src/main.rs", "first text", "text without builder")
    told = told_of("a builder that is not there", crate, crate.doit("BUILDER=nonsense"))
    assert 'no builder "nonsense" found' in told[0]
    assert "docker buildx ls" in told[1]


def test_of_a_pull_that_is_refused(crate: Crate) -> None:
    crate.write(
        "layerdoit.yaml",
        (crate.folder / "layerdoit.yaml").read_text() + "base:\n  builder: image\n  image: 127.0.0.1:1/rust:1\n",
    )
    before = crate.images()
    told = told_of("a pull that is refused", crate, crate.doit())
    assert "127.0.0.1:1/rust:1" in told[0]
    assert "is not available: the registry cannot be reached (connection refused)" in told[0]
    assert "base.image" in told[1]
    assert crate.images() == before


@pytest.fixture
def full_disk(crate: Crate) -> Iterator[None]:
    """The state folder on a file system of its own, which has no room left."""
    state = crate.folder / ".layerdoit"
    identity = (state / "identity.json").read_bytes()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "layerdoit-test", str(state)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small file system")
    (state / ".gitignore").write_text("*\n")
    (state / "identity.json").write_bytes(identity)
    (state / "ballast").write_bytes(b"x" * 24_000)
    yield
    subprocess.run(["umount", str(state)], check=True)


def test_of_a_disk_that_is_full_on_this_side(crate: Crate, full_disk: None) -> None:
    crate.edit("src/main.rs", "first text", "text on a full disk")
    before = crate.images()
    told = told_of("a disk that is full on this side", crate, crate.doit())
    assert "the disk is full" in told[0]
    assert "doit cache_status" in told[1]
    assert crate.images() == before


# --- what is wrong with the code and the service ---------------------------------------------------------------------


def test_of_code_that_does_not_compile(crate: Crate) -> None:
    crate.doit().ok()
    crate.edit("src/main.rs", "let listener", "let listener: u32")
    before = crate.images()
    result = crate.doit()
    what, step = message(result)
    # rustc's own message, in full.
    assert what.startswith("app did not build\n")
    assert "error[E0308]: mismatched types" in what
    assert " --> src/main.rs:6:" in what
    assert "expected `u32`, found `TcpListener`" in what
    assert 'error: could not compile `hello` (bin "hello") due to ' in what
    log = Path(step.rsplit(": ", 1)[1])
    assert log.is_relative_to(crate.folder / ".layerdoit/logs")
    assert "mismatched types" in log.read_text()
    assert crate.images() == before
    crate.edit("src/main.rs", "let listener: u32", "let listener")
    assert "TaskFailed" not in crate.doit().ok().text


def test_of_a_port_that_is_taken(crate: Crate, taken_port: int) -> None:
    refused = crate.doit("cycle_fast", f"PUBLISH={taken_port}")
    us = Path("/proc/self/comm").read_text().strip()
    names = {"port": str(taken_port), "program": f"{us} (process {os.getpid()})"}
    told = told_of("a port that is taken", crate, refused, **names)
    assert told[0] == f"PUBLISH={taken_port}: port {taken_port} is taken by {names['program']}"
    assert "PUBLISH=" in told[1]
    assert crate.containers() == {}


def test_of_a_container_name_that_is_taken(crate: Crate, built: Crate) -> None:
    crate.doit().ok()
    other = f"{crate.name}-other"
    subprocess.run(["docker", "create", "--name", other, f"{crate.name}:latest"], check=True, capture_output=True)
    try:
        crate.edit("layerdoit.yaml", "deploy:\n", f"deploy:\n  name: {other}\n")
        told = told_of("a container name that is taken", crate, crate.doit("cycle_fast"))
        assert f"the container name {other} is taken" in told[0]
        assert "deploy.name" in told[1]
    finally:
        subprocess.run(["docker", "rm", other], check=True, capture_output=True)


def test_of_a_service_that_never_becomes_healthy(crate: Crate) -> None:
    crate.edit("src/main.rs", "200 OK", "500 Sick")
    crate.edit("layerdoit.yaml", "timeout: 20", "timeout: 1")
    told = told_of("a service that never becomes healthy", crate, crate.doit("cycle_fast"))
    assert f"the new container of {crate.name} was not healthy within 1 s (GET / answered 500)" in told[0]
    assert "\n  hello starts with first text" in told[0]
    assert "deploy.health" in told[1]
    assert crate.containers() == {}


def test_of_a_service_that_ends_at_once(crate: Crate) -> None:
    crate.edit(
        "src/main.rs",
        "    let listener",
        '    if TEXT.len() > 0 { eprintln!("no database"); std::process::exit(9) }\n    let listener',
    )
    told = told_of("a service that ends at once", crate, crate.doit("cycle_fast"))
    assert "ended with exit code 9 before it was healthy" in told[0]
    assert "\n  no database" in told[0]
    assert "doit cycle_fast" in told[1]
    assert crate.containers() == {}


@pytest.mark.parametrize("task", ["logs", "connect"])
def test_of_a_service_that_is_not_deployed(crate: Crate, task: str) -> None:
    refused = crate.doit(task)
    assert told_of("a service that is not deployed", crate, refused) == (
        f"{crate.name} is not deployed",
        "doit cycle_fast",
    )


def test_of_a_deployment_of_a_tree_that_is_not_built(crate: Crate) -> None:
    crate.edit("src/main.rs", "first text", "text that nobody builds")
    refused = crate.doit("deploy")
    told = told_of("a tree that is not built", crate, refused)
    assert told[0].startswith(f"there is no image of the current tree ({crate.name}:app-")
    assert f"{crate.name}:app-" not in refused.out, "it did not build one"
    assert told[1] == "doit image builds it, doit cycle_fast builds and deploys it"
    assert crate.containers() == {}
