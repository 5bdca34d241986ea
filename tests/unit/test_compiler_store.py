"""What a cook gets of the store that compilers share, and what doctor says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from layerdoit import config
from layerdoit.build import compiler_store
from layerdoit.build.host_secrets import Secrets
from layerdoit.core.errors import ConfigError
from layerdoit.core.masking import redact
from layerdoit.doctor import store_checks
from layerdoit.doctor.finding import Finding
from layerdoit.doctor.store_facts import Store

NOTHING = Secrets({}, {"proxy": "p"}, {}, ssh=False, public=frozenset({"ca"}))


def handed(root: Path, section: str, environment: dict[str, str]) -> Secrets:
    (root / "layerdoit.yaml").write_text(f"deps: {{sccache: {{{section}}}}}\n")
    return compiler_store.handed(config.load(root, variables={}), root, NOTHING, environment)


@pytest.mark.parametrize(
    ("section", "environment", "script"),
    [
        (
            "redis: 'redis://cache:6380/2', prefix: team",
            {"SCCACHE_REDIS_PASSWORD": "it's", "AWS_SECRET_ACCESS_KEY": "other"},
            (
                "# store: Redis\nexport SCCACHE_REDIS_ENDPOINT=redis://cache:6380\nexport SCCACHE_REDIS_DB=2\n"
                "export SCCACHE_REDIS_KEY_PREFIX=team\nexport SCCACHE_REDIS_PASSWORD='it'\"'\"'s'\n"
            ),
        ),
        (
            "s3: {bucket: b, region: eu-1, endpoint: 'http://s3.example.com/'}",
            {"AWS_ACCESS_KEY_ID": "idid", "AWS_SECRET_ACCESS_KEY": "keykey"},
            (
                "# store: S3\nexport SCCACHE_BUCKET=b\nexport SCCACHE_REGION=eu-1\n"
                "export SCCACHE_ENDPOINT=http://s3.example.com\nexport SCCACHE_S3_USE_SSL=false\n"
                "export AWS_ACCESS_KEY_ID=idid\nexport AWS_SECRET_ACCESS_KEY=keykey\n"
            ),
        ),
        (
            "webdav: 'https://cache.example.com/dav', prefix: /a",
            {},
            (
                "# store: WebDAV\nexport SCCACHE_WEBDAV_ENDPOINT=https://cache.example.com/dav\n"
                "export SCCACHE_WEBDAV_KEY_PREFIX=/a\n"
            ),
        ),
    ],
)
def test_what_sccache_is_told(tmp_path: Path, section: str, environment: dict[str, str], script: str) -> None:
    got = handed(tmp_path, section, environment)
    assert got.values == {"proxy": "p", "sccache": script}
    # Without a credential it is no secret: no mount, and BuildKit's own cache holds.
    assert ("sccache" in got.public) == (not environment)


def test_without_a_store_there_is_nothing(tmp_path: Path) -> None:
    assert compiler_store.handed(config.load(tmp_path, variables={}), tmp_path, NOTHING, {}) is NOTHING


def test_credentials_of_a_file_come_after_those_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "login").write_text("SCCACHE_WEBDAV_USERNAME=u\nSCCACHE_WEBDAV_TOKEN='of the file'\n")
    section = "webdav: 'http://cache', credentials: login"
    assert "SCCACHE_WEBDAV_TOKEN='of the file'" in handed(tmp_path, section, {}).values["sccache"]
    got = handed(tmp_path, section, {"SCCACHE_WEBDAV_TOKEN": "of-the-host"}).values["sccache"]
    assert "SCCACHE_WEBDAV_TOKEN=of-the-host" in got
    assert "SCCACHE_WEBDAV_USERNAME=u" in got
    assert redact("of the file, of-the-host") == "***, ***"


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        (None, "layerdoit.yaml:1", 'deps.sccache.credentials: "login" cannot be read: No such file'),
        ("no line", "login:1", "this is no line NAME=value"),
        (
            "AWS_ACCESS_KEY_ID=a",
            "layerdoit.yaml:1",
            "login sets AWS_ACCESS_KEY_ID, which a Redis server does not ask for",
        ),
    ],
)
def test_a_file_of_credentials_that_is_none(tmp_path: Path, text: str | None, where: str, said: str) -> None:
    if text is not None:
        (tmp_path / "login").write_text(text)
    with pytest.raises(ConfigError) as raised:
        handed(tmp_path, "redis: 'redis://cache', credentials: login", {})
    assert said in str(raised.value)
    assert raised.value.where == where


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "layerdoit.yaml").write_text("deps:\n  sccache:\n    redis: redis://cache\n    program: bin/sccache\n")
    loaded = config.load(tmp_path, variables={})
    with pytest.raises(ConfigError, match='there is no file "bin/sccache"') as raised:
        compiler_store.program(loaded, tmp_path)
    assert raised.value.where == "layerdoit.yaml:4"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sccache").write_text("x")
    compiler_store.place(loaded, tmp_path, tmp_path / "control")
    assert (tmp_path / "control/sccache-program").read_text() == "x"


@pytest.mark.parametrize(
    ("store", "ids"),
    [
        ({"answer": "ok"}, []),
        ({"answer": "away", "words": "Connection refused"}, ["sccache-away"]),
        ({"answer": "refused", "words": "WRONGPASS"}, ["sccache-refused"]),
        ({"answer": "ok", "loopback": True}, ["sccache-loopback"]),
        ({"answer": "ok", "program": "/usr/bin/sccache", "lacks": "Redis"}, ["sccache-program"]),
    ],
)
def test_what_doctor_says(store: dict[str, Any], ids: list[str]) -> None:
    found = list(store_checks.check(Store("redis://cache", **store), "layerdoit.yaml:3"))
    assert [item.id for item in found if isinstance(item, Finding)] == ids
