"""LOCAL_ONLY: what an environment says is built, and nothing is pushed or deployed; how to start it is printed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from layerdoit import deploy
from layerdoit.build import execute
from layerdoit.core.console import say
from layerdoit.flows import conditions

if TYPE_CHECKING:
    from layerdoit.deploy.release import Release
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.flows.session import Session


def show(session: Session, release: Release) -> None:
    """Print the line that starts the image as the environment's settings say; the tags are on it."""
    execute.give_tags(session.work, serves=True)
    names = session.project.references
    settings = deploy.settings_of(session.project)
    say(f"image   {', '.join(names or (release.reference,))}; nothing is pushed or deployed (LOCAL_ONLY)")
    words = conditions.started_with(session.project)
    if words is not None:
        say(shlex.join(command(settings, names[0] if names else release.reference, words)))


def command(settings: DeploySettings, image: str, words: Sequence[str] = ()) -> list[str]:
    """`docker run` with ports, mounts and variables; of secrets, only the names. `words`: further options."""
    return ["docker", "run", "--rm", *words, *_options(settings), image, *settings.config.args]


def _options(settings: DeploySettings) -> Iterator[str]:
    config = settings.config
    if config.port is not None:
        yield from ("-p", f"{config.bind}:{config.publish or config.port}:{config.port}")
    for volume in settings.volumes:
        yield from ("-v", volume)
    if config.env_file is not None:
        yield from ("--env-file", config.env_file)
    for name in config.env:
        yield from ("-e", f"{name}={settings.env[name]}")
    for name in config.secrets:
        yield from ("-e", name)
    if config.memory is not None:
        yield from ("--memory", str(config.memory))
    if config.cpus is not None:
        yield from ("--cpus", f"{config.cpus:g}")
