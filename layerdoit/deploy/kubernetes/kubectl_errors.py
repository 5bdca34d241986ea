"""What kubectl says when it fails, as one message: what is wrong, and the command that helps."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from layerdoit.core.command_errors import CommandFailed
from layerdoit.core.errors import ConfigError, DeployError, LayerdoitError
from layerdoit.core.prose import listed, suggestion

_BY_HAND: Final = re.compile(r"kubectl(-.*)?|layerdoit")
"""Managers that are a person with kubectl, or ourselves in a rollback: the manifests count."""
_OF_A_JOB: Final = "a Job cannot get another image: let migrations be an initContainer, or a hook (before_deploy)"
_CONFLICT: Final = re.compile(r'conflicts? with "([^"]+)"[^:\n]*:((?:\s*\n- \S+)+| \S+)')
_LOGIN: Final = re.compile(
    r"must be logged in to the server|Unauthorized|getting credentials: |provide credentials|token.{0,20}expired|"
    r"certificate has expired",
    re.IGNORECASE,
)
_UNREACHED: Final = re.compile(
    r"Unable to connect to the server|connection to the server .* was refused|no such host|i/o timeout|"
    r"context deadline exceeded|connection refused|TLS handshake timeout|no route to host|network is unreachable",
    re.IGNORECASE,
)
_NOISE: Final = re.compile(
    r'^(?:error: |Error from server(?: \(\w+\))?: )+|error (?:validating|when \w+) "STDIN": |error validating data: |'
    r"; if you choose to ignore these errors, turn validation off with --validate=false"
)
_NO_CONTEXT: Final = re.compile(r'context "([^"]*)" does not exist|context was not found for specified context: (\S+)')
_NO_NAMESPACE: Final = re.compile(r'namespaces "([^"]+)" not found')
_FORBIDDEN: Final = re.compile(r'User "([^"]*)" cannot (\w+) resource "([^"]+)"')
_INVALID: Final = (
    re.compile(r"typed patch object \([^/)]*/(?P<name>[^;]+); [^,]*, Kind=(?P<kind>\w+)\): (?P<why>.*)", re.DOTALL),
    re.compile(r'The (?P<kind>\w+) "(?P<name>[^"]+)" is invalid:\s*(?P<why>.*)', re.DOTALL),
)
_NO_KIND: Final = re.compile(r'no matches for kind "([^"]+)" in version "([^"]+)"')


class Unreached(DeployError):
    """The cluster cannot be asked: unknown, not reached, or not logged in to."""


class Invalid(ConfigError):
    """A manifest that the server does not take. `title`: whose it is."""

    def __init__(self, title: str, why: str, hint: str | None = None) -> None:
        super().__init__(f"{title} is not valid: {why}", hint=hint)
        self.title = title


class Conflict(DeployError):
    """Fields that somebody else manages. `others`: managers that are programs; `by_hand`: fields that people set."""

    def __init__(self, what: str, *, hint: str, others: Sequence[str], by_hand: Sequence[str]) -> None:
        super().__init__(what, hint=hint)
        self.others = tuple(others)
        self.by_hand = tuple(by_hand)


def explained(
    failed: CommandFailed, context: str, namespace: str, where: str | None, contexts: Callable[[], Sequence[str]]
) -> LayerdoitError:
    """The error to raise for what kubectl said."""
    said = failed.stderr.strip() or failed.stdout.strip()
    if _NO_CONTEXT.search(said):
        known = contexts()
        hint = suggestion(context, known, "known contexts") if known else "KUBECONFIG names no file with contexts"
        return ConfigError(f'the kubeconfig has no context "{context}"', where=where, hint=hint)
    if found := _NO_NAMESPACE.search(said):
        hint = f"kubectl --context={context} create namespace {found[1]}"
        return ConfigError(f"the cluster {context} has no namespace {found[1]}", where=where, hint=hint)
    # The more special ones first: their texts may quote the words of the others.
    of_objects = _of_objects(said, context, namespace) or _conflict(said) or _of_access(said, context)
    hint = f"try it by hand: kubectl --context={context} --namespace={namespace} …"
    return of_objects or DeployError(f"kubectl: {_few(said) or failed.what}", hint=hint)


def _of_objects(said: str, context: str, namespace: str) -> LayerdoitError | None:
    if found := _FORBIDDEN.search(said):
        what = f"{found[1]} may not {found[2]} {found[3]} in the namespace {namespace}"
        place = f"--context={context} --namespace={namespace}"
        hint = f"docs/kubernetes.md has the Role that is needed; see also kubectl {place} auth can-i --list"
        return DeployError(what, hint=hint)
    if found := _NO_KIND.search(said):
        hint = "install what defines it, or use a version that `kubectl api-resources` lists"
        return DeployError(f"the cluster {context} knows no {found[1]} of {found[2]}", hint=hint)
    for form in _INVALID:
        if found := form.search(said):
            why = " ".join(found["why"].replace("\n* ", "; ").split()).removeprefix("* ")
            said_of_jobs = _OF_A_JOB if found["kind"] == "Job" and "immutable" in why else None
            return Invalid(f"{found['kind']}/{found['name']}", why, said_of_jobs)
    return None


def _of_access(said: str, context: str) -> Unreached | None:
    if _LOGIN.search(said):
        hint = f"log in to the cluster again, until kubectl --context={context} auth whoami answers"
        program = f": {_last(said)}" if "getting credentials" in said else ""
        return Unreached(f"the cluster {context} does not accept the login{program}", hint=hint)
    if _UNREACHED.search(said):
        hint = f"kubectl --context={context} cluster-info shows its address; is a VPN or a tunnel needed?"
        return Unreached(f"the cluster {context} cannot be reached: {_no_way(said)}", hint=hint)
    return None


def _no_way(said: str) -> str:
    if found := re.search(r"server (\S+) was refused", said):
        return f"{found[1]}: connection refused"
    if found := re.search(r"dial tcp (\S+): (?:connect: )?([^;\n]+)", said):
        return f"{found[1]}: {found[2]}"
    return _last(said)


def _conflict(said: str) -> Conflict | None:
    found = [(one[1], one[2].replace("\n- ", " ").split()) for one in _CONFLICT.finditer(said)]
    if not found or "conflict" not in said:
        return None
    others = [(who, fields) for who, fields in found if not _BY_HAND.fullmatch(who)]
    by_hand = [field for who, fields in found if who != "layerdoit" and _BY_HAND.fullmatch(who) for field in fields]
    named = [f"{listed(fields)} ({who})" for who, fields in others or found]
    hint = "remove these fields from the manifests, or let only one of the two manage the workload"
    what = f"another program manages what the manifests set: {', '.join(named)}"
    return Conflict(what, hint=hint, others=[who for who, _ in others], by_hand=by_hand)


def _last(said: str) -> str:
    """The last line, without what every message of kubectl begins with."""
    lines = [line for line in said.splitlines() if line.strip()]
    return (
        re.sub(r"^(error: |Error from server(?: \(\w+\))?: |E\d{4} \S+\s+\d+ \S+\] )", "", lines[-1]) if lines else ""
    )


def _few(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip() and not re.match(r"[EIW]\d{4} ", line)]
    return "\n".join(_NOISE.sub("", line) for line in lines[:5])
