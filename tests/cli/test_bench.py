"""`doit layers bench`: words that are wrong, before anything is built."""

from __future__ import annotations

import pytest

from tests.support.scratch import Crate, message


@pytest.mark.parametrize(
    ("words", "what", "step"),
    [
        (
            ("--against", "plain,kaniko"),
            '--against: there is no "kaniko"',
            "valid names: plain, mount, chef, native",
        ),
        (
            ("--scenarios", "leaf,nothng"),
            '--scenarios: there is no "nothng"',
            'did you mean "nothing"? valid names: cold, nothing, leaf, deep, manifest, bump, new-bin, asset, back',
        ),
        (("--runs", "none"), '--runs expects a number from 1 to 100, got "none"', "for example --runs 3, the default"),
        (("PROFILE=fast",), 'profile: there is no "fast"', "valid values: bench, dev, release, test"),
    ],
)
def test_wrong_words_are_one_error_and_write_nothing(
    plain: Crate, words: tuple[str, ...], what: str, step: str
) -> None:
    before = sorted(plain.folder.rglob("*"))
    result = plain.doit("layers", "bench", *words)
    assert result.code == 2
    said, hint = message(result)
    assert said.endswith(what)
    assert hint == step
    assert sorted(plain.folder.rglob("*")) == before


def test_other_verbs_take_none_of_its_options(plain: Crate) -> None:
    assert "plan takes no --against" in plain.doit("layers", "plan", "--against", "plain").text
    assert "bench takes no --last" in plain.doit("layers", "bench", "--last", "3").text
