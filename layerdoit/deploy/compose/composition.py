"""A compose project as `docker compose config` resolves it, and which of its services is ours. Pure."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from layerdoit.core.errors import DeployError
from layerdoit.core.prose import suggestion
from layerdoit.engine.container import health_test

Values = Mapping[str, Any]
Strategy = Literal["beside", "tried", "recreate"]
"""A service is replaced by one that started beside it; after a trial without its ports; or only when it has stopped."""

_SHARED: Final = ("network_mode", "ipc", "pid")
# What says how a service is built, ordered or counted, and not what it is started with.
_NO_MATTER: Final = ("build", "depends_on", "deploy", "scale", "profiles", "develop", "pull_policy", "image")
_POLICIES: Final = {"any": "always", "on-failure": "on-failure", "unless-stopped": "unless-stopped", "always": "always"}
_PROGRESS: Final = re.compile(r"(Network|Container|Volume|Image) \S+ +[A-Z][a-z]+$")
_IN_IMAGE_NAME: Final = re.compile(r"[:@]")


@dataclass(frozen=True)
class Service:
    """One service with everything resolved. `name`: in the compose file."""

    name: str
    values: Values

    @property
    def replicas(self) -> int:
        """How many containers of it run at once."""
        of_deploy = (self.values.get("deploy") or {}).get("replicas")
        return int(self.values.get("scale") or of_deploy or 1)

    @property
    def needs(self) -> Mapping[str, str]:
        """The services that are started before it, and what is waited for."""
        return {name: str(how.get("condition", "")) for name, how in (self.values.get("depends_on") or {}).items()}

    @property
    def fixed_ports(self) -> tuple[str, ...]:
        """Ports of this machine that only one container can have."""
        found = (str(one.get("published") or "") for one in self.values.get("ports") or ())
        return tuple(port for port in found if port and "-" not in port and port != "0")

    @property
    def ports(self) -> tuple[int, ...]:
        """TCP ports that it listens on, as far as `ports` and `expose` tell; published ones first."""
        published = [int(one["target"]) for one in self.values.get("ports") or () if one.get("protocol") != "udp"]
        exposed = [str(one) for one in self.values.get("expose") or ()]
        return (*published, *(int(one.removesuffix("/tcp")) for one in exposed if re.fullmatch(r"\d+(/tcp)?", one)))

    @property
    def check(self) -> tuple[str, ...] | None:
        """The command of its own health check."""
        healthcheck = self.values.get("healthcheck") or {}
        test = healthcheck.get("test") or ()
        if isinstance(test, str):
            test = ("CMD-SHELL", test)
        return None if healthcheck.get("disable") else health_test(_plain(test))

    @property
    def entrypoint(self) -> tuple[str, ...] | None:
        """What it starts in place of the image's entry point; None where it says nothing."""
        given = self.values.get("entrypoint")
        return None if given is None else _plain(given)

    @property
    def command(self) -> tuple[str, ...] | None:
        """What it starts in place of the image's command; None where it says nothing."""
        given = self.values.get("command")
        return None if given is None else _plain(given)

    @property
    def mounted(self) -> tuple[str, ...]:
        """Where it mounts something, in its containers."""
        found = [str(one.get("target")) for one in self.values.get("volumes") or ()]
        plain = self.values.get("tmpfs") or ()
        found += [one.partition(":")[0] for one in ((plain,) if isinstance(plain, str) else plain)]
        return tuple(map(os.path.normpath, found))

    @property
    def restart(self) -> str:
        """The engine's policy for when a container of it ends; '' for one that ends by itself after some attempts."""
        policy = (self.values.get("deploy") or {}).get("restart_policy")
        if policy is not None and "restart" not in self.values:
            return "" if policy.get("max_attempts") else _POLICIES.get(str(policy.get("condition") or "any"), "no")
        given = str(self.values.get("restart") or "no")
        return "" if ":" in given else given

    @property
    def alone(self) -> str | None:
        """Why no second container of it can run, even without its ports; None where one can."""
        if self.values.get("network_mode") == "host":
            return "network_mode: host"
        for network in (self.values.get("networks") or {}).values():
            if network and ("ipv4_address" in network or "ipv6_address" in network):
                return "its fixed address in a network"
        shared = next((key for key in _SHARED if _of_another(self.values.get(key))), None)
        return f"{shared}: {self.values[shared]}" if shared else None

    def strategy(self, wanted: str | None) -> Strategy:
        """The way in which a container is replaced."""
        if wanted == "recreate" or self.alone:
            return "recreate"
        return "tried" if self.fixed_ports else "beside"


def _plain(words: Sequence[str]) -> tuple[str, ...]:
    """Words as they are: docker compose prints them as they would be written in a file, where `$` is a variable."""
    return tuple(word.replace("$$", "$") for word in words)


def _of_another(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("service:", "container:"))


@dataclass(frozen=True)
class Composition:
    """`name`: of the compose project; `raw`: what docker compose printed."""

    name: str
    services: Mapping[str, Service]
    raw: Values

    @classmethod
    def of(cls, raw: Values) -> Composition:
        """Of the JSON that docker compose prints."""
        services = {name: Service(name, values) for name, values in (raw.get("services") or {}).items()}
        return cls(str(raw["name"]), services, raw)

    def chosen(self, wanted: str | None, root: Path, images: Collection[str], files: str, called: str = "") -> Service:
        """The service that runs our image: the one that is named, or built from the project, or runs such an image.

        DeployError where none or several are. `images`: what the project's image is called; `files`: the compose files;
        `called`: which of several services of the project is meant, '' where it has one image.
        """
        if wanted is not None:
            if wanted not in self.services:
                raise DeployError(
                    f'deploy.compose.service: there is no service "{wanted}" in {files}',
                    hint=suggestion(wanted, sorted(self.services), "its services") if self.services else None,
                )
            return self.services[wanted]
        if called in self.services:
            return self.services[called]
        built = _built_from(self.services.values(), root)
        if called:
            built = [one for one in built if (one.values.get("build") or {}).get("target") == called]
        found = built or [
            one for one in self.services.values() if _repository(str(one.values.get("image") or "")) in images
        ]
        names = sorted(one.name for one in found)
        if len(found) == 1:
            return found[0]
        if called:
            raise DeployError(
                f"{files} has no service {called}, and none that is built with the target {called} or runs its image: "
                f"{', '.join(sorted(self.services)) or 'it has none'}",
                hint=f"name the one that runs it: services: {{{called}: {{deploy: {{compose: {{service: …}}}}}}}}",
            )
        if not found:
            raise DeployError(
                f"no service of {files} is built from this project or runs its image: "
                f"{', '.join(sorted(self.services)) or 'it has none'}",
                hint="name the one that runs it: deploy: {compose: {service: …}}",
            )
        likely = min(found, key=lambda one: ("ports" not in one.values, "expose" not in one.values, one.name))
        raise DeployError(
            f"{len(found)} services of {files} are built from this project: {', '.join(names)}",
            hint=f"name the one that is replaced with care: deploy: {{compose: {{service: {likely.name}}}}}; "
            "the others get the same image",
        )

    def siblings(self, service: Service) -> tuple[Service, ...]:
        """Other services that are built in the same way, such as a worker, or migrations: they get our image, too."""
        build = service.values.get("build")
        others = (one for one in self.services.values() if one.name != service.name)
        return tuple(one for one in others if build and _recipe(one.values.get("build")) == _recipe(build))

    def before(self, service: Service, more: Collection[str] = ()) -> tuple[Service, ...]:
        """All services that it needs, each after those that it needs itself. `more`: needed, too, as we know."""
        found: dict[str, Service] = {}

        def visit(names: Collection[str], above: tuple[str, ...]) -> None:
            for name in sorted(names):
                if name in self.services and name not in found and name not in above:
                    visit(self.services[name].needs, (*above, name))
                    found[name] = self.services[name]

        visit({*service.needs, *more}, (service.name,))
        return tuple(found.values())

    def after(self, service: Service, more: Collection[str] = ()) -> tuple[Service, ...]:
        """The services that it does not need."""
        before = {one.name for one in self.before(service, more)} | {service.name}
        return tuple(one for name, one in self.services.items() if name not in before)

    def once(self) -> frozenset[str]:
        """Services that do their work and end: others wait for that."""
        needs = (item for one in self.services.values() for item in one.needs.items())
        return frozenset(name for name, how in needs if how == "service_completed_successfully")

    def sharing(self, service: Service) -> str | None:
        """A setting of another service that binds it to this one's container; None where there is none."""
        for one in self.services.values():
            for key in _SHARED:
                if one.values.get(key) == f"service:{service.name}":
                    return f"{one.name} has {key}: service:{service.name}"
        return None

    def network(self, service: Service) -> str:
        """What the engine calls the first network of a service; '' for one that has none of its own."""
        known = self.raw.get("networks") or {}
        return next((str((known.get(one) or {}).get("name") or "") for one in service.values.get("networks") or ()), "")

    def digest(self, service: Service) -> str:
        """Names what a service is started with, besides the image."""
        facts: dict[str, Any] = {key: value for key, value in service.values.items() if key not in _NO_MATTER}
        facts["resources"] = (service.values.get("deploy") or {}).get("resources")
        for kind in ("networks", "volumes", "secrets", "configs"):
            facts[f"all {kind}"] = self.raw.get(kind)
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _built_from(services: Collection[Service], root: Path) -> list[Service]:
    """Services whose build context is the project's folder, or else one above it with a Dockerfile in it."""
    here = os.path.realpath(root)
    contexts = {one.name: _recipe(one.values.get("build")) for one in services}
    exact = [one for one in services if (found := contexts[one.name]) and os.path.realpath(found[0]) == here]
    if exact:
        return exact
    return [
        one
        for one in services
        if (found := contexts[one.name])
        and os.path.realpath(os.path.join(found[0], found[1])).startswith(here + os.sep)
        and here.startswith(os.path.realpath(found[0]) + os.sep)
    ]


def _recipe(build: Values | None) -> tuple[str, str, str] | None:
    if not build or not build.get("context"):
        return None
    return str(build["context"]), str(build.get("dockerfile") or "Dockerfile"), str(build.get("target") or "")


def _repository(image: str) -> str:
    """`web` of `registry:5000/team/web:1.2@sha256:…`."""
    return _IN_IMAGE_NAME.split(image.rpartition("/")[2])[0]


def warnings(stderr: str) -> Iterator[str]:
    """What docker compose warns of, each once, in its own words."""
    seen = set()
    for line in stderr.splitlines():
        found = re.search(r'level=warning msg="((?:[^"\\]|\\.)*)"', line)
        if found and found[1] not in seen:
            seen.add(found[1])
            yield re.sub(r"\\(.)", r"\1", found[1])


def error_lines(stderr: str) -> Sequence[str]:
    """What it says besides warnings and progress."""
    lines = (line.strip() for line in stderr.splitlines())
    return [line for line in lines if line and "level=warning" not in line and not _PROGRESS.match(line)]


def path_in(message: str) -> tuple[str, ...]:
    """The service and the keys that a message is about: `services.web.ports.0` -> web, ports, 0."""
    found = re.search(r"services\.([\w-]+)((?:\.[\w-]+)*)", message)
    if found:
        return (found[1], *filter(None, found[2].split(".")))
    named = re.search(r'service "([\w.-]+)"', message)
    return (named[1],) if named else ()
