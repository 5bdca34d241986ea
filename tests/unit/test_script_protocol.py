"""Every line that a script prints for layerdoit is understood, and every exit code that it ends with."""

from __future__ import annotations

import re

import pytest

from layerdoit.components import script_protocol as protocol
from layerdoit.components.script_protocol import (
    Asks,
    Begun,
    Counts,
    Crate,
    Diagnostics,
    Exit,
    Fingerprint,
    Linked,
    Measured,
    Message,
    Missing,
    NoBinary,
    NoClippy,
    NotFresh,
    OfMount,
    OtherContext,
    OtherMachine,
    Packed,
    Reads,
    ReadsUnknown,
    Section,
    Shared,
    SharedOff,
    Stale,
    Taken,
    TooNew,
    Unmeasured,
)
from layerdoit.core.resources import dockerfile_dir

LINES: dict[str, Message] = {
    "tests": Section.TESTS,
    "clippy": Section.CLIPPY,
    "begun": Begun(),
    "no-clippy": NoClippy(),
    "compiled=1 units=12 external=0 cold=1": Counts(1, 12, 0, True),
    "compiled=1 units=12 external=0 cold=0": Counts(1, 12, 0),
    "compiled=3 units=12 external=3": Counts(3, 12, 3),
    "crate ring 0.17.8 23.75": Crate("ring", "0.17.8", 23.75),
    "crate ring 0.17.8+build.1 3": Crate("ring", "0.17.8+build.1", 3.0),
    "sccache hits=12 misses=1 written=1 failed=0": Shared(12, 1, 1, 0),
    "sccache-off program sccache 0.10.0 was built without Redis": SharedOff(
        "program", "sccache 0.10.0 was built without Redis"
    ),
    "sccache-off store ": SharedOff("store", ""),
    "taken units=283 taken=212 1=150 2=62": Taken(283, 212, {1: 150, 2: 62}),
    "taken units=2 taken=0": Taken(2, 0, {}),
    "not-fresh serde@1.0.219": NotFresh("serde@1.0.219"),
    'fingerprint used serde-fedcba9876543210/lib-serde.json {"rustc":1}': Fingerprint(
        "used", "serde", "lib-serde", '{"rustc":1}'
    ),
    "fingerprint cooked a-b-0123456789abcdef/run-build-script-build-script-build.json {}": Fingerprint(
        "cooked", "a-b", "run-build-script-build-script-build", "{}"
    ),
    "stale db rustc open crates/db/migrations": Stale("db", "rustc", "open", "crates/db/migrations"),
    "stale db script stat a b.txt": Stale("db", "script", "stat", "a b.txt"),
    "stale ? rustc opaque it was compiled unseen": Stale("?", "rustc", "opaque", "it was compiled unseen"),
    "reads H4sIAAAA+/8=": Reads("H4sIAAAA+/8="),
    "diagnostics H4sIAAAA+/8=": Diagnostics("H4sIAAAA+/8="),
    "reads-unknown cc: not found": ReadsUnknown("cc: not found"),
    "asks APP_WORD serde": Asks("APP_WORD", "serde"),
    "linked hello-server": Linked("hello-server"),
    "no-binary hello": NoBinary("hello"),
    "missing binary=hello library=libpq.so.5 package=libpq5": Missing("hello", "libpq.so.5", "libpq5"),
    "missing binary=hello library= package=?": Missing("hello", "", None),
    "missing binary=hello library=libx.so package=? source=a b/libx.so.1": Missing(
        "hello", "libx.so", None, "source", "a b/libx.so.1"
    ),
    "too-new binary=hello /out/hello: /lib/libc.so.6: version `GLIBC_2.38' not found (required by /out/hello)": TooNew(
        "hello", "/out/hello: /lib/libc.so.6: version `GLIBC_2.38' not found (required by /out/hello)"
    ),
    "other-machine binary=app Advanced Micro Devices X86-64": OtherMachine("app", "Advanced Micro Devices X86-64"),
    "context differs from its key": OtherContext("differs from its key"),
    "measured 1234 9000000 the linker mold": Measured("the linker mold", 1234, 9000000),
    "unmeasured the linker lld": Unmeasured("the linker lld"),
    f"packed gzip {'0a' * 32} 12 3456": Packed("gzip", "0a" * 32, 12, 3456),
    "mount empty": OfMount("empty"),
    "mount interrupted": OfMount("interrupted"),
    "mount used": OfMount("used"),
    "mount damaged": OfMount("damaged"),
    "mount differs": OfMount("differs"),
    "mount loaded": OfMount("loaded"),
}


@pytest.mark.parametrize("text", LINES)
def test_each_kind_of_line(text: str) -> None:
    message = protocol.parse(f"layerdoit: {text}")
    assert (type(message), message) == (type(LINES[text]), LINES[text])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "tests",
        " layerdoit: tests",
        "layerdoit: ",
        "layerdoit: tests of mine",
        "layerdoit: compiled=many units=1 external=0",
        "layerdoit: crate ring 0.17.8 abc",
        "layerdoit: fingerprint used serde/lib-serde.json {}",
        "layerdoit: something new",
    ],
)
def test_other_lines_are_no_messages(line: str) -> None:
    assert protocol.parse(line) is None


def test_messages_of_one_kind_among_the_lines_of_a_log() -> None:
    log = ["$ docker", "layerdoit: linked a", "test", "layerdoit: compiled=1 units=1 external=0", "layerdoit: linked b"]
    assert protocol.every(Linked, log) == [Linked("a"), Linked("b")]
    assert protocol.counts(log) == Counts(1, 1, 0)
    assert protocol.counts([*log, "layerdoit: compiled=2 units=2 external=0 cold=1"]) == Counts(2, 2, 0, True)
    assert protocol.counts(log[:3]) is None


def test_what_tests_and_clippy_print_is_for_the_user() -> None:
    loud = [text for text in LINES if protocol.aloud(f"layerdoit: {text}")]
    assert loud == ["tests", "clippy"]


# --- the scripts -----------------------------------------------------------------------------------------------------

SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in dockerfile_dir().glob("*.sh")}
# What stands in a script for something that it fills in, and an example of that.
FILLED_IN = {
    "$compiled": "1",
    "$units": "9",
    "$external": "1",
    "$hits": "12",
    "$misses": "1",
    "$written": "1",
    "$failed": "0",
    "$total": "9",
    "$cold": "0",
    "$(wc -l </tmp/external)": "1",
    "$1 $2": "APP_WORD serde",
    "mount $1": "mount empty",
    "$1 ${digest%% *} $(wc -l </tmp/list) ${size%%[!0-9]*}": f"gzip {'0a' * 32} 12 3456",
    "$1 ${file##*/.fingerprint/}": "used serde-0123456789abcdef/lib-serde.json",
    '$(sed \'s/"declared_features":"\\([^"\\\\]\\|\\\\.\\)*",//\' "$file")': "{}",
    '$(basename "$1")': "hello",
    "$loader": "/lib/ld-linux.so.2",
    "$library": "libpq.so.5",
    "${package:-?}$found": "? made=target/x/libpq.so",
    "$line": "hello: version `GLIBC_2.38' not found",
    "$bin": "hello",
    "%s %.2f": "serde 1.0.1 2.50",
    "\\1": "hello",
    'stale " $3 " " $1 " " $4 " " $5': "stale db rustc open migrations",
    "$(cat /tmp/units-told)": "units=9 taken=7 1=5 2=2",
    "$(cat /tmp/median) $bytes $1": "100 9000 the linker mold",
    "$name": "the linker lld",
    '$(grep -m 1 error "$NOTES/made")': "cc: not found",
}
# `s/^/layerdoit: not-fresh /` puts the words before what comes.
BEFORE = {
    "not-fresh /": "not-fresh serde@1.0",
    "reads /": "reads H4sIAAAA+/8=",
    "diagnostics /": "diagnostics H4sIAAAA+/8=",
}


def printable() -> list[str]:
    """The lines that the scripts can print, as far as one can be told from its template."""
    lines = re.findall(r"^[^#\n]*?layerdoit: (.+)$", "\n".join(SCRIPTS.values()), re.MULTILINE)
    return [re.split(r' }$|" >&2|\\n", crate|/p\' |\'(?: >&2|$)', line)[0] for line in lines]


def filled_in(template: str) -> str:
    for what, example in FILLED_IN.items():
        template = template.replace(what, example)
    return BEFORE.get(template, template)


def test_all_lines_of_the_scripts_are_seen() -> None:
    """The extraction itself: no line of a script that names us is overlooked."""
    named = sum(line.count("layerdoit: ") for text in SCRIPTS.values() for line in text.splitlines())
    assert len(printable()) == named > 15


@pytest.mark.parametrize("template", printable())
def test_every_line_that_a_script_can_print_is_understood(template: str) -> None:
    assert protocol.parse(f"layerdoit: {filled_in(template)}") is not None, filled_in(template)


def test_no_kind_is_known_that_no_script_prints() -> None:
    printed = {type(protocol.parse(f"layerdoit: {filled_in(template)}")) for template in printable()}
    assert printed == {type(message) for message in LINES.values()}


def test_the_exit_codes_are_those_of_the_scripts() -> None:
    texts = "\n".join(SCRIPTS.values())
    assert {int(code) for code in re.findall(r"\b(?:exit |wrong=)([1-9]\d*)", texts)} == set(Exit)
