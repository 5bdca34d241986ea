"""A builder's own garbage collection: which rule removes cache mounts, and what to configure instead.

`docker buildx inspect` lists the rules in force. A running builder without any rule collects nothing: an engine
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
"""Seconds without use after which the proposed rules remove a mount, as BuildKit does with everything else."""
STARTS: Final = 300.0
"""Seconds that a builder has to start, for which its image may be pulled. buildx itself gives a pod up after two
minutes, and has no limit for others."""
LEAST_ROOM: Final = 20_000_000_000
"""The least number of bytes that the proposed rules leave to the cache."""

_SPANS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}


@dataclass(frozen=True)
class Rule:
    """One rule. `unused`: seconds; `limit`: the size of the cache from which it applies; None: any, or unknown."""

    filters: tuple[str, ...] = ()
    unused: float | None = None
    limit: int | None = None

    @property
    def takes_mounts(self) -> bool:
        """Whether it may remove cache mounts."""
        return not self.filters or MOUNTS in self.filters


@dataclass(frozen=True)
class Builder:
    """A builder. `rules`: None while it is not running, because it then does not report them."""

    name: str
    driver: str
    rules: tuple[Rule, ...] | None

    @property
    def mount_rule(self) -> Rule | None:
        """The first rule that removes mounts that are a few days or weeks old."""
        return next((rule for rule in self.rules or () if rule.takes_mounts and (rule.unused or 0) < LASTING), None)

    @property
    def threatens(self) -> bool:
        """Whether mounts are removed after a weekend, or for a little space."""
        rule = self.mount_rule
        return rule is not None and (bool(rule.unused) or rule.limit is None or rule.limit < LEAST_ROOM)

    @property
    def words(self) -> str:
        """What it does with cache mounts, in one sentence."""
        named = f"builder {self.name} ({self.driver})"
        if self.rules is None:
            return f"{named} is not running: its garbage collection rules are unknown"
        rule = self.mount_rule
        if rule is None:
            return f"{named} does not garbage-collect cache mounts"
        beyond = f", once the cache is larger than {size_text(rule.limit)}" if rule.limit is not None else ""
        since = f"not used for {age_text(rule.unused)}" if rule.unused else "not used recently"
        return f"{named} removes cache mounts {since}{beyond}"


def inspect(name: str) -> Builder:
    """Ask a builder for its rules."""
    return parse(name, inspect_output(name))


def inspect_output(name: str, *, start: bool = False) -> str:
    """The output of `docker buildx inspect`; with `start`, starts the builder first. `TookTooLong` after `STARTS`."""
    bootstrap = ["--bootstrap"] if start else []
    return process.capture_quick([*buildx(), "inspect", *bootstrap, name], seconds=STARTS).decode(errors="replace")


def parse(name: str, text: str) -> Builder:
    """Read the output of `docker buildx inspect`. It lists the rules of all nodes; the strictest counts."""
    driver = field(text, "Driver") or "docker"
    running = re.search(r"^Status:\s+running$", text, re.MULTILINE)
    sections = re.split(r"^GC Policy rule#\d+:\n", text, flags=re.MULTILINE)[1:]
    return Builder(name, driver, tuple(map(_rule, sections)) if running else None)


def remedy(builder: Builder, room: int) -> str:
    """The stanza that keeps mounts for 60 days, for 0.13 and later. `room`: bytes to fit; twice as much is given."""
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
    """Where the stanza goes, and how to apply it."""
    if builder.driver == "docker":
        return "to the engine's daemon.json (/etc/docker/daemon.json), then restart the engine"
    if builder.driver == "remote":
        return "to the buildkitd.toml of its daemon (/etc/buildkit/buildkitd.toml there), then restart that"
    return "to a buildkitd.toml, then create the builder with docker buildx create --config buildkitd.toml"


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
