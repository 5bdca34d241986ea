"""What init finds out of the sources: files that a program opens, where it listens, and its health route."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from layerdoit.init import proposal, write
from layerdoit.init.found import Found, look
from layerdoit.init.items import Item
from tests.support.files import write as write_files
from tests.support.lockfile import entry, external, lockfile
from tests.support.manifest import package

Values = dict[str, object]


def project(root: Path, main: str, files: Mapping[str, str] | None = None, needs: tuple[str, ...] = ()) -> Found:
    """What is found in a package with these sources. `needs`: crates that it depends on."""
    tables = "[dependencies]\n" + "".join(f'{name} = "1"\n' for name in needs)
    crates = [external(name, "1.0.0", "aa") for name in needs]
    write_files(root, {
        "Cargo.toml": package("shop", tables), "Cargo.lock": lockfile(entry("shop", needs=needs), *crates),
        "src/main.rs": main, **(files or {}),
    })  # fmt: skip
    return look(root)


def items(found: Found, *, active: bool = True) -> list[Item]:
    return [item for item in proposal.propose(found).items if item.active is active]


def values(found: Found, *paths: str) -> Values:
    """The active settings, or those of some parts."""
    out: Values = {}
    for item in items(found):
        if not paths or item.path.startswith(paths):
            if isinstance(item.value, tuple):
                out.setdefault(item.path, {})[item.value[0]] = item.value[1]  # type: ignore[index]
            else:
                known = out.get(item.path, [])
                several = [*(known if isinstance(known, list) else [known]), item.value]
                out[item.path] = several if len(several) > 1 else item.value
    return out


def assets(found: Found) -> object:
    return values(found, "image.assets").get("image.assets", {})


def inside(code: str) -> str:
    return f"fn main() {{ {code} }}\n"


OPENING = {
    "axum": ('Router::new().nest_service("/static", ServeDir::new("static"));', {"static"}),
    "axum, a page for what is not found": (
        'ServeDir::new("static/").not_found_service(ServeFile::new("web/index.html"));', {"static", "web/index.html"},
    ),
    "actix": ('App::new().service(fs::Files::new("/assets", "./static").show_files_listing());', {"static"}),
    "actix, one file": ('actix_files::NamedFile::open("web/index.html").unwrap();', {"web/index.html"}),
    "actix, one file later": ('actix_files::NamedFile::open_async("./web/index.html").await;', {"web/index.html"}),
    "warp": ('let files = warp::path("static").and(warp::fs::dir("static"));', {"static"}),
    "warp, one file": ('let page = warp::path::end().and(warp::fs::file("./web/index.html"));', {"web/index.html"}),
    "rocket": ('rocket::build().mount("/", FileServer::from("static"));', {"static"}),
    "poem": ('Route::new().nest("/files", StaticFilesEndpoint::new("./static"));', {"static"}),
    "salvo": ('Router::with_path("<**path>").get(StaticDir::new(["static"]).defaults("index.html"));', {"static"}),
    "tide": ('app.at("/static").serve_dir("static/")?;', {"static"}),
    "tera": ('Tera::new("templates/**/*.html").unwrap();', {"templates"}),
    "tera, said to be missing": ('Tera::new("templates/**/*").expect("static/ is not there");', {"templates"}),
    "a lazy static": ('lazy_static! { static ref T: Tera = Tera::new("templates/*.html").unwrap(); }', {"templates"}),
    "handlebars": ('h.register_templates_directory(".hbs", "templates")?;', {"templates"}),
    "minijinja": ('env.set_loader(path_loader("templates"));', {"templates"}),
    "std": ('let t = std::fs::read_to_string("data/words.txt")?; File::open(r"data/more.txt")?;',
            {"data/words.txt", "data/more.txt"}),
    "tokio": ('tokio::fs::read("data/words.txt").await?;', {"data/words.txt"}),
    "the config crate": ('Config::builder().add_source(config::File::with_name("config/default"))', {"config"}),
    "the config crate, several": (
        'c.add_source(File::with_name(&format!("config/{}", run)).required(false))', {"config"},
    ),
    "the config crate, beside": ('Config::builder().add_source(File::with_name("settings"))', {"settings.yaml"}),
    "figment": ('Figment::new().merge(Toml::file("App.toml"))', {"App.toml"}),
    "sqlx while it runs": ('Migrator::new(Path::new("./migrations")).await?;', {"migrations"}),
    "fluent": ('ArcLoader::builder("locales", langid!("en"));let p = Path::new("locales");', {"locales"}),
    "a constant": ('const DIR: &str = "static"; ServeDir::new(DIR);', {"static"}),
    "a variable of the environment": (
        'let dir = std::env::var("DIR").unwrap_or_else(|_| "./static".to_string()); serve(dir)', {"static"},
    ),
    "an option": ('} #[derive(Parser)] struct A { #[arg(long, default_value = "static/css")] dir: PathBuf', {"static"}),
    "from where it starts": (
        'let base = std::env::current_dir().unwrap(); let c = base.join("settings"); c.join("x.toml")', {"settings.yaml"},
    ),
    "a model": ('Session::builder()?.commit_from_file("data/model.onnx")?;', {"data/model.onnx"}),
}  # fmt: skip
TREE = {
    "static/css/a.css": "", "templates/a.html": "", "config/default.toml": "", "config/production.toml": "",
    "migrations/1.sql": "", "locales/en/a.ftl": "", "web/index.html": "", "data/words.txt": "", "data/more.txt": "",
    "data/model.onnx": "", "settings.yaml": "", "App.toml": "", "README.md": "", "public/a": "",
}  # fmt: skip


@pytest.mark.parametrize("kind", OPENING)
def test_what_a_program_opens_is_an_asset(tmp_path: Path, kind: str) -> None:
    code, expected = OPENING[kind]
    found = project(tmp_path, f"\n{inside(code)}", TREE)
    assert assets(found) == {path: f"/srv/{path}" for path in expected}
    assert all("src/main.rs:2: " in item.why for item in items(found) if item.path == "image.assets")
    assert not [item for item in items(found) if item.path == "sources.include"], "nothing compiles it in"


@pytest.mark.parametrize(
    "main",
    [
        inside('include_str!("../static/css/a.css"); include_dir!("$CARGO_MANIFEST_DIR/templates");'),
        inside('sqlx::migrate!("./migrations").run(&db).await; embed_migrations!("migrations");'),
        '#[derive(Template)]\n#[template(path = "a.html")]\nstruct A;\nfn main() {}\n',
        '// ServeDir::new("static")\n/* File::open("data/words.txt") /* nested */ Tera::new("templates/*") */fn main() {}\n',
        inside("") + '#[cfg(test)]\nmod tests {\n  #[test]\n  fn a() { File::open("data/words.txt"); ServeDir::new("static"); }\n}\n',
        inside("") + '#[tokio::test]\nasync fn a() { File::open("data/words.txt"); }\n',
        inside('fs::write("data/words.txt", "")?; File::create("data/more.txt")?; fs::create_dir_all("static")?;'),
        inside('println!("data/words.txt is not there"); x.expect("data/words.txt"); info!("static/css");'),
        inside('Router::new().route("/static", get(a)); web::scope("static"); Router::with_path("static/{p}");'),
        inside('File::open("Cargo.toml")?; fs::read_dir("src")?; File::open("/etc/hosts")?; fs::read("nowhere.txt")?;'),
        inside('File::open("../data/words.txt")?; reqwest::get("http://host/static/css");'),
    ],
    ids=["include", "migrate", "askama", "comments", "tests", "a test", "writes", "speaks", "routes", "not there", "else"],
)  # fmt: skip
def test_what_it_does_not_open_is_none(tmp_path: Path, main: str) -> None:
    assert assets(project(tmp_path, main, TREE)) == {}


def test_sources_that_no_program_is_made_of_are_not_asked(tmp_path: Path) -> None:
    code = inside('File::open("data/words.txt");')
    beside = {f"{path}.rs": code for path in ("build", "tests/a", "examples/a", "benches/a", "src/only_tests", "src/bin/a")}
    beside["layerdoit.yaml"] = "bins: [shop]\n"
    main = f"#[cfg(test)]\nmod only_tests;\n{inside('')}"
    (tmp_path / "a").mkdir()
    assert assets(project(tmp_path / "a", main, TREE | beside)) == {"data/words.txt": "/srv/data/words.txt"}
    del beside["src/bin/a.rs"]
    assert assets(project(tmp_path / "b", main, TREE | beside)) == {}


def test_a_string_that_names_a_usual_folder_is_shown_as_a_comment(tmp_path: Path) -> None:
    found = project(tmp_path, inside('serve("public");'), TREE)
    assert assets(found) == {}
    assert [item.value for item in items(found, active=False) if item.path == "image.assets"] == [("public", "/srv/public")]


def test_rocket_reads_by_custom(tmp_path: Path) -> None:
    main = '#[launch]\nfn rocket() -> _ { rocket::build().attach(Template::fairing()) }\n'
    files = TREE | {"Rocket.toml": '[default]\nport = 9000\n[debug]\naddress = "0.0.0.0"\n[release]\nport = 80\n'}
    found = project(tmp_path, main, files, ("rocket", "rocket_dyn_templates"))
    assert assets(found) == {"Rocket.toml": "/srv/Rocket.toml", "templates": "/srv/templates"}
    assert values(found, "deploy", "image.env") == {"deploy.port": 9000}


def test_a_path_of_the_build_is_copied_to_where_the_program_looks(tmp_path: Path) -> None:
    main = inside(
        'let root = env!("CARGO_MANIFEST_DIR"); Tera::new(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/**/*"));'
        'Path::new(root).join("static"); FileServer::from(relative!("public"));'
    )
    found = project(tmp_path, main, TREE)
    assert assets(found) == {name: f"/build/src/{name}" for name in ("templates", "static", "public")}
    assert any("where it was compiled (/build/src/" in remark for remark in proposal.propose(found).remarks)


def test_the_package_s_folder_by_a_variable(tmp_path: Path) -> None:
    main = inside('let root = env::var("CARGO_MANIFEST_DIR").unwrap(); File::open(format!("{root}/data/words.txt"));')
    found = project(tmp_path, main, TREE)
    assert values(found) == {
        "image.assets": {"data/words.txt": "/srv/data/words.txt"}, "image.env": {"CARGO_MANIFEST_DIR": "/srv"},
    }  # fmt: skip


EMBED = '#[derive(RustEmbed)]\n#[folder = "public/"]\nstruct Web;\nfn main() {}\n'


def test_rust_embed_reads_in_dev_builds(tmp_path: Path) -> None:
    found = project(tmp_path / "a", EMBED, TREE, ("rust-embed",))
    assert values(found) == {"image.assets": {"public": "/build/src/public"}, "sources.include": "public"}
    always = {"Cargo.toml": package("shop", '[dependencies]\nrust-embed = { version = "1", features = ["debug-embed"] }\n')}
    assert values(project(tmp_path / "b", EMBED, TREE | always, ("rust-embed",))) == {}


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ('const A: &str = include_str!("../static/css/a.css");', "static"),
        ('include_dir!("$CARGO_MANIFEST_DIR/static")', "static"),
        ('#[derive(Template)] #[template(path = "a.html")] struct A;', "templates"),
        ('sqlx::migrate!();', "migrations"),
        ('fluent_templates::static_loader! { static L = { locales: "./locales", fallback_language: "en" }; }', "locales"),
        ('query_file!("migrations/1.sql")', "migrations"),
        ('rust_i18n::i18n!("locales");', "locales"),
    ],
)  # fmt: skip
def test_what_is_compiled_in_as_well_is_included(tmp_path: Path, line: str, path: str) -> None:
    main = inside(f'ServeDir::new("{path}/"); fs::read_dir("{path}");') + f"{line}\n"
    found = project(tmp_path, main, TREE)
    assert [(item.value, item.why) for item in items(found) if item.path == "sources.include"] == [
        (path, "src/main.rs:2 compiles it in")
    ]


def test_what_a_build_script_reads_as_well_is_included(tmp_path: Path) -> None:
    script = 'fn main() { println!("cargo:rerun-if-changed=templates"); Path::new(".").join("static"); }\n'
    found = project(tmp_path, inside('ServeDir::new("static"); Tera::new("templates/*"); fs::read_dir("public")'), TREE | {"build.rs": script})
    assert sorted(str(item.value) for item in items(found) if item.path == "sources.include") == ["static", "templates"]


def test_secrets_stay_out(tmp_path: Path) -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n"
    main = inside(
        'dotenvy::dotenv().ok(); RustlsConfig::from_pem_file("certs/cert.pem", "certs/site.pem");'
        'File::open(".env"); File::open("config/default.toml"); fs::read("config/secrets.toml")'
    )
    files = {
        ".env": "DATABASE_URL=postgres://x\nLOG=info\n", "certs/cert.pem": "", "certs/site.pem": key,
        "config/default.toml": "", "config/secrets.toml": "",
    }  # fmt: skip
    found = project(tmp_path, main, files)
    assert assets(found) == {name: f"/srv/{name}" for name in ("certs/cert.pem", "config/default.toml")}
    remarks = "\n".join(proposal.propose(found).remarks)
    assert "src/main.rs:1 loads a .env, which no image gets: give DATABASE_URL, LOG under deploy: env:" in remarks
    assert "certs/site.pem, which stays out of the image, as it holds a private key" in remarks
    assert "config/secrets.toml, which stays out" in remarks
    assert "postgres" not in remarks + write.settings_text(proposal.propose(found))


def test_what_git_ignores_is_sent_for_the_image(tmp_path: Path) -> None:
    found = project(tmp_path, inside('ServeDir::new("web/dist");'), {"web/dist/index.html": "", ".gitignore": "dist\n"})
    assert values(found) == {"image.assets": {"web/dist": "/srv/web/dist"}, "sources.include": "web/dist"}


def test_what_is_served_and_not_here_is_said(tmp_path: Path) -> None:
    found = project(tmp_path, "\n" + inside('ServeDir::new("web/dist");'))
    assert assets(found) == {}
    (remark,) = proposal.propose(found).remarks
    assert remark.startswith("src/main.rs:2 names web/dist (ServeDir::new), which is not here")


def test_a_dockerfile_s_own_place_wins(tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM rust AS b\nRUN cargo build\nFROM debian\nWORKDIR /app\nCOPY config /etc/shop\n"}
    main = inside('File::open("config/default.toml"); Tera::new("templates/*");')
    assert assets(project(tmp_path, main, TREE | files)) == {"config": "/etc/shop", "templates": "/app/templates"}


# --- where it listens -------------------------------------------------------------------------------------------------

PORTS: dict[str, tuple[str, Values]] = {
    "a text": ('TcpListener::bind("0.0.0.0:8080").await', {"deploy.port": 8080}),
    "axum": ('let addr = SocketAddr::from(([0, 0, 0, 0], 3000)); axum::serve(a, b)', {"deploy.port": 3000}),
    "axum of before": ('axum::Server::bind(&"[::]:3000".parse().unwrap()).serve(a)', {"deploy.port": 3000}),
    "actix": ('HttpServer::new(|| App::new()).bind(("0.0.0.0", 8080))?.run()', {"deploy.port": 8080}),
    "warp": ("warp::serve(routes).run(([0, 0, 0, 0], 3030)).await", {"deploy.port": 3030}),
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
        '} #[derive(Parser)] struct A { #[arg(long, default_value = "127.0.0.1")] host: String, '
        "#[arg(long, default_value_t = 8080)] port: u16",
        {"deploy.port": 8080, "image.cmd": ["--host", "0.0.0.0"]},
    ),
    "an option with a variable": (
        '} #[derive(Parser)] struct A { #[arg(long, env, default_value = "127.0.0.1:8080")] listen: SocketAddr',
        {"deploy.port": 8080, "image.env": {"LISTEN": "0.0.0.0:8080"}},
    ),
    "nothing": ('println!("0.0.0.0");', {}),
    "what others listen on": (
        'redis::Client::open("redis://127.0.0.1:6379"); TcpStream::connect("127.0.0.1:9000"); pg("localhost:5432");'
        'env::var("DB_PORT").unwrap_or("5432".into()); env::var("REDIS_HOST").unwrap_or("127.0.0.1".into());',
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", PORTS)
def test_where_a_program_listens(tmp_path: Path, kind: str) -> None:
    code, expected = PORTS[kind]
    found = project(tmp_path, f"\n{inside(code)}")
    assert values(found) == expected
    assert all("src/main.rs:2" in item.why for item in items(found))
    assert not proposal.propose(found).remarks


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
    (remark,) = proposal.propose(found).remarks
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
    (remark,) = proposal.propose(found).remarks
    assert remark.startswith("config/default.toml:2 listens on 127.0.0.1")


def test_of_several_ports_a_person_chooses(tmp_path: Path) -> None:
    found = project(tmp_path, inside('bind("0.0.0.0:8080"); bind("0.0.0.0:9090"); Router::new().route("/health", get(h))'))
    assert values(found) == {}
    assert [item.value for item in items(found, active=False)] == [8080]


def test_of_several_ports_of_a_dockerfile_the_sources_choose(tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM rust AS b\nRUN cargo build\nFROM debian\nEXPOSE 8080 9090\n"}
    found = project(tmp_path, inside('bind("0.0.0.0:9090"); Router::new().route("/health", get(h))'), files)
    assert values(found, "deploy") == {"deploy.port": 9090, "deploy.health.path": "/health"}


# --- health -----------------------------------------------------------------------------------------------------------

ROUTES: dict[str, tuple[str, str | None]] = {
    "axum": ('fn main() { Router::new().route("/", get(index)).route("/healthz", get(health)) }', "/healthz"),
    "axum, nested": ('fn main() { Router::new().nest("/api", Router::new().route("/health", get(h))) }', "/api/health"),
    "axum, a function": (
        'fn main() { Router::new().nest("/api/v1", api()).merge(x) }\nfn api() -> Router { Router::new().route("/health", get(h)) }',
        "/api/v1/health",
    ),
    "axum, two functions": (
        'fn main() { app() }\nfn app() { Router::new().nest("/api", v1()) }\nfn v1() { Router::new().merge(own()) }\n'
        'fn own() { Router::new().route("/ready", get(h)) }',
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
        '#[get("/health")]\nasync fn health() {}\nfn config(c: &mut ServiceConfig) { c.service(health); }\n'
        'fn main() { App::new().service(web::scope("/api").configure(config)) }',
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


# --- several programs -------------------------------------------------------------------------------------------------


def workspace(root: Path, files: Mapping[str, str]) -> Found:
    members = ("web", "worker", "core")
    manifests = {f"{name}/Cargo.toml": package(name, "[dependencies]\ncore = { path = '../core' }\n") for name in members[:2]}
    return look(write_files(root, {
        "Cargo.toml": '[workspace]\nmembers = ["web", "worker", "core"]\nresolver = "2"\n',
        "Cargo.lock": lockfile(entry("web", needs=("core",)), entry("worker", needs=("core",)), entry("core")),
        "core/Cargo.toml": package("core"), "core/src/lib.rs": "", "worker/src/main.rs": inside(""), **manifests, **files,
    }))  # fmt: skip


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
    })  # fmt: skip
    assert values(found, "image", "deploy") == {"deploy.port": 9000, "deploy.health.path": "/ping"}


def test_two_folders_for_one_place(tmp_path: Path) -> None:
    main = inside('Tera::new("templates/*")')
    files = {"web/src/main.rs": main, "worker/src/main.rs": main, "web/templates/a": "", "worker/templates/a": ""}
    found = workspace(tmp_path / "worker", files)
    assert assets(found) == {"worker/templates": "/srv/templates"}
    (other,) = [item for item in items(found, active=False) if item.path == "image.assets"]
    assert other.value == ("web/templates", "/srv/templates")
    assert "worker/templates is copied there" in other.why
