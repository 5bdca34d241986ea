"""Cargo.toml of a package."""

from __future__ import annotations


def package(name: str, body: str = "", head: str = "", version: str = "0.1.0") -> str:
    """Write a manifest. `head`: more lines of its [package] table; `body`: all other tables."""
    return f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\n{head}\n{body}\n'
