"""Services and components of a configured project: does each have its program, its port, its lock file?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.core.prose import listed, suggestion
from layerdoit.doctor.finding import Finding, Rule, rules

if TYPE_CHECKING:
    from layerdoit.config import Config

COMPONENT = Rule(
    "component",
    "error",
    "A component cannot be installed: its lock file is missing or older than package.json, or its script is not there.",
    "nothing is installed or built, and no image that has its output",
    "correct it and run again",
)
COMMITTED = Rule(
    "output-committed",
    "warning",
    "Git tracks files of the folder that a component builds.",
    "images have what the component builds, the repository what somebody built at some time: the two drift apart",
    "git rm -r --cached the folder, and add it to .gitignore",
)
INSTALLED = Rule(
    "node-modules",
    "hint",
    "Git does not ignore the node_modules of a component.",
    "`git add .` takes thousands of files that belong to nobody here, and a run has to look at each until then",
    "add node_modules/ to .gitignore",
)
PORT = Rule(
    "service-port",
    "warning",
    "The configured port is another one than the program binds.",
    "the container is never reached, and a deployment waits for it in vain",
    "correct port (deploy.port), or the address in the source",
)
LEFT = Rule(
    "in-no-service",
    "hint",
    "Programs of the workspace are in no service.",
    "with `services:`, only their programs are compiled: who expects another one in an image looks for it in vain",
    "add it to the bins of a service, or make it a service; if it is run by hand only, nothing",
)
NEED = Rule(
    "need-unknown",
    "error",
    "A service needs one that is neither in the table nor in a compose file.",
    "the service is not deployed: what it waits for never starts",
    "correct `needs:`, or add the service: needs of the table are images, those of the compose file are started by it",
)
RULES = tuple(rules(globals()))


class Broken(NamedTuple):
    """Why a component cannot be installed."""

    name: str
    what: str
    where: str | None
    fix: str | None


class Bound(NamedTuple):
    """The port that a program binds, whatever its surroundings say. `service`: '' where there are none."""

    service: str
    program: str
    port: int
    where: str


class Parts(NamedTuple):
    """What was found. `committed`: component -> a tracked file of its output; `open`: those whose packages git sees.

    `programs`: binaries that would be services or tools; `composed`: services of the compose file, None if not known.
    """

    broken: tuple[Broken, ...] = ()
    committed: Mapping[str, str] = {}
    open: tuple[str, ...] = ()
    bound: tuple[Bound, ...] = ()
    programs: tuple[str, ...] = ()
    composed: frozenset[str] | None = frozenset()


def parts(found: Parts, config: Config) -> Iterator[Finding]:
    """Judge all of it."""
    where = config.where
    for one in found.broken:
        yield COMPONENT.found(f"the component {one.name}: {one.what}", one.where, fix=one.fix)
    for name, file in found.committed.items():
        place = where.get(f"components.{name}.output", where.get(f"components.{name}"))
        yield COMMITTED.found(f"git tracks {file}, which the component {name} builds", place)
    for name in found.open:
        yield INSTALLED.found(f"git sees node_modules of the component {name}", where.get(f"components.{name}"))
    yield from _ports(found, config)
    yield from _services(found, config)


def _ports(found: Parts, config: Config) -> Iterator[Finding]:
    for one in found.bound:
        if one.service:
            service = config.services[one.service]
            port = service.port or service.deploy.port or config.deploy.port
            paths = [f"services.{one.service}.port", f"services.{one.service}.deploy.port", "deploy.port"]
        else:
            port, paths = config.deploy.port, ["deploy.port"]
        if port is not None and port != one.port:
            place = next((config.where[path] for path in paths if path in config.where), None)
            what = f"{one.program} binds port {one.port} ({one.where}), and the configuration says {port}"
            yield PORT.found(what, place)


def _services(found: Parts, config: Config) -> Iterator[Finding]:
    if not config.services:
        return
    held = {name for service in config.services.values() for name in service.bins} | set(config.bins)
    if left := [name for name in found.programs if name not in held]:
        what = f"{listed(left, 6)} {'is' if len(left) == 1 else 'are'} in no service, and so in no image"
        yield LEFT.found(what, config.where.get("services"))
    if found.composed is None:
        return
    every = found.composed | set(config.services)
    for name, service in config.services.items():
        for needed in service.needs:
            if needed not in every:
                known = sorted(every - {name})
                place = config.where.get(f"services.{name}.needs")
                hint = suggestion(needed, known, "services") if known else None
                yield NEED.found(f'{name} needs "{needed}", which nobody is', place, fix=hint)
