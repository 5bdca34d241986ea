"""Reading Dockerfiles: instructions with their lines, stages, commands, and what they tell of an image."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.dockerfile.parse import apk_packages, apt_packages, assignments, commands, expand, parse
from layerdoit.init.cargo_calls import of_commands
from layerdoit.init.dockerfile_hints import of_dockerfile
from layerdoit.init.hints import Files, Hint, files_of

TEXT = """\
# syntax=docker/dockerfile:1
ARG RUST=1.80
FROM rust:${RUST}-slim-bookworm AS builder
WORKDIR /app
ENV SQLX_OFFLINE=true RUSTFLAGS="-C target-cpu=native"
RUN apt-get update && \\
    # what the build needs
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \\
      -o Dpkg::Use-Pty=0 \\
      libssl-dev=3.0.1 "pkg-config" \\

      protobuf-compiler && rm -rf /var/lib/apt/lists/*
COPY . .
RUN --mount=type=cache,target=/root/.cargo <<EOF
set -e
cargo build --release --locked --features tls,metrics --bin server
EOF

FROM debian:bookworm-slim AS base
RUN apt-get install -y libssl3 tzdata curl
FROM base
ENV PORT=8080 LOG=info
WORKDIR /srv
COPY --from=builder /app/target/release/server /usr/local/bin/server
COPY --from=builder /app/templates templates
COPY static/ /srv/static/
COPY config.toml Rocket.toml ./
EXPOSE $PORT 9090/udp
HEALTHCHECK --interval=5s CMD curl -f http://localhost:8080/health || exit 1
VOLUME ["/data"]
USER web:web
ENTRYPOINT ["tini", "--", "/usr/local/bin/server"]
CMD ["--listen", "0.0.0.0:8080"]
"""
THERE = {"templates", "templates/.", "static", "static/.", "config.toml"}


def hints(text: str = TEXT) -> list[tuple[str, str, int]]:
    found = of_dockerfile(parse(text), files_of(THERE))
    told = (hint for hint in found if hint.kind != "note")
    return [(hint.kind, hint.value, int(hint.where.rpartition(":")[2])) for hint in told]


def test_stages_and_lines() -> None:
    parsed = parse(TEXT, "docker/Dockerfile")
    assert [(stage.name, stage.base, stage.line) for stage in parsed.stages] == [
        ("builder", "rust:1.80-slim-bookworm", 3),
        ("base", "debian:bookworm-slim", 19),
        (None, "base", 21),
    ]
    final = parsed.final
    assert final is not None
    assert [stage.name for stage in parsed.lineage(final)] == ["base", None]
    run = parsed.stages[0].instructions[2]
    assert (run.keyword, run.where) == ("RUN", "docker/Dockerfile:6")
    assert run.where_is("protobuf-compiler") == "docker/Dockerfile:12"
    heredoc = parsed.stages[0].instructions[4]
    assert heredoc.flags == (("mount", "type=cache,target=/root/.cargo"),)
    assert heredoc.bodies[0].startswith("set -e\ncargo build")


def test_what_a_dockerfile_tells() -> None:
    assert sorted(hints()) == sorted(
        [
            ("apt-build", "libssl-dev", 10),
            ("apt-build", "pkg-config", 10),
            ("apt-build", "protobuf-compiler", 12),
            ("toolchain", "1.80", 3),
            ("profile", "release", 16),
            ("features", "tls,metrics", 16),
            ("bin", "server", 16),
            ("build-env", "SQLX_OFFLINE=true", 5),
            ("build-env", "RUSTFLAGS=-C target-cpu=native", 5),
            ("apt-run", "libssl3", 20),
            ("apt-run", "tzdata", 20),
            ("apt-run", "curl", 20),
            ("env", "PORT=8080", 22),
            ("env", "LOG=info", 22),
            ("asset", "templates:/srv/templates", 25),
            ("asset", "static:/srv/static", 26),
            ("asset", "config.toml:/srv/config.toml", 27),
            ("asset", "Rocket.toml:/srv/Rocket.toml", 27),  # not there now, and so not sure
            ("port", "8080", 28),
            ("port", "9090/udp", 28),
            ("health", "/health", 29),
            ("volume", "/data", 30),
            ("workdir", "/srv", 23),
            ("user", "web:web", 31),
            ("copied", "server", 24),
            ("entrypoint", "server", 32),
            ("cmd", '["--listen", "0.0.0.0:8080"]', 33),
        ]
    )


@pytest.mark.parametrize(
    ("line", "packages"),
    [
        ("apt-get install -y a1 b2", ["a1", "b2"]),
        ("apt-get -y install a1 && echo b2", ["a1"]),
        ("apt install a1=1.0 b2/stable c3:arm64 ./d4.deb e5-", ["a1", "b2", "c3:arm64"]),
        ("apt-get install -t sid a1 >/dev/null 2>&1", ["a1"]),
        ("set -eux; if true; then apt-get install a1; fi", ["a1"]),
        ("sudo apt-get install $NAME a1", ["a1"]),
        ("sh -c 'apt-get install a1'", []),
        ("apt-get update", []),
        ("apk add a1", []),
        ('["apt-get", "install", "a1"]', ["a1"]),
        ('["/bin/sh", "-c", "apt-get install a1 && x"]', ["a1"]),
        ("apt-get install \\\n  a1 \\\n  # not b2 \\\n  c3", ["a1", "c3"]),
    ],
)
def test_apt_packages(line: str, packages: list[str]) -> None:
    run = parse(f"FROM x\nRUN {line}\n").stages[0].instructions[0]
    assert [name for command in commands(run) for name in apt_packages(command)] == packages


def test_variables_and_escapes() -> None:
    assert expand("${A:-x}$B ${C}", {"B": "b"}) == "xb ${C}"
    text = '# escape=`\nFROM x\nRUN a `\n  b\\\nENV A b c\nLABEL x="y z" w=1\nfoo/bar\n'
    run, env, label = parse(text).stages[0].instructions
    assert run.value == "a b\\"
    assert assignments(env) == {"A": "b c"}
    assert assignments(label) == {"x": "y z", "w": "1"}


def test_two_ways_to_build_are_both_told() -> None:
    text = "FROM rust\nRUN if x; then cargo build --features a; else cargo build --features b; fi\n"
    assert [hint[:2] for hint in hints(text)] == [("features", "a"), ("features", "b")]


def test_tools_are_not_the_project() -> None:
    text = "FROM rust\nRUN cargo install cargo-chef --features x && cargo +nightly install --path . --features y\n"
    assert [hint[:2] for hint in hints(text)] == [("features", "y")]


def test_packages_of_alpine_become_those_of_debian() -> None:
    text = (
        "FROM rust:alpine AS b\nRUN apk add --no-cache musl-dev openssl-dev openssl-libs-static protoc=3-r0 odd-dev\n"
        'RUN cargo build\nFROM alpine\nRUN apk add libssl3 tzdata curl tini\nEXPOSE 80\nCMD ["/x"]\n'
    )
    assert [hint[:2] for hint in hints(text)] == [
        ("apt-build", "libssl-dev"),
        ("apt-build", "protobuf-compiler"),
        ("apt-build", "libprotobuf-dev"),
        ("apk", "odd-dev"),
        ("apt-run", "libssl3t64"),
        ("apt-run", "tzdata"),
        ("apt-run", "curl"),
        ("apk", "tini"),
        ("port", "80"),
        ("root", ""),
        ("entrypoint", "x"),
    ]


@pytest.mark.parametrize(
    ("line", "packages"),
    [
        ("apk add --no-cache a1 b2-dev", ["a1", "b2-dev"]),
        ("apk --no-cache add --update a1", ["a1"]),
        ("apk add --virtual .deps a1 -t b2 c3 -X https://example.com/edge d4@edge", ["a1", "c3", "d4"]),
        ("apk add 'a1>=1.0' b2~3.1 c3=1.0-r2 ./d4.apk gtk+3.0-dev", ["a1", "b2", "c3", "gtk+3.0-dev"]),
        ("apk update && apk add .deps a1 > /dev/null", ["a1"]),
        ("apk del a1", []),
    ],
)
def test_apk_packages(line: str, packages: list[str]) -> None:
    (run,) = parse(f"FROM x\nRUN {line}\n").stages[0].instructions
    assert [name for command in commands(run) for name in apk_packages(command)] == packages


def test_makefile_commands() -> None:
    run = parse("FROM x\nRUN cargo build --no-default-features -F tls && docker run -p 80:8080 x\n").stages[0]
    found = of_commands(commands(run.instructions[0]))
    assert [(hint.kind, hint.value) for hint in found] == [
        ("default-features", "no"),
        ("features", "tls"),
        ("port", "8080"),
        ("publish", "80"),
    ]


LINES = st.sampled_from(TEXT.split("\n"))


@given(st.lists(st.one_of(LINES, st.text(max_size=30)), max_size=25), st.integers(0, 400), st.text(max_size=3))
def test_mutilated_dockerfiles(lines: list[str], cut: int, bit: str) -> None:
    text = "\n".join(lines)
    for mutated in (text, text[:cut] + bit + text[cut:]):
        parsed = parse(mutated)
        for stage in parsed.stages:
            assert 1 <= stage.line <= mutated.count("\n") + 1
        for hint in of_dockerfile(parsed, Files(lambda path: "x" in path)):
            assert isinstance(hint, Hint)
            assert hint.kind
