"""What two services would have at once, as their settings are when those at the top and the variables are laid in:
ports of this machine, names of deployments and images, apps and workloads elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from layerdoit.core.errors import ConfigError

if TYPE_CHECKING:
    from layerdoit.config.call_settings import CallSettings
    from layerdoit.config.schema import Config

_EVERY: Final = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
_OF_ONE: Final = ("deploy.port", "deploy.publish")


class _Claim(NamedTuple):
    """What only one service can have: the setting that says so, its value, and what else must be the same."""

    path: str
    value: Any
    beside: tuple[object, ...] = ()


def check(config: Config, services: Mapping[str, Config]) -> None:
    """Raise for the first thing that two services would have. `services`: each as a project of its own."""
    _refuse_variables(config, services)
    seen: dict[_Claim, str] = {}
    for name, one in services.items():
        for claim in _claims(config, name, one):
            for same in _alike(claim):
                if same in seen:
                    raise _twice(config, one, name, seen[same], claim)
            seen[claim] = name


def of_calls(calls: Mapping[CallSettings, Config]) -> None:
    """The same of calls of a dodo.py for one folder."""
    seen: dict[_Claim, CallSettings] = {}
    for call, config in calls.items():
        for claim in _claims(config, call.part, config) if not config.services else ():
            for same in _alike(claim):
                if same in seen:
                    other = seen[same].prefix or "the tasks without prefix"
                    what = f"{claim.path}: {other} and {call.prefix or 'the tasks without prefix'} would both have it"
                    said = (config.where.get(claim.path), calls[seen[same]].where.get(claim.path), call.where)
                    where = next(filter(None, said))
                    hint = f"give one of them another one: config={{{_as_python(claim.path)}}}"
                    raise ConfigError(f"{what}: {claim.value}", where=where, hint=hint)
            seen[claim] = call


def _claims(config: Config, name: str, one: Config) -> Iterator[_Claim]:
    deploy = one.deploy
    title = "-".join(filter(None, (config.project or "*", name)))
    yield _Claim("deploy.name", deploy.name or title)
    service = config.services.get(name)
    if service is None or not isinstance(service.image, str):
        yield _Claim("image.repository", one.image.repository or title)
    if deploy.provider == "docker" and deploy.publish:
        yield _Claim("deploy.publish", deploy.publish, (deploy.bind,))
    if deploy.provider == "azure-container-apps" and deploy.azure.app:
        yield _Claim("deploy.azure.app", deploy.azure.app, (deploy.azure.subscription, deploy.azure.resource_group))
    if deploy.provider == "kubernetes" and deploy.kubernetes.image:
        where = (deploy.kubernetes.context, deploy.kubernetes.namespace)
        yield _Claim("deploy.kubernetes.image", deploy.kubernetes.image, where)
    if deploy.provider == "compose" and deploy.compose.service:
        yield _Claim("deploy.compose.service", deploy.compose.service, (deploy.compose.file, deploy.compose.project))


def _alike(claim: _Claim) -> Iterator[_Claim]:
    """The claims that it cannot be granted beside."""
    yield claim
    if claim.path == "deploy.publish":
        (bind,) = claim.beside
        yield from (claim._replace(beside=(every,)) for every in _EVERY)
        if bind in _EVERY:
            yield claim._replace(beside=("127.0.0.1",))


def _twice(config: Config, one: Config, name: str, other: str, claim: _Claim) -> ConfigError:
    own = one.where.get(claim.path)
    where = own or config.where.get(f"services.{name}")
    if own and own == config.where.get(claim.path):
        what = f"{claim.path}: {claim.value} at the top is of every service, and both {other} and {name} would have it"
        hint = f"say it of one of them: services: {{{name}: {{{_nested(claim.path)}}}}}"
        return ConfigError(what, where=where, hint=hint)
    what = f"services.{name}.{claim.path}: {other} has {claim.value} already"
    return ConfigError(what, where=where, hint=f"give {name} another one: {_nested(claim.path)}")


def _nested(path: str) -> str:
    *sections, last = path.split(".")
    return "".join(f"{one}: {{" for one in sections) + f"{last}: …" + "}" * len(sections)


def _as_python(path: str) -> str:
    *sections, last = path.split(".")
    return "".join(f'"{one}": {{' for one in sections) + f'"{last}": …' + "}" * len(sections)


def _refuse_variables(config: Config, services: Mapping[str, Config]) -> None:
    """A variable of the command line is of every service; a port is of one."""
    ours = [name for name in services if not isinstance(config.services[name].image, str)]
    if len(ours) < 2:
        return
    for path in _OF_ONE:
        written = config.where.get(path, "")
        variable, equals, value = written.partition("=")
        if equals and variable.isupper() and value != "0":
            what = f"{path} is about one service, and there are {len(ours)}: {', '.join(ours)}"
            hint = f"say it in layerdoit.yaml: services: {{{ours[0]}: {{{_nested(path)}}}}}"
            raise ConfigError(what, where=written, hint=hint)
