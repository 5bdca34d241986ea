"""layerdoit.yaml: what is accepted, what is refused with which words and line, and what a no-op costs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from layerdoit import config
from layerdoit.config import Config, load, reading, shipped
from layerdoit.core.errors import ConfigError
from layerdoit.core.state import State
from layerdoit.project.settings_cache import SettingsCache


def loaded(root: Path, text: str | None = None, overlay: str | None = None, **variables: str) -> Config:
    if text is not None:
        (root / "layerdoit.yaml").write_text(text, encoding="utf-8")
    above = root / "above.yaml" if overlay is not None else None
    if above is not None:
        above.write_text(overlay or "", encoding="utf-8")
    with contextlib.suppress(FileExistsError):
        (root / ".layerdoit").mkdir()
    return load(root, overlay=above, variables=variables, cache=SettingsCache(State(root / ".layerdoit")))


def refused(root: Path, text: str | None = None, overlay: str | None = None, **variables: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(root, text, overlay, **variables)
    assert caught.value.exit_code == 2
    return str(caught.value)


BAD = [
    # (yaml, line, parts of the message)
    ("profil: dev", 1, ['unknown key "profil"', 'did you mean "profile"?', "valid keys: project, packages"]),
    ("image:\n  tag: [a]", 2, ['unknown key "image.tag"', 'did you mean "tags"?', "valid keys of image:"]),
    ("deploy:\n  health:\n    pth: /", 3, ['"deploy.health.pth"', '"path"', "path, status, text"]),
    ("port: 80", 1, ['unknown key "port"', 'did you mean "deploy.port"?']),
    ("zzz: 1", 1, ['unknown key "zzz"', "valid keys:"]),
    ("source: [a]", 1, ['unknown key "source"', 'did you mean "sources"?']),
    ("features: a", 1, ['features: expected a list of features, got "a"', "[a]"]),
    ("features: [a, [b]]", 1, ["features[1]: expected a feature, got a list"]),
    ("features:\n  - a\n  - a", 3, ['features[1]: "a" is listed twice']),
    ("all_features: 1", 1, ["all_features: expected true or false, got the number 1"]),
    ("profile: [dev]", 1, ["profile: expected a cargo profile, got a list"]),
    ("profile: debug", 1, ['expected a cargo profile, got "debug"', "dev, release"]),
    ("profile:", 1, ["profile: expected a cargo profile, got nothing"]),
    ("target: linux", 1, ['expected a target triple, got "linux"', "x86_64-unknown-linux-musl"]),
    ("toolchain: true", 1, ["expected a Rust toolchain, got the boolean true"]),
    (
        "env:\n  A: b\n  GH_TOKEN: x",
        3,
        ["env.GH_TOKEN:", "looks like a secret", "build secrets", "not_secret: [GH_TOKEN]"],
    ),
    ("env: {DB_PASSWORD: x}", 1, ['"DB_PASSWORD" looks like a secret']),
    ("env: {GH_PAT: x}", 1, ['"GH_PAT" looks like a secret']),
    ("env: {SIGNING_KEY: x}", 1, ['"SIGNING_KEY" looks like a secret']),
    ("env: {URL: 'https://me:hunter2@host/'}", 1, ["env.URL", "holds a password in an address"]),
    ("image: {env: {API_SECRET: x}}", 1, ["image.env.API_SECRET", "deploy.env"]),
    (
        "image:\n  labels:\n    a: b\n    org.example.token: x",
        4,
        ["image.labels.org.example.token", "looks like a secret"],
    ),
    ("image: {env: {GREETING: glpat-abcdefgh}}", 1, ['the value of "GREETING" holds a GitLab token', "[GREETING]"]),
    ("env: {1A: x}", 1, ['env.1A: expected a variable name, got "1A"']),
    ('env: {A: x, B: "a\\0b"}', 1, ["env.B: ", "the character NUL"]),
    ("image: {labels: {a=b: x}}", 1, ["expected a label outside io.layerdoit, without blanks and =, got"]),
    ("env: {A: [x]}", 1, ["env.A: expected text, got a list"]),
    ("env: [A]", 1, ["env: expected a mapping of variable names to text, got a list"]),
    ("base: {builder: imag}", 1, ["base.builder: expected one of auto, image, bootstrap", 'did you mean "image"?']),
    ("base:\n  on_missing: [pull, biuld]", 2, ["base.on_missing[1]:", 'did you mean "build"?']),
    ("base: {on_missing: fial}", 1, ["or the word fail", 'did you mean "fail"?']),
    ("base: {on_missing: [pull, fail]}", 1, ["base.on_missing[1]"]),
    ("base: {packages: [Bad Name]}", 1, ['base.packages[0]: expected a Debian package name, got "Bad Name"']),
    ("base: []", 1, ["base: expected a mapping, got a list"]),
    ("deps: {max_chain: 0}", 1, ["expected a number from 1 to 100, got the number 0"]),
    (
        "deps: {sccache: {redis: 'redis://u:p4ss@cache:6379'}}",
        1,
        ["deps.sccache.redis: a login has no place in an address", "SCCACHE_REDIS_PASSWORD"],
    ),
    ("deps: {sccache: {redis: cache}}", 1, ["deps.sccache.redis: expected an address such as redis://cache.exam"]),
    ("deps: {sccache: {redis: 'redis://a', webdav: 'http://b'}}", 1, ["deps.sccache names 2 stores (redis, webdav)"]),
    ("deps: {sccache: {s3: {region: eu-1}}}", 1, ["deps.sccache.s3 names no bucket"]),
    ("deps: {sccache: {prefix: team}}", 1, ["deps.sccache names no store", "set one of redis, s3, webdav"]),
    ("deps: {sccache: {redis: 'redis://a'}}\nenv: {RUSTC_WRAPPER: mine}", 2, ["env.RUSTC_WRAPPER and deps.sccache"]),
    ("deps:\n  lenders: [3]", 2, ["deps.lenders[0]: expected an image repository without a tag, got the number 3"]),
    ("deps: {lenders: [a/b, UPPER/case]}", 1, ["deps.lenders[1]: expected an image repository", 'got "UPPER/case"']),
    ("deps: {donors: none}", 1, ['expected true, false or private, got "none"']),
    ("deps: {max_chain: true}", 1, ["got the boolean true"]),
    ("image: {repository: Team/Shop}", 1, ["image.repository: expected an image repository", "lower-case letters"]),
    ("image: {tags: ['-x']}", 1, ["image.tags[0]: expected an image tag"]),
    ("image: {workdir: srv}", 1, ['expected an absolute path, got "srv"']),
    ("image: {assets: {../x: /srv}}", 1, ["expected a path inside the project"]),
    ("image: {assets: {static: srv}}", 1, ["image.assets.static: expected an absolute path"]),
    ("image: {labels: {io.layerdoit.key: x}}", 1, ["expected a label outside io.layerdoit"]),
    (
        "image:\n  smoke:\n    - --ok\n    - --name 'a",
        4,
        ["image.smoke[1]: a quote is not closed in", "as a shell does"],
    ),
    ("image: {smoke: ['a\\']}", 1, ["image.smoke[0]: nothing follows the last backslash in"]),
    ("registry: {push: [apps]}", 1, ["registry.push[0]: expected one of base, deps, app", '"app"']),
    ('publish: {tags: ["{versoin}"]}', 1, ["publish.tags[0]", "there is no {versoin}", '"version"']),
    ('publish:\n  tags:\n    - "{rust}"', 3, ["publish.tags[0]", "there is no {rust}"]),
    ("publish: {tags: [{version}]}", 1, ["braces begin a mapping", 'write it in quotes: "{version}"']),
    ('publish: {base_tags: ["base {date}"]}', 1, ["publish.base_tags[0]", "a tag with names in braces"]),
    ('publish: {tags: ["{version"]}', 1, ["gives no tag of an image"]),
    ("publish: {tags: []}", 1, ["at least 1 item"]),
    ("publish: {repository: shop:1}", 1, ["an image repository without a tag"]),
    ("registry: {repository: 1.10}", 1, ["registry.repository: expected an image repository", "the number 1.10"]),
    ("registry: {repository: UPPER/case}", 1, ["registry.repository: expected an image repo", "lower-case"]),
    ("registry:\n  push: [app]", 2, ["registry.repository is not set", "REGISTRY="]),
    ("registry:\n  pull: [app]", 2, ["registry.pull names layers", "registry.repository is not set", "REGISTRY="]),
    ("dockerfiles:\n  app: no/such", 2, ['dockerfiles.app: there is no file "no/such"']),
    ("dockerfiles: {app: /etc/passwd}", 1, ["expected a path inside the project"]),
    ("deploy: {port: 70000}", 1, ["deploy.port: expected a port from 1 to 65535, got the number 70000"]),
    ("deploy: {publish: 80}", 1, ["deploy.publish needs deploy.port"]),
    ("deploy: {bind: localhost}", 1, ["deploy.bind: expected an IP address", "127.0.0.1"]),
    ("deploy: {health: {timeout: 0}}", 1, ["deploy.health.timeout: expected a number of seconds"]),
    ("deploy: {health: {status: [200]}}", 1, ["deploy.health.status is about the answer", "path: /"]),
    ("deploy: {health: {text: ok}}", 1, ["deploy.health.text is about the answer"]),
    ("deploy: {health: {path: /}}", 1, ["deploy.health.path needs deploy.port"]),
    ("deploy:\n  health:\n    tcp: true", 3, ["deploy.health.tcp needs deploy.port"]),
    ("deploy: {port: 80, health: {status: [20]}}", 1, ["deploy.health.status[0]: expected an HTTP status"]),
    ("deploy: {port: 80, health: {status: 200}}", 1, ["deploy.health.status: expected a list", "[200]"]),
    ('deploy: {health: {log: "ready ("}}', 1, ["deploy.health.log", "no regular expression", "character 7"]),
    ("deploy: {restart: sometimes}", 1, ["deploy.restart: expected one of unless-stopped, always"]),
    ("deploy: {memory: 512}", 1, ["deploy.memory: expected a size such as 500MB"]),
    ("deploy: {cpus: 0}", 1, ["deploy.cpus: expected a number of processors"]),
    ("deploy: {gap: never}", 1, ["deploy.gap: expected one of short, none"]),
    ("deploy: {gap: none}", 1, ["deploy.gap: none needs deploy.port"]),
    ("deploy: {port: 80, network: bridge, gap: none}", 1, ["deploy.gap: none finds the container by its name"]),
    ("deploy: {port: 80, drain: -1}", 1, ["deploy.drain: expected a number of seconds"]),
    ("deploy: {health: {command: []}}", 1, ["deploy.health.command", "at least 1"]),
    ("deploy: {volumes: [data]}", 1, ["deploy.volumes[0]: expected a volume as source:target[:options]"]),
    ("retention: {app: {min_age: 7}}", 1, ["retention.app.min_age: expected a duration such as 90m, 12h, 7d"]),
    ("retention: {app: {max_bytes: 20}}", 1, ["retention.app.max_bytes: expected a size such as 500MB or 20GB"]),
    ("retention: {keep_last: 3}", 1, ['unknown key "retention.keep_last"', "did you mean"]),
    (
        "registry:\n  retention:\n    keep_tags: ['v 1']",
        3,
        ['registry.retention.keep_tags[0]: expected a pattern of tags, got "v 1"'],
    ),
    (
        "registry: {retention: {protect: [all]}}",
        1,
        ["registry.retention.protect[0]: expected one of released"],
    ),
    ("registry: {retention: {app: {keep: 3}}}", 1, ['unknown key "registry.retention.app.keep"']),
    ("retention: {protect: [all]}", 1, ["retention.protect[0]: expected one of current, worktrees"]),
    ("project: a\nprofile: dev\nproject: b", 3, ['duplicate key "project"', "line 1 already has it"]),
    ("env: {A: x, A: y}", 1, ['duplicate key "A"']),
    ("project: [", 1, ["broken YAML"]),
    ("project: a\n\tprofile: b", 2, ["broken YAML", "spaces, not tabs"]),
    ("project: *x", 1, ["broken YAML", "alias"]),
    ("project: a\n---\nproject: b", 2, ["broken YAML", "document"]),
    ("project: \x07", 1, ["broken YAML"]),
    ("project: !vault abc", 1, ['the YAML tag "!vault" is not supported']),
    ("? [a]\n: b", 1, ["a key must be text"]),
    ("a: &a [*a]", 1, ["nested too deeply"]),
    ("- a", 1, ["the file: expected a mapping, got a list"]),
    ("just words", 1, ["the file: expected a mapping"]),
]


@pytest.fixture(params=["libyaml", "python"])
def _either_yaml(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML with libyaml, as most have it, and without."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


@pytest.mark.usefixtures("_either_yaml")
@pytest.mark.parametrize(("text", "line", "parts"), BAD, ids=[repr(case[0])[:40] for case in BAD])
def test_bad_input_is_told_with_its_line(tmp_path: Path, text: str, line: int, parts: list[str]) -> None:
    first = refused(tmp_path, text)
    assert first.startswith(f"layerdoit.yaml:{line}: ")
    for part in parts:
        assert part in first
    assert refused(tmp_path) == first  # the same words from the cache of parsed files


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "layerdoit.yaml").write_bytes(b"project: a\nenv: {A: \xff}\n")
    assert refused(tmp_path).startswith("layerdoit.yaml:2: the file is not UTF-8 text")


EVERYTHING = """
project: My Shop
packages: [api, cli]
bins: [api]
profile: release
warnings: count
features: [tls, api/http2]
all_features: true
default_features: false
target: x86_64-unknown-linux-musl
toolchain: 1.80
env: {RUSTFLAGS: -C target-cpu=native, N: 1.10, ON: yes}
not_secret: [JWT_KEY]
build: {git: full, binary: bin/any}
sources: {include: [gen/*.rs], exclude: ["*.md"]}
base: {builder: image, image: rust:1.80-slim, runtime_image: debian:trixie-slim, suite: bookworm,
       packages: [libssl-dev], runtime_packages: [libssl3, "g++"], targets: [wasm32-unknown-unknown],
       on_missing: fail}
deps: {delta: false, donors: private, max_chain: 3, env: [APP_WORD], lenders: [registry.example.com/team/crm],
       sccache: {redis: "rediss://cache.example.com:6380/2", prefix: team/a, program: /opt/sccache,
                 credentials: ~/.sccache.env}}
image: {repository: "localhost:5000/team/shop", tags: [latest, 1.10], entrypoint: api, cmd: [serve, serve],
        env: {LOG: info}, labels: {org.opencontainers.image.title: Shop}, user: "1000:1000", workdir: /app,
        expose: [8080, 53/udp], assets: {static: /srv/static}, smoke: [--version],
        check_libraries: false, stop_signal: SIGINT}
registry: {repository: registry.example.com/team/layers, pull: [deps], push: [deps, app], strict: true,
           retention: {keep_tags: ["v*"], protect: [pinned],
                       base: {keep_last: 1, max_bytes: 1GB, min_age: 2d},
                       deps: {keep_last: 2, max_bytes: 2GB, min_age: 3d},
                       app: {keep_last: 3, max_bytes: 3GB, min_age: 4d},
                       artefacts: {keep_last: 4, max_bytes: 4GB, min_age: 5d},
                       versions: {keep_last: 5, max_bytes: 5GB, min_age: 6d}}}
platforms: [amd64, linux/arm64]
publish: {repository: registry.example.com/team/shop, tags: ["{version}"], base_tags: ["base-{rust}"], check: [-V],
          sbom: true, provenance: true, sign: cosign.key}
cross: never
builder: farm
builders: {amd64: near, linux/arm64: far}
dockerfiles: {base: docker/Any, deps: docker/Any, app: docker/Any}
deploy: {name: shop, port: 8080, publish: 0, bind: "::1", verify: [./look],
         health: {path: /health, status: [204], text: ok, tcp: true, command: "true", log: ready, platform: true,
                  timeout: 5},
         provider: compose, secrets: [DB_TOKEN], restart: no, memory: 512MB, cpus: 0.5, gap: none, drain: 5,
         compose: {file: [a.yaml], service: web, strategy: beside, project: shop},
         kubernetes: {context: c, namespace: n, manifests: [k8s], kustomize: k, image: shop, deadline: 10},
         azure: {subscription: s, resource_group: g, app: a, container: c, deadline: 10},
         command: {deploy: d, status: s, rollback: r, logs: l, destroy: x, changes: c},
         env: {DB_PASSWORD: x}, env_file: .env, volumes: ["data:/data:ro"], args: [serve], network: shop,
         isolated_start: false, stop_grace: 0.5}
hooks: {before_build: a, after_build: [b], before_deploy: [c], after_deploy: [d], on_failure: [e]}
environments: {default: staging, require_environment: true, prod: {require: [clean, branch: main], confirm: true}}
retention: {after_build: true, keep_tags: ["v*"], protect: [current],
            base: {keep_last: 2, max_bytes: 5GB, min_age: 4w}, deps: {keep_last: 3, max_bytes: 20GB, min_age: 7d},
            app: {keep_last: 0, max_bytes: 1.5GiB, min_age: 90m}, mounts: {keep_last: 1, max_bytes: 30GB, min_age: 2d}}
targets: {deps_hit_rate: ">80%", leaf_edit: "<5s"}
watch: {settle: 5, reload: assets, overlap: true, logs: false, stop: true}
ci:
  workflows: [build]
  branches: [trunk]
  runners: {arm64: big-arm}
  login: job
  install: [-r, requirements.txt]
  timeout: 30
  base_cron: 0 5 * * 1
  registry_cron: 0 5 * * 2
"""


# What cannot stand beside it: there is one store.
INSTEAD = {
    "deps.sccache.s3": "deps: {sccache: {s3: {bucket: team, region: eu-1, endpoint: https://s3.example.com}}}",
    "deps.sccache.webdav": "deps: {sccache: {webdav: https://cache.example.com/dav}}",
}


def test_every_setting_is_read(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/Any").touch()
    default = Config()
    for number, (path, text) in enumerate(INSTEAD.items()):
        (tmp_path / str(number)).mkdir()
        other = loaded(tmp_path / str(number), text)
        for name, _ in reading.flat(Config):
            assert not name.startswith(path) or value_at(other, name) != value_at(default, name), name
    got = loaded(tmp_path, EVERYTHING)
    for name, _ in reading.flat(Config):
        if name.startswith(tuple(INSTEAD)):
            continue
        assert value_at(got, name) != value_at(default, name), name
        assert name in got.where
    assert got.project == "my-shop"
    assert got.toolchain == "1.80"  # as written, not the number 1.8
    assert got.env == {"RUSTFLAGS": "-C target-cpu=native", "N": "1.10", "ON": "yes"}
    assert got.image.tags == ("latest", "1.10")
    assert got.image.expose == ("8080", "53/udp")
    assert got.base.on_missing == ()
    assert got.platforms == ("linux/amd64", "linux/arm64")
    assert got.deploy.health.command == ("/bin/sh", "-c", "true")
    assert (got.deploy.restart, got.deploy.secrets) == ("no", {"DB_TOKEN": None})
    assert got.environments["prod"] == {"require": ("clean", "branch=main"), "confirm": True}
    assert (got.environment, got.named) == ("staging", False)
    assert got.source == (tmp_path / "layerdoit.yaml",)
    assert loaded(tmp_path) == got  # from the cache


def value_at(settings: Any, dotted: str) -> Any:
    for name in dotted.split("."):
        settings = getattr(settings, name)
    return settings


def test_no_file_is_the_default(tmp_path: Path) -> None:
    got = loaded(tmp_path)
    assert got == Config()
    assert got.source == ()
    assert os.listdir(tmp_path / ".layerdoit") == []


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "base:\n", "base: {}\nenv:\n", "target: null\n"])
def test_empty_parts_are_the_default(tmp_path: Path, text: str) -> None:
    assert dataclasses.replace(loaded(tmp_path, text), source=()) == Config()


def test_environment_that_only_resembles_a_secret(tmp_path: Path) -> None:
    names = ["TOKENIZERS_PARALLELISM", "KEYBOARD", "MAX_TOKENS", "PATH_TO_IT", "RUSTFLAGS", "JWT_PUBLIC_KEY"]
    assert list(loaded(tmp_path, json.dumps({"env": dict.fromkeys(names, "x")})).env) == names


def test_what_is_said_to_be_no_secret_is_none(tmp_path: Path) -> None:
    text = "env: {GH_TOKEN: x}\nimage: {env: {A_KEY: x}, labels: {b.token: x}}\ndeploy: {env: {DB_PASSWORD: x}}\n"
    for missing in ("GH_TOKEN", "A_KEY", "b.token"):
        names = [name for name in ("GH_TOKEN", "A_KEY", "b.token") if name != missing]
        assert f"not_secret: [{missing}]" in refused(tmp_path, f"{text}not_secret: {json.dumps(names)}")
    got = loaded(tmp_path, f"{text}not_secret: [GH_TOKEN, A_KEY, b.token]")
    assert (got.env["GH_TOKEN"], got.image.env["A_KEY"], got.deploy.env["DB_PASSWORD"]) == ("x", "x", "x")


def test_a_secret_of_an_overlay_is_told_with_its_line(tmp_path: Path) -> None:
    message = refused(tmp_path, "image: {env: {A: x}}", "image:\n  env:\n    B: y\n    GH_TOKEN: z")
    assert message.startswith("above.yaml:4: image.env.GH_TOKEN: ")


def test_overlay_is_laid_over(tmp_path: Path) -> None:
    below = "profile: dev\nenv: {A: a, B: b}\nimage: {tags: [one, two], user: me}\ndeploy: {port: 80}"
    got = loaded(tmp_path, below, "profile: release\nenv: {B: c}\nimage: {tags: [three]}\ndeploy: {port: null}")
    assert (got.profile, got.env, got.image.tags, got.image.user, got.deploy.port) == (
        "release",
        {"A": "a", "B": "c"},
        ("three",),
        "me",
        None,
    )
    assert got.where["profile"] == "above.yaml:1"
    assert got.where["deploy.port"] == "above.yaml:4"
    assert got.source == (tmp_path / "layerdoit.yaml", tmp_path / "above.yaml")


def test_errors_of_an_overlay_name_its_file(tmp_path: Path) -> None:
    assert refused(tmp_path, "profile: dev", "\nprofil: dev").startswith('above.yaml:2: unknown key "profil"')
    with pytest.raises(ConfigError, match="doit cycle_fast CONFIG="):
        load(tmp_path, overlay=tmp_path / "none.yaml", variables={})


def test_variables_are_laid_over_both(tmp_path: Path) -> None:
    got = loaded(
        tmp_path,
        "profile: dev\ndeploy: {port: 1, publish: 2}\nfeatures: [x]",
        "profile: bench",
        PROFILE="release",
        FEATURES="a, b",
        PUBLISH="0",
        ON_MISSING="fail",
        REGISTRY="localhost:5000/layers",
        TARGET="",
        MINE="ignored here",
    )
    assert (got.profile, got.features, got.deploy.publish, got.deploy.port) == ("release", ("a", "b"), 0, 1)
    assert (got.base.on_missing, got.registry.repository, got.target) == ((), "localhost:5000/layers", None)
    assert got.where["profile"] == "PROFILE=release"
    assert loaded(tmp_path, FEATURES="").features == ()


@pytest.mark.parametrize(
    ("variables", "parts"),
    [
        ({"ON_MISSING": "pul"}, ["ON_MISSING=pul", "base.on_missing[0]", 'did you mean "pull"?', "pull, build"]),
        ({"PORT": "http"}, ["PORT=http", "expected a port from 1 to 65535"]),
        ({"PROFILE": ""}, ["PROFILE=", "expected a cargo profile, got nothing"]),
        ({"PROFILE": "debug"}, ["dev, release"]),
        ({"TARGET": "x86"}, ["expected a target triple"]),
        ({"FEATURES": "a,,b"}, ["features[1]: expected a feature"]),
    ],
)
def test_bad_variables(tmp_path: Path, variables: dict[str, str], parts: list[str]) -> None:
    message = refused(tmp_path, **variables)
    for part in parts:
        assert part in message


def test_unknown_variable_lists_the_valid_ones() -> None:
    config.check_variables(["PROFILE", "MINE"], ["MINE"])
    with pytest.raises(ConfigError) as caught:
        config.check_variables(["PROFLIE"], ["MINE"])
    assert 'unknown variable "PROFLIE"' in str(caught.value)
    assert 'did you mean "PROFILE"?' in str(caught.value)
    for name in ("MINE", *(variable.name for variable in config.VARIABLES)):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("written", "meant"), [("1", True), ("yes", True), ("TRUE", True), ("no", False), ("0", False)]
)
def test_confirmed(written: str, meant: bool) -> None:
    assert config.confirmed({"YES": written}) is meant


def test_confirmed_refuses_what_is_no_answer() -> None:
    assert not config.confirmed({})
    with pytest.raises(ConfigError, match="YES=perhaps: YES: expected true or false"):
        config.confirmed({"YES": "perhaps"})


def test_check_choices_names_the_line(tmp_path: Path) -> None:
    got = loaded(tmp_path, "project: a\nprofile: relase")
    with pytest.raises(ConfigError) as caught:
        config.check_choices(got, "profile", [got.profile], {"dev", "release"})
    assert str(caught.value) == (
        'layerdoit.yaml:2: profile: there is no "relase"\nnext: did you mean "release"? valid values: dev, release'
    )


def test_config_is_frozen_and_travels(tmp_path: Path) -> None:
    got = loaded(tmp_path, "profile: release\nenv: {A: b}")
    with pytest.raises(dataclasses.FrozenInstanceError):
        got.profile = "dev"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del got.profile
    assert pickle.loads(pickle.dumps(got)) == got
    assert dataclasses.replace(got, profile="dev") != got
    assert "profile='release'" in repr(got)
    with pytest.raises(TypeError, match="Config has no profil"):
        Config(profil="dev")  # type: ignore[call-arg]
    assert Config().env is not Config().env


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 1}', '{"format": 1, "files": []}'])
def test_a_damaged_cache_is_no_cache(tmp_path: Path, damage: str) -> None:
    expected = loaded(tmp_path, "profile: release")
    cache = tmp_path / ".layerdoit/config.json"
    cache.write_text(damage)
    assert loaded(tmp_path) == expected
    assert json.loads(cache.read_text())["files"]


@pytest.mark.parametrize("entry", [None, 1, [], [1], ["x", "y", "z"], [1, [2]], [1, {"profile": 3}]])
def test_a_damaged_cache_entry_is_parsed_again(tmp_path: Path, entry: Any) -> None:
    expected = loaded(tmp_path, "profile: release")
    cache = tmp_path / ".layerdoit/config.json"
    stored = json.loads(cache.read_text())
    stored["files"] = dict.fromkeys(stored["files"], entry)
    cache.write_text(json.dumps(stored))
    assert loaded(tmp_path) == expected


def test_a_changed_file_of_equal_size_and_time_is_read_again(tmp_path: Path) -> None:
    assert loaded(tmp_path, "profile: aaa").profile == "aaa"
    file = tmp_path / "layerdoit.yaml"
    before = file.stat()
    file.write_text("profile: bbb")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert loaded(tmp_path).profile == "bbb"


def test_a_state_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / ".layerdoit").write_text("a file in its place")
    assert loaded(tmp_path, "profile: release").profile == "release"


def test_reading_a_configuration_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "layerdoit.yaml").write_text("profile: release")
    assert load(tmp_path, variables={}).profile == "release"
    assert os.listdir(tmp_path) == ["layerdoit.yaml"]


def test_the_schema_for_editors_is_put_beside_what_was_parsed(tmp_path: Path) -> None:
    loaded(tmp_path, "profile: release")
    assert (tmp_path / ".layerdoit/schema.json").read_bytes() == shipped.schema().read_bytes()


def test_a_no_op_imports_no_yaml(tmp_path: Path) -> None:
    loaded(tmp_path, "profile: release")
    script = (
        "import sys; from pathlib import Path; from layerdoit import config; root = Path(sys.argv[1]);"
        "from layerdoit.core.state import State; from layerdoit.project.settings_cache import SettingsCache;"
        "got = config.load(root, variables={'PORT': '1'}, cache=SettingsCache(State(root / '.layerdoit')));"
        "print(got.profile, *sorted({'yaml', 'difflib', 'unicodedata'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["release"]


COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("My Shop", "my-shop"),
        ("Ünïcode café", "unicode-cafe"),
        ("a__b", "a__b"),
        ("a___b..c", "a-b-c"),
        ("-x_", "x"),
        ("api", "api"),
        ("v1.2", "v1.2"),
    ],
)
def test_repository_name(name: str, expected: str) -> None:
    assert config.repository_name(name) == expected


@given(st.text())
def test_repository_name_is_always_valid(name: str) -> None:
    got = config.repository_name(name)
    assert COMPONENT.fullmatch(got)
    assert len(got) <= 100
    assert config.repository_name(got) == got


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(data=st.data())
def test_any_value_is_read_or_refused_with_a_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name, _ = data.draw(st.sampled_from(list(reading.flat(Config))))
    tree: Any = data.draw(JUNK)
    for part in reversed(name.split(".")):
        tree = {part: tree}
    node = reading.parse(yaml.safe_dump(tree, allow_unicode=True).encode(), "f")
    where = "f:1"
    try:
        reading.check(Config, node, "f")
    except ConfigError as error:
        where = error.where or ""
    assert re.fullmatch(r"f:\d+", where)
