"""What the jobs run, for any CI service: names, why, and shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from layerdoit.ci.ci_facts import CiFacts
from layerdoit.core.version import __version__

USER: Final = "REGISTRY_USER"
TOKEN: Final = "REGISTRY_TOKEN"  # noqa: S105 - the name of a secret
PUBLISH_USER: Final = "PUBLISH_USER"
PUBLISH_TOKEN: Final = "PUBLISH_TOKEN"  # noqa: S105 - as above
# A job that is to push has failed where it did not.
_STRICT: Final = "registry: {strict: true}"
_LOCAL: Final = ' LOCAL_ONLY="$LOCAL_ONLY"'


class Command(NamedTuple):
    """Something to run. `wants`: variables that the service has to give; `always`: also after a failure."""

    name: str
    run: str
    wants: tuple[str, ...] = ()
    always: bool = False


class Words(NamedTuple):
    """How a service does what each does in its own way, as shell.

    `place`: a folder that is gone after the job; `path`: have later steps see the programs in a folder, `{}`;
    `push_nothing`: have later steps push nothing; `emulator`: have programs of other platforms run, '' where a job
    cannot do that.
    """

    place: str
    path: str
    push_nothing: str
    emulator: str


def install(words: Words) -> Command:
    """Have doit and layerdoit in a folder of their own."""
    lines = [
        f'python3 -m venv "{words.place}"',
        f'echo "$LAYERDOIT" | xargs "{words.place}/bin/pip" install --quiet --disable-pip-version-check',
        words.path.format(f"{words.place}/bin"),
    ]
    return Command("Install layerdoit", "\n".join(lines))


def installed(facts: CiFacts) -> str:
    """What is installed, as words of `pip install`."""
    return shlex.join(facts.ci.install) or f"layerdoit=={__version__}"


def login(facts: CiFacts, words: Words, *, must: bool) -> Iterator[Command]:
    """Log in to the registry of the layers. `must`: whether there is nothing to do without."""
    if facts.registry is not None and facts.ci.login != "none":
        without = [f'echo "no {TOKEN}: layers are pulled where anybody may, and none is pushed"']
        without += [words.push_nothing] if facts.pushes else []
        token = Token("Log in to the registry", facts.registry, USER, TOKEN)
        yield _login(token, None if must else without)


def login_to_publish(facts: CiFacts) -> Iterator[Command]:
    """Log in to the registry of versions, where it is another one: no token is shown to two."""
    from layerdoit.engine.registry_answers import host_of

    published, registry = facts.published, facts.registry
    if published is None or facts.ci.login == "none":
        return
    if registry is None or host_of(published) != host_of(registry):
        yield _login(Token("Log in to the registry of versions", published, PUBLISH_USER, PUBLISH_TOKEN), None)


class Token(NamedTuple):
    """For whom it is, and the names of the secrets."""

    name: str
    repository: str
    user: str
    token: str


def _login(one: Token, without: Sequence[str] | None) -> Command:
    """By a token that no command line shows. `without`: what is done where there is none; None: it fails."""
    from layerdoit.engine.registry_answers import host_of

    if without is None:
        without = (f'echo "error: the registry needs the secrets {one.user} and {one.token}" >&2', "exit 1")
    host = shlex.quote(host_of(one.repository))
    into = f"""printf '%s' "${one.token}" | docker login --username "${one.user}" --password-stdin {host}"""
    lines = [f'if [ -z "${one.token}" ]; then', *_indented(without), "else", *_indented([into]), "fi"]
    return Command(one.name, "\n".join(lines), (one.user, one.token))


def _indented(lines: Sequence[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def test_and_build(facts: CiFacts) -> Sequence[Command]:
    """The work of each day."""
    local = _LOCAL if facts.pushes else ""
    return Command("Test", facts.task("check") + local), Command("Build", facts.task("image") + local)


def base(facts: CiFacts, words: Words, platforms: Sequence[str | None]) -> Iterator[Command]:
    """One after the other. `platforms`: as the shell has them; None for that of the machine."""
    for platform in platforms:
        of_platform = f" PLATFORM={platform}" if platform else ""
        name = f"Build and push the base{f' of {platform}' if len(platforms) > 1 else ''}"
        yield Command(name, _with(_STRICT, words, f"{facts.task('base')}{of_platform} ON_MISSING=build"))


def image(facts: CiFacts, words: Words, platform: str) -> Sequence[Command]:
    """The image of one platform, whose layers are pushed."""
    run = _with(_STRICT, words, f"{facts.task('image')} PLATFORM={platform}")
    return (Command("Build and push the layers", run),)


def _with(settings: str, words: Words, task: str) -> str:
    """A task, with settings that are laid over those of the project."""
    file = f'"{words.place}/ci.yaml"'
    return f"echo '{settings}' >{file}\n{task} CONFIG={file}"


def foreign(facts: CiFacts, words: Words) -> Iterator[Command]:
    """Programs of other platforms are tried before they are published."""
    if len(facts.platforms) > 1 and words.emulator:
        yield Command("Have programs of other platforms run", words.emulator)


def publish(facts: CiFacts, words: Words) -> Sequence[Command]:
    """The version is that of the tag."""
    if not facts.native:
        return (Command("Publish", facts.task("publish")),)
    # The keys are those of the machines of each platform, whatever this one would do for another platform.
    return (Command("Publish", _with("cross: never", words, facts.task("publish"))),)


def clean(facts: CiFacts) -> tuple[Command, Command]:
    """What would be removed, and removing it."""
    task = facts.task("registry_gc")
    return Command("What would be removed", f"{task} --dry-run"), Command("Remove it", f"{task} --yes")


def summary(facts: CiFacts, files: str) -> Command:
    """Hit rates, times and sizes of this job."""
    return Command("Summary", facts.verb(f"report {files}"), always=True)


def workflows(facts: CiFacts) -> tuple[str, ...]:
    """Those to write: a base that is not shared serves nobody."""
    possible = {
        "build": True,
        "base": facts.registry is not None and "base" in facts.shares,
        "publish": facts.published is not None,
        "registry": facts.registry is not None and facts.retention,
    }
    return tuple(name for name in facts.ci.workflows if possible[name])


def remarks(facts: CiFacts) -> Iterator[str]:
    """What a user may not expect of the files that are written."""
    if not workflows(facts):
        yield "ci.workflows names none that the other settings allow: there is nothing to write"
    if facts.registry is None:
        yield "registry.repository is not set: each job builds all layers itself"
    elif not facts.shares:
        yield "registry.push is empty: jobs use the registry's layers, and share none of theirs"
    if not facts.toolchain:
        yield "no Rust toolchain is named: each runner builds with its own; add a rust-toolchain.toml"
    if len(facts.platforms) > 1 and not facts.native:
        yield "one machine builds all platforms, as `cross` says: " + (
            "set ci.runners for each of them"
            if "app" in facts.shares
            else "machines of their own need registry.push: [app]"
        )
