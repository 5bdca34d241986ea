"""Cargo.lock: is it there, does it fit the manifests, is it everybody's?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from layerdoit.cargo import lock_drift
from layerdoit.cargo.toml_lines import where
from layerdoit.doctor.finding import Finding, Rule, rules

if TYPE_CHECKING:
    from layerdoit.cargo.lock import Lock
    from layerdoit.cargo.manifest import Workspace

MISSING = Rule(
    "lock-missing",
    "error",
    "There is no Cargo.lock.",
    "without it, two builds of the same sources may use different crates, and layers cannot be keyed",
    "run `cargo generate-lockfile` and commit Cargo.lock",
)
IGNORED = Rule(
    "lock-ignored",
    "warning",
    "git ignores Cargo.lock.",
    "the next clone has none, so its image is built from other crates, or not at all",
    "remove Cargo.lock from .gitignore and commit it",
)
STALE = Rule(
    "lock-stale",
    "error",
    "Cargo.lock is out of date.",
    "builds run with --locked, so that they use exactly the crates that were tested: cargo refuses",
    lock_drift.UPDATE,
)
PATCH = Rule(
    "patch-unused",
    "warning",
    "A [patch] is not used.",
    "the crate that it should replace is compiled as it was published, usually because the versions do not match",
    "give the patched crate a version that meets the requirements, or remove the patch",
)
RULES = tuple(rules(globals()))


def stale(ws: Workspace, lock: Lock) -> Iterator[Finding]:
    """Where `cargo build --locked` would refuse the lockfile: one finding per difference."""
    return (STALE.found(drift.what, drift.where(ws)) for drift in lock_drift.drifts(ws, lock))


def unused_patches(ws: Workspace, lock: Lock) -> Iterator[Finding]:
    """cargo notes them in the lockfile."""
    text = (ws.root / "Cargo.toml").read_text(encoding="utf-8")
    for package in lock.unused:
        source = next((name for name, table in ws.manifest.get("patch", {}).items() if package.name in table), None)
        place = where("Cargo.toml", text, ("patch", source, package.name)) if source else "Cargo.lock"
        yield PATCH.found(f"the patch for `{package.name}` ({package.version}) is not used", place)
