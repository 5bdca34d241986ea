"""Retention on a real registry: what goes, what its garbage collection frees, and that what stays can be pulled."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from layerdoit.cache import registry_gc
from layerdoit.core.errors import EngineError, LayerdoitError
from layerdoit.deploy import settings_of
from layerdoit.deploy.release_entry import Entry
from layerdoit.deploy.release_log import ReleaseLog
from layerdoit.engine.registry_api import INDEX, Manifest, RegistryApi
from layerdoit.flows.session import Session
from layerdoit.front import actions
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from tests.engine.cache_fixture import build
from tests.engine.registry_fixture import ROOT, docker, served
from tests.support.files import write
from tests.support.git import git
from tests.support.printing_workspace import TINY

RULE = "{keep_last: 1, min_age: 0s}"


class Store(NamedTuple):
    """A registry that can delete. `folder`: with its configuration and its storage."""

    program: str
    address: str
    folder: Path

    @property
    def bytes(self) -> int:
        return sum(path.stat().st_size for path in (self.folder / "storage").rglob("*") if path.is_file())

    def collect(self) -> None:
        """Its own garbage collection. It is offline: on the same folder."""
        command = [self.program, "garbage-collect", str(self.folder / "config.yml")]
        subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def store(docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    found = subprocess.run([ROOT / "scripts/ensure-registry"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip() or "no image registry to test with")
    folder, program = tmp_path_factory.mktemp("store"), found.stdout.strip()
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REGISTRY_STORAGE_DELETE_ENABLED", "true")
            address = stack.enter_context(served(program, place=folder))
        yield Store(program, address, folder)


class Shop:
    """A project that is built by nobody: its images are a file each, with the labels of layers."""

    def __init__(self, folder: Path, address: str, name: str) -> None:
        self.folder, self.name = folder, name
        self.repository = f"{address}/team/shared"
        self.local: list[str] = []
        folder.mkdir()
        write(folder, TINY)
        self.configure(f"app: {RULE}, deps: {RULE}, versions: {RULE}")
        git(folder, "init", "--quiet", "--initial-branch=main")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message=one")

    def configure(self, retention: str, more: str = "") -> None:
        text = (
            f"project: {self.name}\nregistry: {{repository: '{self.repository}', retention: {{{retention}}}}}\n{more}"
        )
        (self.folder / "layerdoit.yaml").write_text(text)

    @property
    def project(self) -> Project:
        return Project.open(self.folder, {})

    @property
    def api(self) -> RegistryApi:
        return RegistryApi.of(self.repository)

    def push(self, layer: str, key: str, day: int, *more: str, **labels: str) -> str:
        """An image in the registry alone, of some bytes that nobody else has; its digest there."""
        context = self.folder.parent / f"{self.name}-{key[:12]}"
        context.mkdir()
        (context / "bytes").write_bytes(os.urandom(200_000))
        (context / "Dockerfile").write_text('FROM scratch\nCOPY bytes /\nCMD ["/none"]\n')
        named = {"project": self.name, "layer": layer, "key": key, "marks": self.project.owner.text, **labels}
        local = f"{self.name}:{layer}-{key[:12]}"
        build(context, local, {**named, "built": f"2026-01-{day:02}T00:00:00Z"})
        self.local.append(local)
        for tag in (f"{layer}-{key[:12]}", *more):
            docker("tag", local, f"{self.repository}:{tag}")
            docker("push", "--quiet", f"{self.repository}:{tag}")
            docker("image", "rm", "--no-prune", f"{self.repository}:{tag}")
        return self.api.digest(f"{layer}-{key[:12]}")

    def collect(self, *, yes: bool = True, dry_run: bool = False) -> int:
        return registry_gc.run([Session(Run(), self.project).inputs], yes=yes, dry_run=dry_run)


@pytest.fixture
def shop(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    one = Shop(tmp_path / "shop", store.address, f"lt-{uuid.uuid4().hex[:8]}")
    yield one
    for local in one.local:
        subprocess.run(["docker", "image", "rm", "--force", local], capture_output=True, check=False)


def index(api: RegistryApi, tag: str, *digests: str) -> str:
    found = [one for digest in digests if (one := api.manifest(digest))]
    listed = [{"mediaType": one.media_type, "digest": one.digest, "size": one.size} for one in found]
    return api.put_manifest(
        tag, INDEX, json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).encode()
    )


def attached(api: RegistryApi, tag: str, subject: Manifest) -> str:
    """What cosign puts beside an image: an image of its own under a tag of the other's digest."""
    return api.put_manifest(tag, subject.media_type, subject.content.replace(b'"schemaVersion"', b' "schemaVersion"'))


def test_what_retention_lets_go_is_freed_and_the_rest_can_be_pulled(
    store: Store, shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api, keys = shop.api, [uuid.uuid4().hex * 2 for _ in range(6)]
    old = shop.push("app", keys[0], 1)
    part = shop.push("app", keys[1], 2)
    newest = shop.push("app", keys[2], 3)
    rolled_back_to = shop.push("app", keys[3], 1)
    deps = shop.push("deps", keys[4], 1)
    version = index(api, "v1", part)
    signed = api.manifest(old)
    assert signed is not None
    signature = attached(api, f"{old.replace(':', '-')}.sig", signed)
    other = Shop(tmp_path / "other", store.address, f"lt-{uuid.uuid4().hex[:8]}")
    theirs = other.push("app", keys[5], 1)
    shop.local += other.local
    log = ReleaseLog(settings_of(shop.project))
    log.add(Entry("1", 1.0, "prod", shop.name, "docker", "x", keys[3], digest=rolled_back_to))

    before, tags = store.bytes, api.tags()
    assert shop.collect(dry_run=True) == 0
    said = capsys.readouterr().out
    assert f"app-{keys[0][:12]} (" in said
    assert "with 1 attachment" in said
    assert "keeps  app-" in said
    assert f"not touched: 1 tag of others: app-{keys[5][:12]}" in said
    assert (api.tags(), store.bytes) == (tags, before), "a dry run changes nothing"

    assert shop.collect(yes=False) == 2, "it asks, and nobody answers"
    assert api.tags() == tags
    assert shop.collect() == 0
    left = {f"app-{key[:12]}" for key in (keys[1], keys[2], keys[3], keys[5])} | {f"deps-{keys[4][:12]}", "v1"}
    assert set(api.tags()) == left
    assert [api.manifest(one) for one in (old, signature)] == [None, None]
    store.collect()
    assert before - store.bytes > 150_000, "the bytes of the image that went"
    for digest in (part, newest, rolled_back_to, deps, version, theirs):
        docker("pull", "--quiet", f"{shop.repository}@{digest}")
        docker("image", "rm", f"{shop.repository}@{digest}")
    capsys.readouterr()
    assert shop.collect() == 0
    assert "nothing to remove" in capsys.readouterr().out
    actions.registry_status(Session(Run(), shop.project), json=True)
    (told,) = json.loads(capsys.readouterr().out)["repositories"]
    assert {kind: one["images"] for kind, one in told["families"].items()} == {
        "deps": 1,
        "app": 3,
        "versions": 1,
        "other": 1,
    }
    assert told["removable"] == {"manifests": 0, "bytes": 0}

    # An index that goes takes the image with it that only it held.
    later = shop.push("app", uuid.uuid4().hex * 2, 9)
    index(api, "v2", later)
    assert shop.collect() == 0
    assert "v1" not in api.tags()
    assert f"app-{keys[1][:12]}" not in api.tags()


def test_what_runs_and_what_is_pinned_stays(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    keys = [uuid.uuid4().hex * 2 for _ in range(4)]
    tags = [f"app-{key[:12]}" for key in keys]
    for day, key in enumerate(keys, 1):
        shop.push("app", key, day, **({"branch": "main"} if day == 2 else {}))
    docker("tag", f"{shop.name}:{tags[0]}", f"{shop.name}:pinned-{tags[0]}")
    shop.local.append(f"{shop.name}:pinned-{tags[0]}")
    container = docker("create", "--label", f"io.layerdoit.project={shop.name}", "--label",
                       f"io.layerdoit.deployment={shop.name}", "--label", f"io.layerdoit.key={keys[2]}",
                       f"{shop.name}:{tags[2]}")  # fmt: skip
    try:
        assert shop.collect(dry_run=True) == 0
        said = capsys.readouterr().out
        assert "nothing to remove" in said
        for tag, reason in zip(tags[:3], ("pinned", "newest of the branch main", "deployed"), strict=True):
            assert any(tag in line and reason in line for line in said.splitlines()), said
    finally:
        docker("rm", "--force", container)
    assert shop.collect() == 0
    assert set(shop.api.tags()) & set(tags) == {tags[0], tags[1], tags[3]}


# --- bad input -------------------------------------------------------------------------------------------------------


def test_a_registry_that_cannot_delete(shop: Shop, registry: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shop.repository = f"{registry.address}/team/shared"
    shop.configure(f"app: {RULE}")
    keys = [uuid.uuid4().hex * 2 for _ in range(3)]
    for day, key in enumerate(keys, 1):
        shop.push("app", key, day)
    with pytest.raises(EngineError) as refused:
        shop.collect()
    assert "storage.delete.enabled" in str(refused.value.hint)
    assert {f"app-{key[:12]}" for key in keys} <= set(shop.api.tags())


@pytest.mark.parametrize(
    ("repository", "retention", "more", "what", "hint"),
    [
        (
            "127.0.0.1:9/team/shop",
            f"app: {RULE}",
            "",
            "does not list the tags of 127.0.0.1:9/team/shop",
            "nothing listens",
        ),
        (None, f"app: {RULE}", "", "nothing says where images are pushed", "registry.example.com"),
        (
            "{address}/team/shop",
            f"app: {RULE}",
            "deploy: {provider: kubernetes, kubernetes: {context: none}}\n",
            "it cannot be known what runs in the environment dev",
            "take deployed out of registry.retention.protect",
        ),
    ],
    ids=["away", "no repository", "cluster away"],
)
def test_what_is_wrong_is_one_message(
    shop: Shop, store: Store, repository: str | None, retention: str, more: str, what: str, hint: str
) -> None:
    shop.configure(retention, more)
    text = (shop.folder / "layerdoit.yaml").read_text()
    name = f"repository: '{shop.repository}', "
    new = f"repository: '{repository.format(address=store.address)}', " if repository else ""
    (shop.folder / "layerdoit.yaml").write_text(text.replace(name, new))
    with pytest.raises(LayerdoitError) as refused:
        shop.collect()
    assert what in refused.value.what
    assert hint in str(refused.value.hint)
    assert refused.value.exit_code in (1, 2)
