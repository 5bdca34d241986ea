"""A node of the test cluster: it plays what a scheduler and a kubelet say of pods. No container runs.

What becomes of a pod stands in the digest of its image: `digest("crash", 1)` makes one whose program ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import http.server
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.support import kube_exec

Json = dict[str, Any]

FATES: Final = ("ready", "crash", "oom", "pull", "unready", "unschedulable", "slow")
"""`unready`: its readiness probe never succeeds; `slow`: it is ready once the test says so (`Cluster.allow`)."""
PANIC: Final = "thread 'main' panicked at src/main.rs:7:5: no DATABASE_URL"
PROBE: Final = "Readiness probe failed: HTTP probe failed with statuscode: 503"
NODE: Final = "node-1"
STARTED: Final = "2026-01-01T00:00:00Z"


def digest(fate: str, number: int = 0) -> str:
    """The digest of an image that has this fate."""
    rest = hashlib.sha256(f"{fate} {number}".encode()).hexdigest()
    return f"sha256:{FATES.index(fate):02x}{rest[2:]}"


def fate_of(image: str) -> str:
    """What becomes of a pod with this image; those that were not made for a fate are fine."""
    _, _, hexadecimal = image.partition("@sha256:")
    number = int(hexadecimal[:2] or "0", 16)
    return FATES[number] if number < len(FATES) else "ready"


class Api:
    """The API server, asked directly."""

    def __init__(self, server: str, token: str) -> None:
        self._server = server
        self._token = token
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE

    def send(self, method: str, path: str, body: Json | None = None, kind: str = "application/json") -> Json:
        """One question; an empty answer where the object is gone or has changed."""
        with contextlib.suppress(urllib.error.HTTPError), self.open(method, path, body, kind) as answer:
            return dict(json.load(answer))
        return {}

    def open(self, method: str, path: str, body: Json | None = None, kind: str = "application/json") -> Any:
        """The answer as it comes."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind, "Accept": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self._server + path, data, headers, method=method)  # noqa: S310 - https
        return urllib.request.urlopen(asked, timeout=3600, context=self._context)  # noqa: S310 - https

    def changes(self, path: str) -> Iterator[Json]:
        """The objects there are, and each one that changes from then on."""
        listed = self.send("GET", path)
        yield from listed.get("items", ())
        version = listed["metadata"]["resourceVersion"]
        with self.open("GET", f"{path}?watch=true&resourceVersion={version}") as answer:
            for line in answer:
                change = json.loads(line)
                if change["type"] in ("ADDED", "MODIFIED"):
                    yield change["object"]


class Node:
    """Registers itself, binds pods, and says how they are."""

    def __init__(self, api: Api, folder: Path) -> None:
        self._api = api
        self._folder = folder

    def serve(self) -> None:
        """For ever, in threads."""
        port = self._serve_logs()
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        self._api.send("POST", "/api/v1/nodes", node)
        resources = {"cpu": "8", "memory": "16Gi", "pods": "500"}
        status = {
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "capacity": resources,
            "allocatable": resources,
        }
        merge = "application/merge-patch+json"
        self._api.send("PATCH", f"/api/v1/nodes/{NODE}/status", {"status": status}, merge)
        # The API server gives each new node the taint that it is not ready.
        self._api.send("PATCH", f"/api/v1/nodes/{NODE}", {"spec": {"taints": None}}, merge)
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        while True:
            # An answer that is an error has no list in it.
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError, LookupError):
                for pod in self._api.changes("/api/v1/pods"):
                    self._play(pod)
            time.sleep(0.05)

    def _play(self, pod: Json) -> None:
        meta, spec = pod["metadata"], pod["spec"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        fates = [fate_of(one["image"]) for one in spec["containers"]]
        if meta.get("deletionTimestamp"):
            self._api.send("DELETE", path, {"gracePeriodSeconds": 0})
        elif not spec.get("nodeName"):
            if "unschedulable" not in fates:
                target = {"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": NODE}}
                self._api.send("POST", f"{path}/binding", {"metadata": {"name": meta["name"]}, **target})
            elif not pod["status"].get("conditions"):
                self._say(path, {"conditions": [_UNSCHEDULED]})
        elif not pod["status"].get("containerStatuses"):
            self._start(pod, path, fates)
        elif "slow" in fates and not _ready(pod):
            threading.Thread(target=self._ready_later, args=(pod, path), daemon=True).start()

    def _start(self, pod: Json, path: str, fates: list[str]) -> None:
        lacks = self._lacks(pod)
        states = [_state(one, fate, lacks) for one, fate in zip(pod["spec"]["containers"], fates, strict=True)]
        # First, so that whoever sees the pod unready finds out why.
        if "unready" in fates:
            self._event(pod, "Unhealthy", PROBE)
        self._say(path, _status(states))

    def _ready_later(self, pod: Json, path: str) -> None:
        allowed = self._folder / "allowed"
        while not allowed.exists():
            time.sleep(0.02)
        self._say(path, _status([_state(one, "ready", "") for one in pod["spec"]["containers"]]))

    def _lacks(self, pod: Json) -> str:
        """A Secret that the pod needs and the namespace has not."""
        for container in pod["spec"]["containers"]:
            for one in container.get("envFrom") or ():
                name = (one.get("secretRef") or {}).get("name")
                path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/secrets/{name}"
                if name and not self._api.send("GET", path):
                    return f'secret "{name}" not found'
        return ""

    def _say(self, path: str, status: Json) -> None:
        self._api.send("PATCH", f"{path}/status", {"status": status}, "application/merge-patch+json")

    def _event(self, pod: Json, reason: str, message: str) -> None:
        meta = pod["metadata"]
        body = {
            "metadata": {"name": f"{meta['name']}.{reason.lower()}", "namespace": meta["namespace"]},
            "involvedObject": {"kind": "Pod", "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
            "reason": reason,
            "message": message,
            "type": "Warning",
        }
        self._api.send("POST", f"/api/v1/namespaces/{meta['namespace']}/events", body)

    def _serve_logs(self) -> int:
        """What `kubectl logs` reads: the API server asks the kubelet by TLS."""
        handler = type("_OfCluster", (_Kubelet,), {"folder": self._folder})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / "node.crt", self._folder / "node.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return int(server.server_address[1])


class _Kubelet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder = Path()

    def do_POST(self) -> None:
        """`kubectl exec`: a command of `commands` runs in place of the program that is asked for."""
        asked = parse_qs(urlsplit(self.path).query)
        argv = json.loads((self.folder / "commands").read_text()).get(" ".join(asked["command"]))
        if argv is None:
            self.send_error(404)
        else:
            kube_exec.serve(self, asked, argv)

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        tail = int(parse_qs(asked.query).get("tailLines", ["-1"])[0])
        lines = [f"started {asked.path.split('/')[3]}", "reading the configuration", PANIC]
        body = "".join(f"{line}\n" for line in (lines if tail < 0 else lines[-tail:] if tail else [])).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class calls it
        pass


_UNSCHEDULED: Final = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/1 nodes are available: 1 Insufficient memory.",
}


def _ready(pod: Json) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _state(container: Json, fate: str, lacks: str) -> Json:
    running = {"running": {"startedAt": STARTED}}
    ended = {"exitCode": 101, "reason": "Error", "startedAt": STARTED, "finishedAt": STARTED}
    back_off = {"reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container"}
    image = container["image"]
    refused = f'Back-off pulling image "{image}": ErrImagePull: pull access denied, 401 Unauthorized'
    waiting = {
        "crash": {"state": {"waiting": back_off}, "lastState": {"terminated": ended}, "restartCount": 2},
        "oom": {
            "state": {"waiting": back_off},
            "lastState": {"terminated": {**ended, "exitCode": 137, "reason": "OOMKilled"}},
            "restartCount": 2,
        },
        "pull": {"state": {"waiting": {"reason": "ImagePullBackOff", "message": refused}}},
        "unready": {"state": running, "started": True},
        "slow": {"state": running, "started": True},
    }
    if lacks:
        own: Any = {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": lacks}}}
    else:
        own = waiting.get(fate, {"state": running, "ready": True, "started": True})
    return {"name": container["name"], "image": image, "imageID": "", "ready": False, "restartCount": 0, **own}


def _status(states: list[Json]) -> Json:
    ready = "True" if all(one["ready"] for one in states) else "False"
    kinds = {"PodScheduled": "True", "Initialized": "True", "ContainersReady": ready, "Ready": ready}
    conditions = [{"type": kind, "status": value, "lastTransitionTime": STARTED} for kind, value in kinds.items()]
    return {"phase": "Running", "startTime": STARTED, "conditions": conditions, "containerStatuses": states}
