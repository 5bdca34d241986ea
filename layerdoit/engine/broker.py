"""How to build a base image that neither engine nor registry has: from official images, or without any."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.cargo.suite import UBUNTU
from layerdoit.cargo.toolchain import Toolchain, installed
from layerdoit.core import command_errors, process
from layerdoit.core.background import Background, Late
from layerdoit.core.doing import Doing, tell
from layerdoit.core.errors import ConfigError, EngineError, LayerdoitError
from layerdoit.core.files import machine_lock
from layerdoit.core.platform import architecture, docker_name, platform_of
from layerdoit.engine import foreign_base
from layerdoit.engine.images import PREFIX, UNPACKED
from layerdoit.engine.registry_answers import Refusal

if TYPE_CHECKING:
    from layerdoit.config import Base
    from layerdoit.core.platform import Platform
    from layerdoit.engine.handle import Engine

OS_REPOSITORY = "layerdoit-os"
# Part of an OS image's key: what mmdebstrap is asked for.
OS_PACKAGES = "ca-certificates"
APT = Path("/etc/apt")
# Seconds that a registry has to answer where nothing is pulled.
PATIENCE = 4.0
# The official Rust images are of releases only.
_RELEASE = re.compile(r"\d+\.\d+(\.\d+)?$")


@dataclass(frozen=True)
class Origin:
    """Where a base image starts: `method` is `image`, `bootstrap` or `unpacked`; `words`: for the user."""

    method: str
    os_image: str
    rust_image: str | None
    sysroot: Path | None
    channel: str
    words: str


def origin(
    base: Base, toolchain: Toolchain | None, targets: Sequence[str], layer: str, root: Path, engine: Engine
) -> Origin:
    """Decide what a builder (`base`) or `runtime` image is built from on an engine, and get it ready.

    `toolchain`: only a builder has one.
    """
    version = "" if toolchain is None else toolchain.release or toolchain.channel
    _of_debian(base, layer)
    if (engine.platform if layer == "runtime" else engine.build_platform) != engine.native:
        return _foreign(base, toolchain if layer == "base" else None, version, engine)
    if toolchain is None or layer == "runtime":
        if base.runtime_image:
            _explicit(engine, base.runtime_image, "base.runtime_image")
            return Origin("image", base.runtime_image, None, None, version, f"from {base.runtime_image}")
        method, image, words = system(base, engine)
        return Origin(method, image, None, None, version, words)
    if base.image:
        if base.builder == "bootstrap":
            raise ConfigError(
                "base.image names an image, but base.builder: bootstrap uses none", hint="remove one of them"
            )
        _explicit(engine, base.image, "base.image")
        return _from_image(base.image, version)
    official = f"rust:{version}-slim-{base.suite}"
    refusal = None
    if base.builder != "bootstrap":
        refusal = _official(engine.pull_parent, official, version)
        if refusal is None:
            return _from_image(official, version)
        if base.builder == "image":
            raise _no_image(official, refusal)
    same_platform(engine.native, f"and the image {official} {_lacking(refusal)}")
    sysroot = _sysroot(toolchain, targets, root, official, refusal)
    _, image, words = system(base, engine)
    # One reason is enough: that of the system's image would be the same.
    words = f"{words.partition(' (')[0]}, with this machine's Rust {version}{_because(official, refusal)}"
    return Origin("bootstrap", image, None, sysroot, version, words)


def _foreign(base: Base, toolchain: Toolchain | None, version: str, engine: Engine) -> Origin:
    """The same of an image for another platform than the builder's."""
    platform = engine.platform
    if toolchain is None:
        if base.runtime_image:
            image = foreign_base.runtime_image(base.runtime_image, engine)
            return Origin("image", image, None, None, version, f"from {image} for {platform}")
        if foreign_base.to_unpack(base, engine):
            _, image, words = system(base, engine)
            return Origin(UNPACKED, image, None, None, version, f"{words}; {foreign_base.UNPACKED}")
        method, image, words = foreign_base.system(base, engine, bootstrap_os)
        return Origin(method, image, None, None, version, words)
    if base.image:
        return _from_image(foreign_base.builder_image(base.image, engine), version)
    official = f"rust:{version}-slim-{base.suite}"
    if (
        base.builder != "bootstrap"
        and _official(partial(engine.offers_for, platform=platform), official, version) is None
    ):
        return _from_image(official, version)
    sysroot = foreign_base.sysroot(toolchain.channel, version, platform)
    _, image, words = foreign_base.system(base, engine, bootstrap_os)
    return Origin("bootstrap", image, None, sysroot, version, f"{words.partition(' (')[0]}, with Rust {version}")


def obstacle(
    base: Base, toolchain: Toolchain, targets: Sequence[str], root: Path, engine: Engine
) -> LayerdoitError | None:
    """What `origin` will refuse a builder for, as far as it can be told without pulling anything.

    A registry is asked only where this machine's own toolchain would not do, and not for long.
    """
    version = toolchain.release or toolchain.channel
    official = f"rust:{version}-slim-{base.suite}"

    def refused(reference: str) -> Refusal | None:
        try:
            return Background(lambda: engine.offers(reference), time.monotonic() + PATIENCE).result()
        except (Late, EngineError) as error:
            return Refusal("other", error.what)

    try:
        _of_debian(base, "base")
        if base.image:
            refusal = refused(base.image)
            return None if refusal is None else _named_in_vain(base.image, "base.image", refusal)
        if base.builder != "image" and _compiles_here(toolchain, targets, root, official):
            return None
        if base.builder == "bootstrap":
            _sysroot(toolchain, targets, root, official, None)
        elif (answer := _official(refused, official, version)) is not None:
            if base.builder == "image":
                return _no_image(official, answer)
            _sysroot(toolchain, targets, root, official, answer)
    except (EngineError, ConfigError) as error:
        return error
    return None


def _compiles_here(toolchain: Toolchain, targets: Sequence[str], root: Path, official: str) -> bool:
    try:
        _sysroot(toolchain, targets, root, official, None)
    except EngineError:
        return False
    return True


def _of_debian(base: Base, layer: str) -> None:
    """Refuse Ubuntu's suites where we use official Rust images, slim images or mmdebstrap: they are all Debian's."""
    release = UBUNTU.get(base.suite)
    if release and not (base.runtime_image if layer == "runtime" else base.image):
        raise ConfigError(
            f"base.suite: {base.suite} is Ubuntu {release}, for which there are no official Rust images",
            hint="name an image that has Rust (base.image) "
            f"and base.runtime_image: ubuntu:{release}; or a Debian suite (base.suite: trixie)",
        )


def _from_image(reference: str, version: str) -> Origin:
    # The stage for bootstrapping is not built, so its OS image is never asked for.
    return Origin("image", "scratch", reference, None, version, f"from {reference}")


def _because(reference: str, refusal: Refusal | str | None) -> str:
    return f" ({reference} is not available: {refusal})" if refusal else ""


def _explicit(engine: Engine, reference: str, setting: str) -> None:
    """Refuse to replace an image that the configuration names, because its name is part of the key."""
    refusal = engine.pull_parent(reference)
    if refusal is not None:
        raise _named_in_vain(reference, setting, refusal)


def _named_in_vain(reference: str, setting: str, refusal: Refusal) -> EngineError:
    return EngineError(
        f"{setting} names {reference}, which is not available: {refusal}",
        hint=f"{refusal.advice(reference, 'pull')}; correct the reference, or remove {setting}",
    )


def _official(ask: Callable[[str], Refusal | None], reference: str, version: str) -> Refusal | str | None:
    if not _RELEASE.match(version):
        return "there are official images only for Rust releases"
    return ask(reference)


def _no_image(official: str, refusal: Refusal | str) -> EngineError:
    return EngineError(
        f"the image {official} is not available: {refusal}",
        hint=_with_advice(refusal, official, "name another image (base.image), or set base.builder: bootstrap"),
    )


def _with_advice(refusal: Refusal | str, reference: str, otherwise: str) -> str:
    """What helps against the refusal, where a registry refused; or what to do without."""
    return otherwise if isinstance(refusal, str) else f"{refusal.advice(reference, 'pull')}; {otherwise}"


def _lacking(refusal: Refusal | str | None) -> str:
    return f"is not available: {refusal}" if refusal else "is not used (base.builder: bootstrap)"


def same_platform(platform: str, why: str) -> None:
    """Refuse a builder of another platform, on which a copy of this machine's toolchain cannot run."""
    own = f"linux/{docker_name(architecture())}"
    if platform != own:
        raise EngineError(
            f"the builder builds for {platform}, but this machine's system and Rust are for {own}, {why}",
            hint="name images for that platform (base.image, base.runtime_image), or use a builder for "
            f"{own} and compile for the other one (target)",
        )


# --- the toolchain ---------------------------------------------------------------------------------------------------


def _sysroot(
    toolchain: Toolchain, targets: Sequence[str], root: Path, official: str, refusal: Refusal | str | None
) -> Path:
    """This machine's toolchain, if it can be copied into an image and compiles for the targets."""
    version = toolchain.release or toolchain.channel
    sysroot = installed(toolchain, root)
    if sysroot is None:
        here = ", ".join(f"TOOLCHAIN={name}" for name in _channels()) or "TOOLCHAIN=…"
        elsewhere = f", and the image {official} is not available: {refusal}" if refusal else ""
        raise EngineError(
            f"Rust {version}, named by {toolchain.source}, is not installed on this machine{elsewhere}",
            hint=f"rustup toolchain install {toolchain.channel}; or use an installed one: {here}",
        )
    if sysroot == Path("/usr") or not any(sysroot.glob("lib/rustlib/*-linux-*/lib")):
        raise EngineError(
            f"Rust {version} in {sysroot} cannot be copied into an image: it is the system's own, or not for Linux",
            hint=f"rustup toolchain install {toolchain.channel}, or name an image that has Rust (base.image)",
        )
    lacking = [target for target in targets if not (sysroot / "lib/rustlib" / target / "lib").is_dir()]
    if lacking:
        raise EngineError(
            f"this machine's Rust {version} cannot compile for {', '.join(lacking)}",
            hint=f"rustup target add --toolchain {toolchain.channel} {' '.join(lacking)}",
        )
    return sysroot


def _channels() -> list[str]:
    """The toolchains that rustup has, by the names that TOOLCHAIN accepts."""
    folder = Path(os.environ.get("RUSTUP_HOME") or Path.home() / ".rustup") / "toolchains"
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [re.sub(r"-(x86_64|aarch64|riscv64\w*|powerpc\w*|s390x|i686)-.*$", "", name) for name in names][:4]


# --- the operating system --------------------------------------------------------------------------------------------


def system(base: Base, engine: Engine) -> tuple[str, str, str]:
    """Method, image and words: the distribution's image, or one made here."""
    image = f"debian:{base.suite}-slim"
    refusal = None
    if base.builder != "bootstrap":
        refusal = engine.pull_parent(image)
        if refusal is None:
            return "image", image, f"from {image}"
        if base.builder == "image":
            raise EngineError(
                f"the image {image} is not available: {refusal}",
                hint=_with_advice(
                    refusal, image, "name another image (base.runtime_image), or set base.builder: bootstrap"
                ),
            )
    why = f"and the image {image} {_lacking(refusal)}"
    same_platform(engine.native, why)
    return "bootstrap", bootstrap_os(base.suite), "bootstrapped with mmdebstrap" + _because(image, refusal)


def bootstrap_os(suite: str, platform: str | None = None) -> str:
    """The tag of a minimal Debian image, made with mmdebstrap if the engine lacks it. All projects share it.

    `platform`: another one than this machine's, whose programs run here all the same.
    """
    from docker.errors import ImageNotFound

    from layerdoit.engine.api import client

    foreign = platform_of(platform) if platform else None
    own = f"mmdebstrap minbase {OS_PACKAGES} {suite}"
    key = hashlib.sha256((f"{own} {foreign.debian}" if foreign else own).encode()).hexdigest()
    name = f"{OS_REPOSITORY}:{suite}-{key[:12]}"
    # Two first builds at once would each make one, and the first would be left without its tag.
    with machine_lock(name.replace(":", "-")), client() as engine:
        try:
            engine.images.get(name)
        except ImageNotFound:
            with tempfile.TemporaryDirectory(prefix="layerdoit-os-") as folder:
                archive = Path(folder) / "os.tar"
                _mmdebstrap(suite, archive, foreign)
                labels = f"LABEL {PREFIX}layer=os {PREFIX}key={key} {PREFIX}project={OS_REPOSITORY}"
                on = ["--platform", foreign.name] if foreign else []
                try:
                    process.capture(["docker", "import", *on, "--change", labels, str(archive), name])
                except command_errors.CommandFailed as error:
                    said = error.stderr.strip() or error.what
                    raise EngineError(f"the engine refused to import the {suite} system: {said}") from error
    return name


def _mmdebstrap(suite: str, archive: Path, foreign: Platform | None) -> None:
    mirrors = apt_mirrors(suite, _apt_sources(APT))
    # The builder has said that its programs run; mmdebstrap would ask for one more package to find that out.
    skip = "--skip=check/qemu"
    on, words = ([f"--architectures={foreign.debian}", skip], f" for {foreign.name}") if foreign else ([], "")
    argv = ["mmdebstrap", *on, "--variant=minbase", f"--include={OS_PACKAGES}", suite, str(archive), *mirrors]
    tell(Doing(f"making a minimal {suite} system{words} with mmdebstrap"))
    try:
        process.capture(argv)
    except command_errors.ProgramMissing as error:
        raise EngineError(
            "no image registry is available, and mmdebstrap, which makes an OS image without one, is not installed",
            hint="run apt-get install mmdebstrap (Debian or Ubuntu), or docker login to a registry",
        ) from error
    except command_errors.CommandFailed as error:
        said = [line for line in error.stderr.splitlines() if line.startswith(("E:", "Err:"))]
        why = said[0] if said else (error.stderr.strip().splitlines() or [error.what])[-1]
        raise EngineError(
            f"mmdebstrap could not make a {suite} system: {why}",
            hint="check base.suite and the apt mirror; without root it needs the package uidmap and /etc/subuid",
        ) from error


def apt_mirrors(suite: str, sources: Iterable[str]) -> list[str]:
    """apt source lines for `suite` at this machine's Debian mirrors; if empty, mmdebstrap uses the public ones."""
    found: dict[str, str] = {}
    for uri in sources:
        address = uri.rstrip("/")
        # Ubuntu's mirrors hold no Debian.
        kind = {"debian": "", "debian-security": "-security"}.get(address.rsplit("/", 1)[-1])
        if kind is not None and address.startswith(("http://", "https://")):
            found.setdefault(kind, address)
    if "" not in found:
        return []
    lines = [f"deb {found['']} {name} main" for name in (suite, f"{suite}-updates")]
    if suite in ("sid", "unstable"):
        return lines[:1]
    return [*lines, f"deb {found['-security']} {suite}-security main"] if "-security" in found else lines


def _apt_sources(folder: Path) -> list[str]:
    """The addresses in this machine's apt configuration, in both of its formats."""
    addresses: list[str] = []
    for path in (folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if path.suffix == ".sources":
            addresses += [uri for line in re.findall(r"(?mi)^URIs:(.*)$", text) for uri in line.split()]
        elif path.suffix == ".list":
            addresses += re.findall(r"(?m)^deb\s+(?:\[[^\]]*\]\s+)?(\S+)", text)
    return addresses
