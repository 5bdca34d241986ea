"""The cache tasks as they are typed."""

from __future__ import annotations

import json

from tests.support.scratch import Crate, message


def layers(crate: Crate) -> set[str]:
    """Layers of which an image is there."""
    return {tag.split(":")[1].split("-")[0] for tag in crate.images()} - {"latest", "pinned"}


def test_status_as_table_and_as_json(crate: Crate) -> None:
    crate.doit().ok()
    assert "  mount   cold: nothing was compiled here" in crate.doit("cache_status").ok().out, "another one did it"
    crate.edit("src/main.rs", "first text", "here now")
    crate.doit().ok()
    shown = crate.doit("cache_status").ok().out
    assert f"{crate.name}:latest" in shown
    assert "  app     warm\n" in shown
    assert "  mount   warm\n" in shown
    assert "builder default (docker)" in shown
    told = json.loads(crate.doit("cache_status", "--json").ok().out)
    assert {image["layer"] for image in told["images"]} == {"base", "runtime", "deps", "app"}
    assert told["warm"] == dict.fromkeys(("base", "runtime", "deps", "app"), True)
    assert [mount["current"] for mount in told["mounts"] if mount["current"]] == [True]
    assert told["builder"]["driver"] == "docker"
    crate.edit("src/main.rs", "here now", "another text")
    told = json.loads(crate.doit("cache_status", "--json").ok().out)
    assert told["warm"]["app"] is False
    assert "src/main.rs" in " ".join(told["cold"]["app"])
    assert "  app     cold: " in crate.doit("cache_status").ok().out


def test_status_of_a_tree_that_cannot_be_read(crate: Crate) -> None:
    crate.doit().ok()
    crate.write("Cargo.lock", "no lock")
    assert f"{crate.name}:deps-" in crate.doit("cache_status").ok().out
    shown = crate.doit("cache_clear:medium", "--dry-run").ok().out
    assert "expected time of the next build: unknown (the tree cannot be read)" in shown


def test_options_that_narrow(crate: Crate) -> None:
    crate.doit().ok()
    shown = crate.doit("cache_clear:nuke", "--dry-run", "--older-than", "7d").ok().out
    assert "nothing to clear" in shown
    assert "newer, or used later" in shown
    what, step = message(crate.doit("cache_clear:nuke", "--older-than", "7"))
    assert what == '--older-than: expected a duration such as 90m, 12h, 7d or 2w, got "7"'
    assert step == "for example --older-than 7d"
    what, _ = message(crate.doit("cache_clear:soft", "--keep-last=some"))
    assert what == '--keep-last: expected a number, got "some"'


def test_a_preview_says_what_the_next_build_takes(own: Crate) -> None:
    own.doit().ok()
    shown = own.doit("cache_clear:medium", "--dry-run").ok().out
    assert "expected time of the next build (app): " in shown
    assert shown.rstrip().endswith(" s (n=1)")
    shown = own.doit("cache_clear:soft").ok().out
    assert "expected time of the build after the next edit: " in shown
    assert "nothing to clear" in own.doit("cache_clear:soft").ok().out


def test_pinning(own: Crate) -> None:
    own.doit().ok()
    (tag,) = [name for name in own.images() if ":app-" in name]
    assert f"pinned {tag}" in own.doit("cache_pin").ok().out
    assert tag in own.doit("cache_pin", "--list").ok().out
    own.doit("cache_clear:nuke", "--yes").ok()
    assert layers(own) == {"base", "runtime", "deps", "app"}, "all that it was made from"
    assert own.doit("-v", "2").ok().ran()
    assert own.doit("cache_pin", "--remove", "latest").ok().out.count("no longer pinned") == 1
    assert "no image is pinned" in own.doit("cache_pin", "--list").ok().out
    what, step = message(own.doit("cache_pin", "latest", "no-such"))
    assert what == f'project {own.name} has no image "no-such"'
    assert step == "doit cache_status lists the images"
    what, step = message(own.doit("cache_pin", "latest", "--remove"))
    assert what == '"--remove" comes after a tag'
    assert step == "put options before tags: doit cache_pin --remove latest"
    own.doit("cache_clear:nuke", "--yes").ok()
    assert own.images() == {}


def test_collecting(own: Crate) -> None:
    own.doit().ok()
    assert "sets no limit; nothing to remove" in own.doit("cache_gc").ok().out
    own.edit("src/main.rs", "first text", "another text")
    own.doit().ok()
    settings = (own.folder / "layerdoit.yaml").read_text()
    own.write("layerdoit.yaml", settings + "retention:\n  app: {keep_last: 1}\n")
    before = own.images()
    shown = own.doit("cache_gc", "--dry-run").ok().out
    assert "cache_gc of project" in shown
    assert own.images() == before
    assert "\ncleared 0 mounts and 1 image tag: " in own.doit("cache_gc").ok().out
    assert len([tag for tag in own.images() if ":app-" in tag]) == 1
    assert "nothing to clear" in own.doit("cache_gc").ok().out
    assert own.doit("cache_gc", "--stale").ok().out.endswith("nothing to clear\n")
    own.write("layerdoit.yaml", settings + "retention:\n  app: {keep: 1}\n")
    assert 'unknown key "retention.app.keep"' in own.doit("cache_gc").err
    own.write("layerdoit.yaml", settings)  # what cleans up reads it
