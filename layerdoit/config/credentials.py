"""What counts as a credential, everywhere: by the name of a variable, by its value, or by both.

    found(name, value) -> str | None       # what it is, in words without the value
    sounds_secret(name) -> bool            # where the value is not known, or does not matter

A name alone says that something is secret; a value that can be none (a switch, a path, a number, a reference to another
variable) speaks for the opposite; and some values are credentials whatever they are called.
"""

from __future__ import annotations

import functools
import re
from typing import Final, NamedTuple


class Form(NamedTuple):
    """A kind of token. `literals`: it holds one of them; `strict`: as it stands in any file; `loose`: as a value."""

    kind: str
    literals: tuple[str, ...]
    strict: str
    loose: str | None = None


_BASE64: Final = r"[A-Za-z0-9+/=]"
FORMS: Final = (
    # A key has lines of base64 after its head; code and manuals only name the head.
    Form(
        "a private key",
        ("PRIVATE KEY",),
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\\n|[\"'\s]|[A-Za-z-]+: [^\n]*\n)*"
        + _BASE64
        + r"{40}",
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----",
    ),
    Form("an AWS access key", ("AKIA", "ASIA"), r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}\b"),
    Form(
        "a GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        r"\bgh[pousr]_[A-Za-z0-9]{36,}\b",
        r"\bgh[pousr]_[A-Za-z0-9]{8,}",
    ),
    Form(
        "a GitHub token",
        ("github_pat_",),
        r"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b",
        r"\bgithub_pat_[A-Za-z0-9_]{8,}",
    ),
    Form("a GitLab token", ("glpat-",), r"\bglpat-[A-Za-z0-9_-]{20,}", r"\bglpat-[A-Za-z0-9_-]{8,}"),
    Form("a Slack token", ("xox",), r"\bxox[abprs]-[0-9]{8,}-[A-Za-z0-9-]{10,}", r"\bxox[abprs]-[A-Za-z0-9-]{8,}"),
    Form("a Stripe key", ("k_live_",), r"\b[rs]k_live_[0-9A-Za-z]{20,}", r"\b[rs]k_live_[0-9A-Za-z]{8,}"),
    Form("a Google API key", ("AIza",), r"\bAIza[0-9A-Za-z_-]{35}\b"),
    Form("an npm token", ("npm_",), r"\bnpm_[A-Za-z0-9]{36}\b"),
    Form("a cargo registry token", ("cio",), r"\bcio[A-Za-z0-9]{32}\b"),
    Form("an Anthropic key", ("sk-ant-",), r"\bsk-ant-(?:api|admin)\d\d-[A-Za-z0-9_-]{80,}", r"\bsk-ant-[\w-]{8,}"),
    Form(
        "an OpenAI key",
        ("sk-proj-", "sk-svcacct-"),
        r"\bsk-(?:proj|svcacct)-[A-Za-z0-9_-]{40,}",
        r"\bsk-(?:proj|svcacct)-[\w-]{8,}",
    ),
    Form("a SendGrid key", ("SG.",), r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
)
# Not in files: tests and manuals are full of these.
_WEB_TOKEN: Final = Form("a JSON web token", ("eyJ",), r"\beyJ[\w-]{8,}\.eyJ[\w-]{4,}\.[\w-]*")

# Expressions are compiled where they are first needed: most starts need none.

# --- names -----------------------------------------------------------------------------------------------------------

_PARTS: Final = ("PASS", "PWD", "SECRET", "TOKEN", "CREDENTIAL", "KEY", "PAT", "AUTH")
# Anywhere in a word: DBPASSWORD, JWTSECRET.
_WITHIN: Final = (
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIALS?$|(?<!^OLD)(?<=.)PWD$|TOKEN(?!I[ZS])"
    r"|(API|ACCESS|PRIVATE|AUTH|MASTER|ENCRYPTION|SIGNING)KEYS?$"
)
_PASSWORD: Final = r"(PASSWORD|PASSWD|PWD|PASSPHRASE)$"  # noqa: S105
# Last words with which a name speaks of a credential, and does not hold it.
_ABOUT: Final = """
    AGE ALG ALGO ALGORITHM ALPHABET AUDIENCE BACKEND BUDGET CHARS CHARSET COLUMN COST DAYS DIR DIRECTORY
    DURATION ENABLED DISABLED ENCODING ENDPOINT EXPIRATION EXPIRES EXPIRY FIELD FILE FILENAME FOLDER FORMAT
    HEADER HOST HOURS ISSUER ITERATIONS KIND LEEWAY LEN LIFETIME MINUTES MODE NAME PATH POLICY PORT PREFIX
    PROVIDER RATE REALM REGEX REGION REQUIRED ROUNDS SCOPE SCOPES SECONDS SECS SERVER SERVICE STORE STRATEGY
    SUFFIX TIMEOUT TYPE URI URL USAGE VERSION WINDOW
"""
# Words that count: what they count is no credential.
_COUNTS: Final = "MAX MIN NUM PER COUNT LIMIT LENGTH SIZE TTL TOTAL"
# Everybody may know it.
_PUBLIC: Final = "PUBLIC PUB PUBLISHABLE"
# Keys that belong to a table and not to a lock.
_OPEN_KEYS: Final = """
    CACHE COLUMN COMPOSITE CONFIG CORRELATION DEDUP DEDUPLICATION ESCAPE EVENT FEATURE FOREIGN GROUP HASH HEADER
    HOT IDEMPOTENCY INDEX JSON LABEL LEADER LOCK LOOKUP MAP MESSAGE METRIC MODIFIER OBJECT ORDER PARTITION
    PRIMARY QUEUE RANGE ROUTING ROW SHARD SITE SORT TABLE TAG TOPIC TRACE TRANSLATION UNIQUE VERIFICATION
    VERIFYING
"""

_LOCKS: Final = "API ACCESS AUTH ENCRYPTION MASTER PRIVATE SESSION SIGNING"
# What may follow the word KEY where it is one.
_TAILS: Final = "A B BASE CURRENT DEV HEX NEW OLD PEM PREVIOUS PROD PRODUCTION SECONDARY STAGING TEST V VALUE"


@functools.cache
def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _words(name: str) -> list[str]:
    """The words of a name in capitals: of `DB_PASS1` and of `dbPass` DB and PASS."""
    found = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    while found and found[-1].isdigit():
        found.pop()
    return [word.upper() for word in found]


@functools.cache
def sounds_secret(name: str) -> bool:
    """Whether a variable of this name probably holds a credential."""
    if not any(part in name.upper() for part in _PARTS):
        return False
    words = _words(name)
    before, last = words[-2:] if len(words) > 1 else ("", *(words or [""]))
    if last in _listed(_ABOUT) or not _listed(_COUNTS).isdisjoint(words):
        return False
    if last == "ID" and before in ("KEY", "TOKEN"):
        return False
    if not _listed(_PUBLIC).isdisjoint(words) and not any(re.search(_PASSWORD, word) for word in words):
        return False
    if any(re.search(_WITHIN, word) for word in words):
        return True
    for at, word in enumerate(words):
        if word in ("KEY", "KEYS") and at > 0 and words[at - 1] not in _listed(_OPEN_KEYS):
            # `API_KEY_OPENAI` is one, `APP_KEY_BINDINGS` is none.
            return words[at - 1] in _listed(_LOCKS) or _listed(_TAILS).issuperset(words[at + 1 :])
    return (
        last in ("PASS", "PAT") or (last == "PWD" and before not in ("", "OLD")) or [before, last] == ["BASIC", "AUTH"]
    )


# --- values ----------------------------------------------------------------------------------------------------------

_SWITCHES: Final = "true false yes no on off none null enabled disabled required optional"
_NUMBER: Final = (
    r"[-+]?\d[\d_.,]{0,14}\s*(?:%|[KMGT]?i?B?|bytes)?|(?:\d{1,9}(?:\.\d+)?\s*(?:ns|us|ms|s|secs?|m|mins?|h|d|w|y)\s*)+"
)
_PATH: Final = r"(?:~|\.{1,2})?/[\w.@ +/-]*|[A-Za-z]:\\.*"
_REFERENCE: Final = r"\$\w+|\$\{[^}]*\}|\$\(.*\)|\{\{.*\}\}|<[^>]*>|%\w+%"
_ADDRESS: Final = r"[A-Za-z][A-Za-z0-9+.-]*://[^\s@?#]*"
# A password that is written out, not a reference to one.
_WRITTEN: Final = r"(?![$<{%])"
_LOGIN: Final = rf"://[^/\s:@]*:{_WRITTEN}[^/\s@]+@"
_ASSIGNED: Final = (
    rf"(?i)(?:^|[\s;?&])(?:password|passwd|pwd|token|access_token|api_?key|secret|sig)\s*=\s*{_WRITTEN}[^\s;&]+"
)


LOGIN: Final = "a password in an address"


def in_value(value: str) -> str | None:
    """What a value holds, whatever it is called: the kind of credential."""
    if "://" in value and re.search(_LOGIN, value):
        return LOGIN
    # One of several settings: a value that is no more than `token=x` may be anything.
    several = value.count("=") > 1 or any(char in value for char in "?&;")
    if several and re.search(_ASSIGNED, value):
        return "a password among its settings"
    for form in (*FORMS, _WEB_TOKEN):
        if any(literal in value for literal in form.literals) and re.search(form.loose or form.strict, value):
            return form.kind
    return None


def _is_none(name: str, value: str) -> bool:
    """Whether a value is no credential, whatever the name sounds like."""
    text = value.strip()
    if not text or text.lower() in _listed(_SWITCHES) or re.fullmatch(_REFERENCE, text) or _is_path(text):
        return True
    if re.fullmatch(_ADDRESS, text):
        return True
    # A password may well be a number; a key, a token or a pass is none.
    words = _words(name)
    return re.fullmatch(_NUMBER, text, re.IGNORECASE) is not None and not (words and re.search(_PASSWORD, words[-1]))


def _is_path(text: str) -> bool:
    """Base64 may begin with a slash, too; but a path has more of them, or is short."""
    return re.fullmatch(_PATH, text) is not None and (text.count("/") > 1 or len(text) < 20 or text[0] != "/")


def found(name: str, value: str) -> str | None:
    """Why a variable counts as a credential, as a clause for a message; None where it is none."""
    if held := in_value(value):
        return f'the value of "{name}" holds {held}'
    if sounds_secret(name) and not _is_none(name, value):
        return f'"{name}" looks like a secret'
    return None
