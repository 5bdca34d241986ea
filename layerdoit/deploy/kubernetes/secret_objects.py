"""`deploy.secrets` as Secrets of the cluster: each set of values is one of its own, which no later one changes.

Manifests call it `layerdoit-<deployment>`; what is applied names the one of now. So pods start again when a value
changes, and a release that is gone back to has the values that it had.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Collection, Mapping
from typing import Any

from layerdoit.deploy.kubernetes.kubectl import Kubectl
from layerdoit.deploy.kubernetes.workloads import PREFIX

Json = dict[str, Any]

LABEL = f"{PREFIX}deployment"
_OURS = f"{PREFIX}secrets"


class SecretObjects:
    """The Secrets of one deployment."""

    def __init__(self, kubectl: Kubectl, deployment: str) -> None:
        self._kubectl = kubectl
        self._deployment = deployment
        self.name = f"layerdoit-{deployment}"
        """What manifests call it."""

    def known(self, values: Mapping[str, str]) -> str | None:
        """The Secret that has exactly these values."""
        for one in self._there():
            if _values(one) == values:
                return str(one["metadata"]["name"])
        return None

    def create(self, values: Mapping[str, str]) -> str:
        """A new Secret that has these values."""
        # By chance: a name that follows from the values would tell something about them.
        name = f"{self.name}-{secrets.token_hex(4)}"
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "labels": {LABEL: self._deployment, _OURS: "true"}},
            "immutable": True,
            "stringData": dict(values),
        }
        self._kubectl.run("create", "--filename=-", fed=json.dumps(body))
        return name

    def prune(self, templates: Collection[Json]) -> None:
        """Remove those that no release, of now or before, names."""
        named = json.dumps(list(templates))
        left = [str(one["metadata"]["name"]) for one in self._there()]
        self._remove([name for name in left if f'"{name}"' not in named])

    def remove(self) -> None:
        """Remove all."""
        self._remove([str(one["metadata"]["name"]) for one in self._there()])

    def _remove(self, names: Collection[str]) -> None:
        if names:
            self._kubectl.run("delete", "secret", *names, "--ignore-not-found", "--wait=false")

    def _there(self) -> list[Json]:
        return self._kubectl.objects("secrets", f"--selector={_OURS}=true,{LABEL}={self._deployment}")


def _values(secret: Json) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in (secret.get("data") or {}).items():
        try:
            found[name] = base64.b64decode(value).decode()
        except (binascii.Error, UnicodeDecodeError):
            return {}
    return found
