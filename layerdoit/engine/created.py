"""Containers that another program created for us, such as docker compose: listed, copied, filled, started."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from layerdoit.core.errors import DeployError
from layerdoit.engine import sdk
from layerdoit.engine.api import connect, endpoint
from layerdoit.engine.container import PortTaken, Refused

_TIMEOUT = 60
_BUILT_IN = ("bridge", "host", "none")


class Created:
    """What is done with them on the engine that `docker` itself would use."""

    def __init__(self) -> None:
        self.host = endpoint()

    def listed(self, *labels: str) -> list[Mapping[str, Any]]:
        """All containers with these labels, running or not, as the engine lists them."""
        return list(connect().get("/containers/json", {"all": True, "filters": {"label": list(labels)}}) or ())

    def image_id(self, reference: str) -> str:
        """The id of an image; '' for one that is not there."""
        return str((connect().get(f"/images/{reference}/json") or {}).get("Id") or "")

    def volumes(self, identity: str) -> tuple[tuple[str, str], ...]:
        """The volumes of a container that have no name of their own, and where they are mounted."""
        with sdk.asking(self.host):
            mounts = self._api.inspect_container(identity).get("Mounts") or ()
        return tuple(
            (one["Name"], one["Destination"]) for one in mounts if one["Type"] == "volume" and _anonymous(one["Name"])
        )

    def copied(self, identity: str, name: str, labels: Mapping[str, str], entrypoint: Sequence[str] = ()) -> str:
        """Create a container like another one, but without published ports and names in networks; its id.

        It has these labels instead of that one's, and this entry point if one is given; nobody starts it again.
        """
        from docker.errors import APIError

        with sdk.asking(self.host):
            raw = self._api.inspect_container(identity)
            networks = list(raw["NetworkSettings"].get("Networks") or {})
            host = {**raw["HostConfig"], "PortBindings": {}, "PublishAllPorts": False, "RestartPolicy": {"Name": "no"}}
            config = {**raw["Config"], "Labels": dict(labels), "HostConfig": host}
            if entrypoint:
                config["Entrypoint"] = list(entrypoint)
            if config.get("Hostname") == raw["Id"][:12]:
                del config["Hostname"]
            first: dict[str, Any] = {network: {} for network in networks[:1] if network not in _BUILT_IN}
            config["NetworkingConfig"] = {"EndpointsConfig": first}
            try:
                made = str(self._api.create_container_from_config(config, name)["Id"])
                for network in networks[1:]:
                    self._api.connect_container_to_network(made, network)
            except APIError as error:
                raise Refused(str(error.explanation or error)) from error
        return made

    def filled(self, identity: str, files: Sequence[tuple[str, bytes, int]]) -> None:
        """Put files into a container that does not run: path, content, mode."""
        if not files:
            return
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for path, content, mode in files:
                member = tarfile.TarInfo(path.lstrip("/"))
                member.size, member.mode = len(content), mode
                tar.addfile(member, io.BytesIO(content))
        with sdk.asking(self.host):
            self._api.put_archive(identity, "/", packed.getvalue())

    def start(self, identity: str) -> None:
        """Start it; PortTaken or Refused where the engine does not."""
        from docker.errors import APIError, NotFound

        with sdk.asking(self.host):
            try:
                self._api.start(identity)
            except NotFound as error:
                raise DeployError(f"another process removed the container {identity[:12]}") from error
            except APIError as error:
                text = str(error.explanation or error)
                if "port is already allocated" in text or "address already in use" in text:
                    hint = "stop what has it (docker ps, ss -ltnp)"
                    raise PortTaken(f"a port is taken: {text}", hint=hint) from error
                raise Refused(text) from error

    @cached_property
    def _api(self) -> Any:
        return sdk.low_level(self.host, _TIMEOUT)


def _anonymous(name: str) -> bool:
    return len(name) == 64 and all(letter in "0123456789abcdef" for letter in name)
