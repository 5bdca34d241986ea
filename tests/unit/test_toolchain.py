"""The toolchain: where it is named, when the host is asked, when it is asked again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from layerdoit.cargo.toolchain import Toolchain, detect
from layerdoit.core.errors import ProcessError, WorkspaceError

ANSWER = (
    "rustc {release} (x)\nbinary: rustc\ncommit-date: 2026-04-14\nhost: x86_64-unknown-linux-gnu\nrelease: {release}\n"
)


class Host:
    """A host with rustup: counts the questions."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.state, self.home = base / "ws", base / "state", base / "rustup"
        self.state.mkdir()
        self.release, self.asked = "1.95.0", list[list[str]]()
        for folder in (self.root, base / "bin", self.home / "toolchains/stable/bin", self.home / "update-hashes"):
            folder.mkdir(parents=True)
        (base / "bin/rustup").write_text("")
        (base / "bin/rustup").chmod(0o755)
        (base / "bin/rustc").symlink_to("rustup")
        (self.home / "toolchains/stable/bin/rustc").write_text("1")
        (self.home / "update-hashes/stable").write_text("1")
        monkeypatch.setenv("PATH", str(base / "bin"))
        monkeypatch.setenv("RUSTUP_HOME", str(self.home))
        monkeypatch.delenv("RUSTUP_TOOLCHAIN", raising=False)

    def run(self, argv: list[str], cwd: Path) -> str:
        assert cwd == self.root
        self.asked.append(argv)
        return "/sysroot\n" if argv[-1] == "sysroot" else ANSWER.format(release=self.release)

    def detect(self, override: str | None = None) -> Toolchain:
        return detect(self.root, override, self.state, run=self.run)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("name", "text", "channel"),
    [
        ("rust-toolchain.toml", '[toolchain]\nchannel = "1.95.0"\n', "1.95.0"),
        ("rust-toolchain.toml", '[toolchain]\nchannel = "nightly-2026-04-14"\n', "nightly-2026-04-14"),
        ("rust-toolchain", "1.94.1\n", "1.94.1"),
        ("rust-toolchain", '[toolchain]\nchannel = "1.94.1"\n', "1.94.1"),
        ("rust-toolchain.toml", '[toolchain]\nchannel = "1.95.0-x86_64-unknown-linux-gnu"\n', "1.95.0"),
    ],
)
def test_an_exact_channel_asks_nobody(host: Host, name: str, text: str, channel: str) -> None:
    (host.root / name).write_text(text)
    found = host.detect()
    assert (found.channel, found.identity, found.source) == (channel, channel, name)
    assert host.asked == []


def test_configuration_comes_before_the_file_and_keeps_its_targets(host: Host) -> None:
    (host.root / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "1.90.0"\ntargets = ["b", "a"]\n')
    found = host.detect("1.95.0")
    assert (found.channel, found.targets, found.source) == ("1.95.0", ("a", "b"), "the configuration")


def test_a_file_in_a_folder_above_counts_as_it_does_for_rustup(host: Host) -> None:
    (host.root.parent / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "1.95.0"\n')
    assert host.detect().channel == "1.95.0"


def test_a_moving_channel_is_asked_by_name_once(host: Host) -> None:
    (host.root / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "stable"\n')
    first = host.detect()
    assert (first.channel, first.identity, first.sysroot) == ("stable", "1.95.0", Path("/sysroot"))
    assert all("+stable" in argv for argv in host.asked)
    assert host.detect() == first
    assert len(host.asked) == 2


def test_no_toolchain_named_takes_the_hosts(host: Host) -> None:
    found = host.detect()
    assert (found.channel, found.identity, found.source) == ("1.95.0", "1.95.0", "the host's rustc")
    host.release = "1.97.0-nightly"
    os.utime(host.home / "toolchains/stable/bin/rustc", ns=(1, 1))
    assert (host.detect().channel, host.detect().identity) == ("nightly", "1.97.0-nightly 2026-04-14")


@pytest.mark.parametrize("change", ["update", "hash", "new", "settings", "env", "file"])
def test_whatever_can_change_the_answer_asks_again(host: Host, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert host.detect("stable").identity == "1.95.0"
    host.release = "1.96.0"
    if change == "update":
        (host.home / "toolchains/stable/bin/rustc").write_text("22")
    elif change == "hash":
        (host.home / "update-hashes/stable").write_text("22")
    elif change == "new":
        (host.home / "toolchains/other").mkdir()
    elif change == "settings":
        (host.home / "settings.toml").write_text("")
    elif change == "env":
        monkeypatch.setenv("RUSTUP_TOOLCHAIN", "nightly")
    else:
        (host.root / "rust-toolchain").write_text("stable")
    assert host.detect("stable").identity == "1.96.0"


def test_a_damaged_cache_is_no_cache(host: Host) -> None:
    host.detect("stable")
    (host.state / "toolchain").write_text("{")
    assert host.detect("stable").identity == "1.95.0"
    assert len(host.asked) == 4


def test_a_rustc_that_is_not_the_one_asked_for_is_refused(host: Host) -> None:
    for wanted in ("nightly", "beta"):
        with pytest.raises(WorkspaceError, match=r"is needed, but the host's rustc is 1\.95\.0"):
            host.detect(wanted)


def test_no_rustc_and_nothing_named_says_what_to_write(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(WorkspaceError) as caught:
        host.detect()
    assert "rust-toolchain.toml" in str(caught.value.hint)


def test_a_failing_rustc_is_one_message(host: Host) -> None:
    def fail(argv: list[str], cwd: Path) -> str:
        raise ProcessError("toolchain 'stable' is not installed")

    with pytest.raises(WorkspaceError, match="not installed"):
        detect(host.root, "stable", host.state, run=fail)


@pytest.mark.parametrize("text", ["", "\n", "# later\n", "[toolchain]\n", "toolchain = 1\n"])
def test_a_file_that_names_nothing_is_one_message(host: Host, text: str) -> None:
    """rustup refuses it too, with a trace of calls."""
    (host.root / "rust-toolchain.toml").write_text(text)
    with pytest.raises(WorkspaceError) as caught:
        host.detect()
    assert str(caught.value.where).endswith("rust-toolchain.toml")


def test_broken_toml_names_file_and_line(host: Host) -> None:
    (host.root / "rust-toolchain.toml").write_text("[toolchain]\nchannel = \n")
    with pytest.raises(WorkspaceError) as caught:
        host.detect()
    assert str(caught.value.where).endswith("rust-toolchain.toml:2")


def test_a_toml_file_that_holds_a_word_is_told_what_to_hold(host: Host) -> None:
    """As the older file without an ending may."""
    (host.root / "rust-toolchain.toml").write_text("nightly-2026-01-01\n")
    with pytest.raises(WorkspaceError) as caught:
        host.detect()
    assert str(caught.value.where).endswith("rust-toolchain.toml:1")
    assert 'channel = "nightly-2026-01-01"' in str(caught.value.hint)
