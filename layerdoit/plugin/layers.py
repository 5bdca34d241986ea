"""`doit layers <verb>`: what would be done and why, and which version this is."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from doit.cmd_base import Command
from doit.exceptions import InvalidCommand

# `plan --exit-code`: something would be pulled or built. 1 is an error.
CHANGES = 2


class Layers(Command):  # type: ignore[misc]  # doit carries no types
    """The command; its verbs are a table."""

    name = "layers"
    doc_purpose = "plan and explain the image layers of a Rust project"
    doc_usage = "plan [--json] [--exit-code] | version"
    doc_description = """Verbs:
  plan      what would be done to each layer, and why; builds nothing
  version   versions of layerdoit, doit, engine and buildx

`plan --exit-code` exits with 2 when a layer would be pulled or built, with 0 when nothing would be done.
Variables such as PROFILE=release work as for the tasks."""
    cmd_options = (
        {"name": "json", "long": "json", "type": bool, "default": False, "help": "one JSON object on standard output"},
        {
            "name": "exit_code",
            "long": "exit-code",
            "type": bool,
            "default": False,
            "help": "exit with 2 when anything would be done",
        },
        {"name": "root", "long": "root", "type": str, "default": ".", "help": "folder of the Rust project"},
    )

    def execute(self, params: Any, args: Sequence[str]) -> int:
        """Run a verb; the return value is the exit code."""
        from layerdoit.errors import LayerdoitError, as_error

        verbs: dict[str, Callable[[Any], int]] = {"plan": _plan, "version": _version}
        # doit stops at the first word that is no option; ours may follow the verb.
        after, words = self.cmdparser.parse(list(args[1:]))
        params.update({name: after[name] for name in after._non_default_keys})  # noqa: SLF001 - doit merges options so, too
        if words or not args or args[0] not in verbs:
            given = f'there is no verb "{" ".join(args)}"' if args else "a verb is missing"
            raise InvalidCommand(f"doit layers: {given}; verbs: {', '.join(verbs)}")
        try:
            return verbs[args[0]](params)
        except (LayerdoitError, OSError) as cause:
            error = as_error(cause)
            print(f"layerdoit: error: {error}", file=sys.stderr)
            return error.exit_code if error.exit_code != CHANGES or not params["exit_code"] else 1


def _plan(params: Any) -> int:
    from layerdoit.planner import plan_of
    from layerdoit.project import Project
    from layerdoit.tasks import variables

    project = Project(Path(params["root"]), variables())
    plan = plan_of(project)
    if params["json"]:
        print(json.dumps(plan.as_json(), indent=2))
    else:
        for step in plan.layers():
            print(f"{step.spec.layer:<5} {step.action:<6} {step.spec.tag}")
            for reason in step.reasons:
                print(f"      {reason}")
    return CHANGES if params["exit_code"] and plan.changes else 0


def _version(params: Any) -> int:
    from doit import version as doit_version

    import layerdoit
    from layerdoit import process
    from layerdoit.engine import api
    from layerdoit.errors import LayerdoitError

    lines = {"layerdoit": layerdoit.__version__, "doit": ".".join(map(str, doit_version.VERSION))}
    try:
        lines["engine"] = str((api.connect().get("/version") or {}).get("Version"))
        lines["buildx"] = process.capture(["docker", "buildx", "version"]).stdout.split()[1]
    except LayerdoitError as error:
        lines.setdefault("engine", f"none ({error.what})")
    if params["json"]:
        print(json.dumps(lines))
    else:
        for name, value in lines.items():
            print(f"{name:<10} {value}")
    return 0
