"""A builder's own garbage collection: which of its rules takes cache mounts, and what to configure against it.

`docker buildx inspect` lists the rules that are in force. A running builder without any collects nothing: an engine
that nobody configured to was such a one for years (moby/moby#49826).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from layerdoit.core import process
from layerdoit.core.units import age_text, bytes_of, size_text
from layerdoit.engine.buildx_fields import field
from layerdoit.engine.buildx_program import buildx

MOUNTS: Final = "type==exec.cachemount"
LASTING: Final = 60 * 86_400
"""Seconds without use after which the proposed rules let a mount go, as BuildKit does with everything else."""
LEAST_ROOM: Final = 20_000_000_000
"""Bytes that the proposed rules leave the cache at least."""

_SPANS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}


@dataclass(frozen=True)
class Rule:
    """One rule. `unused`: seconds; `limit`: bytes of cache from which on it takes; None: any, or not told."""

    filters: tuple[str, ...] = ()
    unused: float | None = None
    limit: int | None = None

    @property
    def takes_mounts(self) -> bool:
        """Whether it may take cache mounts."""
        return not self.filters or MOUNTS in self.filters


@dataclass(frozen=True)
class Builder:
    """A builder. `rules`: None while it is not running, for then it does not say."""

    name: str
    driver: str
    rules: tuple[Rule, ...] | None

    @property
    def eats(self) -> Rule | None:
        """The first rule that takes mounts which are a few days or weeks old."""
        return next((rule for rule in self.rules or () if rule.takes_mounts and (rule.unused or 0) < LASTING), None)

    @property
    def threatens(self) -> bool:
        """Whether mounts go after a weekend, or for want of little room."""
        rule = self.eats
        return rule is not None and (bool(rule.unused) or rule.limit is None or rule.limit < LEAST_ROOM)

    @property
    def words(self) -> str:
        """What it does with our mounts, in one sentence."""
        named = f"builder {self.name} ({self.driver})"
        if self.rules is None:
            return f"{named} is not running: its rules of garbage collection are not known"
        rule = self.eats
        if rule is None:
            return f"{named} collects no garbage that could be our mounts"
        beyond = f", once the cache is larger than {size_text(rule.limit)}" if rule.limit is not None else ""
        since = f"that were not used for {age_text(rule.unused)}" if rule.unused else "that were not used lately"
        return f"{named} takes cache mounts {since}{beyond}"


def of(name: str) -> Builder:
    """Ask a builder."""
    return parsed(name, described(name))


def described(name: str, *, start: bool = False) -> str:
    """What `docker buildx inspect` prints; with `start`, of a builder that runs."""
    bootstrap = ["--bootstrap"] if start else []
    return process.capture_quick([*buildx(), "inspect", *bootstrap, name]).decode(errors="replace")


def parsed(name: str, text: str) -> Builder:
    """What `docker buildx inspect` prints. Of several nodes the strictest rules count: all are listed."""
    driver = field(text, "Driver") or "docker"
    running = re.search(r"^Status:\s+running$", text, re.MULTILINE)
    sections = re.split(r"^GC Policy rule#\d+:\n", text, flags=re.MULTILINE)[1:]
    return Builder(name, driver, tuple(map(_rule, sections)) if running else None)


def remedy(builder: Builder, room: int) -> str:
    """The stanza that keeps mounts for 60 days; `room`: bytes that are to fit, doubled. For 0.13 and later alike."""
    limit = max(LEAST_ROOM, 2 * room)
    if builder.driver == "docker":
        text = f"{-(-limit // 1_000_000_000)}GB"
        rules = f'{{"keepStorage": "{text}", "filter": ["unused-for={LASTING // 3600}h"]}}, '
        rules += f'{{"keepStorage": "{text}", "all": true}}'
        return f'"builder": {{"gc": {{"enabled": true, "policy": [{rules}]}}}}'
    lines = ["[worker.oci]", "  gc = true"]
    lines += ["  [[worker.oci.gcpolicy]]", f"    keepDuration = {LASTING}", f"    keepBytes = {limit}"]
    lines += ["  [[worker.oci.gcpolicy]]", "    all = true", f"    keepBytes = {limit}"]
    return "\n".join(lines)


def where(builder: Builder) -> str:
    """The file that the stanza belongs into, and how it comes into force."""
    if builder.driver == "docker":
        return "into the engine's daemon.json (/etc/docker/daemon.json), then restart the engine"
    return "into a buildkitd.toml, then create the builder with docker buildx create --config buildkitd.toml"


def _rule(text: str) -> Rule:
    filters: Iterable[str] = re.split(r"[,\s]+", field(text, "Filters"))
    limits = [bytes_of(field(text, name)) for name in ("Keep Bytes", "Max Used Space", "Reserved Space")]
    return Rule(
        tuple(filter(None, filters)),
        _span(field(text, "Keep Duration")),
        next((limit for limit in limits if limit is not None), None),
    )


def _span(text: str) -> float | None:
    """`48h0m0s` in seconds, as Go writes a duration."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|h|m|s)", text)
    return sum(float(number) * _SPANS[unit] for number, unit in parts) if parts else None
