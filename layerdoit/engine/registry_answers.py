"""What a registry, or the way to it, said instead of yes: which kind of refusal it is, and what helps against it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from layerdoit.core.masking import redact
from layerdoit.core.platform import alike

Kind = Literal[
    "refused",
    "name",
    "silent",
    "ca",
    "certificate",
    "plain",
    "login",
    "rights",
    "absent",
    "platform",
    "quota",
    "unchangeable",
    "broken",
    "other",
]

LONGEST: Final = 300

# Go wraps errors from the outside in: `Get "https://…": dial tcp: lookup …: no such host`. The first that fits counts.
_SIGNS: Final[tuple[tuple[Kind, str], ...]] = (
    ("plain", r"server gave HTTP response to HTTPS client"),
    ("ca", r"unknown authority|self-signed|self signed|unable to get local issuer"),
    ("certificate", r"x509:|tls: |certificate (?:has expired|is not valid|is valid for)"),
    ("name", r"no such host|server misbehaving|name resolution|name or service not known"),
    ("refused", r"connection refused"),
    ("silent", r"Client\.Timeout|Remote end closed|handshake timeout|deadline exceeded|i/o timeout|timed out"),
    ("silent", r"network is unreachable|no route to host|connection reset|dial tcp|\bEOF$"),
    ("quota", r"too ?many ?requests|\b429\b|quota|\b507\b|insufficient storage|\b413\b"),
    ("login", r"unauthorized|no basic auth credentials|authentication required|incorrect username|\b401\b"),
    ("rights", r"denied|forbidden|\b403\b"),
    ("platform", r"no matching manifest|no match for platform|does not match the specified platform"),
    ("absent", r"not found|(?:manifest|name)[ _]unknown|name[ _]invalid|No such image|does not exist|\b404\b"),
    ("unchangeable", r"\b405\b|read-only|operation is unsupported"),
    ("broken", r"HTTP status:? 5\d\d|HTTP 5\d\d|status code:? 5\d\d|status:? 5\d\d|service unavailable|bad gateway"),
)
_UNREACHABLE: Final[frozenset[Kind]] = frozenset({"refused", "name", "silent"})


class Refusal(NamedTuple):
    """A kind, and the answer's own words."""

    kind: Kind
    said: str

    @property
    def unreachable(self) -> bool:
        """Whether nobody answers there at all."""
        return self.kind in _UNREACHABLE

    def __str__(self) -> str:
        """As it stands in a sentence."""
        last = self.said.rpartition(": ")[2]
        return f"the registry cannot be reached ({last})" if self.unreachable else self.said

    def advice(self, reference: str, verb: Literal["push", "pull", "delete"]) -> str:
        """What to do next. `reference`: the image that was asked for."""
        host, name = host_of(reference), reference.rpartition(":")[0] or reference
        to = {"push": "to ", "pull": "", "delete": "in "}[verb]
        return {
            "refused": f"nothing listens at {host}: start the registry, or correct the address",
            "name": f"{host} has no address here: correct the name, or look at the network (DNS, VPN)",
            "silent": f"look at the network between the Docker engine and {host} (VPN, proxy, firewall)",
            "ca": (
                "the engine does not know the CA that signed the registry's certificate: "
                f"put it into /etc/docker/certs.d/{host}/ca.crt on the engine's machine"
            ),
            "certificate": f"the certificate of {host} is not valid: renew it there, or look at this machine's clock",
            "plain": (
                f"{host} speaks HTTP, not HTTPS: give it a certificate, or add it to insecure-registries "
                "in /etc/docker/daemon.json"
            ),
            "login": f"run docker login {host}",
            "rights": f"run docker login {host} as a user who may {verb} {to}{name}, or ask for that right",
            "absent": (
                f"create the repository {name} in the registry"
                if verb == "push"
                else f"look whether {reference} is in the registry"
            ),
            "platform": f"{reference} has no image for this platform: build and push it on such a machine",
            "quota": "the registry's limit is reached: wait, or free some space there, or have the limit raised",
            "unchangeable": (
                f"{host} removes nothing: have deletion switched on where it runs (storage.delete.enabled: true of a "
                "Docker registry), look whether it is read-only, or remove images by its own means"
                if verb == "delete"
                else f"{host} takes no changes: look whether it is read-only or a mirror"
            ),
            "broken": f"the registry {host} itself failed: try again, and tell who runs it",
            "other": (
                f"look into the log of {host}"
                if verb == "delete"
                else f"try docker {verb} {reference} by hand, which says more"
            ),
        }[self.kind]


def refusal(error: object) -> Refusal:
    """What an error of the engine or of the SDK, or a line of buildx, says of a registry."""
    text = str(getattr(error, "explanation", None) or error).strip()
    text = redact(text.splitlines()[0] if text else type(error).__name__)
    kind: Kind = next((kind for kind, signs in _SIGNS if re.search(signs, text, re.IGNORECASE)), "other")
    return Refusal(kind, text if kind in _UNREACHABLE else text[:LONGEST])


def lacking_platform(told: Mapping[str, Any], platform: str) -> Refusal | None:
    """Why an image in a registry is of no use for a platform, by what the engine tells of it; None where it is."""
    listed = [one for one in told.get("Platforms") or () if isinstance(one, dict)]
    named = [f"{one.get('os') or ''}/{one.get('architecture') or ''}" for one in listed]
    has = [name for name in dict.fromkeys(named) if name not in ("unknown/unknown", "/")]
    if not has or any(alike(name, platform) for name in has):
        return None
    return Refusal("platform", f"it is there only for {', '.join(has)}, not for {platform}")


def host_of(reference: str) -> str:
    """The registry of an image name, as docker reads it: the first part, if it cannot be a plain name."""
    found = reference.partition("/")[0] if has_registry(reference) else "docker.io"
    return "docker.io" if found == "index.docker.io" else found


def has_registry(repository: str) -> bool:
    """Whether the name of a repository says in which registry it is."""
    first, slash, _ = repository.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")
