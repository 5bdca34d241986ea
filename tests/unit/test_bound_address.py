# ruff: noqa: E501, S104 - a case is told from the next in one line; nothing is bound
"""Where a program listens, as its sources and configuration files say; of several, the one that the image runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.init import run_items
from tests.support.proposed import Values, inside, items, project, values, workspace

PORTS: dict[str, tuple[str, Values]] = {
    "a text": ('TcpListener::bind("0.0.0.0:8080").await', {"deploy.port": 8080}),
    "axum": ("let addr = SocketAddr::from(([0, 0, 0, 0], 3000)); axum::serve(a, b)", {"deploy.port": 3000}),
    "axum of before": ('axum::Server::bind(&"[::]:3000".parse().unwrap()).serve(a)', {"deploy.port": 3000}),
    "actix": ('HttpServer::new(|| App::new()).bind(("0.0.0.0", 8080))?.run()', {"deploy.port": 8080}),
    "actix, in one expression": (
        'HttpServer::new(|| App::new().route("/", web::get().to(redis_client))).bind(("0.0.0.0", 8080))?.run()',
        {"deploy.port": 8080},
    ),
    "warp": ("warp::serve(routes).run(([0, 0, 0, 0], 3030)).await", {"deploy.port": 3030}),
    "warp, for both families": ("warp::serve(r).run(([0, 0, 0, 0, 0, 0, 0, 0], 8080))", {"deploy.port": 8080}),
    "warp, in short": ("warp::serve(r).run(([0; 8], 8080))", {"deploy.port": 8080}),
    "poem": ('Server::new(TcpListener::bind("0.0.0.0:3000")).run(app)', {"deploy.port": 3000}),
    "salvo": ('let acceptor = TcpListener::new("0.0.0.0:5800").bind().await;', {"deploy.port": 5800}),
    "tonic": ('let addr = "[::]:50051".parse()?; Server::builder().serve(addr)', {"deploy.port": 50051}),
    "an address": ("SocketAddr::new(IpAddr::V4(Ipv4Addr::new(0, 0, 0, 0)), 8000)", {"deploy.port": 8000}),
    "an address by name": ("SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8001))", {"deploy.port": 8001}),
    "PORT, a number": (
        'let port = env::var("PORT").ok().and_then(|p| p.parse().ok()).unwrap_or(8080); bind(("0.0.0.0", port))',
        {"deploy.port": 8080},
    ),
    "PORT, a text": (
        'let port = std::env::var("PORT").unwrap_or_else(|_| "8080".into()); bind(format!("0.0.0.0:{port}"))',
        {"deploy.port": 8080},
    ),
    "PORT, a form": (
        'let port: u16 = env::var("PORT").unwrap_or("8080".to_string()).parse()?; bind(format!("0.0.0.0:{}", port))',
        {"deploy.port": 8080},
    ),
    "PORT, a match": ('let port = match env::var("PORT") { Ok(p) => p.parse()?, Err(_) => 8080 };', {"deploy.port": 8080}),
    "PORT, a constant": ('const P: u16 = 4000; let port = env::var("PORT").map_or(P, |p| p.parse().unwrap());',
                         {"deploy.port": 4000}),
    "PORT, and none": ('let port: u16 = env::var("PORT").expect("PORT").parse()?; bind(("0.0.0.0", port))',
                       {"image.env": {"PORT": "8080"}, "deploy.port": 8080}),
    "a constant": ('const PORT: u16 = 4000; TcpListener::bind(("0.0.0.0", PORT))', {"deploy.port": 4000}),
    "an option": ('} #[derive(Parser)] struct A { #[arg(long, env = "PORT", default_value_t = 8080)] port: u16',
                  {"deploy.port": 8080}),
    "an option, an address": ('} #[derive(Parser)] struct A { #[clap(long, default_value = "0.0.0.0:8080")] bind: String',
                              {"deploy.port": 8080}),
    "clap's builder": (
        'x.arg(Arg::new("port").long("port").value_name("P").default_value("8000").help("x"))',
        {"deploy.port": 8000},
    ),
    "clap's builder, an address": (
        'x.arg(Arg::with_name("bind").long("bind").env("BIND").default_value("127.0.0.1:8000"))',
        {"deploy.port": 8000, "image.env": {"BIND": "0.0.0.0:8000"}},
    ),
    "settings by default": (
        '} impl Default for S { fn default() -> Self { S { host: "0.0.0.0".to_string(), port: 8000, db_port: 5432 } }',
        {"deploy.port": 8000},
    ),
    "the config crate by default": (
        ('c.set_default("server.host", "127.0.0.1")?.set_default("server.port", 8000)?.set_default("db.port", 5432)?'
        '.add_source(Environment::with_prefix("A").separator("__"));'),
        {"deploy.port": 8000, "image.env": {"A__SERVER__HOST": "0.0.0.0"}},
    ),
    "serde": ("} fn default_port() -> u16 { 7000", {"deploy.port": 7000}),
    "127.0.0.1 by default": (
        'let a = env::var("BIND_ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_string()); TcpListener::bind(a)',
        {"deploy.port": 8080, "image.env": {"BIND_ADDR": "0.0.0.0:8080"}},
    ),
    "a host by default": (
        'let host = env::var("HOST").unwrap_or("127.0.0.1".into()); let port = env::var("PORT").unwrap_or("8080".into());',
        {"deploy.port": 8080, "image.env": {"HOST": "0.0.0.0"}},
    ),
    "an option, only here": (
        ('} #[derive(Parser)] struct A { #[arg(long, default_value = "127.0.0.1")] host: String, '
        "#[arg(long, default_value_t = 8080)] port: u16"),
        {"deploy.port": 8080, "image.cmd": ["--host", "0.0.0.0"]},
    ),
    "an option with a variable": (
        '} #[derive(Parser)] struct A { #[arg(long, env, default_value = "127.0.0.1:8080")] listen: SocketAddr',
        {"deploy.port": 8080, "image.env": {"LISTEN": "0.0.0.0:8080"}},
    ),
    "nothing": ('println!("0.0.0.0");', {}),
    "what others listen on": (
        ('redis::Client::open("redis://127.0.0.1:6379"); TcpStream::connect("127.0.0.1:9000"); pg("localhost:5432");'
        'env::var("DB_PORT").unwrap_or("5432".into()); env::var("REDIS_HOST").unwrap_or("127.0.0.1".into());'),
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", PORTS)
def test_where_a_program_listens(tmp_path: Path, kind: str) -> None:
    code, expected = PORTS[kind]
    found = project(tmp_path, f"\n{inside(code)}")
    assert values(found) == expected
    assert all("src/main.rs:2" in item.why for item in items(found))
    assert not tuple(run_items.remarks(found))


@pytest.mark.parametrize(
    "code",
    [
        'TcpListener::bind("127.0.0.1:8080").await', 'HttpServer::new(f).bind(("localhost", 8080))?',
        "warp::serve(r).run(([127, 0, 0, 1], 8080))", "TcpListener::bind((Ipv4Addr::LOCALHOST, 8080))",
    ],
)  # fmt: skip
def test_a_program_that_only_its_container_reaches(tmp_path: Path, code: str) -> None:
    found = project(tmp_path, f"\n{inside(code)}")
    assert values(found) == {"deploy.port": 8080}
    (remark,) = tuple(run_items.remarks(found))
    assert remark.startswith("src/main.rs:2 listens on ")
    assert remark.endswith("let it listen on 0.0.0.0")


def test_rocket_listens_on_its_own(tmp_path: Path) -> None:
    found = project(tmp_path, "#[launch]\nfn rocket() -> _ { rocket::build() }\n", needs=("rocket",))
    assert values(found) == {"image.env": {"ROCKET_ADDRESS": "0.0.0.0"}, "deploy.port": 8000}


CONFIGURED = 'Config::builder().add_source(File::with_name("config/default"))'


@pytest.mark.parametrize(
    ("name", "text", "more", "expected"),
    [
        ("config/default.toml", "[database]\nport = 5432\n[server]\nhost = '0.0.0.0'\nport = 8000\n", "", {}),
        ("config/default.yaml", "application:\n  port: 8000\n  host: 0.0.0.0\n", "", {}),
        ("config/default.json", '{"listen": "0.0.0.0:8000"}\n', "", {}),
        (
            "config/default.toml", "[server]\nhost = '127.0.0.1'\nport = 8000\n",
            '.add_source(Environment::with_prefix("APP").prefix_separator("_").separator("__"))',
            {"APP_SERVER__HOST": "0.0.0.0"},
        ),
        (
            "config/default.toml", "[server]\naddress = '127.0.0.1:8000'\n",
            '.add_source(Environment::default().separator("__"))', {"SERVER__ADDRESS": "0.0.0.0:8000"},
        ),
        (
            "config/default.toml", "bind = '127.0.0.1:8000'\n",
            '.add_source(Environment::with_prefix("SHOP"))', {"SHOP_BIND": "0.0.0.0:8000"},
        ),
        (
            "config/default.toml", "[http]\naddress = 'localhost'\nport = 8000\n",
            '.merge(Env::prefixed("SHOP_").split("__"))', {"SHOP_HTTP__ADDRESS": "0.0.0.0"},
        ),
    ],
)  # fmt: skip
def test_what_a_configuration_file_says(tmp_path: Path, name: str, text: str, more: str, expected: object) -> None:
    found = project(tmp_path, inside(CONFIGURED + more), {name: text, "config/test.toml": "port = 1234\n"})
    assert values(found, "deploy").get("deploy.port") == 8000
    assert values(found, "image.env").get("image.env", {}) == expected
    port = next(item for item in items(found) if item.path == "deploy.port")
    assert port.why.startswith(f"{name}:")


def test_a_configuration_file_without_a_variable_is_named(tmp_path: Path) -> None:
    found = project(tmp_path, inside(CONFIGURED), {"config/default.toml": "port = 8000\nhost = '127.0.0.1'\n"})
    (remark,) = tuple(run_items.remarks(found))
    assert remark.startswith("config/default.toml:2 listens on 127.0.0.1")


def test_the_port_that_is_forwarded_to(tmp_path: Path) -> None:
    files = {"fly.toml": '[env]\nA = "1"\n[http_service]\n  internal_port = 8123\n'}
    (port,) = items(project(tmp_path, inside("serve()"), files))
    assert (port.path, port.value, port.why) == ("deploy.port", 8123, "fly.toml:4")


def test_of_several_ports_a_person_chooses(tmp_path: Path) -> None:
    found = project(
        tmp_path, inside('bind("0.0.0.0:8080"); bind("0.0.0.0:9090"); Router::new().route("/health", get(h))')
    )
    assert values(found) == {}
    assert [item.value for item in items(found, active=False)] == [8080]


OTHER = "FROM rust AS b\nRUN cargo build\nFROM debian\n"


@pytest.mark.parametrize(
    ("lines", "code", "expected"),
    [
        ("EXPOSE 8080\n", 'bind("0.0.0.0:3001")', 3001),
        ("EXPOSE 8080\n", 'let p = env::var("PORT").unwrap_or("3001".into()); bind(format!("0.0.0.0:{p}"))', 8080),
        (
            "ENV PORT=80\n",
            'let p: u16 = env::var("PORT").ok().map_or(8000, |p| p.parse().unwrap()); bind(("0.0.0.0", p))',
            80,
        ),
        ("ENV ADDR=0.0.0.0:81\n", 'bind(env::var("ADDR").unwrap_or("127.0.0.1:8000".into()))', 81),
        ("ENV PORT=82\n", 'let p = env::var("PORT").expect("PORT"); bind(format!("0.0.0.0:{p}"))', 82),
    ],
    ids=["fixed", "not fixed", "a variable", "an address", "needed"],
)
def test_what_a_dockerfile_says_holds_for_what_it_decides(tmp_path: Path, lines: str, code: str, expected: int) -> None:
    found = project(tmp_path, inside(code), {"Dockerfile": OTHER + lines})
    assert values(found, "deploy") == {"deploy.port": expected}
    assert not [remark for remark in tuple(run_items.remarks(found)) if "listens on" in remark]


def test_arguments_of_a_dockerfile_may_say_another_address(tmp_path: Path) -> None:
    files = {"Dockerfile": OTHER + 'ENTRYPOINT ["shop"]\nCMD ["-c", "/etc/shop.toml"]\n'}
    found = project(tmp_path, inside('bind("127.0.0.1:8080")'), files)
    assert not [remark for remark in tuple(run_items.remarks(found)) if "listens on" in remark]


def test_of_several_ports_of_a_dockerfile_the_sources_choose(tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM rust AS b\nRUN cargo build\nFROM debian\nEXPOSE 8080 9090\n"}
    found = project(tmp_path, inside('bind("0.0.0.0:9090"); Router::new().route("/health", get(h))'), files)
    assert values(found, "deploy") == {"deploy.port": 9090, "deploy.health.path": "/health"}


def test_the_program_that_listens_is_the_one_that_runs(tmp_path: Path) -> None:
    found = workspace(tmp_path / "shop", {
        "web/src/main.rs": inside('Tera::new("templates/*"); bind("0.0.0.0:8080"); r.route("/health", get(h))'),
        "worker/src/main.rs": inside('File::open("jobs.txt")'), "core/src/lib.rs": 'fn a() { File::open("config/a.toml") }\n',
        "templates/a": "", "worker/jobs.txt": "", "config/a.toml": "", "core/config/b": "",
    })  # fmt: skip
    assert values(found, "image", "deploy") == {
        "image.entrypoint": "web",
        "image.assets": {"config": "/srv/config", "templates": "/srv/templates", "worker/jobs.txt": "/srv/jobs.txt"},
        "deploy.port": 8080,
        "deploy.health.path": "/health",
    }


def test_the_port_is_that_of_the_program_that_runs(tmp_path: Path) -> None:
    found = workspace(tmp_path / "worker", {
        "web/src/main.rs": inside('bind("0.0.0.0:8080"); r.route("/health", get(h))'),
        "worker/src/main.rs": inside('bind("0.0.0.0:9000"); r.route("/ping", get(h))'),
        "Dockerfile": 'FROM debian\nENTRYPOINT ["worker"]\n',
    })  # fmt: skip
    assert values(found, "deploy") == {"deploy.port": 9000, "deploy.health.path": "/ping"}


SHARED = """\
pub fn settings() { config::Config::builder().add_source(config::File::with_name("config/default")) }
"""


def test_of_two_that_read_the_same_configuration_the_one_that_serves_runs(tmp_path: Path) -> None:
    main = "core::settings(); TcpListener::bind(&settings.listen); axum::serve(a, b)"
    found = workspace(tmp_path / "shop", {
        "web/src/main.rs": inside(f'{main}; Router::new().route("/healthz", get(|| async {{ "ok" }}))'),
        "worker/src/main.rs": inside("core::settings();"), "core/src/lib.rs": SHARED,
        "config/default.toml": 'listen = "0.0.0.0:8080"\n',
    })  # fmt: skip
    assert values(found, "image", "deploy") == {
        "image.entrypoint": "web", "image.assets": {"config": "/srv/config"}, "deploy.port": 8080,
        "deploy.health.path": "/healthz",
    }  # fmt: skip
