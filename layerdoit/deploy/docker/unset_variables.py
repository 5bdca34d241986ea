"""Environment variables that a program asks for and the container does not have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from layerdoit.core.prose import listed
from layerdoit.deploy.docker import panics
from layerdoit.deploy.docker.case import Case, Cause

_NAME: Final = r"[A-Z][A-Z0-9]*(?:_+[A-Z0-9]+)*"
_QUOTE: Final = r"[\"'`$(){}]*"
_THE_VARIABLE: Final = r"(?i:(?:environment |env(?:ironment)?[ _]?)?var(?:iable)? )?"
_BE: Final = r"(?:must be|must have been|is not|isn'?t|was not|wasn'?t|not|has not been|should be|needs to be)"
_SET: Final = r"(?:set|defined|present|provided|given|found|specified|configured)\b"
_LACKING: Final = r"(?:is |was )?(?:missing|required|unset|undefined|unbound variable|parameter not set|NotPresent)\b"
_NAMED_FIRST: Final = re.compile(
    rf"(?<![\w-])(?P<name>{_NAME}){_QUOTE}:? {_THE_VARIABLE}"
    rf"(?i:{_BE} {_SET}|{_LACKING}|environment variable not (?:found|set))"
)
_NAMED_LAST: Final = re.compile(
    r"(?i:missing|unset|undefined|set|define|provide|expected|requires?|var_name|variable|env(?:ironment)?)"
    rf"(?i: the| required)*:? {_THE_VARIABLE}{_QUOTE}(?P<name>{_NAME})(?![\w=-])"
)
_NO_NAME: Final = re.compile(
    r"\bNotPresent\b|environment variable not found|path not found|\.env\b.*not found", re.IGNORECASE
)
_FIELD: Final = re.compile(
    r"missing (?:value for |configuration )?field:? [`\"']?([A-Za-z][\w.-]*)[`\"']?", re.IGNORECASE
)
_ASKED: Final = re.compile(r"\bvar(?:_os)?\s*\(\s*$")
_HINT_OF_RUST: Final = "RUST_BACKTRACE"
# Words in capitals that are no variables.
_NONE: Final = frozenset((
    "ERROR", "WARN", "WARNING", "INFO", "DEBUG", "TRACE", "FATAL", "PANIC", "HTTP", "HTTPS", "URL", "URI", "TLS", "SSL",
    "JSON", "TOML", "YAML", "API", "SQL", "GET", "POST",
))  # fmt: skip
_EXAMPLES: Final = (".env.example", ".env.sample", ".env.template", ".env.dist", "example.env", "env.example")
_OWN: Final = ".env"


def cause(case: Case) -> Cause | None:
    """The variables that its log names, or the sources at the place where it gave up."""
    if names := list(
        dict.fromkeys(name for line in case.lines for name in _said(line) if name not in case.environment)
    ):
        return _told(case, names, "")
    if any(_NO_NAME.search(line) for line in case.lines):
        near = {text.text: text.where for text in panics.places(case) if _is_unset(case, text)}
        if near:
            return _told(case, list(near), f" ({', '.join(near.values())})")
        if all_of := _asked_for(case):
            what = f"the sources ask for variables that the container does not have: {listed(list(all_of), 6)}"
            return Cause(f"{what} ({next(iter(all_of.values()))})", _line(case, list(all_of)[:6]))
    return None


def field(case: Case) -> Cause | None:
    """A field that its configuration lacks: a variable can give it, or a file."""
    for line in case.lines:
        if found := _FIELD.search(line):
            name = re.sub(r"[.-]", "__", found[1]).upper()
            what = f"its configuration lacks `{found[1]}`"
            hint = (
                f"{_line(case, [name])}, by the name that the program reads it from, or give it the file (image.assets)"
            )
            return Cause(what, hint, certain=False)
    return None


def _said(line: str) -> Iterator[str]:
    if _HINT_OF_RUST in line:
        return
    for pattern in (_NAMED_FIRST, _NAMED_LAST):
        for found in pattern.finditer(line):
            if found["name"] not in _NONE and len(found["name"]) > 2:
                yield found["name"]


def _is_unset(case: Case, text: panics.Literal) -> bool:
    named = re.fullmatch(_NAME, text.text) is not None
    return named and _ASKED.search(text.before) is not None and text.text not in case.environment


def _asked_for(case: Case) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in case.files:
        if path.endswith(".rs") and not path.endswith("build.rs") and "tests/" not in path:
            for number, line in enumerate(panics.source(case, path), 1):
                for text in panics.literals(line, f"{path}:{number}"):
                    if _is_unset(case, text) and "unwrap_or" not in line and ".ok()" not in line:
                        found.setdefault(text.text, text.where)
    return found


def _told(case: Case, names: list[str], where: str) -> Cause:
    what = f"the environment variable {names[0]} is" if len(names) == 1 else f"the variables {', '.join(names)} are"
    return Cause(f"{what} not set in the container{where}", _line(case, names))


def _line(case: Case, names: list[str]) -> str:
    given = ", ".join(f"{name}: …" for name in names)
    file = case.settings.config.env_file
    if file is None and (place := _given(case, _OWN, names)):
        return f"add to layerdoit.yaml: deploy: {{env_file: {_OWN}}} ({place} has it)"
    example = next(filter(None, (_given(case, path, names) for path in _EXAMPLES)), "")
    shown = f" ({example} has a value)" if example else ""
    return (
        f"add to {file}: {names[0]}=…{shown}" if file else f"add to layerdoit.yaml: deploy: {{env: {{{given}}}}}{shown}"
    )


def _given(case: Case, path: str, names: list[str]) -> str:
    """Where a file of the project gives one of them."""
    for number, line in enumerate(panics.source(case, path), 1):
        if line.strip().removeprefix("export ").partition("=")[0].strip() in names:
            return f"{path}:{number}"
    return ""
