"""What each cache level clears: each all of the one before, never what is in use, never what is not ours."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.cache import clear, levels
from layerdoit.cache.usage import ImageUse, Usage, age_text, as_json, render, shared_size, size_text
from layerdoit.engine import mounts
from layerdoit.engine.mounts import Mount
from layerdoit.engine.removal import Holder
from layerdoit.errors import ConfigError

LAYERS = ("base", "runtime", "deps", "app")
HOLDERS = st.lists(st.builds(Holder, st.just("c"), st.sampled_from(("running", "deployed", "stopped"))), max_size=2)


@st.composite
def images(draw: st.DrawFn, number: int) -> ImageUse:
    layer = draw(st.sampled_from((*LAYERS, "other", "")))
    key = draw(st.sampled_from("abcd"))
    depth = draw(st.integers(1, 4))
    rootfs = tuple(draw(st.sampled_from("xy")) for _ in range(depth))
    return ImageUse(
        f"sha256:{number}",
        layer,
        key,
        draw(st.sampled_from(((), (f"p:{layer}-{key}",), ("p:latest", f"p:{layer}-{key}")))),
        draw(st.sampled_from(((), ("elsewhere:1",)))),
        size=depth * 100,
        shared=draw(st.integers(0, depth * 100)),
        rootfs=rootfs,
        holders=tuple(draw(HOLDERS)),
        runtime=draw(st.sampled_from("abcd")) if layer == "app" else "",
    )


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    found = tuple(draw(images(number)) for number in range(draw(st.integers(0, 8))))
    used = draw(st.lists(st.booleans(), max_size=3))
    records = tuple(Mount(f"r{i}", "id", "0123abcd", "dev/host", 10 + i, "", busy) for i, busy in enumerate(used))
    return Usage("p", found, records, ((("x",), 100),))


@given(usages())
def test_what_a_level_clears_the_next_clears_too(usage: Usage) -> None:
    sets = [levels.going(usage, level) for level in levels.LEVELS]
    for lower, higher in itertools.pairwise(sets):
        assert set(lower.mounts) <= set(higher.mounts)
        assert set(lower.images) <= set(higher.images)
        assert levels.freed(usage, lower) <= levels.freed(usage, higher)


@given(usages(), st.sampled_from(levels.LEVELS))
def test_what_is_in_use_or_not_ours_never_goes(usage: Usage, level: levels.Level) -> None:
    gone = levels.going(usage, level)
    assert not [image for image in gone.images if image.holders or not image.tags or image.layer not in LAYERS]
    assert not [mount for mount in gone.mounts if mount.in_use]
    needed = {image.runtime for image in usage.images if image.holders and image.layer == "app"}
    assert not [image for image in gone.images if image.layer == "runtime" and image.key in needed]


@given(usages())
def test_all_that_may_go_goes_with_the_last_level(usage: Usage) -> None:
    gone = levels.going(usage, "nuke")
    kept = levels.protected(usage)
    free = [image for image in usage.images if image.id not in kept and image.tags and image.layer in LAYERS]
    assert list(gone.images) == free


@given(usages(), st.sampled_from(levels.LEVELS))
def test_the_preview_names_each_tag_that_goes(usage: Usage, level: levels.Level) -> None:
    gone = levels.going(usage, level)
    text = clear.preview(usage, level, gone)
    assert all(tag in text for image in gone.images for tag in image.tags)
    assert ("nothing to clear" in text) == (not gone.images and not gone.mounts)


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
        (Mount("rec", "layerdoit/p/0123abcd/dev/host", "0123abcd", "dev/host", 7, "1 hour ago", in_use=False),),
        ((("os",), 100),),
        {"logs": 12},
        {"base": "b", "app": "gone"},
    )


@pytest.mark.parametrize(
    ("level", "ids", "freed"),
    [("soft", "", 7), ("medium", "4", 17), ("hard", "34", 517), ("nuke", "134", 1417)],
)
def test_each_level_of_a_usual_stack(level: levels.Level, ids: str, freed: int) -> None:
    gone = levels.going(_stack(), level)
    assert "".join(sorted(image.id for image in gone.images)) == ids
    assert levels.freed(_stack(), gone) == freed


def test_an_image_that_others_tagged_too_frees_nothing() -> None:
    usage = Usage("p", (ImageUse("1", "app", "k", ("p:app-k",), ("mine:1",), size=50, rootfs=("a",)),))
    gone = levels.going(usage, "medium")
    assert gone.images == usage.images
    assert levels.freed(usage, gone) == 0
    assert "stays as mine:1" in clear.preview(usage, "medium", gone)


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
    assert levels.freed(usage, levels.going(usage, "hard")) == 0


def test_shared_size_is_that_of_the_fullest_image_below() -> None:
    others = [(("a",), 10), (("a", "b"), 30), (("a", "x"), 50), (("a", "b", "c"), 60)]
    assert shared_size(("a", "b", "c"), others) == 30
    assert shared_size(("z",), others) == 0


def test_an_unknown_level_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match="soft, medium, hard, nuke"):
        levels.level("sfot")


def test_the_table_and_the_json_tell_the_same() -> None:
    usage = _stack()
    table = render(usage)
    assert "web (deployed)" in table
    assert "for this tree: base warm, app cold" in table
    told = as_json(usage)
    assert told["warm"] == {"base": True, "app": False}
    assert [image["tags"][-1] for image in told["images"]] == [image.tags[-1] for image in usage.images]
    assert all(tag["tags"][-1] in table for tag in told["images"])
    assert told["mounts"][0]["size"] == 7


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1234, "1.23 kB"), (539_400_000, "539 MB"), (2e12, "2 TB")]
)
def test_sizes_read_as_docker_shows_them(size: float, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0 s"), (59, "59 s"), (60, "1 min"), (7300, "2 h"), (200_000, "2 d")]
)
def test_ages(seconds: float, text: str) -> None:
    assert age_text(seconds) == text


# --- mounts ----------------------------------------------------------------------------------------------------------


def _record(record: str, description: str, size: str = "1.5MB", *, reclaimable: str = "true") -> str:
    return (
        f"ID:\t\t{record}\nParent:\t\tp{record}\nCreated at:\t2026-11-21 08:39:21 +0000 UTC\nMutable:\ttrue\n"
        f"Reclaimable:\t{reclaimable}\nShared:\t\tfalse\nSize:\t\t{size}\nDescription:\t{description}\n"
        "Usage count:\t1\nLast used:\t1 second ago\nType:\t\texec.cachemount\n\n"
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
        "/layerdoit/app/api/0123abcd/dev/host",
        "/layerdoit/app",
        "/target",
    ]
    own = ["/layerdoit/app/0123abcd/dev/host", "layerdoit/app/ffffffff/release/x86_64-unknown-linux-musl"]
    listing = "".join(_record(f"r{number}", _mounted(identity)) for number, identity in enumerate(strange + own))
    found = list(mounts.parsed(listing + "Total:\t3MB\n", "app"))
    assert [mount.record for mount in found] == ["r9", "r10"]
    assert [mount.id for mount in found] == [identity.lstrip("/") for identity in own]
    assert (found[0].checkout, found[0].variant, found[0].size) == ("0123abcd", "dev/host", 1_500_000)
    assert found[0].last_used == "1 second ago"
    assert not list(mounts.parsed(listing, "a.*"))


def test_a_command_of_several_lines_neither_hides_nor_feigns_a_mount() -> None:
    own = "/layerdoit/app/0123abcd/dev/host"
    feigned = f"/bin/sh -c echo 'with id \"{own}\"'\n\nSize:\t\t9GB\nUsage count:\t3\nDescription:\t{_mounted(own)}\nls"
    listing = (
        _record("foreign", _mounted("/target", feigned))
        + _record("ours", _mounted(own, "/bin/sh -c set -e\nUsage count:\n\nmake"), reclaimable="false")
        + _record("none", "local source for context")
    )
    found = list(mounts.parsed(listing, "app"))
    assert [(mount.record, mount.size, mount.in_use) for mount in found] == [("ours", 1_500_000, True)]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0B", 0),
        ("1B", 1),
        ("539.4MB", 539_400_000),
        ("1.2kB", 1200),
        ("2GiB", 2 * 1024**3),
        ("1.5 GB", 1_500_000_000),
        ("?", 0),
    ],
)
def test_sizes_of_buildx(text: str, size: int) -> None:
    assert mounts.bytes_of(text) == size
