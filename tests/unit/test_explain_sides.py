"""Images as sides: what their labels can and cannot tell; what a word means; reasons that are in no key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from layerdoit.core.errors import ConfigError
from layerdoit.core.resources import dockerfile_dir
from layerdoit.dockerfile import edit
from layerdoit.engine import build_log
from layerdoit.engine.buildx import Build
from layerdoit.engine.images import PREFIX, Image
from layerdoit.explain import naming, outside, sides
from layerdoit.layers.key import Spec
from layerdoit.layers.plan import Step
from layerdoit.layers.specs import app, deps
from layerdoit.layers.specs.donors import Donor
from layerdoit.project.commits import Commit
from tests.support import locked_workspace as tiny
from tests.support.locked_workspace import lock, told


def image(layer: str, key: str, inputs: Mapping[str, str], *tags: str, **labels: str) -> Image:
    """An image as the engine lists it."""
    named = {"layer": layer, "key": key, "inputs": json.dumps(inputs), "built": "2026-01-02T03:04:05Z", **labels}
    found = {PREFIX + name: value for name, value in named.items()}
    return Image(f"sha256:{key}", (f"p:{layer}-{key[:12]}", *tags), found, 0, 0)


def built(side: sides.Side) -> list[Image]:
    """The images that a build of a tree makes."""
    keys = {layer: listing.key for layer, listing in side.layers.items()}
    above = {"app": {"deps": keys["deps"], "runtime": keys["runtime"]}}
    return [
        image(layer, listing.key, listing.inputs or {}, **above.get(layer, {}))
        for layer, listing in side.layers.items()
    ]


def as_image(side: sides.Side) -> sides.Side:
    images = built(side)
    return sides.of_image(images[-1], sides.by_key(images), "the image")


# --- images as sides -------------------------------------------------------------------------------------------------


def test_two_images_of_two_machines_tell_their_difference_by_labels_alone(tmp_path: Path) -> None:
    tree = tiny.make(tmp_path / "tiny")
    one = as_image(tree.side())
    tree.replace("layerdoit.yaml", "[cmake]", "[clang]")
    tree.replace("api/Cargo.toml", '["json"]', "[]")
    tree.write("Cargo.lock", lock(http=("1.2.1", ()), body=None, bytes=None))
    tree.write("api/src/main.rs", "fn main() { }")
    assert told(one, as_image(tree.side())) == {
        "base": ["system package clang added; system package cmake removed"],
        "deps": [
            "api: dependency http: feature json no longer enabled",
            "body 0.3.0 removed",
            "bytes 1.5.0 removed",
            "http 1.2.0 → 1.2.1",
            "the base layer changed",
            "note: why packages changed is unknown: images hold no dependency graph (name a commit instead)",
        ],
        "app": [
            "the deps layer changed",
            "file Cargo.lock changed",
            "file api/Cargo.toml changed",
            "file api/src/main.rs changed",
        ],
    }


def test_an_image_and_the_tree_that_it_was_built_from_do_not_differ(tmp_path: Path) -> None:
    tree = tiny.make(tmp_path / "tiny")
    assert told(as_image(tree.side()), tree.side()) == {}


def test_who_needed_what_is_gone_an_image_does_not_tell(tmp_path: Path) -> None:
    tree = tiny.make(tmp_path / "tiny")
    before = as_image(tree.side())
    tree.write("Cargo.lock", lock(http=("1.2.1", ()), body=None, bytes=None))
    said = told(before, tree.side())["deps"]
    assert "http 1.2.0 → 1.2.1 — direct dependency of api, with the same requirement as before" in said
    assert "body 0.3.0 removed" in said
    assert said[-1].startswith("note: what needed the removed packages is unknown")


def test_layers_below_whose_images_are_gone_have_keys_without_inputs(tmp_path: Path) -> None:
    tree = tiny.make(tmp_path / "tiny")
    images = built(tree.side())
    alone = sides.of_image(images[-1], sides.by_key(images[-1:]), "the image")
    tree.write("Cargo.lock", lock(log=("0.4.22", ())))
    said = told(alone, tree.side())["deps"]
    assert len(said) == 1
    assert said[0].startswith("note: its key differs, but the inputs of deps-")


def listing(files: Mapping[str, str] | None, inputs: Mapping[str, str]) -> sides.Listing:
    return sides.Listing("k", {"deps": "d", **inputs}, files=None if files is None else (files, {}))


FILES = {f"src/{number}.rs": f"f{number:064}" for number in range(4)}
EDITED = {**FILES, "src/0.rs": "f" + "9" * 64}


@pytest.mark.parametrize("form", [app.by_file, app.by_folder])
def test_a_tree_is_compared_in_the_form_of_the_label(form: object) -> None:
    assert callable(form)
    label = listing(None, form("file", FILES))
    compared = sides.comparable(label, listing(FILES, app.by_file("file", FILES)))
    assert compared is not None
    assert compared[0] == compared[1]
    other = sides.comparable(label, listing(EDITED, app.by_file("file", EDITED)))
    assert other is not None
    assert other[0] != other[1]


def test_two_trees_are_compared_file_by_file_however_many_there_are() -> None:
    old, new = (listing(files, app.by_folder("file", files)) for files in (FILES, EDITED))
    compared = sides.comparable(old, new)
    assert compared is not None
    assert {name for name in compared[0] if compared[0][name] != compared[1][name]} == {"file src/0.rs"}


def test_labels_of_two_forms_are_not_compared_by_files() -> None:
    compared = sides.comparable(listing(None, app.by_file("file", FILES)), listing(None, app.by_folder("file", FILES)))
    assert compared == ({"deps": "d"}, {"deps": "d"}, [
        "files are not compared: one image lists them by folder, the other by name"
    ])  # fmt: skip


def test_a_label_that_had_room_for_packages_only_is_compared_by_packages_only() -> None:
    text = "1.0.1 git+https://example.org/a/long/repository/name#0123456789"
    brief = image("deps", "a" * 64, {"package x": text[:40]})
    found = sides.of_label(brief)
    assert not found.whole
    compared = sides.comparable(found, sides.Listing("b", {"package x": text, "resolver": "2", "profile dev": "{}"}))
    assert compared is not None
    assert compared[0] == compared[1]
    assert compared[2] == ["only locked packages are compared: the image's label had no room for the other inputs"]


def test_a_label_that_was_cut_is_not_known() -> None:
    cut = image("app", "a" * 64, {})
    cut = cut._replace(labels={**cut.labels, PREFIX + "inputs": '{"package x": "1'})
    assert sides.of_label(cut).inputs is None


def test_what_was_built_last_comes_before_what_is_newest() -> None:
    new, old = image("deps", "b" * 64, {"resolver": "2"}), image("deps", "a" * 64, {"resolver": "1"})
    side = sides.of_last({"deps": "a" * 64}, [new, old], {"deps": "b" * 64}, "dev/host")
    assert side.layers["deps"].inputs == {"resolver": "1"}
    gone = sides.of_last({"deps": "c" * 64}, [new, old], {"deps": "b" * 64}, "dev/host")
    assert gone.layers["deps"].inputs is None
    assert "deps: the image of the last build, deps-cccccccccccc, is gone" in gone.notes[0]
    fresh = sides.of_last({}, [new, old], {"deps": "b" * 64}, "dev/host")
    assert (fresh.layers["deps"].key, fresh.words) == ("b" * 64, "the newest images of this project")
    assert sides.of_last({}, [], {}, "dev/host").kind == "nothing"


def test_a_layer_that_is_newer_than_what_stands_on_it_is_explained_there(tmp_path: Path) -> None:
    """The dependencies were compiled, the app was not: of the deps layer there is nothing to say."""
    tree = tiny.make(tmp_path / "tiny")
    before = built(tree.side())
    tree.write("Cargo.lock", lock(log=("0.4.22", ())))
    side = tree.side()
    now: dict[str, str] = {layer: listing.key for layer, listing in side.layers.items()}
    was = {one.label("layer"): one.label("key") for one in before}
    images = [*(one for one in built(side) if one.label("layer") == "deps"), *before]
    told_of = told(sides.of_last({**now, "app": was["app"]}, images, now, "dev/host"), side)
    assert "deps" not in told_of
    said = told_of["app"]
    assert said[0] == "the deps layer changed"
    assert said[1].startswith("log 0.4.2")
    assert " → 0.4.22" in said[1]


# --- words -----------------------------------------------------------------------------------------------------------

APP = image("app", "1234abcd" + "0" * 56, {}, "p:latest")
DEPS = image("deps", "1234ffff" + "0" * 56, {})
IMAGES = [APP, DEPS]


@pytest.mark.parametrize(
    ("word", "layer", "found"),
    [
        ("1234a", None, [APP]),
        ("1234", None, [APP, DEPS]),
        ("1234", "deps", [DEPS]),
        ("deps-1234", None, [DEPS]),
        ("app-1234abcd0000", None, [APP]),
        ("latest", None, [APP]),
        ("p:latest", None, [APP]),
        ("q:latest", None, []),
        ("123", None, []),
        ("99999", None, []),
        (APP.label("key"), None, [APP]),
    ],
)
def test_what_a_word_means(word: str, layer: str | None, found: list[Image]) -> None:
    assert naming.of_images(word, IMAGES, "p", layer) == found


def test_a_remembered_key_without_image_is_known_to_be_gone() -> None:
    keys = {"app": APP.label("key"), "deps": "77778888" + "0" * 56}
    assert naming.of_keys("7777", keys, IMAGES, None) == [naming.Gone("deps", keys["deps"])]
    assert naming.of_keys("1234", keys, IMAGES, None) == []


def test_several_meanings_are_an_error_that_lists_them() -> None:
    commit = Commit("1234" + "0" * 36, "a subject", "2026-01-01")
    with pytest.raises(ConfigError) as raised:
        naming.one("--from", "1234", [APP, DEPS, commit])
    assert raised.value.what.splitlines() == [
        '--from "1234" is ambiguous:',
        "  image p:app-1234abcd0000, built 2026-01-02T03:04:05Z",
        "  image p:deps-1234ffff0000, built 2026-01-02T03:04:05Z",
        "  commit 123400000 (2026-01-01, a subject)",
    ]


def test_an_unknown_word_is_answered_with_the_nearest_and_with_what_exists() -> None:
    assert naming.unknown("--to", "lastest", IMAGES, ["v1.0"]).hint == "did you mean latest?"
    assert naming.unknown("--to", "v1.1", IMAGES, ["v1.0"]).hint == "did you mean v1.0?"
    assert "app-1234abcd0000, latest, deps-1234ffff0000" in str(naming.unknown("--to", "zzz", IMAGES, []))
    assert "there are no images of this project here" in str(naming.unknown("--to", "zzz", [], []))


# --- reasons that are in no key --------------------------------------------------------------------------------------

CRATES = {"package log": "1 aa", "package http": "1 bb", "profile dev": "{}", "base": "b"}
KEYED = Spec("deps", CRATES, "p")
COOKED = deps.Cooked("k", "p:deps-k", deps.compatibility(CRATES), "c0", 2, deps.packages(CRATES), "1")


def reasons(
    layer: str = "deps", action: str = "build", parent: deps.Cooked | None = None, **facts: object
) -> list[str]:
    spec = replace(KEYED, layer=layer)  # type: ignore[arg-type]
    given = {"builder": "default", "max_chain": 4, **facts}
    return outside.reasons(Step(spec, action, (), parent), outside.Facts(**given))  # type: ignore[arg-type]


def test_an_image_that_was_removed() -> None:
    known = {"deps": frozenset({KEYED.key})}
    tag = f"deps-{KEYED.key[:12]}"
    assert reasons(known=known)[0] == f"the image {tag} existed here and was removed; what removed it is not recorded"
    cleared = reasons(known=known, cleared=frozenset({"deps"}))
    assert cleared[0] == f"the image {tag} existed here and was removed; doit cache_clear removed it"
    assert "cache_clear cleared this layer" in cleared[1]
    assert reasons(action="reuse", known=known) == []


def test_a_runtime_image_of_unpacked_packages_says_so() -> None:
    (said,) = reasons("runtime", "reuse", unpacked=frozenset({KEYED.key}))
    assert said.startswith("its packages are unpacked, and their scripts were not run")
    assert reasons("runtime", "reuse", unpacked=frozenset({"another"})) == []
    assert reasons("deps", "reuse", unpacked=frozenset({KEYED.key})) == []


def test_how_dependencies_are_cooked() -> None:
    part = replace(COOKED, packages=frozenset({"package log 1 aa"}))
    assert reasons(parent=part) == ["cooked on p:deps-k, which has 1 of the 2 packages: only the others compile"]
    afar = "cooked on p:deps-k of the registry, which is pulled first and has 1 of the 2 packages: only the others"
    assert reasons(parent=replace(part, afar=True)) == [f"{afar} compile"]
    lender = Donor("k", "registry.example/shop:deps-k", "shop", frozenset(), False, "1", "registry.example/shop")
    (_, lent) = outside.reasons(Step(KEYED, "build", (), donors=(lender,)), outside.Facts())
    assert lent.startswith("takes what registry.example/shop:deps-k of the registry has compiled, which is pulled")
    none = "cooked from scratch: no earlier deps image here has the same base, profile, target and flags"
    assert reasons() == [none]
    assert reasons(cooked=(replace(COOKED, compat="other"),)) == [none]
    assert reasons(cooked=(replace(COOKED, depth=4),)) == [
        "cooked from scratch: the chain is full, as p:deps-k builds on 4 others (deps.max_chain: 4)"
    ]
    little = replace(COOKED, packages=frozenset())
    assert reasons(cooked=(little,)) == [
        "cooked from scratch: the nearest earlier deps image has only 0 of the 2 packages"
    ]
    assert reasons(delta=False) == ["cooked from scratch: deps.delta is off"]


def test_a_check_may_be_cooked_on_a_builds_image_and_says_why_it_is_not() -> None:
    check = Step(Spec("deps", {**CRATES, f"{deps.CHECK}script": "s"}, "p"), "build", (), None)
    full, little = replace(COOKED, depth=4), replace(COOKED, packages=frozenset())

    def said(image: deps.Cooked) -> str:
        assert deps.parent(check.spec.inputs, [image], 4) is None
        return outside.chain(check, outside.Facts(cooked=(image,), max_chain=4))

    assert said(full).startswith("cooked from scratch: the chain is full, as p:deps-k builds on 4 others")
    assert said(little) == "cooked from scratch: the nearest earlier deps image has only 0 of the 2 packages"
    other = replace(COOKED, compat="other")
    assert said(other).startswith("cooked from scratch: no earlier deps image here has the same base")


def test_the_log_of_a_build_says_what_was_built() -> None:
    build = Build("deps", Path("Dockerfile"), Path("/x"), ["p:deps-k"], {f"{PREFIX}key": "a" * 64}, builder="farm")
    uncached = [replace(build, no_cache_stages=("deps",)), replace(build, args={edit.ANEW: "1"})]
    for one in (build, *uncached):
        log = build_log.header(["docker", "buildx", "build", *one.flags("rawjson"), "/x"]) + "\n# more\n"
        assert build_log.command(log) == build_log.Command("a" * 64, "farm", one in uncached)


def test_the_step_that_services_share_is_run_anew_by_an_argument() -> None:
    """Where two builds at once ignore the cache of one step, BuildKit loses its mount."""
    assert edit.takes_anew((dockerfile_dir() / "Dockerfile.app").read_text())


@pytest.mark.parametrize("command", ["docker buildx", "/usr/libexec/docker/cli-plugins/docker-buildx"])
def test_another_builder_and_a_build_without_cache(command: str) -> None:
    last = build_log.command(
        f"$ {command} build --progress rawjson --builder farm --label io.layerdoit.key=" + "a" * 64
        + " --no-cache-filter deps /x\nmore --builder other"
    )  # fmt: skip
    assert last == build_log.Command("a" * 64, "farm", True)
    said = reasons(last={"deps": last})
    assert said[0] == "the last build of this layer here did not use BuildKit's cache"
    assert said[1].startswith("another builder: the last build here ran on farm, the next one runs on default")
    assert build_log.command("# something else") == build_log.Command()


MOUNT = "layerdoit/p/11111111/dev/host/aaaaaaaaaaaa"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"made_with": MOUNT, "mount": MOUNT, "mounts": frozenset({MOUNT})}, []),
        ({"made_with": MOUNT, "mount": MOUNT, "mounts": frozenset()}, ["the target mount is not on builder default"]),
        ({"made_with": MOUNT, "mount": MOUNT, "mounts": None}, []),
        ({"made_with": "", "mount": MOUNT, "mounts": frozenset()}, []),
        (
            {"made_with": MOUNT.replace("1111", "2222"), "mount": MOUNT, "mounts": frozenset({MOUNT})},
            ["the last app image was compiled in another checkout"],
        ),
        (
            {"made_with": MOUNT.replace("aaaa", "bbbb"), "mount": MOUNT, "mounts": frozenset({MOUNT})},
            ["the deps image is of another chain (aaaaaaaaaaaa, the last app image's was bbbbbbbbbbbb)"],
        ),
        (
            {"made_with": MOUNT, "new_chain": True},
            ["the dependencies are cooked from scratch, and each chain of deps images has"],
        ),
        ({"made_with": MOUNT, "mount": "", "mounts": frozenset()}, []),
    ],
)
def test_the_target_mount(facts: dict[str, Any], said: list[str]) -> None:
    found = reasons("app", **facts)
    assert len(found) == len(said)
    assert all(line.startswith(start) for line, start in zip(found, said, strict=True))
