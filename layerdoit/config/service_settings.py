"""The settings of one service: those at the top, with its own laid over, so that it is a project like any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from layerdoit.config import reading, served_settings
from layerdoit.config.line_variables import over, variable_value
from layerdoit.config.schema import Config
from layerdoit.core.errors import ConfigError
from layerdoit.core.prose import suggestion

if TYPE_CHECKING:
    from layerdoit.config.services_section import Service

Kind = Literal["compiled", "packed", "served", "foreign"]
"""How a service's image comes about: cargo, a program from elsewhere, the files of a component, somebody else's."""

_OF_PLACE: Final = ("provider", "bind", "network")
"""The settings of `deploy` at the top that are also those of a service whose image is not built here."""
_SHORT: Final = {"port": ("deploy", "port"), "health": ("deploy", "health", "path")}


def kind_of(service: Service) -> Kind:
    """How its image comes about."""
    if isinstance(service.image, str):
        return "foreign"
    if service.serve is not None:
        return "served"
    return "packed" if service.build.binary is not None else "compiled"


def of_service(config: Config, name: str, variables: Mapping[str, str]) -> Config:
    """The settings of one service, as if it were the only program of the project."""
    own = config.given["services"][name]
    common: dict[str, Any] = {path: value for path, value in config.given.items() if path not in ("services", "bins")}
    kind = kind_of(config.services[name])
    served = kind == "served"
    if served:
        common = served_settings.common(common)
    if kind == "foreign":
        # The others are about programs of the project: their health, their secrets, their memory.
        deploy = common.get("deploy", {})
        common["deploy"] = {setting: deploy[setting] for setting in _OF_PLACE if setting in deploy}
        variables = {}
    values = over(reading.merged(common, _overlay(config, name, own)), variables)
    if served:
        values = served_settings.completed(values, config.base.suite)
    return Config(
        **reading.built(Config, values),
        source=config.source,
        environment=config.environment,
        named=config.named,
        where=_where(config, name),
        given=values,
    )


def _overlay(config: Config, name: str, own: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"bins": tuple(own.get("bins", ()))}
    for section in ("image", "deploy", "build"):
        if isinstance(given := own.get(section), Mapping):
            found[section] = dict(given)
    for short, path in _SHORT.items():
        if own.get(short) is not None:
            inner: Any = own[short]
            for part in reversed(path):
                inner = {part: inner}
            found = reading.merged(inner, found)
    base = own.get("base", {})
    more = (*config.base.runtime_packages, *base.get("runtime_packages", ()))
    found["base"] = {**base, "runtime_packages": tuple(dict.fromkeys(more))}
    # Names at the top are those of all: each service has one of its own.
    if config.image.repository and "repository" not in found.get("image", {}):
        found = reading.merged(found, {"image": {"repository": f"{config.image.repository}-{name}"}})
    if config.deploy.name and "name" not in found.get("deploy", {}):
        found = reading.merged(found, {"deploy": {"name": f"{config.deploy.name}-{name}"}})
    return found


def _where(config: Config, name: str) -> dict[str, str]:
    """Where the settings of a service are, by their paths in the settings of a project of its own."""
    start = f"services.{name}."
    own = {path.removeprefix(start): where for path, where in config.where.items() if path.startswith(start)}
    for short, path in _SHORT.items():
        if short in own:
            own.setdefault(".".join(path), own[short])
    return {**config.where, **own}


def of_variant(values: dict[str, Any], variables: Mapping[str, str], where: Mapping[str, str]) -> dict[str, Any]:
    """Settings with the runtime image that VARIANT names; its image has tags of its own."""
    if not variables.get("VARIANT"):
        return values
    name, known = str(variable_value("VARIANT", variables["VARIANT"])), values.get("variants", {})
    if name not in known:
        hint = suggestion(name, sorted(known), "variants") if known else "describe it in layerdoit.yaml: variants"
        raise ConfigError(f'there is no variant "{name}"', where=where.get("variants"), hint=hint)
    base, image = dict(values.get("base", {})), values.get("image", {})
    own = known[name]
    packages = (*base.get("runtime_packages", ()), *own.get("runtime_packages", ()))
    tags = tuple(f"{tag}-{name}" for tag in image.get("tags", Config().image.tags))
    found = {**base, **own, "runtime_packages": tuple(dict.fromkeys(packages))}
    varied = {**values, "base": found, "image": {**image, "tags": tags}}
    if services := values.get("services"):
        varied["services"] = {each: _tagged(one, name) for each, one in services.items()}
    return varied


def _tagged(service: Mapping[str, Any], variant: str) -> Mapping[str, Any]:
    image = service.get("image")
    if not isinstance(image, Mapping) or "tags" not in image:
        return service
    return {**service, "image": {**image, "tags": tuple(f"{tag}-{variant}" for tag in image["tags"])}}


def of_its_own(service: Mapping[str, Any], environment: str) -> Mapping[str, Any]:
    """What a named environment takes over of a service: all, but the names that the default environment has there."""
    found = dict(service)
    if isinstance(image := service.get("image"), Mapping):
        found["image"] = {name: value for name, value in image.items() if name != "tags"}
    if "name" in (deploy := service.get("deploy", {})):
        found["deploy"] = {**deploy, "name": f"{deploy['name']}-{environment}"}
    return found


def shared_tags(common: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Tags in the file of an environment that the default environment has in the same repository: path, and tag."""
    every, mine = common.get("image", {}).get("tags", Config().image.tags), own.get("image", {}).get("tags", ())
    yield from (("image.tags", tag) for tag in mine if tag in every)
    theirs = own.get("services", {})
    for name, service in common.get("services", {}).items():
        path, tags = "image.tags", mine
        if (given := _tags(theirs.get(name, {}))) is not None:
            path, tags = f"services.{name}.image.tags", given
        before = _tags(service)
        yield from ((path, tag) for tag in tags if tag in (every if before is None else before))


def _tags(service: Mapping[str, Any]) -> Sequence[str] | None:
    image = service.get("image")
    found: Sequence[str] | None = image.get("tags") if isinstance(image, Mapping) else None
    return found
