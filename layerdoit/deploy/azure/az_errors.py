"""What `az` says when it fails, as one message with the command that helps."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from layerdoit.core.errors import DeployError


class Place(NamedTuple):
    """Where the app is, as the settings say; `where`: file and line of each."""

    subscription: str
    group: str
    app: str
    where: Mapping[str, str]

    @property
    def options(self) -> str:
        """What every command for the app needs, for a hint."""
        return f"--subscription {_quoted(self.subscription)} --resource-group {_quoted(self.group)} --name {self.app}"


class AzError(DeployError):
    """`az` failed. `code`: Azure's own word for it, '' where there is none; `passing`: it may go by itself."""

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None, code: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.code = code

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed a moment later."""
        return self.code in _PASSING

    @property
    def open(self) -> bool:
        """Whether what was asked for may still come about."""
        return self.code in (_NETWORK, LATE)

    @property
    def busy(self) -> bool:
        """Whether Azure did not even begin, as another change of the app is under way, or there were too many."""
        return self.code in (*_BUSY, "TooManyRequests")


_BUSY: Final = ("ContainerAppOperationInProgress", "ContainerAppBeingUpdated", "Conflict", "OperationInProgress")
_NETWORK: Final = "Network"
LATE: Final = "Late"
"""Azure had not ended a change at the deadline."""
_PASSING: Final = (
    *_BUSY,
    _NETWORK,
    *("TooManyRequests", "InternalServerError", "ServiceUnavailable", "GatewayTimeout", "ServerTimeout"),
)
_LOGIN: Final = (
    *("az login", "InvalidAuthenticationToken", "ExpiredAuthenticationToken", "AuthenticationFailed"),
    *("refresh token", "interaction_required", "Status_InteractionRequired", "No subscription found"),
)
_DENIED: Final = ("AuthorizationFailed", "LinkedAuthorizationFailed", "does not have authorization")
_QUOTA: Final = (
    *("MaxNumberOfRevisions", "Maximum Allowed Cores", "QuotaExceeded", "quota", "Quota", "InsufficientCapacity"),
    *("MaximumAllowedCores", "ManagedEnvironmentCoreLimit"),
)
_PULL: Final = (
    *("UNAUTHORIZED", "unauthorized", "authentication required", "denied", "ImagePull", "ErrImagePull"),
    *("MANIFEST_UNKNOWN", "manifest unknown", "no such host", "failed to pull", "Failed to pull", "not found"),
)
_ERROR: Final = re.compile(r"^(?:ERROR: )?(?:[\w.]+: )?(?P<text>.+)$")


def explained(stderr: str, place: Place) -> AzError:
    """The error that `az` printed."""
    text = said(stderr)
    code, message = _parts(text)
    for kind in (_signed_out, _subscription, _absent, _denied, _outdated, _network):
        if found := kind(code, message, place):
            return found
    return refused(code, message, place)


def refused(code: str, message: str, place: Place) -> AzError:
    """What Azure says of a revision that it does not make, or an operation that failed."""
    what = f"Azure refuses: {message}"
    plain = f"{code} {message}"
    if code in _BUSY:
        hint = "wait until it has ended, then run this again; a portal or another tool changes the app as well"
        return AzError(f"another change of {place.app} is under way", hint=hint, code=code)
    if ".image'" in message or any(word in message for word in _PULL[:6]):
        return AzError(f"Azure cannot pull the image: {_image_words(message)}", hint=pull_hint(place), code=code)
    if any(word in plain for word in _QUOTA):
        hint = (
            "deactivate revisions that nobody needs (az containerapp revision list "
            f'{place.options} --query "[?properties.active].name"), or ask for a higher quota: az quota list'
        )
        return AzError(what, hint=hint, code=code)
    return AzError(what, hint=f"az containerapp show {place.options} shows the app as it is", code=code)


def pull_hint(place: Place) -> str:
    """What to do where the app may not pull."""
    return (
        f"let the app pull from that registry: az containerapp registry set {place.options} --server <registry> "
        "--identity system, and give that identity the role AcrPull"
    )


def said(stderr: str) -> str:
    """The words of `az` behind ERROR, without what it logs."""
    lines = [line.rstrip() for line in stderr.splitlines() if not re.match(r"(INFO|DEBUG|WARNING)\b", line)]
    errors = [number for number, line in enumerate(lines) if "ERROR: " in line]
    kept = lines[errors[0] :] if errors else lines
    if kept and errors:
        kept[0] = kept[0].partition("ERROR: ")[2]
    return "\n".join(line for line in kept if line.strip()).strip()


def _parts(text: str) -> tuple[str, str]:
    """Azure's code and message. az rest writes `Reason({json})`, other commands `(Code) message`."""
    found = re.match(r"(?P<reason>[\w ]+)\((?P<json>\{.*\})\)\s*$", text, re.DOTALL)
    if found:
        try:
            error: Any = json.loads(found["json"])
            error = error.get("error", error)
            return str(error.get("code", "")), str(error.get("message", "")) or found["reason"]
        except (ValueError, AttributeError):
            pass
    found = re.match(r"\((?P<code>\w+)\) (?P<message>.*)", text, re.DOTALL)
    if found:
        return found["code"], found["message"].partition("\nCode:")[0]
    plain = re.match(r"(Too Many Requests|Service Unavailable|Internal Server Error|Gateway Timeout)", text)
    return (plain[1].replace(" ", ""), text) if plain else ("", text)


def _signed_out(code: str, message: str, _place: Place) -> AzError | None:
    known = code in ("InvalidAuthenticationToken", "ExpiredAuthenticationToken", "Unauthorized")
    number = re.search(r"AADSTS(\d+)", message)
    if not known and number is None and not any(word in message for word in _LOGIN):
        return None
    first = message.splitlines()[0] if message else code
    if "setup account" in message or "az login" in first:
        return AzError("az is not logged in", hint="az login", code="NotLoggedIn")
    hint = "az login (in CI: az login --service-principal, or a federated token), then run this again"
    return AzError(f"the login of az has expired, or is refused: {first}", hint=hint, code=code or "LoginExpired")


def _subscription(code: str, message: str, place: Place) -> AzError | None:
    lost = code in ("SubscriptionNotFound", "InvalidSubscriptionId", "InvalidAuthenticationTokenTenant")
    if not lost and not re.search(
        r"(?i)subscription\b.* (doesn't exist|not (found|recognized)|could not be found)", message
    ):
        return None
    what = f'the login of az has no subscription "{place.subscription}"'
    hint = "az account list --output table lists those that it has; az login --tenant <tenant> adds those of a tenant"
    return AzError(what, where=place.where.get("deploy.azure.subscription"), hint=hint, code=code)


def _absent(code: str, message: str, place: Place) -> AzError | None:
    if code == "ResourceGroupNotFound":
        what = f'the subscription has no resource group "{place.group}"'
        hint = f"az group list --subscription {_quoted(place.subscription)} --output table lists those that it has"
        return AzError(what, where=place.where.get("deploy.azure.resource_group"), hint=hint, code=code)
    if code in ("ResourceNotFound", "ContainerAppNotFound", "NotFound") and "evision" not in message:
        what = f'the resource group {place.group} has no container app "{place.app}"'
        hint = (
            f"make it once: az containerapp create {place.options} --environment <environment> "
            "--image mcr.microsoft.com/k8se/quickstart:latest --ingress external --target-port <port> "
            "--revisions-mode multiple"
        )
        return AzError(what, where=place.where.get("deploy.azure.app"), hint=hint, code=code)
    return None


def _denied(code: str, message: str, place: Place) -> AzError | None:
    if not any(word in f"{code} {message}" for word in _DENIED):
        return None
    role = "Tag Contributor" if "Microsoft.Resources/tags" in message else "Container Apps Contributor"
    hint = (
        f'ask for the role "{role}" on the app: az role assignment create --assignee <you> --role "{role}" '
        f"--resource-group {_quoted(place.group)} --subscription {_quoted(place.subscription)}"
    )
    return AzError(f"your login may not do this: {message.splitlines()[0]}", hint=hint, code=code)


def _outdated(_code: str, message: str, _place: Place) -> AzError | None:
    if re.search("is misspelled or not recognized|unrecognized arguments", message):
        return AzError("this az is too old: it does not know container apps", hint="az upgrade", code="Outdated")
    return None


def _network(code: str, message: str, _place: Place) -> AzError | None:
    words = ("Connection aborted", "Max retries exceeded", "Name or service not known", "getaddrinfo", "timed out")
    if code or not any(word in message for word in words):
        return None
    what = f"Azure does not answer: {message.splitlines()[0]}"
    return AzError(what, hint="look at the network, a proxy (HTTPS_PROXY), and az account show", code=_NETWORK)


def _image_words(message: str) -> str:
    """Without the field of the request that the words stand in."""
    found = re.search(r"details: '?Invalid value: \"(?P<image>[^\"]+)\": (?P<why>.+?)'?\.?$", message, re.DOTALL)
    return f"{found['image']}: {found['why']}" if found else message


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)
