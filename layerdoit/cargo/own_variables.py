"""Which variables of `env` the deps layer need not be keyed by: those that nothing but own crates should read. Pure.

    own(names, lock, shared) -> frozenset[str]

Any crate's build script could read any variable, and its sources are not here. So the name decides what a key holds:
what compilers, cargo and native libraries are known to read stays in the deps layer's key, as does what is called
after a locked crate. That a third-party crate reads another one all the same is found in the build
(`dockerfiles/variables.sh`), which compiles it again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from layerdoit.cargo.lock import Lock

_COMPILERS = "AR|AS|CC|CPP|CXX|FC|LD|LLD|NM|OBJCOPY|OBJDUMP|RANLIB|STRIP"
_FLAGS = r"\w*FLAGS(_\w+)?|\w*(LIBS?|INCLUDES?)"
_FIRST = (
    "ANDROID|BINDGEN|CARGO|CCACHE|CLANG|CLIPPY|CMAKE|CUDA|DEP|DYLD|HOST|HTTPS?|JAVA|JDK|LC|LIBCLANG|LLVM|MACOSX|MAKE"
    "|MESON|MSVC|NINJA|NODE|NPM|OPENSSL|PERL|PKG|PROTOC|PYO3|PYTHON|QEMU|RUST|RUSTC|RUSTDOC|RUSTUP|SCCACHE|SSL|SYSTEM"
    "|TARGET|VCPKG|WASI|WASM|XDG"
)
_WHOLE = (
    "ALL_PROXY|CPATH|C_INCLUDE_PATH|CPLUS_INCLUDE_PATH|FTP_PROXY|HOME|LANG|LIBRARY_PATH|LD_LIBRARY_PATH|MAKEFLAGS"
    "|NO_PROXY|NUM_JOBS|PATH|PROFILE|OPT_LEVEL|SDKROOT|SHELL|SOURCE_DATE_EPOCH|TEMP|TERM|TMP|TMPDIR|TZ|USER"
)
_LAST = (
    "BUNDLED|DIRS?|DYNAMIC|HOME|INCLUDE|INSTALL|LIBRARY|NO_PKG_CONFIG|NO_VENDOR|PATH|PREFIX|ROOT|SHARED|SOURCE|STATIC"
    "|SYSROOT|SYSTEM|SYS|VENDORED"
)
_TOOLS = (
    rf"(?i)({_WHOLE}|{_FLAGS}|({_FIRST})(_\w*)?|(\w+_)?({_COMPILERS})(_\w+)?|\w+_({_LAST})|\w+_(LIB|INCLUDE|SYS)_\w+)$"
)
"""Not compiled here: most projects set no variables."""


def own(names: Iterable[str], lock: Lock, shared: Collection[str]) -> frozenset[str]:
    """Those of the variables that only the app layer is keyed by. `shared`: what the configuration says of others."""
    left = [name for name in names if name not in shared and not re.match(_TOOLS, name)]
    if not left:
        return frozenset()
    crates = {_variable(package.name) for package in lock.external}
    return frozenset(name for name in left if not any(start in crates for start in _starts(name.upper())))


def _variable(crate: str) -> str:
    """The beginning of variables that are called after a crate: `LIBZ` of libz-sys."""
    return re.sub(r"[-_]SYS$", "", crate.upper()).replace("-", "_")


def _starts(name: str) -> Iterable[str]:
    """`A`, `A_B` and `A_B_C` of `A_B_C`."""
    parts = name.split("_")
    return ("_".join(parts[:count]) for count in range(1, len(parts) + 1))
