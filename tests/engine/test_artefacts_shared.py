"""`registry.push: [artefacts]`: a first build elsewhere compiles what changed. Two folders stand for two machines."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from layerdoit.cache import registry_contents as contents
from layerdoit.engine.registry_api import RegistryApi
from layerdoit.layers.outcome import Outcome
from layerdoit.project import pending
from tests.engine.cycle_fixture import ok
from tests.engine.registry_fixture import Registry
from tests.engine.services_fixture import shop
from tests.support.checkout import Checkout
from tests.support.ports import free_port, unheard
from tests.support.printing_workspace import TINY

__all__ = ["shop"]

Clone = Callable[[], Checkout]


@pytest.fixture(scope="module")
def origin(registry: Registry, tmp_path_factory: pytest.TempPathFactory, docker_engine: Any) -> Iterator[Checkout]:
    """A checkout on a branch, which shares what it compiles and has built and pushed once."""
    name = f"lt-{uuid.uuid4().hex[:10]}"
    one = Checkout(tmp_path_factory.mktemp("origin"), name, docker_engine)
    one.write({**TINY, ".gitignore": ".layerdoit\n"})
    one.configure(f"registry: {{repository: {registry.address}/{name}, push: [artefacts]}}\n")
    one.git("init", "-q", "-b", "main")
    one.git("add", ".")
    one.git("commit", "-q", "-m", "first")
    try:
        build(one)
        yield one
    finally:
        one.remove()


@pytest.fixture
def clone(origin: Checkout, tmp_path: Path, docker_engine: Any) -> Iterator[Clone]:
    """The same repository in another folder: it stands for a machine that has the images, and no target mount yet."""
    made: list[Checkout] = []

    def new() -> Checkout:
        root = tmp_path / f"clone-{len(made)}"
        origin.git("clone", "-q", str(origin.root), str(root))
        made.append(Checkout(root, origin.name, docker_engine))
        return made[-1]

    yield new
    for one in made:
        one.forget_sessions()


def build(checkout: Checkout) -> Outcome:
    """All layers; in the end, what was compiled is pushed."""
    return checkout.build()["app"]


def edit(checkout: Checkout, value: str, path: str = "app/src/main.rs", name: str = "MAIN") -> None:
    file = checkout.root / path
    head, _, rest = file.read_text().partition(f'const {name}: &str = "')
    file.write_text(f'{head}const {name}: &str = "{value}{rest[4:]}')
    checkout.git("commit", "-q", "-a", "-m", value)


def test_the_first_build_of_a_clone_compiles_what_changed(
    origin: Checkout, registry: Registry, clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    (tag,) = registry.tags(origin.name)
    assert tag.startswith("artefacts-")
    assert tag.endswith("-main")
    project = origin.session().project
    held = contents.read(RegistryApi.of(f"{registry.address}/{origin.name}"), contents.whose_in(project), time.time())
    assert [(one.whose, one.families) for one in held.stored] == [("ours", ("artefacts",))]
    one = clone()
    edit(one, "0001")
    outcome = build(one)
    assert (outcome.counts["compiled"], outcome.cold) == (1, False)
    assert one.said(outcome.step.spec.tag) == one.promised()
    said = capsys.readouterr().out
    assert "begins with what was compiled on main" in said
    assert f"push    {tag} to {registry.address}/{origin.name}" in said
    # It was pushed in its turn, and nothing else is asked where something is compiled already.
    edit(one, "0002")
    assert build(one).counts["compiled"] == 1
    assert "begins with" not in capsys.readouterr().out
    # Nobody else begins with what is not committed.
    one.replace("app/src/main.rs", "0002", "0102")
    build(one)
    assert "push" not in capsys.readouterr().out
    one.git("commit", "-q", "-a", "-m", "0102")
    one.doit()
    assert not pending.is_compiled(one.session().project)


def test_warming_a_clone_brings_what_is_compiled_also_where_nothing_is_pushed(origin: Checkout, clone: Clone) -> None:
    one = clone()
    assert "begins with what was compiled on main" in ok(one.doit("cache_warm", "LOCAL_ONLY=1"))
    edit(one, "0009")
    done = ok(one.doit("image", "LOCAL_ONLY=1"))
    assert "1 crate compiled" in done
    assert "begins with" not in done, "it is there already"
    assert one.said(f"{one.name}:latest") == one.promised()


def test_without_a_branch_nothing_is_pushed_and_that_is_said(
    clone: Clone, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    one = clone()
    edit(one, "0010")
    one.git("switch", "-q", "--detach")
    build(one)
    assert "is not pushed: no branch is checked out" in capsys.readouterr().err
    assert not pending.is_compiled(one.session().project)


def test_a_branch_begins_with_what_the_default_branch_has(
    origin: Checkout, registry: Registry, clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    one = clone()
    one.git("switch", "-q", "-c", "feature/a-b")
    edit(one, "0003", "lib/src/lib.rs", "LIB")
    outcome = build(one)
    assert outcome.counts["compiled"] == 2
    assert one.said(outcome.step.spec.tag) == one.promised()
    assert "compiled on main" in capsys.readouterr().out
    pushed = [tag for tag in registry.tags(origin.name) if "-feature-a-b-" in tag]
    assert len(pushed) == 1
    other = clone()
    other.git("switch", "-q", "-c", "feature/a-b")
    edit(other, "0004")
    # The library of main is in the tree, that of the branch in the file: contents decide.
    outcome = build(other)
    assert outcome.counts["compiled"] == 2
    assert other.said(outcome.step.spec.tag) == other.promised()
    assert "compiled on feature/a-b" in capsys.readouterr().out


def test_what_does_not_fit_is_not_pulled(
    origin: Checkout, registry: Registry, clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another image under the tag, another project, a blob of other bytes: the build begins with nothing."""
    repository = RegistryApi.of(f"{registry.address}/{origin.name}")
    tag = next(one for one in registry.tags(origin.name) if one.endswith("-main"))
    there = repository.manifest(tag)
    assert there is not None
    try:
        foreign = json.loads(there.content)
        foreign["annotations"] = {}
        repository.put_manifest(tag, there.media_type, json.dumps(foreign).encode())
        one = clone()
        edit(one, "0005")
        outcome = one.build()["app"]
        assert (outcome.cold, one.said(outcome.step.spec.tag)) == (True, one.promised())
        damaged = json.loads(there.content)
        content = b"hello"
        damaged["layers"][0] |= {"digest": repository.put_blob(content), "size": len(content)}
        repository.put_manifest(tag, there.media_type, json.dumps(damaged).encode())
        other = clone()
        edit(other, "0006")
        outcome = other.build()["app"]
        assert (outcome.cold, other.said(outcome.step.spec.tag)) == (True, other.promised())
        assert "the compiled artefacts in the registry are not used" in capsys.readouterr().err
    finally:
        repository.put_manifest(tag, there.media_type, there.content)


def test_a_registry_that_is_away_costs_a_warning_and_is_tried_again(
    origin: Checkout, registry: Registry, clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    one = clone()
    away = f"127.0.0.1:{free_port()}"
    one.replace("layerdoit.yaml", registry.address, away)
    edit(one, "0007")
    outcome = build(one)
    assert one.said(outcome.step.spec.tag) == one.promised()
    said = capsys.readouterr().err
    assert "are not used" in said
    assert "the next run pushes it" in said
    assert pending.is_compiled(one.session().project)
    one.replace("layerdoit.yaml", away, registry.address)
    # What was to go elsewhere is nobody's business here; what is compiled next, is.
    assert not pending.is_compiled(one.session().project)
    edit(one, "0008")
    build(one)
    assert not pending.is_compiled(one.session().project)
    assert "push    artefacts-" in capsys.readouterr().out


def test_services_are_one_compilation_which_is_named_while_it_is_pending_and_pushed_once(
    registry: Registry, shop: Callable[..., Checkout]
) -> None:
    one = shop()
    own = one.read("layerdoit.yaml")
    one.git("init", "-q", "-b", "main")
    with unheard() as port:
        one.write(
            {"layerdoit.yaml": f"{own}registry: {{repository: '127.0.0.1:{port}/{one.name}', push: [artefacts]}}\n"}
        )
        one.git("add", ".")
        one.git("commit", "-q", "-m", "first")
        assert "the next run pushes it" in one.doit("image").stderr
        assert f"pending artefacts: not known to be in 127.0.0.1:{port}/{one.name}" in ok(one.doit("layers", "plan"))
        assert json.loads(ok(one.doit("status", "--json")))["pending"] == ["artefacts"]
        assert "not pushed yet: artefacts" in one.doit("layers", "doctor").stdout
    one.write(
        {"layerdoit.yaml": f"{own}registry: {{repository: '{registry.address}/{one.name}', push: [artefacts]}}\n"}
    )
    # What was to go elsewhere is nobody's business here.
    assert "pending" not in ok(one.doit("layers", "plan"))
    one.replace("common/src/lib.rs", "first name", "second name")
    one.git("commit", "-q", "-a", "-m", "second")
    said = ok(one.doit("image"))
    assert said.count("push    artefacts-") == 1
    assert [tag.partition("-")[0] for tag in registry.tags(one.name)] == ["artefacts"]
    assert json.loads(ok(one.doit("layers", "plan", "--json")))["pending"] == []
