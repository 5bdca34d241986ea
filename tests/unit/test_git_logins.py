"""Which repositories get which login of this machine, in which form, and when git is not even asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.build import git_logins, host_secrets, secret_mounts
from layerdoit.core import masking
from layerdoit.core.resources import dockerfile_dir
from tests.support.git import commit_all

PRIVATE = "git+https://git.example.com/team/private.git?branch=x#5d9d53ec"
# Answers as git would; whoever asks is noted. `anyone`: what ls-remote may read without a login. What the rules say is
# git's own answer.
GIT = """\
#!{python}
import os, pathlib, sys
words = sys.argv[1:]
folder = pathlib.Path(__file__).parent
if "config" in words or "--get-url" in words:
    assert os.getcwd() == "/"
    with open(folder / "looked", "a") as looked:
        print(*words, file=looked)
    os.execv("{real}", ["git", *words])
with open(folder / "asked", "a") as asked:
    print(*words, file=asked)
if "ls-remote" in words:
    assert os.environ["HOME"] == os.environ["GIT_CONFIG_GLOBAL"] == os.devnull and "credential.helper=" in words
    sys.exit(0 if words[-2] in (folder / "anyone").read_text().split() else 128)
assert os.environ["GIT_TERMINAL_PROMPT"] == "0" and os.environ["GIT_ASKPASS"] == ""
wanted = sys.stdin.read().strip().removeprefix("url=")
for line in (folder / "logins").read_text().splitlines():
    place, user, password = line.split(" ")
    if wanted.startswith(place):
        print(f"protocol=https\\nusername={{user}}\\npassword={{password}}")
        sys.exit(0)
sys.exit(128)
"""


class Git:
    """A git on PATH that knows logins: `place user password`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "git").write_text(GIT.format(python=sys.executable, real=shutil.which("git")))
        (folder / "git").chmod(0o755)
        self.knows()

    def knows(self, *logins: str, anyone: str = "") -> None:
        (self.folder / "logins").write_text("".join(f"{login}\n" for login in logins))
        (self.folder / "anyone").write_text(anyone)

    def rewrites(self, *rules: tuple[str, str]) -> None:
        """Rules `plain, real` of the user."""
        (self.folder / "config").write_text(
            "".join(f'[url "{real}"]\n\tinsteadOf = "{plain}"\n' for plain, real in rules)
        )

    @property
    def asked(self) -> list[str]:
        return self._noted("asked")

    @property
    def looked(self) -> list[str]:
        """Questions about rules."""
        return self._noted("looked")

    def _noted(self, name: str) -> list[str]:
        noted = self.folder / name
        return noted.read_text().splitlines() if noted.exists() else []


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    monkeypatch.setattr(masking, "_secrets", [])
    monkeypatch.setattr(host_secrets, "_SYSTEM_BUNDLES", ())
    folder = tmp_path / "bin"
    folder.mkdir()
    found = Git(folder)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(folder / "config"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    return found


def handed(home: Path, *sources: str) -> str:
    """The configuration that a cook gets."""
    environment = {"HOME": str(home), "CARGO_HOME": str(home / "none")}
    return host_secrets.collect(environment, None, sources).values.get("git", "")


def test_git_is_not_asked_without_a_repository_over_http(tmp_path: Path, git: Git) -> None:
    crates, sparse = "registry+https://github.com/rust-lang/crates.io-index", "sparse+https://crates.example.com/"
    assert handed(tmp_path, "", crates, sparse, "git+file:///a#1") == ""
    assert handed(tmp_path) == ""
    assert git.looked == []
    assert handed(tmp_path, "git+ssh://git@git.example.com/a.git#1") == ""
    assert git.asked == []
    assert masking.redact("git@git.example.com") == "git@git.example.com"


def test_what_git_knows_is_the_host_s_login(tmp_path: Path, git: Git) -> None:
    git.knows("https://git.example.com/ me s3cr:t/@%")
    (tmp_path / ".netrc").write_text("machine git.example.com login other password netrc-token\n")
    found = handed(tmp_path, PRIVATE, PRIVATE, PRIVATE.replace("private", "second"))
    assert found == (
        '[url "https://me:s3cr%3At%2F%40%25@git.example.com/"]\n\tinsteadOf = "https://git.example.com/"\n'
    )
    # Each repository once, and whether a login is needed at all only for the first.
    assert [words.split()[-1] for words in git.asked] == ["fill", "HEAD", "fill"]


def test_netrc_is_read_where_git_knows_nothing(tmp_path: Path, git: Git) -> None:
    (tmp_path / ".netrc").write_text("machine git.example.com login ci password netrc-token\n")
    assert '"https://ci:netrc-token@git.example.com/"' in handed(tmp_path, PRIVATE)
    assert handed(tmp_path, "git+https://elsewhere.example.com/a#1") == ""
    assert handed(tmp_path, PRIVATE.replace("git.example.com", "somebody@git.example.com")) == ""
    (tmp_path / ".netrc").write_text("machine\n")
    assert handed(tmp_path, PRIVATE) == ""


def test_netrc_is_read_where_there_is_no_git(tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert handed(tmp_path, PRIVATE) == ""
    (tmp_path / "_netrc").write_text("machine git.example.com login ci password netrc-token\n")
    assert "netrc-token" in handed(tmp_path, PRIVATE)


def test_a_login_in_the_address_is_cargo_s_own(tmp_path: Path, git: Git) -> None:
    git.knows("https:// me other-token")
    assert handed(tmp_path, "git+https://u:own%2Ftoken@git.example.com/a.git#1") == ""
    assert git.asked == []
    assert masking.redact("own/token own%2Ftoken") == "*** ***"


def test_a_user_in_the_address_stays(tmp_path: Path, git: Git) -> None:
    git.knows("https://me@git.example.com/ me t0ken")
    assert handed(tmp_path, "git+https://me@git.example.com/a.git#1") == (
        '[url "https://me:t0ken@git.example.com/"]\n\tinsteadOf = "https://me@git.example.com/"\n'
    )


def test_what_everybody_may_read_needs_no_login(tmp_path: Path, git: Git) -> None:
    """A token for the whole of a host is nothing for the build scripts of who uses one open repository there."""
    git.knows("https://git.example.com/ me t0ken", anyone="https://git.example.com/open.git")
    assert handed(tmp_path, "git+https://git.example.com/open.git#1") == ""
    assert "t0ken" in handed(tmp_path, "git+https://git.example.com/open.git#1", PRIVATE)


def test_git_itself_says_what_everybody_may_read(tmp_path: Path) -> None:
    commit_all(tmp_path)
    assert git_logins._open(f"file://{tmp_path}", None)
    assert not git_logins._open(f"file://{tmp_path}/none", None)


def test_repositories_of_one_host_may_have_logins_of_their_own(tmp_path: Path, git: Git) -> None:
    git.knows("https://git.example.com/a a token-a", "https://git.example.com:8443/b c token-c", "https:// b token-b")
    found = handed(
        tmp_path,
        "git+https://git.example.com/a#1",
        "git+https://git.example.com/b#1",
        "git+https://git.example.com:8443/b#1",
    )
    assert found.splitlines() == [
        '[url "https://a:token-a@git.example.com/"]',
        '\tinsteadOf = "https://git.example.com/"',
        '[url "https://b:token-b@git.example.com/b"]',
        '\tinsteadOf = "https://git.example.com/b"',
        '[url "https://c:token-c@git.example.com:8443/"]',
        '\tinsteadOf = "https://git.example.com:8443/"',
    ]


def test_logins_are_masked(tmp_path: Path, git: Git) -> None:
    git.knows("https://git.example.com/ me s3cr:t/@%")
    handed(tmp_path, PRIVATE)
    text = masking.redact("https://me:s3cr%3At%2F%40%25@git.example.com/team/private.git s3cr:t/@%")
    assert "s3cr" not in text
    git.knows("https://git.example.com/ ghp-the-token x-oauth-basic")
    handed(tmp_path, PRIVATE)
    assert masking.redact("ghp-the-token") == "***"


def test_a_helper_that_hangs_is_ended(tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    (git.folder / "git").write_text("#!/bin/sh\nsleep 60\n")
    monkeypatch.setattr(git_logins, "PATIENCE", 0.05)
    assert handed(tmp_path, PRIVATE) == ""


def test_what_is_no_address_is_left_to_cargo(tmp_path: Path, git: Git) -> None:
    for source in ("git+https://", "git+https://[", "git+https://h:x/a", "git+https://h/a\nusername=b"):
        assert handed(tmp_path, source) == ""
    assert git.asked == []


def rule(real: str, plain: str) -> str:
    return f'[url "{real}"]\n\tinsteadOf = "{plain}"\n'


HUB = "git+https://hub.example.com/team/a.git?rev=1#1"
MIRROR = ("https://hub.example.com/", "https://git.example.com/mirror/")


def test_a_rule_of_git_holds_in_a_build(tmp_path: Path, git: Git) -> None:
    git.rewrites(MIRROR, ("https://elsewhere.example.com/", "https://git.example.com/other/"))
    assert handed(tmp_path, HUB, HUB.replace("/a.git", "/b.git")) == rule(MIRROR[1], MIRROR[0])
    # What no rule is about is asked for as it stands.
    assert handed(tmp_path, PRIVATE) == ""
    assert [words for words in git.asked if "credential fill" not in words] == []


def test_the_longest_rule_is_followed_as_git_does(tmp_path: Path, git: Git) -> None:
    git.rewrites(MIRROR, ("https://hub.example.com/te", "git@git.example.com:te"), ("https://hub", "https://no"))
    assert handed(tmp_path, HUB) == rule("git@git.example.com:te", "https://hub.example.com/te")


def test_the_mirror_s_login_goes_with_the_rule(tmp_path: Path, git: Git) -> None:
    """git applies one rule only, so that it has to be the same."""
    git.rewrites(MIRROR)
    git.knows("https://git.example.com/mirror/ me t0ken", "https://hub.example.com/ me another")
    assert handed(tmp_path, HUB) == rule("https://me:t0ken@git.example.com/mirror/", MIRROR[0])
    git.knows(
        "https://git.example.com/mirror/ me t0ken",
        anyone="https://git.example.com/mirror/team/a.git",
    )
    assert handed(tmp_path, HUB) == rule(MIRROR[1], MIRROR[0])
    second = HUB.replace("/a.git", "/b.git")
    assert handed(tmp_path, HUB, second) == rule("https://me:t0ken@git.example.com/mirror/", MIRROR[0])


def test_repositories_of_one_mirror_may_have_logins_of_their_own(tmp_path: Path, git: Git) -> None:
    git.rewrites(MIRROR)
    git.knows("https://git.example.com/mirror/team/a a token-a", "https:// b token-b")
    assert handed(tmp_path, HUB, HUB.replace("/a.git", "/b.git")) == (
        rule("https://a:token-a@git.example.com/mirror/", MIRROR[0])
        + rule("https://b:token-b@git.example.com/mirror/team/b.git", "https://hub.example.com/team/b.git")
    )


@pytest.mark.parametrize("login", ["ci:rule-t0ken", "rule-t0ken:", "rule-t0ken:x-oauth-basic", "ci:rule%2Dt0ken"])
def test_a_login_in_a_rule_is_a_secret(tmp_path: Path, git: Git, login: str) -> None:
    git.rewrites(("https://hub.example.com/", f"https://{login}@hub.example.com/"))
    assert handed(tmp_path, HUB).startswith('[url "https://')
    assert "t0ken" in handed(tmp_path, HUB)
    assert "t0ken" not in masking.redact(f"https://{login}@hub.example.com/team/a.git rule-t0ken")
    # Nor is it handed over where nobody needs one.
    git.knows(anyone="https://hub.example.com/team/a.git")
    assert handed(tmp_path, HUB) == ""


def test_a_token_in_place_of_a_user_is_a_secret(tmp_path: Path, git: Git) -> None:
    git.rewrites(("https://hub.example.com/", "https://rule-t0ken@hub.example.com/"))
    assert "rule-t0ken@" in handed(tmp_path, HUB)
    assert masking.redact("https://rule-t0ken@hub.example.com/") == "https://***hub.example.com/"


@pytest.mark.parametrize(
    ("real", "agent"),
    [
        ("ssh://git@hub.example.com/", True),
        ("git@hub.example.com:", True),
        ("hub:", True),
        ("https://git.example.com:8443/mirror/", False),
        ("git://git.example.com/", False),
    ],
)
def test_a_rule_that_leads_to_ssh_asks_the_agent(tmp_path: Path, git: Git, real: str, agent: bool) -> None:
    git.rewrites(("https://hub.example.com/", real))
    git.knows("https://hub.example.com/ me t0ken")
    found = handed(tmp_path, HUB)
    assert found == rule(real, "https://hub.example.com/")
    assert git_logins.over_ssh(found) is agent
    project: Any = SimpleNamespace(lock=SimpleNamespace(external=[SimpleNamespace(source=HUB)]))
    assert secret_mounts._over_ssh(project, host_secrets.Secrets({}, {"git": found}, {}, True)) is agent


def test_a_rule_may_lead_from_ssh_to_a_login(tmp_path: Path, git: Git) -> None:
    git.rewrites(("ssh://git@hub.example.com/", "https://ci:rule-t0ken@hub.example.com/"))
    found = handed(tmp_path, "git+ssh://git@hub.example.com/team/a.git#1")
    assert found == rule("https://ci:rule-t0ken@hub.example.com/", "ssh://git@hub.example.com/")
    assert not git_logins.over_ssh(found)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")
def test_the_keys_of_servers_over_ssh_are_known_to_cargo(tmp_path: Path, git: Git) -> None:
    known = tmp_path / ".ssh" / "known_hosts"
    known.parent.mkdir()
    known.write_text(
        "hub.example.com,192.0.2.1 ssh-rsa QUFB a comment\n[git.example.com]:2222 ssh-ed25519 QkJC\n"
        "other.example.com ssh-rsa Q0ND\n@cert-authority *.example.com ssh-rsa RERE\n"
    )
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, capture_output=True)
    git.rewrites(("https://hub.example.com/", "git@hub.example.com:"))
    (tmp_path / "none").mkdir()
    config = tmp_path / "none" / "config.toml"
    config.write_text('[net.ssh]\nknown-hosts = ["mine.example.com ssh-rsa RUVF"]\n')
    source = "git+ssh://git@git.example.com:2222/a.git#1"
    found = host_secrets.collect({"HOME": str(tmp_path), "CARGO_HOME": str(tmp_path / "none")}, None, [HUB, source])
    assert tomllib.loads(found.values["cargo-config"])["net"]["ssh"]["known-hosts"] == [
        "[git.example.com]:2222 ssh-ed25519 QkJC",
        "hub.example.com ssh-rsa QUFB",
        "mine.example.com ssh-rsa RUVF",
    ]
    assert "cargo-config" in found.public
    # What is not reached over ssh needs none.
    git.rewrites()
    config.unlink()
    assert "cargo-config" not in host_secrets.collect({"HOME": str(tmp_path)}, None, [HUB]).values


@pytest.mark.parametrize("real", ["/srv/mirror/", "file:///srv/mirror/", "C:/mirror/", "codecommit::eu://", "../"])
def test_where_a_build_cannot_go_is_no_rule_for_it(tmp_path: Path, git: Git, real: str) -> None:
    git.rewrites(("https://hub.example.com/", real))
    git.knows("https://hub.example.com/ me t0ken")
    assert handed(tmp_path, HUB) == rule("https://me:t0ken@hub.example.com/", "https://hub.example.com/")


def test_a_registry_s_index_in_git_has_the_same(tmp_path: Path, git: Git) -> None:
    git.rewrites(MIRROR)
    git.knows("https://git.example.com/ me t0ken")
    index = "https://hub.example.com/index.git"
    expected = rule("https://me:t0ken@git.example.com/mirror/", MIRROR[0])
    assert handed(tmp_path, f"registry+{index}") == expected
    # In place of crates.io too, where nothing but the configuration names it.
    (tmp_path / "none").mkdir()
    config = '[source.crates-io]\nreplace-with = "ours"\n[source.ours]\nregistry = "{}"\n'
    (tmp_path / "none" / "config.toml").write_text(config.format(index))
    crates = "registry+https://github.com/rust-lang/crates.io-index"
    assert handed(tmp_path, crates) == expected
    assert handed(tmp_path) == ""
    (tmp_path / "none" / "config.toml").write_text(config.format(f"sparse+{index}"))
    assert handed(tmp_path, crates) == ""


def test_rules_are_those_of_the_user_and_not_of_a_checkout(
    tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    (checkout / ".git" / "objects").mkdir(parents=True)
    (checkout / ".git" / "refs").mkdir()
    (checkout / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (checkout / ".git" / "config").write_text(rule(MIRROR[1], MIRROR[0]))
    monkeypatch.chdir(checkout)
    assert handed(tmp_path, HUB) == ""
    (git.folder / "config").write_text(f'[include]\n\tpath = "{checkout}/.git/config"\n')
    assert handed(tmp_path, HUB) == rule(MIRROR[1], MIRROR[0])


@given(st.text(min_size=1), st.text(min_size=1))
def test_git_reads_back_what_is_written(user: str, password: str) -> None:
    host = "https://git.example.com/"
    written = git_logins._instead(host, host, git_logins.Login(user, password))
    # Nothing of a login can end the line, the section or the quotes.
    assert written.count("\n") == 2
    assert written.count('"') == 4
    assert "\\" not in written


def test_git_understands_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config"
    place = 'https://git.example.com/a"b\\c'
    config.write_text(git_logins._instead(place, place, git_logins.Login("a b", 'p"\\;#')))
    command = ["git", "config", "--file", str(config), "--list"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == ('url.https://a%20b:p%22%5C%3B%23@git.example.com/a"b\\c.insteadof=https://git.example.com/a"b\\c\n')


def test_only_a_cook_whose_dockerfile_takes_a_login_asks(tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    project: Any = SimpleNamespace(
        dockerfile={"deps": dockerfile}.get, lock=SimpleNamespace(external=[SimpleNamespace(source=PRIVATE)])
    )

    def asked_for(layer: str) -> list[str]:
        step: Any = SimpleNamespace(spec=SimpleNamespace(layer=layer))
        return secret_mounts.git_sources(project, step)

    dockerfile.write_bytes((dockerfile_dir() / "Dockerfile.deps").read_bytes())
    assert [asked_for(layer) for layer in ("base", "runtime", "deps", "app")] == [[], [], [PRIVATE], []]
    dockerfile.write_text("ARG PARENT\nFROM ${PARENT}\nRUN --mount=type=secret,id=ca sh /ctx/control/cook.sh\n")
    assert asked_for("deps") == []
