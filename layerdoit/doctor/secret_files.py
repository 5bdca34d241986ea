"""Credentials among the files that builds get: recognised by name and by well-known forms; values are never shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from layerdoit.config import credentials
from layerdoit.core.prose import listed
from layerdoit.doctor.finding import Finding, Rule, rules

IN_CONTEXT = Rule(
    "secret-in-context",
    "warning",
    "A credential is among the files that builds get.",
    "it reaches every builder and stays in its cache; build scripts and macros of any crate can read it",
    "exclude the file (.gitignore, .dockerignore, sources.exclude), and replace the credential if it was ever pushed",
)
IN_IMAGE = Rule(
    "secret-in-image",
    "error",
    "A credential is among the assets that are copied into the image.",
    "whoever can pull the image can read it",
    "pass it to the container at run time, and remove the file from image.assets",
)
IN_TESTS = Rule(
    "secret-in-tests",
    "hint",
    "There are credentials in folders of tests or examples.",
    "invented ones do no harm, but real ones are as public there as anywhere",
    "make sure that they are invented",
)
RULES = tuple(rules(globals()))

MAX_SIZE = 1_000_000
"""Bytes; larger files are not read."""

# Kind, literals of which it holds one (looking for them is a hundred times faster than for the form), form.
_TOKENS: tuple[tuple[str, tuple[bytes, ...], re.Pattern[bytes]], ...] = tuple(
    (form.kind, tuple(literal.encode() for literal in form.literals), re.compile(form.strict.encode()))
    for form in credentials.FORMS
)
# Most files hold no literal at all: one search instead of one for each.
_ANY = re.compile(b"|".join(re.escape(literal) for _, literals, _ in _TOKENS for literal in literals))
_MADE_UP = re.compile(rb"(?i)example|changeme|change-me|your[_-]|placeholder|dummy|redacted|x{6}|0{12}|1234567|abcdefg")
# Forms in which random text is no proof of a key: their bodies must look random.
_MIN_DIFFERENT = 10

_STORES = re.compile(r"(?:^|/)(?:\.git-credentials|\.pgpass|[^/]+\.(?:p12|pfx|jks|keystore|kdbx))$")
_ENV_FILE = re.compile(r"(?:^|/)\.env(?:\.[\w.-]+)?$|(?:^|/)[\w-]+\.env$")
_ENV_SAMPLE = re.compile(r"(?i)example|sample|template|dist|default|test|\.ci$|mock")
_FOR_TESTS = re.compile(
    r"(?i)(?:^|/)(?:(?:[\w-]*[_-])?tests?|test(?:ing|data|box|[_-][\w-]+)|examples?|fixtures?|benches|mocks?|samples?|docs?"
    r"|fuzz|snapshots)/"
    r"|(?:^|[/_.-])(?:tests?|dummy|fake|mock|example|sample|snakeoil|self[_-]?signed)(?=[_.-]|$)[^/]*$"
)
# A file with so many kinds of token lists what tokens look like.
_CATALOGUE = 3


@dataclass(frozen=True)
class Secret:
    """Something that looks like a credential: what, and where. Never its value."""

    what: str
    path: str
    line: int | None
    made_up: bool = False
    """It stands where tests and examples stand."""


def by_name(path: str) -> Secret | None:
    """Files that hold credentials whatever is in them."""
    return Secret("a store of credentials", path, None) if _STORES.search(path) else None


def in_content(path: str, content: bytes) -> Iterator[Secret]:
    """Credentials in a file: each kind once."""
    if _ENV_FILE.search(path) and not _ENV_SAMPLE.search(path):
        yield from _environment(path, content.decode("utf-8", "replace"))
    name = path.rpartition("/")[2]
    if name in (".netrc", "_netrc") and (found := re.search(rb"(?m)\bpassword\s+\S+", content)):
        yield Secret("a password", path, _line(content, found.start()))
    if name == ".npmrc" and (found := re.search(rb"(?m)_auth(?:Token)?\s*=\s*(?!\$\{)\S+", content)):
        yield Secret("a token", path, _line(content, found.start()))
    told: dict[str, int] = {}
    for kind, literals, form in _TOKENS if _ANY.search(content) else ():
        if kind not in told and any(literal in content for literal in literals):
            found = next(filter(_real_token, form.finditer(content)), None)
            if found:
                told[kind] = found.start()
    tests = content.find(b"#[cfg(test)]") if path.endswith(".rs") else -1
    for kind, start in told.items():
        for_tests = len(told) >= _CATALOGUE or 0 <= tests < start
        yield Secret(kind, path, _line(content, start), for_tests)


def _real_token(found: re.Match[bytes]) -> bool:
    """Whether it looks random; of a private key, what follows its head."""
    body = found[0].rpartition(b"-----")[2]
    return not _MADE_UP.search(body) and len(set(body)) >= _MIN_DIFFERENT


def _line(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def _environment(path: str, text: str) -> Iterator[Secret]:
    """The first assignment of a real value to a variable that is called a secret."""
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)$", line)
        if found is None:
            continue
        value = re.sub(r"\s+#.*$", "", found[2]).strip().strip("\"'")
        login = re.search(r"://[^/\s:@]*:([^/\s@]+)@([^/\s:]+)", value)
        elsewhere = (
            login is not None and "." in login[2] and not login[2].startswith("127.") and not login[1].startswith("$")
        )
        named = credentials.sounds_secret(found[1]) and credentials.found(found[1], value) and _real(value)
        if named or elsewhere:
            yield Secret(f"the value of {found[1]}", path, number)
            return


def _real(value: str) -> bool:
    """No reference, path, switch or placeholder."""
    if len(value) < 8 or value.startswith(("$", "<", "/", "./", "{", "http://", "https://")):
        return False
    return not _MADE_UP.search(value.encode()) and not re.fullmatch(
        r"(?i)(password|secret|postgres|development|token)+\d*", value
    )


def findings(found: Sequence[Secret], assets: frozenset[str]) -> Iterator[Finding]:
    """`assets`: paths of what is copied into the image."""
    tests = []
    for secret in found:
        place = secret.path if secret.line is None else f"{secret.path}:{secret.line}"
        if secret.path in assets:
            yield IN_IMAGE.found(f"this asset holds {secret.what}", place)
        elif secret.made_up or _FOR_TESTS.search(secret.path):
            tests.append(place)
        else:
            yield IN_CONTEXT.found(f"this file holds {secret.what}", place)
    if tests:
        yield IN_TESTS.found(f"what looks like credentials is in {listed(tests, 3)}", tests[0])
