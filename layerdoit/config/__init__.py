"""layerdoit.yaml and the command line's variables -> `Config`: typed, frozen, validated. Nothing else reads YAML."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from layerdoit.config import deploy_checks, environments, reading
from layerdoit.config.deploy_section import Deploy, Health, Hooks
from layerdoit.config.kinds import Kind, Node, boolean, choice, repository_name, text
from layerdoit.config.schema import (
    Base,
    Config,
    Deps,
    Dockerfiles,
    Image,
    Keep,
    Registry,
    Retention,
    Sources,
)
from layerdoit.core.errors import ConfigError
from layerdoit.core.prose import suggestion
from layerdoit.layers.key import LAYERS

__all__ = [
    "FILE",
    "LAYERS",
    "VARIABLES",
    "Base",
    "Config",
    "Deploy",
    "Deps",
    "Dockerfiles",
    "Health",
    "Hooks",
    "Image",
    "Keep",
    "Registry",
    "Retention",
    "Sources",
    "Variable",
    "check_choices",
    "check_variables",
    "confirmed",
    "files",
    "laid_over",
    "load",
    "repository_name",
    "switched_on",
    "variable_value",
]

FILE = "layerdoit.yaml"

# --- command line variables ------------------------------------------------------------------------------------------


class Variable(NamedTuple):
    """A `NAME=value` of doit's command line; `path` is the setting that it overrides."""

    name: str
    path: str | None
    kind: Kind
    doc: str


_FIELDS = dict(reading.flat(Config))


def _standing_in(name: str, path: str, doc: str) -> Variable:
    return Variable(name, path, _FIELDS[path].metadata["kind"], doc)


VARIABLES = (
    Variable("CONFIG", None, text("a path"), "A second file like layerdoit.yaml, whose settings override it."),
    Variable("ENV", None, environments.NAME, "Environment: `prod` lays layerdoit.prod.yaml over layerdoit.yaml."),
    Variable("LOCAL_ONLY", None, boolean(), "Build as the environment says, but push and deploy nothing."),
    Variable(
        "TO", None, text("a release"), "Release that `rollback` goes back to: its number, or the start of its commit."
    ),
    Variable("REF", None, text("a branch, tag or commit"), "What `from_source` builds: a branch, a tag or a commit."),
    Variable("REPO", None, text("a repository"), "Repository that `from_source` builds; default: this one's remote."),
    Variable("YES", None, boolean(), "Answer yes to every question."),
    Variable("COLOR", None, choice("auto", "always", "never"), "Colours; otherwise as NO_COLOR and FORCE_COLOR say."),
    _standing_in("PROFILE", "profile", "Cargo profile."),
    _standing_in("TARGET", "target", "Target triple."),
    _standing_in("FEATURES", "features", "Features to enable, separated by commas."),
    _standing_in("TOOLCHAIN", "toolchain", "Rust toolchain; overrides rust-toolchain.toml."),
    _standing_in("WARNINGS", "warnings", "Warnings of the compiler: `show`, `count` or `deny`."),
    _standing_in("BUILDER", "builder", "buildx builder to build on."),
    _standing_in("REGISTRY", "registry.repository", "Repository that keyed layers are pulled from and pushed to."),
    _standing_in("ON_MISSING", "base.on_missing", "`pull,build`, `pull`, `build` or `fail`."),
    _standing_in("PORT", "deploy.port", "Port that the service listens on inside the container."),
    _standing_in("PUBLISH", "deploy.publish", "Port on this machine; 0 picks a free one."),
)
SWITCHES = {"yes": True, "true": True, "1": True, "on": True, "no": False, "false": False, "0": False, "off": False}


def check_variables(given: Iterable[str], extra_known: Collection[str] = ()) -> None:
    """Reject a variable that nothing reads: a misspelt `PROFLIE=release` would build the wrong thing."""
    valid = [*(variable.name for variable in VARIABLES), *extra_known]
    for name in given:
        if name not in valid:
            raise ConfigError(f'unknown variable "{name}"', hint=suggestion(name, valid, "valid variables"))


def variable_value(name: str, written: str) -> Any:
    """A variable's typed value. Raises a ConfigError that lists the valid values."""
    variable = next(variable for variable in VARIABLES if variable.name == name)
    return reading.value(
        variable.kind, _variable_node(variable.kind, written), variable.path or name, f"{name}={written}"
    )


def confirmed(variables: Mapping[str, str]) -> bool:
    """Whether YES was given on the command line."""
    return switched_on("YES", variables)


def switched_on(name: str, variables: Mapping[str, str]) -> bool:
    """Whether a variable that is a switch was given, and says yes."""
    return name in variables and bool(variable_value(name, variables[name]))


def _variable_node(kind: Kind, written: str) -> Node:
    """Parse a variable's text as YAML would, without loading YAML."""
    if kind.many and written != "fail":
        parts = [part.strip() for part in written.split(",")] if written.strip() else []
        return Node(0, tuple(Node(0, part, part) for part in parts), written)
    if not written:
        return Node(0, None)
    if kind.expected == boolean().expected and written.lower() in SWITCHES:
        return Node(0, SWITCHES[written.lower()], written)
    if re.fullmatch(r"-?\d+", written):
        return Node(0, int(written), written)
    return Node(0, written, written)


# --- loading ---------------------------------------------------------------------------------------------------------


def load(
    root: Path, *, overlay: Path | None = None, variables: Mapping[str, str], cache: reading.Cache | None = None
) -> Config:
    """Read layerdoit.yaml, which may be missing.

    The environment's file overrides it, the overlay (`CONFIG=path`) both, variables override all.
    """
    if overlay is not None and not overlay.is_file():
        raise ConfigError(
            f'CONFIG: there is no file "{overlay}"',
            hint="name a file with the same keys as layerdoit.yaml: doit cycle_fast CONFIG=path/to/overrides.yaml",
        )
    common = _checked(root, root / FILE, cache)
    rules = common.values.get("environments", {})
    asked = str(variable_value("ENV", variables["ENV"])) if "ENV" in variables else None
    environment = environments.chosen(root, rules, asked, common.where)
    named = environment != rules.get("default", environments.DEFAULT)
    own = [_checked(root, path, cache) for path in (root / environments.file_of(environment), overlay) if path]
    for one in own:
        if "environments" in one.where:
            what = "the rules of environments belong in layerdoit.yaml, where all of them can be seen"
            raise ConfigError(what, where=one.where["environments"], hint="move them there")
    where: dict[str, str] = {}
    for one in (common, *own):
        where |= one.where
    where |= {path: f"{name}={variables[name]}" for name, path in _standing_for(variables)}
    first = _of_its_own(common, own, environment) if named else common
    values = reading.built(Config, laid_over((one.values for one in (first, *own)), variables))
    found = files(root, overlay, environment)
    config = Config(**values, source=found, where=where, environment=environment, named=named)
    _cross_check(config, root)
    return config


def _checked(root: Path, path: Path, cache: reading.Cache | None) -> reading.Checked:
    """What a file says; nothing where there is none."""
    if not path.is_file():
        return reading.Checked({}, {})
    file = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    return reading.check(Config, reading.read(path, file, cache), file)


def _of_its_own(common: reading.Checked, own: Collection[reading.Checked], environment: str) -> reading.Checked:
    """What an environment takes over of layerdoit.yaml: all, but names that the default environment has there.

    Two environments never share a tag or a container. ConfigError where the environment's file gives it such a tag.
    """
    image, deploy = dict(common.values.get("image", {})), dict(common.values.get("deploy", {}))
    shared = set(image.get("tags", Config().image.tags))
    image["tags"] = (environment,)
    for one in own:
        for tag in one.values.get("image", {}).get("tags", ()):
            if tag in shared:
                hint = f"give {environment} tags of its own; without image.tags it has the tag {environment}"
                what = f'image.tags: "{tag}" is a tag of the default environment, which would move it'
                raise ConfigError(what, where=one.where.get("image.tags"), hint=hint)
    if "name" in deploy:
        deploy["name"] = f"{deploy['name']}-{environment}"
    return common._replace(values={**common.values, "image": image, "deploy": deploy})


def files(root: Path, overlay: Path | None, environment: str) -> tuple[Path, ...]:
    """The configuration files that exist; the overlay comes last."""
    ours = (root / FILE, root / environments.file_of(environment), overlay)
    return tuple(path for path in ours if path is not None and path.is_file())


def laid_over(given: Iterable[Mapping[str, Any]], variables: Mapping[str, str]) -> dict[str, Any]:
    """Merge settings: each file overrides those before it, variables override all."""
    values: dict[str, Any] = {}
    for one in given:
        values = reading.merged(values, one)
    if switched_on("LOCAL_ONLY", variables):
        values = reading.merged(values, {"registry": {"push": ()}})
    for variable, path in _standing_for(variables):
        inner: Any = variable_value(variable, variables[variable])
        for name in reversed(path.split(".")):
            inner = {name: inner}
        values = reading.merged(values, inner)
    return values


def _standing_for(variables: Mapping[str, str]) -> list[tuple[str, str]]:
    """The given variables that override a setting, each with that setting's path."""
    return [(one.name, one.path) for one in VARIABLES if one.path is not None and one.name in variables]


def _cross_check(config: Config, root: Path) -> None:
    """Check settings against each other and against the files of the project."""
    _refuse_credentials(config)
    if config.registry.push and config.registry.repository is None:
        raise ConfigError(
            "registry.push names layers, but registry.repository is not set",
            where=config.where.get("registry.push"),
            hint="set registry.repository, or give REGISTRY=<repository>",
        )
    for found in deploy_checks.contradictions(config.deploy):
        raise ConfigError(found.problem, where=config.where.get(found.path), hint=found.hint)
    for layer in LAYERS:
        path = getattr(config.dockerfiles, layer)
        if path is not None and not (root / path).is_file():
            raise ConfigError(
                f'dockerfiles.{layer}: there is no file "{path}"',
                where=config.where.get(f"dockerfiles.{layer}"),
                hint="give a path relative to the project's root",
            )


def _refuse_credentials(config: Config) -> None:
    """What ends up in an image or in a build's record is no place for a credential."""
    at_run_time = "set it at run time, under deploy.env"
    for path, values, instead in (
        ("env", config.env, "builds get the host's cargo configuration and credentials as build secrets"),
        ("image.env", config.image.env, at_run_time),
        ("image.labels", config.image.labels, at_run_time),
    ):
        for name, given in values.items():
            from layerdoit.config import credentials

            if name not in config.not_secret and (problem := credentials.found(name, given)):
                raise ConfigError(
                    f"{path}.{name}: {problem}: it would be readable in the image",
                    where=config.where.get(f"{path}.{name}"),
                    hint=f"remove it here: {instead}; or, if it is none, say so: not_secret: [{name}]",
                )


def check_choices(config: Config, path: str, given: Iterable[str], valid: Collection[str]) -> None:
    """Reject values that are not in `valid` (profiles, binaries), with file and line."""
    known = sorted(valid)
    for word in given:
        if word not in valid:
            raise ConfigError(
                f'{path}: there is no "{word}"',
                where=config.where.get(path),
                hint=suggestion(word, known, "valid values"),
            )
