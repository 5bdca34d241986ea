"""How a deployment is started that a watch keeps: under a supervisor, its programs where the watch can replace them.

The supervisor is the container's first process and starts what the image would start. Two volumes are mounted: CONTROL
has the supervisor and the sockets on which it listens; PROGRAMS takes the place of the folder in which images have
their programs, and begins as a copy of that. The workshop of the watch has both, too.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from layerdoit.engine import live_volumes

PROGRAMS: Final = "/usr/local/bin"
"""Where images of ours have their programs."""
CONTROL: Final = "/.layerdoit"
"""Where a live container has the supervisor: `CONTROL/live`; its socket is `CONTROL/<token>`."""
SUPERVISOR: Final = f"{CONTROL}/live"
LABEL: Final = live_volumes.LIVE
"""Of a live container: `<watch>/<token>`. The token is the container's own: two stand beside one another in a swap."""
AHEAD: Final = "ahead"
"""The folder of the control volume that says whose programs serve, a file for each deployment; empty: the image's."""


class Live(NamedTuple):
    """What a watch hands to deployments. `watch`: names it, in lower case, without a slash."""

    watch: str

    @property
    def control(self) -> str:
        """The volume with the supervisor, of all deployments of the watch."""
        return f"layerdoit-live-{self.watch}"

    def programs(self, deployment: str) -> str:
        """The volume with the programs of a deployment."""
        return f"{self.control}.{deployment}"
