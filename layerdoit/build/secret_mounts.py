"""The secrets of this machine that a build gets: those that its Dockerfile mounts, and no others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from layerdoit.core.files import write_if_changed
from layerdoit.dockerfile import edit

if TYPE_CHECKING:
    from layerdoit.build.host_secrets import Secrets
    from layerdoit.components.recipe import Recipe
    from layerdoit.engine.buildx import Build
    from layerdoit.layers.plan import Step
    from layerdoit.project.snapshot import Tree


def with_secrets(tree: Tree, made: Recipe, secrets: Secrets) -> Build:
    """The build with those secrets that its Dockerfile mounts; writes the Dockerfile."""
    build = made.build
    public = secrets.open(edit.secrets(made.text))
    for name, content in public.items():
        write_if_changed(build.context / "control" / name, content)
    hidden = secrets.without(public)
    ssh = secrets.ssh and edit.wants_ssh(made.text) and _over_ssh(tree, secrets)
    text = edit.mounts(made.text, hidden.files.keys() | hidden.values.keys(), public, ssh=ssh)
    write_if_changed(build.dockerfile, text.encode())
    return replace(build, secrets=hidden.files, values=hidden.values, ssh=ssh)


def git_sources(tree: Tree, step: Step) -> list[str]:
    """The sources of locked packages, where the step's Dockerfile mounts git's logins."""
    takes = step.spec.layer == "deps" and "git" in edit.secrets(tree.dockerfile("deps").read_text("utf-8"))
    return [package.source or "" for package in tree.lock.external] if takes else []


def _over_ssh(tree: Tree, secrets: Secrets) -> bool:
    from layerdoit.build import git_logins

    others = secrets.without(["git"]).values.values()
    places = (*(package.source or "" for package in tree.lock.external), *others)
    return any("ssh://" in place for place in places) or git_logins.over_ssh(secrets.values.get("git", ""))
