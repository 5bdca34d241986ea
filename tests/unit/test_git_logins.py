"""Which repositories get which login of this machine, in which form, and when git is not even asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit import git_logins, process, recipes, secrets
from layerdoit.resources import dockerfile_dir

PRIVATE = "git+https://git.example.com/team/private.git?branch=x#5d9d53ec"
# Answers as git would; whoever asks is noted. `anyone`: what ls-remote may read without a login.
GIT = """\
#!{python}
import os, pathlib, sys
words = sys.argv[1:]
folder = pathlib.Path(__file__).parent
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
        (folder / "git").write_text(GIT.format(python=sys.executable))
        (folder / "git").chmod(0o755)
        self.knows()

    def knows(self, *logins: str, anyone: str = "") -> None:
        (self.folder / "logins").write_text("".join(f"{login}\n" for login in logins))
        (self.folder / "anyone").write_text(anyone)

    @property
    def asked(self) -> list[str]:
        asked = self.folder / "asked"
        return asked.read_text().splitlines() if asked.exists() else []


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    monkeypatch.setattr(process, "_secrets", set())
    monkeypatch.setattr(secrets, "_SYSTEM_BUNDLES", ())
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return Git(folder)


def handed(home: Path, *sources: str) -> str:
    """The configuration that a cook gets."""
    environment = {"HOME": str(home), "CARGO_HOME": str(home / "none")}
    return secrets.gathered(environment, None, sources).values.get("git", "")


def test_git_is_not_asked_without_a_repository_over_http(tmp_path: Path, git: Git) -> None:
    crates = "registry+https://github.com/rust-lang/crates.io-index"
    assert handed(tmp_path, "", crates, "git+ssh://git@git.example.com/a.git#1", "git+file:///a#1") == ""
    assert handed(tmp_path) == ""
    assert git.asked == []


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
    assert process.redact("own/token own%2Ftoken") == "*** ***"


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
    for words in (
        ["init", "--quiet"],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm1", "--allow-empty"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
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
    text = process.redact("https://me:s3cr%3At%2F%40%25@git.example.com/team/private.git s3cr:t/@%")
    assert "s3cr" not in text
    git.knows("https://git.example.com/ ghp-the-token x-oauth-basic")
    handed(tmp_path, PRIVATE)
    assert process.redact("ghp-the-token") == "***"


def test_a_helper_that_hangs_is_ended(tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    (git.folder / "git").write_text("#!/bin/sh\nsleep 60\n")
    monkeypatch.setattr(git_logins, "PATIENCE", 0.05)
    assert handed(tmp_path, PRIVATE) == ""


def test_what_is_no_address_is_left_to_cargo(tmp_path: Path, git: Git) -> None:
    for source in ("git+https://", "git+https://[", "git+https://h:x/a", "git+https://h/a\nusername=b"):
        assert handed(tmp_path, source) == ""
    assert git.asked == []


@given(st.text(min_size=1), st.text(min_size=1))
def test_git_reads_back_what_is_written(user: str, password: str) -> None:
    written = git_logins._instead("https://git.example.com/", git_logins.Login(user, password))
    # Nothing of a login can end the line, the section or the quotes.
    assert written.count("\n") == 2
    assert written.count('"') == 4
    assert "\\" not in written


def test_git_understands_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(git_logins._instead('https://git.example.com/a"b\\c', git_logins.Login("a b", 'p"\\;#')))
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
        return recipes.downloaded(project, step)

    dockerfile.write_bytes((dockerfile_dir() / "Dockerfile.deps").read_bytes())
    assert [asked_for(layer) for layer in ("base", "runtime", "deps", "app")] == [[], [], [PRIVATE], []]
    dockerfile.write_text("ARG PARENT\nFROM ${PARENT}\nRUN --mount=type=secret,id=ca sh /ctx/control/cook.sh\n")
    assert asked_for("deps") == []
