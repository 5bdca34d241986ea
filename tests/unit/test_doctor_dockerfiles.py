# ruff: noqa: E501 - a Dockerfile of a case is told from the next in one line
"""Rules about Dockerfiles: each with a file that has the fault, and one that looks like it and has it not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.core.errors import WorkspaceError
from layerdoit.doctor import dockerfiles
from layerdoit.doctor.dockerfile_safety import Around

IGNORE = "target\n.git\n"
RUN = 'USER app\nENTRYPOINT ["/app"]\n'
LAST = f"FROM debian:bookworm-slim\nCOPY --from=build /src/target/release/x /app\n{RUN}"
BUILD = "FROM rust:1.85-bookworm AS build\nWORKDIR /src\n"
CHEF = """\
FROM lukemathwalker/cargo-chef:0.1.77-rust-1.85-bookworm AS chef
WORKDIR /src
FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json
FROM chef AS build
COPY --from=plan /src/recipe.json recipe.json
"""
GOOD = f"{CHEF}RUN cargo chef cook --release --locked\nCOPY . .\nRUN cargo build --release --locked\n{LAST}"
TARGET = "--mount=type=cache,id=shop-target,target=/src/target"


def found(text: str, around: Around | None = None, elsewhere: str = "", path: str = "Dockerfile") -> dict[str, str]:
    """Id -> `file:line level: what` of the last finding with it."""
    around = around or Around(ignore=IGNORE, at_root=True)
    findings = dockerfiles.check(path, text, around, elsewhere)
    assert all(finding.why and finding.fix and finding.where for finding in findings)
    return {finding.id: f"{finding.where} {finding.level}: {finding.what}" for finding in findings}


def heredoc(first: str, body: str) -> str:
    return f"{BUILD}{first}\n{body}\nEOF\nCOPY Cargo.toml .\nRUN cargo fetch --locked\n"


def test_a_good_dockerfile_has_nothing() -> None:
    assert found(GOOD) == {}


def test_other_programs_are_nobodys_business() -> None:
    assert found("FROM node:24\nCOPY . .\nARG NPM_TOKEN\nRUN npm install\nCMD npm start\n", Around()) == {}


CASES = [
    # the dependencies are cooked, and hidden by the mount of the build
    ("df-cook-hidden", GOOD.replace("RUN cargo build", f"RUN {TARGET} cargo build"), "Dockerfile:10 warning"),
    ("df-cook-hidden", GOOD.replace("RUN cargo chef cook", f"RUN {TARGET} cargo chef cook"), "Dockerfile:8 warning"),
    (
        "df-cook-hidden",
        GOOD.replace("RUN cargo build", f"RUN {TARGET} cargo build").replace("RUN cargo chef c", f"RUN {TARGET} cargo chef c"),
        "Dockerfile:8 hint",
    ),
    ("df-sources-before-deps", f"{BUILD}COPY . .\nRUN cargo build --release --locked\n{LAST}", "Dockerfile:3 warning"),
    (
        "df-sources-before-deps",
        f"{BUILD}COPY Cargo.toml Cargo.lock ./\nCOPY src ./src\nRUN cargo build --locked\n{LAST}",
        "Dockerfile:4 warning",
    ),
    ("df-sources-before-deps", GOOD.replace("COPY --from=plan", "COPY . .\nCOPY --from=plan"), "Dockerfile:7 warning"),
    (
        "df-target-mount-shared",
        f"{BUILD}COPY . .\nRUN --mount=type=cache,target=target cargo build --locked && cp target/release/x /x\n",
        "Dockerfile:4 warning: the cache mount on /src/target has no id",
    ),
    (
        "df-target-mount-shared",
        f"{BUILD}COPY . .\nRUN --mount=type=cache,id=target,target=/src/target cargo build --locked\n",
        "has the id target",
    ),
    ("df-copy-from-mount", f"{BUILD}COPY . .\nRUN {TARGET} cargo build --locked\n{LAST}", "Dockerfile:6 error"),
    (
        "df-mount-hides-cargo",
        f"{BUILD}COPY . .\nRUN {TARGET} --mount=type=cache,target=/usr/local/cargo cargo build --locked\n",
        "Dockerfile:4 error",
    ),
    (
        "df-mount-useless",
        f"{BUILD}COPY . .\nRUN {TARGET} --mount=type=cache,target=/root/.cargo/registry cargo build --locked\n",
        "Dockerfile:4 hint",
    ),
    ("df-chef-compiled", f"FROM rust:1.85 AS a\nRUN cargo install --locked cargo-chef\n{GOOD}", "Dockerfile:2 hint"),
    (
        "df-chef-compiled",
        "FROM rust:1.85 AS a\nRUN cargo install --locked cargo-chef\nFROM rust:1.85 AS b\nRUN cargo install --locked cargo-chef\n",
        "Dockerfile:4 warning",
    ),
    (
        "df-tool-after-sources",
        GOOD.replace("RUN cargo build", "RUN cargo install --locked cargo-deny && cargo build"),
        "Dockerfile:10 warning: cargo-deny",
    ),
    (
        "df-stub-stale",
        f"{BUILD}COPY Cargo.toml Cargo.lock ./\nRUN mkdir src && echo 'fn main() {{}}' > src/main.rs && cargo build --locked\nCOPY src ./src\nRUN cargo build --locked\n{LAST}",
        "Dockerfile:6 warning",
    ),
    ("df-stub-stale", "FROM rust:1.85 AS build\nRUN cargo new --bin /src\nWORKDIR /src\nCOPY Cargo.toml .\nRUN cargo build --locked\nCOPY src src\nRUN cargo build --locked\n", "Dockerfile:7 warning"),
    ("df-cook-hidden", f"{BUILD}COPY --from=deps /src/target ./target\nCOPY src src\nRUN {TARGET} cargo build --locked\n", "Dockerfile:5 warning"),
    ("df-unlocked", GOOD.replace("build --release --locked", "build --release"), "Dockerfile:10 hint"),
    ("df-unlocked", f"{BUILD}COPY . .\nRUN {TARGET} cargo install --path .\n", "Dockerfile:4 warning"),
    ("df-secret", GOOD.replace("COPY . .\nRUN cargo b", "ARG GITHUB_TOKEN\nCOPY . .\nRUN cargo b"), "Dockerfile:9 warning"),
    ("df-secret", GOOD.replace("USER app", "ENV API_KEY=abc\nUSER app"), "Dockerfile:13 error"),
    ("df-secret", f"ARG REGISTRY_PASSWORD\n{GOOD}", "Dockerfile:1 warning"),
    ("df-secret", GOOD.replace("USER app", "ENV DATABASE_URL=postgres://me:secret@db.example.com/x\nUSER app"), "Dockerfile:13"),
    ("df-secret", GOOD.replace("USER app", "COPY .env /app/.env\nUSER app"), "Dockerfile:13 error"),
    ("df-heredoc", heredoc("RUN <<EOF", "apt-get update\napt-get install -y cmake"), "Dockerfile:3 warning"),
    ("df-heredoc", heredoc("RUN bash <<EOF", "apt-get update\napt-get install -y cmake"), "Dockerfile:3 warning"),
    ("df-heredoc", heredoc("RUN <<EOF", "#!/usr/bin/env bash\nset -x\napt-get update\necho done"), "Dockerfile:3 warning"),
    ("df-rust-version", GOOD.replace("rust-1.85", "rust-1.60"), "`shop` requires Rust 1.80"),
    ("df-libc", GOOD.replace("debian:bookworm-slim", "debian:bullseye-slim"), "Dockerfile:12 warning: x may not start"),
    ("df-libc", GOOD.replace("debian:bookworm-slim", "alpine:3.20"), "Dockerfile:12 error"),
    ("df-libc", GOOD.replace("debian:bookworm-slim", "gcr.io/distroless/static-debian12"), "Dockerfile:12 error"),
    ("df-libc", f"{GOOD}".replace("0.1.77-rust-1.85-bookworm", "latest-rust-1"), "glibc 2.41 (trixie), and bookworm has 2.36"),
    ("df-root", GOOD.replace("USER app\n", ""), "Dockerfile:13 warning: the last stage sets no user"),
    ("df-root", GOOD.replace("USER app", "USER app\nUSER root"), "Dockerfile:14 warning: the last USER is root"),
    ("df-ships-compiler", f"{BUILD}COPY . .\nRUN {TARGET} cargo build --locked\n{RUN}", "Dockerfile:1 hint"),
    ("df-unused-stage", f"FROM alpine:3.20 AS idle\n{GOOD}", "Dockerfile:1 hint: nothing uses the stage idle"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text", "said"), CASES)
def test_the_fault_is_found(rule: str, text: str, said: str) -> None:
    got = found(text, Around(IGNORE, at_root=True, msrv=("shop", "1.80")))
    assert said in got.get(rule, ""), got


SIMILAR = [
    ("df-cook-hidden", GOOD.replace("RUN cargo build", "RUN --mount=type=cache,target=/usr/local/cargo/registry cargo build")),
    ("df-cook-hidden", GOOD.replace("RUN cargo build", "RUN --mount=type=cache,id=x,from=chef,target=/src/target cargo build")),
    ("df-sources-before-deps", f"{BUILD}COPY . .\nRUN {TARGET} cargo build --locked && cp target/release/x /x\n"),
    ("df-sources-before-deps", f"{BUILD}ENV RUSTC_WRAPPER=sccache\nCOPY . .\nRUN cargo build --locked\n"),
    # the planner only reads
    ("df-sources-before-deps", f"{BUILD}COPY . .\nRUN cargo chef prepare --recipe-path recipe.json\n"),
    ("df-sources-before-deps", GOOD.replace("COPY --from=plan", "COPY crates/rust-toolchain.toml .\nCOPY --from=plan")),
    ("df-sources-before-deps", f"{BUILD}COPY Cargo.toml Cargo.lock build.rs ./\nRUN cargo build --locked\nCOPY . .\nRUN cargo build --locked\n"),
    ("df-sources-before-deps", f"{BUILD}COPY --from=cacher /src/target target\nCOPY . .\nRUN cargo build --locked\n"),
    ("df-target-mount-shared", f"{BUILD}COPY . .\nRUN {TARGET} cargo build --locked\n"),
    ("df-target-mount-shared", f"{BUILD}COPY . .\nRUN --mount=type=cache,target=/usr/local/cargo/registry cargo build --locked\n"),
    ("df-copy-from-mount", f"{BUILD}COPY . .\nRUN {TARGET} cargo build --locked && cp target/release/x /x\nFROM debian:bookworm-slim\nCOPY --from=build /x /x\n"),
    ("df-mount-hides-cargo", f"{BUILD}RUN --mount=type=cache,target=/usr/local/cargo/registry cargo fetch --locked\n"),
    ("df-mount-useless", f"{BUILD}ENV CARGO_HOME=/root/.cargo\nRUN --mount=type=cache,target=/root/.cargo/registry cargo fetch\n"),
    ("df-mount-useless", "FROM debian:trixie\nRUN --mount=type=cache,target=/root/.cargo/registry cargo fetch --locked\n"),
    ("df-chef-compiled", f"FROM rust:1.85 AS a\nRUN cargo install --locked cargo-deny\n{GOOD}"),
    ("df-tool-after-sources", GOOD.replace("COPY . .\nRUN cargo build", "RUN cargo install --locked cargo-deny\nCOPY . .\nRUN cargo build")),
    ("df-tool-after-sources", f"{BUILD}COPY . .\nRUN cargo install --locked --path .\n"),
    ("df-stub-stale", f"{BUILD}RUN mkdir src && echo 'fn main() {{}}' > src/main.rs && cargo build --locked\nCOPY src ./src\nRUN touch src/main.rs && cargo build --locked\n"),
    ("df-stub-stale", f"{BUILD}RUN mkdir src && echo 'fn main() {{}}' > src/main.rs && cargo build --locked && rm -rf target/release/deps/x*\nCOPY src ./src\nRUN cargo build --locked\n"),
    ("df-stub-stale", f"{BUILD}RUN mkdir src && echo 'fn main() {{}}' > src/main.rs && cargo fetch --locked\nCOPY src ./src\nRUN cargo build --locked\n"),
    ("df-cook-hidden", f"{BUILD}COPY --from=deps /src/target ./target\nCOPY src src\nRUN cargo build --locked\n"),
    ("df-libc", GOOD.replace("debian:bookworm-slim", "scratch").replace("build --release", "build --target $TRIPLE")),
    ("df-libc", f'{BUILD}COPY . .\nRUN cargo build --locked\nFROM alpine:3.20\nCOPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo\nUSER app\nCMD ["x"]\n'),
    ("df-unlocked", GOOD.replace("build --release --locked", "build --release --frozen")),
    ("df-unlocked", GOOD.replace("build --release --locked", "build $FLAGS")),
    ("df-unlocked", GOOD.replace("RUN cargo build", "RUN cargo --version && cargo build")),
    ("df-secret", GOOD.replace("USER app", "ENV TOKEN_FILE=/run/secrets/token\nUSER app")),
    ("df-secret", GOOD.replace("USER app", "ENV TOKEN_URL=https://id.example.com/token\nUSER app")),
    ("df-secret", GOOD.replace("USER app", "ENV API_TOKEN=\nUSER app")),
    ("df-secret", GOOD.replace("USER app", "ENV TOKENIZERS_PARALLELISM=false\nUSER app")),
    ("df-secret", GOOD.replace("USER app", "ENV DATABASE_URL=postgres://localhost/x\nUSER app")),
    ("df-secret", GOOD.replace("RUN cargo build", "RUN --mount=type=secret,id=token,env=GITHUB_TOKEN cargo build")),
    ("df-secret", GOOD.replace("USER app", "COPY .env.example /app/.env.example\nUSER app")),
    ("df-heredoc", heredoc("RUN <<EOF", "set -e\napt-get update\napt-get install -y cmake")),
    ("df-heredoc", heredoc("RUN <<EOF", "set -eux\napt-get update\napt-get install -y cmake")),
    ("df-heredoc", heredoc("RUN bash -e <<EOF", "apt-get update\napt-get install -y cmake")),
    ("df-heredoc", heredoc("RUN <<EOF", "apt-get update && \\\n  apt-get install -y cmake")),
    ("df-heredoc", heredoc("RUN <<EOF", "#!/usr/bin/env python3\nimport os\nprint(os.name)")),
    ("df-heredoc", heredoc("RUN <<EOF", "#!/bin/bash -e\napt-get update\napt-get install -y cmake")),
    ("df-heredoc", heredoc("RUN cat <<EOF > /etc/x", "one\ntwo")),
    ("df-heredoc", heredoc('SHELL ["/bin/bash", "-euo", "pipefail", "-c"]\nRUN <<EOF', "apt-get update\napt-get install -y cmake")),
    ("df-rust-version", GOOD.replace("rust-1.85", "rust-1.80")),
    ("df-libc", GOOD.replace("0.1.77-rust-1.85-bookworm", "latest-rust-1-bullseye")),
    ("df-libc", GOOD.replace("debian:bookworm-slim", "alpine:3.20").replace("build --release", "build --target x86_64-unknown-linux-musl")),
    ("df-libc", GOOD.replace("debian:bookworm-slim", "alpine:3.20").replace("rust-1.85-bookworm", "rust-1.85-alpine")),
    ("df-libc", GOOD.replace("debian:bookworm-slim", "alpine:3.20\nRUN apk add gcompat")),
    ("df-libc", GOOD.replace("debian:bookworm-slim", "nginx:alpine").replace("/src/target/release/x", "/src/dist")),
    ("df-libc", GOOD.replace("debian:bookworm-slim", "ubuntu:24.04").replace("0.1.77-rust-1.85-bookworm", "latest-rust-1")),
    ("df-libc", GOOD.replace("debian:bookworm-slim", "registry.example.com/base:7")),
    ("df-root", GOOD.replace("USER app\n", "").replace("debian:bookworm-slim", "gcr.io/distroless/cc-debian12:nonroot")),
    ("df-root", GOOD.replace("USER app\nENTRYPOINT [", "RUN apt-get install -y gosu\nENTRYPOINT [")),
    # an image to compile in, not to run
    ("df-root", f"{BUILD}RUN cargo install --locked cargo-deny\n"),
    ("df-ships-compiler", GOOD),
    ("df-unused-stage", GOOD.replace("FROM debian", "FROM ${KIND}\nFROM debian")),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text"), SIMILAR)
def test_what_only_looks_like_it_is_not_reported(rule: str, text: str) -> None:
    got = found(text, Around(IGNORE, at_root=True, msrv=("shop", "1.80")))
    assert rule not in got, got[rule]


def test_a_stage_that_others_build_by_name_is_used() -> None:
    text = f"FROM alpine:3.20 AS debugging\n{GOOD}"
    for elsewhere in (
        "    target: debugging\n",
        "docker build --target debugging .",
        "docker build --target=debugging",
    ):
        assert found(text, elsewhere=elsewhere) == {}
    assert "df-unused-stage" in found(text, elsewhere="target: debug\n")


def test_dockerignore() -> None:
    got = found(GOOD, Around())
    assert got["df-dockerignore"].startswith("Dockerfile:4 warning: the whole folder is copied, and there is no")
    assert "df-dockerignore" in found(GOOD, Around(ignore="*.md\n"))
    for ignore in ("/target\n", "**/target\n", "*\n!src\n", "target/\n"):
        assert found(GOOD, Around(ignore=ignore)) == {}, ignore
    assert "df-dockerignore" not in found(GOOD.replace("COPY . .", "COPY src src"), Around())


def test_env_file_that_is_copied_along() -> None:
    beside = Around(IGNORE, at_root=True, present=frozenset({".env"}))
    got = found(GOOD, beside)
    assert "warning: .env is copied with the whole folder" in got["df-secret"]
    assert found(GOOD, Around(f"{IGNORE}.env\n", at_root=True, present=frozenset({".env"}))) == {}
    # The folder that is copied is another one.
    assert found(GOOD, Around(IGNORE, at_root=False, present=frozenset({".env"}))) == {}


def test_toolchain_file_against_image() -> None:
    def said(channel: str) -> bool:
        return "df-toolchain" in found(GOOD, Around(IGNORE, at_root=True, channel=channel, msrv=("shop", "1.90")))

    assert said("1.88.0")
    assert not said("1.85.0")
    assert not said("1.85")
    assert not said("nightly-2026-01-01")
    # Where a toolchain file decides, the image's own release does not matter to rust-version.
    assert "df-rust-version" not in found(GOOD, Around(IGNORE, at_root=True, channel="1.88", msrv=("shop", "1.90")))


def test_the_same_is_said_once() -> None:
    text = f"{BUILD}COPY . .\nRUN {TARGET} cargo build\nRUN {TARGET} cargo build\n"
    assert found(text)["df-unlocked"] == "Dockerfile:4 hint: `cargo build` without --locked (also line 5)"


def test_which_files_are_dockerfiles() -> None:
    yes = ["Dockerfile", "docker/Dockerfile.dev", "Containerfile", "api.Dockerfile", "deploy/web.dockerfile"]
    no = [
        "Dockerfile.j2",
        "Dockerfile.dockerignore",
        "tests/data/Dockerfile",
        ".devcontainer/Dockerfile",
        "dockerfile.rs",
    ]
    assert dockerfiles.named([*yes, *no]) == sorted(yes)
    assert "compose.yaml" in dockerfiles.builders(["compose.yaml", "src/main.rs", ".github/workflows/ci.yml"])


@pytest.mark.parametrize("text", ["", "FROM", "RUN cargo build", "FROM rust\nRUN <<EOF\ncargo", "FROM a AS a\nFROM a AS a\nRUN cargo b", "FROM rust\nCOPY\nRUN cargo build --target-dir", "\0", "FROM rust\nCOPY --from=9 x /\nRUN cargo install"])  # fmt: skip
def test_broken_files_are_no_errors(text: str) -> None:
    dockerfiles.check("Dockerfile", text, Around())


LINES = sorted({line for _, text, *_ in (*CASES, *SIMILAR) for line in text.splitlines()})


@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=20)), max_size=12), st.one_of(st.none(), st.text()))
def test_any_file_is_judged_without_an_error(lines: list[str], ignore: str | None) -> None:
    text = "\n".join(lines)
    try:
        found = dockerfiles.check("Dockerfile", text, Around(ignore, at_root=True, channel="1.80"), text)
    except WorkspaceError:
        # Its .dockerignore has a pattern that docker would refuse, too.
        return
    for finding in found:
        line = int((finding.where or "").rpartition(":")[2])
        assert 1 <= line <= text.count("\n") + 1
