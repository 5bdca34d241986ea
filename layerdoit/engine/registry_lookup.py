"""What a registry has of the keyed layers, asked through the engine: it has the way there, and pulls them later.

    available(specs, repository, platform_of) -> frozenset[str]   # all at once; no answer in time: not there
    is_given_up(repository) -> bool                               # its registry refused, or did not answer in time
    has(spec, repository) -> bool                                 # RegistryError where it does not answer

The Docker SDK takes 70 ms to import; only a login that a helper program keeps needs it.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlsplit

from layerdoit.core.background import Background, Late
from layerdoit.core.console import warn
from layerdoit.core.errors import EngineError
from layerdoit.core.platform import described_platform
from layerdoit.engine import api, images
from layerdoit.engine.registry_access import RegistryError
from layerdoit.engine.registry_answers import Refusal, host_of, lacking_platform, refusal
from layerdoit.layers.key import Spec, tag

PATIENCE: Final = 10.0
"""Seconds that a registry has to say what it has: then it is done without."""
_given_up: Final = set[str]()
"""Registries that this process does not ask again."""


def available(specs: Iterable[Spec], repository: str, platform_of: Callable[[str], str]) -> frozenset[str]:
    """Local tags of the layers that the registry has under their key. What it does not answer in time, it has not.

    `platform_of`: what an image of a layer is for. All are asked for at once. That the registry refuses, or does not
    answer, is told once in a run; then it is not asked again.
    """
    host, until = host_of(repository), time.monotonic() + PATIENCE
    layers = {spec.tag: spec for spec in specs}
    wanted = {local: tag(repository, spec.layer, spec.key) for local, spec in layers.items()}
    if not wanted or host in _given_up:
        return frozenset()
    asked = {
        local: Background(partial(_lacks, remote, platform_of(layers[local].layer)), until)
        for local, remote in wanted.items()
    }
    found, refused = set(), dict[str, Refusal]()
    for local, job in asked.items():
        try:
            lacks = job.result()
        except Late:
            lacks = Refusal("silent", f"no answer in {PATIENCE:.0f} s")
        if lacks is None:
            found.add(local)
        elif lacks.kind == "platform":
            warn(f"{wanted[local]} is not used: {lacks}\nnext: find out who pushed it, and remove it from the registry")
        elif lacks.kind != "absent":
            refused.setdefault(wanted[local], lacks)
    if refused:
        _given_up.add(host)
        remote, answer = next(iter(refused.items()))
        warn(f"the registry is not used: {answer}\nnext: {answer.advice(remote, 'pull')}")
    return frozenset(found)


def is_given_up(repository: str) -> bool:
    """Whether this process asks the registry of a repository no more."""
    return host_of(repository) in _given_up


def has(spec: Spec, repository: str) -> bool:
    """Whether the registry has a layer under its key. RegistryError where it does not answer."""
    remote = tag(repository, spec.layer, spec.key)
    # What is there for another platform is no copy of what is here.
    answer = _lacks(remote, described_platform(images.Images(api.connect()).inspect(spec.tag) or {}))
    if answer is not None and answer.kind not in ("absent", "platform"):
        raise RegistryError(f"pushing {remote} failed: {answer}", answer, answer.advice(remote, "push"))
    return answer is None


# --- inside ----------------------------------------------------------------------------------------------------------


def _lacks(remote: str, platform: str) -> Refusal | None:
    """None where the registry has an image for a platform; else what it said instead."""
    engine, login = api.connect(), _login(host_of(remote))
    if login is None or not isinstance(engine, api.SocketApi):
        from layerdoit.engine import registry

        return registry.lacks(remote, platform)
    try:
        status, body = engine.asked(f"/distribution/{quote(remote, safe='/:@')}/json", login)
    except EngineError as error:
        return refusal(error.what)
    return lacking_platform(_told(body), platform) if status == 200 else refusal(_message(body))


def _told(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _message(body: bytes) -> str:
    return str(_told(body).get("message") or body.decode(errors="replace"))


def _login(host: str) -> Mapping[str, str] | None:
    """What shows the engine docker's login for a registry; nothing where there is none, None where the SDK knows."""
    try:
        known: Any = json.loads((api.config_folder() / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict) or known.get("credsStore") or known.get("credHelpers") or host == "docker.io":
        return None
    for name, entry in (known.get("auths") or {}).items():
        if (urlsplit(name).netloc if "://" in name else name.partition("/")[0]) == host:
            try:
                user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
            except (ValueError, LookupError, TypeError):
                return None
            if not user:
                return None
            shown = json.dumps({"username": user, "password": password, "serveraddress": host})
            return {"X-Registry-Auth": base64.urlsafe_b64encode(shown.encode()).decode()}
    return {}
