"""Variables of the command line, `NAME=value`: which there are, and the settings that they override."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from layerdoit.config import environments, reading
from layerdoit.config.kinds import Kind, Node, boolean, choice, text
from layerdoit.config.platforms_section import PLATFORM
from layerdoit.config.publish_section import VERSION
from layerdoit.config.registry_section import pushing_nothing
from layerdoit.config.schema import Config
from layerdoit.config.services_section import SERVICE
from layerdoit.core.errors import ConfigError
from layerdoit.core.prose import suggestion


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
    Variable("VERSION", None, VERSION, "Version that is published; default: of the git tag, or of Cargo.toml."),
    Variable("VARIANT", None, SERVICE, "Runtime image to use: one of `variants`."),
    Variable("PLATFORM", None, PLATFORM, "Platform that the image is for, such as linux/arm64; default: the engine's."),
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


def standing_for(variables: Mapping[str, str]) -> list[tuple[str, str]]:
    """The given variables that override a setting, each with that setting's path."""
    return [(one.name, one.path) for one in VARIABLES if one.path is not None and one.name in variables]


def over(values: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """Settings, with what variables override."""
    found = dict(values)
    for variable, path in standing_for(variables):
        inner: Any = variable_value(variable, variables[variable])
        for name in reversed(path.split(".")):
            inner = {name: inner}
        found = reading.merged(found, inner)
    if switched_on("LOCAL_ONLY", variables):
        found["registry"] = pushing_nothing(found.get("registry") or {})
    return found
