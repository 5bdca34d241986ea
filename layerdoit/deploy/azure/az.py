"""The requests to Azure Resource Manager, made by `az rest`: one process each, and the login is the user's."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from layerdoit.core import command_errors, masking, process
from layerdoit.core.errors import DeployError
from layerdoit.deploy.azure import az_errors
from layerdoit.deploy.azure.app_state import App, Json, Revision, app_of, revision_of
from layerdoit.deploy.azure.az_errors import AzError, Place

VERSION: Final = "2025-07-01"
"""Of the interface for container apps; what a later one adds to a container would get lost."""
_TYPE: Final = "Microsoft.App/containerApps"
_TAGS: Final = "2021-04-01"
_LONGEST: Final = 120.0
"""Seconds that one request may take."""
PAUSE = 1.0
"""Seconds between two looks at something that lasts; a look itself takes about one."""
_PATIENCE: Final = 60.0
"""Seconds that a request is made again where Azure is busy."""
_OPERATION: Final = re.compile(r"(?im)^INFO: .*'azure-asyncoperation': '(?P<url>https://[^']+)'")
_QUIET: Final = {"AZURE_CORE_NO_COLOR": "1", "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no"}
_UNLOGGED: Final = {"AZURE_LOGGING_ENABLE_LOG_FILE": "no"}
"""What a user lets az keep in files would hold the values of secrets."""


class Az:
    """`az` for one container app. Every command names the subscription, the resource group and the app."""

    def __init__(self, place: Place, container: str | None) -> None:
        self.place = place
        self._container = container
        group, app = quote(place.group, safe=""), quote(place.app, safe="")
        self._url = f"/subscriptions/{{subscriptionId}}/resourceGroups/{group}/providers/{_TYPE}/{app}"

    # --- reading -----------------------------------------------------------------------------------------------------

    def app(self) -> App:
        """The app as it is."""
        return app_of(self._ask("get", "")[0], self._container)

    def revisions(self) -> dict[str, Revision]:
        """All revisions that Azure keeps, by name, the oldest first."""
        found, _ = self._ask("get", "/revisions")
        pages = list(found["value"])
        while found.get("nextLink"):
            found = self._request("get", str(found["nextLink"]))[0]
            pages += found["value"]
        every = sorted((revision_of(one, self._container) for one in pages), key=lambda one: one.created)
        return {one.name: one for one in every}

    def revision(self, name: str) -> Revision:
        """One revision."""
        return revision_of(self._ask("get", f"/revisions/{name}")[0], self._container)

    def replicas(self, revision: str) -> Sequence[Json]:
        """The replicas of a revision."""
        found: Sequence[Json] = self._ask("get", f"/revisions/{revision}/replicas")[0]["value"]
        return found

    def secrets(self) -> Sequence[Json]:
        """The secrets of the app, with their values, which are redacted from here on, or where a vault has them."""
        found: Sequence[Json] = self._ask("post", "/listSecrets")[0]["value"]
        for one in found:
            masking.register_secret(str(one.get("value") or ""))
        return found

    # --- changing ----------------------------------------------------------------------------------------------------

    def change(self, body: Json, deadline: float) -> None:
        """Change the app, and wait until Azure has done it. AzError with Azure's reason where it could not."""
        _, operation = self._ask("patch", "", body)
        ends = time.monotonic() + deadline
        while not (self._ended(operation) if operation else self._settled()):
            if time.monotonic() > ends:
                what = f"Azure has not ended a change of {self.place.app} within {deadline:g} s"
                hint = f"raise deploy.azure.deadline; az containerapp revision list {self.place.options} --all"
                raise AzError(what, hint=hint, code=az_errors.LATE)
            time.sleep(PAUSE)

    def _ended(self, operation: str) -> bool:
        found: Json = {}
        # A look that fails for a moment is no failure: the deadline decides.
        with _passing():
            found = self._request("get", operation)[0]
        state = str(found.get("status", "")).casefold()
        if state in ("failed", "canceled"):
            error = found.get("error") or {}
            message = str(error.get("message") or "it gives no reason")
            raise az_errors.refused(str(error.get("code", "")), message, self.place)
        return state == "succeeded"

    def _settled(self) -> bool:
        """As `_ended`, where az did not say which operation it is."""
        app = self.app()
        if app.failed:
            raise az_errors.refused("", app.error or "it gives no reason", self.place)
        return not app.busy

    def activate(self, revision: str) -> None:
        """Let a revision run."""
        self._ask("post", f"/revisions/{revision}/activate")

    def deactivate(self, revision: str) -> None:
        """Let a revision run no longer; Azure keeps it."""
        self._ask("post", f"/revisions/{revision}/deactivate")

    def tag(self, operation: str, tags: Mapping[str, str]) -> dict[str, str]:
        """Merge or Delete tags of the app; all that it has then. Makes no revision."""
        url = f"{self._url}/providers/Microsoft.Resources/tags/default?api-version={_TAGS}"
        found = self._request("patch", url, {"operation": operation, "properties": {"tags": dict(tags)}})[0]
        return dict((found.get("properties") or {}).get("tags") or {})

    # --- commands of az itself ---------------------------------------------------------------------------------------

    def command(self, *words: str) -> list[str]:
        """`az containerapp …` for this app."""
        place = self.place
        named = ["--subscription", place.subscription, "--resource-group", place.group, "--name", place.app]
        return ["az", "containerapp", *words, *named]

    # --- inside ------------------------------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, body: Json | None = None) -> tuple[Any, str | None]:
        return self._request(method, f"{self._url}{path}?api-version={VERSION}", body)

    def _request(self, method: str, url: str, body: Json | None = None) -> tuple[Any, str | None]:
        """The answer, and the address of the operation where one goes on."""
        argv = ["az", "rest", "--subscription", self.place.subscription, "--method", method, "--url", url]
        argv += ["--output", "json"]
        if body is not None:
            # Only so does az say where the operation can be asked about.
            argv += ["--body", "@-", "--verbose"]
        ends = time.monotonic() + _PATIENCE
        while True:
            done = self._run(argv, None if body is None else json.dumps(body))
            if done.code == 0:
                found = _OPERATION.search(done.stderr)
                return (json.loads(done.stdout) if done.stdout.strip() else {}), found["url"] if found else None
            error = az_errors.explained(masking.redact(done.stderr), self.place)
            # A change may have been made although no answer came.
            again = error.passing if method == "get" else error.busy
            if not again or time.monotonic() > ends:
                raise error
            time.sleep(PAUSE)

    def _run(self, argv: Sequence[str], fed: str | None) -> process.Completed:
        try:
            return process.capture(argv, env={**_QUIET, **_UNLOGGED}, check=False, input=fed, seconds=_LONGEST)
        except command_errors.ProgramMissing as missing:
            raise missing_az() from missing


def missing_az() -> DeployError:
    """There is no az."""
    what = "provider: azure-container-apps needs the Azure CLI, and the program `az` was not found"
    return DeployError(what, hint="install the package azure-cli, or pip install azure-cli; then az login")


@contextlib.contextmanager
def _passing() -> Iterator[None]:
    """A look that fails for a moment is no failure: the deadline decides."""
    try:
        yield
    except AzError as error:
        if not error.passing:
            raise
