"""Containers and their networks. We only change those with the labels of this project and deployment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from layerdoit.config.environments import DEFAULT
from layerdoit.core.errors import DeployError
from layerdoit.engine import sdk
from layerdoit.engine.api import endpoint, is_socket
from layerdoit.engine.container import Container, NoNetwork, PortTaken, Refused, Spec, described, name_taken, strays
from layerdoit.engine.images import PREFIX, label
from layerdoit.engine.inside import SDK_TIMEOUT, Inside
from layerdoit.engine.ownership import ANYONE, FOLDER, LABEL, Owner, refused

ENVIRONMENT: Final = "environment"
_BUILT_IN_NETWORKS: Final = ("bridge", "default", "host", "none")

# runc's own first process died before it ran anything of the image: seen once in thousands of starts.
_RUNC_DIED: Final = "waiting for init preliminary setup"


class Containers(Inside):
    """The containers of one deployment of one project, in one environment, or where none is named, in any."""

    def __init__(self, project: str, deployment: str, owner: Owner = ANYONE, environment: str | None = None) -> None:
        super().__init__(endpoint())
        self.project = project
        self.deployment = deployment
        self.owner = owner
        self.environment = environment
        self._init = True

    # --- questions ---------------------------------------------------------------------------------------------------

    def mine(self) -> dict[str, Container]:
        """This deployment's containers by name, including stopped ones."""
        return {one.name: one for one in self._labelled() if self._is_here(one.labels)}

    def namesakes(self) -> list[Container]:
        """Containers of a deployment of this name that another project of this name made."""
        return [one for one in self._labelled() if not self.owner.owns(one.labels)]

    def refuse_namesakes(self, where: str | None) -> None:
        """Raise where another project of this name has the deployment: what is done here would be done to it."""
        for other in self.namesakes():
            raise refused(self.project, f"the container {other.name}", self.owner, other.labels, where)
        for other in self.of_other_environments():
            what = f"{other.name} is the container of the environment {environment_of(other.labels)}"
            hint = "set deploy.name of one of the two environments to another name"
            raise DeployError(f"{what}, and would be replaced by one of {self.environment}", hint=hint)

    def of_other_environments(self) -> list[Container]:
        """Containers of a deployment of this name that another environment of this project has."""
        return [one for one in self._labelled() if self.owner.owns(one.labels) and not self._is_here(one.labels)]

    def _is_here(self, labels: Mapping[str, str]) -> bool:
        return self.owner.owns(labels) and self.environment in (None, environment_of(labels))

    def serving(self, name: str, settings: str = "") -> Container | None:
        """The container that serves under a name, or did.

        Where none does, one that somebody renamed by hand, or that `settings` made under another name.
        """
        there = self.mine()
        found = there.get(name) or next(iter(strays(there.values(), name)), None)
        return found or next(iter(self.former(settings)), None)

    def former(self, settings: str) -> list[Container]:
        """What the same settings of the same folder deployed while they said another name, the last started first.

        `settings`: as the label of that name has them.
        """
        if not settings:
            return []
        listed = self._listed(f"{PREFIX}deployment", f"{PREFIX}settings={settings}")
        ours = (item for item in listed if self.owner.made_here(item["Labels"]) and self._is_here(item["Labels"]))
        others = (item for item in ours if _of(item) != (self.project, self.deployment))
        there = [one for one in self._inspected(others) if one.label("role") == "serving"]
        return sorted(there, key=lambda one: one.started_at, reverse=True)

    def _labelled(self) -> list[Container]:
        labels = [f"{PREFIX}project={self.project}", f"{PREFIX}deployment={self.deployment}"]
        return self._inspected(self._listed(*labels))

    def _listed(self, *labels: str) -> list[Mapping[str, Any]]:
        with sdk.asking(self.host):
            return list(self._api.containers(all=True, filters={"label": list(labels)}))

    def _inspected(self, listed: Iterable[Mapping[str, Any]]) -> list[Container]:
        described = [self.inspect(item["Id"]) for item in listed]
        return [container for container in described if container is not None]

    def inspect(self, identity: str) -> Container | None:
        """One container; None if it does not exist."""
        from docker.errors import NotFound

        with sdk.asking(self.host):
            try:
                return described(self._api.inspect_container(identity))
            except NotFound:
                return None

    def inspect_mine(self, name: str) -> Container | None:
        """One container by name; None if it does not exist or is not of this deployment."""
        found = self.inspect(name)
        return found if found and found.name == name and self.is_mine(found) else None

    def is_mine(self, found: Container) -> bool:
        """Whether it is of this deployment of this project."""
        labelled = (found.label("project"), found.label("deployment")) == (self.project, self.deployment)
        return labelled and self._is_here(found.labels)

    def digests(self, reference: str) -> frozenset[str]:
        """The id of an image, and its digests in registries; none where the engine has no such image."""
        from docker.errors import ImageNotFound

        with sdk.asking(self.host):
            try:
                found = self._api.inspect_image(reference)
            except ImageNotFound:
                return frozenset()
        return frozenset({found["Id"], *(one.partition("@")[2] for one in found.get("RepoDigests") or ())})

    def published_host(self, bind: str) -> str:
        """The address at which this machine reaches a port that is published on `bind`."""
        if not is_socket(self.host):
            return urlsplit(self.host).hostname or bind
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104 - compared, not bound

    def published(self) -> dict[int, str]:
        """Host port -> name of the running container that has it, including containers that are not ours."""
        with sdk.asking(self.host):
            found = self._api.containers()
        return {
            int(port["PublicPort"]): item["Names"][0].lstrip("/")
            for item in found
            for port in item.get("Ports") or ()
            if port.get("PublicPort")
        }

    def publisher(self, port: int) -> tuple[str, str] | None:
        """The running container that has a port of this machine, and a network of its own that others can join."""
        name = self.published().get(port)
        found = self.inspect(name) if name else None
        networks = [one for one in found.networks if one not in _BUILT_IN_NETWORKS] if found else []
        return (str(name), networks[0]) if networks else None

    # --- changes -----------------------------------------------------------------------------------------------------

    def create(self, spec: Spec) -> Container:
        """Create a container, with labels of project and deployment, without starting it."""
        from docker.errors import APIError, ImageNotFound

        bindings = {} if spec.port is None or spec.publish is None else {spec.port: (spec.bind, spec.publish or None)}
        labels = {PREFIX + name: value for name, value in spec.labels.items()}
        labels |= {PREFIX + "project": self.project, PREFIX + "deployment": self.deployment}
        labels |= {PREFIX + ENVIRONMENT: self.environment} if self.environment else {}
        labels = {PREFIX + "layer": "app", **labels}
        labels |= {PREFIX + LABEL: self.owner.text, PREFIX + FOLDER: self.owner.folder}
        with sdk.asking(self.host):
            host_config = self._api.create_host_config(
                port_bindings=bindings,
                binds=list(spec.volumes),
                init=self._init and spec.init,
                network_mode=spec.network,
                mem_limit=spec.memory,
                nano_cpus=round(spec.cpus * 1e9) if spec.cpus else None,
                restart_policy={"Name": spec.restart},
            )
            aliases = list(spec.aliases) if spec.network not in _BUILT_IN_NETWORKS else None
            attached = self._api.create_endpoint_config(aliases=aliases)
            try:
                made = self._api.create_container(
                    spec.image,
                    list(spec.args) or None,
                    entrypoint=list(spec.entrypoint) or None,
                    name=spec.name,
                    ports=[] if spec.port is None else [spec.port],
                    environment=dict(spec.env),
                    labels=labels,
                    stop_timeout=max(1, round(spec.stop_grace)),
                    host_config=host_config,
                    networking_config=self._api.create_networking_config({spec.network: attached}),
                )
            except ImageNotFound as error:
                raise DeployError(f"the image {spec.image} does not exist", hint="doit image") from error
            except APIError as error:
                if error.status_code == 409:
                    raise name_taken(spec.name) from error
                raise Refused(str(error.explanation or error)) from error
        created = self._known(made["Id"])
        try:
            for network in spec.joined:
                self.attach(created, network, (), None)
        except Refused:
            self.remove(created)
            raise
        return created

    def start(self, container: Container, spec: Spec) -> Container:
        """Start; created again without an init process if the engine lacks `docker-init`."""
        from docker.errors import APIError

        with sdk.asking(self.host):
            try:
                self._start(container.id)
            except APIError as error:
                text = str(error.explanation)
                if self._init and "docker-init" in text:
                    self._init = False
                    self.remove(container)
                    return self.start(self.create(spec), spec)
                self._refuse(text, spec.publish, error)
        return self._known(container.id)

    def _start(self, identity: str) -> None:
        from docker.errors import APIError

        try:
            self._api.start(identity)
        except APIError as error:
            if _RUNC_DIED not in str(error.explanation):
                raise
            self._api.start(identity)

    def stop(self, container: Container, grace: float) -> None:
        """SIGTERM, `grace` seconds, SIGKILL."""
        from docker.errors import NotFound

        with sdk.asking(self.host), contextlib.suppress(NotFound):
            self._api.stop(container.id, timeout=max(0, round(grace)))

    def remove(self, container: Container, *, volumes: bool = True) -> None:
        """Remove, running or not. No error if it is gone; one that goes already is waited for. Named volumes stay.

        `volumes`: remove also those without a name.
        """
        from docker.errors import APIError, NotFound

        with sdk.asking(self.host):
            try:
                self._api.remove_container(container.id, force=True, v=volumes)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != 409:
                    raise
                # Until then its name is taken.
                with contextlib.suppress(NotFound):
                    self._api.wait(container.id, timeout=SDK_TIMEOUT, condition="removed")

    def restart_as(self, container: Container, policy: str) -> None:
        """Set what the engine does when it ends."""
        with sdk.asking(self.host):
            self._api.update_container(container.id, restart_policy={"Name": policy})

    def rename(self, container: Container, name: str) -> None:
        from docker.errors import APIError

        with sdk.asking(self.host):
            try:
                self._between_starts(container, lambda: self._api.rename(container.id, name))
            except APIError as error:
                if error.status_code == 409:
                    raise name_taken(name) from error
                raise

    def _between_starts(self, container: Container, do: Callable[[], object]) -> None:
        """Do something that the engine refuses while it waits to start again what ends again and again.

        Such a container is stopped for that moment. Connecting it and setting its restart policy are not refused.
        """
        from docker.errors import APIError

        try:
            do()
        except APIError as error:
            there = self.inspect(container.id)
            if error.status_code == 409 or there is None or not (there.restarts or there.state == "restarting"):
                raise
        else:
            return
        self.stop(container, 0)
        try:
            do()
        finally:
            # It would have ended again by itself.
            with contextlib.suppress(APIError):
                self._api.start(container.id)

    def attach(self, container: Container, network: str, aliases: Sequence[str], publish: int | None) -> None:
        """Connect to a network, which binds the container's published ports."""
        from docker.errors import APIError

        names = list(aliases) if network not in _BUILT_IN_NETWORKS else None
        with sdk.asking(self.host):
            try:
                self._api.connect_container_to_network(container.id, network, aliases=names)
            except APIError as error:
                self._refuse(str(error.explanation), publish, error)

    def attach_again(self, container: Container) -> None:
        """Connect to the networks that it serves on, where it is not."""
        publish = int(container.label("publish") or 0) or None
        own, *joined = container.own_networks
        # What stands behind a front has no other name than its own, and a front has that of its service only.
        alias = tuple(filter(None, [container.label("alias")]))
        front = alias if container.label("role") == "front" else ()
        aliases = front if container.label("front") else (container.label("deployment") or self.deployment, *alias)
        if own not in container.networks:
            self.attach(container, own, aliases, publish)
        for network in joined:
            if network not in container.networks:
                # Whose it is may have removed it.
                with contextlib.suppress(Refused):
                    self.attach(container, network, (), publish)

    def unplug(self, container: Container) -> None:
        """Disconnect from the networks that it serves on, which frees the published ports."""
        for network in container.own_networks:
            if network in container.networks:
                self.detach(container, network)

    def detach(self, container: Container, network: str) -> None:
        """Disconnect from a network."""
        with sdk.asking(self.host):
            self._between_starts(
                container, lambda: self._api.disconnect_container_from_network(container.id, network, force=True)
            )

    def ensure_network(self, name: str, *, internal: bool) -> None:
        """Create the project's network unless it exists."""
        from docker.errors import APIError

        labels = {PREFIX + "project": self.project}
        if self._has_network(name):
            return
        with sdk.asking(self.host):
            try:
                self._api.create_network(name, driver="bridge", internal=internal, labels=labels)
            except APIError as error:
                # A concurrent run may have been faster.
                if self._has_network(name):
                    return
                what = f"the engine cannot make the network {name}: {error.explanation or error}"
                raise NoNetwork(what) from error

    def _has_network(self, name: str) -> bool:
        from docker.errors import NotFound

        with sdk.asking(self.host):
            try:
                return bool(self._api.inspect_network(name))
            except NotFound:
                return False

    def remove_networks(self) -> None:
        """Remove this project's networks that no container has any more."""
        from docker.errors import APIError

        with sdk.asking(self.host):
            for network in self._api.networks(filters={"label": f"{PREFIX}project={self.project}"}):
                # One that is stopped could not be started again without it.
                if not self._api.containers(all=True, filters={"network": network["Id"]}):
                    with contextlib.suppress(APIError):
                        self._api.remove_network(network["Id"])

    # --- inside ------------------------------------------------------------------------------------------------------

    def _known(self, identity: str) -> Container:
        container = self.inspect(identity)
        if container is None:
            raise DeployError(f"the container {identity[:12]} was removed by another process while it was starting")
        return container

    def _refuse(self, text: str, publish: int | None, error: Exception) -> NoReturn:
        if "port is already allocated" in text or "address already in use" in text:
            hint = "stop what has it (docker ps, ss -ltnp), or set deploy.publish (PUBLISH=...) to 0: any free one"
            raise PortTaken(f"port {publish} is taken", hint=hint) from error
        raise Refused(text) from error


def environment_of(labels: Mapping[str, str]) -> str:
    """The environment of a container; one that was made before there were any is of the default one."""
    return label(labels, ENVIRONMENT) or DEFAULT


def _of(listed: Mapping[str, Any]) -> tuple[str, str]:
    """Project and deployment of a container in the engine's list."""
    return label(listed["Labels"], "project"), label(listed["Labels"], "deployment")
