"""Why a revision may not have the traffic: what Azure says, what its log says, or what its address answers."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from layerdoit.core.doing import Doing, tell
from layerdoit.core.errors import DeployError, LayerdoitError
from layerdoit.deploy.azure import app_logs, az_errors, judging
from layerdoit.deploy.azure.app_state import App, Json, Revision
from layerdoit.deploy.azure.az import Az
from layerdoit.deploy.docker.container_log import plain, quoted
from layerdoit.deploy.probes import PROBE_TIMEOUT, pauses, probe_http
from layerdoit.deploy.settings import DeploySettings

LINES: Final = 20
EVENTS: Final = 5
HTTPS: Final = 443
FIRST: Final = 10.0
"""Seconds that one answer may take: a revision without replicas starts one."""


def unhealthy(az: Az, revision: Revision, what: str, why: str) -> DeployError:
    """The error of a revision that did not become healthy, with all that is known of it."""
    app = az.app()
    said = [why, *_details(az, revision)]
    reasons = "; ".join(dict.fromkeys(one for one in said if one))
    events = app_logs.events(az, revision.name, EVENTS)
    lines = app_logs.last(az, app, revision.name, LINES)
    told = "".join(f"\n  Azure: {one}" for one in events)
    # The replicas of a revision that never ran have no log any more.
    logged = "" if lines is None else f"\n{quoted(plain(lines))}"
    message = f"the new revision {revision.name} {what}: {reasons}{told}{logged}"
    return DeployError(message, hint=_hint(az, app, f"{reasons} {' '.join(events)}"))


def wait_for_answer(az: Az, settings: DeploySettings, app: App, revision: Revision) -> None:
    """Wait until the revision's own address and log are as `deploy.health` wants them. DeployError at the deadline."""
    ends = time.monotonic() + settings.config.health.timeout
    for pause in pauses():
        why = _unmet(az, settings, app, revision, max(ends - time.monotonic(), PROBE_TIMEOUT))
        if why is None:
            return
        if time.monotonic() > ends:
            what = f"runs, but was not healthy within {settings.config.health.timeout:g} s"
            raise _unanswered(unhealthy(az, revision, what, why), settings, app, revision)
        tell(Doing(f"waiting until {revision.name} is healthy: {why}"))
        time.sleep(pause)


def _unmet(az: Az, settings: DeploySettings, app: App, revision: Revision, left: float) -> str | None:
    """What of `deploy.health` does not hold yet; None where all of it does."""
    health = settings.config.health
    if health.path is not None or health.status or health.text is not None:
        at = urlsplit(f"https://{revision.fqdn}")
        asked = (at.hostname or "", at.port or HTTPS, health.path or "/", min(left, FIRST))
        why = probe_http(*asked, statuses=health.status, text=health.text, tls=True)
        if why is not None:
            return why
    if health.log is not None:
        lines = app_logs.last(az, app, revision.name, app_logs.MOST) or []
        if not any(re.search(health.log, line) for line in lines):
            return f"no line of its log matches {health.log}"
    return None


def _unanswered(error: DeployError, settings: DeploySettings, app: App, revision: Revision) -> DeployError:
    if app.external or settings.config.health.path is None:
        url = f"https://{revision.fqdn}{settings.config.health.path or '/'}"
        hint = f"look at {url}, or set deploy.health (path, status, timeout)"
    else:
        hint = (
            f"the ingress of {app.name} is internal: run this inside its network, or leave it to Azure with "
            "deploy: {health: {path: null, platform: true}} and a readiness probe of the app"
        )
    return error.reworded(where=settings.where.get("deploy.health.path"), hint=hint)


def _details(az: Az, revision: Revision) -> list[str]:
    """What the replicas say of their containers."""
    replicas: Sequence[Json] = ()
    with contextlib.suppress(LayerdoitError):
        replicas = az.replicas(revision.name)
    found = [judging.reason(revision)]
    for one in replicas:
        properties = one.get("properties") or {}
        every = [*(properties.get("initContainers") or []), *(properties.get("containers") or [])]
        found += [str(each.get("runningStateDetails") or "") for each in every]
    return found


def _hint(az: Az, app: App, said: str) -> str:
    if any(word in said for word in ("ImagePull", "pulling image", "UNAUTHORIZED", "unauthorized")):
        return az_errors.pull_hint(az.place)
    if any(word in said.casefold() for word in ("probe", "targetport", "target port")) and app.target_port:
        return (
            f"the ingress sends to port {app.target_port}: let the service listen on 0.0.0.0:{app.target_port}, or "
            f"az containerapp ingress update {az.place.options} --target-port <port>"
        )
    return f"fix the problem that its log shows; all of it: az containerapp logs show {az.place.options} --type system"
