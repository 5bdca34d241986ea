"""The release of Debian or Ubuntu that an image's name tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.cargo.suite import SUITES, of_image
from layerdoit.doctor import libc


@pytest.mark.parametrize(
    ("image", "suite"),
    [
        ("ubuntu:24.04", "noble"),
        ("ubuntu:22.04", "jammy"),
        ("ubuntu:26.04", "resolute"),
        ("ubuntu:noble-20260101", "noble"),
        ("docker.io/library/ubuntu:jammy@sha256:0123", "jammy"),
        ("registry.example.com:5000/base/ubuntu:22.04", "jammy"),
        ("debian:12-slim", "bookworm"),
        ("debian:12.5", "bookworm"),
        ("debian:trixie-slim", "trixie"),
        ("gcr.io/distroless/cc-debian12", "bookworm"),
        ("gcr.io/distroless/cc-debian12:nonroot", "bookworm"),
        ("nvidia/cuda:12.6.3-devel-ubuntu24.04", "noble"),
        ("example.com/devcontainers/base:ubuntu-22.04", "jammy"),
        ("rust:1.95-slim-bookworm", "bookworm"),
        ("rust:1.85", "bookworm"),
        ("rust:1.95", "trixie"),
        ("rust", "trixie"),
        ("rust:1.89", None),
        ("lukemathwalker/cargo-chef:latest-rust-1.78-bookworm", "bookworm"),
        ("own/rust-jammy:7", "jammy"),
        ("own/rust:7", None),
        ("ubuntu", None),
        ("ubuntu:latest", None),
        ("ubuntu:23.10", None),
        ("debian:stable-slim", None),
        ("rust:1.95-alpine3.22", None),
        ("fedora:42", None),
        ("scratch", None),
        ("", None),
    ],
)
def test_suites_by_name(image: str, suite: str | None) -> None:
    assert of_image(image) == suite


def test_every_suite_has_its_c_library() -> None:
    for suite in SUITES:
        assert libc.of_image(f"own/image:{suite}").version is not None, suite


@given(st.text(alphabet="debianubuntr:/-_.@0123456789", max_size=40))
def test_any_name_has_an_answer(image: str) -> None:
    assert of_image(image) in {None, *SUITES}
