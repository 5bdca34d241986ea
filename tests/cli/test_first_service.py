"""A service that opens files, as a new user meets it: `init`, then `cycle_fast`, and it serves at the first try."""

from __future__ import annotations

from http.client import HTTPConnection

from tests.support.git import git
from tests.support.ports import PORT
from tests.support.scratch import Crate

MAIN = """\
use std::io::{Read, Write};
fn page(path: &str) -> std::io::Result<String> {
    match path {
        "/health" => Ok("well".to_string()),
        "/config" => std::fs::read_to_string("config/default.txt"),
        "/made" => std::fs::read_to_string("web/dist/made.txt"),
        _ => std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/page.txt")),
    }
}
fn main() {
    let host = std::env::var("HOST").unwrap_or_else(|_| "127.0.0.1".to_string());
    let port = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(8080u16);
    let listener = std::net::TcpListener::bind((host.as_str(), port)).unwrap();
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        let mut buffer = [0u8; 2048];
        let read = stream.read(&mut buffer).unwrap_or(0);
        let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
        let (status, text) = match page(request.split(' ').nth(1).unwrap_or("/")) {
            Ok(text) => ("200 OK", text),
            Err(error) => ("500 No", error.to_string()),
        };
        let head = format!("HTTP/1.1 {status}\\r\\nContent-Length: {}\\r\\nConnection: close", text.len());
        let _ = write!(stream, "{head}\\r\\n\\r\\n{text}");
    }
}
""".replace("8080", str(PORT))


def get(port: int, path: str) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    return connection.getresponse().read().decode()


def test_what_init_writes_serves_at_the_first_try(own: Crate) -> None:
    for name in ("layerdoit.yaml", "dodo.py"):
        (own.folder / name).unlink()
    for name in ("Cargo.toml", "Cargo.lock"):
        own.write(name, (own.folder / name).read_text().replace('"hello"', f'"{own.name}"'))
    pages = {"templates/page.txt": "a page", "config/default.txt": "settings", "web/dist/made.txt": "made"}
    for path, text in {
        **pages,
        "src/main.rs": MAIN,
        "src/bin/helper.rs": "fn main() {}\n",
        ".gitignore": "dist\n",
    }.items():
        own.write(path, text)
    git(own.folder, "init", "-q")
    own.doit("layers", "init", "--yes").ok()
    done = own.doit("cycle_fast").ok()
    assert "healthy at " in done.out
    port = own.port()
    told = {path: get(port, path) for path in ("/", "/config", "/made", "/health")}
    assert told == {"/": "a page", "/config": "settings", "/made": "made", "/health": "well"}
