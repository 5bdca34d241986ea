"""Azure Resource Manager on the loopback address, as far as the real `az` asks it for container apps.

What runs is real: `container_apps` starts the image of a revision, and the addresses of apps and revisions lead there.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.support.container_apps import REPLICA, App, ContainerApps, Json, Refused, docker, merged
from tests.support.server import Handler, TcpServer

SUBSCRIPTION: Final = "11111111-2222-3333-4444-555555555555"
GROUP: Final = "lab"
APP: Final = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)(?:/providers/Microsoft\.App)?"
    r"/containerApps/(?P<app>[^/]+)(?P<rest>/.*)?",
    re.IGNORECASE,
)
REVISION: Final = re.compile(r"/revisions/(?P<revision>[^/]+)(?P<rest>/.*)?")


class Arm:
    """The server: its address, the apps, and what goes wrong.

    `asked`: method and path of each request to Resource Manager. `before`: called with them before they are answered; a
    test blocks there, or refuses. `signed_in`: whether tokens are given out; `answering`: requests at this moment.
    """

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "certificate.pem"
        _certificate(folder)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self.certificate, folder / "key.pem")
        self._stack = contextlib.ExitStack()
        self._ports: dict[str, int] = {}
        self._opening = threading.Lock()
        self.asked: list[str] = []
        self.before: Callable[[str, str], None] = lambda _method, _path: None
        self.signed_in = True
        self.answering = 0
        self.apps = ContainerApps(lambda name: f"localhost:{self._port(name)}")
        self._port("")

    @property
    def url(self) -> str:
        """Of Resource Manager."""
        return f"https://localhost:{self._port('')}"

    def _port(self, name: str) -> int:
        """Where a name is served; each has a port, as names below localhost lead nowhere."""
        with self._opening:
            if name not in self._ports:
                handler = type("Answers", (_Manager,) if not name else (_Proxy,), {"arm": self, "name": name})
                server = TcpServer(("127.0.0.1", 0), handler)
                # The handshake is done by the thread of each request.
                server.socket = self._tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
                self._ports[name] = server.server_address[1]
                threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
                self._stack.callback(server.server_close)
                self._stack.callback(server.shutdown)
            return self._ports[name]

    def ask(self, name: str, path: str = "/") -> tuple[int, str]:
        """What an app or a revision answers."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        connection = http.client.HTTPSConnection("localhost", self._port(name), context=context, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def reset(self) -> None:
        """Forget the apps, and all that goes wrong."""
        self.before = lambda _method, _path: None
        self.signed_in = True
        self.apps.close()
        self.apps.apps.clear()

    def close(self) -> None:
        """Stop serving."""
        self._stack.close()
        self.apps.close()


@contextlib.contextmanager
def arm_server(folder: Path) -> Iterator[Arm]:
    """A server without any app."""
    arm = Arm(folder)
    try:
        yield arm
    finally:
        arm.close()


def _certificate(folder: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")),
        ],
        check=True,
        capture_output=True,
    )
    os.chmod(folder / "key.pem", 0o600)


class _Tls(Handler):
    arm: Arm
    name: str
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        """Whatever the method is, `dispatch` answers."""
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
            setattr(self, f"do_{method}", self.dispatch)
        super().handle_one_request()

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def dispatch(self) -> None:
        raise NotImplementedError


class _Proxy(_Tls):
    """The address of an app, or of a revision."""

    def dispatch(self) -> None:
        sent = self.body()
        container = self.arm.apps.target(self.name)
        try:
            assert container is not None
            _, host = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", container)
            app = next(one for one in self.arm.apps.apps.values() if self.name.startswith(one.name))
            connection = http.client.HTTPConnection(host, app.configuration["ingress"]["targetPort"], timeout=5)
            with contextlib.closing(connection):
                connection.request(self.command, self.path, sent)
                answer = connection.getresponse()
                self.answer(answer.status, answer.read(), {"Content-Type": "text/plain"})
        except (AssertionError, OSError, http.client.HTTPException):
            what = (
                b"no healthy upstream" if container else b"Error 404 - This Container App is stopped or does not exist."
            )
            self.answer(503 if container else 404, what, {"Content-Type": "text/plain"})


class _Manager(_Tls):
    """Resource Manager, the login, and the streams of logs."""

    def dispatch(self) -> None:
        path = urlsplit(self.path).path
        sent = self.body()
        if "/oauth2/" in path or "/.well-known/" in path or "/discovery/" in path:
            self.sign_in(path)
            return
        self.arm.asked.append(f"{self.command} {path}")
        self.arm.answering += 1
        try:
            self.arm.before(self.command, path)
            self.manage(path, json.loads(sent) if sent else {})
        except Refused as refused:
            self.json(refused.status, refused.body)
        finally:
            self.arm.answering -= 1

    def json(self, status: int, body: Json | None, **headers: str) -> None:
        text = b"" if body is None else json.dumps(body).encode()
        self.answer(status, text, {name.replace("_", "-"): value for name, value in headers.items()})

    def sign_in(self, path: str) -> None:
        base = f"{self.arm.url}/adfs"
        if path.endswith("/token"):
            if self.arm.signed_in:
                # So short that each call of az asks for a new one.
                self.json(200, {"access_token": "an-access-token", "token_type": "Bearer", "expires_in": 60})
                return
            what = (
                "AADSTS700082: The refresh token has expired due to inactivity. The token was issued on "
                "2026-01-01T00:00:00.0000000Z and was inactive for 90.00:00:00."
            )
            self.json(400, {"error": "invalid_grant", "error_description": what, "error_codes": [700082]})
            return
        self.json(
            200,
            {
                "issuer": base,
                "authorization_endpoint": f"{base}/oauth2/authorize",
                "token_endpoint": f"{base}/oauth2/token",
                "device_authorization_endpoint": f"{base}/oauth2/devicecode",
            },
        )

    def manage(self, path: str, sent: Json) -> None:
        found = APP.fullmatch(path)
        if path == "/subscriptions":
            self.json(200, {"value": [_subscription(SUBSCRIPTION)]})
        elif path.startswith("/operations/"):
            self.json(200, self.arm.apps.operations[path.rsplit("/", 1)[1]], Retry_After="0")
        elif found:
            if found["subscription"].lower() != SUBSCRIPTION:
                what = f"The subscription '{found['subscription']}' could not be found."
                raise Refused(404, "SubscriptionNotFound", what)
            if found["group"].lower() != GROUP:
                what = f"Resource group '{found['group']}' could not be found."
                raise Refused(404, "ResourceGroupNotFound", what)
            self.app(found["app"], found["rest"] or "", path, sent)
        elif path.endswith("/providers/Microsoft.App"):
            types = [
                {"resourceType": one, "locations": ["West Europe"]} for one in ("containerApps", "managedEnvironments")
            ]
            self.json(200, {"namespace": "Microsoft.App", "registrationState": "Registered", "resourceTypes": types})
        elif "/managedEnvironments/" in path:
            properties = {"provisioningState": "Succeeded", "defaultDomain": "lab.localhost"}
            name = path.rsplit("/", 1)[1]
            self.json(200, {"id": path, "name": name, "location": "West Europe", "properties": properties})
        else:
            raise Refused(404, "NotFound", f"{self.command} {path} is nothing that this server knows.")

    def app(self, name: str, rest: str, path: str, sent: Json) -> None:
        apps = self.arm.apps
        if self.command == "PUT" and not rest:
            self.accepted(201, apps.put(name, path, sent), apps.shown(apps.find(name)))
            return
        app = apps.find(name)
        if self.command == "PATCH" and not rest:
            self.accepted(202, apps.patch(name, sent), None)
        elif rest == "/listSecrets":
            self.json(200, {"value": app.configuration.get("secrets") or []})
        elif rest == "/getAuthToken":
            self.json(200, {"properties": {"token": "a-token", "expires": "2099-01-01T00:00:00Z"}})
        elif rest == "/revisions":
            self.json(200, {"value": [apps.shown_revision(app, one) for one in app.revisions.values()]})
        elif rest.lower() == "/providers/microsoft.resources/tags/default":
            self.tags(app, path, sent)
        elif rest == "/eventstream":
            lines = [line for one in app.revisions.values() for line in apps.events(one)]
            self.answer(200, "".join(f"{json.dumps(line)}\n" for line in lines).encode())
        elif revision := REVISION.fullmatch(rest):
            self.revision(app, revision["revision"], revision["rest"] or "")
        elif rest:
            raise Refused(404, "NotFound", f"{self.command} {path} is nothing that this server knows.")
        else:
            self.json(200, apps.shown(app))

    def accepted(self, status: int, number: str, body: Json | None) -> None:
        """As Azure answers what lasts: with the address of the operation."""
        self.json(
            status, body, Azure_AsyncOperation=f"{self.arm.url}/operations/{number}?api-version=1", Retry_After="0"
        )

    def tags(self, app: App, path: str, sent: Json) -> None:
        with self.arm.apps.lock:
            tags = app.body["tags"]
            given = (sent.get("properties") or {}).get("tags") or {}
            if self.command == "PATCH" and sent["operation"] == "Merge":
                tags = merged(tags, given)
            elif self.command == "PATCH" and sent["operation"] == "Delete":
                tags = {name: value for name, value in tags.items() if given.get(name) != value}
            app.body["tags"] = tags
            self.json(200, {"id": path, "name": "default", "properties": {"tags": tags}})

    def revision(self, app: App, name: str, rest: str) -> None:
        apps = self.arm.apps
        revision = apps.revision(app, name)
        if self.command == "POST" and rest in ("/activate", "/deactivate"):
            apps.activate(app.name, name, active=rest == "/activate")
            self.json(200, {})
        elif rest == "/replicas":
            self.json(200, {"value": [self.replica(app, name)] if revision.container else []})
        elif rest.startswith("/replicas/") and rest.endswith("/logstream"):
            self.stream(revision.container or "")
        elif rest.startswith("/replicas/"):
            self.json(200, self.replica(app, name))
        else:
            self.json(200, apps.shown_revision(app, revision))

    def replica(self, app: App, revision: str) -> Json:
        identity = f"{app.body['id']}/revisions/{revision}/replicas/{REPLICA}"
        running, details = self.arm.apps.state(app.revisions[revision])
        containers = [
            {
                "name": one["name"],
                "ready": running == "Running",
                "runningState": "Running" if running == "Running" else "Terminated",
                "runningStateDetails": details,
                "restartCount": 0,
                "logStreamEndpoint": f"{self.arm.url}{identity}/containers/{one['name']}/logstream",
            }
            for one in app.revisions[revision].template["containers"]
        ]
        return {"id": identity, "name": REPLICA, "properties": {"containers": containers, "runningState": running}}

    def stream(self, container: str) -> None:
        """The log of a container, line by line while it is followed."""
        asked = parse_qs(urlsplit(self.path).query)
        follow = asked.get("follow", ["false"])[0] == "true"
        words = ["docker", "logs", "--timestamps", "--tail", asked.get("tailLines", ["20"])[0]]
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        child = subprocess.Popen(
            [*words, *(["--follow"] if follow else []), container], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        with child, contextlib.suppress(OSError):
            assert child.stdout is not None
            for line in child.stdout:
                moment, _, text = line.decode().rstrip("\n").partition(" ")
                log = json.dumps({"TimeStamp": moment, "Log": text})
                self.wfile.write(f"{log if 'json' in asked.get('output', []) else f'{moment} {text}'}\n".encode())
                self.wfile.flush()
        self.close_connection = True


def _subscription(identity: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{identity}",
        "subscriptionId": identity,
        "displayName": "Lab",
        "state": "Enabled",
        "tenantId": "adfs",
        "homeTenantId": "adfs",
    }
