"""Container apps as Azure keeps them: revisions that run, as containers of the engine, and weights of traffic.

The rules are those that `az` and its users meet: a template that changes is a new revision, in single mode the old one
goes, secrets are told to nobody who does not ask for them, and what lasts is an operation that is asked about.
"""

from __future__ import annotations

import copy
import datetime as dt
import subprocess
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Json = dict[str, Any]

LABEL: Final = "layerdoit-test-arm"
"""Containers that a server started bear it, with the server's own name."""
REPLICA: Final = "7d9f-x2x4x"


class Refused(Exception):
    """What Azure answers to a wrong request."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"error": {"code": code, "message": message}}


@dataclass
class Revision:
    """A template that runs, or ran."""

    name: str
    template: Json
    created: str
    secrets: Mapping[str, str]
    active: bool = True
    container: str | None = None
    error: str = ""

    @property
    def image(self) -> str:
        return str(self.template["containers"][0]["image"])


@dataclass
class App:
    """The resource, with the values of its secrets, and its revisions from the oldest to the newest."""

    body: Json
    revisions: dict[str, Revision] = field(default_factory=dict)

    @property
    def configuration(self) -> Json:
        found: Json = self.body["properties"]["configuration"]
        return found

    @property
    def traffic(self) -> list[Json]:
        found: list[Json] = (self.configuration.get("ingress") or {}).get("traffic") or []
        return found

    @property
    def name(self) -> str:
        return str(self.body["name"])

    def weights(self) -> dict[str, int]:
        """The share of each revision; what is for the latest goes to the newest one that runs."""
        latest = next((one.name for one in reversed(self.revisions.values()) if one.active and not one.error), "")
        found: dict[str, int] = {}
        for one in self.traffic:
            name = latest if one.get("latestRevision") else one.get("revisionName", "")
            found[name] = found.get(name, 0) + int(one.get("weight") or 0)
        return found


def docker(*words: str) -> tuple[int, str]:
    """`docker …`: its exit code and what it said."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout if done.returncode == 0 else done.stderr).strip()


def merged(old: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386), as Azure applies it."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    found = copy.deepcopy(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


def now() -> str:
    """As Azure writes times."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


class ContainerApps:
    """What the server knows: apps by their name in lower case, and operations by their number."""

    def __init__(self, address: Callable[[str], str]) -> None:
        self.address = address
        """Of an app's or a revision's name: the host and port where it is reached."""
        self.owner = uuid.uuid4().hex[:12]
        self.apps: dict[str, App] = {}
        self.operations: dict[str, Json] = {}
        self.lock = threading.RLock()
        self.quota = 100

    # --- requests ----------------------------------------------------------------------------------------------------

    def find(self, name: str) -> App:
        try:
            return self.apps[name.lower()]
        except KeyError:
            what = f"The Resource 'Microsoft.App/containerApps/{name}' under resource group 'lab' was not found."
            raise Refused(404, "ResourceNotFound", what) from None

    def put(self, name: str, identity: str, body: Json) -> str:
        """Make an app; the number of the operation that does it."""
        body = {**_without_nulls(body), "id": identity, "name": name, "type": "Microsoft.App/containerApps"}
        configuration = {"activeRevisionsMode": "Single", **(body["properties"].get("configuration") or {})}
        body["properties"] = {**body["properties"], "configuration": configuration, "provisioningState": "InProgress"}
        body.setdefault("tags", {})
        with self.lock:
            app = self.apps[name.lower()] = App(body)
            _complete(app)
            return self._revise(app, app.body["properties"].get("template") or {})

    def patch(self, name: str, patch: Json) -> str:
        """Change an app; the number of the operation that does it."""
        with self.lock:
            app = self.find(name)
            if app.body["properties"]["provisioningState"] == "InProgress":
                raise Refused(409, "ContainerAppOperationInProgress", f"An operation on '{name}' is in progress.")
            new = App(_without_nulls(merged(app.body, patch)), app.revisions)
            _complete(new)
            _check(new)
            template = (patch.get("properties") or {}).get("template")
            before, app.body = app.body, new.body
            try:
                if template:
                    return self._revise(app, app.body["properties"]["template"])
            except Refused:
                app.body = before
                raise
            return self._operation(app, lambda: None)

    def activate(self, name: str, revision: str, *, active: bool) -> None:
        with self.lock:
            app = self.find(name)
            found = self.revision(app, revision)
            found.active = active
            if active:
                self._start(app, found)
            else:
                self._stop(found)

    def revision(self, app: App, name: str) -> Revision:
        try:
            return app.revisions[name]
        except KeyError:
            raise Refused(404, "RevisionNotFound", f"Revision '{name}' was not found.") from None

    # --- what lasts --------------------------------------------------------------------------------------------------

    def _revise(self, app: App, template: Json) -> str:
        suffix = template.get("revisionSuffix") or uuid.uuid4().hex[:7]
        name = f"{app.name}--{suffix}"
        if name in app.revisions:
            raise Refused(400, "RevisionAlreadyExists", f"Revision with suffix {suffix} already exists.")
        if sum(one.active for one in app.revisions.values()) >= self.quota:
            raise Refused(
                400, "MaxNumberOfRevisionsReached", "Maximum Allowed Cores exceeded for the Managed Environment."
            )
        secrets = {one["name"]: one["value"] for one in app.configuration.get("secrets") or []}
        revision = Revision(name, copy.deepcopy(template), now(), secrets)

        def work() -> str | None:
            code, said = self._pull(revision.image)
            if code != 0:
                field_name = f"template.containers.{template['containers'][0]['name']}.image"
                why = f'Invalid value: "{revision.image}": {said.splitlines()[-1]}'
                return f"Field '{field_name}' is invalid with details: '{why}'"
            with self.lock:
                app.revisions[name] = revision
                self._start(app, revision)
                if app.configuration["activeRevisionsMode"].lower() == "single":
                    for one in app.revisions.values():
                        if one is not revision and one.active:
                            one.active = False
                            self._stop(one)
            return None

        return self._operation(app, work)

    def _operation(self, app: App, work: Callable[[], str | None]) -> str:
        number = uuid.uuid4().hex
        self.operations[number] = {"name": number, "status": "InProgress"}
        app.body["properties"]["provisioningState"] = "InProgress"

        def run() -> None:
            error = work()
            with self.lock:
                app.body["properties"]["provisioningState"] = "Failed" if error else "Succeeded"
                done: Json = {"name": number, "status": "Failed" if error else "Succeeded"}
                if error:
                    what = f"Failed to provision revision for container app '{app.name}'. Error details: {error}."
                    done["error"] = {"code": "ContainerAppOperationError", "message": what}
                self.operations[number] = done

        threading.Thread(target=run, daemon=True).start()
        return number

    def _pull(self, image: str) -> tuple[int, str]:
        code, _ = docker("image", "inspect", image)
        return (0, "") if code == 0 else docker("pull", "--quiet", image)

    def _start(self, app: App, revision: Revision) -> None:
        if revision.container is not None:
            return
        container = revision.template["containers"][0]
        words = ["run", "--detach", "--label", f"{LABEL}={self.owner}"]
        secrets = {one["name"]: one["value"] for one in app.configuration.get("secrets") or []}
        for one in container.get("env") or []:
            value = secrets[one["secretRef"]] if one.get("secretRef") else one.get("value", "")
            words += ["--env", f"{one['name']}={value}"]
        code, said = docker(*words, container["image"], *(container.get("args") or []))
        revision.container, revision.error = (said, "") if code == 0 else (None, said)

    def _stop(self, revision: Revision) -> None:
        if revision.container is not None:
            docker("rm", "--force", revision.container)
            revision.container = None

    def close(self) -> None:
        """Remove every container of this server."""
        _, found = docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={self.owner}")
        if found:
            docker("rm", "--force", *found.split())

    # --- answers -----------------------------------------------------------------------------------------------------

    def shown(self, app: App) -> Json:
        """The app without the values of its secrets."""
        found = copy.deepcopy(app.body)
        properties = found["properties"]
        newest = next(reversed(app.revisions), "")
        secrets = properties["configuration"].get("secrets") or []
        properties["configuration"]["secrets"] = [{"name": one["name"]} for one in secrets] or None
        properties.update(latestRevisionName=newest, latestReadyRevisionName=newest, runningStatus="Running")
        properties["eventStreamEndpoint"] = f"https://{self.address('')}{found['id']}/eventstream"
        if properties["configuration"].get("ingress"):
            properties["configuration"]["ingress"]["fqdn"] = self.address(app.name)
        return found

    def shown_revision(self, app: App, revision: Revision) -> Json:
        """The revision, in the state of its container."""
        running, details = self.state(revision)
        properties: Json = {
            "createdTime": revision.created,
            "fqdn": self.address(revision.name) if app.configuration.get("ingress") else "",
            "template": revision.template,
            "active": revision.active,
            "replicas": 1 if running == "Running" else 0,
            "trafficWeight": app.weights().get(revision.name, 0),
            "healthState": "Healthy" if running == "Running" else "None" if not revision.active else "Unhealthy",
            "provisioningState": "Provisioned" if revision.active else "Deprovisioned",
            "runningState": running,
        }
        if details:
            properties["runningStateDetails"] = details
        identity = f"{app.body['id']}/revisions/{revision.name}"
        return {
            "id": identity,
            "name": revision.name,
            "type": "Microsoft.App/containerApps/revisions",
            "properties": properties,
        }

    def state(self, revision: Revision) -> tuple[str, str]:
        """Its running state, and the details of one that failed."""
        if not revision.active:
            return "Stopped", ""
        if revision.container is None:
            return "Failed", revision.error or "The container was not started."
        _, said = docker("inspect", "--format", "{{.State.Running}} {{.State.ExitCode}}", revision.container)
        running, _, code = said.partition(" ")
        if running == "true":
            return "Running", ""
        name = revision.template["containers"][0].get("name", "")
        return "Failed", f"Container '{name}' was terminated with exit code '{code}' and reason 'ProcessExited'."

    def events(self, revision: Revision) -> list[Json]:
        """What the platform says of a revision."""
        running, details = self.state(revision)
        if running != "Failed":
            return []
        said = {
            "Type": "Warning",
            "Reason": "ContainerTerminated",
            "Msg": details,
            "EventSource": "ContainerAppController",
        }
        return [{"TimeStamp": now(), "RevisionName": revision.name, "ReplicaName": REPLICA, "Count": 1, **said}]

    def target(self, name: str) -> str | None:
        """The container to which a request goes that was sent to an app or a revision."""
        for app in self.apps.values():
            if name == app.name:
                name = max(app.weights().items(), key=lambda one: one[1], default=("", 0))[0]
            if name in app.revisions and app.revisions[name].active:
                return app.revisions[name].container
        return None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


def _complete(app: App) -> None:
    """What Azure fills in."""
    properties = app.body["properties"]
    properties["environmentId"] = properties.get("environmentId") or properties.get("managedEnvironmentId")
    configuration = app.configuration
    ingress = configuration.get("ingress")
    if ingress:
        for name, value in {"external": False, "transport": "Auto", "allowInsecure": False}.items():
            ingress.setdefault(name, value)
        if not ingress.get("traffic"):
            ingress["traffic"] = [{"latestRevision": True, "weight": 100}]
        ingress["traffic"] = [{**one, "weight": int(one.get("weight") or 0)} for one in ingress["traffic"]]
    for number, container in enumerate((app.body["properties"].get("template") or {}).get("containers") or []):
        container.setdefault("name", f"{app.name}{number or ''}")
        container.setdefault("resources", {"cpu": 0.5, "memory": "1Gi", "ephemeralStorage": "2Gi"})
    app.body["properties"].setdefault("template", {}).setdefault("scale", {"minReplicas": 1, "maxReplicas": 10})


def _check(app: App) -> None:
    names = {one["name"] for one in app.configuration.get("secrets") or []}
    for one in app.configuration.get("secrets") or []:
        if not one.get("value"):
            raise Refused(400, "ContainerAppSecretInvalid", f"Invalid secret '{one['name']}': it has no value.")
    for container in (app.body["properties"].get("template") or {}).get("containers") or []:
        for one in container.get("env") or []:
            if one.get("secretRef") and one["secretRef"] not in names:
                what = f"SecretRef '{one['secretRef']}' defined for container '{container['name']}' not found."
                raise Refused(400, "ContainerAppSecretRefNotFound", what)
    total = sum(int(one.get("weight") or 0) for one in app.traffic)
    if app.configuration.get("ingress") and total != 100:
        raise Refused(400, "InvalidTrafficWeight", f"Traffic weights must add up to 100, and not {total}.")
    for one in app.traffic:
        name = one.get("revisionName")
        if name and name not in app.revisions:
            raise Refused(400, "RevisionNotFound", f"Revision '{name}' in traffic was not found.")
