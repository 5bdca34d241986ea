"""Reading Dockerfiles: instructions with their lines, stages, commands, and what they tell of an image."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.onboard.dockerfile import apt_packages, assignments, commands, expand, parse
from layerdoit.onboard.hints import Hint, from_commands, from_dockerfile

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
