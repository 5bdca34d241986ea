"""The revision that a release becomes: what is asked of Azure, and whether a revision is that already."""

from __future__ import annotations

import math
import re
import secrets as chance
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from layerdoit.deploy.azure.app_state import MARK, App, Json, Mark, Revision, mark_of
from layerdoit.deploy.provider import Release

OURS: Final = "layerdoit-"
"""How the secrets of an app begin that are ours. Each value has a secret of its own, so that a revision keeps the value
that it was made with: a new one cannot break what serves, and a rollback has the old one."""
_LONGEST: Final = 50
_STEP: Final = 2**28  # Azure gives memory in quarters of a GiB
_KEY: Final = 10
"""Characters of the key in a revision's name."""


@dataclass(frozen=True)
class Wanted:
    """What a release is to run with. `secrets`: variable -> secret of the app; `values`: of the app's own secrets."""

    release: Release
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    cpus: float | None = None
    memory: int | None = None
    before: tuple[str, ...] = ()
    project: str = ""
    revision: str = ""

    @property
    def mark(self) -> Mark:
        """What the revision says about itself."""
        one, names = self.release, tuple(sorted((*self.env, *self.secrets)))
        who = (one.key, one.commit, one.environment, one.id)
        return Mark(*who, names, self.before, bool(self.args), self.project, self.revision)


def container(template: Json, name: str, wanted: Wanted) -> dict[str, Any]:
    """The container of a release, made of the one that an app's template has: what is the user's stays."""
    before = next(one for one in template["containers"] if one["name"] == name)
    mark = mark_of(before) or Mark("")
    dropped = {MARK, *mark.variables, *wanted.env, *wanted.secrets}
    kept = [_variable(one) for one in before.get("env") or [] if one["name"] not in dropped]
    ours = [{"name": one, "value": value} for one, value in sorted(wanted.env.items())]
    ours += [{"name": one, "secretRef": secret} for one, secret in sorted(wanted.secrets.items())]
    marked = {"name": MARK, "value": wanted.mark.text()}
    found = {**before, "image": wanted.release.reference, "env": [*kept, *ours, marked]}
    if wanted.args:
        found["args"] = list(wanted.args)
    elif mark.args:
        found.pop("args", None)
    size = dict(before.get("resources") or {})
    if wanted.cpus is not None:
        size["cpu"] = wanted.cpus
    if wanted.memory is not None:
        size["memory"] = f"{math.ceil(wanted.memory / _STEP) / 4:g}Gi"
    # What Azure works out itself must not be sent.
    size.pop("ephemeralStorage", None)
    return {**found, "resources": size} if size else found


def is_already(revision: Revision, asked: Json) -> bool:
    """Whether a revision runs just this: image, variables, arguments, size. Its mark may name another commit."""
    return revision.mark is not None and _facts(revision.container) == _facts(asked)


def _facts(one: Json) -> tuple[Any, ...]:
    env = {entry["name"]: (entry.get("secretRef") or "", entry.get("value") or "") for entry in one.get("env") or []}
    mark = mark_of(one)
    env.pop(MARK, None)
    size = one.get("resources") or {}
    memory = str(size.get("memory", "")).removesuffix("Gi")
    return (
        one.get("image"),
        env,
        list(one.get("args") or []),
        list(one.get("command") or []),
        float(size.get("cpu") or 0),
        float(memory) if re.fullmatch(r"[\d.]+", memory) else memory,
        mark.key if mark else "",
    )


def body(app: App, asked: Json, suffix: str, traffic: Sequence[Json] | None, secrets: Sequence[Json] | None) -> Json:
    """The request that makes the revision and in the same step pins the traffic to what serves."""
    others = [_sent(one) for one in app.template["containers"] if one["name"] != asked["name"]]
    configuration: dict[str, Any] = {}
    if traffic is not None:
        configuration["ingress"] = {"traffic": list(traffic)}
    if secrets is not None:
        configuration["secrets"] = list(secrets)
    template = {"containers": [asked, *others], "revisionSuffix": suffix}
    return {"properties": {"template": template, **({"configuration": configuration} if configuration else {})}}


def suffix(app: str, key: str, taken: Iterable[str]) -> str:
    """The part of a revision's name that tells it from others: the key, with a number where that is taken."""
    names = set(taken)
    base = f"r{re.sub('[^a-z0-9]', '', key.lower())[:_KEY]}"
    number = 1
    while f"{app}--{base}{f'-{number}' if number > 1 else ''}" in names:
        number += 1
    return f"{base}-{number}" if number > 1 else base


def secret_names(
    wanted: Mapping[str, str], there: Mapping[str, str], token: str | None = None
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Variable -> secret of the app, and the secrets that are new; one that has the value already serves again.

    `there`: name -> value of what the app has. A name tells nothing about the value.
    """
    names: dict[str, str] = {}
    new: dict[str, str] = {}
    for variable, value in wanted.items():
        stem = f"{OURS}{re.sub('[^a-z0-9]+', '-', variable.lower()).strip('-')}"[:_LONGEST]
        known = (
            one for one, had in there.items() if had == value and re.fullmatch(rf"{re.escape(stem)}-[0-9a-f]{{8}}", one)
        )
        names[variable] = found = next(known, "") or f"{stem}-{token or chance.token_hex(4)}"
        if found not in there:
            new[found] = value
    return names, new


def needed_secrets(app: App, revisions: Iterable[Revision], kept: int) -> set[str]:
    """Names of the app's secrets that stay: the user's, and those of active revisions and of the newest others."""
    newest = sorted(revisions, key=lambda one: (one.active, one.created), reverse=True)
    held = [one for number, one in enumerate(newest) if one.active or number < kept]
    used = {
        str(entry["secretRef"])
        for one in held
        for each in (one.template.get("containers") or [])
        for entry in each.get("env") or []
        if entry.get("secretRef")
    }
    return {one for one in app.secrets if not one.startswith(OURS) or one in used}


def _variable(one: Json) -> Json:
    # Azure leaves out the value of an empty variable, and refuses one without a value.
    return one if one.get("secretRef") or "value" in one else {**one, "value": ""}


def _sent(one: Json) -> Json:
    size = {name: value for name, value in (one.get("resources") or {}).items() if name != "ephemeralStorage"}
    return {**one, "env": [_variable(entry) for entry in one.get("env") or []], **({"resources": size} if size else {})}
