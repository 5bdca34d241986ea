"""What browsers load of a service: the folders whose hashed files outlive a swap."""

from __future__ import annotations

import re
from pathlib import Path

from layerdoit.deploy.settings import settings_of
from layerdoit.project.project import Project

SERVICES = """
project: shop
components:
  web: {path: web}
  admin: {path: admin, into: /srv/admin/, services: [api]}
  help: {path: help, into: /srv/help}
services:
  api: {bins: [api]}
  worker: {bins: [worker]}
  page: {serve: web, static: {immutable: ["chunks/*"]}}
"""


def project(folder: Path, text: str) -> Project:
    (folder / "Cargo.toml").write_text('[package]\nname = "shop"\nversion = "0.1.0"\n')
    (folder / "layerdoit.yaml").write_text(text)
    return Project.open(folder, {})


def test_of_each_service(tmp_path: Path) -> None:
    whole = project(tmp_path, SERVICES)
    found = {name: settings_of(one).pages for name, one in whole.services.items()}
    assert [page.folder for page in found["api"]] == ["/srv/admin", "/srv/help"]
    assert [page.folder for page in found["worker"]] == ["/srv/help"]
    (page,) = found["page"]
    assert page.folder == "/srv/page"
    assert re.match(page.hashed, "chunks/any.js")
    assert not re.match(page.hashed, "assets/index-8f3a2b1c.js")
    assert re.match(found["worker"][0].hashed, "assets/index-8f3a2b1c.js")


def test_of_one_program(tmp_path: Path) -> None:
    pages = settings_of(project(tmp_path, "project: shop\ncomponents: {web: {into: /srv/web}}\n")).pages
    assert [page.folder for page in pages] == ["/srv/web"]


def test_of_none(tmp_path: Path) -> None:
    assert settings_of(project(tmp_path, "project: shop\n")).pages == ()
