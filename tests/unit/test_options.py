"""Whatever of a call reaches cargo is in a key: arguments, features, profiles, environment variables."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from layerdoit.cargo.lock import parse
from layerdoit.cargo.options import Options
from tests.support.lockfile import external, lockfile

NAMES = st.text("abcdefgh-_", min_size=1, max_size=6)
VARIABLES = st.sampled_from(["RUSTFLAGS", "CFLAGS", "API_WORD", "SQLX_OFFLINE", "APP_VERSION"])
CHOICES: dict[str, st.SearchStrategy[Any]] = {
    "profile": NAMES,
    "features": st.lists(NAMES, max_size=3).map(tuple),
    "all_features": st.booleans(),
    "default_features": st.booleans(),
    "target": st.none() | NAMES,
    "env": st.dictionaries(VARIABLES, st.text("ab \"'", max_size=4), max_size=3).map(
        lambda env: tuple(sorted(env.items()))
    ),
    "deps_env": st.lists(VARIABLES, max_size=2).map(tuple),
}
OPTIONS = st.builds(Options, **CHOICES)


LOCK = parse(lockfile(external("sqlx", "1.0.0", "aa")))


def keys(options: Options) -> dict[str, str]:
    """What the keys of deps and app hold; nothing is in both."""
    deps, app = options.key_inputs(LOCK), options.own_inputs(LOCK)
    assert not deps.keys() & app.keys()
    assert {line.split()[0] for line in options.own_listing(LOCK).splitlines()} == {name[4:] for name in app}
    return deps | app


def call(options: Options) -> tuple[str, str]:
    """What cargo is told."""
    return options.arguments(["app"], ["app"]), options.environment({})


def test_every_field_is_chosen_here() -> None:
    """A new option gets its choices above, or the properties below say nothing of it."""
    assert [field.name for field in fields(Options)] == list(CHOICES)


@given(OPTIONS, OPTIONS)
def test_another_call_has_another_key(one: Options, other: Options) -> None:
    assert (call(one) == call(other)) == (keys(one) == keys(other))


@given(OPTIONS, st.data())
def test_a_single_option_is_told_to_cargo_and_to_the_key(options: Options, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(CHOICES)))
    changed = replace(options, **{name: data.draw(CHOICES[name])})
    reaches_cargo = call(changed) != call(options)
    assert reaches_cargo == (keys(changed) != keys(options))
    if name not in ("features", "deps_env"):
        assert reaches_cargo == (changed != options)


def test_a_setting_can_reach_cargo_only_with_an_input_of_the_key() -> None:
    everything = Options(
        "bench", ("b", "a", "b"), True, False, "wasm32", (("RUSTFLAGS", "-g"), ("TOKEN", "t0p s3cret"))
    )
    told = everything.arguments([])
    for setting in everything.settings():
        assert setting.name
        assert setting.text
        assert setting.words or setting.variable
    assert told == "--profile bench --all-features --no-default-features --features a,b --target wasm32"
    assert everything.environment({}) == "RUSTFLAGS=-g\nTOKEN='t0p s3cret'\n"
    assert "t0p" not in repr(keys(everything))


def test_cargo_stays_in_its_target_folder() -> None:
    assert Options().environment({"build": {"build-dir": "elsewhere"}}) == "CARGO_BUILD_BUILD_DIR=/build/target\n"
