"""setup.cfg lists packages by hand, because one of them lies elsewhere: nothing may be forgotten."""

from __future__ import annotations

import configparser
from pathlib import Path

import layerdoit
from layerdoit.core.resources import dockerfile_dir

ROOT = Path(__file__).resolve().parents[2]


def metadata() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_every_package_is_listed() -> None:
    found = {".".join(init.parent.relative_to(ROOT).parts) for init in (ROOT / "layerdoit").rglob("__init__.py")}
    listed = set(metadata()["options"]["packages"].split())
    assert listed == found | {"layerdoit.dockerfiles"}


def test_every_module_is_in_a_package() -> None:
    for module in (ROOT / "layerdoit").rglob("*.py"):
        assert (module.parent / "__init__.py").is_file(), module


def test_dockerfiles_are_found() -> None:
    assert {f"Dockerfile.{layer}" for layer in ("base", "deps", "app")} <= {
        file.name for file in dockerfile_dir().iterdir()
    }


def test_version_is_said_once_or_equally() -> None:
    assert getattr(layerdoit, "__version__", "0.1.0") == metadata()["metadata"]["version"]
