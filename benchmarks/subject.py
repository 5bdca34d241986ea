"""The project that is built: a copy of it in a folder of its own, and the facts that every peer is told."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import engine
from layerdoit.errors import LayerdoitError
from layerdoit.planner import plan_of
from layerdoit.project import Project
from layerdoit.resources import dockerfile_dir
from layerdoit.workspace.manifest import Package, Workspace

_LEFT_OUT = shutil.ignore_patterns("target", ".git", ".layerdoit", ".doit.db*", ".venv", "node_modules")
_GIT = ("git", "-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost", "-c", "core.autocrlf=false")
DODO = "from layerdoit import task_layerdoit\n"


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


@dataclass(frozen=True)
class Places:
    """The files that scenarios edit, relative to the workspace root. `leaf_bin` is the binary that shows the edits."""

    leaf: str
    leaf_package: str
    leaf_manifest: str
    leaf_bin: str
    leaf_edition: str
    deep: str | None
    deep_edition: str
    asset: str | None
    autobins: bool


# --- the copy --------------------------------------------------------------------------------------------------------


def context_of(root: Path, ups: int) -> Path:
    """The folder that holds a workspace and its packages outside of it."""
    return root if ups == 0 else root.parents[ups - 1]


def copy(root: Path, into: Path) -> Path:
    """Copy a project, and local packages outside its root, to below `into`, which becomes a git repository.

    Returns the workspace root in the copy.
    """
    from layerdoit.workspace import manifest

    workspace = manifest.load(root)
    top = context_of(root, workspace.ups)
    for folder in (root, *(root / name for name in workspace.outside)):
        _copy_folder(folder.resolve(), into / os.path.relpath(folder.resolve(), top))
    return into / os.path.relpath(root, top)


def _copy_folder(folder: Path, into: Path) -> None:
    listed = engine.ask(["git", "-C", str(folder), "ls-files", "-z", "-c", "-o", "--exclude-standard"], check=False)
    if not listed:
        shutil.copytree(folder, into, symlinks=True, ignore=_LEFT_OUT, dirs_exist_ok=True)
        return
    for name in listed.split("\0"):
        source = folder / name
        if name and not source.is_dir() and (source.exists() or source.is_symlink()):
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, into / name, follow_symlinks=False)


def start_git(tree: Path) -> None:
    """Make the tree a repository with one commit: the state that scenarios start from and return to."""
    engine.ask([*_GIT, "init", "--quiet", str(tree)])
    (tree / ".git" / "info").mkdir(exist_ok=True)
    (tree / ".git" / "info" / "exclude").write_text(".layerdoit/\n.doit.db*\ntarget/\n__pycache__/\n")
    engine.ask([*_GIT, "-C", str(tree), "add", "--all", "--force", "--", ":!.layerdoit", ":!**/.layerdoit"])
    engine.ask([*_GIT, "-C", str(tree), "commit", "--quiet", "--message", "first state"])


def go_back(tree: Path) -> None:
    """The first state again, as a branch switch makes it."""
    engine.ask([*_GIT, "-C", str(tree), "checkout", "--quiet", "--force", "HEAD", "--", "."])
    engine.ask([*_GIT, "-C", str(tree), "clean", "--quiet", "-f", "-d"])


def configure(root: Path, name: str, profile: str, token: str, entrypoint: str) -> None:
    """A dodo.py and a layerdoit.yaml of the project's own settings under another name.

    The token is an environment variable of the build, so that no earlier run's layer has the same inputs, and stands in
    the commands of the Dockerfiles, so that BuildKit's records of them can be told from others'.
    """
    import yaml

    path = root / "layerdoit.yaml"
    settings = (yaml.safe_load(path.read_text()) if path.exists() else None) or {}
    settings.pop("registry", None)
    image = {key: value for key, value in (settings.get("image") or {}).items() if key not in ("repository", "tags")}
    env = {**(settings.get("env") or {}), "LAYERDOIT_BENCHMARK": token}
    settings |= {"project": name, "profile": profile, "env": env, "image": {**image, "entrypoint": entrypoint}}
    settings["dockerfiles"] = dict(settings.get("dockerfiles") or {})
    for layer, script in (("deps", "sh /ctx/control/cook.sh"), ("app", "sh /control/build.sh")):
        own = settings["dockerfiles"].get(layer)
        text = (root / own if own else dockerfile_dir() / f"Dockerfile.{layer}").read_text()
        settings["dockerfiles"][layer] = f"{token}.Dockerfile.{layer}"
        (root / settings["dockerfiles"][layer]).write_text(text.replace(script, f": {token}; {script}"))
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    (root / "dodo.py").write_text(DODO)


# --- facts -----------------------------------------------------------------------------------------------------------


def original_entrypoint(root: Path) -> str:
    """The binary that the project's image runs."""
    try:
        return Project(root, {}).entrypoint
    except LayerdoitError as error:
        raise engine.Failed(str(error)) from error


def facts(root: Path) -> Facts:
    """Read the facts of a configured copy as it stands; no engine is asked."""
    from layerdoit.invocation import cargo_args

    project = Project(root, {})
    workspace, config = project.workspace, project.config
    ignore = root / ".dockerignore"
    others = {package.dir for package in workspace.packages.values() if not package.member}
    import shlex

    return Facts(
        profile=config.profile,
        target=config.target,
        workdir=os.path.normpath(os.path.relpath(root, context_of(root, workspace.ups))),
        cargo_args=tuple(shlex.split(cargo_args(project, bins=False))),
        bins=project.selection.bins,
        env=tuple((name, value) for name, value in project.options.env if name != "LAYERDOIT_BENCHMARK"),
        other_packages=tuple(sorted(_in_context(root, workspace, folder) for folder in others)),
        assets=tuple((_in_context(root, workspace, path), place) for path, place in config.image.assets.items()),
        user=config.image.user,
        entrypoint=project.entrypoint,
        dockerignore=ignore.read_text() if workspace.ups == 0 and ignore.exists() else "",
        friendly=f"{project.repository}:{project.tags[0]}",
    )


def _in_context(root: Path, workspace: Workspace, path: str) -> str:
    return os.path.relpath(os.path.normpath(root / path), context_of(root, workspace.ups))


def with_base(root: Path, found: Facts) -> Facts:
    """The same facts with the base images that layerdoit made."""
    plan = plan_of(Project(root, {}))
    return replace(found, builder=plan.step("base").spec.tag, runtime=plan.step("runtime").spec.tag)


def size(root: Path) -> dict[str, int]:
    """How big the project is."""
    project = Project(root, {})
    members = sum(package.member for package in project.workspace.packages.values())
    return {"files": len(project.all_sources.entries), "members": members, "locked": len(project.lock.external)}


# --- what to edit ----------------------------------------------------------------------------------------------------


def places(root: Path, entrypoint: str, leaf: str | None, deep: str | None) -> Places:
    """The files to edit: those named, else the entry point's main file and the library that most members stand on."""
    project = Project(root, {})
    workspace = project.workspace
    package = _leaf_package(project, entrypoint, leaf)
    main = leaf or os.path.normpath(f"{package.dir}/{main_file(root / package.dir, package, entrypoint)}")
    below = _deepest(workspace, package) if deep is None else _owner(workspace, deep)
    deep_file = deep or (os.path.normpath(f"{below.dir}/{lib_file(below)}") if below else None)
    names = [name for owner, name in project.selection.bins if workspace.packages[owner] is package]
    return Places(
        leaf=main,
        leaf_package=package.dir,
        leaf_manifest=os.path.normpath(f"{package.dir}/Cargo.toml"),
        leaf_bin=entrypoint if entrypoint in names else names[0],
        leaf_edition=package.edition,
        deep=deep_file,
        deep_edition=below.edition if below else "2021",
        asset=_asset(root, project.config.image.assets),
        autobins=bool(package.manifest.get("package", {}).get("autobins", package.edition != "2015")),
    )


def _leaf_package(project: Project, entrypoint: str, leaf: str | None) -> Package:
    packages = project.workspace.packages
    if leaf is not None:
        owner = _owner(project.workspace, leaf)
        if owner is None or not any(packages[key] is owner for key, _ in project.selection.bins):
            raise engine.Failed(f"--leaf {leaf} belongs to no package whose binaries are built")
        return owner
    return next(packages[key] for key, name in project.selection.bins if name == entrypoint)


def _owner(workspace: Workspace, path: str) -> Package | None:
    found = [
        package for package in workspace.packages.values() if package.dir == "." or path.startswith(f"{package.dir}/")
    ]
    return max(found, key=lambda package: len(package.dir) if package.dir != "." else 0, default=None)


def main_file(folder: Path, package: Package, name: str) -> str:
    """The main file of a binary, relative to its package."""
    for table in package.manifest.get("bin", []):
        if table.get("name") == name and "path" in table:
            return str(table["path"])
    for path in (f"src/bin/{name}.rs", f"src/bin/{name}/main.rs", "src/main.rs"):
        if (folder / path).is_file():
            return path
    raise engine.Failed(f"no main file of {name} was found; name it with --leaf")


def lib_file(package: Package) -> str:
    """The library's root file, relative to its package."""
    return str(package.manifest.get("lib", {}).get("path", "src/lib.rs"))


def _deepest(workspace: Workspace, leaf: Package) -> Package | None:
    """Of the libraries below the leaf the one that most members stand on; of equals the one that stands on least."""
    below = {key: _below(workspace, key) for key in workspace.packages}
    mine = next(key for key, package in workspace.packages.items() if package is leaf)
    reached = below[mine] | ({mine} if leaf.has_lib else set())
    pool = [
        key for key in reached if (found := workspace.packages[key]).has_lib and not found.proc_macro and found.member
    ]

    def rank(key: str) -> tuple[int, int, str]:
        return (-sum(key in others for others in below.values()), len(below[key]), key)

    return workspace.packages[min(pool, key=rank)] if pool else None


def _below(workspace: Workspace, start: str) -> set[str]:
    """The local packages that one stands on, by normal dependencies."""
    found: set[str] = set()
    todo = [start]
    while todo:
        for key in _direct(workspace, todo.pop()):
            if key not in found:
                found.add(key)
                todo.append(key)
    return found - {start}


def _direct(workspace: Workspace, key: str) -> Iterable[str]:
    for dependency in workspace.packages[key].dependencies:
        if dependency.kind == "normal" and dependency.path is not None and dependency.path in workspace.by_dir:
            yield workspace.by_dir[dependency.path]


_TEXTS = (".css", ".js", ".txt", ".svg", ".html")


def _asset(root: Path, assets: Iterable[str]) -> str | None:
    found = []
    for name in assets:
        path = root / name
        files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
        found += [os.path.relpath(item, root) for item in files if item.suffix in _TEXTS]
    return min(found, key=lambda name: (_TEXTS.index(os.path.splitext(name)[1]), name), default=None)
