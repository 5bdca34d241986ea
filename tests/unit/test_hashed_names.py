"""Which names of files count as hashed."""

from __future__ import annotations

import re

import pytest

from layerdoit.config.services_section import Static
from layerdoit.dockerfile.hashed_names import expression

DEFAULT = re.compile(expression(Static().immutable))


@pytest.mark.parametrize(
    "path",
    [
        "assets/index-B7x9aZ12.js",
        "assets/fonts/deep/a.woff2",
        "vendor-8f3a2b1c.css",
        "main.8f3a2b1c.chunk.js.map",
        "js/app.0f3a2b1c9d8e7f60.js",
        "chunk-ABCDEFGH.js",
        "index-8f3a2b1c.js.gz",
        "_next/static/chunks/main-8f3a2b1c9d.js",
    ],
)
def test_hashed(path: str) -> None:
    assert DEFAULT.match(path)


@pytest.mark.parametrize(
    "path",
    [
        "index.html",
        "assets/index.html",
        "assets/index.html.br",
        "page-8f3a2b1c.html",
        "service-worker.js",
        "web-manifest.json",
        "my-component.js",
        "icon-1024x1024.png",
        "app-v2.js",
        "favicon.ico",
        "robots.txt",
        "myassets/a.js",
        "main.min.js",
    ],
)
def test_not_hashed(path: str) -> None:
    assert not DEFAULT.match(path)


def test_letters_of_a_pattern_stand_for_themselves() -> None:
    for name in ("a+b(c).js", "x{1}$.js", 'say"it"', "back\\slash", "[x]^y", "ünï.js", "a b"):
        assert re.match(expression([name]), name)
        assert not re.match(expression([name]), name + "x")
        assert not re.match(expression([name]), "x" + name)
    assert re.match(expression(["/chunks/*.js"]), "chunks/a/b.js")
    assert not re.match(expression(["a.js"]), "abjs")


def test_no_patterns_no_expression() -> None:
    assert expression(()) == ""
