"""What an image consists of: packages of Debian by dpkg's own list, crates by what the program or Cargo.lock says."""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.components import elf

if TYPE_CHECKING:
    from layerdoit.engine.image_files import Inside
    from layerdoit.project.inputs import Inputs

PROGRAMS: Final = "/usr/local/bin"
_STATUS: Final = "/var/lib/dpkg/status"
_PARTS: Final = "/var/lib/dpkg/status.d"
_RELEASE: Final = "/etc/os-release"
_SECTION: Final = b".dep-v0"
_LARGEST: Final = 8 << 20


class System(NamedTuple):
    """The operating system, as it calls itself; '' where it does not."""

    name: str = ""
    version: str = ""


class Debian(NamedTuple):
    """A package that is installed."""

    name: str
    version: str
    architecture: str


class Crate(NamedTuple):
    """A crate that was compiled. `source`: `registry`, `git`, `local` or an address; `checksum`: of its archive."""

    name: str
    version: str
    source: str
    checksum: str = ""
    build_only: bool = False


class Contents(NamedTuple):
    """All of it. `told_by`: what names the crates."""

    system: System
    packages: tuple[Debian, ...]
    crates: tuple[Crate, ...]
    told_by: str


def of(inside: Inside, inputs: Inputs | None) -> Contents:
    """What is in an image. `inputs`: of the tree that it was made from, where that has crates."""
    release = inside.files(_RELEASE)
    texts = [*inside.files(_STATUS).values()]
    texts += [data for name, data in sorted(inside.files(_PARTS).items()) if not name.endswith(".md5sums")]
    packages = sorted({one for data in texts for one in packages_of(data.decode("utf-8", "replace"))})
    system = system_of(next(iter(release.values()), b"").decode("utf-8", "replace"))
    audited = [found for data in inside.files(PROGRAMS).values() if (found := audit_data(data)) is not None]
    if audited:
        crates = sorted({crate for found in audited for crate in crates_of_audit(found)})
        return Contents(system, tuple(packages), tuple(crates), "the program itself (cargo auditable)")
    known = crates_of(inputs) if inputs is not None else ()
    return Contents(system, tuple(packages), tuple(known), "what was compiled of Cargo.lock")


# --- Debian ----------------------------------------------------------------------------------------------------------


def system_of(text: str) -> System:
    """From /etc/os-release."""
    values = dict(re.findall(r'^(ID|VERSION_ID)="?([^"\n]*)"?$', text, re.MULTILINE))
    return System(values.get("ID", ""), values.get("VERSION_ID", ""))


def packages_of(text: str) -> Iterator[Debian]:
    """From dpkg's list; an image without dpkg has one for each package, without a status."""
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(Package|Version|Architecture|Status): *(.*)$", paragraph, re.MULTILINE))
        status = fields.get("Status", "install ok installed")
        if fields.get("Package") and fields.get("Version") and status.endswith(" installed"):
            yield Debian(fields["Package"], fields["Version"], fields.get("Architecture", ""))


# --- crates ----------------------------------------------------------------------------------------------------------


def crates_of(inputs: Inputs) -> list[Crate]:
    """The crates that the image's programs are compiled from, as far as cargo or Cargo.lock tells."""
    if inputs.component != "rust" or not inputs.project.has_rust:
        return []
    from layerdoit.build import compiling
    from layerdoit.cargo import stub_closure

    project, lock = inputs.project, inputs.tree.lock
    packages = tuple(sorted({package for package, _ in inputs.bins}))
    selection = inputs.selection._replace(packages=packages, bins=inputs.bins) if packages else inputs.selection
    names, _ = compiling.external(inputs, selection)
    local = stub_closure.closure(project.workspace, lock, selection).local
    own = [Crate(one.name, one.version, "local") for one in map(project.workspace.packages.__getitem__, local)]
    found = (one for one in lock.external if (one.name, one.version) in names)
    return sorted([*own, *(Crate(one.name, one.version, _kind(one.source), one.checksum or "") for one in found)])


def _kind(source: str | None) -> str:
    return (source or "local").partition("+")[0]


def crates_of_audit(found: Mapping[str, object]) -> Iterator[Crate]:
    """The crates that the data of cargo auditable lists."""
    listed = found.get("packages")
    for one in listed if isinstance(listed, list) else ():
        source = {"crates.io": "registry"}.get(one.get("source"), str(one.get("source") or ""))
        yield Crate(str(one["name"]), str(one["version"]), source, "", one.get("kind") == "build")


def audit_data(data: bytes) -> Mapping[str, object] | None:
    """What cargo auditable put into a program; None where there is nothing of the kind."""
    with contextlib.suppress(elf.NotElf, ValueError, zlib.error):
        packed = elf.section(data, _SECTION)
        if packed:
            unpacked = zlib.decompressobj().decompress(packed, _LARGEST)
            found = json.loads(unpacked)
            return found if isinstance(found, dict) else None
    return None
