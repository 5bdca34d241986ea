"""The project under test: a copy of it, its configuration under another name, and the facts that every peer is told."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from layerdoit import config
from layerdoit.bench import effective
from layerdoit.bench.running import ask
from layerdoit.cargo import manifest, toolchain
from layerdoit.cargo.manifest import Workspace
from layerdoit.core.errors import ProcessError
from layerdoit.core.process import capture_quick
from layerdoit.core.resources import dockerfile_dir
from layerdoit.engine.api import builder_name
from layerdoit.flows.session import Session
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from layerdoit.tree import git, listing

_LEFT_OUT: Final = shutil.ignore_patterns("target", ".git", ".layerdoit", ".doit.db*", ".venv", "node_modules")
# Nothing of a person's own git configuration: no signatures, hooks, or other line ends.
_GIT: Final = (
    *("git", "-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost", "-c", "core.autocrlf=false"),
    *("-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null", "-c", "init.templateDir="),
)
_TOKEN: Final = "LAYERDOIT_BENCHMARK"  # noqa: S105 - the name of a variable
# The command of each layer that stands in its Dockerfile.
_COMMANDS: Final = (("deps", "sh /ctx/control/cook.sh"), ("app", "sh /control/build.sh"))
# Nothing refers to the last stage of the app layer; its name stands in BuildKit's records of its steps.
_LAST_STAGE: Final = re.compile(r"^FROM[ \t]+\S+[ \t]+AS[ \t]+app(?=[ \t]*$)", re.MULTILINE | re.IGNORECASE)
DODO: Final = "from layerdoit import task_layerdoit\n"


@dataclass(frozen=True)
class Facts:
    """What a build of the project needs. Paths are relative to the build context, the folder that holds all of it."""

    profile: str
    target: str | None
    workdir: str
    cargo_args: tuple[str, ...]
    bins: tuple[tuple[str, str], ...]
    env: tuple[tuple[str, str], ...]
    other_packages: tuple[str, ...]
    assets: tuple[tuple[str, str], ...]
    user: str
    entrypoint: str
    dockerignore: str
    friendly: str
    builder: str = ""
    runtime: str = ""

    @property
    def bin_args(self) -> tuple[str, ...]:
        """The binaries, for cargo."""
        return tuple(word for _, name in self.bins for word in ("--bin", name))


# --- the copy --------------------------------------------------------------------------------------------------------


def _ups(workspace: Workspace) -> int:
    """How many folders above the workspace that folder is that holds all of it."""
    return max((name.split("/").count("..") for name in workspace.extra), default=0)


def context_of(root: Path, workspace: Workspace) -> Path:
    """The folder that holds a workspace and its packages outside of it."""
    ups = _ups(workspace)
    return root if ups == 0 else root.parents[ups - 1]


def copy(root: Path, into: Path, also: Iterable[str] = ()) -> Path:
    """Copy a project as it stands, and local packages outside its root, to below `into`.

    `also`: patterns below the root of what belongs to it although git ignores it. Returns the workspace root in the
    copy.
    """
    workspace = manifest.load(root)
    top = context_of(root, workspace)
    for path in (root, *(root / name for name in workspace.extra)):
        copy_one = _copy_folder if path.is_dir() else _copy_file
        copy_one(path.resolve(), into / os.path.relpath(path.resolve(), top))
    copied = into / os.path.relpath(root, top)
    for name in listing.decode(listing.included(root, tuple(also), git.top(str(root)))):
        _copy_file(Path(os.path.normpath(root / name)), Path(os.path.normpath(copied / name)))
    _copy_toolchain_file(root, copied)
    return copied


def _copy_folder(folder: Path, into: Path) -> None:
    try:
        words = ["git", "-C", str(folder), "ls-files", "-z", "-c", "-o", "--exclude-standard"]
        names = listing.decode(capture_quick(words))
    except ProcessError:
        names = []
    if not names:
        shutil.copytree(folder, into, symlinks=True, ignore=_LEFT_OUT, dirs_exist_ok=True)
    for name in names:
        source = folder / name
        if source.is_dir() and not source.is_symlink():
            # A repository inside the repository.
            _copy_folder(source, into / name)
        else:
            _copy_file(source, into / name)


def _copy_file(source: Path, into: Path) -> None:
    if os.path.lexists(source) and not os.path.lexists(into):
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, into, follow_symlinks=False)


def _copy_toolchain_file(root: Path, copied: Path) -> None:
    """The toolchain file that counts for the project may stand above it."""
    path = toolchain.nearest_file(root)
    if path is not None:
        _copy_file(path, copied / path.name)


def start_git(tree: Path) -> None:
    """Make the tree a repository with one commit: the state that scenarios start from and return to."""
    ask([*_GIT, "init", "--quiet", str(tree)])
    (tree / ".git" / "info").mkdir(exist_ok=True)
    (tree / ".git" / "info" / "exclude").write_text(".layerdoit/\n.doit.db*\ntarget/\n__pycache__/\n")
    ask([*_GIT, "-C", str(tree), "add", "--all", "--force", "--", ":!.layerdoit", ":!**/.layerdoit/**"])
    ask([*_GIT, "-C", str(tree), "commit", "--quiet", "--message", "first state"])


def go_back(tree: Path) -> None:
    """The first state again, as a branch switch makes it."""
    ask([*_GIT, "-C", str(tree), "checkout", "--quiet", "--force", "HEAD", "--", "."])
    ask([*_GIT, "-C", str(tree), "clean", "--quiet", "-f", "-d"])


def configure(root: Path, given: Mapping[str, Any], name: str, token: str, entrypoint: str) -> list[str]:
    """A dodo.py and a layerdoit.yaml of the project's own settings under another name.

    Returns the layers whose Dockerfile has no command that could be marked.
    """
    # Nothing is pulled or pushed; all peers build on the engine's own builder.
    values = {key: value for key, value in given.items() if key != "registry"}
    image = {key: value for key, value in (values.get("image") or {}).items() if key not in ("repository", "tags")}
    values |= {"builder": builder_name(), "project": name, "image": {**image, "entrypoint": entrypoint}}
    unmarked = mark(root, values, token)
    (root / config.FILE).write_text(effective.text(values), encoding="utf-8")
    (root / "dodo.py").write_text(DODO, encoding="utf-8")
    return unmarked


def mark(root: Path, values: dict[str, Any], token: str) -> list[str]:
    """Have settings make what nobody else made, and what can be told from others'.

    The token is an environment variable of the build, so that no earlier run's layer has the same inputs, and stands in
    the commands of the Dockerfiles, so that BuildKit's records of them can be told from others'. Returns the layers
    whose Dockerfile has no such command.
    """
    unmarked = []
    deps = values.get("deps") or {}
    # What others compiled is nobody's merit.
    values["deps"] = {"donors": False, **deps, "env": [*(deps.get("env") or ()), _TOKEN]}
    values["env"] = {**(values.get("env") or {}), _TOKEN: token}
    values["dockerfiles"] = dict(values.get("dockerfiles") or {})
    for layer, command in _COMMANDS:
        own = values["dockerfiles"].get(layer)
        text = (root / own if own else dockerfile_dir() / f"Dockerfile.{layer}").read_text(encoding="utf-8")
        if command not in text:
            unmarked.append(layer)
        values["dockerfiles"][layer] = f"{token}.Dockerfile.{layer}"
        marked = _LAST_STAGE.sub(rf"\g<0>-{token}", text.replace(command, f": {token}; {command}"))
        (root / values["dockerfiles"][layer]).write_text(marked, encoding="utf-8")
    return unmarked


# --- facts -----------------------------------------------------------------------------------------------------------


def facts(root: Path) -> Facts:
    """Read the facts of a configured copy as it stands; no engine is asked."""
    from layerdoit.components.rust import cargo_args

    inputs = Session(Run(), Project.open(root, {})).inputs
    project = inputs.project
    workspace, found = project.workspace, project.config
    ignore = root / ".dockerignore"
    others = {package.dir for package in workspace.packages.values() if not package.member}
    return Facts(
        profile=found.profile,
        target=found.target,
        workdir=os.path.normpath(os.path.relpath(root, context_of(root, workspace))),
        cargo_args=tuple(shlex.split(cargo_args(inputs, stubs=True))),
        bins=inputs.selection.bins,
        env=tuple((name, value) for name, value in project.options.env if name != _TOKEN),
        other_packages=tuple(sorted(_in_context(root, workspace, folder) for folder in others)),
        assets=tuple((_in_context(root, workspace, path), place) for path, place in found.image.assets.items()),
        user=found.image.user,
        entrypoint=inputs.entrypoint,
        dockerignore=ignore.read_text() if _ups(workspace) == 0 and ignore.exists() else "",
        friendly=f"{project.repository}:{project.tags[0]}",
    )


def _in_context(root: Path, workspace: Workspace, path: str) -> str:
    return os.path.relpath(os.path.normpath(root / path), context_of(root, workspace))


def with_base(root: Path, found: Facts) -> Facts:
    """The same facts with the base images that layerdoit made."""
    plan = Session(Run(), Project.open(root, {})).plan
    return replace(found, builder=plan.step("base").spec.tag, runtime=plan.step("runtime").spec.tag)


def size(root: Path) -> dict[str, int]:
    """How big the project is."""
    inputs = Session(Run(), Project.open(root, {})).inputs
    project, tree = inputs.project, inputs.tree
    members = sum(package.member for package in project.workspace.packages.values())
    return {"files": len(tree.all_sources.entries), "members": members, "locked": len(tree.lock.external)}
