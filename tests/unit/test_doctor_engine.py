"""Rules about engine, network, credentials, sources and secrets; the report; questions that are asked in parallel."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from layerdoit.cache.model import Namesake
from layerdoit.doctor import (
    access,
    access_facts,
    context,
    dockerfiles,
    dodo_file,
    engine_checks,
    engine_facts,
    neighbours,
    secret_files,
    tree_facts,
)
from layerdoit.doctor.access import Probe
from layerdoit.doctor.diagnosis import report
from layerdoit.doctor.engine_facts import Engine, Failed
from layerdoit.doctor.examination import AREAS, examine
from layerdoit.doctor.finding import Fact, Finding, Item, Rule, Unchecked
from layerdoit.project.checkouts import Checkout
from layerdoit.tree.lister import Lister
from layerdoit.tree.sources import scan
from tests.support.ports import unheard

GB = 10**9


def levels(items: Iterable[Item]) -> dict[str, str]:
    return {item.id: item.level for item in items if isinstance(item, Finding)}


def an_engine(
    *, system: str = "linux", skew: float | None = 0.1, disk: tuple[int, int] | str = (50 * GB, 100 * GB)
) -> Engine:
    return Engine("unix:///var/run/docker.sock", "26.1.5", "amd64", system, skew, disk)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (an_engine(), {}),
        (Failed("no Docker engine answers", "start it"), {"engine-unreachable": "error"}),
        (an_engine(system="windows"), {"engine-not-linux": "error"}),
        (an_engine(disk=(9 * GB, 100 * GB)), {"disk": "warning"}),
        (an_engine(disk=(1 * GB, 100 * GB)), {"disk": "error"}),
        (an_engine(skew=-60.0), {"clock": "warning"}),
        (an_engine(skew=4.0), {}),
    ],
)
def test_engine(found: Engine | Failed, said: dict[str, str]) -> None:
    assert levels(engine_checks.engine(found)) == said


def test_what_the_engine_does_not_tell_is_not_checked() -> None:
    items = list(engine_checks.engine(an_engine(skew=None, disk="elsewhere")))
    assert [item.what for item in items if isinstance(item, Unchecked)] == ["space for images", "clock difference"]


def test_clock_of_the_engine() -> None:
    assert engine_facts._skew("2026-11-21T11:18:39.844989013Z", 1_795_259_919.844989) == pytest.approx(0, abs=1e-3)
    assert engine_facts._skew("2026-11-21T12:18:49+01:00", 1_795_259_919.0) == pytest.approx(10)
    assert engine_facts._skew("", 0.0) is None


def test_buildx() -> None:
    assert levels(engine_checks.buildx((0, 13, 1))) == {}
    assert levels(engine_checks.buildx((0, 12, 9))) == {"buildx": "error"}
    assert levels(engine_checks.buildx(Failed("missing", ""))) == {"buildx": "error"}


INSPECTED = """\
Name:          default
Driver:        docker

Nodes:
Name:             default
Endpoint:         default
Status:           running
Platforms:        linux/amd64, linux/amd64/v2, linux/arm64*
GC Policy rule#0:
 All:            false
 Filters:        type==source.local,type==exec.cachemount,type==source.git.checkout
 Keep Duration:  48h0m0s
 Keep Bytes:     488.3MiB
"""


def test_builder() -> None:
    found = engine_facts.inspected("default", INSPECTED)
    assert (found.driver, found.status) == ("docker", "running")
    items = list(engine_checks.builder(found))
    assert Fact("platforms", "linux/amd64, linux/arm64") in items
    assert levels(items) == {}
    assert levels(engine_checks.mounts(found, 400 * 10**6)) == {}
    assert levels(engine_checks.mounts(found, 600 * 10**6)) == {"gc-mounts": "hint"}
    assert levels(engine_checks.mounts(found, None)) == {}
    other = engine_facts.inspected("far", INSPECTED.replace("Driver:        docker", "Driver:        remote"))
    assert levels(engine_checks.builder(other)) == {}
    assert levels(engine_checks.builder(dataclasses.replace(other, status="inactive"))) == {"builder": "error"}
    silent = dataclasses.replace(other, driver="", status="")
    (item,) = engine_checks.builder(silent)
    assert isinstance(item, Unchecked), "older buildx without an engine: of no kind, which is no reason to warn"
    assert levels(engine_checks.builder(Failed("no", "fix"))) == {"builder": "error"}


def test_a_builder_that_does_not_run_says_nothing_of_its_garbage_collection() -> None:
    found = engine_facts.inspected("x", INSPECTED.replace("running", "inactive"))
    assert [type(item) for item in engine_checks.mounts(found, 10**9)] == [Unchecked]


def test_no_op() -> None:
    assert levels(engine_checks.no_op(0.2, 2000)) == {}
    assert levels(engine_checks.no_op(1.5, 2000)) == {"slow-no-op": "warning"}


# --- network and credentials -----------------------------------------------------------------------------------------

INDEX = "registry+https://github.com/rust-lang/crates.io-index"


def test_where_crates_come_from() -> None:
    locked = [
        INDEX,
        "git+https://git.example.com/a?rev=1#2",
        "git+ssh://git@code.example.com/b#3",
        "sparse+https://own.example.com/index/",
    ]
    found = access.sources(
        locked, {"registries": {"own": {"index": "sparse+https://own.example.com/index/"}, "idle": {"index": "x"}}}
    )
    assert found.hosts[0] == "git.example.com"
    assert found.hosts[1].startswith("index.")
    assert found.hosts[2:] == ("own.example.com",)
    assert found.ssh == ("code.example.com",)
    assert found.registries == ("own",)


def test_replaced_and_vendored_sources() -> None:
    mirror = {"source": {"crates-io": {"replace-with": "m"}, "m": {"registry": "sparse+https://mirror.example.com/"}}}
    assert access.sources([INDEX], mirror).hosts == ("mirror.example.com",)
    vendored = {"source": {"crates-io": {"replace-with": "v"}, "v": {"directory": "vendor"}}}
    assert access.sources([INDEX], vendored).hosts == ()
    circle = {"source": {"crates-io": {"replace-with": "a"}, "a": {"replace-with": "crates-io"}}}
    access.sources([INDEX], circle)


def test_network() -> None:
    assert levels(access.network([Probe("a.example.com")], ())) == {}
    assert levels(access.network([Probe("a", "dns", "unknown")], ())) == {"dns": "warning"}
    assert levels(access.network([Probe("a", "tls", "self-signed")], ())) == {"tls": "warning"}
    silent = list(access.network([Probe("a", "connect", "timed out")], ()))
    assert [type(item) for item in silent] == [Unchecked]
    proxied = list(access.network([], ("HTTPS_PROXY",)))
    assert levels(proxied) == {}
    assert any(isinstance(item, Unchecked) for item in proxied)


def test_probe_of_nobody() -> None:
    assert access_facts.probe("nobody.invalid", None).kind == "dns"
    with unheard() as port:
        assert access_facts.probe("localhost", None, port).kind == "connect"


def test_credentials() -> None:
    def said(
        logins: tuple[str, ...], repository: str | None, tokens: tuple[str, ...], wanted: tuple[str, ...]
    ) -> set[str]:
        return set(levels(access.credentials(logins, repository, tokens, wanted, ())))

    assert said((), None, (), ()) == set()
    assert said((), "r.example.com/team/shop", (), ()) == {"registry-login"}
    assert said(("r.example.com",), "r.example.com/team/shop", (), ()) == set()
    assert said(("*",), "r.example.com/team/shop", (), ()) == set()
    assert said((), "localhost:5000/shop", (), ()) == set()
    assert said((), "team/shop", (), ()) == {"registry-login"}
    assert said(("docker.io",), "team/shop", (), ()) == set()
    assert said((), None, (), ("own",)) == {"cargo-token"}
    assert said((), None, ("own",), ("own",)) == set()


def test_ssh() -> None:
    assert levels(access.ssh((), agent=False, keys=None)) == {}
    assert levels(access.ssh(("h",), agent=False, keys=None)) == {"ssh-agent": "warning"}
    assert levels(access.ssh(("h",), agent=True, keys=0)) == {"ssh-agent": "warning"}
    assert levels(access.ssh(("h",), agent=True, keys=None)) == {}
    assert levels(access.ssh(("h",), agent=True, keys=1)) == {}


def test_logins_are_read_by_name_only(tmp_path: Path) -> None:
    config = {
        "auths": {"https://index.docker.io/v1/": {"auth": "c2VjcmV0"}, "r.example.com": {}},
        "credHelpers": {"x.example.com": "y"},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert access_facts.docker_logins({"DOCKER_CONFIG": str(tmp_path)}) == (
        "docker.io",
        "r.example.com",
        "x.example.com",
    )
    (tmp_path / "config.json").write_text("{broken")
    assert access_facts.docker_logins({"DOCKER_CONFIG": str(tmp_path)}) == ()
    tokens = '[registry]\ntoken = "one"\n[registries.own]\ntoken = "two"\n'
    assert access_facts.cargo_tokens(tokens) == ("the default registry", "own")
    assert access_facts.cargo_tokens(None) == ()


# --- sources and secrets ---------------------------------------------------------------------------------------------


def test_context() -> None:
    def said(sizes: dict[str, int], assets: dict[str, int] | None = None) -> list[str]:
        items = context.context(context.Context(sizes, assets or {}))
        return [f"{item.id} {item.where}" for item in items if isinstance(item, Finding)]

    mb = 10**6
    assert said({"src/main.rs": 1000, "Cargo.lock": 9 * mb, "src/parser.c": 9 * mb}) == []
    assert said({"src/main.rs": 1000, "demo.mp4": 6 * mb}) == ["context-large-file demo.mp4"]
    assert said({"src/main.rs": 1000}, {"assets/film.mp4": 90 * mb}) == []
    many = {f"data/part{number}.bin": 4 * mb for number in range(8)}
    assert said({"src/main.rs": 1000, **many}) == ["context-large-file data"]
    # where code is among it, nobody can leave the folder out
    assert said({"data/lib.rs": 1000, **many}) == []
    assert said({"src/main.rs": 1000, "a.bin": 201 * mb}) == ["context-large None", "context-large-file a.bin"]


KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAx0Zk3jvQ5Wq8rTnYb1uLdPfHc2sVgX7eJmKzN9oUaBtRiSyE\n"
AWS = "AKIA" + "QZ7RM2KXW4PT6LVB"
GITHUB = "ghp_" + "aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW2xY4"


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("deploy/key.pem", KEY, ("a private key", 1)),
        ("config.toml", f'a = 1\nkey = "{AWS}"\n', ("an AWS access key", 2)),
        ("ci.yml", f"x\ny\ntoken: {GITHUB}\n", ("a GitHub token", 3)),
        ("service.json", '{"private_key": "' + KEY.replace("\n", "\\n") + '"}', ("a private key", 1)),
        (".env", "RUST_LOG=info\nSTRIPE_SECRET=9f8a7d6c5b4e\n", ("the value of STRIPE_SECRET", 2)),
        (".env.production", "export API_TOKEN='k3j4h5g6f7d8'\n", ("the value of API_TOKEN", 1)),
        (".env", "DATABASE_URL=postgres://me:hunter22@db.example.com/x\n", ("the value of DATABASE_URL", 1)),
        (".netrc", "machine h login me password x\n", ("a password", 1)),
        (".npmrc", "//r.example.com/:_authToken=0a9b8c7d\n", ("a token", 1)),
    ],
)
def test_secrets_are_found(path: str, text: str, said: tuple[str, int]) -> None:
    (found,) = secret_files.in_content(path, text.encode())
    assert (found.what, found.line) == said
    assert not found.made_up


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/pem.rs", 'if text.contains("-----BEGIN PRIVATE KEY-----") { parse() }\n'),
        ("README.md", "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----\n"),
        ("cert.pem", KEY.replace("RSA PRIVATE KEY", "CERTIFICATE")),
        ("key.pub", KEY.replace("PRIVATE", "PUBLIC")),
        ("docs.md", "AKIAIOSFODNN7EXAMPLE\n"),
        ("docs.md", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"),
        (".env.example", "API_TOKEN=k3j4h5g6f7d8\n"),
        (".env", "RUST_LOG=info\nAPI_TOKEN=\nSECRET=changeme\nTOKEN_FILE=/run/secrets/token\nPASSWORD=${PASSWORD}\n"),
        (".env", "DATABASE_URL=postgres://postgres:password@localhost:5432/dev\n"),
        (".env", "DATABASE_URL=postgres://postgres:password@db/dev\n"),
        (".npmrc", "//r.example.com/:_authToken=${NPM_TOKEN}\n"),
        ("src/social.rs", 'const SOCIOLOGICAL: &str = "precious";\n'),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_secret(path: str, text: str) -> None:
    assert list(secret_files.in_content(path, text.encode())) == []


def test_secrets_by_where_they_stand() -> None:
    def said(path: str, text: str = KEY, assets: frozenset[str] = frozenset()) -> dict[str, str]:
        return levels(secret_files.findings(list(secret_files.in_content(path, text.encode())), assets))

    assert said("deploy/key.pem") == {"secret-in-context": "warning"}
    assert said("deploy/key.pem", assets=frozenset({"deploy/key.pem"})) == {"secret-in-image": "error"}
    for path in (
        "tests/data/key.pem",
        "crates/x/tests/key.pem",
        "src/key_tests.rs",
        "dev/dummy-idp.key",
        "src/test_keys.rs",
    ):
        assert said(path) == {"secret-in-tests": "hint"}, path
    assert said("src/contest.rs") == {"secret-in-context": "warning"}
    assert said("src/key.rs", f"fn main() {{}}\n#[cfg(test)]\nmod tests {{\n{KEY}") == {"secret-in-tests": "hint"}
    # a list of what tokens look like
    assert said("src/detect.rs", f"{KEY}\n{AWS}\n{GITHUB}\n") == {"secret-in-tests": "hint"}
    by_name = secret_files.by_name("prod.p12")
    assert levels(secret_files.findings([by_name] if by_name else [], frozenset())) == {"secret-in-context": "warning"}
    assert secret_files.by_name("src/p12.rs") is None


def test_no_value_is_ever_told(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text("")
    (tmp_path / ".env").write_text("API_TOKEN=k3j4h5g6f7d8\n")
    (tmp_path / "key.pem").write_text(KEY)
    (tmp_path / "blob.bin").write_bytes(b"\0" + KEY.encode())
    (tmp_path / "link").symlink_to("key.pem")
    tree = tree_facts.collect(scan(Lister(tmp_path), index_file=None), frozenset({"key.pem"}))
    found = report(secret_files.findings(tree.secrets, frozenset(tree.context.assets)))
    assert [finding.where for finding in found.findings] == ["key.pem:1", ".env:1"]
    assert set(tree.context.assets) == {"key.pem"}
    said = "\n".join(found.lines()) + json.dumps(found.as_json())
    assert "k3j4" not in said
    assert "MIIE" not in said


# --- report and questions --------------------------------------------------------------------------------------------

RULE = Rule("x", "warning", "Something.", "because", "do it")


def test_report() -> None:
    warned = report(
        [RULE.found("b", "f:2"), Fact("engine", "26"), RULE.found("a", level="error"), Unchecked("c", "why")]
    )
    assert [finding.what for finding in warned.findings] == ["a", "b"]
    text = "\n".join(warned.lines())
    assert "error: a [x]\n  why: because\n  fix: do it" in text
    assert "warning: f:2: b [x]" in text
    assert "not checked: c: why" in text
    assert text.endswith("1 error, 1 warning.")
    assert json.loads(json.dumps(warned.as_json()))["facts"] == {"engine": "26"}


def test_exit_codes() -> None:
    def code(*found: str, strict: bool = False) -> int:
        return report([RULE.found(level, level=level) for level in found]).exit_code(strict=strict)  # type: ignore[arg-type]

    assert (code(), code("hint"), code("warning"), code("error", "warning")) == (0, 0, 0, 1)
    assert (code(strict=True), code("hint", strict=True), code("warning", strict=True)) == (0, 0, 2)
    assert code("error", "warning", strict=True) == 1


def test_all_clear_is_short() -> None:
    assert report([]).lines() == ["", "No problems found."]
    assert report([RULE.found("a", level="hint")]).lines()[-1] == "No errors or warnings; 1 hint."


def test_every_rule_has_an_id_of_its_own() -> None:
    names = [rule.id for rules in AREAS.values() for rule in rules]
    assert len(names) == len(set(names))
    assert set(dockerfiles.RULES) <= {rule for rules in AREAS.values() for rule in rules}


def test_a_dodo_that_is_not_python(tmp_path: Path) -> None:
    """doit itself answers with a traceback."""
    file = tmp_path / "dodo.py"
    assert list(dodo_file.dodo(tmp_path)) == []
    for text, where, fix in (
        ("import layerdoit\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n", "dodo.py:2", "git add dodo.py"),
        ("a = 1\ndef f(:\n", "dodo.py:2", "correct that line"),
    ):
        file.write_text(text)
        (found,) = dodo_file.dodo(tmp_path)
        assert (found.id, found.where) == ("dodo-broken", where)
        assert fix in found.fix
    file.write_text("from layerdoit import task_layerdoit\n")
    assert list(dodo_file.dodo(tmp_path)) == []


def test_others_of_the_name_are_named() -> None:
    place = Checkout("0123abcd", "/w/feature", "gone", "feature")
    said = list(neighbours.neighbours("shop", [Namesake("/other (git repository x)", 2, 1)], [place]))
    assert said[0] == Fact("other checkouts", "checkout gone: /w/feature")
    assert levels(said) == {"namesakes": "hint"}
    assert "2 images and 1 mount here: /other (git repository x)" in str(said[1])
    assert list(neighbours.neighbours("shop", [], [])) == []


def test_of_a_project_that_cannot_be_read_the_machine_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the dodo.py beside it."""
    monkeypatch.setattr(engine_facts, "engine", lambda: Failed("no Docker engine answers", "start it"))
    monkeypatch.setattr(engine_facts, "buildx", lambda: (0, 13, 1))
    (tmp_path / ".layerdoit").touch()
    (tmp_path / "dodo.py").write_text("<<<<<<< HEAD\n")
    found = {one.id for one in examine(tmp_path, {}).findings}
    assert found == {"engine-unreachable", "unreadable", "dodo-broken"}
