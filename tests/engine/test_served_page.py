"""A page in an image of its own, as browsers ask for it."""

from __future__ import annotations

import contextlib
import gzip
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound

from layerdoit.config.services_section import Static
from tests.engine.served_page_fixture import Serve, Served, page_image
from tests.support.waiting import until

SCRIPT = b"export const words = [" + b'"the same word again", ' * 200 + b"];\n"
FILES = {
    "index.html": b"<!doctype html><title>shop</title><script type=module src=/assets/index-B7x9aZ12.js></script>",
    "about.html": b"<!doctype html><title>about</title>",
    "docs/index.html": b"<!doctype html><title>docs</title>",
    "assets/index-B7x9aZ12.js": SCRIPT,
    "assets/deep/logo-0123abcd.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "module.mjs": b"export default 1;\n",
    "sum.wasm": b"\0asm\1\0\0\0",
    "app.webmanifest": b"{}",
    "image.png": b"\x89PNG" + bytes(3000),
    "service-worker.js": b"self.skipWaiting();",
    "vendor-8f3a2b1c.css": b"a{color:red}" * 50,
    ".env": b"SECRET=1",
    ".git/config": b"[core]",
    ".well-known/security.txt": b"Contact: x",
}
IMMUTABLE = "public, max-age=31536000, immutable"


def test_files_their_types_and_how_long_browsers_keep_them(serve: Serve) -> None:
    page = serve(FILES)
    kinds = {
        "/": ("text/html; charset=utf-8", "no-cache"),
        "/assets/index-B7x9aZ12.js": ("text/javascript; charset=utf-8", IMMUTABLE),
        "/assets/deep/logo-0123abcd.svg": ("image/svg+xml", IMMUTABLE),
        "/vendor-8f3a2b1c.css": ("text/css; charset=utf-8", IMMUTABLE),
        "/module.mjs": ("text/javascript; charset=utf-8", "no-cache"),
        "/sum.wasm": ("application/wasm", "no-cache"),
        "/app.webmanifest": ("application/manifest+json", "no-cache"),
        "/service-worker.js": ("text/javascript; charset=utf-8", "no-cache"),
        "/image.png": ("image/png", "no-cache"),
        "/.well-known/security.txt": ("text/plain; charset=utf-8", "no-cache"),
    }
    for path, expected in kinds.items():
        found = page.get(path)
        assert (found.status, found.headers["content-type"], found.headers["cache-control"]) == (200, *expected), path
        assert found.body == FILES[path.lstrip("/") or "index.html"]
        assert found.headers["server"] == "nginx", "no version"
        assert "last-modified" not in found.headers


def test_routes_of_the_page_and_what_is_none(serve: Serve) -> None:
    page = serve(FILES)
    for route in ("/cart", "/users/john.doe", "/deep/er/route?x=1", "/assets", "/assets/"):
        found = page.get(route)
        if route == "/assets/":
            # Under a pattern of hashed names there are no routes.
            assert found.status == 404
            continue
        assert (found.status, found.body, found.headers["cache-control"]) == (200, FILES["index.html"], "no-cache")
    for missing in ("/assets/index-00000000.js", "/old-8f3a2b1d.css", "/lazy.js", "/.env", "/.git/config", "/a/.b/c"):
        found = page.get(missing)
        assert found.status == 404, missing
        assert FILES["index.html"] not in found.body
        assert "cache-control" not in found.headers
    assert page.get("/about").body == FILES["about.html"]
    assert page.get("/docs/").body == FILES["docs/index.html"]
    moved = page.get("/docs?x=1")
    assert (moved.status, moved.headers["location"]) == (302, "/docs/?x=1")
    assert page.get("/cart", "POST").status == 405


def test_without_a_page_for_routes(serve: Serve) -> None:
    page = serve({**FILES, "404.html": b"<title>lost</title>"}, Static(fallback=None))
    assert page.get("/").status == 200
    assert page.get("/about").body == FILES["about.html"]
    lost = page.get("/cart")
    assert (lost.status, lost.body) == (404, b"<title>lost</title>")
    assert page.get("/docs").headers["location"] == "/docs/"


def test_compressed_forms_are_made_where_they_are_smaller(serve: Serve) -> None:
    page = serve(FILES)
    path = "/assets/index-B7x9aZ12.js"
    packed = page.get(path, Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == SCRIPT
    smallest = page.get(path, Accept_Encoding="gzip, deflate, br")
    assert smallest.headers["content-encoding"] == "br"
    assert len(smallest.body) < len(packed.body) < len(SCRIPT)
    unpacked = page.container.exec_run(["brotli", "-dc", f"/srv/page{path}.br"])
    assert (unpacked.exit_code, unpacked.output) == (0, SCRIPT)
    for one in (packed, smallest, page.get(path)):
        assert one.headers["vary"] == "Accept-Encoding"
        assert one.headers["cache-control"] == IMMUTABLE
    etags = {page.get(path, Accept_Encoding=word).headers["etag"] for word in ("gzip", "br", "identity")}
    assert len(etags) == 3, "a cache must not take one form for another"
    for path in ("/image.png", "/sum.wasm"):
        assert "content-encoding" not in page.get(path, Accept_Encoding="gzip, br").headers
    listed = page.container.exec_run(["sh", "-c", "ls /srv/page/*.gz /srv/page/*.br"]).output.decode().split()
    assert "/srv/page/vendor-8f3a2b1c.css.br" in listed
    assert not [one for one in listed if "module.mjs" in one or "image.png" in one]


def test_asked_again_for_parts_and_for_heads(serve: Serve) -> None:
    page = serve(FILES)
    first = page.get("/")
    again = page.get("/", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    head = page.get("/assets/index-B7x9aZ12.js", "HEAD")
    assert (head.status, head.headers["content-length"], head.body) == (200, str(len(SCRIPT)), b"")
    part = page.get("/assets/index-B7x9aZ12.js", Range="bytes=10-19")
    assert (part.status, part.body) == (206, SCRIPT[10:20])


def test_what_a_release_leaves_as_it_was_is_not_sent_again(serve: Serve) -> None:
    """The same content has the same tag, whenever it was made; other content of the same size has another one."""
    first = serve(FILES)
    second = serve({**FILES, "about.html": FILES["about.html"].replace(b"about", b"About")})
    etag = {path: first.get(path).headers["etag"] for path in ("/", "/about.html")}
    assert second.get("/", If_None_Match=etag["/"]).status == 304
    assert second.get("/about.html", If_None_Match=etag["/about.html"]).status == 200


def test_forms_that_the_build_made_stay(serve: Serve) -> None:
    own = gzip.compress(SCRIPT, 1)
    page = serve({**FILES, "assets/index-B7x9aZ12.js.gz": own}, Static(compress=False))
    assert page.get("/assets/index-B7x9aZ12.js", Accept_Encoding="gzip").body == own
    assert "content-encoding" not in page.get("/", Accept_Encoding="gzip, br").headers


def test_it_is_not_root_and_stops_gracefully(serve: Serve) -> None:
    page = serve(FILES, read_only=True, tmpfs={"/tmp": ""}, cap_drop=["ALL"])
    assert page.container.exec_run(["id", "-un"]).output == b"app\n"
    assert page.get("/").status == 200
    assert page.container.attrs["Config"]["StopSignal"] == "SIGQUIT"
    page.container.stop(timeout=20)
    page.container.reload()
    assert page.container.attrs["State"]["ExitCode"] == 0
    logged = page.container.logs().decode()
    assert '"GET / HTTP/1.1" 200' in logged
    assert "[warn]" not in logged
    assert "[emerg]" not in logged


def test_the_same_files_and_settings_are_the_same_image(page_runtime: str, docker_engine: Any, tmp_path: Path) -> None:
    made = [page_image(FILES, page_runtime, tmp_path / name) for name in ("one", "two")]
    try:
        listings = [_listing(docker_engine, tag) for tag in made]
    finally:
        for tag in made:
            docker_engine.images.remove(tag, force=True)
    assert listings[0] == listings[1]
    assert "index-B7x9aZ12.js.br" in listings[0]


def _listing(engine: Any, tag: str) -> str:
    files = "find . -type f -printf '%p %m %u %T@ ' -exec sha256sum {} ';' | sort"
    words = f"cd /srv/page && {files}; sha256sum /etc/nginx/page.conf"
    return str(engine.containers.run(tag, ["-c", words], entrypoint="sh", remove=True).decode())


# --- proxies ---------------------------------------------------------------------------------------------------------

UPSTREAM = r"""
$SIG{CHLD} = 'IGNORE';
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => 9000, Listen => 20, ReuseAddr => 1) or die;
while (my $one = $server->accept) {
    next if fork;
    my ($head, $length) = ("", 0);
    while (my $line = <$one>) {
        $length = $1 if $line =~ /^content-length: (\d+)/i;
        $head .= $line;
        last if $line eq "\r\n";
    }
    if ($head =~ /^upgrade: websocket/im) {
        print $one "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
        my $said = <$one>;
        print $one "heard $said";
    } else {
        my ($body, $read) = ("", 0);
        while ($length > $read) { $read += read $one, $body, $length - $read, $read }
        my $answer = "$head$read bytes";
        print $one "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " . length($answer) . "\r\n\r\n$answer";
    }
    exit;
}
"""


@pytest.fixture
def network(docker_engine: Any) -> Iterator[str]:
    name = f"lt-page-{uuid.uuid4().hex[:8]}"
    made = docker_engine.networks.create(name)
    yield name
    for one in docker_engine.containers.list(all=True, filters={"network": name}):
        one.remove(force=True)
    made.remove()


def test_a_proxy_before_there_is_the_other_service_and_then(
    docker_engine: Any, page_runtime: str, network: str, serve: Serve
) -> None:
    proxy = {"/api": "http://the-api:9000", "/v2": "http://the-api:9000/inner", "/bare": "http://the-api:9000/"}
    page = serve(FILES, Static(proxy=proxy), network=network)
    assert page.get("/").status == 200
    assert page.get("/api/items").status == 502
    first, second = (_upstream(docker_engine, page_runtime) for _ in range(2))
    try:
        docker_engine.networks.get(network).connect(first, aliases=["the-api"])
        _asked_through(page)
        # Replaced by another one at another address.
        docker_engine.networks.get(network).connect(second, aliases=["the-api"])
        assert page.get("/v2/before?x=1").status == 200
        first.remove(force=True)
        assert page.get("/v2/after?x=1").body.startswith(b"GET /inner/after?x=1 HTTP/1.1")
    finally:
        for one in (first, second):
            with contextlib.suppress(NotFound):
                one.remove(force=True)


def _upstream(engine: Any, image: str) -> Any:
    return engine.containers.run(image, ["-e", UPSTREAM], entrypoint="perl", init=True, detach=True)


def _asked_through(page: Served) -> None:
    # A name that was not there is asked for again.
    until(lambda: page.get("/api/items").status == 200, 60, "an answer of the other service")
    asked = page.get("/api/items%2Fone?x=%20y", Host="shop.example", X_Forwarded_Proto="https").body.decode()
    assert asked.startswith("GET /api/items%2Fone?x=%20y HTTP/1.1\r\n"), "as the browser said it"
    for line in ("Host: shop.example", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example"):
        assert f"{line}\r\n" in asked
    assert "X-Forwarded-For: " in asked
    assert page.get("/api").body.startswith(b"GET /api HTTP/1.1")
    assert page.get("/v2/items?x=1").body.startswith(b"GET /inner/items?x=1 HTTP/1.1")
    assert page.get("/bare/items.js").body.startswith(b"GET /items.js HTTP/1.1")
    assert page.get("/apis").body == FILES["index.html"], "a route of the page"
    sent = subprocess.run(
        ["curl", "-sS", "--data-binary", "@-", f"http://{page.address}/api/upload"],
        input=bytes(3_000_000),
        capture_output=True,
        check=True,
    )
    assert sent.stdout.endswith(b"3000000 bytes")
    assert _spoken(page.address) == b"heard hello\n"


def _spoken(address: str) -> bytes:
    """What comes back of a WebSocket's connection."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"GET /api/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        stream = connection.makefile("rb")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += stream.readline()
        assert head.startswith(b"HTTP/1.1 101")
        connection.sendall(b"hello\n")
        return stream.readline()
