# ruff: noqa: E501 - a case is told from the next in one line
"""The health route, as the sources say."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.init import proposal
from tests.support.proposed import project

ROUTES: dict[str, tuple[str, str | None]] = {
    "axum": ('fn main() { Router::new().route("/", get(index)).route("/healthz", get(health)) }', "/healthz"),
    "axum, nested": ('fn main() { Router::new().nest("/api", Router::new().route("/health", get(h))) }', "/api/health"),
    "axum, a function": (
        'fn main() { Router::new().nest("/api/v1", api()).merge(x) }\nfn api() -> Router { Router::new().route("/health", get(h)) }',
        "/api/v1/health",
    ),
    "axum, two functions": (
        ('fn main() { app() }\nfn app() { Router::new().nest("/api", v1()) }\nfn v1() { Router::new().merge(own()) }\n'
        'fn own() { Router::new().route("/ready", get(h)) }'),
        "/api/ready",
    ),
    "axum, a variable": (
        'fn main() { let api = Router::new().route("/health", get(h)); let app = Router::new().nest("/api", api); }',
        "/api/health",
    ),
    "axum, a router of its own": (
        'fn main() { Router::new().nest("/health", health()) }\nfn health() { Router::new().route("/", get(h)) }', "/health",
    ),
    "axum, posts": ('fn main() { Router::new().route("/health", post(h)).route("/status/{id}", get(s)) }', None),
    "axum, both": ('fn main() { Router::new().route("/health", get(h).post(p)) }', "/health"),
    "utoipa": ('#[utoipa::path(get, path = "/health", tag = "x")]\nasync fn health() {}\nfn main() { routes!(health) }', "/health"),
    "actix": ('fn main() { App::new().route("/health", web::get().to(h)) }', "/health"),
    "actix, a macro": ('#[get("/health")]\nasync fn health() {}\nfn main() { App::new().service(health) }', "/health"),
    "actix, a scope": (
        '#[get("/health")]\nasync fn health() {}\nfn main() { App::new().service(web::scope("/api").service(health)) }',
        "/api/health",
    ),
    "actix, configured": (
        ('#[get("/health")]\nasync fn health() {}\nfn config(c: &mut ServiceConfig) { c.service(health); }\n'
        'fn main() { App::new().service(web::scope("/api").configure(config)) }'),
        "/api/health",
    ),
    "actix, a route in a scope": (
        'fn main() { App::new().service(web::scope("/api").route("/health", web::get().to(h))) }', "/api/health",
    ),
    "actix, a resource": ('fn main() { App::new().service(web::resource("/health").route(web::get().to(h))) }', "/health"),
    "actix, a resource to post to": ('fn main() { App::new().service(web::resource("/health").route(web::post().to(h))) }', None),
    "warp": ('fn main() { let h = warp::path("health").map(|| "ok"); }', "/health"),
    "warp, two parts": ('fn main() { let h = warp::path("api").and(warp::path("health")).and(warp::get()); }', "/api/health"),
    "warp, a macro": ('fn main() { let h = warp::path!("api" / "health").map(|| "ok"); }', "/api/health"),
    "warp, posts": ('fn main() { let h = warp::path("health").and(warp::post()); }', None),
    "warp, with a parameter": ('fn main() { let h = warp::path!("health" / String); }', None),
    "rocket": (
        '#[get("/health")]\nfn health() {}\n#[launch]\nfn rocket() -> _ { rocket::build().mount("/", routes![index, health]) }',
        "/health",
    ),
    "rocket, mounted": (
        '#[rocket::get("/health")]\nfn health() {}\n#[launch]\nfn rocket() -> _ { rocket::build().mount("/api", routes![health]) }',
        "/api/health",
    ),
    "rocket, posts": ('#[post("/health")]\nfn health() {}\nfn main() {}', None),
    "poem": ('fn main() { Route::new().at("/health", get(health)) }', "/health"),
    "poem, nested": ('fn main() { Route::new().nest("/api", Route::new().at("/health", get(health))) }', "/api/health"),
    "salvo": ('fn main() { Router::new().push(Router::with_path("health").get(health)) }', "/health"),
    "salvo, pushed": (
        'fn main() { Router::with_path("api").push(Router::with_path("users").get(u)).push(Router::with_path("health").get(h)) }',
        "/api/health",
    ),
    "tide": ('fn main() { app.at("/health").get(h); }', "/health"),
    "by hand": ('fn main() { match (req.method(), req.uri().path()) { (&Method::GET, "/health") => ok(), _ => no() } }', "/health"),
    "by hand, a path": ('fn main() { match path { "/" => index(), "/health" => ok(), _ => no() } }', "/health"),
    "by hand, something else": ('fn main() { match word { "/health" => ok(), _ => no() } }', None),
    "the likeliest": ('fn main() { Router::new().route("/ping", get(p)).route("/status", get(s)).route("/readyz", get(h)) }', "/readyz"),
    "a client's": ('fn main() { reqwest::get("/health"); println!("/health"); }', None),
    "in a test": ('fn main() {}\n#[cfg(test)]\nmod tests { fn a() { Router::new().route("/health", get(h)); } }', None),
}  # fmt: skip


@pytest.mark.parametrize("kind", ROUTES)
def test_the_health_route(tmp_path: Path, kind: str) -> None:
    code, expected = ROUTES[kind]
    found = project(tmp_path, f'{code}\nfn a() {{ bind("0.0.0.0:8080") }}\n')
    health = [(item.value, item.active) for item in proposal.propose(found).items if item.path == "deploy.health.path"]
    assert health == ([] if expected is None else [(expected, True)])
