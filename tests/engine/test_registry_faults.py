"""What can be wrong with a registry: one message each, nothing half-done, and what it lacks stays pending."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from layerdoit.build import sharing
from layerdoit.core.errors import EngineError
from layerdoit.engine import registry as engine_registry
from layerdoit.engine import registry_lookup
from layerdoit.engine.handle import Engine
from layerdoit.layers.key import Spec
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from tests.engine.registry_fixture import Registry
from tests.support.checkout import hang_up
from tests.support.faulty_registry import SILENCE, Answer, Fault, Faulty, before, never
from tests.support.second_engine import SecondEngine

WRITES = ("POST", "PUT", "PATCH")
# What is not refused in these words, the engine tries again for a minute.
NOBODY = Answer(401, "UNAUTHORIZED", "authentication required", 'Basic realm="test"')


def silent(*_: str) -> Answer | None:
    return SILENCE


def login(*_: str) -> Answer | None:
    return NOBODY


def expired(method: str, path: str, _: str) -> Answer | None:
    """All of the image is there, but for its name."""
    return NOBODY if method == "PUT" and "/manifests/" in path else None


def read_only(method: str, *_: str) -> Answer | None:
    return Answer(403, "DENIED", "this registry takes no pushes") if method in WRITES else None


def full(method: str, path: str, _: str) -> Answer | None:
    over = Answer(403, "DENIED", "the project is over its quota of 10 GiB")
    return over if method in ("PUT", "PATCH") and "/uploads/" in path else None


AMD = "linux/amd64"


def on(platform: str) -> Callable[[str], str]:
    """What an image of each layer is for."""
    return lambda _: platform


class There(NamedTuple):
    """A layer on an engine of its own, a registry that may fail, and the real one behind it."""

    project: Project
    spec: Spec
    faulty: Faulty
    real: Registry
    engine: SecondEngine

    @property
    def repository(self) -> str:
        return f"{self.faulty.address}/team/{self.spec.repository}"

    def pushed(self) -> list[str]:
        return self.real.tags(f"team/{self.spec.repository}")

    def build(self, *labels: str, text: str = "", platform: str = "linux/amd64") -> None:
        """An image under the layer's tag."""
        folder = self.project.root / "image"
        folder.mkdir(exist_ok=True)
        (folder / "word").write_text(text or self.spec.key)
        lines = [f"LABEL io.layerdoit.{one}" for one in labels]
        (folder / "Dockerfile").write_text("\n".join(["FROM scratch", "COPY word /", *lines]))
        words = ["--quiet", "--load", "--provenance=false", f"--platform={platform}", "--tag", self.spec.tag]
        self.engine.docker("buildx", "build", *words, str(folder))

    def labelled(self, **more: str) -> None:
        key = {"key": self.spec.key, "layer": "deps", "project": self.spec.repository, **more}
        self.build(*(f"{name}={value}" for name, value in key.items()))


@pytest.fixture
def there(
    registry: Registry, second_engine: SecondEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[There]:
    monkeypatch.setenv("DOCKER_HOST", second_engine.host)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "logins"))
    name = f"lt-fault-{uuid.uuid4().hex[:8]}"
    with before(registry.address) as faulty:
        second_engine.reach(faulty.address)
        (tmp_path / "layerdoit.yaml").write_text(
            f"project: {name}\nregistry: {{repository: '{faulty.address}/team/{name}', push: [base, deps, app]}}\n"
        )
        spec = Spec.of_key("deps", uuid.uuid4().hex * 2, name)
        found = There(Project.open(tmp_path, {}), spec, faulty, registry, second_engine)
        found.labelled()
        yield found
        second_engine.unreach(faulty.address)
    for repository in (name, found.repository):
        for tag in second_engine.images(repository):
            second_engine.docker("image", "rm", "--force", f"{repository}:{tag}")


def push(there: There, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Push the layer; what is said, and what is warned of."""
    run = Run()
    sharing.begin(run, there.project, there.spec, "deps")
    settle(run, there)
    return capsys.readouterr()


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who says nothing at all is waited for in vain; others may take their time."""
    monkeypatch.setattr(registry_lookup, "PATIENCE", 5.0)
    monkeypatch.setattr(sharing, "STALL", 5.0)


def settle(run: Run, there: There) -> None:
    engine = Engine()
    sharing.settle(run, there.project, engine, [])
    hang_up(engine.images)


PUSHES: list[tuple[Fault, str, str]] = [
    (silent, "the registry cannot be reached (no news for 5 s)", "look at the network between the Docker engine and"),
    (read_only, "denied: this registry takes no pushes", "as a user who may push"),
    (full, "over its quota of 10 GiB", "the registry's limit is reached"),
    (login, "no basic auth credentials", "docker login 127.0.0.1:"),
    (expired, "unauthorized", "docker login 127.0.0.1:"),
]


@pytest.mark.parametrize(("fault", "what", "then"), PUSHES, ids=[row[0].__name__ for row in PUSHES])
def test_a_push_that_fails_is_one_message_and_stays_pending(
    there: There,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    what: str,
    then: str,
) -> None:
    there.faulty.fault = fault
    if fault is silent:
        impatient(monkeypatch)
    said, warned = push(there, capsys)
    assert said == ""
    assert warned.count("layerdoit: ") == 1, warned
    assert f"deps could not be pushed to {there.repository}: " in warned
    assert what in warned
    assert then in warned
    assert "the next run pushes it, and builds nothing again" in warned
    assert there.project.state.unshared() == {there.spec.tag}
    assert there.pushed() == [], "nothing is there under a name"

    # It is well again, and the next run pushes what is left.
    there.faulty.fault = never
    there.faulty.let_go.set()
    settle(Run(), there)
    assert "push    deps-" in capsys.readouterr().out
    assert there.pushed() == [there.spec.tag.rpartition(":")[2]]
    assert there.project.state.unshared() == set()
    assert there.engine.images(there.repository) == set(), "its name in the registry does not stay here"


LOOKUPS: list[tuple[Fault, str]] = [
    (silent, "the registry cannot be reached (no answer in 5 s)"),
    (login, "no basic auth credentials"),
]


@pytest.mark.parametrize(("fault", "what"), LOOKUPS, ids=[row[0].__name__ for row in LOOKUPS])
def test_a_registry_that_does_not_tell_is_done_without(
    there: There, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, fault: Fault, what: str
) -> None:
    there.faulty.fault = fault
    if fault is silent:
        impatient(monkeypatch)
    wanted = [Spec.of_key("base", "1" * 64, there.spec.repository), there.spec]
    assert registry_lookup.available(wanted, there.repository, on(AMD)) == frozenset()
    warned = capsys.readouterr().err
    assert warned.count("layerdoit: ") == 1
    assert warned.startswith("layerdoit: the registry is not used: ")
    assert what in warned
    asked = len(there.faulty.asked)
    if fault is silent:
        assert there.faulty.asked == ["GET /v2/"] * 2, "no question waits for the answer to another one"
    assert registry_lookup.available(wanted, there.repository, on(AMD)) == frozenset()
    assert capsys.readouterr().err == "", "it is waited for, and told of, once in a run"
    assert len(there.faulty.asked) == asked


def test_what_is_there_and_what_is_not(there: There, capsys: pytest.CaptureFixture[str]) -> None:
    push(there, capsys)
    others = [Spec.of_key(layer, "1" * 64, there.spec.repository) for layer in ("base", "runtime", "app")]
    assert registry_lookup.available([*others, there.spec], there.repository, on(AMD)) == {there.spec.tag}
    assert registry_lookup.available([], there.repository, on(AMD)) == frozenset()


def test_a_tag_that_another_image_took_is_not_taken_for_the_layer(
    there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    there.labelled(key="0" * 64)
    push(there, capsys)
    there.engine.docker("image", "rm", there.spec.tag)
    with pytest.raises(EngineError, match="is not the image that its tag says") as caught:
        engine_registry.pull(there.spec, there.repository, AMD, there.spec.repository)
    assert "find out who pushed it" in str(caught.value.hint)
    assert there.engine.images(there.spec.repository) == set()
    assert there.engine.images(there.repository) == set()


def test_an_image_of_another_platform(there: There, capsys: pytest.CaptureFixture[str]) -> None:
    push(there, capsys)
    there.engine.docker("image", "rm", there.spec.tag)
    tag = there.spec.tag.rpartition(":")[2]
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
        "manifests": [
            {**described(there, tag), "platform": {"architecture": "s390x", "os": "linux"}},
        ],
    }
    put(there, tag, index)
    assert registry_lookup.available([there.spec], there.repository, on(AMD)) == frozenset()
    assert "is not used: it is there only for linux/s390x, not for linux/amd64" in capsys.readouterr().err
    with pytest.raises(EngineError, match="no matching manifest") as caught:
        engine_registry.pull(there.spec, there.repository, AMD, there.spec.repository)
    assert "has no image for this platform" in str(caught.value.hint)
    assert there.engine.images(there.spec.repository) == set()


def test_an_image_under_the_tag_that_is_for_another_platform(there: There, capsys: pytest.CaptureFixture[str]) -> None:
    """The engine would take it: it is no list of images for several platforms. Who has the layer pushes it anew."""
    labels = {"key": there.spec.key, "layer": "deps", "project": there.spec.repository}
    there.build(*(f"{name}={value}" for name, value in labels.items()), platform="linux/s390x")
    push(there, capsys)
    assert Engine().labels_of([there.spec]) == {}, "here, too, it is not the layer"
    assert (
        f"{there.spec.tag} is an image for linux/s390x, not for linux/amd64: it is not used" in capsys.readouterr().err
    )
    there.engine.docker("image", "rm", there.spec.tag)

    assert registry_lookup.available([there.spec], there.repository, on(AMD)) == frozenset()
    warned = capsys.readouterr().err
    assert warned.count("layerdoit: ") == 1
    assert f"{there.repository}:" in warned
    assert "is not used: it is there only for linux/s390x, not for linux/amd64" in warned
    assert registry_lookup.available([there.spec], there.repository, on("linux/s390x")) == {there.spec.tag}
    with pytest.raises(EngineError, match=r"it is there only for linux/s390x, not for linux/amd64"):
        engine_registry.pull(there.spec, there.repository, AMD, there.spec.repository)
    assert there.engine.images(there.spec.repository) == set()
    assert there.engine.images(there.repository) == set(), "nothing of it stays"

    there.labelled()
    assert not registry_lookup.has(there.spec, there.repository)
    push(there, capsys)
    assert registry_lookup.has(there.spec, there.repository)
    assert registry_lookup.available([there.spec], there.repository, on(AMD)) == {there.spec.tag}


def test_a_base_image_that_is_for_another_platform(there: There, capsys: pytest.CaptureFixture[str]) -> None:
    """`base.image` and the like: what is here or there under the name is looked at, not only that something is."""
    name = f"{there.faulty.address}/team/{there.spec.repository}:os"
    there.build(platform="linux/s390x")
    there.engine.docker("tag", there.spec.tag, name)
    refused = engine_registry.pull_parent(name, {}, AMD)
    assert refused is not None
    assert str(refused).startswith("it is here for linux/s390x, and ")
    there.engine.docker("push", "--quiet", name)
    refused = engine_registry.offered(name, AMD)
    assert str(refused) == "it is here for linux/s390x, and it is there only for linux/s390x, not for linux/amd64"
    assert engine_registry.pull_parent(name, {}, "linux/s390x") is None
    there.engine.docker("image", "rm", name)
    refused = engine_registry.pull_parent(name, {}, AMD)
    assert str(refused) == "it is there only for linux/s390x, not for linux/amd64"
    assert there.engine.images(name.rpartition(":")[0]) == set()

    # The registry has the right one now, and the name here stands for another: a build asks the registry.
    there.build()
    there.engine.docker("tag", there.spec.tag, name)
    there.engine.docker("push", "--quiet", name)
    there.engine.docker("image", "rm", name)
    there.build(platform="linux/s390x")
    there.engine.docker("tag", there.spec.tag, name)
    assert engine_registry.pull_parent(name, {}, AMD) is None


def described(there: There, tag: str) -> dict[str, object]:
    """The manifest under a tag, as an index lists it."""
    from layerdoit.engine.registry_api import RegistryApi

    found = RegistryApi.of(f"{there.real.address}/team/{there.spec.repository}").manifest(tag)
    assert found is not None
    return {"mediaType": found.media_type, "digest": found.digest, "size": found.size}


def put(there: There, tag: str, index: dict[str, object]) -> None:
    from layerdoit.engine.registry_api import RegistryApi

    api = RegistryApi.of(f"{there.real.address}/team/{there.spec.repository}")
    api.put_manifest(tag, str(index["mediaType"]), json.dumps(index).encode())
