"""What stands beside a published image, asked for by the programs of others: cosign, oras, cargo auditable."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from layerdoit.core.errors import ConfigError, PublishError
from layerdoit.flows.attaching import Beside
from layerdoit.flows.publishing import Wish
from layerdoit.publish import bom, provenance
from tests.engine.published_fixture import Published
from tests.engine.registry_fixture import ROOT, Registry
from tests.support.checkout import Checkout
from tests.support.files import write

PASSWORD = "hunter2word"


def program(name: str) -> str:
    """Where a program of others is; the test is skipped where it cannot be had."""
    found = subprocess.run([ROOT / "scripts/ensure-program", name], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip())
    return found.stdout.strip()


def called(*words: str, **how: Any) -> str:
    done: subprocess.CompletedProcess[str] = subprocess.run(words, capture_output=True, text=True, check=False, **how)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def one(checkout: Callable[..., Checkout], registry: Registry) -> Published:
    return Published(checkout({}), f"{registry.address}/team/{uuid.uuid4().hex[:8]}")


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key of cosign, with which it is on PATH."""
    cosign = program("cosign")
    monkeypatch.setenv("COSIGN_PASSWORD", PASSWORD)
    monkeypatch.setenv("PATH", f"{Path(cosign).parent}{os.pathsep}{os.environ['PATH']}")
    called(cosign, "generate-key-pair", cwd=tmp_path)
    return tmp_path / "cosign.key"


def document(one: Published, kind: str) -> Any:
    """What oras finds beside the image."""
    oras, image = program("oras"), f"{one.repository}:1.0.0"
    listed = json.loads(called(oras, "discover", "--plain-http", "--format", "json", image))["manifests"]
    (found,) = [entry for entry in listed if entry["artifactType"] == kind]
    manifest = json.loads(called(oras, "manifest", "fetch", "--plain-http", found["reference"]))
    blob = f"{one.repository}@{manifest['layers'][0]['digest']}"
    return json.loads(called(oras, "blob", "fetch", "--plain-http", "--output", "-", blob))


def test_documents_and_a_signature_are_beside_an_image_whose_digest_stays(
    one: Published, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one.publish(VERSION="1.0.0")
    before = one.tags()
    wish = Wish(beside=Beside(sbom=True, provenance=True, sign=str(key)))
    one.publish(wish, VERSION="1.0.0")
    assert one.tags() == before
    assert "bill of materials (linux/amd64), provenance (linux/amd64), signature" in capsys.readouterr().out

    bill = document(one, bom.MEDIA_TYPE)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
    assert {"libc6", "debian"} <= {part["name"] for part in bill["components"]}
    statement = document(one, provenance.MEDIA_TYPE)
    assert statement["subject"][0]["digest"]["sha256"] == before["1.0.0"].removeprefix("sha256:")
    head = one.one.git("rev-parse", "HEAD").strip()
    assert {"gitCommit": head} in [
        made["digest"] for made in statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    ]

    how = ["--key", str(key.with_suffix(".pub")), "--insecure-ignore-tlog=true", "--allow-http-registry"]
    cosign, image = program("cosign"), f"{one.repository}@{before['1.0.0']}"
    called(cosign, "verify", *how, image)
    for kind in ("cyclonedx", "slsaprovenance1"):
        signed = json.loads(called(cosign, "verify-attestation", "--type", kind, *how, image).splitlines()[0])
        assert json.loads(base64.b64decode(signed["payload"]))["subject"][0]["digest"]

    there = set(one.api.tags())
    one.publish(wish, VERSION="1.0.0")
    assert "publish nothing to do" in capsys.readouterr().out
    assert set(one.api.tags()) == there


def test_what_cannot_be_signed_gets_no_tag(one: Published, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wish = Wish(beside=Beside(sign=str(key)))
    monkeypatch.setenv("COSIGN_PASSWORD", "another")
    with pytest.raises(PublishError, match="cosign did not sign") as caught:
        one.publish(wish, VERSION="1.0.0")
    assert "COSIGN_PASSWORD" in str(caught.value.hint)
    assert PASSWORD not in str(caught.value)
    assert one.tags() == {}
    monkeypatch.setenv("COSIGN_PASSWORD", PASSWORD)
    one.publish(wish, VERSION="1.0.0")
    assert set(one.tags()) == {"1.0.0", "1.0", "latest"}


def test_without_cosign_or_a_key_nothing_is_built(one: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = one.one.root / "bin"
    bare.mkdir()
    for name in ("docker", "git"):
        (bare / name).symlink_to(str(shutil.which(name)))
    one.commit()
    monkeypatch.setenv("PATH", str(bare))
    with pytest.raises(ConfigError, match="needs the program cosign"):
        one.publish(Wish(beside=Beside(sign="x.key")), VERSION="1.0.0")
    (bare / "cosign").symlink_to("/bin/true")
    one.commit()
    one.configure(publish={"repository": one.repository, "sign": "x.key"})
    with pytest.raises(ConfigError, match=r"no key .*/x\.key") as caught:
        one.publish(VERSION="1.0.0")
    assert str(caught.value.where).startswith("layerdoit.yaml:")
    assert one.one.session().plan.changes, "nothing was built"


def test_a_program_that_was_built_with_cargo_auditable_lists_its_crates(one: Published, tmp_path: Path) -> None:
    auditable, cargo = program("cargo-auditable"), shutil.which("cargo")
    if cargo is None:
        pytest.skip("no cargo")
    write(
        tmp_path,
        {
            "Cargo.toml": '[package]\nname = "app"\nversion = "0.3.0"\nedition = "2021"\n'
            '[dependencies]\nhelper = { path = "helper" }\n',
            "src/main.rs": "fn main() { helper::say() }\n",
            "helper/Cargo.toml": '[package]\nname = "helper"\nversion = "0.7.1"\nedition = "2021"\n',
            "helper/src/lib.rs": 'pub fn say() { println!("0.3.0") }\n',
        },
    )
    called(auditable, "auditable", "build", "--offline", cwd=tmp_path)
    shutil.copy(tmp_path / "target/debug/app", one.one.root / "out/server")
    one.publish(Wish(beside=Beside(sbom=True)), VERSION="0.3.0")
    beside = one.api.referrers(one.tags()["0.3.0"])
    found = one.api.manifest(beside[0].digest)
    assert found is not None
    bill = json.loads(one.api.blob(found.blobs[1].digest))
    crates = {
        part["name"]: part["version"] for part in bill["components"] if part.get("purl", "").startswith("pkg:cargo/")
    }
    assert crates == {"app": "0.3.0", "helper": "0.7.1"}
