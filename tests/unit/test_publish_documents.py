"""What an image consists of, and the documents that say so, held against their published schemas."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from layerdoit.layers.key import Spec
from layerdoit.layers.plan import up_to_date
from layerdoit.project.project import Project
from layerdoit.publish import bom, image_contents, provenance
from layerdoit.publish.bom import Subject
from layerdoit.publish.image_contents import Contents, Crate, Debian, System
from tests.support.files import write

SUBJECT = Subject(
    "registry.example.com:5000/team/shop", f"sha256:{'a' * 64}", "linux/arm/v7", "1.2.0", "2026-01-31T12:00:00Z"
)
STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.41-12+deb13u1
Description: a library
 Package: not this

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1.0

Package: tzdata
Status: install ok installed
Architecture: all
Version: 1:2025b-4
"""


def test_packages_are_those_that_are_installed() -> None:
    found = list(image_contents.packages_of(STATUS))
    assert found == [Debian("libc6", "2.41-12+deb13u1", "amd64"), Debian("tzdata", "1:2025b-4", "all")]
    # As images without dpkg have it: a file for each.
    assert list(image_contents.packages_of("Package: base-files\nVersion: 13\n")) == [Debian("base-files", "13", "")]
    assert list(image_contents.packages_of("")) == []


def test_a_system_is_called_as_it_calls_itself() -> None:
    assert image_contents.system_of('NAME="Debian"\nID=debian\nVERSION_ID="13"\n') == System("debian", "13")
    assert image_contents.system_of("") == System()


def elf(content: bytes, *, wide: bool) -> bytes:
    """An ELF file of one section with what cargo auditable writes."""
    names, start = b"\0.dep-v0\0.shstrtab\0", 64
    table = start + len(content) + len(names)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    address = struct.Struct("<QQQ" if wide else "<III")
    head = ident + struct.pack("<HHI", 3, 62, 1) + address.pack(0, 0, table)
    size = 64 if wide else 40
    head += struct.pack("<IHHHHHH", 0, 64 if wide else 52, 0, 0, size, 3, 2)
    form = "<IIQQQQIIQQ" if wide else "<IIIIIIIIII"
    sections = [(0,) * 10, (1, 1, 0, 0, start, len(content), 0, 0, 1, 0)]
    sections.append((9, 3, 0, 0, start + len(content), len(names), 0, 0, 1, 0))
    return head.ljust(start, b"\0") + content + names + b"".join(struct.pack(form, *one) for one in sections)


def test_a_program_that_lists_its_crates_is_believed() -> None:
    told = {
        "packages": [
            {"name": "itoa", "version": "1.0.19", "source": "crates.io"},
            {"name": "cc", "version": "1.2.0", "source": "crates.io", "kind": "build"},
            {"name": "app", "version": "0.1.0", "source": "local", "root": True},
        ]
    }
    packed = zlib.compress(json.dumps(told).encode())
    for wide in (True, False):
        found = image_contents.audit_data(elf(packed, wide=wide))
        assert found == told
    assert list(image_contents.crates_of_audit(told)) == [
        Crate("itoa", "1.0.19", "registry"),
        Crate("cc", "1.2.0", "registry", build_only=True),
        Crate("app", "0.1.0", "local"),
    ]
    damaged = elf(packed, wide=True)
    for data in (b"", b"#!/bin/sh\n", b"\x7fELF", damaged[:90], damaged[:-70], elf(b"no zlib", wide=True)):
        assert image_contents.audit_data(data) is None


def test_the_bill_of_materials_is_as_the_schema_says_and_the_same_each_time() -> None:
    packages = tuple(image_contents.packages_of(STATUS))
    crates = (
        Crate("itoa", "1.0.19", "registry", "b" * 64),
        Crate("own", "0.1.0+x", "local"),
        Crate("cc", "1.2.0", "git", build_only=True),
    )
    contents = Contents(System("debian", "13"), packages, crates, "Cargo.lock")
    document = bom.document(SUBJECT, contents)
    text = json.dumps(document)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert json.dumps(bom.document(SUBJECT, contents)) == text
    names = [one.get("purl") for one in document["components"]]
    assert names == [
        None,
        "pkg:deb/debian/libc6@2.41-12%2Bdeb13u1?arch=amd64&distro=debian-13",
        "pkg:deb/debian/tzdata@1%3A2025b-4?arch=all&distro=debian-13",
        "pkg:cargo/itoa@1.0.19",
        "pkg:cargo/own@0.1.0%2Bx",
        "pkg:cargo/cc@1.2.0",
    ]
    bare = bom.document(SUBJECT._replace(made="", version=""), Contents(System(), (), (), ""))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bare)) is None


def test_provenance_says_what_went_in(tmp_path: Path) -> None:
    write(tmp_path, {"layerdoit.yaml": "project: shop\nbuild: {binary: out}\nprofile: release\n", "Cargo.lock": "x"})
    project = Project.open(tmp_path, {})
    plan = up_to_date([Spec("runtime", {"os": "debian trixie"}, "shop"), Spec("app", {"sources": "x"}, "shop")])
    environment = {"GITHUB_SERVER_URL": "https://ci.example", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7"}
    found = provenance.predicate(project, plan, SUBJECT, "c" * 40, "default", environment, dirty=True)
    definition, run = found["buildDefinition"], found["runDetails"]
    assert definition["externalParameters"]["differsFromCommit"] is True
    assert definition["externalParameters"]["version"] == "1.2.0"
    assert definition["internalParameters"]["keys"] == {step.spec.layer: step.spec.key for step in plan.steps}
    assert definition["internalParameters"]["inputs"] == {"runtime": {"os": "debian trixie"}}
    assert [one["uri"] for one in definition["resolvedDependencies"]] == [
        f"git+shop@{'c' * 40}",
        "Cargo.lock",
        "layerdoit.yaml",
    ]
    assert run["metadata"]["invocationId"] == "https://ci.example/a/b/actions/runs/7"
    whole = provenance.statement(SUBJECT, found)
    assert whole["subject"] == [{"name": SUBJECT.repository, "digest": {"sha256": "a" * 64}}]
    assert whole["_type"] == "https://in-toto.io/Statement/v1"
