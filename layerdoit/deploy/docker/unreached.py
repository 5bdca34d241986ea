"""Another service that a program did not reach: inside a container, 127.0.0.1 is the container itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from layerdoit.deploy.docker.case import Case, Cause

_REFUSED: Final = re.compile(
    r"connection refused|os error 111\b|ECONNREFUSED|failed to connect|pool timed out", re.IGNORECASE
)
_UNKNOWN: Final = re.compile(
    r"failed to lookup address|name or service not known|temporary failure in name resolution"
    r"|could not translate host name|no address associated|ENOTFOUND|dns error",
    re.IGNORECASE,
)
_HERE: Final = re.compile(r"(?<![\w.])(?:localhost|127\.0\.0\.1|\[?::1\]?)(?::(\d{1,5}))?(?![\w.])")
_NETWORK: Final = "deploy: {network: NAME}"


def cause(case: Case) -> Cause | None:
    """What to write so that the other service is reached."""
    if any(_REFUSED.search(line) for line in case.lines):
        lines = [line for line in case.lines if _HERE.search(line) and _REFUSED.search(line)]
        for name, text in (*_given(case.environment), *(("", line) for line in lines)):
            if found := _HERE.search(text):
                what = f"{name} names {found[0]}" if name else f"it was refused at {found[0]}"
                what += ", which is the container itself there"
                if there := case.publisher(int(found[1] or 0)):
                    has = f"name {there[0]} instead of {found[0].partition(':')[0]}: that container has the port"
                    return Cause(
                        what, f"add to layerdoit.yaml: deploy: {{network: {there[1]}}}, and {has}", certain=False
                    )
                hint = (
                    f"have it name another host: the name of the other container, with {_NETWORK} for the network that "
                    "both are in (docker network ls); or an address of this machine that containers reach"
                )
                return Cause(what, hint, "deploy.network", certain=False)
    if any(_UNKNOWN.search(line) for line in case.lines) and case.settings.config.network is None:
        hint = (
            f"add to layerdoit.yaml the network of the other container: {_NETWORK} (docker network ls); "
            "one of docker compose is called PROJECT_default"
        )
        return Cause("it does not find another host by its name", hint, certain=False)
    return None


def _given(environment: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """What it connects to, by the variables that say so, not what it listens on."""
    return [
        (name, value) for name, value in environment.items() if "://" in value or name.endswith(("HOST", "ADDR", "URL"))
    ]
