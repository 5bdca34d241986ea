"""Programs that serve or work by themselves: `init` proposes services, each with what it has of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from layerdoit import config
from layerdoit.init import proposal, write
from layerdoit.init.found import Found, look
from tests.support.files import write as write_files
from tests.support.lockfile import entry, external, lockfile
from tests.support.manifest import package
from tests.support.proposed import Values, inside, values

API = inside('axum::serve(TcpListener::bind("0.0.0.0:8080").await, Router::new().route("/health", get(ok)));')
ADMIN = inside('HttpServer::new(app).bind("0.0.0.0:9000");')
WORKER = inside("loop { take().await; }")
CLI = inside('let a = Command::new("shop").subcommand(x);')


def project(
    root: Path,
    programs: Mapping[str, str],
    files: Mapping[str, str] | None = None,
    needs: Mapping[str, str] | None = None,
) -> Found:
    """A workspace of programs, each with its source. `needs`: program -> a crate that it depends on."""
    needs = needs or {}
    crates = [external(name, "1.0.0", "aa") for name in dict.fromkeys(needs.values())]
    entries = []
    made: dict[str, str] = {}
    for name, source in programs.items():
        needed = needs.get(name)
        table = f'[dependencies]\n{needed} = "1"\n' if needed else ""
        made |= {f"{name}/Cargo.toml": package(name, table), f"{name}/src/main.rs": source}
        entries.append(entry(name, needs=(needed,) if needed else ()))
    made["Cargo.toml"] = f'[workspace]\nmembers = {list(programs)!r}\nresolver = "2"\n'
    made["Cargo.lock"] = lockfile(*entries, *crates)
    return look(write_files(root / "shop", {**made, **(files or {})}))


def shown(found: Found) -> str:
    return write.settings_text(proposal.propose(found))


def services(found: Found) -> dict[str, Values]:
    """The active settings of each service; what is proposed is valid as a whole."""
    out: dict[str, Values] = {}
    for path, value in values(found, "services.").items():
        _, name, setting = path.split(".", 2)
        out.setdefault(name, {})[setting] = value
    (found.root / "layerdoit.yaml").write_text(shown(found))
    assert set(config.load(found.root, variables={}).services) == set(out)
    (found.root / "layerdoit.yaml").unlink()
    return out


def remarks(found: Found, *words: str) -> list[str]:
    return [one for one in proposal.propose(found).remarks if all(word in one for word in words)]


def test_two_that_serve_are_two_services(tmp_path: Path) -> None:
    found = project(tmp_path, {"api": API, "admin": ADMIN})
    assert services(found) == {
        "api": {"bins": "api", "port": 8080, "health": "/health"},
        "admin": {"bins": "admin", "port": 9000},
    }
    assert values(found, "image", "deploy", "bins", "packages") == {}
    assert "- api  # api/src/main.rs:1 serves\n" in shown(found)
    assert "port: 9000  # admin/src/main.rs:1\n" in shown(found)


def test_what_all_have_stands_at_the_top(tmp_path: Path) -> None:
    opens = 'File::open("config/a.toml");'
    api, admin = (text.replace("{ ", f"{{ {opens} ", 1) for text in (API, ADMIN))
    files = {"config/a.toml": "", "templates/x": ""}
    found = project(tmp_path, {"api": api.replace("{ ", '{ Tera::new("templates/*"); ', 1), "admin": admin}, files)
    assert values(found, "image") == {"image.assets": {"config": "/srv/config"}}
    assert services(found)["api"]["image.assets"] == {"templates": "/srv/templates"}
    assert "image.assets" not in services(found)["admin"]


@pytest.mark.parametrize(
    ("name", "source", "needs", "reason"),
    [
        ("worker", WORKER, "", "worker/src/main.rs:1 works in a loop"),
        ("mail-scheduler", inside("every.tick().await;"), "", "mail-scheduler/src/main.rs:1 works in a loop"),
        ("invoices", WORKER, "lapin", "its package uses lapin"),
        ("job-runner", inside(""), "rdkafka", "its package uses rdkafka"),
    ],
)
def test_a_worker_is_a_service_beside_one_that_serves(
    tmp_path: Path, name: str, source: str, needs: str, reason: str
) -> None:
    more = {name: needs} if needs else {}
    found = project(tmp_path, {"api": API, name: source}, needs=more)
    assert services(found)[name] == {"bins": name}
    assert f"- {name}  # {reason}\n" in shown(found)
    assert services(project(tmp_path / "alone", {"tool": CLI, name: source}, needs=more)) == {}, "none serves"


@pytest.mark.parametrize(
    "programs",
    [
        {"api": API, "cli": CLI},
        {"api": API, "shop-cli": ADMIN},
        {"api": API, "worker": inside("work_once();")},
        {"api": API, "tool": WORKER},
        {"api": API, "migrate": WORKER},
        {"api": API, "mock-server": ADMIN},
        {"api": API, "xtask": ADMIN},
        {"api": API, "examples/chat": ADMIN},
        {"api": API, "tools/proxy": ADMIN},
        {"first": CLI, "second": CLI},
    ],
)
def test_what_is_no_service(tmp_path: Path, programs: dict[str, str]) -> None:
    members = {f"{name}/Cargo.toml": package(name.rpartition("/")[2]) for name in programs}
    lock = lockfile(*(entry(name.rpartition("/")[2]) for name in programs))
    found = project(tmp_path, programs, {**members, "Cargo.lock": lock})
    assert found.services == ()
    assert "services" not in shown(found)


def test_a_client_of_the_same_library_is_no_service(tmp_path: Path) -> None:
    uses = "[dependencies]\ncore = { path = '../core' }\n"
    files = {
        "api/Cargo.toml": package("api", uses), "load/Cargo.toml": package("load", uses),
        "core/Cargo.toml": package("core"),
        "core/src/lib.rs": 'pub fn serve() { axum::serve(TcpListener::bind("0.0.0.0:80")) }\n',
        "Cargo.toml": '[workspace]\nmembers = ["api", "load", "core"]\nresolver = "2"\n',
        "Cargo.lock": lockfile(entry("api", needs=("core",)), entry("load", needs=("core",)), entry("core")),
    }  # fmt: skip
    found = project(tmp_path, {"api": inside("core::serve()"), "load": inside("core::ask()")}, files)
    assert found.services == ()


def test_services_lose_the_word_that_all_begin_with(tmp_path: Path) -> None:
    found = project(tmp_path, {"shop-api": API, "shop-worker": WORKER, "shop-tool": CLI})
    assert {name: one["bins"] for name, one in services(found).items()} == {"api": "shop-api", "worker": "shop-worker"}
    assert remarks(found, "shop-tool is in no service")


def test_one_image_of_several_programs_stays_one(tmp_path: Path) -> None:
    dockerfile = 'FROM rust AS b\nRUN cargo build\nFROM debian\nCOPY --from=b /t/api /t/admin /usr/bin/\nCMD ["api"]\n'
    found = project(tmp_path, {"api": API, "admin": ADMIN}, {"Dockerfile": dockerfile})
    assert found.services == ()
    assert values(found, "image.entrypoint") == {"image.entrypoint": "api"}


def dockerfile(program: str, port: int) -> str:
    return (
        f"FROM rust AS build\nRUN cargo build --bin {program}\nFROM debian\nRUN apt-get install -y tzdata\n"
        f"COPY --from=build /target/debug/{program} /usr/bin/\nENV FOR={program}\nEXPOSE {port}\n"
        f'CMD ["{program}", "run"]\n'
    )


def test_dockerfiles_of_their_own_make_services(tmp_path: Path) -> None:
    files = {
        "api/Dockerfile": dockerfile("api", 81), "Dockerfile.hourly": dockerfile("hourly", 82),
        "docker/alpine/Dockerfile": dockerfile("api", 83), "dev/Dockerfile": dockerfile("third", 84),
        "Dockerfile.cli": dockerfile("shop-cli", 85),
    }  # fmt: skip
    programs = {"api": inside(""), "hourly": inside(""), "third": inside(""), "shop-cli": CLI}
    found = project(tmp_path, programs, files)
    assert services(found) == {
        "api": {"bins": "api", "port": 81, "image.env": {"FOR": "api"}, "image.expose": "81"},
        "hourly": {"bins": "hourly", "port": 82, "image.env": {"FOR": "hourly"}, "image.expose": "82"},
    }
    assert values(found, "image", "base") == {"image.cmd": "run", "base.runtime_packages": "tzdata"}
    alike = project(
        tmp_path / "b", programs, {"api/Dockerfile": dockerfile("api", 81), "D.Dockerfile": dockerfile("hourly", 81)}
    )
    assert {name: one["port"] for name, one in services(alike).items()} == {"api": 81, "hourly": 81}
    assert values(alike, "deploy", "image.expose") == {}, "two have one by chance"
    assert "- hourly  # from Dockerfile.hourly:8\n" in shown(found)
    assert set(found.files) == {"api/Dockerfile", "Dockerfile.hourly"}


COMPOSE = """\
services:
  api:
    build: {context: ., args: {BIN: shop-api}}
    ports: ["80:8080"]
    environment: {DATABASE_URL: "postgres://db/shop", LEVEL: info}
    depends_on: [db, mail_worker, migrate]
  mail_worker:
    build: {context: ., args: {BIN: shop-worker}}
    environment: {LEVEL: info, API: "http://api:8080"}
    depends_on: {db: {condition: service_healthy}}
  migrate:
    build: .
    command: [shop-api, migrate]
  tests:
    build: {context: ., target: tests}
  db: {image: "postgres:17"}
  mail: {image: "mailpit"}
"""
ONE_FOR_ALL = """\
FROM rust AS build
RUN cargo build
FROM debian AS tests
FROM debian
ARG BIN=shop-api
COPY --from=build /target/debug/$BIN /usr/bin/$BIN
ENTRYPOINT ["/usr/bin/$BIN"]
"""


def test_services_of_a_compose_file_are_services(tmp_path: Path) -> None:
    text = ONE_FOR_ALL.replace('ENTRYPOINT ["/usr/bin/$BIN"]\n', "ENTRYPOINT /usr/bin/$BIN\n")
    programs = {"shop-api": inside(""), "shop-worker": inside("")}
    found = project(tmp_path, programs, {"compose.yaml": COMPOSE, "Dockerfile": text})
    got = services(found)
    assert got["api"] == {
        "bins": "shop-api", "port": 8080, "needs": ["mail-worker", "db"], "image.expose": "8080", "deploy.publish": 80,
        "deploy.env": {"DATABASE_URL": "postgres://db/shop"},
    }  # fmt: skip
    assert got["mail-worker"] == {
        "bins": "shop-worker", "needs": "db", "deploy.env": {"API": "http://api:8080"},
    }  # fmt: skip
    assert values(found, "deploy") == {"deploy.env": {"LEVEL": "info"}}
    assert "#       - mail  # of compose.yaml:17: if it needs it\n" in shown(found)
    assert not remarks(found, "docker compose up -d db")
    assert remarks(found, "compose.yaml:7: mail_worker is called mail-worker here")


def test_one_program_in_two_ways_is_two_services(tmp_path: Path) -> None:
    compose = (
        "services:\n  web:\n    build: .\n    ports: ['8080']\n    command: [serve]\n"
        "  worker:\n    build: .\n    command: [work]\n"
    )
    dockerfile = 'FROM rust AS build\nRUN cargo build\nFROM debian\nENTRYPOINT ["shop"]\n'
    files = {"compose.yaml": compose, "Dockerfile": dockerfile}
    found = project(tmp_path, {"shop": inside("")}, files)
    assert {name: (one["bins"], one["deploy.args"]) for name, one in services(found).items()} == {
        "web": ("shop", "serve"), "worker": ("shop", "work"),
    }  # fmt: skip
    same = project(tmp_path, {"shop": inside("")}, {**files, "compose.yaml": compose.replace("work]", "serve]")})
    assert same.services == (), "two replicas of one program"


def test_what_others_wait_for_until_it_ends_is_no_service(tmp_path: Path) -> None:
    compose = (
        "services:\n  api: {build: ., command: api, depends_on: {prepare: {condition: CONDITION}}}\n"
        "  admin: {build: ., command: admin}\n  prepare: {build: ., command: prepare}\n"
    )
    programs = {"api": inside(""), "admin": inside(""), "prepare": inside("")}
    files = {"Dockerfile": "FROM rust AS build\nRUN cargo build\nFROM debian\n"}
    for condition, expected in (
        ("service_completed_successfully", {"api", "admin"}),
        ("service_started", {"api", "admin", "prepare"}),
    ):
        text = compose.replace("CONDITION", condition)
        found = project(tmp_path / condition, programs, {**files, "compose.yaml": text})
        assert set(services(found)) == expected


def test_a_stage_tells_which_program(tmp_path: Path) -> None:
    compose = "services:\n  a: {build: {context: ., target: one}}\n  b: {build: {context: ., target: two}}\n"
    text = (
        'FROM rust AS build\nRUN cargo build\nFROM debian AS one\nCMD ["first"]\nFROM debian AS two\nCMD ["second"]\n'
    )
    found = project(
        tmp_path, {"first": inside(""), "second": inside("")}, {"compose.yaml": compose, "Dockerfile": text}
    )
    assert {name: one["bins"] for name, one in services(found).items()} == {"a": "first", "b": "second"}


def test_a_dockerfile_of_somebody_else_s_is_not_read(tmp_path: Path) -> None:
    compose = "services:\n  db:\n    build: database\n"
    files = {"compose.yaml": compose, "database/Dockerfile": 'FROM debian\nUSER postgres\nCMD ["postgres"]\n'}
    found = project(tmp_path, {"api": API, "admin": ADMIN}, files)
    assert set(services(found)) == {"api", "admin"}
    assert "postgres" not in shown(found)


def test_an_address_in_the_sources_is_a_need(tmp_path: Path) -> None:
    asks = API.replace("{ ", '{ connect("postgres://shop@db/shop"); ', 1)
    found = project(tmp_path, {"api": asks, "admin": ADMIN}, {"compose.yaml": "services: {db: {image: postgres}}\n"})
    assert services(found)["api"]["needs"] == "db"
    assert "needs" not in services(found)["admin"]


PAGE = {
    "web/package.json": '{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "1"}}',
    "web/package-lock.json": "{}",
    "web/vite.config.ts": "x({server: {proxy: {'/api': 'http://localhost:8080', '/x': {target: 'http://127.0.0.1:1'}}}})",
}


def test_pages_that_no_program_serves_are_a_service(tmp_path: Path) -> None:
    found = project(tmp_path, {"shop": API}, PAGE)
    assert services(found) == {
        "api": {"bins": "shop", "port": 8080, "health": "/health"},
        "page": {"serve": "web", "port": 8088, "needs": "api", "static.proxy": {"/api": "http://api:8080"}},
    }
    assert values(found, "components") == {"components.web.path": "web", "components.web.output": "dist"}
    assert not remarks(found, "nothing here is seen to serve")


def test_a_page_is_called_as_a_compose_file_calls_it(tmp_path: Path) -> None:
    compose = "services:\n  api: {build: .}\n  front: {build: ./web}\n  db: {image: postgres}\n"
    files = {**PAGE, "compose.yaml": compose, "web/Dockerfile": 'FROM node\nCMD ["npm", "start"]\n'}
    found = project(tmp_path, {"shop": API}, files)
    assert services(found)["front"]["serve"] == "web"
    assert "- db  # of compose.yaml:4: if it needs it\n" in shown(found)
    assert "- front" not in shown(found)
    assert not remarks(found, "not started by layerdoit")


def test_services_and_components_have_names_of_their_own(tmp_path: Path) -> None:
    page = {name.replace("web/", "ui/api/"): text for name, text in PAGE.items()}
    found = project(tmp_path, {"api": API.replace("{ ", '{ ServeDir::new("ui/api/dist"); ', 1), "admin": ADMIN}, page)
    assert set(services(found)) == {"api", "admin"}
    assert values(found, "components.ui-api.path") == {"components.ui-api.path": "ui/api"}


def test_beside_a_program_that_does_not_serve_pages_are_a_comment(tmp_path: Path) -> None:
    found = project(tmp_path, {"shop": inside("")}, PAGE)
    assert services(found) == {}
    assert "#   web:\n" in shown(found)
    assert remarks(found, "which nothing here is seen to serve", "services: {page: {serve: web}}")


def test_pages_of_one_of_several_services_are_in_its_image_alone(tmp_path: Path) -> None:
    api = API.replace("{ ", '{ ServeDir::new("web/dist"); ', 1)
    found = project(tmp_path, {"api": api, "admin": ADMIN}, PAGE)
    assert set(services(found)) == {"api", "admin"}
    assert values(found, "components.web.into", "components.web.services") == {
        "components.web.into": "/srv/web/dist", "components.web.services": "api",
    }  # fmt: skip
