"""How cargo is called inside a build."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from layerdoit.cargo.lock import MASKED

if TYPE_CHECKING:
    from layerdoit.project.project import Project


def cargo_args(project: Project, *, bins: bool) -> str:
    """Packages, profile, features and target for cargo, quoted for a shell; equal in both layers but for `bins`."""
    options = project.options
    words = ["--profile", options.profile]
    for package in project.selection.packages:
        words += ["-p", _package_id(project, package, stub=not bins)]
    if options.all_features:
        words.append("--all-features")
    if not options.default_features:
        words.append("--no-default-features")
    if options.features:
        words += ["--features", ",".join(options.features)]
    if options.target:
        words += ["--target", options.target]
    for _, name in project.selection.bins if bins else ():
        words += ["--bin", name]
    return shlex.join(words)


def _package_id(project: Project, key: str, *, stub: bool) -> str:
    """The package as `-p` takes it: by name, and version where an external crate is called the same."""
    package = project.workspace.packages[key]
    if all(entry.source is None for entry in project.lock.by_name.get(package.name, ())):
        return package.name
    real = not stub or package.dir in {source for source, _ in project.stub.copies}
    return f"{package.name}@{package.version if real else MASKED}"


def environment(project: Project) -> str:
    """The configured variables, as lines for a shell; and what keeps cargo in its target folder."""
    variables = list(project.options.env)
    build = project.workspace.config.get("build")
    # It would lead away from the compiled dependencies. Only then: build scripts see it too, and one that runs cargo
    # with a target folder of its own would wait for ever for that of its parent.
    if isinstance(build, dict) and "build-dir" in build:
        variables.append(("CARGO_BUILD_BUILD_DIR", "/build/target"))
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables)
