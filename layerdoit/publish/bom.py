"""A bill of materials in the form of CycloneDX 1.6. The same image gives the same document. Pure.

No library took its place: the document is plain JSON, and tests hold it against the published schema.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from layerdoit.core.version import __version__
from layerdoit.publish.image_contents import Contents, Crate, Debian, System

MEDIA_TYPE: Final = "application/vnd.cyclonedx+json"
_SPACE: Final = uuid.UUID("f2a4b6a2-0a3e-5f0e-9a6b-6f3c1c1f2d11")


class Subject(NamedTuple):
    """The image that a document is about. `made`: when, in UTC."""

    repository: str
    digest: str
    platform: str
    version: str
    made: str


def document(subject: Subject, contents: Contents) -> Mapping[str, Any]:
    """The bill of materials of an image."""
    name = subject.repository.rpartition("/")[2]
    architecture = subject.platform.partition("/")[2]
    where = f"repository_url={quote(subject.repository, safe='/:')}&arch={quote(architecture, safe='')}"
    purl = f"pkg:oci/{quote(name, safe='')}@{quote(subject.digest, safe='')}?{where}"
    image = {"type": "container", "bom-ref": purl, "name": subject.repository, "purl": purl}
    parts = [*_system(contents.system), *(_debian(one, contents.system) for one in contents.packages)]
    parts += [_crate(one, contents.told_by) for one in contents.crates]
    unique = {one["bom-ref"]: one for one in parts}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_SPACE, subject.digest)}",
        "version": 1,
        "metadata": {
            **({"timestamp": subject.made} if subject.made else {}),
            "tools": {"components": [{"type": "application", "name": "layerdoit", "version": __version__}]},
            "component": {**image, "version": subject.version or subject.digest},
        },
        "components": list(unique.values()),
        "dependencies": [{"ref": purl, "dependsOn": sorted(unique)}],
    }


def _system(system: System) -> list[dict[str, Any]]:
    if not system.name:
        return []
    reference = f"system:{system.name}-{system.version}"
    found = {"type": "operating-system", "bom-ref": reference, "name": system.name}
    return [{**found, **({"version": system.version} if system.version else {})}]


def _debian(package: Debian, system: System) -> dict[str, Any]:
    vendor = system.name or "debian"
    asked = [f"arch={package.architecture}"] if package.architecture else []
    asked += [f"distro={vendor}-{system.version}"] if system.version else []
    version = quote(package.version, safe="~")
    purl = f"pkg:deb/{vendor}/{quote(package.name, safe='')}@{version}{'?' if asked else ''}{'&'.join(asked)}"
    return {"type": "library", "bom-ref": purl, "name": package.name, "version": package.version, "purl": purl}


def _crate(crate: Crate, told_by: str) -> dict[str, Any]:
    purl = f"pkg:cargo/{crate.name}@{quote(crate.version, safe='')}"
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl if crate.source == "registry" else f"{purl}#{crate.source}",
        "name": crate.name,
        "version": crate.version,
        "purl": purl,
        "scope": "excluded" if crate.build_only else "required",
    }
    if crate.checksum:
        found["hashes"] = [{"alg": "SHA-256", "content": crate.checksum}]
    told = [("layerdoit:source", crate.source), ("layerdoit:told_by", told_by)]
    found["properties"] = [{"name": name, "value": value} for name, value in told if value]
    return found
