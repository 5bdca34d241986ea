"""The inputs of a component's images and of its output. How the base is made is not one, as with Rust's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from layerdoit.layers.key import Spec
from layerdoit.layers.specs.app import listing


@dataclass(frozen=True)
class NodeFacts:
    """What a component is made of.

    `recipes`: digests of what builds it, by layer; `image`: the configured one, '' for none; `node`: the version;
    `manager`: with its version; `installs`: digest of each file that installation reads, by path; `sources`: the digest
    of all that the build reads, `files` lists them.
    """

    recipes: Mapping[str, str]
    suite: str
    image: str
    platform: str
    node: str
    manager: str
    packages: Sequence[str]
    installs: Mapping[str, str]
    scripts: bool
    env: Mapping[str, str]
    folder: str
    path: str
    command: str
    output: str
    sources: str
    files: Callable[[], Mapping[str, str]]


def base(facts: NodeFacts, repository: str) -> Spec:
    """Node, its package manager, Debian packages."""
    return Spec(
        "base",
        {
            "Dockerfile.node-base": facts.recipes["base"],
            "os": facts.image or f"debian {facts.suite}",
            "platform": facts.platform,
            "manager": facts.manager,
            "packages": " ".join(sorted(set(facts.packages))),
            **({} if facts.image else {"node": facts.node}),
        },
        repository,
    )


def deps(facts: NodeFacts, base_key: str, repository: str) -> Spec:
    """The installed packages."""
    inputs = {
        "base": base_key,
        "Dockerfile.node": facts.recipes["deps"],
        "folder": facts.folder,
        "install scripts": "run" if facts.scripts else "do not run",
        **{f"env {name}": value for name, value in facts.env.items()},
        **{f"file {path}": digest for path, digest in facts.installs.items()},
    }
    return Spec("deps", inputs, repository)


def output(facts: NodeFacts, deps_key: str, repository: str) -> Spec:
    """The files that the build command writes."""
    common = {
        "deps": deps_key,
        "Dockerfile.node": facts.recipes["output"],
        "folder": facts.path,
        "build command": facts.command,
        "output folder": facts.output,
    }

    def listed() -> Mapping[str, str]:
        return {**common, **listing("file", facts.files())}

    return Spec("output", {**common, "sources": facts.sources}, repository, listed)
