"""An existing Dockerfile: secrets that stay in it, crates that nobody locked, failures that nobody sees."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from layerdoit.config import credentials
from layerdoit.dockerfile import parse as syntax
from layerdoit.dockerfile.parse import Dockerfile, Instruction
from layerdoit.dockerfile.steps import Cargo, Step, root_image, steps
from layerdoit.doctor.finding import Finding, Rule, rules
from layerdoit.tree.ignore_patterns import Patterns

UNLOCKED = Rule(
    "df-unlocked",
    "hint",
    "cargo is called without --locked.",
    "if Cargo.lock is out of date, the image is built from other crates than those that were tested",
    "add --locked",
)
SECRET = Rule(
    "df-secret",
    "warning",
    "A secret is passed as ARG or ENV, or copied.",
    "the values of ARG and ENV are stored in the image's history and in the build's record, a copied file in a layer,"
    " even if it is removed later",
    "RUN --mount=type=secret,id=…,env=… (docker build --secret), or --mount=type=ssh",
)
HEREDOC = Rule(
    "df-heredoc",
    "warning",
    "A heredoc of several commands continues after one of them fails.",
    "only the last command's exit code counts: the build succeeds with half of its steps done",
    'start it with `set -e`, or SHELL ["/bin/sh", "-ec"]',
)
IGNORE = Rule(
    "df-dockerignore",
    "warning",
    "The whole folder is copied, and .dockerignore does not exclude target/.",
    "gigabytes are sent to the engine, and every cargo call on the host changes the copied files",
    "write a .dockerignore with at least `target` and `.git`",
)
OLD_RUST = Rule(
    "df-rust-version",
    "error",
    "The Rust image is older than a package requires.",
    "cargo refuses to compile it",
    "name a newer image",
)
OTHER_RUST = Rule(
    "df-toolchain",
    "hint",
    "The Rust image does not have the release that rust-toolchain names.",
    "rustup downloads that release in the build, again after every change of the files copied before",
    "name the same release in both",
)
RULES = tuple(rules(globals()))

_LOCKABLE = frozenset({"build", "b", "rustc", "zigbuild", "auditable", "test", "t", "clippy", "check", "c"})
# A password that is good on this machine and in the same Compose project only.
_LOCAL = r"@(?:localhost|127\.[\d.]+|db|database|postgres|mysql|redis)(?:[:/]|$)"
_SECRET_FILE = re.compile(
    r"(?:^|/)(\.env|\.netrc|\.npmrc|\.git-credentials|id_(?:rsa|ed25519|ecdsa)|credentials(?:\.toml)?|\.ssh)$"
)
_ERREXIT = re.compile(r"^\s*set\s+(?:-\w*e|-o\s+errexit|.*\s-\w*e\b)", re.MULTILINE)


@dataclass(frozen=True)
class Around:
    """What lies around a Dockerfile. `ignore`: the text of its .dockerignore, None where there is none.

    `present`: names in the folder that it copies, of those that matter. `channel`: of the toolchain file; `msrv`: the
    highest rust-version with its package.
    """

    ignore: str | None = None
    at_root: bool = False
    present: frozenset[str] = frozenset()
    channel: str | None = None
    msrv: tuple[str, str] | None = None


def check(file: Dockerfile, around: Around) -> Iterator[Finding]:
    """Every instruction in the stage that it stands in."""
    for stage in file.stages:
        own = [step for step in steps(file, stage) if step.own]
        final = stage is file.final
        yield from _unlocked(own)
        for step in own:
            yield from _secret(step, final=final)
            yield from _heredoc(step, steps(file, stage))
        yield from _copies(own, around, final=final)
        if any(step.compiles or step.cooks for step in own):
            yield from _release(file, around, root_image(file, stage), stage.where)
    for instruction in file.before:
        yield from _argument(instruction, final=False)


def _unlocked(own: Sequence[Step]) -> Iterator[Finding]:
    for step in own:
        for call in step.cargo:
            path = call.name == "install" and call.compiles
            if not (path or call.name in _LOCKABLE or call.installs) or _locked(call):
                continue
            if path:
                yield UNLOCKED.found(
                    "`cargo install --path` without --locked ignores Cargo.lock",
                    step.where,
                    level="warning",
                )
            elif call.installs:
                yield UNLOCKED.found(
                    f"`cargo install {call.installs}` without --locked takes new crate versions as they appear",
                    step.where,
                )
            else:
                yield UNLOCKED.found(f"`cargo {call.name}` without --locked", step.where)


def _locked(call: Cargo) -> bool:
    # What a variable holds is not known.
    return any(word in ("--locked", "--frozen") or "$" in word for word in call.args)


def _secret(step: Step, *, final: bool) -> Iterator[Finding]:
    if step.instruction.keyword in ("ARG", "ENV"):
        yield from _argument(step.instruction, final=final)
    for path in step.copied:
        if _SECRET_FILE.search(path):
            yield SECRET.found(f"{path} is copied into the image", step.where, level="error" if final else None)


def _argument(instruction: Instruction, *, final: bool) -> Iterator[Finding]:
    if instruction.keyword not in ("ARG", "ENV"):
        return
    for name, value in syntax.assignments(instruction).items():
        keyword = instruction.keyword
        held = credentials.in_value(value) if value else None
        if held and not (held == credentials.LOGIN and re.search(_LOCAL, value or "")):
            yield SECRET.found(f"the value of {keyword} {name} holds {held}", instruction.where_is(name))
            continue
        # An ARG without a value gets one on the command line, and an ENV without one sets nothing.
        unknown = keyword == "ARG" and not value
        if credentials.sounds_secret(name) if unknown else credentials.found(name, value or "") and not held:
            where = instruction.where_is(name)
            yield SECRET.found(f"{keyword} {name} looks like a secret", where, level="error" if final else None)


def _heredoc(step: Step, lineage: Sequence[Step]) -> Iterator[Finding]:
    instruction = step.instruction
    if instruction.keyword != "RUN" or not instruction.bodies:
        return
    before = re.sub(r"<<-?['\"]?\w+['\"]?.*", "", instruction.value).split()
    if before and (posixpath.basename(before[0]) not in ("sh", "bash", "ash", "dash") or _stops(before[1:])):
        return
    if not before and any(_stops(_shell(other)) for other in lineage if other.instruction.keyword == "SHELL"):
        return
    for body in instruction.bodies:
        first, _, rest = body.partition("\n")
        if first.startswith("#!"):
            words = first[2:].split()
            if posixpath.basename(words[0] if words else "") == "env":
                words = words[1:]
            if not words or posixpath.basename(words[0]) not in ("sh", "bash", "ash", "dash") or _stops(words[1:]):
                continue
            body = rest  # noqa: PLW2901
        # `|| exit` shows that somebody thought of it.
        if _commands(body) > 1 and not _ERREXIT.search(body) and not re.search(r"\|\|\s*(exit|return)", body):
            yield HEREDOC.found("the heredoc has several commands and no `set -e`", step.where)


def _shell(step: Step) -> Sequence[str]:
    return step.instruction.json or ()


def _stops(words: Sequence[str]) -> bool:
    """Options of a shell that make it stop at the first failure."""
    return any(re.fullmatch(r"-\w*e\w*", word) or word == "errexit" for word in words)


def _commands(body: str) -> int:
    lines = [line.strip() for line in body.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    continued = [bool(re.search(r"(\\|&&|\|\||\|)$", line)) for line in lines]
    return sum(1 for index in range(len(lines)) if index == 0 or not continued[index - 1])


def _copies(own: Sequence[Step], around: Around, *, final: bool) -> Iterator[Finding]:
    whole = next((step for step in own if "." in step.copied), None)
    if whole is None or not any(step.cargo for step in own):
        return
    left_out = Patterns((around.ignore or "").splitlines())
    if around.ignore is None:
        yield IGNORE.found("the whole folder is copied, and there is no .dockerignore", whole.where)
    elif not left_out.match("target") and not left_out.match("target/debug/x"):
        yield IGNORE.found("the whole folder is copied, and .dockerignore does not exclude target/", whole.where)
    for name in sorted(around.present):
        if around.at_root and _SECRET_FILE.search(name) and not left_out.match(name):
            what = f"{name} is copied with the whole folder: .dockerignore does not exclude it"
            yield SECRET.found(what, whole.where, fix=f"add {name} to .dockerignore", level="error" if final else None)


def _release(file: Dockerfile, around: Around, image: str, where: str) -> Iterator[Finding]:
    found = re.search(r"(?:^|/)(?:rust|cargo-chef):(?:[\w.-]*rust-)?(1\.\d+(?:\.\d+)?)", image)
    if found is None or any("RUSTUP_TOOLCHAIN" in step.known for stage in file.stages for step in steps(file, stage)):
        return
    have = tuple(map(int, found[1].split(".")))
    exact = around.channel if around.channel and re.fullmatch(r"1\.\d+(\.\d+)?", around.channel) else None
    if exact:
        wanted = tuple(map(int, exact.split(".")))
        shorter = min(len(have), len(wanted))
        if have[:shorter] != wanted[:shorter]:
            yield OTHER_RUST.found(f"{image}, but the toolchain file names {exact}", where)
    elif around.channel is None and around.msrv:
        package, version = around.msrv
        asked = tuple(map(int, re.findall(r"\d+", version)[:2]))
        if have[:2] < asked:
            yield OLD_RUST.found(f"{image}, but `{package}` requires Rust {version}", where)
