"""What pages written by hand name is there: rooms, files, functions, links, verbs with their options, tasks."""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import dodo
from layerdoit.front import verbs
from layerdoit.front.task_table import TASKS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
ARCHITECTURE = ROOT / "docs" / "architecture.md"
CONTRACT = configparser.ConfigParser()
CONTRACT.read(ROOT / ".importlinter")
ROOMS = CONTRACT["importlinter:contract:rooms"]["layers"].split()
# Paths on pages are relative to the repository, or to the package.
FOLDERS = (ROOT, ROOT / "layerdoit")
TOP = "|".join(("layerdoit", "tests", "tools", "scripts", "dockerfiles", "benchmarks", "docs", "examples", *ROOMS))
PATH = re.compile(rf"(?<![\w./-])((?:{TOP})/[\w./-]*\.(?:py|sh|toml|json|md))(?::([A-Za-z_][\w.]*))?(?![\w-])")
# Services that pages speak of: `cycle_fast:api`.
SERVICES = {"api", "worker", "page", "db"}
# What doit itself has; in a project of a user, and here.
DOITS = {"list", "info", "help", "forget", "clean", "strace", "tabcompletion", "auto", "ignore", "resetdep", "run"}


def ids(page: Path) -> str:
    return page.stem


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code(page: Path) -> Iterator[str]:
    """What a page shows as code: fenced and indented blocks line by line, and spans."""
    fenced = False
    for line in text_of(page).splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.split("  # ")[0].strip()
        else:
            yield from re.findall(r"`([^`]+)`", line)


# --- the floor plan --------------------------------------------------------------------------------------------------


def test_the_page_shows_every_room_in_its_order() -> None:
    table = text_of(ARCHITECTURE).split("## Rooms\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE)
    assert [room for room, _ in rows] == ROOMS
    assert [room for room, about in rows if not about.endswith(".")] == []


@cache
def names_in(path: Path) -> frozenset[str]:
    """The functions of a script; functions, classes, methods and constants of a module."""
    if path.suffix == ".sh":
        return frozenset(re.findall(r"^(\w+)\(\)", text_of(path), re.MULTILINE))
    found: set[str] = set()
    for node in ast.parse(text_of(path)).body:
        found |= set(defined(node))
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{name}" for inner in node.body for name in defined(inner)}
    return frozenset(found)


def defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def missing(text: str) -> list[str]:
    """The paths and functions that a text names and that are not there."""
    found = []
    for path, name in PATH.findall(text):
        files = [file for folder in FOLDERS if (file := folder / path).is_file()]
        if not files or (name and not any(name in names_in(file) for file in files)):
            found.append(f"{path}:{name}" if name else path)
    return found


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_file_and_function_is_there(page: Path) -> None:
    assert missing(text_of(page)) == []


def test_what_is_not_there_is_noticed() -> None:
    there = "`layers/key.py:Spec.key`, `layers/key.py:ORDER`, `dockerfiles/compile.sh:compile`, `tests/conftest.py`"
    assert missing(there) == []
    gone = ["layers/key.py:Spec.lock", "layers/keys.py", "dockerfiles/build.sh:cook", "layers/key.py:keyed"]
    assert missing(" ".join(f"`{name}`" for name in gone)) == gone
    assert len(PATH.findall(text_of(ARCHITECTURE))) > 80


# --- links -----------------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as Markdown viewers derive them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in re.findall(r"\]\(((?!https?:)[^)]+)\)", text_of(page)):
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_the_readme_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w/.-]+\.md)", text_of(ROOT / "README.md")))
    assert {page.relative_to(ROOT).as_posix() for page in PAGES} - linked == {"README.md"}


# --- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_verbs_have_the_options_that_are_shown(page: Path) -> None:
    wrong = []
    for line in code(page):
        for name, rest in re.findall(r"\bdoit layers ([a-z]+)\b([^;|&]*)", line):
            options = {option["long"] for option in (*verbs.load(name).options, *verbs.COMMON)} | {"help"}
            wrong += [f"{name} --{option}" for option in re.findall(r"--([a-z-]+)", rest) if option not in options]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_tasks_have_the_options_that_are_shown(page: Path) -> None:
    options = {task.name: {param["long"] for param in task.params} for task in TASKS}
    options["cache_clear"] = options["cache_clear:soft"]
    own = {name.removeprefix("task_") for name in vars(dodo) if name.startswith("task_")}
    known = options.keys() | own | DOITS | {"layers", "image"}
    wrong = []
    for line in code(page):
        for name, rest in re.findall(r"(?:^|[;|&(] ?)doit ([a-z_]+(?::[a-z]+)?)\b([^;|&]*)", line):
            first, _, second = name.partition(":")
            task = name if name in known else first if second in SERVICES else second
            wrong += [] if task in known or name == "cache_clear:" else [name]
            given = re.findall(r"--([a-z-]+)", rest)
            wrong += [f"{task} --{option}" for option in given if task in options and option not in options[task]]
    assert wrong == []
