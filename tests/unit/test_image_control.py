"""What build.sh is told of the image: words of a smoke test, and where libraries among the assets will lie."""

from __future__ import annotations

import shlex
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from layerdoit.components import image_control
from layerdoit.config import Image

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
SAID = r"""
smoke() { printf '%s\0' "$#" "$@"; }
placed() { printf '%s\0' "$#" "$@"; }
. "$1"
"""


def said(text: str, folder: str = "/dev/stdin") -> list[str]:
    """The calls that the file makes in the shell of the image: how many words, and the words."""
    done = subprocess.run(["sh", "-c", SAID, "sh", folder], input=text.encode(), capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXT, max_size=4))
def test_a_smoke_test_gets_exactly_its_words(words: list[str]) -> None:
    line = shlex.join(words)
    assert said(image_control.smoke((line,))) == [str(len(words) + 1), line, *words]


def test_words_are_split_as_a_shell_does_and_nothing_is_expanded() -> None:
    lines = ("--name 'a b' *", '"$HOME" \\$x `x` ~', "")
    assert said(image_control.smoke(lines)) == [
        *("4", lines[0], "--name", "a b", "*"),
        *("5", lines[1], "$HOME", "$x", "`x`", "~"),
        *("1", ""),
    ]


def test_libraries_are_placed_where_they_will_lie() -> None:
    assets = {"libs/libfoo.so": "/usr/local/lib/", "web": "/srv/web", "libs/libbar.so.1": "/opt/libbar.so"}
    entries = dict.fromkeys(("libs/libfoo.so", "libs/libbar.so.1", "web/a b.so.2.1", "web/page.html", "other/lib.so"))
    assert image_control.placed(assets.items(), entries) == {
        "libs/libfoo.so": "/usr/local/lib/libfoo.so",
        "web/a b.so.2.1": "/srv/web/a b.so.2.1",
        "libs/libbar.so.1": "/opt/libbar.so",
    }


def test_the_shell_is_told_of_libraries() -> None:
    text = image_control.image(Image(env={"LD_LIBRARY_PATH": "/a b:/c"}), {"libs/it's.so": "/srv/it's.so"})
    assert text.splitlines()[:3] == ["DENY_WARNINGS=", "IMAGE_LIBRARY_PATH='/a b:/c'", "CHECK_LIBRARIES=yes"]
    assert said(text) == ["2", "libs/it's.so", "/srv/it's.so"]
    assert image_control.image(Image(), {}, deny_warnings=True).startswith("DENY_WARNINGS=yes\n")
    assert "CHECK_LIBRARIES=no\n" in image_control.image(Image(check_libraries=False), {})
