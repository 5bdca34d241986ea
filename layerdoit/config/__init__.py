"""layerdoit.yaml and the command line's variables -> `Config`: typed, frozen, validated. Nothing else reads YAML."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from layerdoit.config import deploy_checks, environments, reading, service_checks, service_clashes, service_settings
from layerdoit.config.call_settings import CallSettings
from layerdoit.config.components_section import Component
from layerdoit.config.deploy_section import Deploy, Health, Hooks
from layerdoit.config.image_section import Image
from layerdoit.config.keep_section import Keep, RegistryKeep, RegistryRetention
from layerdoit.config.kinds import repository_name
from layerdoit.config.line_variables import (
    VARIABLES,
    Variable,
    check_variables,
    confirmed,
    over,
    standing_for,
    switched_on,
    variable_value,
)
from layerdoit.config.registry_section import Registry
from layerdoit.config.schema import Base, Config, Deps, Dockerfiles, Retention, Sources
from layerdoit.config.service_settings import of_service
from layerdoit.config.services_section import Service, ServiceBase, Static
from layerdoit.core.errors import ConfigError
from layerdoit.core.platform import glibc_of
from layerdoit.core.prose import suggestion
from layerdoit.layers.key import LAYERS

__all__ = [
    "FILE",
    "LAYERS",
    "VARIABLES",
    "Base",
    "CallSettings",
    "Component",
    "Config",
    "Deploy",
    "Deps",
    "Dockerfiles",
    "Health",
    "Hooks",
    "Image",
    "Keep",
    "Registry",
    "RegistryKeep",
    "RegistryRetention",
    "Retention",
    "Service",
    "ServiceBase",
    "Sources",
    "Static",
    "Variable",
    "check_choices",
    "check_variables",
    "confirmed",
    "files",
    "laid_over",
    "load",
    "of_service",
    "over",
    "repository_name",
    "switched_on",
    "variable_value",
]

FILE = "layerdoit.yaml"

# --- loading ---------------------------------------------------------------------------------------------------------


def load(
    root: Path,
    *,
    overlay: Path | None = None,
    variables: Mapping[str, str],
    cache: reading.Cache | None = None,
    call: CallSettings | None = None,
) -> Config:
    """Read layerdoit.yaml, which may be missing.

    What a `call` in the dodo.py says overrides it, the environment's file both, the overlay (`CONFIG=path`) all three,
    variables override all.
    """
    if overlay is not None and not overlay.is_file():
        raise ConfigError(
            f'CONFIG: there is no file "{overlay}"',
            hint="name a file with the same keys as layerdoit.yaml: doit cycle_fast CONFIG=path/to/overrides.yaml",
        )
    common = _with_call(_checked(root, root / FILE, cache), call, root, cache)
    rules = common.values.get("environments", {})
    asked = str(variable_value("ENV", variables["ENV"])) if "ENV" in variables else None
    environment = environments.chosen(root, rules, asked, common.where)
    named = environment != rules.get("default", environments.DEFAULT)
    own = [_checked(root, path, cache) for path in (root / environments.file_of(environment), overlay) if path]
    for one in own:
        _refuse_rules(one)
    where: dict[str, str] = {}
    for one in (common, *own):
        where |= one.where
    where |= {path: f"{name}={variables[name]}" for name, path in standing_for(variables)}
    first = _of_its_own(common, own, environment) if named else common
    given = service_settings.of_variant(laid_over(one.values for one in (first, *own)), variables, where)
    values = reading.built(Config, over(given, variables))
    of_call = (call.file,) if call is not None and call.file is not None else ()
    found = (*of_call, *files(root, overlay, environment))
    config = Config(**values, source=found, where=where, environment=environment, named=named, given=given)
    _cross_check(config, root)
    service_checks.check(config)
    services = {name: service_settings.of_service(config, name, variables) for name in config.services}
    service_clashes.check(config, services)
    for name, service in services.items():
        _cross_check(service, root, f"services.{name}: ")
    return config


def _with_call(
    common: reading.Checked, call: CallSettings | None, root: Path, cache: reading.Cache | None
) -> reading.Checked:
    """layerdoit.yaml, with the settings of a call laid over."""
    if call is None or not call.given:
        return common
    own = call.checked(root, cache)
    _refuse_rules(own)
    return reading.Checked(laid_over([common.values, own.values]), {**common.where, **own.where})


def _refuse_rules(own: reading.Checked) -> None:
    if "environments" in own.where:
        what = "the rules of environments belong in layerdoit.yaml, where all of them can be seen"
        raise ConfigError(what, where=own.where["environments"], hint="move them there")


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
    for one in own:
        for path, tag in service_settings.shared_tags(common.values, one.values):
            hint = f"give {environment} tags of its own; without image.tags it has the tag {environment}"
            what = f'{path}: "{tag}" is a tag of the default environment, which would move it'
            raise ConfigError(what, where=one.where.get(path), hint=hint)
    image["tags"] = (environment,)
    if "name" in deploy:
        deploy["name"] = f"{deploy['name']}-{environment}"
    found = {**common.values, "image": image, "deploy": deploy}
    if given := common.values.get("services"):
        found["services"] = {name: service_settings.of_its_own(one, environment) for name, one in given.items()}
    return common._replace(values=found)


def files(root: Path, overlay: Path | None, environment: str) -> tuple[Path, ...]:
    """The configuration files that exist; the overlay comes last."""
    ours = (root / FILE, root / environments.file_of(environment), overlay)
    return tuple(path for path in ours if path is not None and path.is_file())


def laid_over(given: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge settings: each file overrides those before it."""
    values: dict[str, Any] = {}
    for one in given:
        values = reading.merged(values, one)
    return values


def _cross_check(config: Config, root: Path, whose: str = "") -> None:
    """Check settings against each other and against the files of the project. `whose`: the service's."""
    _refuse_credentials(config)
    named = next((name for name in ("push", "pull") if getattr(config.registry, name)), None)
    if named is not None and config.registry.repository is None:
        raise ConfigError(
            f"registry.{named} names layers, but registry.repository is not set",
            where=config.where.get(f"registry.{named}"),
            hint="set registry.repository, or give REGISTRY=<repository>",
        )
    # Where there are services, the top is of none of them alone.
    deployed = deploy_checks.contradictions(config.deploy) if not config.services else ()
    for found in (*config.deps.sccache.contradictions(config.env), *deployed):
        raise ConfigError(f"{whose}{found.problem}", where=config.where.get(found.path), hint=found.hint)
    _check_glibc(config)
    for layer in LAYERS:
        path = getattr(config.dockerfiles, layer)
        if path is not None and not (root / path).is_file():
            raise ConfigError(
                f'dockerfiles.{layer}: there is no file "{path}"',
                where=config.where.get(f"dockerfiles.{layer}"),
                hint="give a path relative to the project's root",
            )


def _check_glibc(config: Config) -> None:
    version = glibc_of(config.target or "")[1]
    if version and config.cross != "zig":
        raise ConfigError(
            f"target: {config.target} names a version of glibc, and only zig links for another one than the builder's",
            where=config.where.get("target"),
            hint=f"add cross: zig, or leave out .{version}",
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
