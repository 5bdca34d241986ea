"""Three ways to start a new container beside the one that serves.

A published port belongs to a container from its creation on, but the engine binds it only while the container is
attached to a network with a way out. So there are:

plain  nothing holds the port: the new container starts as it will serve;
moved  it starts on an internal network, where no port is bound, and changes networks when it is healthy: one start;
again  a throw-away container without a published port proves that the release becomes healthy, then the real one
       starts: for services that need other containers, or the way out, while they start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.engine.container import Container

Way = Literal["plain", "moved", "again"]


def choose(
    old: Container | None, publish: int | None, settings: DeploySettings, holder: Container | None = None
) -> Way:
    """How to start what replaces `old` and publishes that port. `moved` needs containers that are reached directly.

    `holder`: who has the ports of `old`, if not itself.
    """
    if old is None or publish not in {port for _, port in (holder or old).ports.values()}:
        return "plain"
    # A service that was found to need its network is not tried without it once more.
    needs_network = old.label("way") == "again" and old.label("config") == settings.digest()
    # What it needs is out of reach on an isolated network, and connections made there would not outlive the swap.
    connected = settings.config.network is not None or not settings.config.isolated_start or bool(settings.needs)
    return "again" if connected or needs_network else "moved"
