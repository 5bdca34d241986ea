"""The supervisor of live containers, compiled where the project is: in its deps image, into the volume of a watch."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from layerdoit.core import process
from layerdoit.core.errors import DeployError
from layerdoit.core.resources import dockerfile_dir
from layerdoit.deploy.live import CONTROL
from layerdoit.engine import live_volumes
from layerdoit.engine.live_volumes import File

if TYPE_CHECKING:
    from layerdoit.deploy.live import Live
    from layerdoit.flows.session import Session

SOURCES: Final = ("live.c", "listeners.h", "processes.h", "signals.h", "sockets.h")
_COMPILE = (
    "tar -x -C / && chmod 1777 . && mkdir -p -m 1777 ahead "
    "&& { cc -O2 -w -static -o live.part /tmp/live.c || cc -O2 -w -o live.part /tmp/live.c; } "
    "&& chmod 755 live.part && mv live.part live"
)
_OF = "live.of"
"""The file that says of what it was compiled, and in which image: another one may have other libraries."""


def have(session: Session, live: Live) -> None:
    """Have it in the control volume, compiled in this deps image. DeployError where that has no C compiler."""
    whole = session.whole or session
    project = whole.project
    live_volumes.ensure([live.control], project.name, project.owner, live.watch)
    image = next(step.spec.tag for one in whole.built for step in one.plan.steps if step.spec.layer == "deps")
    mounted = ["--volume", f"{live.control}:{CONTROL}", "--network", "none", "--entrypoint", "sh"]
    compiles = f'{_COMPILE} && echo "$1" >{_OF}'
    command = f'cd {CONTROL} && {{ [ "$1" = "$(cat {_OF} 2>/dev/null)" ] || {{ {compiles}; }}; }}'
    sources = {name: (dockerfile_dir() / name).read_bytes() for name in SOURCES}
    made_of = f"{hashlib.sha256(b''.join(sources.values())).hexdigest()} {image}"
    done = process.capture(
        ["docker", "run", "--rm", "--interactive", *mounted, image, "-c", command, "sh", made_of],
        input=live_volumes.packed("tmp", [File(*one) for one in sources.items()]),
        check=False,
    )
    if done.code != 0:
        what = f"the supervisor of the watch does not compile in {image}: {done.stderr.strip()[-500:]}"
        raise DeployError(what, hint="the base image needs a C compiler (base.packages: [gcc, libc6-dev])")
