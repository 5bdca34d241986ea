"""Cross-compilation: the target, the variables and the Debian packages that it takes. Pure.

target(configured, platform) -> str
variables(platform, target, linker) -> {name: value}
packages(base_packages, platform, linker) -> Packages
linked(configured, target, glibc) -> str
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core.platform import PLATFORMS, glibc_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from layerdoit.core.platform import Platform


ZIG: Final = "/usr/local/zig/bin"
"""Where the builder has the programs that compile and link with zig (Dockerfile.base)."""


class Packages(NamedTuple):
    """Debian packages of a builder. `native`: those of the machine that compiles; `foreign`: libraries of the other.

    `architecture`: what Debian calls the other; '' where nothing is cross-compiled.
    """

    native: tuple[str, ...]
    foreign: tuple[str, ...] = ()
    architecture: str = ""

    @property
    def every(self) -> tuple[str, ...]:
        """All of them, as apt would have them: `libssl-dev:arm64`."""
        named = (name.partition("=") for name in self.foreign)
        return (*self.native, *(f"{name}:{self.architecture}{sign}{version}" for name, sign, version in named))


def target(configured: str | None, platform: Platform) -> str | None:
    """A configured target as it is for a platform: `x86_64-unknown-linux-musl` is musl on every one."""
    plain = glibc_of(configured)[0] if configured else None
    machine, _, rest = (plain or "").partition("-unknown-linux-")
    if not rest or machine not in (one.rust for one in PLATFORMS):
        return plain
    return platform.triple("musl" if rest.startswith("musl") else "gnu")


def linked(configured: str | None, triple: str, glibc: str | None) -> str | None:
    """The target as zig links for it, with a version of glibc: the named one, else `glibc`; None for none."""
    if not triple.rpartition("-")[2].startswith("gnu"):
        return triple
    version = glibc_of(configured or "")[1] or glibc
    return f"{triple}.{version}" if version else None


def variables(platform: Platform, triple: str, linker: str) -> dict[str, str]:
    """What tells cargo, and the crates that compile or look up C libraries, how it is done for a target."""
    name = triple.replace("-", "_")
    gnu = platform.gnu
    cc, cxx, ar = (f"{gnu}-gcc", f"{gnu}-g++", f"{gnu}-ar")
    ranlib = {}
    if linker == "zig":
        cc, cxx, ar = (f"{ZIG}/{program}" for program in ("cc", "c++", "ar"))
        ranlib = {f"RANLIB_{name}": f"{ZIG}/ranlib"}
    return {
        f"CARGO_TARGET_{name.upper()}_LINKER": cc,
        f"CC_{name}": cc,
        f"CXX_{name}": cxx,
        f"AR_{name}": ar,
        **ranlib,
        f"PKG_CONFIG_ALLOW_CROSS_{name}": "1",
        f"PKG_CONFIG_LIBDIR_{name}": f"/usr/lib/{platform.folder}/pkgconfig:/usr/share/pkgconfig",
        f"BINDGEN_EXTRA_CLANG_ARGS_{name}": f"--target={platform.folder} -I/usr/{gnu}/include",
    }


def packages(configured: Iterable[str], platform: Platform, linker: str) -> Packages:
    """Configured packages, and those of the C compiler: libraries are linked to, tools run."""
    from layerdoit.cargo import native

    tools = native.table().programs
    foreign = {name for name in configured if _library(name.partition("=")[0], tools)}
    short = platform.gnu.replace("_", "-")
    compiler: tuple[str, ...] = (f"gcc-{short}", f"g++-{short}", f"libc6-dev-{platform.debian}-cross")
    if linker == "zig":
        # It has the headers of glibc; libclang, which bindgen loads, does not know them.
        compiler = compiler[2:] if any(name.startswith("libclang") for name in configured) else ()
    own = {name for name in configured if name not in foreign}
    return Packages(tuple(sorted({*own, *compiler})), tuple(sorted(foreign)), platform.debian)


def _library(name: str, tools: Iterable[str]) -> bool:
    return name.endswith("-dev") and name not in tools
