"""How a registry is reached: HTTPS or HTTP, certificates, logins and tokens. Over `requests`, which the SDK brings.

No library took its place: the one for Python that is kept up waits for answers without a limit, and has no referrers.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import os
import re
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urljoin

from layerdoit.core.errors import EngineError
from layerdoit.engine.registry_answers import Refusal, refusal

if TYPE_CHECKING:
    import requests

Verb = Literal["push", "pull", "delete"]

TIMEOUT: Final = (10.0, 30.0)
"""Seconds to connect, and between two parts of an answer."""
POOL: Final = 16
"""Connections that are kept: so many requests may run side by side."""
_CERTIFICATES: Final = Path("/etc/docker/certs.d")
_CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')


class RegistryError(EngineError):
    """A registry does not answer, or refuses. `refusal`: how."""

    def __init__(self, what: str, answer: Refusal, hint: str) -> None:
        super().__init__(what, hint=hint)
        self.refusal = answer


class Refused(Exception):
    """What the registry, or the way to it, said instead of yes; a RegistryError says of what, too."""

    def __init__(self, answer: Refusal) -> None:
        super().__init__(answer.said)
        self.refusal = answer


class Access:
    """The way to one registry, for any number of threads. `host`: as it stands before an image's name."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._lock = threading.Lock()
        self._tokens: dict[str, str] = {}
        self._way: tuple[str, requests.Session] | None = None

    def asked(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | Path | None = None,
        verb: Verb = "pull",
        stream: bool = False,
    ) -> requests.Response:
        """The registry's answer, of whatever status but 401; `Refused` where there is none.

        `data`: or a file that has it. `stream`: what the answer holds is read later, within `asking()`.
        A login is shown only where the registry asks for it, and once more where a token has expired.
        """
        token = self._tokens.get(verb, "")
        send = partial(self._sent, method, path, headers, data, stream=stream)
        answer = send(token)
        if answer.status_code == 401:
            self._log_in(verb, token, answer)
            answer = send(self._tokens[verb])
        if answer.status_code == 401:
            raise Refused(refused(answer))
        return answer

    def _sent(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None,
        data: bytes | Path | None,
        login: str,
        *,
        stream: bool,
    ) -> requests.Response:
        base, session = self._found()
        url = urljoin(f"{base}/", path)
        shown = _Shown(login if url.startswith(f"{base}/") else "")
        with asking(), contextlib.ExitStack() as stack:
            body = stack.enter_context(data.open("rb")) if isinstance(data, Path) else data
            return session.request(method, url, headers=headers, data=body, auth=shown, timeout=TIMEOUT, stream=stream)

    # --- the address -------------------------------------------------------------------------------------------------

    def _found(self) -> tuple[str, requests.Session]:
        """Where the registry answers: by HTTPS; where the engine would take less, by that, too."""
        with self._lock:
            if self._way is None:
                self._way = self._looked_for()
            return self._way

    def _looked_for(self) -> tuple[str, requests.Session]:
        if not _is_loopback(self.host):
            try:
                return _pinged(self.host, "https", insecure=False)
            except Refused:
                if not _takes_insecure(self.host):
                    raise
        try:
            return _pinged(self.host, "https", insecure=True)
        except Refused as error:
            closed = error.refusal.kind == "silent" and "timed out" not in error.refusal.said
            if not closed and error.refusal.kind not in ("plain", "refused"):
                raise
        return _pinged(self.host, "http", insecure=True)

    # --- the login ---------------------------------------------------------------------------------------------------

    def _log_in(self, verb: Verb, used: str, answer: requests.Response) -> None:
        """Have what the registry asks for in `_tokens`. `used`: what it did not take; another thread may have more."""
        with self._lock:
            if self._tokens.get(verb, "") not in ("", used):
                return
            kind, _, rest = answer.headers.get("WWW-Authenticate", "").partition(" ")
            login = credentials(self.host)
            if kind.lower() == "basic" and login.get("username") and not used:
                self._tokens[verb] = _basic(login)
            elif kind.lower() == "bearer":
                self._tokens[verb] = f"Bearer {self._token(dict(_CHALLENGE.findall(rest)), login)}"
            else:
                raise Refused(refused(answer))

    def _token(self, challenge: Mapping[str, str], login: Mapping[str, str]) -> str:
        """Ask the address of the challenge for a token, as the user or as nobody."""
        wanted: list[tuple[str, str]] = [("scope", scope) for scope in challenge.get("scope", "").split()]
        wanted += [("service", challenge["service"])] if "service" in challenge else []
        _, session = self._way or self._looked_for()
        with asking():
            if login.get("identitytoken"):
                form = [("grant_type", "refresh_token"), ("refresh_token", login["identitytoken"])]
                form = [*form, ("client_id", "layerdoit"), *wanted]
                answer = session.post(challenge.get("realm", ""), data=form, auth=_Shown(""), timeout=TIMEOUT)
            else:
                shown = _basic(login) if login.get("username") else ""
                address = challenge.get("realm", "")
                answer = session.get(address, params=wanted, auth=_Shown(shown), timeout=TIMEOUT)
            if answer.status_code != 200:
                raise Refused(refused(answer))
            try:
                found = answer.json()
                return str(found.get("token") or found["access_token"])
            except (ValueError, KeyError, AttributeError) as error:
                raise Refused(Refusal("login", "the address for tokens gave no token")) from error


class _Shown:
    """Shows this login and no other: without one, `requests` would look into the user's netrc."""

    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._authorization:
            request.headers["Authorization"] = self._authorization
        return request


# --- what docker knows -----------------------------------------------------------------------------------------------


def credentials(host: str) -> Mapping[str, str]:
    """The login for a registry from docker's configuration, also from its helpers; empty where there is none."""
    from docker import auth
    from docker.errors import DockerException

    try:
        with warnings.catch_warnings():
            # Of a helper that is not there; its error follows.
            warnings.simplefilter("ignore")
            found = auth.load_config().resolve_authconfig(None if host == auth.INDEX_NAME else host)
    except (DockerException, OSError, ValueError) as error:
        what = f"docker's login for {host} cannot be read: {str(error).splitlines()[0][:300]}"
        hint = "repair credsStore or credHelpers in docker's config.json, or run docker login there"
        raise EngineError(what, hint=hint) from error
    # Of the file it says `username`, of a helper `Username`.
    return {str(name).lower(): str(value) for name, value in (found or {}).items() if value}


def _basic(login: Mapping[str, str]) -> str:
    words = f"{login.get('username', '')}:{login.get('password', '')}"
    return f"Basic {base64.b64encode(words.encode()).decode()}"


def _address(host: str) -> str:
    from docker import auth

    return f"registry-1.{host}" if host == auth.INDEX_NAME else host


def _name(host: str) -> str:
    """Without the port."""
    return host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(_name(host)).is_loopback
    return _name(host) == "localhost"


def takes_insecure(host: str) -> bool:
    """Whether it is spoken to without TLS, or without looking at its certificate: on this machine, or configured so."""
    return _is_loopback(host) or _takes_insecure(host)


def _takes_insecure(host: str) -> bool:
    """Whether the engine is configured to speak to a registry without TLS, or without looking at its certificate."""
    from layerdoit.engine.api import connect

    try:
        told = (connect().get("/info") or {}).get("RegistryConfig") or {}
    except EngineError:
        return False
    if (told.get("IndexConfigs") or {}).get(host, {}).get("Secure") is False:
        return True
    ranges = [ipaddress.ip_network(one) for one in told.get("InsecureRegistryCIDRs") or ()]
    with contextlib.suppress(OSError, ValueError):
        found = {ipaddress.ip_address(entry[4][0]) for entry in socket.getaddrinfo(_name(host), None)}
        return any(one in known for one in found for known in ranges if one.version == known.version)
    return False


# --- requests --------------------------------------------------------------------------------------------------------


def _pinged(host: str, scheme: str, *, insecure: bool) -> tuple[str, requests.Session]:
    """The address and a session, if something answers there."""
    base, session = f"{scheme}://{_address(host)}", _session(host, insecure=insecure)
    with asking():
        session.get(f"{base}/v2/", auth=_Shown(""), timeout=TIMEOUT)
    return base, session


def _session(host: str, *, insecure: bool) -> requests.Session:
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter

    context = _context(host, insecure=insecure)
    if insecure:
        # The engine says so; a warning for each request would say it again.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    class Adapter(HTTPAdapter):
        """Goes by our context: the certificates of `requests` are not those that the engine goes by."""

        def init_poolmanager(self, *words: Any, **named: Any) -> None:
            super().init_poolmanager(*words, **named, ssl_context=context)

        def proxy_manager_for(self, proxy: Any, **named: Any) -> Any:
            return super().proxy_manager_for(proxy, **named, ssl_context=context)

        def cert_verify(self, *_: Any) -> None:
            pass

        def build_connection_pool_key_attributes(self, request: Any, *_: Any) -> Any:
            found, _settings = super().build_connection_pool_key_attributes(request, verify=True)
            return found, {"ssl_context": context} if found.get("scheme") == "https" else {}

    session = requests.Session()
    # The engine asks no proxy for what is on this machine.
    session.trust_env = not _is_loopback(host)
    session.mount("https://", Adapter(pool_maxsize=POOL))
    session.mount("http://", HTTPAdapter(pool_maxsize=POOL))
    return session


def _context(host: str, *, insecure: bool) -> ssl.SSLContext:
    """The system's certificates, or those of SSL_CERT_FILE, and what docker is given for this registry."""
    context = ssl.create_default_context()
    for path in sorted((_CERTIFICATES / host).glob("*.crt")):
        with contextlib.suppress(OSError):
            context.load_verify_locations(path)
    for path in sorted((_CERTIFICATES / host).glob("*.cert")):
        with contextlib.suppress(OSError):
            context.load_cert_chain(path, path.with_suffix(".key"))
    if insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Raise the errors of `requests` in a block as `Refused`."""
    import requests

    try:
        yield
    except requests.ConnectTimeout as error:
        raise Refused(Refusal("silent", f"timed out after {TIMEOUT[0]:g} s")) from error
    except requests.Timeout as error:
        raise Refused(Refusal("silent", f"timed out after {TIMEOUT[1]:g} s")) from error
    except requests.RequestException as error:
        raise Refused(refusal(_innermost(error))) from error


def _innermost(error: BaseException) -> str:
    """What went wrong, without the layers that it went through."""
    cause, inner = error, _next_cause(error)
    while inner is not None:
        cause, inner = inner, _next_cause(inner)
    text = str(cause) or type(cause).__name__
    if re.search(r"wrong.version.number|record.layer.failure", text, re.IGNORECASE):
        return "server gave HTTP response to HTTPS client"
    plain = re.sub(r"^.*?(?=\[(?:Errno|SSL))", "", text, flags=re.DOTALL)
    return re.sub(r"^\[Errno -?\d+\] |\s*\(_ssl\.c:\d+\)", "", plain).rstrip(")'\"") or text


def _next_cause(error: BaseException) -> BaseException | None:
    named = (getattr(error, "reason", None), *error.args)
    return next((one for one in named if isinstance(one, BaseException)), None)


def refused(answer: requests.Response) -> Refusal:
    """What an answer that is none of success says."""
    words = f"HTTP {answer.status_code}"
    try:
        first = (answer.json().get("errors") or [{}])[0]
        told = ": ".join(filter(None, (str(first.get("code") or "").lower(), str(first.get("message") or ""))))
    except (ValueError, AttributeError, IndexError):
        told = answer.reason or ""
    return refusal(f"{words}: {told}" if told else words)


_known: dict[tuple[str, int], Access] = {}
_known_lock = threading.Lock()


def access(host: str) -> Access:
    """The way to a registry; one for the whole process, with its connections and tokens."""
    with _known_lock:
        return _known.setdefault((host, os.getpid()), Access(host))
