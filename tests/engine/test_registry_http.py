"""The registry's API on a real registry: by HTTP, and with TLS and a login under a name and certificate of its own."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from layerdoit.engine import registry_access
from layerdoit.engine.registry_access import RegistryError
from layerdoit.engine.registry_api import IMAGE, INDEX, RegistryApi
from tests.engine.registry_fixture import ROOT, Registry, served
from tests.engine.test_release_push import GUARDED, HASHED, PASSWORD, USER, Guarded

NAME = "registry.test"


def image(api: RegistryApi, word: str) -> dict[str, Any]:
    """An image of one layer, without a tag; as an index lists it."""
    listed = [
        {"mediaType": media_type, "digest": api.put_blob(content), "size": len(content)}
        for media_type, content in (
            ("application/vnd.oci.image.config.v1+json", json.dumps({"config": {"Labels": {"word": word}}}).encode()),
            ("application/vnd.oci.image.layer.v1.tar", word.encode() * 1000),
        )
    ]
    content = json.dumps({"schemaVersion": 2, "mediaType": IMAGE, "config": listed[0], "layers": listed[1:]}).encode()
    digest = api.put_manifest(f"one-{word}", IMAGE, content)
    return {"mediaType": IMAGE, "digest": digest, "size": len(content)}


def held(api: RegistryApi) -> None:
    """All of the API, on an empty repository."""
    assert api.tags() == ()
    children = [image(api, word) for word in ("a", "b")]
    whole = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).encode()
    digest = api.put_manifest("both", INDEX, whole)
    assert api.tags() == ("both", "one-a", "one-b")
    found = api.manifest("both")
    assert found is not None
    assert (found.digest, found.is_index, found.content) == (digest, True, whole)
    assert api.digest("both") == digest
    part = api.manifest(children[0]["digest"])
    assert part is not None
    assert part.config is not None
    assert json.loads(api.blob(part.config.digest))["config"]["Labels"] == {"word": "a"}
    assert api.referrers(digest) == ()
    api.put_manifest(digest.replace(":", "-"), INDEX, whole)
    assert [one.digest for one in api.referrers(digest)] == [one["digest"] for one in children]
    other = RegistryApi.of(f"{api.repository}-other")
    assert other.mount(part.config.digest, api.repository)
    assert other.has_blob(part.config.digest)
    assert (api.manifest("none"), api.digest("none"), other.tags()) == (None, "", ())


def test_by_http(registry: Registry) -> None:
    api = RegistryApi.of(f"{registry.address}/lt-api/shop")
    held(api)
    with pytest.raises(RegistryError) as refused:
        api.delete(api.digest("both"))
    assert refused.value.refusal.kind == "unchangeable"
    assert "storage.delete.enabled" in str(refused.value.hint)


@pytest.fixture(scope="module")
def guarded(docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One under a name: 127.0.0.1 itself is never asked for a certificate that fits."""
    found = subprocess.run([ROOT / "scripts/ensure-registry"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip() or "no image registry to test with")
    folder = tmp_path_factory.mktemp("guarded")
    words = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={NAME} -addext subjectAltName=DNS:{NAME}".split()
    paths = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(["openssl", *words, *paths], check=True, capture_output=True)
    (folder / "htpasswd").write_text(f"{USER}:{HASHED}\n")
    with served(found.stdout.strip(), GUARDED.format(folder=folder), "https") as address:
        yield Guarded(address.replace("127.0.0.1", NAME), folder)


@pytest.fixture
def own_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This process alone finds the name on the loopback address."""
    really = socket.getaddrinfo

    def found(host: Any, *words: Any, **named: Any) -> Any:
        return really("127.0.0.1" if host == NAME else host, *words, **named)

    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setenv("no_proxy", NAME)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setattr(registry_access, "_known", {})


@pytest.mark.parametrize("given", ["certs.d", "SSL_CERT_FILE"])
def test_with_tls_and_a_login(
    guarded: Guarded, own_name: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    api = RegistryApi.of(f"{guarded.address}/team/{given.lower().replace('.', '-')}")
    # The engine takes any certificate of 127.0.0.0/8; here it is to be asked for one.
    monkeypatch.setattr(registry_access, "_takes_insecure", lambda _: False)
    with pytest.raises(RegistryError) as refused:
        api.tags()
    assert refused.value.refusal.kind == "ca"
    assert f"/etc/docker/certs.d/{guarded.address}/ca.crt" in str(refused.value.hint)
    if given == "certs.d":
        (tmp_path / guarded.address).mkdir()
        (tmp_path / guarded.address / "ca.crt").write_bytes((guarded.logins / "cert.pem").read_bytes())
        monkeypatch.setattr(registry_access, "_CERTIFICATES", tmp_path)
    else:
        monkeypatch.setenv("SSL_CERT_FILE", str(guarded.logins / "cert.pem"))
    with pytest.raises(RegistryError) as refused:
        api.tags()
    assert refused.value.refusal.kind == "login"
    (tmp_path / "config.json").write_text(json.dumps({"auths": {guarded.address: {"auth": auth(PASSWORD)}}}))
    held(api)
    (tmp_path / "config.json").write_text(json.dumps({"auths": {guarded.address: {"auth": auth("wrong")}}}))
    monkeypatch.setattr(registry_access, "_known", {})
    with pytest.raises(RegistryError) as refused:
        RegistryApi.of(api.repository).tags()
    assert refused.value.refusal.kind == "login"


def test_what_the_engine_takes_without_a_look_is_taken(guarded: Guarded, own_name: None) -> None:
    """Its range 127.0.0.0/8 is that of the name, too."""
    with pytest.raises(RegistryError) as refused:
        RegistryApi.of(f"{guarded.address}/team/any").tags()
    assert refused.value.refusal.kind == "login"


def auth(password: str) -> str:
    return base64.b64encode(f"{USER}:{password}".encode()).decode()
