# ruff: noqa: E501 - a case is told from the next in one line
"""Files that a running program opens are proposed as assets, as its sources name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.init import proposal, run_items, write
from tests.support.manifest import package
from tests.support.proposed import assets, inside, items, project, values, workspace

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
        inside('Config::warn_non_unicode_path(color, "data/words.txt", path);'),
        inside('Router::new().route("/static", get(a)); web::scope("static"); Router::with_path("static/{p}");'),
        inside('File::open("Cargo.toml")?; fs::read_dir("src")?; File::open("/etc/hosts")?; fs::read("nowhere.txt")?;'),
        inside('File::open("../data/words.txt")?; reqwest::get("http://host/static/css");'),
    ],
    ids=["include", "migrate", "askama", "comments", "tests", "a test", "writes", "speaks", "warns", "routes", "not there", "else"],
)  # fmt: skip
def test_what_it_does_not_open_is_none(tmp_path: Path, main: str) -> None:
    assert assets(project(tmp_path, main, TREE)) == {}


def test_sources_that_no_program_is_made_of_are_not_asked(tmp_path: Path) -> None:
    code = inside('File::open("data/words.txt");')
    beside = {
        f"{path}.rs": code for path in ("build", "tests/a", "examples/a", "benches/a", "src/only_tests", "src/bin/a")
    }
    beside["layerdoit.yaml"] = "bins: [shop]\n"
    main = f"#[cfg(test)]\nmod only_tests;\n{inside('')}"
    (tmp_path / "a").mkdir()
    assert assets(project(tmp_path / "a", main, TREE | beside)) == {"data/words.txt": "/srv/data/words.txt"}
    del beside["src/bin/a.rs"]
    assert assets(project(tmp_path / "b", main, TREE | beside)) == {}


def test_a_string_that_names_a_usual_folder_is_shown_as_a_comment(tmp_path: Path) -> None:
    found = project(tmp_path, inside('serve(dir.join("public")); folder.join("settings.yaml"); say("static");'), TREE)
    assert assets(found) == {}
    assert [item.value for item in items(found, active=False) if item.path == "image.assets"] == [
        ("public", "/srv/public"),
        ("settings.yaml", "/srv/settings.yaml"),
    ]


def test_rocket_reads_by_custom(tmp_path: Path) -> None:
    main = "#[launch]\nfn rocket() -> _ { rocket::build().attach(Template::fairing()) }\n"
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
    assert any("where it was compiled (/build/src/" in remark for remark in tuple(run_items.remarks(found)))


def test_only_what_is_joined_to_the_package_s_folder_lies_there(tmp_path: Path) -> None:
    main = inside(
        'match path { "/config" => std::fs::read_to_string("config/default.toml"), '
        '_ => std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/a.html")) }'
    )
    assert assets(project(tmp_path, main, TREE)) == {"config": "/srv/config", "templates": "/build/src/templates"}


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
    always = {
        "Cargo.toml": package("shop", '[dependencies]\nrust-embed = { version = "1", features = ["debug-embed"] }\n')
    }
    assert values(project(tmp_path / "b", EMBED, TREE | always, ("rust-embed",))) == {}


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ('const A: &str = include_str!("../static/css/a.css");', "static"),
        ('include_dir!("$CARGO_MANIFEST_DIR/static")', "static"),
        ('#[derive(Template)] #[template(path = "a.html")] struct A;', "templates"),
        ("sqlx::migrate!();", "migrations"),
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
    found = project(
        tmp_path,
        inside('ServeDir::new("static"); Tera::new("templates/*"); fs::read_dir("public")'),
        TREE | {"build.rs": script},
    )
    assert sorted(str(item.value) for item in items(found) if item.path == "sources.include") == ["static", "templates"]


def test_a_constant_outside_of_all_functions_is_not_compiled_in(tmp_path: Path) -> None:
    found = project(tmp_path, 'const DIR: &str = "static";\n' + inside("ServeDir::new(DIR);"), TREE)
    assert values(found) == {"image.assets": {"static": "/srv/static"}}


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
    remarks = "\n".join(tuple(run_items.remarks(found)))
    assert (
        "src/main.rs:1 loads a .env, which no image gets: give what it needs of DATABASE_URL, LOG under deploy: env:"
        in remarks
    )
    assert "certs/site.pem, which stays out of the image, as it holds a private key" in remarks
    assert "config/secrets.toml, which stays out" in remarks
    assert "postgres" not in remarks + write.settings_text(proposal.propose(found))


@pytest.mark.parametrize(
    ("code", "files", "volume"),
    [
        ('f("sqlite://data/shop.db?mode=rwc")', {}, "shop-data:/srv/data"),
        ('let c = Connection::open("./var/shop.db")?;', {}, "shop-var:/srv/var"),
        ('f("sqlite:///data/shop.db")', {}, "shop-data:/data"),
        ('File::with_name("config/a")', {"config/a.toml": 'url = "sqlite://data/shop.db"\n'}, "shop-data:/srv/data"),
        ('f("sqlite::memory:"); println!("sqlite://data/a.db")', {}, None),
        ('f("sqlite://data/a.db")', {"Dockerfile": "FROM rust AS b\nRUN cargo build\nFROM a\nVOLUME /srv\n"}, "shop-srv:/srv"),
    ],
)  # fmt: skip
def test_a_database_outlives_its_container(
    tmp_path: Path, code: str, files: dict[str, str], volume: str | None
) -> None:
    assert values(project(tmp_path, inside(code), files)).get("deploy.volumes") == volume


def test_a_database_in_the_working_directory_is_named(tmp_path: Path) -> None:
    found = project(tmp_path, inside('f("sqlite://shop.db");'))
    (remark,) = tuple(run_items.remarks(found))
    assert remark.startswith("src/main.rs:1 keeps shop.db in the working directory")


def test_what_git_ignores_is_sent_for_the_image(tmp_path: Path) -> None:
    found = project(tmp_path, inside('ServeDir::new("web/dist");'), {"web/dist/index.html": "", ".gitignore": "dist\n"})
    assert values(found) == {"image.assets": {"web/dist": "/srv/web/dist"}, "sources.include": "web/dist"}


def test_what_is_served_and_not_here_is_said(tmp_path: Path) -> None:
    found = project(tmp_path, "\n" + inside('ServeDir::new("web/dist");'))
    assert assets(found) == {}
    (remark,) = tuple(run_items.remarks(found))
    assert remark.startswith("src/main.rs:2 names web/dist (ServeDir::new), which is not here")


def test_a_dockerfile_s_own_place_wins(tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM rust AS b\nRUN cargo build\nFROM debian\nWORKDIR /app\nCOPY config /etc/shop\n"}
    main = inside('File::open("config/default.toml"); Tera::new("templates/*");')
    assert assets(project(tmp_path, main, TREE | files)) == {"config": "/etc/shop", "templates": "/app/templates"}


def test_two_folders_for_one_place(tmp_path: Path) -> None:
    main = inside('Tera::new("templates/*")')
    files = {"web/src/main.rs": main, "worker/src/main.rs": main, "web/templates/a": "", "worker/templates/a": ""}
    found = workspace(tmp_path / "worker", files)
    assert assets(found) == {"worker/templates": "/srv/templates"}
    (other,) = [item for item in items(found, active=False) if item.path == "image.assets"]
    assert other.value == ("web/templates", "/srv/templates")
    assert "worker/templates is copied there" in other.why
