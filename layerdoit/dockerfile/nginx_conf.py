"""The configuration of nginx by which the files of a component are served.

conf(settings, port) -> the whole nginx.conf
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from layerdoit.config.served_settings import PORT
from layerdoit.dockerfile import hashed_names

if TYPE_CHECKING:
    from layerdoit.config.services_section import Static

ROOT: Final = "/srv/page"
"""Where the files are in the image."""
RESOLVER: Final = "/tmp/resolver.conf"  # noqa: S108 - in its container
"""What the container writes at its start: nginx itself asks no /etc/resolv.conf."""

_TYPES: Final[Mapping[str, str]] = {
    "text/html; charset=utf-8": "html htm",
    "text/css; charset=utf-8": "css",
    "text/javascript; charset=utf-8": "js mjs cjs",
    "text/plain; charset=utf-8": "txt log",
    "text/markdown; charset=utf-8": "md",
    "text/csv; charset=utf-8": "csv",
    "text/calendar; charset=utf-8": "ics",
    "text/vtt; charset=utf-8": "vtt",
    "application/json": "json map",
    "application/ld+json": "jsonld",
    "application/geo+json": "geojson",
    "application/manifest+json": "webmanifest",
    "application/wasm": "wasm",
    "application/xml": "xml xsl",
    "application/xhtml+xml": "xhtml",
    "application/rss+xml": "rss",
    "application/atom+xml": "atom",
    "application/pdf": "pdf",
    "application/zip": "zip",
    "application/gzip": "gz",
    "image/svg+xml": "svg svgz",
    "image/png": "png",
    "image/apng": "apng",
    "image/jpeg": "jpg jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/jxl": "jxl",
    "image/x-icon": "ico",
    "model/gltf+json": "gltf",
    "model/gltf-binary": "glb",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "font/ttf": "ttf",
    "font/otf": "otf",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg oga opus",
    "audio/wav": "wav",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "video/mp4": "mp4 m4v",
    "video/webm": "webm",
    "video/ogg": "ogv",
    "video/quicktime": "mov",
}
"""Debian's own table has neither .mjs nor .webmanifest."""

_PARTS: Final = (
    "js mjs cjs css map json wasm webmanifest woff woff2 ttf otf ico png apng jpg jpeg gif webp avif svg bmp jxl"
)
"""What a page loads: a path that ends so is no route, and a page in its place would be taken for it."""
_UNDATED: Final = 'add_header Last-Modified "";'
"""The times of the files are made of their contents (page.sh), for the ETag."""
_YEAR: Final = 31_536_000
_INDENT: Final = "    "


def conf(settings: Static, port: int = PORT, *, brotli: bool = True) -> str:
    """The whole configuration. `brotli`: whether its module is there."""
    http = [*_common(), *(_brotli() if brotli else ()), *_types(), *_proxied_by(settings), *_server(settings, port)]
    return "".join(f"{line}\n" for line in (*_main(), "http {", *_indented(http), "}"))


def _main() -> Iterator[str]:
    yield "# Made by layerdoit. Whoever runs it needs to write only to /tmp."
    yield "include /etc/nginx/modules-enabled/*.conf;"
    yield "daemon off;"
    yield "worker_processes 2;"
    yield "pid /tmp/nginx.pid;"
    yield "error_log stderr warn;"
    yield "events {"
    yield f"{_INDENT}worker_connections 4096;"
    yield "}"


def _common() -> Iterator[str]:
    yield "access_log /dev/stdout;"
    for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        yield f"{name}_temp_path /tmp/nginx-{name.replace('_', '-')};"
    yield "server_tokens off;"
    yield "sendfile on;"
    yield "tcp_nopush on;"
    yield "log_not_found off;"
    # The port in the container is not the one that a browser knows.
    yield "absolute_redirect off;"
    yield "gzip_static on;"
    yield "gzip_vary on;"


def _brotli() -> Iterator[str]:
    yield "brotli_static on;"


def _types() -> Iterator[str]:
    yield "default_type application/octet-stream;"
    yield "types {"
    yield from (f'{_INDENT}"{kind}" {endings};' for kind, endings in _TYPES.items())
    yield "}"


def _proxied_by(settings: Static) -> Iterator[str]:
    """What proxies need: names are asked for again and again, so that nginx starts before the others are there."""
    if not settings.proxy:
        return
    yield f"include {RESOLVER};"
    yield "resolver_timeout 5s;"
    yield "map $http_upgrade $upgraded {"
    yield f"{_INDENT}default upgrade;"
    yield f'{_INDENT}"" "";'
    yield "}"
    yield "map $http_x_forwarded_proto $first_scheme {"
    yield f"{_INDENT}default $http_x_forwarded_proto;"
    yield f'{_INDENT}"" $scheme;'
    yield "}"


def _server(settings: Static, port: int) -> Iterator[str]:
    yield "server {"
    yield from _indented(_served(settings, port))
    yield "}"


def _served(settings: Static, port: int) -> Iterator[str]:
    yield f"listen {port} default_server;"
    yield f"root {ROOT};"
    for number, (path, address) in enumerate(sorted(settings.proxy.items())):
        yield from _proxy(path.rstrip("/"), address, number)
    yield from _location(r'~ "/[.](?!well-known(?:/|$))"', "return 404;")
    if found := hashed_names.expression(settings.immutable):
        kept = f'add_header Cache-Control "public, max-age={_YEAR}, immutable";'
        yield from _location(f'~ "^/{_quoted(found)}"', "try_files $uri =404;", kept, _UNDATED)
    again = ("add_header Cache-Control no-cache;", _UNDATED)
    yield from _location(f'~* "[.](?:{"|".join(_PARTS.split())})$"', "try_files $uri =404;", *again)
    yield from _location("/", "try_files $uri $uri.html ${uri}index.html @route;", *again)
    # A folder, whose page has links relative to it; or a route that only the page knows.
    last = "return 404;" if settings.fallback is None else f'try_files "/{_quoted(settings.fallback)}" =404;'
    folder = ("if (-f $document_root$uri/index.html) {", f"{_INDENT}rewrite ^ $uri/ redirect;", "}")
    missing = ("error_page 404 /404.html;",) if settings.fallback is None else ()
    yield from _location("@route", *folder, *missing, last, *again)


def _proxy(path: str, address: str, number: int) -> Iterator[str]:
    parts = urlsplit(address)
    passed = [
        f'set $to{number} "{_quoted(f"{parts.scheme}://{parts.netloc}")}";',
        f"proxy_pass $to{number};",
        *_passed(parts.scheme),
    ]
    lines = [*passed, f"error_page 502 504 = @again{number};"]
    if parts.path:
        start = "".join(map(hashed_names.literal, path))
        # It ends what is set.
        lines.insert(1, f'rewrite "^{_quoted(start)}/?(.*)$" "{_quoted(parts.path.rstrip("/"))}/$1" break;')
    yield from _location(f'= "{_quoted(path)}"', *lines)
    yield from _location(f'^~ "{_quoted(path)}/"', *lines)
    # What has just been replaced is still known by its old address: by now, its name is asked for again.
    only = ("if ($request_method !~ ^(GET|HEAD)$) {", f"{_INDENT}return 502;", "}")
    yield from _location(f"@again{number}", *only, *passed)


def _passed(scheme: str) -> Iterator[str]:
    """How requests are handed on; what they may be, and how long they take, is the other service's business."""
    yield "proxy_http_version 1.1;"
    yield "proxy_set_header Upgrade $http_upgrade;"
    yield "proxy_set_header Connection $upgraded;"
    yield "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
    yield "proxy_set_header X-Forwarded-Proto $first_scheme;"
    yield "proxy_set_header X-Forwarded-Host $http_host;"
    if scheme == "https":
        yield "proxy_set_header Host $proxy_host;"
        yield "proxy_ssl_server_name on;"
        yield "proxy_ssl_verify on;"
        yield "proxy_ssl_verify_depth 4;"
        yield "proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;"
    else:
        yield "proxy_set_header Host $http_host;"
    yield "proxy_buffering off;"
    yield "proxy_request_buffering off;"
    yield f"proxy_connect_timeout {5 if scheme == 'https' else 2}s;"
    yield "proxy_read_timeout 24h;"
    yield "proxy_send_timeout 24h;"
    yield "client_max_body_size 0;"


def _location(what: str, *lines: str) -> Iterator[str]:
    yield f"location {what} {{"
    yield from _indented(lines)
    yield "}"


def _indented(lines: Iterator[str] | list[str] | tuple[str, ...]) -> Iterator[str]:
    return (_INDENT + line for line in lines)


def _quoted(text: str) -> str:
    """For a place between double quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
