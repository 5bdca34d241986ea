"""What services and components say that cannot be: names that nobody has, names that two have, needs in a circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from layerdoit.config import foreign_checks
from layerdoit.config.service_settings import kind_of
from layerdoit.core.errors import ConfigError
from layerdoit.core.prose import suggestion

if TYPE_CHECKING:
    from layerdoit.config.schema import Config


def check(config: Config) -> None:
    """Raise a ConfigError for the first thing that cannot be."""
    for error in (*foreign_checks.check(config), *_services(config), *_components(config)):
        raise error


def _services(config: Config) -> Iterator[ConfigError]:
    started: dict[object, str] = {}
    if config.services and config.build.binary is not None:
        hint = f"say of which one it is: services: {{{next(iter(config.services))}: {{build: {{binary: …}}}}}}"
        what = "build.binary: with services, each has a program of its own"
        yield ConfigError(what, where=config.where.get("build.binary"), hint=hint)
    for name, service in config.services.items():
        path = f"services.{name}"
        where = config.where.get(path)
        kind = kind_of(service)
        if kind == "served" and service.build.binary is not None:
            where = config.where.get(f"{path}.build.binary", where)
            yield ConfigError(f"{path}: it has both build.binary and serve", where=where, hint="remove one of the two")
        if kind == "compiled" and not service.bins:
            what = f"{path}: it has no program"
            hint = "name its binaries (bins: [api]), a component that it serves, or an image that is not built here"
            yield ConfigError(what, where=where, hint=hint)
        if kind != "compiled" and service.bins:
            other = {"foreign": "image", "served": "serve", "packed": "build.binary"}[kind]
            yield ConfigError(f"{path}: it has both bins and {other}", where=where, hint="remove one of the two")
        if service.serve is not None and service.serve not in config.components:
            known = sorted(config.components)
            hint = suggestion(service.serve, known, "components") if known else "describe it under components:"
            where = config.where.get(f"{path}.serve")
            yield ConfigError(f'{path}.serve: there is no component "{service.serve}"', where=where, hint=hint)
        yield from _page(config, name)
        if kind == "compiled" and service.bins:
            yield from _same_program(config, name, started)
    yield from _circles(config)


def _page(config: Config, name: str) -> Iterator[ConfigError]:
    service, path = config.services[name], f"services.{name}.static"
    where = config.where.get(path)
    if service.serve is None and "static" in config.given["services"][name]:
        yield ConfigError(f"{path}: it serves no files", where=where, hint="say whose: serve: web, a component")
    for proxied, address in service.static.proxy.items():
        line = config.where.get(f"{path}.proxy.{proxied}", config.where.get(f"{path}.proxy", where))
        if proxied == "/":
            hint = "name the paths that the other service answers: proxy: {/api: …}"
            yield ConfigError(f"{path}.proxy: with /, nothing is left of the page", where=line, hint=hint)
        if "$" in address + proxied:
            what = f"{path}.proxy.{proxied}: nginx would take what follows $ for a variable"
            yield ConfigError(what, where=line, hint="write %24 for $")


def _same_program(config: Config, name: str, started: dict[object, str]) -> Iterator[ConfigError]:
    """Two services may start one binary in two ways; in the same way, one of them is a mistake."""
    service = config.services[name]
    image, deploy = service.image, service.deploy
    if isinstance(image, str):
        return
    program = image.entrypoint or service.bins[0]
    how = (program, image.cmd, deploy.args, tuple(sorted({**image.env, **deploy.env}.items())))
    if how in started:
        what = f"services.{name}: {started[how]} starts the same binary, {program}, in the same way"
        hint = "give each its own binary, or its own arguments: deploy: {args: [worker]}"
        yield ConfigError(what, where=config.where.get(f"services.{name}.bins"), hint=hint)
    started.setdefault(how, name)


def _circles(config: Config) -> Iterator[ConfigError]:
    """Services that wait for one another."""
    try:
        tuple(TopologicalSorter(needs(config)).static_order())
    except CycleError as error:
        found = " → ".join(reversed(error.args[1]))
        where = config.where.get(f"services.{error.args[1][0]}.needs")
        yield ConfigError(f"services need one another: {found}", where=where, hint="remove one of these needs")


def needs(config: Config) -> Mapping[str, set[str]]:
    """What each service of the table needs of the table."""
    return {name: {other for other in one.needs if other in config.services} for name, one in config.services.items()}


def _components(config: Config) -> Iterator[ConfigError]:
    served = {service.serve for service in config.services.values()}
    places: dict[str, str] = {}
    for name, component in config.components.items():
        path = f"components.{name}"
        where = config.where.get(path)
        if component.into is None and not component.embed and name not in served:
            hint = "say where its files go: into: /srv/web, embed: true, or a service with serve: " + name
            yield ConfigError(f"{path}: nothing uses what it builds", where=where, hint=hint)
        if name in config.services:
            what = f"{path}: there is a service of this name, and the images of both would be called the same"
            yield ConfigError(what, where=where, hint=f"call the component otherwise, such as {name}-files")
        for service in component.services:
            if service not in config.services:
                hint = suggestion(service, sorted(config.services), "services")
                what = f'{path}.services: there is no service "{service}"'
                yield ConfigError(what, where=config.where.get(f"{path}.services"), hint=hint)
        folder = (component.path or name).rstrip("/")
        if folder in places:
            what = f"{path}.path: {places[folder]} is in the folder {folder}, too"
            yield ConfigError(what, where=config.where.get(f"{path}.path", where), hint="one component has a folder")
        places[folder] = name
