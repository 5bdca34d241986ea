"""examples/shop as a user has it: two programs, a page and a database, seen in a browser while parts are replaced."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from layerdoit.engine.broker import bootstrap_os
from tests.engine.compose.composing import compose_answers
from tests.support import browser
from tests.support.browser import Browser
from tests.support.git import commit_all, git
from tests.support.scratch import Crate, docker, remove_containers
from tests.support.waiting import until

ROOT: Final = Path(__file__).resolve().parents[2]
SHOP: Final = ROOT / "examples/shop"
WIDTH: Final = 960
SERVICES: Final = ("api", "worker", "page")
STYLES: Final = (
    ("web/src/style.css", "--accent: #22543d", "--accent: #7b341e"),
    # Of the chunk that is loaded later: its files get other names.
    ("web/src/orders.css", "background: #cfe8d8", "background: #d8e8cf"),
)
LOST: Final = "window.lost = []; addEventListener('error', e => lost.push(String(e.target.src || e.message)), true)"


class Done(NamedTuple):
    """The services whose containers were replaced, and what was built: `api-app`, `web.output`."""

    replaced: set[str]
    built: set[str]


class Shop(Crate):
    """A copy of the example under a name of its own."""

    def address(self, service: str) -> str:
        """Where a service is reached from here."""
        told = json.loads(self.doit("status", "--json").ok().out)
        return str(told["services"][service]["deployment"]["url"])

    def running(self) -> dict[str, str]:
        """Service -> id of its container."""
        found = self.containers()
        return {service: found[f"{self.name}-{service}"] for service in SERVICES}

    def logs(self) -> set[str]:
        """The logs of builds: each has its own name, which ends with what was built."""
        return {path.name for path in (self.folder / ".layerdoit/logs").glob("*.log")}

    @contextmanager
    def seen(self) -> Iterator[Done]:
        """What happens during the block."""
        done, before, logs = Done(set(), set()), self.running(), self.logs()
        yield done
        after = self.running()
        done.replaced.update(service for service in SERVICES if before[service] != after[service])
        done.built.update(name.removesuffix(".log").split("-", 3)[3] for name in self.logs() - logs)

    def cycle(self) -> Done:
        """What `doit cycle_fast` does."""
        with self.seen() as done:
            self.doit("cycle_fast").ok()
        return done

    def compose(self, *words: str) -> None:
        subprocess.run(["docker", "compose", *words], cwd=self.folder, capture_output=True, check=False)


@pytest.fixture(scope="module")
def shop(docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """All of it built and running; nothing is left of it."""
    compose_answers()
    name = f"lt-shop-{uuid.uuid4().hex[:8]}"
    folder = tmp_path_factory.mktemp("shop") / name
    left_out = shutil.ignore_patterns(".layerdoit", ".doit.db*", "target", "node_modules", "dist")
    shutil.copytree(SHOP, folder, ignore=left_out)
    made = Shop(folder, name, {"DATABASE_BASE": bootstrap_os("trixie")})
    made.write("layerdoit.yaml", f"project: {name}\n{(SHOP / 'layerdoit.yaml').read_text(encoding='utf-8')}")
    git(folder, "init", "-q")
    commit_all(folder)
    try:
        # One after the other: each has its own deadline.
        for task in ("deps", "image", "cycle_fast"):
            made.doit(task).ok()
        yield made
    finally:
        made.doit("destroy")
        made.compose("down", "--volumes", "--rmi", "local", "--timeout", "0")
        remove_containers(made)
        made.doit("cache_clear:nuke", "--yes")
        for image in set(made.images().values()):
            docker("image", "rm", "--force", image)


@pytest.fixture
def page() -> Iterator[Browser]:
    path = browser.program()
    if path is None:
        pytest.skip("no Chromium on this machine: scripts/ensure-chromium installs it")
    with browser.opened(path) as found:
        # What a page cannot load is an error, not a silence.
        found.ask("Page.addScriptToEvaluateOnNewDocument", source=LOST)
        yield found


def goods(page: Browser, address: str) -> None:
    """The first page, with all that it shows."""
    page.open(address, WIDTH)
    until(lambda: page.evaluate("document.querySelectorAll('.good').length") == 6, what="six goods")


def ordered(page: Browser) -> int:
    """Order the first one, as a customer does; the number of the order."""
    page.evaluate("document.querySelector('.good button').click()")
    said = until(lambda: page.evaluate("document.querySelector('.good button').textContent.match(/\\d+/)?.[0]"))
    return int(said)


def look_at_orders(page: Browser) -> None:
    """By the link, which loads a chunk of its own."""
    page.evaluate("document.querySelector('nav a[href=\"/orders\"]').click()")


def done(page: Browser, order: int) -> None:
    """The worker has packed it, and the page says so."""
    row = f'[data-order="{order}"][data-state="done"]'
    until(lambda: page.evaluate(f"!!document.querySelector('{row}')"), what=f"order {order} done")


def accent(page: Browser) -> str:
    return str(page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--accent').trim()"))


@contextmanager
def meanwhile(shop: Shop, *words: str) -> Iterator[threading.Thread]:
    """A call of doit that goes on during the block, and ends well."""
    failed: list[str] = []

    def call() -> None:
        result = shop.doit(*words)
        if result.code:
            failed.append(result.text)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield thread
    finally:
        thread.join()
    assert failed == []


def test_an_order_goes_from_the_page_to_the_worker_and_back(shop: Shop, page: Browser) -> None:
    address = shop.address("page")
    goods(page, address)
    if os.environ.get("LAYERDOIT_RECORD"):
        page.part("body", ROOT / "docs/shop.png")
    order = ordered(page)
    look_at_orders(page)
    done(page, order)
    assert page.evaluate("location.pathname") == "/orders"
    # A route that only the page knows, asked for by its address.
    page.open(f"{address}/orders", WIDTH)
    done(page, order)
    assert page.evaluate("lost") == []


def test_a_second_call_has_nothing_to_do(shop: Shop) -> None:
    assert shop.cycle() == (set(), set())


def test_a_style_replaces_the_page_alone_and_an_open_one_goes_on(shop: Shop, page: Browser) -> None:
    address = shop.address("page")
    goods(page, address)
    old = accent(page)
    # Its other chunk is not loaded yet.
    assert page.evaluate("performance.getEntriesByType('resource').some(e => e.name.includes('orders-'))") is False
    for style in STYLES:
        shop.edit(*style)
    # No cargo.
    assert shop.cycle() == ({"page"}, {"web.output", "page-app"})
    # The page of before asks for what only the page of before had.
    order = ordered(page)
    look_at_orders(page)
    done(page, order)
    assert page.evaluate("lost") == []
    assert accent(page) == old
    goods(page, address)
    assert accent(page) != old


def test_a_page_is_used_while_the_api_is_replaced(shop: Shop, page: Browser) -> None:
    address = shop.address("page")
    goods(page, address)
    order = ordered(page)
    look_at_orders(page)
    done(page, order)
    shop.edit("crates/api/src/main.rs", "every day but Sunday", "even on Sundays")
    with shop.seen() as seen, meanwhile(shop, "cycle_fast") as swap:
        while swap.is_alive():
            # What was last seen stays, also in the moment in which nobody answers.
            assert page.evaluate("document.querySelectorAll('.orders li').length") >= 1
    # No npm.
    assert seen == ({"api"}, {"api-app"})
    goods(page, address)
    assert page.evaluate("document.querySelector('footer').textContent").endswith("even on Sundays")
    again = ordered(page)
    look_at_orders(page)
    done(page, again)


def test_an_edit_of_the_worker_replaces_the_worker_alone(shop: Shop) -> None:
    shop.edit("crates/worker/src/main.rs", "is packed", "is on its way")
    assert shop.cycle() == ({"worker"}, {"worker-app"})


def test_an_edit_of_the_library_replaces_both_programs(shop: Shop, page: Browser) -> None:
    shop.edit("crates/core/src/store.rs", "the database does not answer", "the database is silent")
    assert shop.cycle() == ({"api", "worker"}, {"api-app", "worker-app"})
    goods(page, shop.address("page"))
    order = ordered(page)
    look_at_orders(page)
    done(page, order)
