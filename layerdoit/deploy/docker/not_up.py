"""Why a container did not come up, in one sentence, and the line of layerdoit.yaml that cures it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from layerdoit.deploy.docker import absent_files, denied, ended, loopback, unreached, unset_variables
from layerdoit.deploy.docker.case import Case, Cause
from layerdoit.deploy.docker.sockets import Elsewhere

_FROM_LOG: Final[tuple[Callable[[Case], Cause | None], ...]] = (
    ended.killed,
    ended.loader,
    absent_files.cause,
    unset_variables.cause,
    denied.cause,
    unreached.cause,
)
_ANSWERED: Final = re.compile(r"GET (\S+) answered (\d{3})$")
_NOT_HTTP: Final = re.compile(r"GET \S+: (?:Remote end closed|BadStatusLine|\W*HTTP/|.*reset by peer|.*\\x)")


def found(case: Case, where: Callable[[], Elsewhere | None]) -> Cause | None:
    """What its log says; or where it listens, or what it answers; or else what its sources open and ask for.

    `where`: asks what is wrong with where it listens.
    """
    for ask in _FROM_LOG:
        if (cause := ask(case)) is not None:
            return cause
    if not case.ended:
        if (elsewhere := where()) is None:
            return _answer(case)
        better = loopback.hint(case, elsewhere.port) if elsewhere.port else None
        return elsewhere.cause._replace(hint=better) if better else elsewhere.cause
    return absent_files.argument(case) or ended.usage(case) or _configuration(case)


def _configuration(case: Case) -> Cause | None:
    """A field that is missing comes from a file that is not there, or from no variable."""
    field = unset_variables.field(case)
    return (absent_files.opened(case) or field) if field else None


def _answer(case: Case) -> Cause | None:
    """What its health check got."""
    if _NOT_HTTP.match(case.reason):
        hint = "remove deploy.health.path, so that an open port counts; or set deploy.health.command"
        return Cause("what answers there speaks no HTTP (TLS, gRPC?)", hint, "deploy.health.path")
    answered = _ANSWERED.search(case.reason)
    if answered is None:
        return _not_said(case)
    status = int(answered[2])
    opened = absent_files.opened(case) if status == 404 or status >= 500 else None
    if opened is not None:
        return opened
    if status >= 500:
        hint = "its log may say why; deploy.health (path, command, timeout) says when it is healthy"
        return Cause("", hint, certain=False)
    why = "wants a login" if status in (401, 403) else "has no such route" if status == 404 else "answers otherwise"
    route = "a route that answers without one" if status in (401, 403) else "a route that answers"
    hint = f"name {route}: deploy: {{health: {{path: …}}}}; without a path, an open port counts"
    return Cause(f"it listens, but {why}", hint, "deploy.health.path")


def _not_said(case: Case) -> Cause | None:
    """A text that it does not answer, or a line that it does not log."""
    health = case.settings.config.health
    if health.text is not None and " without the text " in case.reason:
        hint = "name a text that a service has in its answer when it is ready: deploy: {health: {text: …}}"
        return Cause("", hint, "deploy.health.text", certain=False)
    if health.log is not None and case.reason.startswith("no line of its log"):
        hint = "name a regular expression that one of these lines matches: deploy: {health: {log: …}}"
        return Cause("", hint, "deploy.health.log", certain=False)
    return None
