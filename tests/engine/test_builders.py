"""Builds on builders that do not see the engine's images, on real daemons."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layerdoit.engine import layouts, mounts
from layerdoit.engine.api import builder_name
from layerdoit.engine.buildx import Shared
from layerdoit.engine.handle import Engine
from layerdoit.layers.key import Spec
from tests.engine.builder_fixture import built_on, contained, daemon, farm, small
from tests.engine.cycle_fixture import DEPLOY, FILES, crate, edited, ok, serves
from tests.engine.registry_fixture import Registry, docker
from tests.support import buildkitd, second_engine
from tests.support.buildkitd import Daemon
from tests.support.checkout import Checkout
from tests.support.scratch import remove_containers
from tests.support.waiting import until

__all__ = ["contained", "daemon", "farm", "small"]

LIMIT = 900


def test_a_layer_is_sent_once_and_its_copy_goes_with_it(small: Spec, farm: str, tmp_path: Path) -> None:
    for text in ("one", "two"):
        said, log = built_on(small, farm, text, tmp_path / text)
        assert said == f"below{text}"
        assert f"{small.tag}=oci-layout://" in log
    assert layouts.size(small.repository) > 0
    docker("image", "rm", "--force", small.tag, f"{small.repository}:app")
    layouts.sweep(Engine().images, small.repository)
    assert layouts.size(small.repository) == 0


def test_a_layer_of_a_registry_is_named_by_its_digest(
    small: Spec, farm: str, registry: Registry, tmp_path: Path
) -> None:
    repository = f"{registry.address}/{small.repository}"
    shared = Shared(repository, ("base",))
    said, log = built_on(small, farm, "one", tmp_path / "absent", shared)
    assert (said, "oci-layout://" in log) == ("belowone", True), "it is not there yet"
    registry.push(small.tag, small.tag)
    said, log = built_on(small, farm, "two", tmp_path / "there", shared)
    assert said == "belowtwo"
    assert f"{small.tag}=docker-image://{repository}@sha256:" in log


def test_a_registry_that_the_builder_does_not_reach_is_done_without(
    small: Spec, contained: str, registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.push(small.tag, small.tag)
    shared = Shared(f"{registry.address}/{small.repository}", ("base",))
    said, log = built_on(small, contained, "own", tmp_path / "own", shared)
    assert said == "belowown"
    assert log.count("docker-image://") == 1
    assert log.count("oci-layout://") == 1
    told = capsys.readouterr().err
    assert told.count("does not get an image from the registry: the registry cannot be reached") == 1


def test_over_tcp_with_certificates(small: Spec, farm: str, tmp_path: Path) -> None:
    assert farm
    with buildkitd.running(tls=True) as other:
        assert built_on(small, other.builder("secret"), "own", tmp_path / "own")[0] == "belowown"


def test_an_engine_with_containerds_store_gets_the_whole_image(
    farm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is handed over is an index there: its image has an attestation."""
    if why := second_engine.lacks():
        pytest.skip(why)
    with second_engine.started(containerd_store=True) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.host)
        spec = Spec("base", {"of": uuid.uuid4().hex}, f"lt-{uuid.uuid4().hex[:10]}")
        below = tmp_path / "base"
        below.mkdir()
        (below / "Dockerfile").write_text("FROM scratch\nCOPY below /below\n")
        (below / "below").write_text("below")
        built = ("buildx", "build", "--builder", "default", "--load", "--provenance", "mode=min", "--tag", spec.tag)
        docker(*built, str(below))
        for text in ("one", "two"):
            said, log = built_on(spec, farm, text, tmp_path / text)
            assert said == f"below{text}"
            assert f"{spec.tag}=oci-layout://" in log


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
def test_a_program_that_is_only_packed(checkout: Callable[..., Checkout], parents: str, farm: str) -> None:
    """It is tried there on the runtime image, which only the engine has."""
    one = checkout({}, f"{parents}builder: {farm}\nbuild: {{binary: out/server}}\n")
    (one.root / "out").mkdir()
    source = '#include <stdio.h>\nint main(void) { puts("packed"); return 0; }\n'
    words = ["gcc", "-x", "c", "-o", str(one.root / "out/server"), "-"]
    subprocess.run(words, input=source, text=True, check=True)
    assert [outcome.step.action for outcome in one.build().values()] == ["build", "build"]
    assert one.run(f"{one.name}:latest") == "packed\n"


# --- a project -------------------------------------------------------------------------------------------------------

SLEEPS = """\
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    std::process::Command::new("sleep").arg("NUMBER").status().unwrap();
}
"""


@pytest.fixture
def far(checkout: Callable[..., Checkout], parents: str, farm: str) -> Iterator[Checkout]:
    """A checkout of a server that is built on the farm; its base stands on images that only the engine has."""
    one = checkout(FILES, f"{DEPLOY}{parents}builder: {farm}\n")
    yield one
    remove_containers(crate(one))


def test_a_project_on_another_builder_from_base_to_swap_and_when_that_builder_goes(
    far: Checkout, daemon: Daemon
) -> None:
    """Last in this file: it ends the builder."""
    one, number = far, f"{os.getpid()}.125"
    ok(doit(one, "cycle_fast"))
    assert serves(one) == "first text"
    edited(one, "two")
    ok(doit(one, "cycle_fast"))
    assert serves(one) == "two", "the edited one runs"
    assert [mount.in_use for mount in mounts.of_project(one.name, "farm")] == [False], "its target mount is there"
    assert not mounts.of_project(one.name, builder_name())
    told = ok(doit(one, "cache_status"))
    assert "base and deps, for other builders" in told
    assert "builder farm (remote)" in told
    saved = one.root.parent / "saved.tar"
    ok(doit(one, "cache_save", str(saved)))
    ok(doit(one, "cache_clear:soft"))
    assert not mounts.of_project(one.name, "farm")
    assert ok(doit(one, "cache_load", str(saved))).startswith("loaded")
    assert len(mounts.of_project(one.name, "farm")) == 1

    before = {tag for tag in one.tags() if ":app-" in tag}
    one.write({"build.rs": SLEEPS.replace("NUMBER", number)})
    child = one.start("cycle_fast")
    until(lambda: runs(number), LIMIT, what="the build on the builder")
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=LIMIT)
    assert child.returncode == 130
    until(lambda: not runs(number), what="the end of the build on the builder")

    child = one.start("cycle_fast")
    until(lambda: runs(number), LIMIT, what="the build on the builder")
    daemon.process.kill()
    _, said = child.communicate(timeout=LIMIT)
    for process in runs(number):
        os.kill(process, signal.SIGKILL)
    assert child.returncode != 0
    assert said.count("layerdoit: error:") == 1, said
    assert "builder farm was gone while app was built" in said
    assert {tag for tag in one.tags() if ":app-" in tag} == before
    assert serves(one) == "two", "what was deployed serves"
    assert not list(layouts.home().glob("new-*")), "nothing is left half done"

    done = doit(one, "image")
    assert done.returncode != 0
    assert f"builder farm cannot be used: nothing answers at {daemon.address} (Connection refused)" in done.stderr


def doit(one: Checkout, *words: str) -> subprocess.CompletedProcess[str]:
    child = one.start(*words)
    out, err = child.communicate(timeout=LIMIT)
    return subprocess.CompletedProcess(words, child.returncode, out, err)


def runs(number: str) -> list[int]:
    """The processes of this machine that have a word in their command."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if number.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found
