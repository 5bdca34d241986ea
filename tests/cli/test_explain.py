"""`doit layers explain`, as typed: every reason that it gives was brought about before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.git import commit_all, git
from tests.support.scratch import Crate, docker, message


def explain(crate: Crate, *words: str) -> dict[str, list[str]]:
    """Layer, with what is said of it; `head`: the two sides and the notes."""
    blocks = crate.doit("layers", "explain", *words).ok().out.rstrip("\n").split("\n\n")
    layers = {}
    for block in blocks[1:]:
        head, *lines = block.splitlines()
        name, _, rest = head.partition(": ")
        layers[name] = [rest, *(line.strip() for line in lines)]
    return {"head": blocks[0].splitlines(), **layers}


def asked(crate: Crate, *words: str) -> Any:
    """The JSON form."""
    result = crate.doit("layers", "explain", "--json", *words).ok()
    assert result.err == ""
    return json.loads(result.out)


def keys(crate: Crate) -> dict[str, str]:
    plan = json.loads(crate.doit("layers", "plan", "--json").ok().out)
    return {layer["layer"]: layer["key"] for layer in plan["layers"]}


def test_a_story(own: Crate) -> None:
    told = explain(own)
    assert told["head"][0] == "from  nothing: no image of this project was built here with dev/host"
    assert all(told[layer][0].endswith("nothing to compare with (would be built)") for layer in ("base", "deps", "app"))
    own.doit().ok()
    first = keys(own)

    told = explain(own)
    assert told["head"] == ["from  what this checkout last built or found", "to    the current tree"]
    for layer, key in first.items():
        assert told[layer] == [f"the same key, {key[:12]} (its image is here)"]

    own.edit("src/main.rs", "first text", "second text")
    own.write("src/more.rs", "")
    second = keys(own)
    told = explain(own, "app")
    assert list(told) == ["head", "app"]
    assert told["app"] == [
        f"{first['app'][:12]} → {second['app'][:12]} (would be built)",
        "file src/main.rs changed",
        "file src/more.rs added",
    ]

    # By key, tag and image: the same image, the same words.
    for word in (first["app"][:8], f"app-{first['app'][:6]}", "latest", f"{own.name}:latest"):
        assert explain(own, "--from", word)["app"] == told["app"]
    # In the other direction.
    turned = explain(own, "app", "--from", "tree", "--to", "latest")
    assert turned["app"] == [
        f"{second['app'][:12]} → {first['app'][:12]}", "file src/main.rs changed", "file src/more.rs removed"
    ]  # fmt: skip

    own.doit().ok()
    # Nothing has changed since: what the build itself changed is told.
    after = explain(own, "app")
    assert after["head"][0] == "from  what this checkout built or found before that"
    assert after["app"][1:] == told["app"][1:]
    assert explain(own, "app", "before..last")["app"][1:] == told["app"][1:]
    assert explain(own, "app", "--from", "last")["app"][0].startswith("the same key")

    two = explain(own, "--from", first["app"], "--to", second["app"])
    assert two["head"][0].startswith(f"from  image {own.name}:app-{first['app'][:12]}, built 20")
    assert two["app"][1:] == ["file src/main.rs changed", "file src/more.rs added"]
    assert two["deps"] == [f"the same key, {first['deps'][:12]}"]


def test_two_clones_give_the_same_reasons(own: Crate, tmp_path: Path) -> None:
    """The second one finds base and deps ready; what it used is what its next change is told from."""
    own.write(".gitignore", "/target\n.doit.db*\n__pycache__/\n")
    commit_all(own.folder)
    own.doit().ok()
    git(tmp_path, "clone", "--quiet", str(own.folder), "clone")
    clone = Crate(tmp_path / "clone", own.name)
    clone.edit("src/main.rs", "first text", "second text")
    clone.doit().ok()

    plain = (own.folder / "Cargo.toml").read_text()
    own.edit("Cargo.toml", 'edition = "2021"', 'edition = "2021"\n[profile.dev]\ndebug = 0')
    changed = (own.folder / "Cargo.toml").read_text()
    told = explain(own, "deps")["deps"]
    assert told[1] == "profile dev: debug = 0 (was not set)"
    own.doit().ok()
    clone.write("Cargo.toml", changed)
    assert explain(clone, "deps")["deps"][1] == told[1]
    planned = clone.doit("layers", "plan").ok().out
    assert "the deps layer changed\n      profile dev: debug = 0 (was not set)\n" in planned
    clone.doit().ok()

    # Back, where nothing is to be done; then forth again, to another value.
    clone.write("Cargo.toml", plain)
    clone.doit().ok()
    clone.write("Cargo.toml", changed.replace("debug = 0", "debug = 1"))
    assert explain(clone, "deps")["deps"][1] == "profile dev: debug = 1 (was not set)"
    clone.write("Cargo.toml", plain)


def test_reasons_in_no_key(own: Crate) -> None:
    own.doit().ok()
    own_keys = keys(own)
    tag = next(tag for tag in own.images() if ":base-" in tag)
    docker("image", "rm", tag)
    told = explain(own, "base")
    assert told["base"] == [
        f"the same key, {own_keys['base'][:12]} (would be built)",
        f"also: the image base-{own_keys['base'][:12]} existed here and was removed; what removed it is not recorded",
        *told["base"][2:],
    ]
    own.doit().ok()
    own.doit("cache_clear:medium", "--yes").ok()
    told = explain(own, "app")
    removed = f"also: the image app-{own_keys['app'][:12]} existed here and was removed; doit cache_clear removed it"
    assert told["app"][1] == removed
    assert (
        "also: cache_clear cleared this layer and it was not built since: BuildKit's cache of it is not used"
        in told["app"]
    )


def test_the_json_form(own: Crate) -> None:
    own.doit().ok()
    before = keys(own)
    own.edit("Cargo.toml", 'edition = "2021"', 'edition = "2021"\n[profile.dev]\ndebug = 0')
    found = asked(own)
    assert list(found) == ["from", "to", "layers", "miss", "notes"]
    assert (found["from"]["kind"], found["to"]["kind"]) == ("built", "tree")
    assert found["from"]["keys"]["app"] == before["app"]
    assert found["miss"] is None
    assert [layer["layer"] for layer in found["layers"]] == ["base", "runtime", "deps", "app"]
    deps = found["layers"][2]
    assert list(deps) == ["layer", "from", "to", "same", "action", "changes", "outside", "unknown"]
    assert (deps["from"], deps["same"], deps["action"]) == (before["deps"], False, "build")
    assert deps["changes"] == [
        {
            "kind": "profile",
            "inputs": ["profile dev"],
            "from": None,
            "to": '{"debug":0}',
            "text": "profile dev: debug = 0 (was not set)",
            "because": None,
        }
    ]
    assert deps["outside"] == [
        "cooked from scratch: no earlier deps image here has the same base, profile, target and flags"
    ]


def test_a_commit_against_the_tree_and_against_an_image(own: Crate) -> None:
    git(own.folder, "init", "--quiet")
    git(own.folder, "add", "--all")
    git(own.folder, "commit", "--quiet", "--message", "as it was")
    git(own.folder, "tag", "v1")
    own.edit("src/main.rs", "first text", "second text")
    told = explain(own, "app", "--from", "v1")
    assert told["head"][0].startswith("from  commit ")
    assert told["app"][1:] == ["file src/main.rs changed"]
    own.edit("src/main.rs", "second text", "first text")
    own.doit().ok()
    told = explain(own, "--from", "v1", "--to", "latest")
    assert all(told[layer][0].startswith("the same key") for layer in ("base", "deps", "app"))
    assert explain(own, "v1..latest") == told
    assert explain(own, "v1", "latest") == told


@pytest.mark.parametrize(
    ("words", "what", "step"),
    [
        (["apq"], 'there is no layer "apq"', "next: choose one of base, deps, app"),
        (["app", "deps"], 'there is no layer "app deps"', "next: choose one of base, deps, app"),
        (["--from", "abcd1234"], '--from "abcd1234" is not a key, tag or git revision here', "next: known: "),
        (["v1...v2"], 'there is no layer "v1...v2"', "next: choose one of base, deps, app"),
        (["--from", "app-XYZ!!"], '--from "app-XYZ!!" is not a key, tag or git revision here', "next: known: "),
        (["A:b:c..tree"], '--from "A:b:c" is not a key, tag or git revision here', "next: known: "),
        (["--to", "latets"], '--to "latets" is not a key, tag or git revision here', "next: did you mean latest?"),
        (["app", "--from", "deps"], '--from "deps" is not a key, tag or git revision here', "next: "),
    ],
)
def test_words_that_mean_nothing(crate: Crate, words: list[str], what: str, step: str) -> None:
    refused = crate.doit("layers", "explain", *words)
    assert refused.code == 2
    assert refused.out == ""
    said, following = message(refused)
    assert said.startswith(what)
    assert f"next: {following}".startswith(step)


def test_a_deps_image_says_nothing_of_the_app(crate: Crate) -> None:
    deps = json.loads(crate.doit("layers", "plan", "--json").ok().out)["layers"][1]
    refused = crate.doit("layers", "explain", "app", "--from", deps["tag"])
    assert (refused.code, refused.out) == (2, "")
    assert f"image {deps['tag']}, built " in refused.err
    assert "has no information on app\nnext: it has deps, base" in refused.err
