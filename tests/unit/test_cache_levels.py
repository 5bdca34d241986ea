"""What each cache level clears: each all of the one before, never what is in use, never what is not ours."""

from __future__ import annotations

import itertools
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.cache import clear, levels
from layerdoit.cache.levels import Narrow
from layerdoit.cache.model import ImageUse, Usage
from layerdoit.cache.room import Room
from layerdoit.cache.table import as_json, render
from layerdoit.cache.usage import with_shared, with_uses
from layerdoit.core import process
from layerdoit.core.errors import ConfigError
from layerdoit.engine import layer_sizes, mounts
from layerdoit.engine.builders import Builder
from layerdoit.engine.mounts import Mount
from layerdoit.engine.removal import Holder
from layerdoit.layers.reasons import Reason

LAYERS = ("base", "runtime", "deps", "app")
NOW = 1_000_000
QUIET = Builder("default", "docker", ())
HOLDERS = st.lists(st.builds(Holder, st.just("c"), st.sampled_from(("running", "deployed", "stopped"))), max_size=2)


@st.composite
def images(draw: st.DrawFn, number: int) -> ImageUse:
    layer = draw(st.sampled_from((*LAYERS, "other", "")))
    key = draw(st.sampled_from("abcd"))
    depth = draw(st.integers(1, 4))
    rootfs = tuple(draw(st.sampled_from("xy")) for _ in range(depth))
    made = draw(st.integers(0, NOW))
    replaced = layer in LAYERS and draw(st.booleans())
    return ImageUse(
        f"sha256:{number}",
        layer,
        key,
        () if replaced else draw(st.sampled_from(((), (f"p:{layer}-{key}",), ("p:latest", f"p:{layer}-{key}")))),
        () if replaced else draw(st.sampled_from(((), ("elsewhere:1",)))),
        size=depth * 100,
        shared=draw(st.integers(0, depth * 100)),
        made=made,
        rootfs=rootfs,
        holders=tuple(draw(HOLDERS)),
        runtime=draw(st.sampled_from("abcd")) if layer == "app" else "",
        deps=draw(st.sampled_from("abcd")) if layer == "app" else "",
        parent=draw(st.sampled_from("abcd")),
        variant=draw(st.sampled_from(("dev/host", "release/host"))),
        pin="" if replaced else draw(st.sampled_from(("", "", "", f"p:pinned-{layer}-{key}"))),
        used=made + draw(st.integers(0, 1000)),
        replaced=replaced,
    )


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    found = tuple(draw(images(number)) for number in range(draw(st.integers(0, 8))))
    used = draw(st.lists(st.tuples(st.booleans(), st.integers(0, NOW)), max_size=4))
    records = tuple(
        Mount(f"r{i}", "id", draw(st.sampled_from(("0123abcd", "ffffffff"))), "dev/host", 10 + i, since, busy)
        for i, (busy, since) in enumerate(used)
    )
    return Usage("p", found, records, ((("x",), 100),), at=NOW)


NARROWS = st.builds(Narrow, st.none() | st.floats(0, NOW), st.none() | st.integers(0, 3))


@given(usages(), NARROWS)
def test_what_a_level_clears_the_next_clears_too(usage: Usage, less: Narrow) -> None:
    sets = [levels.select(usage, level, less) for level in levels.LEVELS]
    for lower, higher in itertools.pairwise(sets):
        assert set(lower.mounts) <= set(higher.mounts)
        assert set(lower.images) <= set(higher.images)
        assert levels.freed(usage, lower) <= levels.freed(usage, higher)


@given(usages(), st.sampled_from(levels.LEVELS), NARROWS)
def test_what_is_in_use_or_not_ours_never_goes(usage: Usage, level: levels.Level, less: Narrow) -> None:
    gone = levels.select(usage, level, less)
    assert not [image for image in gone.images if image.holders or image.layer not in LAYERS]
    assert not [image for image in gone.images if not (image.tags or image.replaced)]
    assert not [image for image in gone.images if image.pin]
    parents = {name for image in usage.images if image.pin for name in levels.parents(image)}
    assert not [image for image in gone.images if (image.layer, image.key) in parents]
    assert not [mount for mount in gone.mounts if mount.in_use]
    needed = {image.runtime for image in usage.images if image.holders and image.layer == "app"}
    assert not [image for image in gone.images if image.layer == "runtime" and image.key in needed]


@given(usages(), st.sampled_from(levels.LEVELS), NARROWS)
def test_narrowing_only_keeps_more(usage: Usage, level: levels.Level, less: Narrow) -> None:
    everything, narrowed = levels.select(usage, level), levels.select(usage, level, less)
    assert set(narrowed.images) <= set(everything.images)
    assert set(narrowed.mounts) <= set(everything.mounts)
    if less.older_than is not None:
        assert not [image for image in narrowed.images if NOW - image.used < less.older_than]
        assert not [mount for mount in narrowed.mounts if NOW - mount.used < less.older_than]
    for image in [image for image in narrowed.images if image.tags]:
        alike = [other for other in usage.images if other.tags and other.layer == image.layer]
        same = [other for other in alike if image.layer in ("base", "runtime") or other.variant == image.variant]
        newer = [other for other in same if other.made >= image.made and other.id != image.id]
        assert len(newer) >= (less.keep_last or 0)


@given(usages())
def test_all_that_may_go_goes_with_the_last_level(usage: Usage) -> None:
    gone = levels.select(usage, "nuke")
    kept = levels.protected(usage)
    free = [image for image in usage.images if image.id not in kept and image.tags and image.layer in LAYERS]
    assert [image for image in gone.images if image.tags] == free


@given(usages(), st.sampled_from(levels.LEVELS), NARROWS)
def test_what_lost_its_tag_goes_unless_something_that_stays_stands_on_it(
    usage: Usage, level: levels.Level, less: Narrow
) -> None:
    gone = levels.select(usage, level, less)
    stays = [image for image in usage.images if image not in gone.images or image.others]
    kept = levels.protected(usage).keys() | levels.spared(usage, less)

    def needed(image: ImageUse) -> bool:
        end = len(image.rootfs)
        return any(other.rootfs[:end] == image.rootfs and len(other.rootfs) > end for other in stays)

    bare = {image for image in usage.images if image.replaced and image.layer in levels.LAYERS[level]}
    assert not [image for image in gone.images if image.replaced and needed(image)]
    left = [image for image in bare if image not in gone.images and image.id not in kept]
    assert all(needed(image) for image in left)


def test_a_replaced_image_stays_under_one_that_somebody_tagged() -> None:
    below = ImageUse("1", "deps", "a", (), size=50, rootfs=("a",), replaced=True)
    above = ImageUse("2", "deps", "b", ("p:deps-b",), size=80, rootfs=("a", "b"))
    assert levels.select(Usage("p", (below, above)), "hard").images == (below, above)
    named = replace(above, others=("mine:1",))
    assert levels.select(Usage("p", (below, named)), "hard").images == (named,)


def preview(usage: Usage, level: levels.Level, less: Narrow | None = None) -> str:
    sweep = clear.of_level(level, less or Narrow())
    return clear.preview(usage, sweep, sweep.select(usage), "expected time: unknown")


@given(usages(), st.sampled_from(levels.LEVELS))
def test_the_preview_names_each_tag_that_goes(usage: Usage, level: levels.Level) -> None:
    gone = levels.select(usage, level)
    text = preview(usage, level)
    assert all(tag in text for image in gone.images for tag in image.tags or (image.name,))
    assert ("nothing to clear" in text) == (not gone)
    assert ("expected time" in text) == bool(gone)


def _stack() -> Usage:
    """One image of each layer, the app image twice: one is deployed."""
    return Usage(
        "p",
        (
            ImageUse("1", "base", "b", ("p:base-b",), size=1000, shared=100, rootfs=("os", "rust")),
            ImageUse("2", "runtime", "r", ("p:runtime-r",), size=130, shared=100, rootfs=("os", "user")),
            ImageUse("3", "deps", "d", ("p:deps-d",), size=1500, shared=1000, rootfs=("os", "rust", "crates")),
            ImageUse("4", "app", "n", ("p:app-n",), size=140, shared=130, rootfs=("os", "user", "new"), runtime="r"),
            ImageUse(
                "5",
                "app",
                "o",
                ("p:latest", "p:app-o"),
                size=150,
                shared=130,
                rootfs=("os", "user", "old"),
                holders=(Holder("web", "deployed"),),
                runtime="r",
            ),
        ),
        (Mount("rec", "layerdoit/p/0123abcd/dev/host", "0123abcd", "dev/host", 7, NOW - 3600, in_use=False),),
        ((("os",), 100),),
        {"logs": 12},
        {"base": "b", "app": "gone"},
        {"app": (Reason("changed", ("file main.rs",), "file"),)},
        at=NOW,
    )


@pytest.mark.parametrize(
    ("level", "ids", "freed"),
    [("soft", "", 7), ("medium", "4", 17), ("hard", "34", 517), ("nuke", "134", 1417)],
)
def test_each_level_of_a_usual_stack(level: levels.Level, ids: str, freed: int) -> None:
    gone = levels.select(_stack(), level)
    assert "".join(sorted(image.id for image in gone.images)) == ids
    assert levels.freed(_stack(), gone) == freed


def test_an_image_that_others_tagged_too_frees_nothing() -> None:
    usage = Usage("p", (ImageUse("1", "app", "k", ("p:app-k",), ("mine:1",), size=50, rootfs=("a",)),))
    gone = levels.select(usage, "medium")
    assert gone.images == usage.images
    assert levels.freed(usage, gone) == 0
    assert "stays as mine:1" in preview(usage, "medium")


def test_a_layer_below_a_kept_image_frees_nothing() -> None:
    usage = Usage(
        "p",
        (
            ImageUse("1", "deps", "a", ("p:deps-a",), size=50, rootfs=("a",)),
            ImageUse(
                "2",
                "deps",
                "b",
                ("p:deps-b",),
                size=80,
                shared=50,
                rootfs=("a", "b"),
                holders=(Holder("c", "stopped"),),
            ),
        ),
    )
    assert levels.freed(usage, levels.select(usage, "hard")) == 0


def weighed(name: str, rootfs: str, *layers: int, layer: str = "app", made: int = 0, **more: object) -> ImageUse:
    """An image of which the engine says what each layer weighs."""
    found = ImageUse(name, layer, name, (f"p:{layer}-{name}",), size=sum(layers), made=made, rootfs=tuple(rootfs))
    return replace(found, layers=layers, **more)  # type: ignore[arg-type]


def test_a_layer_that_two_images_share_counts_once_though_no_image_ends_with_it() -> None:
    """Two builds with the same assets, and another binary on them."""
    runtime = weighed("r", "o", 100, layer="runtime")
    older, newer = weighed("a", "osx", 100, 50, 7, made=1), weighed("b", "osy", 100, 50, 9, made=2)
    usage = with_shared(Usage("p", (runtime, newer, older)))
    assert {image.id: image.size - image.shared for image in usage.images} == {"r": 100, "a": 57, "b": 9}
    going = levels.select(usage, "medium")
    assert levels.freed(usage, going) == 66
    assert levels.parts(usage, going) == {"a": 7, "b": 59}
    assert levels.freed(usage, levels.Going(images=(older,))) == 7


@given(usages(), st.sampled_from(levels.LEVELS))
def test_what_is_shown_adds_up(usage: Usage, level: levels.Level) -> None:
    """The lines of a level to its sum; the images' own bytes to the total."""
    going = levels.select(usage, level)
    mounts = sum(mount.size for mount in going.mounts)
    assert sum(levels.parts(usage, going).values()) + mounts == levels.freed(usage, going)
    ids = {image.id for image in usage.images}
    own = [image.size - image.shared for image in with_shared(usage).images]
    assert sum(own) == Room(usage).held(ids)


def test_what_other_configurations_named_goes_only_with_all() -> None:
    old = ImageUse("o", "app", "k", (), others=("mine:1",), elsewhere=("old:latest", "old:app-k"), size=1)
    usage = Usage("p", (old,))
    assert not levels.select(usage, "nuke")
    every = clear.of_level("medium", Narrow(), every=True)
    (going,) = every.select(usage).images
    assert (going.tags, going.others) == (("old:latest", "old:app-k"), ("mine:1",))
    assert every.asks
    assert "1 under other names of this project (old); cache_clear:… --all" in render(usage, QUIET)


def test_the_table_says_what_each_level_frees() -> None:
    mount = Mount("m", "id", "0123abcd", "dev/host", 5_000_000, 0.0, in_use=False)
    usage = Usage("p", (weighed("a", "x", 7_000_000), weighed("d", "y", 9_000_000, layer="deps")), (mount,))
    told = as_json(usage, QUIET)["levels"]
    assert {word: found["bytes"] for word, found in told.items()} == {
        "soft": 5_000_000, "medium": 12_000_000, "hard": 21_000_000, "nuke": 21_000_000
    }  # fmt: skip
    shown = render(usage, QUIET)
    assert "medium     12 MB  (7 MB more)  1 mount, 1 image" in shown


@pytest.mark.parametrize(
    ("steps", "count", "sizes"),
    [
        ([("CMD x", 0), ("COPY a", 7), ("RUN |1 A=b /bin/sh -c y", 0), ("ENV x=1", 0), ("", 100)], 3, (100, 0, 7)),
        ([("/bin/sh -c #(nop)  CMD", 0), ("/bin/sh -c #(nop) ADD x", 9)], 1, (9,)),
        ([("RUN x", 0), ("COPY a", 7)], 1, (7,)),
        ([("RUN x", 0), ("RUN y", 0), ("COPY a", 7)], 2, ()),
    ],
)
def test_what_the_layers_weigh(steps: list[tuple[str, int]], count: int, sizes: tuple[int, ...]) -> None:
    assert layer_sizes.of([layer_sizes.Made(*step) for step in steps], count) == sizes


def test_an_unknown_level_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match="soft, medium, hard, nuke"):
        levels.level("sfot")


def test_a_layer_that_several_share_is_freed_once() -> None:
    below = ImageUse("1", "deps", "a", ("p:deps-a",), size=100, rootfs=("a",))
    above = [ImageUse(f"{n}", "deps", f"{n}", (f"p:deps-{n}",), size=110, rootfs=("a", f"{n}")) for n in (2, 3)]
    usage = Usage("p", (below, *above))
    assert levels.freed(usage, levels.Going(images=usage.images)) == 120
    assert levels.freed(usage, levels.Going(images=(below,))) == 0
    assert levels.freed(usage, levels.Going(images=(below, above[0]))) == 10


def test_a_pinned_image_keeps_what_it_was_made_from() -> None:
    chain = (
        ImageUse("1", "base", "b", ("p:base-b",)),
        ImageUse("2", "runtime", "r", ("p:runtime-r",)),
        ImageUse("3", "deps", "d1", ("p:deps-d1",), parent="b"),
        ImageUse("4", "deps", "d2", ("p:deps-d2",), parent="d1"),
        ImageUse("5", "app", "a", ("p:app-a",), parent="d2", deps="d2", runtime="r", pin="p:pinned-app-a"),
        ImageUse("6", "app", "z", ("p:app-z",), parent="d2", deps="d2", runtime="r"),
        ImageUse("7", "deps", "d3", ("p:deps-d3",), parent="d2"),
    )
    gone = levels.select(Usage("p", chain), "nuke")
    assert [image.id for image in gone.images] == ["6", "7"]
    held = levels.protected(Usage("p", chain))
    assert held["5"] == "pinned"
    assert held["1"] == "parent of the pinned p:app-a"


def test_narrowing_keeps_the_newest_of_each_profile_and_what_was_used() -> None:
    found = tuple(
        ImageUse(f"{variant}{n}", "app", f"{variant}{n}", (f"p:app-{variant}{n}",), made=n, used=n, variant=variant)
        for variant in ("dev", "release")
        for n in (100, 200, 300)
    )
    usage = Usage("p", found, at=400)
    assert {image.id for image in levels.select(usage, "medium", Narrow(keep_last=1)).images} == {
        *("dev100", "dev200"),
        *("release100", "release200"),
    }
    gone = levels.select(usage, "medium", Narrow(older_than=250))
    assert {image.id for image in gone.images} == {"dev100", "release100"}
    assert "keeps  p:app-dev300: newer, or used later" in preview(usage, "medium", Narrow(keep_last=1))


def test_an_image_is_used_when_another_is_made_from_it() -> None:
    base = ImageUse("1", "base", "b", ("p:base-b",), made=1, used=1)
    below = ImageUse("2", "deps", "d1", ("p:deps-d1",), made=2, used=2, parent="b")
    above = ImageUse("3", "deps", "d2", ("p:deps-d2",), made=3, used=3, parent="d1")
    app = ImageUse("4", "app", "a", ("p:app-a",), made=9, used=9, parent="d2", deps="d2", runtime="r")
    runtime = ImageUse("5", "runtime", "r", ("p:runtime-r",), made=1, used=1)
    other = ImageUse("6", "deps", "x", ("p:deps-x",), made=4, used=4, parent="d1")
    found = with_uses((base, below, above, app, runtime, other))
    assert [image.used for image in found] == [9, 9, 9, 9, 9, 4]


@pytest.mark.parametrize(
    ("older_than", "keep_last", "less"),
    [
        ("", "", Narrow()),
        ("7d", "", Narrow(older_than=604_800)),
        ("90m", "3", Narrow(5400, 3)),
        ("0s", "0", Narrow(0, 0)),
    ],
)
def test_options_that_narrow(older_than: str, keep_last: str, less: Narrow) -> None:
    assert levels.narrow(older_than, keep_last) == less


@pytest.mark.parametrize(
    ("older_than", "keep_last", "words"),
    [
        ("7", "", '--older-than: expected a duration such as 90m, 12h, 7d or 2w, got "7"'),
        ("7 days", "", "--older-than"),
        ("-1d", "", "--older-than"),
        ("", "-1", '--keep-last: expected a number, got "-1"'),
        ("", "two", "--keep-last"),
        ("", "²", "--keep-last"),
    ],
)
def test_options_that_say_nothing_are_refused(older_than: str, keep_last: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        levels.narrow(older_than, keep_last)
    assert refused.value.what.startswith(words)
    assert refused.value.hint


def test_what_the_next_build_makes_again() -> None:
    usage = _stack()
    assert levels.rebuilt(usage, levels.select(usage, "soft")) == ("app",)
    assert levels.rebuilt(usage, levels.select(usage, "nuke")) == ("base", "app")


def test_the_table_and_the_json_tell_the_same() -> None:
    usage = _stack()
    table = render(usage, QUIET)
    assert "web (deployed)" in table
    assert "  base    warm\n  app     cold: 1 file changed: main.rs\n" in table
    assert "parent of the image of web" in table
    told = as_json(usage, QUIET)
    assert told["warm"] == {"base": True, "app": False}
    assert told["cold"] == {"app": ["1 file changed: main.rs"]}
    assert [image["tags"][-1] for image in told["images"]] == [image.tags[-1] for image in usage.images]
    assert all(tag["tags"][-1] in table for tag in told["images"])
    assert told["mounts"][0]["size"] == 7


# --- mounts ----------------------------------------------------------------------------------------------------------


def _record(
    record: str, description: str, size: str = "1.5MB", *, reclaimable: str = "true", kind: str = "exec.cachemount"
) -> str:
    return (
        f"ID:\t\t{record}\nParent:\t\tp{record}\nCreated at:\t2026-11-21 08:39:21 +0000 UTC\nMutable:\ttrue\n"
        f"Reclaimable:\t{reclaimable}\nShared:\t\tfalse\nSize:\t\t{size}\nDescription:\t{description}\n"
        "Usage count:\t1\nLast used:\t1 second ago\nType:\t\t" + kind + "\n\n"
    )


def _mounted(identity: str, command: str = "/bin/sh -c sh /control/build.sh") -> str:
    return f'cached mount /build from exec {command} with id "{identity}"'


def test_only_whole_mount_ids_of_the_project_are_found() -> None:
    strange = [
        "/layerdoit/app2/0123abcd/dev/host",
        "/layerdoit/ap/0123abcd/dev/host",
        "/layerdoit/a.p/0123abcd/dev/host",
        "/x/layerdoit/app/0123abcd/dev/host",
        "//layerdoit/app/0123abcd/dev/host",
        "/layerdoit/app/0123abcd/dev/host/more",
        "/layerdoit/app/0123abcd/dev/host@7f3e21aa",
        "/layerdoit/app/0123abcd/dev@7f3e21aa/home/host",
        "/layerdoit/app/api/0123abcd/dev/host",
        "/layerdoit/app",
        "/target",
    ]
    own = [
        "/layerdoit/app/0123abcd/dev/host",
        "layerdoit/app/ffffffff/release/x86_64-unknown-linux-musl",
        "/layerdoit/app/0123abcd/dev/host/0123456789ab@7f3e21aa/home/me/a%20shop",
    ]
    listing = "".join(_record(f"r{number}", _mounted(identity)) for number, identity in enumerate(strange + own))
    found = list(mounts.parse(listing + "Total:\t3MB\n", "app", NOW))
    assert [mount.record for mount in found] == ["r11", "r12", "r13"]
    assert [mount.id for mount in found] == [identity.lstrip("/") for identity in own]
    assert (found[0].checkout, found[0].variant, found[0].size) == ("0123abcd", "dev/host", 1_500_000)
    assert found[0].used == NOW - 1
    assert (found[0].host, found[0].path) == ("", "")
    assert (found[2].cook, found[2].host, found[2].path) == ("0123456789ab", "7f3e21aa", "/home/me/a shop")
    assert not list(mounts.parse(listing, "a.*", NOW))


def test_mounts_that_are_being_measured_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """BuildKit lists a snapshot in their place. One that is left over, and not in use, is nothing to wait for."""
    own = _mounted("/layerdoit/app/0123abcd/dev/host")
    there, left = _record("r", own), _record("left", own, kind="regular")
    measured = _record("snapshot", own, reclaimable="false", kind="regular")
    paused: list[float] = []
    monkeypatch.setattr(time, "sleep", paused.append)

    def ask(*answers: str) -> list[str]:
        said = iter(answers)
        last = answers[-1]
        monkeypatch.setattr(process, "capture_quick", lambda _argv, **_: next(said, last).encode())
        return [mount.record for mount in mounts.of_project("app", "default")]

    assert ask(there + left) == ["r"]
    assert (paused, capsys.readouterr().err) == ([], "")
    assert ask(measured, measured + left, there + left) == ["r"]
    assert (len(paused), capsys.readouterr().err) == (2, "")
    assert ask(measured.replace("layerdoit/app/", "layerdoit/app2/") + there) == ["r"]
    assert ask(measured) == []
    assert "1 mount of app cannot be seen" in capsys.readouterr().err
    assert 5 < sum(paused) < 20


def test_a_mount_that_is_measured_is_removed_afterwards_and_one_in_use_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    own = _mounted("/layerdoit/app/0123abcd/dev/host")
    there, busy = _record("r", own), _record("r", own, reclaimable="false")
    asked: list[str] = []

    def remove(listing: str, *printed: str) -> bool:
        asked.clear()
        answers = iter(printed)

        def pruned(argv: list[str]) -> process.Completed:
            asked.append(argv[-3])
            return process.Completed(0, next(answers), "")

        monkeypatch.setattr(process, "capture_quick", lambda _argv, **_: listing.encode())
        monkeypatch.setattr(process, "capture", pruned)
        (mount,) = mounts.parse(there, "app", NOW)
        return mounts.prune(mount, "default")

    assert remove(there, "Total: 0B", "Total: 0B", "ID  RECLAIMABLE\nr*  true") is True
    assert asked == ["id=r"] * 3
    assert remove(busy, "Total: 0B") is False
    assert remove("", "Total: 0B") is False


def test_a_command_of_several_lines_neither_hides_nor_feigns_a_mount() -> None:
    own = "/layerdoit/app/0123abcd/dev/host"
    feigned = f"/bin/sh -c echo 'with id \"{own}\"'\n\nSize:\t\t9GB\nUsage count:\t3\nDescription:\t{_mounted(own)}\nls"
    listing = (
        _record("foreign", _mounted("/target", feigned))
        + _record("ours", _mounted(own, "/bin/sh -c set -e\nUsage count:\n\nmake"), reclaimable="false")
        + _record("none", "local source for context")
    )
    found = list(mounts.parse(listing, "app", NOW))
    assert [(mount.record, mount.size, mount.in_use) for mount in found] == [("ours", 1_500_000, True)]


def test_the_id_says_where_a_checkout_is_only_where_that_means_something(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = tmp_path / 'a "b", c%'
    plain = mounts.identity("app", root, "dev/host", "0123456789ab")
    monkeypatch.setenv("LAYERDOIT_MACHINE", "one")
    listing = _record("r", _mounted("/" + mounts.placed(plain, root)))
    (found,) = mounts.parse(listing, "app", NOW)
    assert (found.checkout, found.path, found.host) == (mounts.checkout_of(root), str(root), mounts.this_host())
    monkeypatch.setenv("LAYERDOIT_MACHINE", "two")
    assert mounts.this_host() != found.host
    monkeypatch.delenv("LAYERDOIT_MACHINE")
    monkeypatch.setattr(os.path, "exists", lambda path: path == "/.dockerenv")
    assert mounts.this_host() == ""
    assert mounts.placed(plain, root) == plain
