"""The Debian package that a shared library is in, told from the library's name: by the table, else by Debian's rule.

package("libpq.so.5", config) -> "libpq5"        # None where the name has no version, so that no package has it
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from layerdoit.cargo import native

if TYPE_CHECKING:
    from layerdoit.cargo.native import Provider
    from layerdoit.config import Config

_NAME: Final = re.compile(r"lib(.+?)\.so\.(\d[\w.]*)")
_OTHERWISE: Final = {"libz.so.1": "zlib1g", "libcrypto.so.3": "libssl.so.3", "libcrypto.so.1.1": "libssl.so.1.1"}
"""What is not called after its library, or after another one's."""


def package(library: str, config: Config) -> str | None:
    """The package, by the names of the runtime image's suite."""
    known = _OTHERWISE.get(library, library)
    found = _NAME.fullmatch(known)
    if found is None:
        return known if known != library else None
    name, version = found.groups()
    ruled = f"lib{name}{'-' if name[-1].isdigit() else ''}{version}".lower().replace("_", "-")
    providers = native.table().providers(native.suites(config).run).values()
    return next((run for one in providers for run in one.run if _holds(one, run, name, version, ruled)), ruled)


def _holds(one: Provider, run: str, name: str, version: str, ruled: str) -> bool:
    if run.removesuffix("t64") == ruled:
        return True
    numbered = re.search(rf"\D{re.escape(version)}(t64)?(\D|$)", run)
    return one.library and name in one.lib and numbered is not None
