"""Lines for the user: whose they are where several projects speak at once."""

from __future__ import annotations

import threading

import pytest

from layerdoit.core import console


def test_side_by_side_each_line_says_whose_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    def speak() -> None:
        console.speak_for("shop")
        console.say("one\ntwo")
        console.warn("three")
        console.say('{"json": 1}')

    # As with `doit -n 2 -P thread`; with processes it is the same.
    thread = threading.Thread(target=speak)
    thread.start()
    thread.join()
    console.say("four")
    assert capsys.readouterr() == ('shop: one\nshop: two\n{"json": 1}\nfour\n', "shop: layerdoit: three\n")


def test_alone_nobody_asks_whose_a_line_is(capsys: pytest.CaptureFixture[str]) -> None:
    console.speak_for("shop")
    console.say("one")
    console.speak_for("")
    assert capsys.readouterr().out == "one\n"
