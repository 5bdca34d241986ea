"""A page as a service of its own, from its sources to what a browser gets: what an edit runs, and what it does not."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.engine.cycle_fixture import ok
from tests.support.checkout import Checkout
from tests.support.node_project import RUST
from tests.support.ports import PORT
from tests.support.scratch import Crate, docker, remove_containers

SCRIPT = """\
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
const style = readFileSync("src/style.css");
const name = `style-${createHash("sha256").update(style).digest("hex").slice(0, 7)}7.css`;
mkdirSync("dist/assets", { recursive: true });
writeFileSync(`dist/assets/${name}`, style);
writeFileSync("dist/index.html", `<link rel=stylesheet href="/assets/${name}">`);
console.log("the page was built");
"""
PACKAGE = {"name": "web", "version": "1.0.0", "private": True, "scripts": {"build": "node build.mjs"}}
LOCK = {"name": "web", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "web", "version": "1.0.0"}}}
FILES = {
    **RUST,
    "web/package.json": json.dumps(PACKAGE),
    "web/package-lock.json": json.dumps(LOCK),
    "web/build.mjs": SCRIPT,
    "web/src/style.css": "body { color: red }\n",
    "dodo.py": "from layerdoit import task_layerdoit\n",
    ".gitignore": "node_modules\ndist\n/target\n.doit.db*\n__pycache__/\n",
}
SETTINGS = """\
components: {{web: {{path: web}}}}
services:
  page:
    serve: web
    port: {port}
    base: {{runtime_image: "{runtime}"}}
    static: {{fallback: index.html}}
    deploy: {{stop_grace: 0}}
"""


@pytest.fixture
def page(checkout: Callable[..., Checkout], page_runtime: str) -> Iterator[Checkout]:
    one = checkout(FILES, SETTINGS.format(port=PORT, runtime=page_runtime))
    one.git("init", "-q")
    yield one
    remove_containers(Crate(one.root, one.name))


def container(one: Checkout) -> Any:
    """What the engine says of the container that serves."""
    return json.loads(docker("inspect", f"{one.name}-page"))[0]


def get(one: Checkout, path: str) -> tuple[int, str]:
    """What a browser gets of the container that serves."""
    bound = container(one)["NetworkSettings"]["Ports"][f"{PORT}/tcp"][0]
    connection = http.client.HTTPConnection("127.0.0.1", int(bound["HostPort"]), timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def style(one: Checkout) -> str:
    """The path of the style sheet that the page names."""
    return get(one, "/")[1].split('"')[1]


def app(one: Checkout) -> str:
    """The image that it runs."""
    return str(container(one)["Config"]["Image"])


def test_from_its_sources_to_the_browser(page: Checkout) -> None:
    said = ok(page.doit("cycle_fast:page"))
    assert "deps " not in said, "no cargo for a page"
    assert not [tag for tag in page.tags() if tag.startswith(f"{page.name}:deps")]
    first, image = style(page), app(page)
    assert get(page, first) == (200, FILES["web/src/style.css"])
    assert get(page, "/route")[0] == 200
    outputs = {path.name: path.stat().st_ino for path in (page.root / ".layerdoit/components/web").glob("output-*")}
    assert "already serves" in ok(page.doit("cycle_fast:page"))

    # A setting of nginx: another image of the same output.
    page.replace("layerdoit.yaml", "fallback: index.html", "fallback: null")
    reasons = json.loads(ok(page.doit("layers", "plan", "--json")))["services"]["page"]["reasons"]
    assert reasons == ["static fallback: index.html → none"]
    ok(page.doit("cycle_fast:page"))
    assert get(page, "/route")[0] == 404
    assert app(page) != image
    there = {path.name: path.stat().st_ino for path in (page.root / ".layerdoit/components/web").glob("output-*")}
    assert there == outputs, "no npm ran"

    # Back again: the image is still there.
    page.replace("layerdoit.yaml", "fallback: null", "fallback: index.html")
    assert json.loads(ok(page.doit("layers", "plan", "--json")))["services"]["page"]["action"] == "reuse"
    ok(page.doit("cycle_fast:page"))
    assert app(page) == image

    # A style: another output, and what a browser has open can still load the old one.
    page.write({"web/src/style.css": "body { color: blue }\n"})
    reasons = json.loads(ok(page.doit("layers", "plan", "--json")))["services"]["page"]["reasons"]
    assert reasons == ["1 file changed: web/src/style.css"]
    ok(page.doit("cycle_fast:page"))
    second = style(page)
    assert second != first
    assert get(page, second) == (200, "body { color: blue }\n")
    assert get(page, first) == (200, FILES["web/src/style.css"])

    # Rust is none of its business.
    page.write({"src/main.rs": 'fn main() { println!("other"); }\n'})
    assert json.loads(ok(page.doit("layers", "plan", "--json")))["services"]["page"]["action"] == "reuse"
    assert "already serves" in ok(page.doit("cycle_fast:page"))


def test_the_same_output_and_settings_are_the_same_image(page: Checkout) -> None:
    ok(page.doit("image:page"))
    built = {tag for tag in page.tags() if ":app-" in tag}
    (page.root / "web/src/style.css").touch()
    ok(page.doit("image:page"))
    assert {tag for tag in page.tags() if ":app-" in tag} == built
    (config,) = [page.image(tag)["Config"] for tag in built]
    assert (config["User"], config["StopSignal"]) == ("app", "SIGQUIT")
    assert config["Labels"]["io.layerdoit.service"] == "page"


def test_an_output_without_the_page_for_routes(page: Checkout) -> None:
    page.replace("layerdoit.yaml", "fallback: index.html", "fallback: app.html")
    said = page.doit("image:page")
    assert said.returncode == 1
    assert "services.page.static.fallback: the output of components.web has no app.html" in said.stderr
    assert "layerdoit.yaml:8" in said.stderr
