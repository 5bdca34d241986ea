"""Write the generated files in docs/, and the JSON schema: from the program's tables, and from recorded benchmarks.

`python -m tools.docs` writes them; with `--check` it writes nothing, and exits with 1 if one is out of date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from layerdoit import config
from layerdoit.config import json_schema, reading, shipped
from layerdoit.core.units import SPAN
from layerdoit.front import exit_codes
from layerdoit.front.task_table import TASKS
from layerdoit.front.verbs import COMMON, VERBS, Verb, load
from tools import readme_chart

GENERATED = "<!-- written by `python -m tools.docs`; edit the source, not this page -->\n"
RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"
RECORDED = RESULTS / "caches" / "example-dev.json"
MEASURED = RESULTS / "example-dev-calm.json"
DOCS = Path(__file__).resolve().parent.parent / "docs"


def configuration_page() -> str:
    """The reference of layerdoit.yaml."""
    parts = [
        GENERATED,
        "# Configuration\n",
        (
            "Everything has a default: without any file, the project's name, its binaries, the toolchain and the\n"
            "profile are detected. `layerdoit.yaml`, beside `Cargo.toml`, says the rest. `CONFIG=path` overrides it\n"
            "with a second file of the same form: sections and mappings are merged, lists and single values are\n"
            "replaced. Variables of the command line override both. An unknown or duplicate key, or a wrong type, is\n"
            "an error with its file and line.\n"
        ),
        "## Top level\n",
        _settings_table(config.Config, ""),
    ]
    parts.extend(_section_parts(config.Config, ""))
    parts += ["## Command line variables\n", "Given as `doit <task> NAME=value`.\n", _variables_table()]
    parts += [
        "## All defaults\n",
        "This file changes nothing: it sets every key to its default.\n",
        "```yaml\n" + "\n".join(_yaml(config.Config(), 0)) + "\n```\n",
    ]
    return "\n".join(parts)


def _section_parts(schema: type[Any], prefix: str) -> Iterable[str]:
    for name, field in reading.settings(schema).items():
        inner = field.metadata.get("section")
        if inner is not None:
            yield f"## `{prefix}{name}`\n"
            yield field.metadata["doc"] + "\n"
            yield _settings_table(inner, f"{prefix}{name}.")
            yield from _section_parts(inner, f"{prefix}{name}.")
        elif several := field.metadata.get("sections"):
            yield f"## `{prefix}{name}`\n"
            yield field.metadata["doc"] + "\n"
            yield _settings_table(several, f"{prefix}{name}.<name>.")
            # What is like the sections at the top is described there.
            own = [item for item in reading.settings(several).items() if item[0] not in reading.settings(config.Config)]
            for section, inside in own:
                if kind := inside.metadata.get("section"):
                    yield f"### `{prefix}{name}.<name>.{section}`\n"
                    yield _settings_table(kind, f"{prefix}{name}.<name>.{section}.")


def _settings_table(schema: type[Any], prefix: str) -> str:
    default = schema()
    rows = []
    for name, field in reading.settings(schema).items():
        if "section" in field.metadata:
            shown = f"`{prefix}{name}`" if "<" in prefix else _link(prefix + name)
            rows.append((shown, "a section", "", field.metadata["doc"]))
        elif "sections" in field.metadata:
            rows.append((_link(prefix + name), "a mapping of names to sections", "`{}`", field.metadata["doc"]))
        else:
            kind = field.metadata["kind"]
            shown = _set(field, getattr(default, name))
            rows.append((f"`{prefix}{name}`", kind.expected, f"`{shown}`", field.metadata["doc"]))
    return _table(("key", "value", "default", "meaning"), rows)


def _variables_table() -> str:
    rows = []
    for variable in config.VARIABLES:
        values = variable.kind.expected + (", separated by commas" if variable.kind.many else "")
        rows.append((f"`{variable.name}`", values, f"`{variable.path}`" if variable.path else "", variable.doc))
    return _table(("variable", "value", "overrides", "meaning"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _shown(value: object) -> str:
    """A default as YAML writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, Mapping):
        return "{}" if not value else f"{{{', '.join(f'{name}: {_shown(item)}' for name, item in value.items())}}}"
    if isinstance(value, str) and "{" in value:
        return json.dumps(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _set(field: Any, value: object) -> str:
    """A value of a setting: durations have their unit."""
    if isinstance(value, float) and value >= 86_400 and field.metadata["kind"].expected == SPAN:
        return f"{value / 86_400:g}d"
    return _shown(value)


def _yaml(settings: Any, depth: int) -> Iterable[str]:
    for name, field in reading.settings(type(settings)).items():
        value = getattr(settings, name)
        if "section" in field.metadata:
            yield f"{'  ' * depth}{name}:"
            yield from _yaml(value, depth + 1)
        elif "sections" in field.metadata:
            yield f"{'  ' * depth}{name}: {{}}"
        else:
            yield f"{'  ' * depth}{name}: {_set(field, value)}"


def tasks_page(tasks: Iterable[Any], verbs: Mapping[str, Verb] = MappingProxyType({})) -> str:
    """The reference of tasks and verbs. A task has `name`, `doc` and `params`: doit's mappings, or plain words."""
    parts = [
        GENERATED,
        "# Tasks\n",
        (
            "`from layerdoit import task_layerdoit` in a `dodo.py` adds these tasks. `doit list` and `doit -h` show\n"
            "them. `doit help <task>` and `doit <task> --help` show what is said here, and how long the task took in\n"
            "this checkout so far. Every task also takes the\n"
            "[command line variables](configuration.md#command-line-variables). With `--json` the output is one JSON\n"
            "object and nothing else. `doit -v` or `doit <task> -v` says all that there is to say.\n"
        ),
        _table(("task", "what it does"), [(_link(task.name), _first_line(task)) for task in tasks]),
    ]
    for task in tasks:
        parts += [f"## `{task.name}`\n", str(task.doc).strip() + "\n", f"{task.when}\n", f"    doit {task.example}\n"]
        params = tuple(getattr(task, "params", None) or ())
        if params:
            parts.append(_options_table(params))
    return "\n".join([*parts, *(_verbs_parts(verbs) if verbs else ()), *_exit_codes()])


def _exit_codes() -> Iterable[str]:
    yield "# Exit codes\n"
    yield _table(("code", "of", "meaning"), [(f"`{one.code}`", one.of, one.meaning) for one in exit_codes.TABLE])


def _verbs_parts(verbs: Mapping[str, Verb]) -> Iterable[str]:
    """The command; options that every verb has are listed once."""
    yield "# The command `doit layers`\n"
    yield (
        "It needs no `dodo.py`. `doit layers` lists the verbs, `doit layers VERB --help` shows a verb's options.\n"
        "Results go to standard output; progress, remarks and errors go to standard error. [Exit codes](#exit-codes)\n"
        "are those of the tasks. If the reader of the output is gone (`doit layers history | head -1`), a verb or a\n"
        "task ends without a message, as other programs do.\n"
    )
    yield _table(("verb", "what it does"), [(_link(f"layers {name}"), verb.purpose) for name, verb in verbs.items()])
    yield "Every verb takes these options, and variables such as `PROFILE=release`:\n"
    yield _options_table(COMMON)
    for name, verb in verbs.items():
        yield f"## `layers {name}`\n"
        yield f"{verb.purpose[0].upper()}{verb.purpose[1:]}.\n"
        yield f"{verb.when}\n"
        words = f" {verb.words}" if verb.words else ""
        yield f"    doit layers {name}{words} [options]\n    {verb.example}\n"
        yield _options_table(verb.options)
        if verb.ends:
            yield f"Exit code: {verb.ends}.\n"


def _options_table(params: Iterable[Any]) -> str:
    return _table(("option", "default", "meaning"), [_param_row(param) for param in params])


def _link(name: str) -> str:
    """A link to the heading of this name, its anchor as Markdown viewers derive it."""
    anchor = "".join(letter for letter in name.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")
    return f"[`{name}`](#{anchor})"


def _first_line(task: Any) -> str:
    return str(task.doc).strip().split("\n", 1)[0]


def _param_row(param: Any) -> tuple[str, str, str]:
    if isinstance(param, str):
        return f"`{param}`", "", ""
    if not isinstance(param, Mapping):
        param = vars(param)
    options = [f"`-{param['short']}`"] if param.get("short") else []
    value = f" {param['metavar']}" if param.get("metavar") else ""
    options.append(f"`--{param.get('long') or param['name']}{value}`")
    default = param.get("default")
    shown = "" if default in (None, "") else f"`{_shown(default)}`"
    return ", ".join(options), shown, str(param.get("help") or param.get("doc") or "")


def doctor_page() -> str:
    """The reference of `doit layers doctor`: every rule, why it matters, and the fix."""
    from layerdoit.doctor.examination import AREAS

    parts = [
        GENERATED,
        "# Doctor\n",
        (
            "`doit layers doctor` examines engine, network, workspace, sources and existing Dockerfiles, and reports\n"
            "what is wrong or could go wrong: what, where (`file:line`), why it matters, and the fix. Without\n"
            "`--measure` it builds, changes and downloads nothing. What cannot be checked is listed as `not checked`,\n"
            "with the reason. Values of credentials are never shown.\n"
        ),
        (
            "Errors stop a build or make a wrong image: the exit code is 1. Warnings cost time or safety: the\n"
            "exit code is 0, or 2 with `--exit-code`. Hints are advice. `--json` prints one object: `findings`\n"
            "(each with `id`, `level`, `what`, `where`, `why`, `fix`), `not_checked`, `facts`, and the numbers of\n"
            "`errors`, `warnings`, `hints`. A finding may be less or more severe than its rule if the case is clear.\n"
        ),
    ]
    for area, rules in AREAS.items():
        rows = [(f"`{rule.id}`", rule.level, rule.about, rule.why, rule.fix) for rule in rules]
        parts += [f"## {area}\n", _table(("id", "level", "what", "why it matters", "fix"), rows)]
    return "\n".join(parts)


def pages() -> dict[str, str]:
    """File name -> content of every generated page."""
    return {
        "configuration.md": configuration_page(),
        "doctor.md": doctor_page(),
        "tasks.md": tasks_page(TASKS, {name: load(name) for name in VERBS}),
        "caches.md": caches_page(),
        **readme_chart.files(MEASURED),
    }


def caches_page() -> str:
    """The caches, what each level clears, and what clearing cost in a recorded run."""
    from tools import caches_page as page

    return f"{GENERATED}\n{page.page(RECORDED, _table)}"


def _on_disk(page: Path) -> str | None:
    return page.read_text(encoding="utf-8") if page.is_file() else None


def main(arguments: Sequence[str], folder: Path = DOCS) -> int:
    """Write the pages, or with `--check` compare them."""
    if list(arguments) not in ([], ["--check"]):
        print("usage: python -m tools.docs [--check]", file=sys.stderr)
        return 2
    current = {folder / name: content for name, content in pages().items()}
    if folder == DOCS:
        current[shipped.schema()] = json_schema.text()
    stale = [path for path, content in current.items() if _on_disk(path) != content]
    if not arguments:
        folder.mkdir(exist_ok=True)
        for path in stale:
            path.write_text(current[path], encoding="utf-8")
            print(f"docs: wrote {path.name}", file=sys.stderr)
    elif stale:
        print(
            f"docs: out of date: {', '.join(path.name for path in stale)}\nnext: python -m tools.docs",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
