"""How cargo is called. Each setting gives both its argument for cargo and its input of the deps layer's key.

Arguments, environment and key inputs are all read from one list, `Options.settings`, so that no setting can reach
cargo without being part of the key.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.cargo import own_variables

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from layerdoit.cargo.lock import Lock

# Values of these variables are shown in keys; all others appear there as digests.
_PLAIN = re.compile(
    r"^(RUST|CARGO_(BUILD|PROFILE|TARGET|ENCODED|INCREMENTAL)|(HOST_|TARGET_)?(CC|CXX|CFLAGS|CXXFLAGS|AR|LD)(_|$))"
)


class Setting(NamedTuple):
    """One setting. `name` and `text`: its input of the key; `words`: arguments of cargo; `variable`: name and value."""

    name: str
    text: str
    words: tuple[str, ...] = ()
    variable: tuple[str, str] | None = None


@dataclass(frozen=True)
class Options:
    """How cargo is called. `env`: variables that reach rustc or build scripts, such as RUSTFLAGS.

    `deps_env`: which of them third-party crates read; other ones are known by their names (`own_variables`).
    """

    profile: str = "release"
    features: tuple[str, ...] = ()
    all_features: bool = False
    default_features: bool = True
    target: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    deps_env: tuple[str, ...] = ()

    def settings(self) -> Iterator[Setting]:
        """Every setting that differs from cargo's default."""
        yield Setting("option profile", self.profile, ("--profile", self.profile))
        if self.all_features:
            yield Setting("option all-features", "yes", ("--all-features",))
        if not self.default_features:
            yield Setting("option default-features", "no", ("--no-default-features",))
        if self.features:
            names = sorted(set(self.features))
            yield Setting("option features", " ".join(names), ("--features", ",".join(names)))
        if self.target is not None:
            yield Setting("option target", self.target, ("--target", self.target))
        for name, value in self.env:
            yield Setting(f"env {name}", shown(name, value), variable=(name, value))

    def key_inputs(self, lock: Lock) -> dict[str, str]:
        """The inputs of the deps layer's key for how cargo is called."""
        own = self._own(lock)
        return {
            item.name: item.text for item in self.settings() if item.variable is None or item.variable[0] not in own
        }

    def own_inputs(self, lock: Lock) -> dict[str, str]:
        """The variables that only the app layer is keyed by."""
        own = self._own(lock)
        return {item.name: item.text for item in self.settings() if item.variable and item.variable[0] in own}

    def own_listing(self, lock: Lock) -> str:
        """These variables and digests of their values, as the scripts compare them."""
        own = self._own(lock)
        return "".join(f"{name} {_digest(value)}\n" for name, value in self.env if name in own)

    def _own(self, lock: Lock) -> frozenset[str]:
        return own_variables.own((name for name, _ in self.env), lock, self.deps_env)

    def arguments(self, packages: Collection[str], bins: Collection[str] = ()) -> str:
        """Arguments for `cargo build`, quoted for a shell. `packages`: for `-p`; `bins`: what asks for them.

        Packages are keyed by the deps layer's input `selection`, binaries by the app layer's `binaries`.
        """
        words = [word for setting in self.settings() for word in setting.words]
        words += [word for package in packages for word in ("-p", package)]
        words += bins
        return shlex.join(words)

    def environment(self, config: Mapping[str, object]) -> str:
        """Variables for cargo, as lines for a shell. `config`: cargo's configuration of the workspace."""
        variables = [setting.variable for setting in self.settings() if setting.variable is not None]
        build = config.get("build")
        # It would lead away from the compiled dependencies, and changes nothing of what is compiled. Only then: build
        # scripts see it too, and one that runs cargo in a target folder of its own would wait for its parent's.
        if isinstance(build, dict) and "build-dir" in build:
            variables.append(("CARGO_BUILD_BUILD_DIR", "/build/target"))
        return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables)


def shown(name: str, value: str) -> str:
    """The value of a variable as a key input shows it: a digest if it may be secret."""
    from layerdoit.config import credentials

    if _PLAIN.search(name) and not credentials.found(name, value):
        return value
    return "sha256:" + _digest(value)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:16]
