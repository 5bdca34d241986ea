"""The base layer's inputs: operating system, toolchain, native packages. How the image is made is not one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from layerdoit.layers.key import Spec


@dataclass(frozen=True)
class BaseFacts:
    """What the two base images are made of.

    `toolchain` is the identity of the compiler (`1.95.0`), `dockerfile` the digest of Dockerfile.base,
    `platform`: what the image is for, `build_platform`: what compiles runs on.
    `linker`: what links instead of a C compiler of the packages.
    `image` and `runtime_image` are parent references from the configuration, empty for the defaults.
    """

    dockerfile: str
    suite: str
    platform: str
    build_platform: str
    toolchain: str
    targets: Sequence[str]
    packages: Sequence[str]
    runtime_packages: Sequence[str]
    image: str
    runtime_image: str
    user: str
    components: Sequence[str] = ()
    linker: str = ""


def builder(facts: BaseFacts, repository: str) -> Spec:
    """The image that compiles."""
    return Spec(
        "base",
        {
            "Dockerfile.base": facts.dockerfile,
            "os": facts.image or f"debian {facts.suite}",
            "platform": facts.build_platform,
            "toolchain": facts.toolchain,
            "targets": " ".join(sorted(set(facts.targets))),
            "packages": " ".join(sorted(set(facts.packages))),
            **({"components": " ".join(sorted(set(facts.components)))} if facts.components else {}),
            **({"linker": facts.linker} if facts.linker else {}),
        },
        repository,
    )


def runtime(facts: BaseFacts, repository: str) -> Spec:
    """The image that the application runs on."""
    return Spec(
        "runtime",
        {
            "Dockerfile.base": facts.dockerfile,
            "os": facts.runtime_image or f"debian {facts.suite}",
            "platform": facts.platform,
            "packages": " ".join(sorted(set(facts.runtime_packages))),
            "user": facts.user,
        },
        repository,
    )
