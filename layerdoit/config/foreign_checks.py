"""What a service whose image is not built here cannot have: settings of images and releases, or another one's data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from layerdoit.core.errors import ConfigError

if TYPE_CHECKING:
    from layerdoit.config.schema import Config

_OF_RELEASES: Final = ("verify", "drain", "isolated_start")


def check(config: Config) -> Iterator[ConfigError]:
    """What is wrong with services of images that are not built here, in their order."""
    for name, given in config.given.get("services", {}).items():
        image = given.get("image")
        if not isinstance(image, str):
            continue
        path = f"services.{name}"
        for other in ("serve", "base", "static"):
            if given.get(other):
                yield _nothing_to(config, f"{path}.{other}", image)
        if (given.get("build") or {}).get("binary"):
            yield _nothing_to(config, f"{path}.build.binary", image)
        deploy = given.get("deploy", {})
        for setting in _OF_RELEASES:
            if setting in deploy:
                yield _nothing_to(config, f"{path}.deploy.{setting}", image)
        if deploy.get("gap") == "none":
            what = f"{path}.deploy.gap: of {image} no second one is started beside the first: both would have its data"
            yield ConfigError(what, where=config.where.get(f"{path}.deploy.gap"), hint="remove it")
    yield from _same_data(config)


def _nothing_to(config: Config, path: str, image: str) -> ConfigError:
    what = f"{path} has no effect: {image} is not built here"
    where = config.where.get(path) or next((at for one, at in config.where.items() if one.startswith(f"{path}.")), None)
    return ConfigError(what, where=where, hint="remove it, or the image")


def _same_data(config: Config) -> Iterator[ConfigError]:
    """Two containers of one image on one volume would ruin what is in it."""
    seen: dict[tuple[str, str], str] = {}
    for name, service in config.services.items():
        if not isinstance(service.image, str):
            continue
        for volume in service.deploy.volumes:
            source = volume.partition(":")[0]
            other = seen.setdefault((service.image, source), name)
            if other != name:
                yield ConfigError(
                    f"services.{name}.deploy.volumes: {other} has {source} already, and both run {service.image}",
                    where=config.where.get(f"services.{name}.deploy.volumes"),
                    hint=f"give {name} another volume",
                )
