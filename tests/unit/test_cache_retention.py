"""What a retention policy lets go: never what is protected, never the newest, and nothing more when asked again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.cache import gc, levels, retention
from layerdoit.cache.levels import Going
from layerdoit.cache.model import ImageUse, Usage
from layerdoit.cache.room import Room
from layerdoit.config import Config, Keep, Retention
from layerdoit.engine.mounts import Mount
from layerdoit.engine.removal import Holder
from layerdoit.layers.key import IMAGES
from layerdoit.project.checkouts import Checkout

NOW = 1_000_000
DAY = 86_400
LAYERS = ("base", "runtime", "deps", "app")


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """A project's images, each with a key of its own, deps standing on each other as they come."""
    found: list[ImageUse] = []
    stacks: dict[str, list[ImageUse]] = {layer: [] for layer in LAYERS}
    for number in range(draw(st.integers(0, 12))):
        layer = draw(st.sampled_from(LAYERS))
        below = stacks["deps" if layer in ("deps", "app") else layer]
        parent = draw(st.sampled_from(below)) if below and layer != "base" and draw(st.booleans()) else None
        rootfs = (*(parent.rootfs if parent else ()), f"l{number}")
        image = ImageUse(
            f"i{number}",
            layer,
            f"k{number}",
            draw(st.sampled_from(((f"p:{layer}-k{number}",), ("p:latest", f"p:{layer}-k{number}"), ()))),
            draw(st.sampled_from(((), ("p:v1",)))),
            size=100 * len(rootfs),
            made=draw(st.integers(0, NOW)),
            rootfs=rootfs,
            holders=(Holder("c", "stopped"),) if draw(st.integers(0, 9)) == 0 else (),
            parent=parent.key if parent else "",
            deps=parent.key if parent and layer == "app" else "",
            variant=draw(st.sampled_from(("dev/host", "release/host"))),
            current=draw(st.booleans()),
            pin=f"p:pinned-{layer}-k{number}" if draw(st.integers(0, 9)) == 0 else "",
            checkout=draw(st.sampled_from(("0123abcd", "ffffffff"))),
            branch="feature",
            branch_gone=layer == "app" and draw(st.booleans()),
        )
        if not (image.tags or image.others or image.pin):
            image = replace(image, replaced=draw(st.booleans()))
        stacks[layer].append(image)
        found.append(image)
    used = draw(st.lists(st.tuples(st.booleans(), st.integers(0, NOW)), max_size=5))
    mounts = tuple(
        Mount(f"r{i}", "m", draw(st.sampled_from(("0123abcd", "ffffffff"))), "dev/host", 10 * i, since, busy)
        for i, (busy, since) in enumerate(used)
    )
    places = {"ffffffff": Checkout("ffffffff", "/gone", "gone"), "0123abcd": Checkout("0123abcd", "/here", "this")}
    return Usage("p", tuple(found), mounts, checkouts=places, live_tags=frozenset({"p:latest"}), at=NOW)


RULES = st.builds(
    Keep,
    keep_last=st.none() | st.integers(0, 3),
    max_bytes=st.none() | st.integers(0, 900),
    min_age=st.sampled_from((0.0, 5e5)),
)
POLICIES = st.builds(
    Retention,
    **dict.fromkeys((*IMAGES, "mounts"), RULES),
    keep_tags=st.sampled_from(((), ("v*",))),
    protect=st.sampled_from(((), ("current",), ("worktrees",), ("current", "worktrees"))),
)


def without(usage: Usage, gone: Going) -> Usage:
    """What is left; an image with another's tag stays, without ours."""
    ids = {image.id for image in gone.images}
    left = (replace(image, tags=()) if image.id in ids else image for image in usage.images)
    records = {mount.record for mount in gone.mounts}
    return replace(
        usage,
        images=tuple(image for image in left if image.id not in ids or image.others),
        mounts=tuple(mount for mount in usage.mounts if mount.record not in records),
    )


@given(usages(), POLICIES)
def test_what_is_protected_never_goes(usage: Usage, policy: Retention) -> None:
    gone = retention.select(usage, policy, NOW)
    ids = {image.id for image in gone.images}
    assert not ids & levels.protected(usage).keys()
    assert not [mount for mount in gone.mounts if mount.in_use]
    for image in gone.images:
        assert image.tags
        assert not ("current" in policy.protect and image.current)
        assert not ("worktrees" in policy.protect and image.layer == "app" and "p:latest" in image.tags)
        assert not (policy.keep_tags and "p:v1" in image.others)


@given(usages(), POLICIES)
def test_the_newest_and_the_young_stay(usage: Usage, policy: Retention) -> None:
    gone = retention.select(usage, policy, NOW)
    ids = {image.id for image in gone.images}
    for kind, layers in IMAGES.items():
        rule = getattr(policy, kind)
        for (layer, _), ranked in levels.ranks(usage.images).items():
            if layer in layers:
                assert not ids & set(ranked[: rule.keep_last or 0])
                assert not (rule.idle and ids & set(ranked))
        assert not [image for image in gone.images if image.layer in layers and NOW - image.made < rule.min_age]
    rule = policy.mounts
    for ranked in levels.mount_ranks(usage.mounts).values():
        assert not {mount.record for mount in gone.mounts} & set(ranked[: rule.keep_last or 0])


@given(usages(), POLICIES)
def test_what_is_left_stays_when_it_is_asked_again(usage: Usage, policy: Retention) -> None:
    left = without(usage, retention.select(usage, policy, NOW))
    assert not retention.select(left, policy, NOW)


@given(usages(), POLICIES)
def test_no_image_goes_whose_bytes_another_of_its_layer_holds(usage: Usage, policy: Retention) -> None:
    gone = retention.select(usage, policy, NOW)
    left = [image for image in usage.images if image not in gone.images]
    needed = {name for image in left for name in levels.parents(image) if name[0] == image.layer}
    assert not [image for image in gone.images if (image.layer, image.key) in needed]


@given(usages(), st.integers(0, 900))
def test_a_limit_in_bytes_takes_no_more_than_it_needs(usage: Usage, limit: int) -> None:
    rule = Keep(keep_last=0, max_bytes=limit)
    gone = retention.select(usage, Retention(app=rule, protect=()), NOW).images
    apps = [image for image in usage.images if image.layer == "app"]
    room = Room(usage)
    if gone:
        newest = max(gone, key=lambda image: (image.made, image.id))
        before = [image.id for image in apps if image not in gone or image is newest]
        assert room.held(before) > limit, "the last one that went was one too many"


@given(usages())
def test_without_a_policy_nothing_goes(usage: Usage) -> None:
    assert not retention.select(usage, Config().retention, NOW)
    assert Config().retention.idle


@given(usages())
def test_only_what_was_left_behind_is_stale(usage: Usage) -> None:
    gone = retention.stale(usage)
    assert {mount.checkout for mount in gone.mounts} <= {"ffffffff"}
    named = [image for image in gone.images if not image.replaced]
    assert not [image for image in named if image.layer != "app" or image.current]
    of_branches = [image for image in named if image.checkout != "ffffffff"]
    assert all(image.branch_gone for image in of_branches)
    assert not [image for image in of_branches if image.others or "p:latest" in image.tags]
    assert not {image.id for image in gone.images} & levels.protected(usage).keys()
    both = gc.sweep(Config().retention, ["--stale"])
    assert both.select(usage) == gone
    assert both.asks


def _apps(*made: int) -> tuple[ImageUse, ...]:
    return tuple(
        ImageUse(f"i{n}", "app", f"k{n}", (f"p:app-k{n}",), size=100, made=when, rootfs=("os", f"l{n}"), shared=50)
        for n, when in enumerate(made)
    )


def _ids(usage: Usage, rule: Keep, **more: object) -> list[str]:
    policy = Retention(app=rule, **more)  # type: ignore[arg-type]
    return sorted(image.id for image in retention.select(usage, policy, NOW).images)


def test_usual_policies() -> None:
    usage = Usage("p", _apps(NOW - 4 * DAY, NOW - 3 * DAY, NOW - 2 * DAY, NOW - DAY), foreign=((("os",), 50),))
    assert _ids(usage, Keep(keep_last=2)) == ["i0", "i1"]
    assert _ids(usage, Keep(keep_last=1, min_age=2.5 * DAY)) == ["i0", "i1"]
    assert _ids(usage, Keep(max_bytes=150)) == ["i0"]
    assert _ids(usage, Keep(max_bytes=1)) == ["i0", "i1", "i2"], "one is left"
    assert _ids(usage, Keep(keep_last=3, max_bytes=1)) == ["i0"]
    assert _ids(usage, Keep(keep_last=3, max_bytes=200)) == []
    assert _ids(usage, Keep(min_age=DAY)) == []


def test_patterns_of_tags_and_why_something_stays() -> None:
    old, new = _apps(NOW - 2 * DAY, NOW - DAY)
    usage = Usage("p", (replace(old, others=("p:v1.2",)), new), at=NOW)
    policy = Retention(app=Keep(keep_last=1), keep_tags=("v*",))
    assert not retention.select(usage, policy, NOW)
    assert retention.spared(usage, policy, NOW) == {"p:app-k0": "keep_tags: p:v1.2"}
    assert _ids(usage, Keep(keep_last=1), keep_tags=("w*",)) == ["i0"]
    assert _ids(usage, Keep(keep_last=1), keep_tags=("v1",)) == ["i0"], "the whole name"


def test_the_configured_policy() -> None:
    config = Config(
        retention=Retention(keep_tags=("v*",), protect=(), app=Keep(keep_last=3, max_bytes=5, min_age=60.0))
    )
    found = config.retention
    assert (found.keep_tags, found.protect, found.idle) == (("v*",), (), False)
    assert found.app == Keep(keep_last=3, max_bytes=5, min_age=60.0)
    assert found.deps.idle


def test_an_old_mount_of_a_live_checkout_goes_by_the_rule_only() -> None:
    mounts = tuple(
        Mount(f"r{n}", f"layerdoit/p/0123abcd/dev/host/{n:012x}", "0123abcd", "dev/host", 10, NOW - n * DAY, False)
        for n in range(4)
    )
    usage = Usage("p", (), mounts, mount="layerdoit/p/0123abcd/dev/host/000000000003", at=NOW)

    def records(rule: Keep, protect: tuple[str, ...] = ()) -> list[str]:
        return [mount.record for mount in retention.select(usage, Retention(mounts=rule, protect=protect), NOW).mounts]

    assert records(Keep(keep_last=1)) == ["r1", "r2", "r3"]
    assert records(Keep(keep_last=1), ("current",)) == ["r1", "r2"]
    assert records(Keep(max_bytes=25)) == ["r2", "r3"]
    assert records(Keep(keep_last=0, min_age=1.5 * DAY)) == ["r2", "r3"]


def test_what_dead_checkouts_hold_is_offered_in_one_line() -> None:
    mount = Mount("r", "m", "ffffffff", "dev/host", 7_000_000, 0.0, False)
    usage = Usage("p", mounts=(mount,), checkouts={"ffffffff": Checkout("ffffffff", "/gone", "gone")})
    assert gc.offer(usage) == "orphaned checkouts hold up to 7 MB: /gone\nnext: doit cache_gc --stale"
    there = replace(usage, checkouts={"ffffffff": Checkout("ffffffff", "/there", "there")})
    assert gc.offer(there) == ""
    of_branches = [
        replace(image, branch=branch, branch_gone=True)
        for image, branch in zip(_apps(1, 2, 3), ("b", "a", "b"), strict=True)
    ]
    with_them = replace(usage, images=tuple(of_branches))
    assert gc.offer(with_them).startswith("orphaned checkouts and branches hold up to 7 MB: /gone, a, b\n")
    assert gc.offer(replace(there, images=with_them.images)).startswith("orphaned branches hold up to 300 B: a, b")
    bare = ImageUse("x", "deps", "k", (), size=5_000_000, rootfs=("y",), replaced=True)
    assert gc.offer(replace(there, images=(bare,))) == "untagged images hold up to 5 MB\nnext: doit cache_gc --stale"
    assert gc.offer(replace(with_them, images=(*of_branches, bare))).startswith(
        "orphaned checkouts and branches and untagged images hold up to 12 MB: /gone, a, b\n"
    )


@pytest.mark.parametrize(("tag", "patterns", "found"), [("p:v1", ("v?",), True), ("v:1", ("v*",), False)])
def test_patterns_are_of_the_tag_alone(tag: str, patterns: tuple[str, ...], found: bool) -> None:
    assert retention.matches(tag, patterns) == found
