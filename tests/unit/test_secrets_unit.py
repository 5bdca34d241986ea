"""What of the host's cargo reaches a build, in which form, and what is masked from then on."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from layerdoit.build import host_secrets
from layerdoit.core import masking
from layerdoit.core.errors import ConfigError


@pytest.fixture(autouse=True)
def no_secrets_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is masked for what another test registered, and this machine's own certificates do not count."""
    monkeypatch.setattr(masking, "_secrets", [])
    monkeypatch.setattr(host_secrets, "_SYSTEM_BUNDLES", ())


def gathered(home: Path, project: Mapping[str, Any] | None = None, /, **environment: str) -> host_secrets.Secrets:
    return host_secrets.collect({"CARGO_HOME": str(home), **environment}, project)


def config(found: host_secrets.Secrets) -> dict[str, Any]:
    return tomllib.loads(found.values.get("cargo-config", ""))


def credentials(found: host_secrets.Secrets) -> dict[str, Any]:
    return tomllib.loads(found.values.get("cargo-credentials", ""))


def test_a_host_without_anything_gives_nothing(tmp_path: Path) -> None:
    assert gathered(tmp_path) == host_secrets.Secrets({}, {}, {}, False)


def test_only_tables_that_say_where_crates_come_from_pass(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        """
        paths = ["/home/me/x"]
        [build]
        rustflags = ["-Ctarget-cpu=native"]
        jobs = 1
        [profile.release]
        lto = true
        [target.x86_64-unknown-linux-gnu]
        linker = "/opt/ld"
        [alias]
        b = "build"
        [env]
        X = "1"
        [http]
        cainfo = "ca.pem"
        multiplexing = false
        [net]
        offline = true
        git-fetch-with-cli = true
        retry = 5
        [registry]
        default = "corp"
        global-credential-providers = ["cargo:libsecret"]
        [registries.corp]
        index = "sparse+https://corp.example/"
        token = "tok-in-config"
        credential-provider = ["cargo-credential-corp"]
        [credential-alias]
        corp = ["/opt/credential"]
        [source.crates-io]
        replace-with = "corp"
        """
    )
    (tmp_path.parent / "ca.pem").write_text("certificates")
    found = gathered(tmp_path)
    assert config(found) == {
        "http": {"multiplexing": False},
        "net": {"retry": 5},
        "registry": {"default": "corp", "global-credential-providers": ["cargo:token"]},
        "registries": {"corp": {"index": "sparse+https://corp.example/"}},
        "source": {"crates-io": {"replace-with": "corp"}},
    }
    assert credentials(found) == {"registries": {"corp": {"token": "tok-in-config"}}}
    assert found.files == {"ca": tmp_path.parent / "ca.pem"}


def test_variables_outrank_files_and_know_the_registry_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[registries.My-Corp]\nindex = "sparse+https://a.example/"\n')
    (tmp_path / "credentials.toml").write_text(
        '[registry]\ntoken = "file-main"\n'
        '[registries.My-Corp]\ntoken = "file-corp"\n[registries.other]\ntoken = "kept"\n'
    )
    found = gathered(
        tmp_path,
        {"registries": {"in_project": {"index": "sparse+https://b.example/"}}, "source": {"x": {"directory": "y"}}},
        CARGO_REGISTRY_TOKEN="env-main",
        CARGO_REGISTRIES_MY_CORP_TOKEN="env-corp",
        CARGO_REGISTRIES_IN_PROJECT_TOKEN="env-project",
    )
    assert credentials(found) == {
        "registry": {"token": "env-main"},
        "registries": {
            "My-Corp": {"token": "env-corp"},
            "other": {"token": "kept"},
            "in_project": {"token": "env-project"},
        },
    }


def test_a_registry_that_only_variables_know_is_named_in_both_spellings(tmp_path: Path) -> None:
    index = "sparse+https://c.example/"
    found = gathered(tmp_path, CARGO_REGISTRIES_NEW_ONE_INDEX=index, CARGO_REGISTRIES_NEW_ONE_TOKEN="tok-new")
    assert config(found)["registries"] == {"new-one": {"index": index}, "new_one": {"index": index}}
    assert credentials(found) == {"registries": {"new-one": {"token": "tok-new"}, "new_one": {"token": "tok-new"}}}


def test_credentials_that_the_project_itself_holds_are_used_last(tmp_path: Path) -> None:
    (tmp_path / "credentials.toml").write_text('[registries.a]\ntoken = "mine"\n')
    found = gathered(tmp_path, {"registries": {"a": {"token": "theirs"}, "b": {"token": "theirs-b"}}})
    assert credentials(found)["registries"] == {"a": {"token": "mine"}, "b": {"token": "theirs-b"}}


def test_the_older_file_names_come_first_as_in_cargo(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text('[registries.a]\ntoken = "older"\n')
    (tmp_path / "credentials.toml").write_text('[registries.a]\ntoken = "newer"\n')
    assert credentials(gathered(tmp_path)) == {"registries": {"a": {"token": "older"}}}


def test_a_token_for_publishing_is_of_no_use_to_a_build(tmp_path: Path) -> None:
    (tmp_path / "credentials.toml").write_text('[registry]\ntoken = "mine"\n')
    assert gathered(tmp_path).values == {}
    mirrored = gathered(tmp_path, {"source": {"crates-io": {"replace-with": "mirror"}}})
    assert credentials(mirrored) == {"registry": {"token": "mine"}}


@pytest.mark.parametrize(
    ("config", "public"),
    [
        ('[net]\nretry = 5\n[registries.a]\nindex = "sparse+https://a.example/"\n', True),
        ('[registries.a]\nindex = "ssh://git@a.example/index"\n', True),
        ('[registries.a]\nindex = "sparse+https://me:pass@a.example/"\n', False),
        ('[source.a]\nregistry = "https://onlytoken@a.example/index"\n', False),
        ('[http]\nproxy = "me:pass@proxy.example:3128"\n', False),
        ('[registries.a]\nindex = "https://[me:pass@a.example"\n', False),
    ],
)
def test_a_configuration_with_a_login_is_a_secret(tmp_path: Path, config: str, public: bool) -> None:
    (tmp_path / "config.toml").write_text(config)
    found = gathered(tmp_path)
    assert ("cargo-config" in found.open(["ca", "cargo-config"])) == public
    assert "cargo-config" in found.values


def test_certificates_are_public_and_keys_are_not(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----")
    assert gathered(tmp_path, SSL_CERT_FILE=str(bundle)).open(["ca"]) == {"ca": bundle.read_bytes()}
    bundle.write_text("-----BEGIN CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----")
    found = gathered(tmp_path, SSL_CERT_FILE=str(bundle))
    assert found.open(["ca"]) == {}
    assert found.without(["ca"]).files == {}


def test_broken_files_are_one_error(tmp_path: Path) -> None:
    (tmp_path / "credentials.toml").write_text("[registry\n")
    with pytest.raises(ConfigError, match=r"credentials\.toml: this is not valid TOML"):
        gathered(tmp_path)


def test_everything_secret_is_masked(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        """
        [registries.corp]
        index = "sparse+https://someone:pass%2Fword@corp.example/index/"
        [registries.ssh]
        index = "ssh://gituser@git.example/index"
        [source.mirror]
        registry = "https://onlytoken@mirror.example/git/index"
        [http]
        proxy = "proxyman:proxypass@proxy.example:3128"
        """
    )
    (tmp_path / "credentials.toml").write_text('[registries.corp]\ntoken = "Bearer abc.def"\n')
    gathered(
        tmp_path,
        CARGO_REGISTRIES_CORP_TOKEN="env-token",
        HTTPS_PROXY="http://u:envproxypass@proxy.example:3128",
    )
    login = ("pass%2Fword", "pass/word", "onlytoken", "proxypass", "envproxypass")
    for planted in (*login, "abc.def", "env-token"):
        assert planted not in masking.redact(f"before {planted} after"), planted
    plain = "gituser at corp.example, mirror.example and proxy.example"
    assert masking.redact(plain) == plain


def test_a_proxy_with_a_login_is_a_secret_and_another_one_an_argument(tmp_path: Path) -> None:
    plain = {"HTTP_PROXY": "http://proxy.example:3128", "no_proxy": "localhost"}
    found = gathered(tmp_path, None, **plain)
    assert (found.args, dict(found.values)) == (plain, {})
    found = gathered(tmp_path, None, **plain, HTTPS_PROXY="http://me:it's@proxy.example:3128")
    assert found.args == plain
    assert found.values["proxy"].splitlines() == [
        "export HTTP_PROXY=http://proxy.example:3128",
        """export HTTPS_PROXY='http://me:it'"'"'s@proxy.example:3128'""",
        "export no_proxy=localhost",
    ]


@pytest.mark.parametrize("name", ["CARGO_HTTP_CAINFO", "SSL_CERT_FILE", "CURL_CA_BUNDLE"])
def test_the_certificates_that_the_environment_names(tmp_path: Path, name: str) -> None:
    bundle = tmp_path / "bundle.pem"
    with pytest.raises(ConfigError, match=f"{name} names .*, which is not a file"):
        gathered(tmp_path, None, **{name: str(bundle)})
    bundle.write_text("certificates")
    assert gathered(tmp_path, None, **{name: str(bundle)}).files == {"ca": bundle}
    bundle.write_bytes(b"x" * (host_secrets.MAX_SECRET + 1))
    with pytest.raises(ConfigError, match="larger than a build secret may be"):
        gathered(tmp_path, None, **{name: str(bundle)})


def test_without_a_name_the_system_s_certificates_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "system.pem"
    bundle.write_text("certificates")
    monkeypatch.setattr(host_secrets, "_SYSTEM_BUNDLES", (str(tmp_path / "none.pem"), str(bundle)))
    assert gathered(tmp_path).files == {"ca": bundle}


def test_an_agent_is_forwarded_only_if_it_is_there(tmp_path: Path) -> None:
    assert not gathered(tmp_path, SSH_AUTH_SOCK=str(tmp_path / "gone")).ssh


def test_the_project_s_own_certificates_come_before_the_host_s(tmp_path: Path) -> None:
    """As cargo has it: its variable, then the project's configuration, then the host's."""
    root = tmp_path / "repository/service"
    root.mkdir(parents=True)
    for path in (tmp_path / "repository/own.pem", tmp_path / "env.pem", tmp_path / "host.pem"):
        path.write_text("certificates")
    project = {"http": {"cainfo": "own.pem"}}
    host = {"HOME": str(tmp_path), "SSL_CERT_FILE": str(tmp_path / "host.pem")}
    assert host_secrets.collect(host, project, root=root).files == {"ca": tmp_path / "repository/own.pem"}
    variable = {**host, "CARGO_HTTP_CAINFO": str(tmp_path / "env.pem")}
    assert host_secrets.collect(variable, project, root=root).files == {"ca": tmp_path / "env.pem"}
    elsewhere = {"http": {"cainfo": "/in/the/builder/only.pem"}}
    assert host_secrets.collect(host, elsewhere, root=root).files == {"ca": tmp_path / "host.pem"}
