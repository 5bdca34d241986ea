"""Base images from images, from scratch, and from a registry; layers shared by their keys."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from layerdoit.core.errors import EngineError
from layerdoit.engine import broker
from layerdoit.engine import registry as product
from layerdoit.engine.registry_answers import refusal
from layerdoit.layers.key import Spec
from tests.engine.registry_fixture import Official, Registry, docker
from tests.support import faulty_registry
from tests.support.checkout import Checkout

# Nobody listens there.
NOWHERE = "127.0.0.1:1"
WASM = "wasm32-unknown-unknown"


def toolchain_file(release: str, *targets: str) -> dict[str, str]:
    return {"rust-toolchain.toml": f'[toolchain]\nchannel = "{release}"\ntargets = {json.dumps(targets)}\n'}


def keys(checkout: Checkout, **variables: str) -> dict[str, str]:
    return {spec.layer: spec.key for spec in checkout.session(variables=variables).inputs.specs}


def label(checkout: Checkout, tag: str, name: str) -> str:
    return str(checkout.image(tag)["Config"]["Labels"][f"io.layerdoit.{name}"])


def plan(checkout: Checkout, *words: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "doit", "layers", "plan", "--json", *words],
        cwd=checkout.root, env=checkout.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return {layer["layer"]: layer["action"] for layer in json.loads(done.stdout)["layers"]}


def errors(done: subprocess.CompletedProcess[str]) -> str:
    """What a failed run said: one message, no traceback."""
    assert done.returncode != 0, done.stdout
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    assert said.count("layerdoit: error: ") == 1, said
    return said[said.index("layerdoit: error: ") :]


# --- the three ways to a base ----------------------------------------------------------------------------------------


def test_the_key_does_not_say_which_way(checkout: Callable[..., Checkout], tmp_path: Path) -> None:
    tree = checkout()
    overlay = tmp_path / "way.yaml"

    def with_base(settings: str) -> dict[str, str]:
        overlay.write_text(f"base: {{{settings}}}\n")
        return keys(tree, CONFIG=str(overlay))

    found = [with_base(f"builder: {builder}") for builder in ("auto", "image", "bootstrap")]
    assert found[0] == found[1] == found[2]
    assert with_base("image: corp/rust")["base"] != found[0]["base"]


@pytest.fixture(scope="module")
def references(registry: Registry, official: Official) -> tuple[str, str]:
    """The rust and the debian image, in the registry only."""
    suite = "slim-trixie"
    return (
        registry.push(official.rust, f"rust:{official.release}-{suite}"),
        registry.push(official.debian, "debian:trixie-slim"),
    )


@pytest.fixture(scope="module")
def shared(
    docker_engine: Any,
    registry: Registry,
    official: Official,
    references: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Checkout, subprocess.CompletedProcess[str], str]]:
    """A project built on named images, every layer of it pushed; what that printed; where its layers are."""
    tree = Checkout(tmp_path_factory.mktemp("shared"), f"lt-shared-{uuid.uuid4().hex[:8]}", docker_engine)
    tree.write({**tree.tiny, **toolchain_file(official.release)})
    repository = f"{registry.address}/team/{tree.name}"
    tree.configure(sharing(references, repository))
    done = tree.doit()
    assert done.returncode == 0, done.stdout + done.stderr
    yield tree, done, repository
    tree.remove()
    for reference in references:
        subprocess.run(["docker", "image", "rm", reference], capture_output=True, check=False)


def sharing(references: tuple[str, str], repository: str) -> str:
    rust, debian = references
    return (
        f"base: {{builder: image, image: '{rust}', runtime_image: '{debian}', targets: [{WASM}]}}\n"
        f"registry: {{repository: '{repository}', push: [base, deps, app]}}\n"
    )


Shared = tuple["Checkout", subprocess.CompletedProcess[str], str]


def test_from_official_images(shared: Shared, references: tuple[str, str], official: Official) -> None:
    """The C toolchain came by https from this machine's mirror, a target from rustup: both through the host's CA."""
    tree, done, repository = shared
    pushed = [line for line in done.stdout.splitlines() if line.startswith("push ")]
    assert [line.partition(f" to {repository} (")[0] for line in pushed] == ["push    base, runtime, deps, app"]
    for layer, reference in zip(("base", "runtime"), references, strict=True):
        line = next(line for line in done.stdout.splitlines() if line.startswith(layer))
        assert f"from {reference} — " in line
        tag = next(tag for tag in tree.tags() if f":{layer}-" in tag)
        assert (label(tree, tag, "origin"), label(tree, tag, "parent")) == ("image", reference)
    assert tree.said(f"{tree.name}:latest") == tree.promised()


def test_the_image_s_compiler_is_the_one_that_was_keyed(shared: Shared, official: Official) -> None:
    """Whatever toolchain file lies in the sources, and whatever rustup would make of it."""
    tree, _, _ = shared
    base = next(tag for tag in tree.tags() if ":base-" in tag)
    script = (
        "cd /tmp; echo 1.60.0 >rust-toolchain; command -v cargo; command -v rustc; rustc -V; cargo -V; "
        "ls $(rustc --print sysroot)/lib/rustlib"
    )
    said = docker("run", "--rm", "--network", "none", base, "sh", "-c", script).split("\n")
    assert said[:2] == ["/usr/local/rust/bin/cargo", "/usr/local/rust/bin/rustc"]
    assert said[2].startswith(f"rustc {official.release} ")
    assert said[3].startswith(f"cargo {official.release.rpartition('.')[0]}.")
    assert {WASM, official.host} <= set(said[4:])


def forget(*trees: Checkout) -> None:
    for tree in trees:
        tree.remove()
        assert tree.tags() == set()


def test_every_layer_is_pulled_by_its_key(
    shared: Shared, registry: Registry, checkout: Callable[..., Checkout]
) -> None:
    tree, _, repository = shared
    before = keys(tree)
    wanted = sorted(f"{layer}-{key[:12]}" for layer, key in before.items())
    assert registry.tags(repository.partition("/")[2]) == wanted
    # The engine has them under their local names only.
    assert docker("image", "ls", "--quiet", repository) == ""
    forget(tree)
    assert plan(tree) == {"base": "skip", "deps": "skip", "app": "pull"}, "nothing is compiled"
    pulls = [layer["pull"] for layer in json.loads(tree.doit("layers", "plan", "--json").stdout)["layers"]]
    assert pulls[:2] == [None, None]
    assert pulls[2]["bytes"] > 0
    done = tree.doit("base", "deps", "app", "image")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if " in " in line]
    assert [words[:2] for words in lines] == [[layer, "pull"] for layer in ("base", "runtime", "deps", "app")]
    assert done.stdout.count(f"pulled from {repository}") == 4
    assert docker("image", "ls", "--quiet", repository) == ""
    for layer, key in before.items():
        assert label(tree, f"{layer}-{key[:12]}", "key") == key
        assert label(tree, f"{layer}-{key[:12]}", "project") == tree.name
    assert tree.said(f"{tree.name}:latest") == tree.promised()
    # What was pulled serves as what was built: the next edit compiles one crate.
    tree.replace("lib/src/deep.rs", "0000", "4711")
    tree.configure((tree.root / "layerdoit.yaml").read_text().partition("\n")[2].replace("base, deps, app", ""))
    outcome = tree.build()["app"]
    assert (outcome.step.action, outcome.counts["external"]) == ("build", 0)
    assert tree.said(f"{tree.name}:latest") == tree.promised()


def test_another_project_s_layers_become_one_s_own(
    shared: Shared, references: tuple[str, str], checkout: Callable[..., Checkout], official: Official
) -> None:
    """Two projects with equal layers share them, and neither is found, or cleared, as the other's."""
    tree, _, repository = shared
    other = checkout({**tree.tiny, **toolchain_file(official.release)}, sharing(references, repository))
    # `doit` alone would pull nothing but the app.
    done = other.doit("base", "deps", "app", "image")
    assert done.returncode == 0, done.stderr
    mine = keys(other)
    assert {layer: key for layer, key in mine.items() if layer != "app"} == {
        layer: key for layer, key in keys(tree).items() if layer != "app"
    }
    for layer in ("runtime", "deps"):
        assert f"pulled from {repository}" in done.stdout
        tag = f"{other.name}:{layer}-{mine[layer][:12]}"
        assert (label(other, tag, "project"), label(other, tag, "key")) == (other.name, mine[layer])
        assert tag in other.tags()
        assert tag not in tree.tags()
    assert other.said(f"{other.name}:latest") == other.promised()


def test_default_references_and_bootstrap(
    official: Official, docker_engine: Any, checkout: Callable[..., Checkout], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`auto` takes the images of the default names where they are; equal inputs have equal keys either way."""
    suite = "lt" + "".join(chr(ord("a") + int(digit)) for digit in str(uuid.uuid4().int)[-8:])
    names = (f"rust:{official.release}-slim-{suite}", f"debian:{suite}-slim")
    tree = checkout({**checkout().tiny, **toolchain_file(official.release, WASM)}, f"base: {{suite: {suite}}}")
    try:
        for source, name in zip((official.rust, official.debian), names, strict=True):
            docker("tag", source, name)
        specs = keys(tree)
        outcome = tree.build()
        assert outcome["base"].how == f"from {names[0]}"
        assert outcome["runtime"].how == f"from {names[1]}"
        assert label(tree, f"base-{specs['base'][:12]}", "origin") == "image"
    finally:
        for name in names:
            subprocess.run(["docker", "image", "rm", name], capture_output=True, check=False)


def test_auto_bootstraps_where_nothing_can_be_pulled(
    docker_engine: Any, checkout: Callable[..., Checkout], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product, "pull_parent", lambda *_: refusal("lookup x: no such host"))
    tree = checkout()
    outcome = tree.build()
    assert outcome["base"].how.startswith("bootstrapped with mmdebstrap, with this machine's Rust")
    assert outcome["runtime"].how.startswith("bootstrapped with mmdebstrap")
    specs = keys(tree)
    assert label(tree, f"base-{specs['base'][:12]}", "origin") == "bootstrap"
    assert tree.said(f"{tree.name}:latest") == tree.promised()


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("builder", ["auto", "image"])
def test_a_named_image_that_cannot_be_reached(checkout: Callable[..., Checkout], builder: str) -> None:
    tree = checkout(None, f"base: {{builder: {builder}, image: '{NOWHERE}/rust:1'}}")
    said = errors(tree.doit("base"))
    assert f"base.image names {NOWHERE}/rust:1, which is not available: the registry cannot be reached" in said
    assert f"nothing listens at {NOWHERE}" in said
    assert "docker login" not in said


def test_a_named_image_that_is_not_there(registry: Registry, checkout: Callable[..., Checkout]) -> None:
    tree = checkout(None, f"base: {{builder: bootstrap, runtime_image: '{registry.address}/none:1'}}")
    said = errors(tree.doit("base"))
    assert f"base.runtime_image names {registry.address}/none:1, which is not available" in said
    assert "manifest unknown" in said


OLD = """\
FROM {os}
RUN printf '#!/bin/sh\\necho rustc 1.2.3; echo release: 1.2.3\\n' >/usr/local/bin/rustc && chmod +x /usr/local/bin/rustc
"""


def test_an_image_with_another_compiler(checkout: Callable[..., Checkout], official: Official, tmp_path: Path) -> None:
    name = f"{official.rust.partition(':')[0]}:old"
    (tmp_path / "Dockerfile").write_text(OLD.format(os=official.debian))
    docker("buildx", "build", "--quiet", "--load", "--tag", name, str(tmp_path))
    try:
        tree = checkout(None, f"base: {{image: '{name}'}}")
        tree.write(toolchain_file(official.release))
        said = errors(tree.doit("base"))
    finally:
        docker("image", "rm", name)
    assert f"the image holds Rust 1.2.3, but {official.release} is asked for" in said


@pytest.mark.parametrize("on_missing", ["fail", "pull"])
def test_a_base_that_may_not_be_built(registry: Registry, checkout: Callable[..., Checkout], on_missing: str) -> None:
    tree = checkout(None, f"registry: {{repository: '{registry.address}/empty'}}")
    said = errors(tree.doit("base", f"ON_MISSING={on_missing}"))
    assert "is not on this machine, and base.on_missing does not allow building it" in said
    assert tree.tags() == set()


def test_a_tag_with_another_image_behind_it(
    registry: Registry, official: Official, checkout: Callable[..., Checkout]
) -> None:
    tree = checkout()
    repository = f"{tree.name}/layers"
    tree.configure(f"registry: {{repository: '{registry.address}/{repository}'}}")
    base = f"base-{keys(tree)['base'][:12]}"
    registry.push(official.debian, f"{repository}:{base}")
    assert plan(tree)["base"] == "pull"
    said = errors(tree.doit("base"))
    assert f"{registry.address}/{repository}:{base} is not the image that its tag says" in said
    assert tree.tags() == set()
    assert docker("image", "ls", "--quiet", f"{registry.address}/{repository}") == ""


def test_a_silent_registry_is_said_and_does_without(checkout: Callable[..., Checkout]) -> None:
    tree = checkout(None, f"base: {{builder: bootstrap}}\nregistry: {{repository: '{NOWHERE}/team'}}")
    done = tree.doit("base")
    assert done.returncode == 0, done.stderr
    assert "layerdoit: the registry is not used: the registry cannot be reached" in done.stderr
    assert "base    build" in done.stdout


@pytest.fixture(scope="module")
def tiny_image(docker_engine: Any) -> Iterator[str]:
    """An image of one small file."""
    name = f"lt-tiny-{uuid.uuid4().hex[:8]}"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    docker_engine.api.import_image_from_data(packed.getvalue(), repository=name, tag="1")
    yield f"{name}:1"
    docker("image", "rm", f"{name}:1")


class Grumpy(BaseHTTPRequestHandler):
    """A registry that answers everything with one status."""

    status = 500
    body: ClassVar[dict[str, Any]] = {}

    def handle_one_request(self) -> None:
        """Whatever the method."""
        self.raw_requestline = self.rfile.readline()
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self._answer()

    def _answer(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        if self.status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="here"')
        self.end_headers()
        self.wfile.write(json.dumps(self.body).encode())

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def grumpy(status: int, code: str, registry: Registry) -> Iterator[str]:
    """Its address. `code`: of the error in its answer, as the specification of registries has them.

    The engine sends a layer five times, with pauses of 50 s in all, where a registry fails. So such a one takes the
    layers, as the real one `registry`, and fails when it is told of the image.
    """
    if status >= 500:
        with faulty_registry.before(registry.address) as failing:
            told = faulty_registry.Answer(status, code, code.lower())
            failing.fault = lambda method, path, _: told if method == "PUT" and "/manifests/" in path else None
            yield failing.address
        return
    answers = {"status": status, "body": {"errors": [{"code": code, "message": code.lower(), "detail": ""}]}}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Told", (Grumpy,), answers))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


REFUSALS = {
    "login": (401, "UNAUTHORIZED", "docker login"),
    "rights": (403, "DENIED", "as a user who may push to"),
    "absent": (404, "NAME_UNKNOWN", "create the repository"),
    "quota": (429, "TOOMANYREQUESTS", "limit is reached"),
    "broken": (500, "UNKNOWN", "itself failed"),
}


@pytest.mark.parametrize("kind", [*REFUSALS, "refused", "name"])
def test_a_push_that_fails_is_told_by_its_kind(kind: str, tiny_image: str, registry: Registry) -> None:
    """As the engine words it, whatever registry said so."""
    local = Spec("base", {}, f"lt-push-{uuid.uuid4().hex[:8]}")
    docker("tag", tiny_image, local.tag)
    status, code, advice = REFUSALS.get(kind, (500, "", ""))
    try:
        with grumpy(status, code, registry) as address:
            place = {"refused": NOWHERE, "name": "registry.invalid"}.get(kind, address)
            with pytest.raises(EngineError) as caught:
                product.push(local, f"{place}/team")
        found = caught.value.hint or ""
        if kind in REFUSALS:
            assert advice in found
        else:
            assert "cannot be reached" in caught.value.what
            assert "docker login" not in found
            assert place in found
        assert docker("image", "ls", "--quiet", f"{place}/team") == ""
    finally:
        docker("image", "rm", local.tag)


def test_a_push_that_failed_is_made_good_by_the_next_run(
    shared: Shared,
    references: tuple[str, str],
    registry: Registry,
    official: Official,
    checkout: Callable[..., Checkout],
) -> None:
    """Though nothing else is to be done then, and as often as it takes."""
    # On a base that the registry has: a gigabyte less is compressed.
    tree = checkout({**checkout().tiny, **toolchain_file(official.release)})

    def push_to(address: str) -> None:
        tree.configure(sharing(references, f"{address}/{tree.name}").replace("[base, deps, app]", "[deps]"))

    push_to(NOWHERE)
    for _ in range(2):
        done = tree.doit()
        assert done.returncode == 0, done.stderr
        assert "deps could not be pushed" in done.stderr
        assert "cannot be reached" in done.stderr
    deps = f"deps-{keys(tree)['deps'][:12]}"
    push_to(registry.address)
    done = tree.doit()
    assert done.returncode == 0, done.stderr
    assert registry.tags(tree.name) == [deps]
    assert f"push    deps to {registry.address}/{tree.name}" in done.stdout
    again = tree.doit()
    assert "push" not in again.stdout


def test_two_first_builds_at_once_make_one_os_image(docker_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = f"lt{uuid.uuid4().hex[:8]}"
    made: list[str] = []

    def archive(suite: str, path: Path, _: object) -> None:
        made.append(suite)
        subprocess.run(["tar", "--create", "--file", path, "--files-from", "/dev/null"], check=True)

    monkeypatch.setattr(broker, "_mmdebstrap", archive)
    with ThreadPoolExecutor(2) as both:
        (name,) = set(both.map(broker.bootstrap_os, [suite, suite]))
    try:
        assert made == [suite]
    finally:
        docker_engine.images.remove(name)
