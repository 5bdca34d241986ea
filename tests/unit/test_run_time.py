"""What is made of sources, whatever they hold."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from layerdoit.cargo import rust_code
from layerdoit.cargo.program_sources import Source
from layerdoit.init import bound_address, health_route, opened_files

PARTS = (
    '.route("/health", get(h))',
    '#[get("/health")]',
    'Router::with_path("health")',
    'warp::path!("health")',
    '.nest("/api", ',
    "fn health() {",
    ".push(",
    ".service(health)",
    '.mount("/", routes![health])',
    'web::scope("/a")',
    "(",
    ")",
    "{",
    "}",
    'bind("0.0.0.0:8080")',
    '("0.0.0.0", port)',
    "let port = ",
    'env::var("PORT")',
    ".unwrap_or(80)",
    "[0, 0, 0, 0]",
    ";",
    "#[arg(long, env, default_value_t = 8080)]",
    "port: u16",
    "host: String",
    'default_value = "::"',
    "]",
    "#[",
    ", ",
    '"',
    'format!("0.0.0.0:{}", port)',
    'ServeDir::new("a")',
    'env!("CARGO_MANIFEST_DIR")',
    '.join("a")',
    'concat!("/a")',
    "'",
)


@given(st.lists(st.sampled_from(PARTS)).map("".join))
def test_any_sources_can_be_asked(text: str) -> None:
    sources = [Source("src/main.rs", "p", None, rust_code.read(text))]
    for one in bound_address.chosen(bound_address.found(sources)):
        assert one.port is not None
    route = health_route.found(sources)
    assert route is None or route.path.startswith("/")
    opened_files.opened(Path("/nowhere"), {"p": "."}, sources)
    list(opened_files.missing(Path("/nowhere"), {"p": "."}, sources))
