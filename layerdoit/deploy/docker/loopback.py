"""What makes a service listen on 127.0.0.1: a variable, or a line of the sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from layerdoit.deploy.docker import panics
from layerdoit.deploy.docker.case import Case

_LOOPBACK: Final = re.compile(r"(?:127\.0\.0\.1|localhost|\[?::1\]?)(?::(?P<port>\d+))?")
_EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - advised, not bound
_ASKED: Final = re.compile(r"\bvar(?:_os)?\s*\(\s*\"(\w+)\"")
_NEAR: Final = 3
_BINDS: Final = re.compile(r"bind|listen|host|addr|interface|\bip\b", re.IGNORECASE)
# Where other services are.
_PEER: Final = re.compile(r"DB|DATABASE|REDIS|PG|POSTGRES|MYSQL|MONGO|SMTP|MAIL|KAFKA|AMQP|NATS|S3|SENTRY|OTEL|PROXY")


def hint(case: Case, port: int) -> str | None:
    """The next step, for a service that has that port on the container's own address only."""
    if any("Rocket has launched" in line for line in case.lines):
        return _line("ROCKET_ADDRESS", _EVERYWHERE)
    for name, value in case.environment.items():
        if _is_it(value, port, name) and not _PEER.search(name):
            return _line(name, _open(value))
    return next(_in_sources(case, port), None)


def _in_sources(case: Case, port: int) -> Iterator[str]:
    for path in case.files:
        lines = panics.source(case, path) if path.endswith(".rs") else []
        for number, line in enumerate(lines, 1):
            near = lines[max(0, number - _NEAR) : number]
            for literal in panics.literals(line, f"{path}:{number}"):
                if not _is_it(literal.text, port, " ".join(near)):
                    continue
                asked = [name for before in near for name in _ASKED.findall(before)]
                wanted = _open(literal.text)
                if asked:
                    yield f"{_line(asked[-1], wanted)} ({literal.where} has {literal.text} without it)"
                yield f"have {literal.where} say {wanted} instead of {literal.text}"


def _is_it(text: str, port: int, around: str) -> bool:
    """Whether a text is this address; one without a port where what is around it says that it is listened on."""
    found = _LOOPBACK.fullmatch(text)
    if found is None:
        return False
    return int(found["port"]) == port if found["port"] else _BINDS.search(around) is not None


def _open(address: str) -> str:
    """The same port on all addresses."""
    return _LOOPBACK.sub(lambda found: f"{_EVERYWHERE}:{found['port']}" if found["port"] else _EVERYWHERE, address)


def _line(name: str, value: str) -> str:
    written = f'"{value}"' if ":" in value else value
    return f"add to layerdoit.yaml: deploy: {{env: {{{name}: {written}}}}}"
