"""How to build a component's base image: from one with Node, with this machine's Node, or with the distribution's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.core.errors import EngineError
from layerdoit.engine import broker
from layerdoit.node.node_version import fits

if TYPE_CHECKING:
    from layerdoit.config import Base
    from layerdoit.engine.handle import Engine
    from layerdoit.node.node_version import Installed


class NodeOrigin(NamedTuple):
    """Where the image starts: `method` is `image`, `host` or `debian`; `contexts`: folders of this machine."""

    method: str
    os_image: str
    node_image: str
    contexts: dict[str, str]
    words: str


class Asked(NamedTuple):
    """What is wanted: the configured `image`, else the `version` (with the file that names it), and what is here."""

    image: str | None
    version: str
    source: str
    here: Installed | None


def origin(base: Base, asked: Asked, setting: str, engine: Engine) -> NodeOrigin:
    """Decide what the image is built from on an engine, and get it ready. EngineError where nothing will do."""
    if asked.image:
        refusal = engine.pull_parent(asked.image)
        if refusal is not None:
            raise EngineError(
                f"{setting}.image names {asked.image}, which is not available: {refusal}",
                hint=f"{refusal.advice(asked.image, 'pull')}; correct the reference, or remove {setting}.image",
            )
        return NodeOrigin("image", "scratch", asked.image, {}, f"from {asked.image}")
    numbered = asked.version[:1].isdigit()
    official = f"node:{asked.version}-{base.suite}-slim"
    refusal = None
    if numbered and base.builder != "bootstrap":
        refusal = engine.pull_parent(official)
        if refusal is None:
            return NodeOrigin("image", "scratch", official, {}, f"from {official}")
        if base.builder == "image":
            raise EngineError(
                f"the image {official} is not available: {refusal}",
                hint=f"{refusal.advice(official, 'pull')}; name another image ({setting}.image), or set "
                "base.builder: bootstrap",
            )
    why = f" ({official} is not available: {refusal})" if refusal else ""
    _, image, words = broker.system(base, engine)
    start = words.partition(" (")[0]
    if not numbered:
        return NodeOrigin("debian", image, "scratch", {}, f"{start}, with Debian's own Node{why}")
    here = asked.here
    if here is None or here.program is None or here.npm is None or not fits(here.version, asked.version):
        raise EngineError(
            f"Node {asked.version}{f', named by {asked.source},' if asked.source else ''} is not to be had: "
            f"{_lacking(here, asked.version)}, and the image {official} is not {_used(refusal)}",
            hint=f"install Node {asked.version} on this machine, or name an image that has it ({setting}.image)",
        )
    broker.same_platform(engine.native, f"and the image {official} is not {_used(refusal)}")
    contexts = {"node": str(_folder(here.program)), "npm": str(here.npm)}
    return NodeOrigin("host", image, "scratch", contexts, f"{start}, with this machine's Node {here.version}{why}")


def _folder(program: Path) -> Path:
    return program.parent


def _used(refusal: object) -> str:
    return f"available: {refusal}" if refusal else "used (base.builder: bootstrap)"


def _lacking(here: Installed | None, version: str) -> str:
    if here is None:
        return "this machine has no Node"
    if not fits(here.version, version):
        return f"this machine has Node {here.version}"
    return f"this machine's Node {here.version} is the system's own, which cannot be copied"
