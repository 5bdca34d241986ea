"""Where a base image comes from: what is chosen, what is asked of the machine, and what is said when it cannot be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerdoit.cargo.manifest import load
from layerdoit.cargo.toolchain import Toolchain
from layerdoit.config import Base
from layerdoit.core import command_errors, process
from layerdoit.core.errors import ConfigError, EngineError
from layerdoit.core.platform import architecture, docker_name
from layerdoit.engine import broker, registry, registry_answers
from layerdoit.engine.registry_answers import Refusal, refusal
from layerdoit.flows import obstacles
from tests.support.scratch import make_crate

HOST = "x86_64-unknown-linux-gnu"
UNREACHABLE = refusal('Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host')
DENIED = refusal("denied: requested access to the resource is denied")


@pytest.fixture
def sysroot(tmp_path: Path) -> Path:
    """A toolchain with the standard library of one target."""
    folder = tmp_path / "toolchain"
    (folder / "lib/rustlib" / HOST / "lib").mkdir(parents=True)
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The references that were pulled, of which none is to be had; mmdebstrap makes an OS image."""
    references: list[str] = []

    def refuse(reference: str, _silent: object) -> Refusal:
        references.append(reference)
        return UNREACHABLE

    monkeypatch.setattr(registry, "pull_parent", refuse)
    monkeypatch.setattr(broker, "bootstrap_os", lambda suite: f"layerdoit-os:{suite}")
    return references


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch, asked: list[str]) -> list[str]:
    """As `asked`, but every image is to be had."""
    monkeypatch.setattr(registry, "pull_parent", lambda reference, _silent: asked.append(reference))
    return asked


def toolchain(sysroot: Path | None, channel: str = "1.95.0", release: str | None = "1.95.0") -> Toolchain:
    return Toolchain(channel, release, sysroot, HOST, "rust-toolchain.toml", ())


def engine(platform: str = f"linux/{docker_name(architecture())}") -> Any:
    """An engine, as far as the broker asks it."""
    return SimpleNamespace(
        platform=platform,
        build_platform=platform,
        native=platform,
        pull_parent=lambda reference: registry.pull_parent(reference, {}),
    )


def origin(base: Mapping[str, Any], chosen: Toolchain, layer: str = "base", targets: tuple[str, ...] = ()) -> Any:
    return broker.origin(Base(**base), chosen, targets, layer, Path("/nowhere"), engine())


@pytest.mark.usefixtures("asked")
def test_a_system_made_here_is_of_no_use_on_another_platform(tmp_path: Path) -> None:
    says = "the builder builds for linux/mips64le, but this machine's system and Rust are for"
    other = engine("linux/mips64le")
    for layer in ("base", "runtime"):
        (tmp_path / "lib/rustlib/x86_64-unknown-linux-gnu/lib").mkdir(parents=True, exist_ok=True)
        with pytest.raises(EngineError, match=says) as refused:
            broker.origin(Base(), toolchain(tmp_path), (), layer, Path("/nowhere"), other)
        assert "base.runtime_image" in str(refused.value.hint)


@pytest.mark.parametrize("builder", ["auto", "image"])
def test_official_images_where_they_can_be_had(reachable: list[str], builder: str) -> None:
    found = origin({"builder": builder}, toolchain(None))
    assert (found.method, found.rust_image, found.sysroot) == ("image", "rust:1.95.0-slim-trixie", None)
    found = origin({"builder": builder}, toolchain(None), "runtime")
    assert (found.method, found.os_image) == ("image", "debian:trixie-slim")
    assert reachable == ["rust:1.95.0-slim-trixie", "debian:trixie-slim"]


def test_auto_bootstraps_where_nothing_can_be_pulled(asked: list[str], sysroot: Path) -> None:
    found = origin({}, toolchain(sysroot))
    assert (found.method, found.os_image, found.sysroot) == ("bootstrap", "layerdoit-os:trixie", sysroot)
    assert found.words == (
        "bootstrapped with mmdebstrap, with this machine's Rust 1.95.0 (rust:1.95.0-slim-trixie is not available: "
        f"{UNREACHABLE})"
    )
    found = origin({}, toolchain(sysroot), "runtime")
    assert (found.method, found.os_image) == ("bootstrap", "layerdoit-os:trixie")


def test_auto_takes_the_host_s_nightly_on_the_distribution_s_image(reachable: list[str], sysroot: Path) -> None:
    found = origin({}, toolchain(sysroot, "nightly", "1.97.0-nightly 2026-04-14"))
    assert (found.method, found.os_image, found.sysroot) == ("bootstrap", "debian:trixie-slim", sysroot)
    assert "there are official images only for Rust releases" in found.words
    assert reachable == ["debian:trixie-slim"]


def test_bootstrap_asks_no_registry(asked: list[str], sysroot: Path) -> None:
    for layer in ("base", "runtime"):
        assert origin({"builder": "bootstrap"}, toolchain(sysroot), layer).method == "bootstrap"
    assert asked == []


@pytest.mark.parametrize("layer", ["base", "runtime"])
def test_image_does_not_fall_back(asked: list[str], sysroot: Path, layer: str) -> None:
    with pytest.raises(EngineError, match="is not available: the registry cannot be reached") as caught:
        origin({"builder": "image"}, toolchain(sysroot), layer)
    assert "base.builder: bootstrap" in (caught.value.hint or "")


@pytest.mark.parametrize(("setting", "layer"), [("image", "base"), ("runtime_image", "runtime")])
@pytest.mark.parametrize("builder", ["auto", "image"])
def test_nothing_takes_the_place_of_a_named_image(
    asked: list[str], sysroot: Path, setting: str, layer: str, builder: str
) -> None:
    with pytest.raises(EngineError, match=f"base.{setting} names corp/it:1, which is not available"):
        origin({"builder": builder, setting: "corp/it:1"}, toolchain(sysroot), layer)
    assert asked == ["corp/it:1"]


def test_a_named_image_is_used(reachable: list[str]) -> None:
    assert origin({"image": "corp/it:1"}, toolchain(None)).rust_image == "corp/it:1"
    assert origin({"runtime_image": "corp/rt:1"}, toolchain(None), "runtime").os_image == "corp/rt:1"
    # A runtime image may be named whatever the builder is made from.
    named = {"runtime_image": "corp/rt:1", "builder": "bootstrap"}
    assert origin(named, toolchain(None), "runtime").os_image == "corp/rt:1"


def test_a_named_image_and_bootstrap_contradict(reachable: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"base\.image names an image, but base\.builder: bootstrap uses none"):
        origin({"image": "corp/it:1", "builder": "bootstrap"}, toolchain(None))


def test_a_toolchain_that_is_not_installed(asked: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("RUSTUP_HOME", str(tmp_path))
    for name in (f"1.95.0-{HOST}", f"nightly-2026-04-14-{HOST}", "own"):
        (tmp_path / "toolchains" / name).mkdir(parents=True)
    with pytest.raises(EngineError) as caught:
        origin({}, toolchain(None, "1.80.0", "1.80.0"))
    assert caught.value.what == (
        "Rust 1.80.0, named by rust-toolchain.toml, is not installed on this machine, "
        f"and the image rust:1.80.0-slim-trixie is not available: {UNREACHABLE}"
    )
    assert caught.value.hint == (
        "rustup toolchain install 1.80.0; or use an installed one: "
        "TOOLCHAIN=1.95.0, TOOLCHAIN=nightly-2026-04-14, TOOLCHAIN=own"
    )


def test_a_target_that_the_toolchain_lacks(asked: list[str], sysroot: Path) -> None:
    assert origin({}, toolchain(sysroot), targets=(HOST,)).sysroot == sysroot
    with pytest.raises(EngineError, match="cannot compile for wasm32-wasip1, x") as caught:
        origin({}, toolchain(sysroot), targets=(HOST, "wasm32-wasip1", "x"))
    assert caught.value.hint == "rustup target add --toolchain 1.95.0 wasm32-wasip1 x"


@pytest.mark.parametrize("found", [Path("/usr"), Path("/nowhere")])
def test_a_toolchain_that_cannot_be_copied(asked: list[str], found: Path) -> None:
    with pytest.raises(EngineError, match="cannot be copied into an image"):
        origin({}, toolchain(found))


# --- mmdebstrap ------------------------------------------------------------------------------------------------------


def failing(error: Exception) -> Callable[[list[str]], None]:
    def run(_: list[str]) -> None:
        raise error

    return run


def test_mmdebstrap_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(process, "capture", failing(command_errors.ProgramMissing("no mmdebstrap")))
    with pytest.raises(
        EngineError, match="mmdebstrap, which makes an OS image without one, is not installed"
    ) as caught:
        broker._mmdebstrap("trixie", tmp_path / "os.tar", None)
    assert "apt-get install mmdebstrap" in (caught.value.hint or "")


def test_mmdebstrap_failing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = "I: automatically chosen mode: root\nE: apt-get update failed\nW: listening on child socket failed: \n"
    monkeypatch.setattr(process, "capture", failing(command_errors.CommandFailed(["mmdebstrap"], 25, "", said)))
    with pytest.raises(EngineError, match="could not make a trixie system: E: apt-get update failed"):
        broker._mmdebstrap("trixie", tmp_path / "os.tar", None)


def test_mmdebstrap_uses_this_machine_s_mirrors(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "debian.sources").write_text(
        "Types: deb\nURIs: https://mirror.example/debian/ http://second.example/debian\nSuites: bookworm\n\n"
        "Types: deb\nURIs: https://mirror.example/debian-security\nSuites: bookworm-security\n"
    )
    (parts / "tools.list").write_text("deb [arch=amd64 signed-by=/x.gpg] https://tools.example/apt stable main\n")
    (parts / "off.sources.save").write_text("URIs: https://old.example/debian\n")
    (tmp_path / "sources.list").write_text("# deb http://commented.example/debian bookworm main\n")
    assert broker.apt_mirrors("trixie", broker._apt_sources(tmp_path)) == [
        "deb https://mirror.example/debian trixie main",
        "deb https://mirror.example/debian trixie-updates main",
        "deb https://mirror.example/debian-security trixie-security main",
    ]


@pytest.mark.parametrize("sources", [[], ["http://archive.ubuntu.com/ubuntu/"], ["file:/srv/debian", "cdrom:x/debian"]])
def test_mmdebstrap_knows_the_public_mirrors_itself(sources: list[str]) -> None:
    assert broker.apt_mirrors("trixie", sources) == []


# --- what a registry says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('Get "https://r/v2/": dial tcp: lookup r: no such host', "the registry cannot be reached (no such host)"),
        (
            'Get "https://r/v2/": net/http: TLS handshake timeout',
            "the registry cannot be reached (TLS handshake timeout)",
        ),
        ("manifest for r/x:1 not found: manifest unknown", "manifest for r/x:1 not found: manifest unknown"),
        ("denied: requested access\nsecond line", "denied: requested access"),
        ("", "Exception"),
    ],
)
def test_reasons_are_one_line(said: str, reason: str) -> None:
    assert str(refusal(Exception(said) if said else Exception())) == reason


@pytest.mark.parametrize(
    ("reference", "host"),
    [
        ("rust:1", "docker.io"),
        ("corp/rust:1", "docker.io"),
        ("localhost/rust", "localhost"),
        ("127.0.0.1:5000/rust:1", "127.0.0.1:5000"),
        ("r.example/a/b@sha256:00", "r.example"),
    ],
)
def test_the_host_of_a_reference(reference: str, host: str) -> None:
    assert registry_answers.host_of(reference) == host


def test_a_silent_registry_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from docker.errors import ImageNotFound

    class Images:
        def get(self, reference: str) -> None:
            raise ImageNotFound(reference)

    class Client:
        images = Images()

        def __enter__(self) -> Client:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    pulled: list[str] = []

    def pull(_: object, reference: str, *_doing: str) -> Refusal:
        pulled.append(reference)
        return UNREACHABLE if "silent" in reference else DENIED

    monkeypatch.setattr(registry, "client", Client)
    monkeypatch.setattr(registry, "_pulled", pull)
    silent: dict[str, Refusal] = {}
    assert [registry.pull_parent(f"silent.example/{name}", silent) for name in "ab"] == [UNREACHABLE] * 2
    assert [registry.pull_parent(f"r.example/{name}", silent) for name in "ab"] == [DENIED] * 2
    assert pulled == ["silent.example/a", "r.example/a", "r.example/b"]


HERE, THERE = "linux/arm64", "linux/amd64"
ONLY = "it is there only for linux/arm64, not for linux/amd64"


@pytest.mark.parametrize(
    ("here", "there", "wanted", "refused", "pulled"),
    [
        (HERE, [], HERE, None, []),
        (HERE, [THERE], THERE, None, []),
        (HERE, [HERE], THERE, f"it is here for linux/arm64, and {ONLY}", []),
        (HERE, [], THERE, "it is here for linux/arm64, and the registry cannot be reached (no such host)", []),
        (None, [HERE], THERE, ONLY, ["x/y:1"]),
        (None, [THERE, "unknown/unknown"], THERE, None, []),
    ],
    ids=["here", "a build takes it", "for neither", "away", "of one platform", "there"],
)
def test_a_parent_is_for_the_platform_that_builds_are_for(
    monkeypatch: pytest.MonkeyPatch,
    here: str | None,
    there: list[str],
    wanted: str,
    refused: str | None,
    pulled: list[str],
) -> None:
    """An engine takes any image that stands under a name. `pulled`: what was removed again."""
    from docker.errors import APIError, ImageNotFound

    known, removed = {"x/y:1": here} if here else {}, list[str]()

    class Engine:
        def __init__(self) -> None:
            self.images = self.api = self

        def __enter__(self) -> Engine:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def get(self, name: str) -> SimpleNamespace:
            if name not in known:
                raise ImageNotFound(name)
            return SimpleNamespace(attrs=dict(zip(("Os", "Architecture"), known[name].split("/"), strict=True)))

        def get_registry_data(self, _: str) -> SimpleNamespace:
            if not there:
                raise APIError("lookup x: no such host")
            told = [dict(zip(("os", "architecture"), one.split("/"), strict=True)) for one in there]
            return SimpleNamespace(attrs={"Platforms": told})

        def pull(self, repository: str, tag: str, *, platform: str | None, **_: object) -> list[object]:
            known[f"{repository}:{tag}"] = platform if platform in there else there[0]
            return []

        def remove(self, name: str, **_: object) -> None:
            removed.append(name)

    monkeypatch.setattr(registry, "client", Engine)
    answer = registry.pull_parent("x/y:1", {}, wanted)
    assert (str(answer) if answer else None) == refused
    assert removed == pulled
    if here:
        assert registry.offered("x/y:1", wanted) == answer


@pytest.mark.parametrize("layer", ["base", "runtime"])
def test_ubuntu_needs_an_image(reachable: list[str], layer: str) -> None:
    with pytest.raises(ConfigError, match=r"base\.suite: noble is Ubuntu 24\.04") as caught:
        origin({"suite": "noble"}, toolchain(None), layer)
    assert caught.value.hint
    assert "base.runtime_image: ubuntu:24.04" in caught.value.hint
    assert not reachable, "an image that cannot exist was asked for"
    named = {"image": "example.org/rust:1.95-ubuntu24.04", "runtime_image": "ubuntu:24.04", "suite": "noble"}
    assert origin(named, toolchain(None), layer).method == "image"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ('Get "https://r.corp/v2/": dial tcp 10.0.0.1:443: connect: connection refused', "refused"),
        ('Get "https://r.corp/v2/": dial tcp: lookup r.corp on 10.0.0.2:53: no such host', "name"),
        ('Get "https://r.corp/v2/": dial tcp: lookup r.corp: Temporary failure in name resolution', "name"),
        ('Get "https://r.corp/v2/": net/http: request canceled (Client.Timeout exceeded)', "silent"),
        ('Get "https://r.corp/v2/": dial tcp 10.0.0.1:443: i/o timeout', "silent"),
        ('Get "https://r.corp/v2/": net/http: TLS handshake timeout', "silent"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "ca"),
        ("tls: failed to verify certificate: x509: certificate has expired or is not yet valid", "certificate"),
        ('Get "https://r.corp/v2/": http: server gave HTTP response to HTTPS client', "plain"),
        ("unauthorized: authentication required", "login"),
        ("no basic auth credentials", "login"),
        ("denied: requested access to the resource is denied", "rights"),
        ("error parsing HTTP 403 response body: invalid character '<'", "rights"),
        ("name unknown: the repository does not exist", "absent"),
        ("manifest for r.corp/team:app-0123 not found: manifest unknown", "absent"),
        ("toomanyrequests: you have reached your pull rate limit", "quota"),
        ("denied: storage quota exceeded for this project", "quota"),
        ("received unexpected HTTP status: 503 Service Unavailable", "broken"),
        ("something new", "other"),
    ],
)
def test_what_a_registry_said_is_told_by_kinds(said: str, kind: str) -> None:
    found = refusal(said)
    assert found.kind == kind
    for verb in ("push", "pull"):
        advice = found.advice("r.corp/team/shop:app-0123", verb)
        assert advice
        assert ("docker login" in advice) == (kind in ("login", "rights"))


# --- before anything is built -----------------------------------------------------------------------------------------


def offering(answer: Refusal | None, asked_for: list[str]) -> Any:
    """An engine that says whether an image is to be had."""

    def offers(reference: str) -> Refusal | None:
        asked_for.append(reference)
        return answer

    return SimpleNamespace(offers=offers)


def test_a_toolchain_that_is_here_asks_no_registry(sysroot: Path, tmp_path: Path) -> None:
    asked_for: list[str] = []
    engine = offering(None, asked_for)
    assert broker.obstacle(Base(), toolchain(sysroot), [HOST], tmp_path, engine) is None
    assert asked_for == []
    assert broker.obstacle(Base(), toolchain(sysroot), ["wasm32-unknown-unknown"], tmp_path, engine) is None
    assert asked_for == ["rust:1.95.0-slim-trixie"]


@pytest.mark.parametrize(
    ("base", "channel", "targets", "what", "questions"),
    [
        (Base(), "1.71", [], "Rust 1.71, named by rust-toolchain.toml, is not installed on this machine, and the", 1),
        (Base(), "nightly-2024-01-01", [], "not installed on this machine, and the image", 0),
        (Base(builder="bootstrap"), "1.71", [], "Rust 1.71, named by rust-toolchain.toml, is not installed", 0),
        (Base(builder="image"), "1.95.0", [], "the image rust:1.95.0-slim-trixie is not available", 1),
        (Base(image="own/rust:1"), "1.95.0", [], "base.image names own/rust:1, which is not available", 1),
        (Base(suite="noble"), "1.95.0", [], "base.suite: noble is Ubuntu", 0),
        (Base(), "1.95.0", ["wasm32-unknown-unknown"], "cannot compile for wasm32-unknown-unknown", 1),
    ],
)
def test_what_cannot_be_had_is_known_before_a_build(
    sysroot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: Base, channel: str, targets: list[str],
    what: str, questions: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(broker, "installed", lambda asked, _root: asked.sysroot)
    named = toolchain(sysroot if channel == "1.95.0" else None, channel, channel)
    asked_for: list[str] = []
    found = broker.obstacle(base, named, targets, tmp_path, offering(UNREACHABLE, asked_for))
    assert found is not None
    assert what in found.what
    assert found.hint
    assert len(asked_for) == questions


def test_a_registry_that_says_nothing_is_not_waited_for(
    sysroot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "PATIENCE", 0.0)
    waiting = threading.Event()
    engine: Any = SimpleNamespace(offers=lambda _: waiting.wait(60))
    found = broker.obstacle(Base(image="own/rust:1"), toolchain(sysroot), [], tmp_path, engine)
    waiting.set()
    assert found is not None
    assert "it did not answer in time" in found.what


def test_where_the_base_is_there_nothing_is_asked() -> None:
    plan = SimpleNamespace(step=lambda _: SimpleNamespace(action="reuse"), has=lambda _: True)
    assert obstacles.of_session(SimpleNamespace(plan=plan)) is None  # type: ignore[arg-type]


def test_of_a_workspace_it_is_told_without_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_crate(tmp_path, "hello").folder
    (folder / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "1.31"\n')
    monkeypatch.setattr(registry, "offered", lambda *_: DENIED)
    before = sorted(path.name for path in folder.iterdir())
    found = obstacles.of_workspace(load(folder))
    assert found is not None
    assert "Rust 1.31, named by rust-toolchain.toml, is not installed" in found.what
    assert sorted(path.name for path in folder.iterdir()) == before
