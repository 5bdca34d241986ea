"""`doit watch`: an edit serves in the container that runs, what fails is put back, the image follows."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from tests.engine.cycle_fixture import edited, ok, served, serves
from tests.engine.watch_fixture import Watching, containers, volumes, watching
from tests.support.checkout import Checkout
from tests.support.waiting import until

__all__ = ["served", "watching"]

QUICK = "watch:\n  settle: 600\n"


def test_an_edit_serves_in_the_container_that_runs(
    served: Callable[..., Checkout], parents: str, watching: Callable[..., Watching]
) -> None:
    one = served(parents + QUICK)
    watch = watching(one)
    first = watch.until("serving", how="built")
    assert first["url"].startswith("http://127.0.0.1:")
    assert serves(one) == "first text"
    service = containers(one)[one.name]
    watch.until("watching")

    edited(one, "second text")
    event = watch.until("serving", how="compiled")
    assert serves(one) == "second text"
    assert containers(one)[one.name] == service
    assert event["crates"] == 1
    assert "live: ahead of its image" in ok(one.doit("status"))

    one.replace("src/main.rs", "fn main", "fn mian")
    failed = watch.until("failed", stage="compile")
    assert "`main` function not found" in failed["text"]
    assert serves(one) == "second text"

    warned = len(watch.seen)
    one.replace("src/main.rs", "fn mian", "use std::fmt;\nfn mian")
    failed = watch.until("failed", stage="compile")
    (warning,) = (event for event in watch.seen[warned:] if event["event"] == "warning")
    assert warning["text"].startswith("warning: unused import: `std::fmt`")
    assert (warning["by"], warning["crate"]) == ("rustc", "hello")
    assert "unused import" not in failed["text"]

    one.replace("src/main.rs", "use std::fmt;\nfn mian", "fn main")
    watch.until("serving", how="unchanged")

    one.replace("Cargo.toml", "[package]", "[package]\nforgotten = 1")
    warning = watch.until("warning", by="cargo")
    assert warning["text"] == "warning: unused manifest key: package.forgotten"
    watch.until("serving")
    warned = len(watch.seen)

    one.replace("src/main.rs", "fn main() {", 'fn main() { panic!("it cannot");')
    failed = watch.until("failed", stage="start")
    assert "it cannot" in failed["text"]
    assert serves(one) == "second text"

    one.replace("src/main.rs", 'panic!("it cannot");', "")
    watch.until("serving")
    assert not [event for event in watch.seen[warned:] if event.get("by") == "cargo"], "it is no news"
    one.write({"layerdoit.yaml": "deploy: [\n"})
    failed = watch.until("failed", stage="configuration")
    assert "layerdoit.yaml:" in failed["text"]
    assert serves(one) == "second text"

    begun = time.monotonic()
    assert watch.end() == 128 + signal.SIGINT
    assert time.monotonic() - begun < 10, "two seconds where nothing else runs"
    # The engine removes the workshop in its own time.
    until(lambda: set(containers(one)) == {one.name})
    assert serves(one) == "second text"


def test_the_image_follows_and_an_ordinary_container_in_the_end(
    served: Callable[..., Checkout], parents: str, watching: Callable[..., Watching]
) -> None:
    one = served(parents + "watch:\n  settle: 0.1\n")
    watch = watching(one)
    watch.until("watching")
    edited(one, "second text")
    watch.until("serving", how="compiled")
    watch.until("followed")
    assert serves(one) == "second text"
    assert "live: its image" in ok(one.doit("status"))
    edited(one, "third text")
    watch.until("serving", how="compiled")
    watch.until("followed")
    watch.process.kill()
    watch.process.wait()
    assert serves(one) == "third text"
    ok(one.doit("cycle_fast"))
    assert serves(one) == "third text"
    assert set(containers(one)) == {one.name}
    assert volumes(one) == []
