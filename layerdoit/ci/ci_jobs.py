"""The steps of the jobs, for any CI service: names, why, and shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Final, NamedTuple

from layerdoit.ci.ci_facts import CiFacts
from layerdoit.core.version import __version__

USER: Final = "REGISTRY_USER"
TOKEN: Final = "REGISTRY_TOKEN"  # noqa: S105 - the name of a secret


class Command(NamedTuple):
    """Something to run. `wants`: variables that the service has to give; `always`: also after a failure."""

    name: str
    run: str
    wants: tuple[str, ...] = ()
    always: bool = False


def install(folder: str, put_on_path: str) -> Command:
    """Have doit and layerdoit in a folder of their own; `put_on_path` is the shell that makes later steps see them."""
    lines = [
        f'python3 -m venv "{folder}"',
        f'echo "$LAYERDOIT" | xargs "{folder}/bin/pip" install --quiet --disable-pip-version-check',
        put_on_path,
    ]
    return Command("Install layerdoit", "\n".join(lines))


def installed(facts: CiFacts) -> str:
    """What is installed, as words of `pip install`."""
    return shlex.join(facts.ci.install) or f"layerdoit=={__version__}"


def login(facts: CiFacts, *, must: bool, push_nothing: str = "") -> Iterator[Command]:
    """Log in by a token that no command line shows. `must`: whether there is nothing to do without one.

    `push_nothing`: shell that makes later steps push nothing.
    """
    from layerdoit.engine.registry_answers import host_of

    if facts.registry is None or facts.ci.login == "none":
        return
    without = (
        (f'  echo "error: the secrets {USER} and {TOKEN} are needed to push to the registry" >&2', "  exit 1")
        if must
        else (
            f'  echo "no {TOKEN}: layers are pulled where anybody may, and none is pushed"',
            *((f"  {push_nothing}",) if push_nothing else ()),
            "  exit 0",
        )
    )
    host = shlex.quote(host_of(facts.registry))
    into = f"""printf '%s' "${TOKEN}" | docker login --username "${USER}" --password-stdin {host}"""
    lines = (f'if [ -z "${TOKEN}" ]; then', *without, "fi", into)
    yield Command("Log in to the registry", "\n".join(lines), (USER, TOKEN))


def summary(facts: CiFacts, file: str) -> Command:
    """Hit rates, times and sizes of this job."""
    return Command("Summary", facts.verb(f'report --summary "{file}"'), always=True)


def workflows(facts: CiFacts) -> tuple[str, ...]:
    """Those to write: a base that is not shared serves nobody."""
    possible = {"build", *(("base",) if facts.registry is not None and "base" in facts.shares else ())}
    return tuple(name for name in facts.ci.workflows if name in possible)


def remarks(facts: CiFacts) -> Iterator[str]:
    """What a user may not expect of the files that are written."""
    if facts.registry is None:
        yield "registry.repository is not set: each job builds all layers itself"
    elif not facts.shares:
        yield "registry.push is empty: jobs use the registry's layers, and share none of theirs"
    if not facts.toolchain:
        yield "no Rust toolchain is named: each runner builds with its own; add a rust-toolchain.toml"
