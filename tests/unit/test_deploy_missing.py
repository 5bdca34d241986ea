"""What a container lacks, told from its log and from the project: files, variables, libraries, other services."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from layerdoit.config import Config, Deploy, Image
from layerdoit.deploy.docker import container_log, not_up
from layerdoit.deploy.docker.case import Case, Cause
from layerdoit.deploy.docker.sockets import Elsewhere
from layerdoit.deploy.settings import DeploySettings
from tests.support.files import write

FILES = {
    "Cargo.toml": "",
    "config/default.toml": "",
    "config/production.toml": "",
    "Settings.toml": "",
    ".env": "SECRET=1\n",
    ".env.example": "# all\nDATABASE_URL=postgres://localhost/app\n",
    "templates/index.html": "",
    "templates/users/list.html": "",
    "locales/de/main.ftl": "",
    "migrations/1_users.sql": "",
    "static/app.css": "",
    "embedded.sql": "",
    "src/main.rs": (
        "use std::env;\n"
        'const SQL: &str = include_str!("../embedded.sql");\n'
        "fn main() {\n"
        '    let url = env::var("DATABASE_URL")\n'
        "        .unwrap();\n"
        '    let text = std::fs::read_to_string("config/default.toml")\n'
        "        .unwrap();\n"
        '    let page = ServeDir::new("static");\n'
        '    println!("templates/index.html is /health");\n'
        "}\n"
    ),
    "web/Cargo.toml": "",
    "web/src/lib.rs": "",
    "web/pages/home.html": "",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    return tmp_path


Found = Callable[..., Cause | None]


@pytest.fixture
def found(project: Path) -> Found:
    """The cause for a log; `there`: what the image has; `assets`: as they are configured."""

    def ask(
        log: str,
        *,
        there: Sequence[str] = (),
        assets: Mapping[str, str] = {},
        environment: Mapping[str, str] = {},
        listening: Elsewhere | None = None,
        reason: str = "",
        exit_code: int = 101,
        out_of_memory: bool = False,
        network: str | None = None,
        env_file: str | None = None,
        args: tuple[str, ...] = (),
        publisher: Callable[[int], tuple[str, str] | None] = lambda _: None,
    ) -> Cause | None:
        whole = Config(image=Image(assets=assets))
        settings = DeploySettings(
            Deploy(network=network, env_file=env_file, args=args),
            "api",
            "shop",
            project,
            whole=whole,
            files=lambda: (*FILES, "src/web.rs"),
        )
        lines = container_log.plain(log.splitlines())
        case = Case(
            settings,
            lines,
            not reason,
            exit_code,
            reason,
            out_of_memory,
            lambda path: path not in there,
            environment,
            publisher,
        )
        return not_up.found(case, lambda: listening)

    return ask


# --- files -----------------------------------------------------------------------------------------------------------

CONFIG = "config: /srv/config"
PANIC = "thread 'main' panicked at src/main.rs:{}:10:\ncalled `Result::unwrap()` on an `Err` value"
BACKTRACE = "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"
TEMPLATES = "templates: /srv/templates"


@pytest.mark.parametrize(
    ("log", "assets"),
    [
        ('Error: configuration file "config/default" not found', CONFIG),
        ("failed to read config/default.toml\n\nCaused by:\n    No such file or directory (os error 2)", CONFIG),
        ("./config/default.toml: No such file or directory (os error 2)", CONFIG),
        ("\x1b[2m2026-01-01T00:00:00Z\x1b[0m \x1b[31mERROR\x1b[0m cannot open \x1b[1mSettings.toml\x1b[0m",
         "Settings.toml: /srv/Settings.toml"),
        ("Error: Template 'index.html' not found", TEMPLATES),
        ('TemplateNotFound("users/list.html")', TEMPLATES),
        ('template not found: template "index.html" does not exist', TEMPLATES),
        ("cannot find any template in templates/**/*.html", TEMPLATES),
        ("while resolving migrations: error canonicalizing path ./migrations: os error 2",
         "migrations: /srv/migrations"),
        ('could not load "locales/de/main.ftl": not found', "locales: /srv/locales"),
        ("open /app/templates/index.html: no such file or directory", "templates: /app/templates"),
        ("Error: cannot read directory '/app/static'", "static: /app/static"),
        ('"pages/home.html" not found', "web/pages: /srv/pages"),
        ('"/src/web/pages/home.html" not found', "web/pages: /src/web/pages"),
        # The log names nothing: the line where it gave up does.
        (f'{PANIC.format(7)}: Os {{ code: 2, kind: NotFound, message: "No such file or directory" }}', CONFIG),
        # Nor is there a line: what the sources open.
        ("Error: No such file or directory (os error 2)", f"{CONFIG}, static: /srv/static"),
    ],
)  # fmt: skip
def test_a_file_that_the_image_lacks_gets_the_line_to_write(found: Found, log: str, assets: str) -> None:
    cause = found(log)
    assert cause is not None
    assert cause.hint == f"add to layerdoit.yaml: image: {{assets: {{{assets}}}}}"
    assert "in the project but not in the image" in cause.what or "in the project, but not in the image" in cause.what


@pytest.mark.parametrize(
    "log",
    [
        "listening on 0.0.0.0:8080",
        "thread 'main' panicked at src/main.rs:90:1:\nnot found: user 7",
        "GET /missing.html 404 not found",
        "Error: the row does not exist",
    ],
)
def test_what_names_no_file_of_the_project_is_no_missing_file(found: Found, log: str) -> None:
    assert found(log) is None


def test_what_the_container_has_does_not_lack(found: Found) -> None:
    assert found('configuration file "config/default" not found', there=["/srv/config/default.toml"]) is None


def test_an_asset_in_another_place_is_told(found: Found) -> None:
    cause = found('cannot open "config/default.toml"', assets={"config": "/etc/shop"})
    assert cause is not None
    assert cause.what == "image.assets copies config to /etc/shop, but the program looks for /srv/config/default.toml"
    assert "write config: /srv/config in image.assets" in cause.hint


def test_a_file_that_nobody_has_is_told_by_its_place(found: Found) -> None:
    cause = found("Error: /etc/bloom.cfg: No such file or directory (os error 2)")
    assert cause is not None
    assert "/etc/bloom.cfg" in cause.what
    assert "deploy: {volumes: [./FILE:/etc/bloom.cfg]}" in cause.hint


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("-c", "/etc/bloom.cfg"), "deploy: {volumes: [./FILE:/etc/bloom.cfg]}"),
        (("--config=config/default.toml",), f"image: {{assets: {{{CONFIG}}}}}"),
        (("--config", "/etc/Settings.toml"), "image: {assets: {Settings.toml: /etc/Settings.toml}}"),
        (("serve", "--http", "0.0.0.0:80"), None),
    ],
)
def test_a_file_that_the_arguments_name(found: Found, arguments: tuple[str, ...], hint: str | None) -> None:
    cause = found("panicked: cannot read the configuration", args=arguments)
    assert (hint is None) == (cause is None)
    assert cause is None or (hint or "") in cause.hint


def test_an_argument_comes_before_what_the_sources_open(found: Found) -> None:
    cause = found("Error: No such file or directory (os error 2)", args=("-c", "/etc/Settings.toml"))
    assert cause is not None
    assert cause.hint == "add to layerdoit.yaml: image: {assets: {Settings.toml: /etc/Settings.toml}}"


# --- variables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log", "name"),
    [
        ("DATABASE_URL must be set: NotPresent", "DATABASE_URL"),
        ("Error: DATABASE_URL is not set", "DATABASE_URL"),
        ("ERROR app: missing environment variable `API_KEY`", "API_KEY"),
        ("environment variable REDIS_URL not found", "REDIS_URL"),
        ("Error: missing PORT", "PORT"),
        ("/entrypoint.sh: line 3: APP_MODE: unbound variable", "APP_MODE"),
        ("sh: 1: APP_MODE: parameter not set", "APP_MODE"),
        ("$SECRET_KEY is required", "SECRET_KEY"),
        ('EnvVarError { var_name: "SMTP_HOST", source: NotPresent }', "SMTP_HOST"),
        ("Please set the SMTP_HOST environment variable", "SMTP_HOST"),
        (f"{PANIC.format(5)}: NotPresent\n{BACKTRACE}", "DATABASE_URL"),
        ("Error: environment variable not found", "DATABASE_URL"),
        ("missing value for field redis_url", "REDIS_URL"),
        ("Error: missing field `server.host`", "SERVER__HOST"),
    ],
)  # fmt: skip
def test_a_variable_that_is_not_set_gets_the_line_to_write(found: Found, log: str, name: str) -> None:
    cause = found(log, there=[f"/srv/{path}" for path in FILES] + ["/srv/static"])
    assert cause is not None
    assert f"add to layerdoit.yaml: deploy: {{env: {{{name}: …}}}}" in cause.hint
    assert ("(.env.example:2 has a value)" in cause.hint) == (name == "DATABASE_URL")


def test_a_variable_that_a_file_of_the_project_has(found: Found, project: Path) -> None:
    own = found("SECRET must be set")
    assert own is not None
    assert own.hint == "add to layerdoit.yaml: deploy: {env_file: .env} (.env:1 has it)"
    named = found("OTHER must be set", env_file=".env")
    assert named is not None
    assert named.hint == "add to .env: OTHER=…"


def test_a_variable_that_is_set_is_not_the_matter(found: Found) -> None:
    assert found("PORT must be set", environment={"PORT": "80"}) is None
    assert found(BACKTRACE) is None


def test_a_field_that_lacks_is_looked_for_in_a_file_first(found: Found) -> None:
    """A configuration file that may be missing is read as an empty one."""
    cause = found("Error: missing field `database`")
    assert cause is not None
    assert CONFIG in cause.hint


# --- libraries, processors, memory, arguments ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log", "what", "hint"),
    [
        ("api: error while loading shared libraries: libpq.so.5: cannot open shared object file", "libpq.so.5",
         "base: {runtime_packages: [libpq5]}"),
        ("Error: libssl.so.3: cannot open shared object file: No such file or directory", "libssl.so.3", "libssl3t64"),
        ("libunheard.so.1: cannot open shared object file", "libunheard.so.1", "apt-file search libunheard.so.1"),
        ("api: /lib/libc.so.6: version `GLIBC_2.38' not found (required by api)", "GLIBC_2.38", "one suite"),
        ("exec /usr/local/bin/api: exec format error", "another platform", "platform"),
        ("error: the following required arguments were not provided:\n  --url <URL>\n\nUsage: api --url <URL>",
         "--url <URL>", "deploy: {args: [--url <URL>]}"),
    ],
)  # fmt: skip
def test_what_the_log_of_a_program_that_did_not_start_means(found: Found, log: str, what: str, hint: str) -> None:
    cause = found(log, exit_code=2)
    assert cause is not None
    assert what in cause.what
    assert hint in cause.hint


def test_what_an_exit_code_means(found: Found) -> None:
    done, illegal, killed = (
        found("done", exit_code=0),
        found("", exit_code=132),
        found("", exit_code=137, out_of_memory=True),
    )
    assert done is not None
    assert "doit image" in done.hint
    assert illegal is not None
    assert "target-cpu" in illegal.hint
    assert killed is not None
    assert "no memory" in killed.what
    assert found("", exit_code=137) is None


# --- other services --------------------------------------------------------------------------------------------------


def test_this_machine_is_not_reached_as_localhost(found: Found) -> None:
    url = {"DATABASE_URL": "postgres://localhost:5432/app"}
    cause = found("error communicating with database: Connection refused (os error 111)", environment=url)
    assert cause is not None
    assert cause.what == "DATABASE_URL names localhost:5432, which is the container itself there"
    named = found("cannot connect to 127.0.0.1:6379: Connection refused")
    assert named is not None
    assert "127.0.0.1:6379" in named.what
    assert found("Connection refused (os error 111)") is None


def test_the_container_that_has_the_port_is_named(found: Found) -> None:
    log = "cannot connect to localhost:5432: Connection refused"
    cause = found(log, publisher=lambda port: ("shop-db-1", "shop_default") if port == 5432 else None)
    assert cause is not None
    assert "deploy: {network: shop_default}, and name shop-db-1 instead of localhost" in cause.hint


def test_a_name_that_only_a_network_knows(found: Found) -> None:
    log = "failed to lookup address information: Name or service not known"
    cause = found(log)
    assert cause is not None
    assert "deploy: {network: NAME}" in cause.hint
    assert found(log, network="shop_default") is None


# --- a service that answers otherwise --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "what", "hint"),
    [
        ("GET /healthz answered 404", "no such route", "deploy: {health: {path: …}}"),
        ("GET / answered 401", "wants a login", "without one"),
        ("GET / answered 500", "", "its log may say why"),
        ("GET /: Remote end closed connection without response", "speaks no HTTP", "deploy.health.command"),
    ],
)
def test_a_health_check_that_gets_another_answer(found: Found, reason: str, what: str, hint: str) -> None:
    there = ["/srv/config/default.toml", "/srv/static"]
    cause = found("listening", reason=reason, there=there)
    assert cause is not None
    assert what in cause.what
    assert hint in cause.hint


def test_a_page_that_is_not_found_may_lack_its_files(found: Found) -> None:
    cause = found("listening", reason="GET / answered 404", there=["/srv/config/default.toml"])
    assert cause is not None
    assert cause.what == "the sources open static (src/main.rs:8): in the project, but not in the image"


def test_where_it_listens_comes_before_what_it_answers(found: Found) -> None:
    elsewhere = Elsewhere(Cause("it listens on port 3000", "write 3000", "deploy.port"))
    assert found("", reason="port 8080: Connection refused", listening=elsewhere) == elsewhere.cause


@pytest.mark.parametrize(
    ("log", "environment", "code", "hint"),
    [
        ("Rocket has launched from http://127.0.0.1:8000", {}, "", "env: {ROCKET_ADDRESS: 0.0.0.0}"),
        ("", {"DB_HOST": "127.0.0.1", "HOST": "127.0.0.1"}, "", "env: {HOST: 0.0.0.0}"),
        ("", {"LISTEN": "localhost:8080"}, "", 'env: {LISTEN: "0.0.0.0:8080"}'),
        ("", {}, 'redis("127.0.0.1:6379");\nbind("127.0.0.1:8080");', "have src/web.rs:2 say 0.0.0.0:8080"),
        ("", {}, 'let host = var("HOST")\n    .unwrap_or("127.0.0.1".into());', "env: {HOST: 0.0.0.0}} (src/web.rs:2"),
        ("", {}, 'log("127.0.0.1");', "have it listen"),
    ],
)
def test_what_makes_it_listen_on_its_own_address_only(
    found: Found, project: Path, log: str, environment: Mapping[str, str], code: str, hint: str
) -> None:
    (project / "src/web.rs").write_text(code)
    only = Elsewhere(Cause("it listens on 127.0.0.1 only", "have it listen elsewhere", "deploy.port"), 8080)
    cause = found(log, reason="GET /: Connection refused", listening=only, environment=environment)
    assert cause is not None
    assert hint in cause.hint


# --- the log ---------------------------------------------------------------------------------------------------------


def test_lines_that_say_the_same_are_folded() -> None:
    line = "2026-01-01T00:00:{:02}.1Z  INFO GET /health answered 500 in 0.00{} s"
    lines = ["starting", *(line.format(second, second) for second in range(20)), "}", "}", "giving up"]
    assert container_log.folded(lines) == ["starting", f"{lines[20]}  (20 times)", "}", "}", "giving up"]


def test_lines_that_differ_in_what_they_say_are_not_folded() -> None:
    lines = ["listening on port 8080", "listening on port 9090", *(f"GET / {status}" for status in (200, 404, 500))]
    assert container_log.folded(lines) == lines


def test_what_repeats_does_not_hide_the_beginning() -> None:
    lines = ["cannot read the templates", *["GET /health 500"] * 100]
    assert container_log.quoted(lines).splitlines() == [
        "the last 2 lines of its log:",
        "  cannot read the templates",
        "  GET /health 500  (100 times)",
    ]
    assert container_log.quoted([]) == "it logged nothing"


@pytest.mark.parametrize(
    "log",
    [
        "Error: cannot read /srv/prices.csv\n\nCaused by:\n    No such file or directory (os error 2)",
        "Error: /srv/prices.csv: No such file or directory (os error 2)",
    ],
)
def test_a_path_that_neither_the_image_nor_the_project_has(found: Found, log: str) -> None:
    cause = found(log)
    assert cause is not None
    assert cause.what == "it wants /srv/prices.csv, which neither the image nor the project has"
    assert "/srv/prices.csv" in cause.hint
