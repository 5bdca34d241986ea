"""The Rust toolchain of the workspace, from the configuration, a toolchain file or the host's rustc."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from layerdoit.core import files, toml
from layerdoit.core.errors import ProcessError, WorkspaceError
from layerdoit.core.platform import host_triple

Run = Callable[[list[str], Path], str]

# The same compiler for everybody, so that nobody needs to be asked: 1.95.0, 1.95, 1.96.0-beta.2, nightly-2026-04-14.
_EXACT = r"\d+\.\d+(?:\.\d+)?(?:-beta(?:\.\d+)?)?$|(?:nightly|beta|stable)-\d{4}-\d{2}-\d{2}$"
_BARE = r"[\w.-]+"
_HOST = r"-((?:x86_64|aarch64|i[3-6]86|arm\w*|riscv64\w*|powerpc\w*|s390x|loongarch64|mips\w*)-[\w-]+)$"
FILES: Final = ("rust-toolchain", "rust-toolchain.toml")
"""rustup prefers the older name if both exist."""
_HINT = 'write a rust-toolchain.toml with [toolchain] channel = "<version>", or set `toolchain:` in layerdoit.yaml'


class Toolchain(NamedTuple):
    channel: str  # as asked for, without the host part: "1.95.0", "stable", "nightly-2026-04-14"
    release: str | None  # as rustc tells it: "1.95.0", "1.97.0-nightly 2026-04-14"; None: not asked
    sysroot: Path | None
    host: str
    source: str  # where the channel was named, in words
    targets: tuple[str, ...]
    components: tuple[str, ...] = ()  # as the toolchain file names them: "clippy"

    @property
    def identity(self) -> str:
        """The key input: equal on two machines that compile with the same compiler."""
        return self.channel if is_exact(self.channel) else self.release or self.channel


def is_exact(channel: str) -> bool:
    return re.match(_EXACT, channel) is not None


def _default_run(argv: list[str], cwd: Path) -> str:
    from layerdoit.core.process import capture

    return capture(argv, cwd=cwd).stdout


def detect(root: Path, override: str | None, state_dir: Path, *, run: Run | None = None) -> Toolchain:
    """The toolchain of the workspace: configuration, toolchain file, host's rustc. A cached answer needs no process."""
    named = asked_for(root, override)
    if is_exact(named.channel) and not named.path:
        host = host_triple()
        release = _release_of(named.channel)
        return Toolchain(named.channel, release, None, host, named.source, named.targets, named.components)
    rustc = shutil.which("rustc") if not named.path else str(Path(named.path) / "bin/rustc")
    if rustc is None or not os.path.exists(rustc):
        raise WorkspaceError(
            "the Rust toolchain is unknown: no version is named, and rustc is not installed", hint=_HINT
        )
    argv = _question(rustc, named.channel)
    key = _cache_key(root, rustc, argv)
    cache = state_dir / "toolchain"
    answers = _cached(cache, key)
    if answers is None:
        answers = _ask(argv, root, run or _default_run)
        _store(cache, key, answers)
    return _from_answers(named, answers)


def installed(toolchain: Toolchain, root: Path, *, run: Run | None = None) -> Path | None:
    """Where the toolchain is installed on this machine, or None. Starts rustc; only a bootstrap needs it."""
    if toolchain.sysroot is not None:
        return toolchain.sysroot
    rustc = shutil.which("rustc")
    if rustc is None:
        return None
    try:
        answers = _ask(_question(rustc, toolchain.channel), root, run or _default_run)
        return _from_answers(Named(toolchain.channel, toolchain.source), answers).sysroot
    except WorkspaceError:
        return None


class Named(NamedTuple):
    """What the configuration or a toolchain file names; no compiler was asked yet."""

    channel: str  # "" where nothing names one
    source: str
    targets: tuple[str, ...] = ()
    path: str | None = None  # a toolchain of one's own, by folder
    components: tuple[str, ...] = ()


def asked_for(root: Path, override: str | None = None) -> Named:
    """The toolchain named for a folder; starts no process. WorkspaceError if the toolchain file is broken."""
    file = nearest_file(root.resolve())
    in_file = _read_file(file) if file else Named("", "the host's rustc")
    if override:
        channel = re.sub(_HOST, "", override.strip())
        return Named(channel, "the configuration", in_file.targets, components=in_file.components)
    return in_file


def nearest_file(root: Path) -> Path | None:
    """The toolchain file of a folder: its own, or that of the nearest parent."""
    return next((file for folder in (root, *root.parents) if (file := _toolchain_file(folder))), None)


def _toolchain_file(folder: Path) -> Path | None:
    return next((path for name in FILES if (path := folder / name).is_file()), None)


def _read_file(file: Path) -> Named:
    try:
        text = toml.read_text(file)
    except OSError as error:
        raise WorkspaceError(f"the toolchain file cannot be read: {error}", where=str(file)) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if file.suffix != ".toml" and len(lines) == 1 and not lines[0].startswith("["):
        return Named(re.sub(_HOST, "", lines[0]), file.name)
    if len(lines) == 1 and re.fullmatch(_BARE, lines[0]):
        raise WorkspaceError(
            f'this file is TOML, and holds only the word "{lines[0]}"',
            where=f"{file}:1",
            hint=f'write [toolchain] and channel = "{lines[0]}" into it, or rename it to rust-toolchain',
        )
    table: Any = toml.parse(text, str(file)).get("toolchain")
    if not table:
        raise WorkspaceError(
            "this toolchain file names no toolchain",
            where=str(file),
            hint='write [toolchain] and channel = "stable" into it, or remove it',
        )
    table = table if isinstance(table, dict) else {"channel": None}
    channel, path = table.get("channel", ""), table.get("path")
    targets, components = table.get("targets", []), table.get("components", [])
    listed = isinstance(targets, list) and isinstance(components, list)
    texts = isinstance(channel, str) and isinstance(path, str | None) and listed
    if not texts or not all(isinstance(word, str) for word in (*targets, *components)):
        raise WorkspaceError(
            "[toolchain] must hold a channel (text) and may hold targets and components (lists)", where=str(file)
        )
    folder = str(file.parent / path) if path else None
    channel = re.sub(_HOST, "", channel.strip())
    return Named(channel, file.name, tuple(sorted(set(targets))), folder, tuple(sorted(set(components))))


def _release_of(channel: str) -> str | None:
    return channel if channel[0].isdigit() else None


def _question(rustc: str, channel: str) -> list[str]:
    """The command that asks for the version. It names rustup's channel, which overrules RUSTUP_TOOLCHAIN."""
    named = [f"+{channel}"] if channel and _is_proxy(rustc) else []
    # Asking must not download a toolchain.
    return ["env", "RUSTUP_AUTO_INSTALL=0", rustc, *named]


def _is_proxy(rustc: str) -> bool:
    rustup = os.path.join(os.path.dirname(rustc), "rustup")
    return os.path.basename(os.path.realpath(rustc)) == "rustup" or (
        os.path.exists(rustup) and os.path.samefile(rustup, rustc)
    )


def _cache_key(root: Path, rustc: str, argv: list[str]) -> str:
    """A digest of all that can change the answer; an update replaces a toolchain's rustc and its update hash."""
    home, toolchains, hashes = _rustup()
    looked_at = [Path(rustc), home / "settings.toml", toolchains, hashes]
    for folder, tail in ((toolchains, "bin/rustc"), (hashes, "")):
        if folder.is_dir():
            looked_at += [folder / name / tail for name in sorted(os.listdir(folder))]
    for folder in (root.resolve(), *root.resolve().parents):
        looked_at += [file] if (file := _toolchain_file(folder)) else []
    environment = [os.environ.get(name) for name in ("RUSTUP_TOOLCHAIN", "RUSTUP_HOME")]
    facts = [str(root.resolve()), argv, environment, [(str(path), _stat(path)) for path in looked_at]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _rustup() -> tuple[Path, Path, Path]:
    home = Path(os.environ.get("RUSTUP_HOME") or Path.home() / ".rustup")
    return home, home / "toolchains", home / "update-hashes"


def folders(root: Path, override: str | None) -> set[Path]:
    """The folders whose entries say which toolchain it is: a file names it, or this machine's rustc is asked."""
    file = nearest_file(root.resolve())
    found = {file.parent} if file else set()
    try:
        named = asked_for(root, override)
    except WorkspaceError:
        return found
    if is_exact(named.channel) and not named.path:
        return found
    rustc = Path(named.path, "bin/rustc") if named.path else Path(shutil.which("rustc") or "")
    return found | ({rustc.parent} if rustc.name else set()) | set(_rustup())


def _stat(path: Path) -> list[int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _ask(argv: list[str], root: Path, run: Run) -> dict[str, str]:
    try:
        version, sysroot = run([*argv, "-vV"], root), run([*argv, "--print", "sysroot"], root)
    except ProcessError as error:
        raise WorkspaceError(f"the host's rustc does not report its version: {error.what}", hint=_HINT) from error
    told = dict(line.split(": ", 1) for line in version.splitlines() if ": " in line)
    if "release" not in told or "host" not in told:
        raise WorkspaceError("the host's rustc does not report its version", where=argv[2], hint=_HINT)
    return {**told, "sysroot": sysroot.strip()}


def _from_answers(named: Named, answers: dict[str, str]) -> Toolchain:
    release = answers["release"]
    version, _, stage = release.partition("-")
    wanted = named.channel
    fits = not wanted[:1].isdigit() or version == wanted or version.startswith(f"{wanted}.") or release == wanted
    moving = {"stable": "", "beta": "beta", "nightly": "nightly"}.get(wanted)
    if not named.path and (not fits or (moving is not None and stage.partition(".")[0] != moving)):
        raise WorkspaceError(f"toolchain {wanted} is needed, but the host's rustc is {release}", hint=_HINT)
    full = f"{release} {answers['commit-date']}" if stage and "commit-date" in answers else release
    channel = wanted or (stage.partition(".")[0] if stage else release)
    sysroot, host = Path(answers["sysroot"]), answers["host"]
    return Toolchain(channel, full, sysroot, host, named.source, named.targets, named.components)


def _cached(cache: Path, key: str) -> dict[str, str] | None:
    stored = files.read_json(cache)
    answers = stored.get("answers")
    return answers if stored.get("key") == key and isinstance(answers, dict) else None


def _store(cache: Path, key: str, answers: dict[str, str]) -> None:
    with contextlib.suppress(OSError):  # only a cache: the next run asks again
        files.write_json(cache, {"key": key, "answers": answers})
