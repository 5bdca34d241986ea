"""Which deps images of a registry may be cooked on."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from layerdoit.build import planning
from layerdoit.engine import registry_lookup, registry_relatives
from layerdoit.engine.images import Image
from layerdoit.engine.registry_access import RegistryError
from layerdoit.engine.registry_answers import Refusal
from layerdoit.engine.registry_api import DOCKER_IMAGE, INDEX, Manifest, RegistryApi
from layerdoit.layers.key import Spec

KEY = "0123456789abcdef"
HERE = "linux/amd64"


def config(layer: str = "deps", key: str = KEY, built: str = "1", architecture: str = "amd64") -> dict[str, Any]:
    labels = {f"io.layerdoit.{name}": text for name, text in (("layer", layer), ("key", key), ("built", built))}
    return {"os": "linux", "architecture": architecture, "config": {"Labels": labels}}


class Api:
    """A repository. `held`: by tag or digest, the configuration of an image, or the children of an index."""

    def __init__(self, **held: Any) -> None:
        self.held: Mapping[str, Any] = {name.replace("_", "-"): text for name, text in held.items()}
        self.asked = 0

    def tags(self) -> tuple[str, ...]:
        return tuple(name for name in self.held if not name.startswith("sha256"))

    def manifest(self, reference: str) -> Manifest | None:
        self.asked += 1
        found = self.held.get(reference.replace(":", "-"))
        if isinstance(found, list):
            return Manifest(reference, INDEX, json.dumps({"manifests": found}).encode())
        return (
            None
            if found is None
            else Manifest(reference, DOCKER_IMAGE, json.dumps({"config": {"digest": reference}}).encode())
        )

    def blob(self, digest: str) -> bytes:
        return json.dumps(self.held[digest.replace(":", "-")]).encode()


def found(monkeypatch: pytest.MonkeyPatch, api: Any) -> list[tuple[str | None, str]]:
    monkeypatch.setattr(RegistryApi, "of", lambda _repository: api)
    monkeypatch.setattr(registry_relatives, "_given_up", set())
    images = registry_relatives.deps_images("registry.example/shop", HERE, "shop")
    return [(image.keyed_tag, image.label("built")) for image in images]


def test_those_for_the_platform_come_under_their_names_here_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    other, index = "f" * 16, "e" * 16
    listed = [
        {"digest": "sha256:arm", "platform": {"os": "linux", "architecture": "arm64"}},
        {"digest": "sha256:attested", "platform": {"os": "unknown", "architecture": "unknown"}},
        {"digest": "sha256:amd", "platform": {"os": "linux", "architecture": "amd64"}},
    ]
    api = Api(
        **{
            f"deps_{KEY[:12]}": config(),
            f"deps_{other[:12]}": config(key=other, built="2"),
            f"deps_{index[:12]}": listed,
            "sha256_amd": config(key=index, built="3"),
            "sha256_arm": config(key=index, architecture="arm64"),
            f"deps_{'d' * 12}": config(key="d" * 16, architecture="arm64"),
            f"deps_{'c' * 12}": config(key="another"),
            f"deps_{'b' * 12}": config(layer="app", key="b" * 16),
            f"deps_{'9' * 12}": {"config": "broken"},
            f"deps_{'8' * 12}": "broken",
            "latest": config(layer="app"),
            f"app_{'a' * 12}": config(layer="app", key="a" * 16),
        }
    )
    names = [f"shop:deps-{key[:12]}" for key in (index, other, KEY)]
    assert found(monkeypatch, api) == list(zip(names, "321", strict=True))


def test_of_many_only_some_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(**{f"deps_{number:012x}": config(key=f"{number:016x}") for number in range(50)})
    found(monkeypatch, api)
    assert api.asked == registry_relatives.MOST


def test_a_registry_that_does_not_list_them_has_none_and_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Closed:
        def tags(self) -> tuple[str, ...]:
            asked.append(1)
            raise RegistryError("no", Refusal("rights", "no"), "")

    monkeypatch.setattr(RegistryApi, "of", lambda _repository: Closed())
    monkeypatch.setattr(registry_relatives, "_given_up", set())
    refused = registry_relatives.asked("registry.example/shop", HERE, "shop")
    assert refused == registry_relatives.Told(refused=Refusal("rights", "no"))
    assert registry_relatives.asked("registry.example/shop", HERE, "shop").given_up
    assert registry_relatives.deps_images("registry.example/shop", HERE, "shop") == ()
    assert len(asked) == 1


def test_of_a_registry_that_falls_silent_what_it_listed_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    class Slow(Api):
        def manifest(self, reference: str) -> Manifest | None:
            if self.asked:
                ended.wait()
            return super().manifest(reference)

    monkeypatch.setattr(registry_lookup, "PATIENCE", 0.2)
    monkeypatch.setattr(registry_relatives, "_given_up", set())
    slow = Slow(**{f"deps_{KEY[:12]}": config(), f"deps_{'f' * 12}": config(key="f" * 16)})
    monkeypatch.setattr(RegistryApi, "of", lambda _repository: slow)
    told = registry_relatives.asked("registry.example/shop", HERE, "shop")
    ended.set()
    assert [image.keyed_tag for image in told.images] == [f"shop:deps-{KEY[:12]}"]
    assert told.refused == Refusal("silent", "no answer in 0 s")


def test_a_registry_that_did_not_answer_before_is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_lookup, "_given_up", {"registry.example"})
    assert found(monkeypatch, None) == []


def test_services_of_one_engine_ask_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(repository: str, *_: str) -> tuple[Image, ...]:
        asked.append(repository)
        return ()

    monkeypatch.setattr(registry_relatives, "deps_images", ask)
    config = SimpleNamespace(
        deps=SimpleNamespace(max_chain=8, delta=True),
        registry=SimpleNamespace(pulled=frozenset({"deps"}), repository="registry.example/shop"),
    )
    inputs: Any = SimpleNamespace(specs=[Spec("deps", {}, "shop")], project=SimpleNamespace(config=config))

    class Where:
        is_local = True

        def platform_of(self, _layer: str) -> str:
            return HERE

    first, second = Where(), Where()
    for engine in (first, first, second):
        assert planning._afar(engine, inputs, (), ()) == ()  # type: ignore[arg-type]
    assert len(asked) == 2, "a new reading asks again"
