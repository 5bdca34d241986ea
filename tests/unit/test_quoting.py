"""Any text, written into a Dockerfile, is read as that text: by a reader that works as BuildKit's does.

tests/engine/test_image_settings.py asks BuildKit itself.
"""

from __future__ import annotations

import fnmatch
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from layerdoit.config import Image
from layerdoit.dockerfile import edit
from layerdoit.dockerfile.quoting import NEWLINE, copied, quoted

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
NAME = st.text(st.characters(codec="utf-8", exclude_characters="\0\n/"), min_size=1)
ESCAPES = st.sampled_from("\\`")


def value_of(written: str, escape: str) -> str:
    """What BuildKit reads in double quotes; the line break is the only variable."""
    assert "\n" not in written
    assert written[0] == written[-1] == '"'
    token = re.compile(
        rf"""(?P<escaped>{re.escape(escape)}["$]|{re.escape(escape)}{{2}})|(?P<line>\${{{NEWLINE}}})|[^"$]""", re.DOTALL
    )
    inside = written[1:-1]
    found = list(token.finditer(inside))
    assert "".join(one[0] for one in found) == inside, "it would end, or be a variable"
    return "".join(one[0][1] if one["escaped"] else "\n" if one["line"] else one[0] for one in found)


def words_of(line: str, escape: str) -> list[str]:
    """What BuildKit makes of the words of a COPY; none is a variable or quoted."""
    token = re.compile(rf"(?P<escaped>{re.escape(escape)}.)|[^$'\"]", re.DOTALL)
    words = json.loads(line.removeprefix("COPY "))
    found = [list(token.finditer(word)) for word in words]
    assert ["".join(one[0] for one in tokens) for tokens in found] == words
    return ["".join(one[0][1] if one["escaped"] else one[0] for one in tokens) for tokens in found]


def matches(pattern: str, path: str) -> bool:
    """As BuildKit matches: a path without an open wildcard is taken literally; patterns are trimmed."""
    opened = re.sub(r"\\.", "", pattern)
    if not set("*?[") & set(opened):
        return pattern.strip() == path
    assert pattern == pattern.strip()
    plain = re.sub(r"\\([*?])", r"[\1]", pattern).replace("\\\\", "\\")
    return fnmatch.fnmatchcase(path, plain)


@given(TEXT, ESCAPES)
@example("l1\nl2\n", "\\")
@example('\\n $HOME ${X:-y} "quoted" `x` # no comment\t ', "\\")
@example(f"${{{NEWLINE}}}", "\\")
def test_a_value_is_read_as_it_was_written(text: str, escape: str) -> None:
    assert value_of(quoted(text, escape), escape) == text


@given(st.lists(NAME, min_size=1, max_size=3).map("/".join), st.booleans(), ESCAPES)
@example("web/[id]", True, "\\")
@example("b\\[1]*?", False, "\\")
@example("trail ", False, "\\")
def test_only_the_asset_itself_is_copied(path: str, folder: bool, escape: str) -> None:
    place = f"/srv/{path}"
    source, target = words_of(copied(f"assets/{path}{'/' if folder else ''}", place, escape), escape)
    assert target == place
    assert source.endswith("/") == folder
    assert matches(source.rstrip("/") if folder else source, f"assets/{path}")


@pytest.mark.parametrize(("path", "other"), [("x[id]", "xi"), ("y*z", "yQz"), ("q?r", "qQr"), ("b\\*", "b*")])
def test_an_asset_is_no_pattern(path: str, other: str) -> None:
    source, _ = words_of(copied(f"assets/{path}", "/x"), "\\")
    assert not matches(source, f"assets/{other}")


def test_a_line_break_is_an_argument_where_there_is_one() -> None:
    text = edit.app("FROM x AS app\n", Image(env={"A": "1\n2"}, labels={"b": "\n"}), [], [], "tool")
    assert f'ARG {NEWLINE}\nENV A="1${{{NEWLINE}}}2"\nLABEL "b"="${{{NEWLINE}}}"\n' in text
    assert edit.arguments(text) == {NEWLINE: "\n"}
    without = edit.app("FROM x AS app\n", Image(env={"A": f"ARG {NEWLINE}"}), [], [], "tool")
    assert edit.arguments(without) == {}


def test_the_escape_character_is_that_of_the_file() -> None:
    text = edit.app("# escape=`\nFROM x AS app\n", Image(env={"A": '\\"`'}), [], [], "tool")
    assert 'ENV A="\\`"``"\n' in text
