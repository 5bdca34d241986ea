"""The registry's API, on a registry in memory: pages, tokens, refusals, answers that never come."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layerdoit.core.errors import EngineError
from layerdoit.engine import registry_access
from layerdoit.engine.registry_access import RegistryError
from layerdoit.engine.registry_api import IMAGE, INDEX, RegistryApi
from tests.support.small_registry import SmallRegistry, digest_of, serving

LOGIN = f"Basic {base64.b64encode(b'builder:hunter2word').decode()}"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallRegistry]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving() as one:
        yield one


@pytest.fixture
def api(small: SmallRegistry) -> RegistryApi:
    return RegistryApi.of(small.repository)


def log_in(folder: Path, address: str) -> None:
    (folder / "config.json").write_text(json.dumps({"auths": {address: {"auth": LOGIN.removeprefix("Basic ")}}}))


def test_what_is_put_is_there(small: SmallRegistry, api: RegistryApi) -> None:
    assert api.tags() == ()
    config = api.put_blob(b"{}")
    content = json.dumps({"config": {"digest": config, "size": 2, "mediaType": "x"}, "layers": []}).encode()
    digest = api.put_manifest("v1", IMAGE, content)
    assert digest == digest_of(content)
    found = api.manifest("v1")
    assert found is not None
    assert (found.digest, found.media_type, found.content, found.size) == (digest, IMAGE, content, len(content))
    assert (found.is_index, [one.digest for one in found.blobs]) == (False, [config])
    assert (api.tags(), api.digest("v1"), api.digest("v2"), api.manifest("v2")) == (("v1",), digest, "", None)
    assert api.blob(config) == b"{}"
    asked = len(small.asked)
    assert api.put_blob(b"{}") == config
    assert len(small.asked) == asked + 1, "what is there is sent no more"
    assert api.delete(digest)
    assert not api.delete(digest)
    assert api.tags() == ()


def test_a_blob_is_taken_over_from_another_repository(small: SmallRegistry, api: RegistryApi) -> None:
    small.blobs[digest_of(b"layer")] = b"layer"
    assert api.mount(digest_of(b"layer"), small.repository)
    assert not api.mount(digest_of(b"none"), small.repository)
    assert small.asked[-1].startswith("DELETE"), "an upload that nobody ends is given up"


def test_tags_come_in_pages(small: SmallRegistry, api: RegistryApi) -> None:
    small.page = 2
    for number in range(5):
        small.image(f"v{number}")
    assert api.tags() == ("v0", "v1", "v2", "v3", "v4")
    assert len([line for line in small.asked if "tags" in line]) == 3


def test_a_repository_that_is_not_there_has_no_tags(small: SmallRegistry) -> None:
    assert RegistryApi.of(f"{small.address}/team/none").tags() == ()


@pytest.mark.parametrize("own", [True, False], ids=["by the API", "by the tag"])
def test_what_refers_to_an_image(small: SmallRegistry, api: RegistryApi, own: bool) -> None:
    image = small.image("v1")
    sbom = small.image(subject={"digest": image}, artifactType="application/spdx+json")
    small.referrers = own
    if not own:
        assert api.referrers(image) == ()
        small.index(image.replace(":", "-"), children=[sbom])
    assert [one.digest for one in api.referrers(image)] == [sbom]
    described = api.manifest(sbom)
    assert described is not None
    assert described.subject == image


def test_an_index_lists_its_platforms(small: SmallRegistry, api: RegistryApi) -> None:
    listed = {"digest": f"sha256:{'1' * 64}", "mediaType": IMAGE, "size": 3}
    listed |= {"platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}}
    small.put(INDEX, json.dumps({"manifests": [listed]}).encode(), "v1")
    found = api.manifest("v1")
    assert found is not None
    assert found.is_index
    assert [(one.digest, one.platform) for one in found.children] == [(listed["digest"], "linux/arm64")]


# --- logins ----------------------------------------------------------------------------------------------------------


def test_a_login_is_shown_when_it_is_asked_for(small: SmallRegistry, api: RegistryApi, tmp_path: Path) -> None:
    small.login = LOGIN
    with pytest.raises(RegistryError) as refused:
        api.tags()
    assert refused.value.refusal.kind == "login"
    assert refused.value.hint == f"run docker login {small.address}"
    log_in(tmp_path, small.address)
    assert api.tags() == ()
    small.login = "Basic other"
    with pytest.raises(RegistryError, match="401"):
        api.tags()


def test_tokens_are_had_as_the_user_and_again_when_they_expire(
    small: SmallRegistry, api: RegistryApi, tmp_path: Path
) -> None:
    small.wants_token, small.login, small.uses = True, LOGIN, 2
    log_in(tmp_path, small.address)
    small.image("v1")
    for _ in range(6):
        assert api.tags() == ("v1",)
    assert small.asked.count("GET /token") == 3, "one for two requests each"
    small.uses = 0
    with pytest.raises(RegistryError) as refused:
        api.tags()
    assert refused.value.refusal.kind == "login"


def test_a_refused_token_is_a_refused_login(small: SmallRegistry, api: RegistryApi) -> None:
    small.wants_token, small.login = True, LOGIN
    with pytest.raises(RegistryError) as refused:
        api.tags()
    assert (refused.value.refusal.kind, refused.value.hint) == ("login", f"run docker login {small.address}")


def test_a_login_comes_from_a_helper(
    small: SmallRegistry, api: RegistryApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.login = LOGIN
    helper = tmp_path / "docker-credential-mine"
    helper.write_text('#!/bin/sh\necho \'{"Username": "builder", "Secret": "hunter2word"}\'\n')
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {small.address: "mine"}}))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert api.tags() == ()


def test_a_helper_that_is_not_there_is_one_message(small: SmallRegistry, api: RegistryApi, tmp_path: Path) -> None:
    small.login = LOGIN
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "gone"}))
    with pytest.raises(EngineError, match=r"docker's login for .* cannot be read") as refused:
        api.tags()
    assert "credsStore" in str(refused.value.hint)


# --- refusals --------------------------------------------------------------------------------------------------------

REFUSALS = [
    ("tags", "/tags/", (403, "DENIED"), "rights", "who may pull "),
    ("tags", "/tags/", (429, "TOOMANYREQUESTS"), "quota", "the registry's limit"),
    ("tags", "/tags/", (503, "UNAVAILABLE"), "broken", "itself failed"),
    ("tags", "/tags/", "close", "silent", "look at the network"),
    ("tags", "/tags/", "hang", "silent", "look at the network"),
    ("delete", "^DELETE", (405, "UNSUPPORTED"), "unchangeable", "storage.delete.enabled"),
    ("delete", "^DELETE", (403, "DENIED"), "rights", "who may delete in "),
    ("put", "^PUT", (405, ""), "unchangeable", "read-only"),
    ("put", "^PUT", (507, ""), "quota", "free some space"),
    ("put", "^PUT", (413, ""), "quota", "free some space"),
]


@pytest.mark.parametrize(("act", "where", "fault", "kind", "advice"), REFUSALS)
def test_a_refusal_says_what_and_what_next(
    small: SmallRegistry,
    api: RegistryApi,
    monkeypatch: pytest.MonkeyPatch,
    act: str,
    where: str,
    fault: object,
    kind: str,
    advice: str,
) -> None:
    monkeypatch.setattr(registry_access, "TIMEOUT", (1.0, 0.3))
    digest = small.image("v1")
    small.faults[where] = fault
    acts: dict[str, Callable[[], object]] = {
        "tags": api.tags,
        "delete": lambda: api.delete(digest),
        "put": lambda: api.put_manifest("v2", IMAGE, b"{}"),
    }
    with pytest.raises(RegistryError) as refused:
        acts[act]()
    assert refused.value.refusal.kind == kind
    assert advice in str(refused.value.hint)
    assert "\n" not in refused.value.what
    assert small.repository in refused.value.what


@pytest.mark.parametrize(
    ("host", "kind"), [("127.0.0.1:9", "refused"), ("registry.invalid", "name"), ("localhost:9", "refused")]
)
def test_a_registry_that_is_not_there(host: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RegistryError, match="the registry cannot be reached") as refused:
        RegistryApi.of(f"{host}/team/shop").tags()
    assert refused.value.refusal.kind == kind


def test_something_that_accepts_and_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_access, "TIMEOUT", (0.3, 0.3))
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(RegistryError, match="timed out") as refused:
        RegistryApi.of(f"127.0.0.1:{server.getsockname()[1]}/team/shop").tags()
    assert refused.value.refusal.kind == "silent"


def test_other_bytes_than_the_digest_says_are_not_taken(small: SmallRegistry, api: RegistryApi) -> None:
    digest = small.image("v1")
    small.manifests[digest] = (IMAGE, b"{}")
    with pytest.raises(RegistryError, match="another manifest"):
        api.manifest(digest)
    small.blobs[digest_of(b"a")] = b"b"
    with pytest.raises(RegistryError, match="other bytes"):
        api.blob(digest_of(b"a"))


def test_files_are_sent_and_fetched_part_by_part(small: SmallRegistry, api: RegistryApi, tmp_path: Path) -> None:
    content = bytes(range(250)) * 14_000
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(content)
    digest = api.put_file(sent)
    assert digest == digest_of(content)
    api.fetch(digest, got)
    assert got.read_bytes() == content
    small.asked.clear()
    assert api.put_file(sent) == digest
    assert small.asked == [f"HEAD /v2/team/shop/blobs/{digest}"], "what is there is not sent again"


def test_a_file_is_sent_again_from_its_beginning_where_a_token_expired(
    small: SmallRegistry, api: RegistryApi, tmp_path: Path
) -> None:
    small.wants_token, small.uses = True, 1
    file = tmp_path / "file"
    file.write_bytes(b"content" * 1000)
    # Each token is good for one request: that of POST is not for PUT.
    digest = api.put_file(file)
    assert small.blobs[digest] == file.read_bytes()
    assert small.asked.count("PUT /v2/team/shop/blobs/uploads/1") == 2


def test_a_file_of_other_bytes_does_not_stay(small: SmallRegistry, api: RegistryApi, tmp_path: Path) -> None:
    small.blobs[digest_of(b"a")] = b"b"
    with pytest.raises(RegistryError, match="the registry gave other bytes"):
        api.fetch(digest_of(b"a"), tmp_path / "got")
    assert not (tmp_path / "got").exists()
    with pytest.raises(RegistryError, match="blob unknown"):
        api.fetch(digest_of(b"c"), tmp_path / "got")


def test_what_is_no_registry_is_said(small: SmallRegistry, api: RegistryApi) -> None:
    small.faults["/tags/"] = b"<html>"
    with pytest.raises(RegistryError, match="no registry"):
        api.tags()


@pytest.mark.parametrize(
    ("repository", "host", "name"),
    [
        ("registry.example.com/team/shop", "registry.example.com", "team/shop"),
        ("localhost/shop", "localhost", "shop"),
        ("registry.example.com:5000/shop", "registry.example.com:5000", "shop"),
        ("team/shop", "docker.io", "team/shop"),
        ("docker.io/shop", "docker.io", "library/shop"),
    ],
)
def test_names(repository: str, host: str, name: str) -> None:
    api = RegistryApi.of(repository)
    assert (api.host, api._name) == (host, name)
