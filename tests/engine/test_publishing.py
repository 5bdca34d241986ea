"""Images for people in a real registry: tags, what is never overwritten, and that nothing is half-published."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerdoit.core.errors import BuildError, ConfigError, PublishError
from layerdoit.core.release_version import Version
from layerdoit.engine.handle import Engine
from layerdoit.engine.registry_api import LIST, RegistryApi
from layerdoit.flows import publishing
from layerdoit.flows.publishing import Wish
from layerdoit.layers.key import Spec
from layerdoit.project.project import Project
from layerdoit.publish import published_image, pulled_check
from layerdoit.publish.published_image import Target
from layerdoit.publish.tag_families import Facts
from tests.engine.published_fixture import Published
from tests.engine.registry_fixture import Registry, docker
from tests.support.checkout import Checkout

Make = Callable[..., Published]
USUAL = frozenset({"1.0.0", "1.0", "latest"})


@pytest.fixture
def make(checkout: Callable[..., Checkout], registry: Registry) -> Make:
    def made(**config: Any) -> Published:
        return Published(checkout({}), f"{registry.address}/team/{uuid.uuid4().hex[:8]}", **config)

    return made


def test_push_gives_the_tags_of_the_image_and_nothing_again(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    one = make(image={"tags": ["latest", "edge"]})
    one.push()
    assert set(one.tags()) == {"latest", "edge"}
    assert len(set(one.tags().values())) == 1
    assert "nothing to do" not in capsys.readouterr().out
    one.push()
    assert "push    nothing to do" in capsys.readouterr().out
    before = one.tags()
    one.program("second")
    one.push()
    assert set(one.tags()) == set(before)
    assert one.tags() != before


def test_a_version_is_published_once(
    make: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulled_check, "STARTS", 60.0)  # on a busy machine, too, it prints its version before that
    one = make()
    one.publish(VERSION="1.0.0")
    digest = one.tags()["1.0.0"]
    assert one.tags() == dict.fromkeys(("1.0.0", "1.0", "latest"), digest)
    assert "check   linux/amd64: --version: first 1.0.0" in capsys.readouterr().out
    # By its digest, it is the very image that was built here.
    assert docker("image", "ls", "--quiet", one.repository) == "", "this engine keeps no name of the registry's"
    one.publish(VERSION="1.0.0")
    assert "publish nothing to do" in capsys.readouterr().out
    # Another clone, which has pushed nothing, finds it by its key.
    (one.one.root / ".layerdoit/in_registry.json").unlink()
    one.publish(VERSION="1.0.0")
    assert "publish nothing to do" in capsys.readouterr().out

    one.program("second")
    with pytest.raises(PublishError, match=r"1\.0\.0 is published already, as another image \(sha256:") as caught:
        one.publish(VERSION="1.0.0")
    assert "--force" in str(caught.value.hint)
    one.publish(VERSION="1.1.0-rc.1")
    candidate = one.tags()["1.1.0-rc.1"]
    assert one.tags() == {**dict.fromkeys(("1.0.0", "1.0", "latest"), digest), "1.1.0-rc.1": candidate}
    capsys.readouterr()
    one.publish(Wish(force=True), VERSION="1.0.0")
    assert f"--force overwrites {one.repository}:1.0.0: {digest[:19]}, made " in capsys.readouterr().err
    assert set(one.tags().values()) == {candidate}


def test_what_stands_against_it_is_told_before_anything_is_built(make: Make) -> None:
    one = make()
    with pytest.raises(ConfigError, match="nothing says which version"):
        one.publish()
    one.one.write({"new.txt": "x"})
    with pytest.raises(PublishError, match=r"differs from its commit: new\.txt"):
        one.publish(VERSION="1.0.0")
    one.publish(Wish(dirty=True), VERSION="1.0.0")
    one.commit()
    one.one.git("tag", "v2.0.0")
    one.publish()
    assert sorted(one.tags()) == ["1.0", "1.0.0", "2.0", "2.0.0", "latest"]
    with pytest.raises(ConfigError, match="LOCAL_ONLY"):
        one.publish(LOCAL_ONLY="1")


def test_what_does_not_run_gets_no_tag(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one = make()
    one.configure(publish={"repository": one.repository, "check": ["--version", "serve --now"]})
    with pytest.raises(PublishError, match=r"`serve --now` ended with 3"):
        one.publish(VERSION="1.0.0")
    assert one.tags() == {}
    one.configure()
    one.program("crash", "int main(int many) { return many > 1 ? *(volatile int *)0 : 0; }\n")
    with monkeypatch.context() as patient:
        patient.setattr(pulled_check, "STARTS", 60.0)
        with pytest.raises(PublishError, match=r"`--version` could not be run"):
            one.publish(VERSION="1.0.0")
    assert one.tags() == {}
    one.program("serves", "#include <unistd.h>\nint main(void) { pause(); return 0; }\n")
    one.publish(VERSION="1.0.0")
    assert "1.0.0" in one.tags()


def test_two_machines_publish_one_version_at_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one = make()
    real, other = published_image.send, list[str]()

    def overtaken(target: Target, api: RegistryApi) -> published_image.Sent:
        sent = real(target, api)
        if not other:
            other.append(sent.digest)
            one.program("other")
            one.publish(VERSION="1.0.0")
        return sent

    monkeypatch.setattr(published_image, "send", overtaken)
    with pytest.raises(PublishError, match=r"another machine has published .*:1\.0\.0 meanwhile"):
        one.publish(VERSION="1.0.0")
    winner = one.tags()["1.0.0"]
    assert other[0] != winner
    assert set(one.tags().values()) == {winner}, "latest is that of the one who won"


def test_the_same_inputs_published_elsewhere_at_once_are_taken_over(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = make()
    real = published_image.send

    def send(target: Target, api: RegistryApi) -> published_image.Sent:
        sent = real(target, api)
        # Built anew on another machine: of the same key, and another digest.
        (tmp_path / "Dockerfile").write_text(f"FROM {target.specs['linux/amd64'].tag}\nLABEL other=machine\n")
        name = f"{one.one.name}:theirs"
        docker("buildx", "build", "--quiet", "--load", "--provenance=false", "--tag", name, str(tmp_path))
        docker("tag", name, f"{one.repository}:1.0.0")
        docker("push", "--quiet", f"{one.repository}:1.0.0")
        docker("image", "rm", name, f"{one.repository}:1.0.0")
        return sent

    monkeypatch.setattr(published_image, "send", send)
    one.publish(VERSION="1.0.0")
    assert set(one.tags()) == USUAL
    (digest,) = set(one.tags().values())
    assert digest not in (one.one.root / ".layerdoit/in_registry.json").read_text(), "it is the other machine's"


def test_a_publication_is_for_all_platforms(make: Make) -> None:
    one = make()
    one.configure(platforms=["linux/amd64", "linux/arm64"])
    with pytest.raises(ConfigError, match=r"PLATFORM=linux/arm64: people get .* linux/amd64, linux/arm64") as caught:
        one.publish(VERSION="1.0.0", PLATFORM="linux/arm64")
    assert str(caught.value.where).startswith("layerdoit.yaml:")


def test_a_version_that_is_overwritten_at_the_last_moment_is_noticed(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make()
    one.publish(VERSION="1.0.0")
    theirs = one.api.manifest("1.0.0")
    assert theirs is not None
    one.program("mine")
    real = RegistryApi.put_manifest

    def put(api: RegistryApi, reference: str, media_type: str, content: bytes) -> str:
        done = real(api, reference, media_type, content)
        if reference == "latest":
            real(api, "2.0.0", theirs.media_type, theirs.content)
        return done

    monkeypatch.setattr(RegistryApi, "put_manifest", put)
    with pytest.raises(PublishError, match=r"another machine has published .*:2\.0\.0 meanwhile"):
        one.publish(VERSION="2.0.0")
    assert set(one.tags().values()) == {theirs.digest}


def test_one_failed_platform_publishes_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one = make()
    session = one.one.session(variables={"VERSION": "1.0.0"})
    with_two = {"linux/amd64": session, "linux/arm64": session}
    monkeypatch.setattr(publishing, "_platforms", lambda _: with_two)
    built = []

    def build(*_: object) -> list[object]:
        built.append(1)
        if len(built) > 3:
            raise BuildError("arm64 does not build")
        return []

    monkeypatch.setattr(publishing, "ensure_each", build)
    with pytest.raises(BuildError):
        publishing.publish(session, Wish())
    assert one.tags() == {}


def test_platforms_are_joined_by_digest(registry: Registry, docker_engine: Any, tmp_path: Path) -> None:
    name = f"lt-joined-{uuid.uuid4().hex[:8]}"
    specs = {}
    for architecture in ("amd64", "arm64"):
        folder = tmp_path / architecture
        folder.mkdir()
        (folder / "word").write_text(f"{name} {architecture}")
        spec = Spec.of_key("app", uuid.uuid4().hex * 2, name)
        (folder / "Dockerfile").write_text(f"FROM scratch\nCOPY word /\nLABEL io.layerdoit.key={spec.key}\n")
        words = ["--quiet", "--load", "--provenance=false", "--platform", f"linux/{architecture}", "--tag", spec.tag]
        docker("buildx", "build", *words, str(folder))
        specs[f"linux/{architecture}"] = spec
    (tmp_path / "layerdoit.yaml").write_text(f"project: {name}\nbuild: {{binary: out}}\n")
    project = Project.open(tmp_path, {})
    repository = f"{registry.address}/team/{name}"
    facts = Facts(Version(1, 0, 0))
    target = Target(project, repository, ("{version}", "latest"), facts, specs, Engine().images)
    try:
        standing = published_image.examine(target, force=False)
        sent = published_image.send(target, standing.api)
        assert standing.api.tags() == tuple(sorted(spec.tag.partition(":")[2] for spec in specs.values()))
        published_image.move(target, standing, sent.digest)
        found = standing.api.manifest("1.0.0")
        assert found is not None
        assert (found.digest, found.media_type) == (sent.digest, LIST)
        assert {one.platform: one.digest for one in found.children} == dict(sent.children)
        again = published_image.examine(target, force=False)
        assert (again.digest, again.lacking) == (sent.digest, ())
        assert published_image.send(target, standing.api)._replace(seconds=0.0) == sent._replace(bytes=0, seconds=0.0)
        shown = json.loads(docker("buildx", "imagetools", "inspect", "--raw", f"{repository}:latest"))
        assert [one["platform"]["architecture"] for one in shown["manifests"]] == ["amd64", "arm64"]
    finally:
        docker("image", "rm", "--force", *(spec.tag for spec in specs.values()))


def test_base_images_are_published_under_tags_of_their_own(make: Make) -> None:
    one = make()
    tags = ["base-{version}", "base-rust{rust}", "{branch}-base", "base-latest"]
    one.configure(publish={"repository": one.repository, "base_tags": tags})
    publishing.publish_base(one.one.session(), Wish())
    assert set(one.tags()) == {"runtime-main-base", "runtime-latest"}
    one.program("second")
    publishing.publish_base(one.one.session(variables={"VERSION": "2026.1.0"}), Wish())
    assert set(one.tags()) == {"runtime-main-base", "runtime-latest", "runtime-2026.1.0"}
    assert len(set(one.tags().values())) == 1


def test_services_have_images_of_their_own_and_are_published_together(make: Make) -> None:
    one = make()
    shutil.copy(one.one.root / "out/server", one.one.root / "out/worker")
    services = {"api": {"build": {"binary": "out/server"}}, "worker": {"build": {"binary": "out/worker"}}}
    settings: dict[str, Any] = {"build": {}, "services": services}
    one.configure(**settings, publish={"repository": one.repository, "check": ["--version"]})
    repositories = {name: RegistryApi.of(f"{one.repository}-{name}") for name in services}

    def there() -> dict[str, frozenset[str]]:
        people = USUAL | {"1.1.0", "1.1"}
        return {name: people & set(api.tags()) for name, api in repositories.items()}

    session = one.one.session(variables={"VERSION": "1.0.0"})
    publishing.publish(session.service("api"), Wish())
    assert there() == {"api": USUAL, "worker": frozenset()}
    one.publish(VERSION="1.0.0")
    assert there() == dict.fromkeys(services, USUAL)

    # What one of them has against it keeps the tags of all where they are.
    one.program("second")
    (one.one.root / "out/broken.c").write_text("int main(int many, char **words) { return many > 1; }\n")
    compiled = ["gcc", "-static", "-o", "out/worker", "out/broken.c"]
    subprocess.run(compiled, cwd=one.one.root, check=True)
    with pytest.raises(PublishError, match=r"worker@sha256:.*`--version` ended with 1"):
        one.publish(VERSION="1.1.0")
    assert there() == dict.fromkeys(services, USUAL)


def test_tags_of_another_project_stay(make: Make) -> None:
    mine, theirs = make(), make()
    mine.publish(VERSION="1.0.0")
    theirs.move_to(mine.repository)
    theirs.program("other")
    with pytest.raises(PublishError, match=rf"latest is an image of the project {mine.one.name}") as caught:
        theirs.publish(VERSION="2.0.0")
    assert "publish.repository" in str(caught.value.hint)
    theirs.publish(Wish(force=True), VERSION="2.0.0")
    assert mine.tags()["latest"] == mine.tags()["2.0.0"]
