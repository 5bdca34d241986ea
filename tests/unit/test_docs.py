"""The generated pages say what the program does, and the check notices when they do not."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from layerdoit import config
from layerdoit.config import reading
from layerdoit.front import verbs
from tools import docs

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Task:
    name: str
    doc: str
    params: tuple[Any, ...] = ()
    when: str = "Some day."
    example: str = "image"


@dataclass
class Option:
    name: str
    doc: str
    default: bool = False
    choices: tuple[str, ...] = field(default_factory=tuple)


def test_the_committed_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.docs", "--check"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_setting_and_variable_is_documented() -> None:
    page = docs.configuration_page()
    for name, setting in reading.flat(config.Config):
        assert f"| `{name}` |" in page
        assert setting.metadata["doc"].endswith("."), name
    for variable in config.VARIABLES:
        assert f"| `{variable.name}` |" in page


def test_the_page_of_all_defaults_is_the_default(tmp_path: Path) -> None:
    block = docs.configuration_page().split("```yaml\n")[1].split("```")[0]
    assert yaml.safe_load(block)["deploy"]["health"]["timeout"] == 30
    (tmp_path / "layerdoit.yaml").write_text(block)
    got = config.load(tmp_path, variables={})
    assert {**vars(got), "source": (), "where": {}, "given": {}} == vars(config.Config())


def test_tasks_page() -> None:
    page = docs.tasks_page(
        [
            Task("image", "Build the image.\n\nAll three layers."),
            Task(
                "cache_clear:medium",
                "Clear | keep.",
                (
                    {"name": "yes", "short": "y", "long": "yes", "type": bool, "default": False, "help": "Do not ask."},
                    Option("dry_run", "Only say."),
                    "PROFILE=name",
                ),
            ),
        ]
    )
    assert "| [`image`](#image) | Build the image. |\n" in page
    assert "| [`cache_clear:medium`](#cache_clearmedium) | Clear \\| keep. |\n" in page
    assert "## `image`\n\nBuild the image.\n\nAll three layers.\n\nSome day.\n\n    doit image\n" in page
    assert "| `-y`, `--yes` | `false` | Do not ask. |\n" in page
    assert "| `--dry_run` | `false` | Only say. |\n" in page
    assert "| `PROFILE=name` |  |  |\n" in page


def test_every_verb_has_its_own_options_on_the_page() -> None:
    page = docs.pages()["tasks.md"]
    for name in verbs.VERBS:
        verb = verbs.load(name)
        assert f"[`layers {name}`](#layers-{name})" in page
        section = page.split(f"## `layers {name}`\n")[1].split("\n## ")[0]
        assert re.findall(r"^\| `(?:-\w`, `)?--([\w-]+)", section, re.MULTILINE) == [
            one["long"] for one in verb.options
        ]


def test_check_notices_a_stale_and_a_missing_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert docs.main(["--check"], tmp_path) == 1
    assert "configuration.md" in capsys.readouterr().err
    assert docs.main([], tmp_path) == 0
    assert docs.main(["--check"], tmp_path) == 0
    page = tmp_path / "configuration.md"
    page.write_text(page.read_text().replace("`dev`", "`release`"))
    assert docs.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err.endswith("docs: out of date: configuration.md\nnext: python -m tools.docs\n")
    assert docs.main(["--wrong"], tmp_path) == 2
