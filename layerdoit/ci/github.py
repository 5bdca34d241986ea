"""Workflows of GitHub Actions, as documents. What comes from outside is a variable of a step, never its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from layerdoit.ci import ci_jobs
from layerdoit.ci.ci_facts import CiFacts
from layerdoit.ci.ci_jobs import TOKEN, USER, Command
from layerdoit.ci.commented_yaml import Commented, Note, Region
from layerdoit.ci.own_regions import versions
from layerdoit.config.ci_section import WORKFLOWS

FOLDER: Final = ".github/workflows"
_CHECKOUT: Final = "actions/checkout"
_RUNNERS: Final[Mapping[str, str]] = {"amd64": "ubuntu-24.04", "arm64": "ubuntu-24.04-arm"}
_PLACE: Final = "$RUNNER_TEMP/layerdoit"
_PUSH_NOTHING: Final = 'echo "LOCAL_ONLY=yes" >> "$GITHUB_ENV"'
_FORK: Final = "github.event.pull_request.head.repo.fork"

Document = Mapping[Any, Any]


def documents(facts: CiFacts) -> Mapping[str, Document]:
    """Path, seen from the top of the repository -> document."""
    made = {"base": _base, "build": _build}
    return {path(facts, name): made[name](facts) for name in ci_jobs.workflows(facts)}


def every(facts: CiFacts) -> tuple[str, ...]:
    """The files that there may be, whatever the configuration says."""
    return tuple(path(facts, name) for name in WORKFLOWS)


def path(facts: CiFacts, workflow: str) -> str:
    """The file of a workflow."""
    return f"{FOLDER}/{_name(facts, workflow)}.yml"


def _name(facts: CiFacts, workflow: str) -> str:
    return "-".join(filter(None, ("layers", facts.name, workflow)))


# --- workflows -------------------------------------------------------------------------------------------------------


def _build(facts: CiFacts) -> Document:
    shares = facts.registry is not None and bool(facts.shares)
    fork = "A pull request of a fork has no secrets: it uses the layers of the registry, and pushes none."
    local = {Note(fork): None, "LOCAL_ONLY": f"${{{{ {_FORK} && 'yes' || 'no' }}}}"} if shares else {}
    local_only = ' LOCAL_ONLY="$LOCAL_ONLY"' if shares else ""
    steps = [
        Command("Test", facts.task("check") + local_only),
        Command("Build", facts.task("image") + local_only),
    ]
    triggers = {"pull_request": None, "push": {"branches": list(facts.ci.branches)}, "workflow_dispatch": None}
    return {
        **_head(facts, "build", triggers, pushes=shares, more_env=local),
        Note("A newer push ends the run for an older one of a pull request."): None,
        "concurrency": {
            "group": f"{_name(facts, 'build')}-${{{{ github.ref }}}}",
            "cancel-in-progress": "${{ github.event_name == 'pull_request' }}",
        },
        "jobs": {"build": _job(facts, "build", steps, must_log_in=False), Region("jobs"): None},
    }


def _base(facts: CiFacts) -> Document:
    inputs = [*facts.base_inputs, path(facts, "base")]
    triggers = {
        "push": {"branches": list(facts.ci.branches), "paths": inputs},
        Note("The base is built anew now and then, with what its distribution has corrected meanwhile."): None,
        "schedule": [{"cron": facts.ci.base_cron}],
        "workflow_dispatch": None,
    }
    steps = [Command("Build and push the base", f"{facts.task('base')} ON_MISSING=build")]
    return {
        **_head(facts, "base", triggers, pushes=True),
        "concurrency": {"group": _name(facts, "base"), "cancel-in-progress": False},
        "jobs": {"base": _job(facts, "base", steps, must_log_in=True), Region("jobs"): None},
    }


# --- parts -----------------------------------------------------------------------------------------------------------


def _head(
    facts: CiFacts, workflow: str, triggers: Document, *, pushes: bool, more_env: Document | None = None
) -> dict[Any, Any]:
    own_token = facts.ci.login == "job" and facts.registry is not None
    call = f"Another workflow may call it: uses: ./{path(facts, workflow)}, with secrets: inherit."
    folder = {"defaults": {"run": {"working-directory": facts.folder}}} if facts.folder != "." else {}
    return {
        "name": _name(facts, workflow),
        "on": {**triggers, Note(call): None, "workflow_call": None},
        "permissions": {
            "contents": "read",
            **({"packages": "write" if pushes else "read"} if own_token else {}),
        },
        "env": {
            Note("What pip installs; the variable LAYERDOIT of the repository names another version."): None,
            "LAYERDOIT": f"${{{{ vars.LAYERDOIT || '{_quoted(ci_jobs.installed(facts))}' }}}}",
            **(more_env or {}),
            Note(
                "Credentials of cargo: CARGO_REGISTRIES_<NAME>_TOKEN: ${{ secrets.<NAME> }}; they reach no image."
            ): None,
            Region("variables"): None,
        },
        **folder,
    }


def _quoted(text: str) -> str:
    """A text within quotes of an expression."""
    return text.replace("'", "''")


def _job(facts: CiFacts, name: str, commands: Sequence[Command], *, must_log_in: bool) -> Document:
    return {
        "runs-on": {**_RUNNERS, **facts.ci.runners}["amd64"],
        "timeout-minutes": facts.ci.timeout,
        "steps": [
            _checkout(facts),
            _step(facts, ci_jobs.install(_PLACE, f'echo "{_PLACE}/bin" >> "$GITHUB_PATH"')),
            *(_step(facts, one) for one in ci_jobs.login(facts, must=must_log_in, push_nothing=_PUSH_NOTHING)),
            Region(f"before {name}"),
            *(_step(facts, one) for one in commands),
            Region(f"after {name}"),
            _step(facts, ci_jobs.summary(facts, "$GITHUB_STEP_SUMMARY")),
        ],
    }


def _checkout(facts: CiFacts) -> Document:
    commit, _, version = versions()[_CHECKOUT].partition(" # ")
    return {
        "name": "Check out",
        "uses": Commented(f"{_CHECKOUT}@{commit}", version),
        "with": {
            **({"fetch-depth": 0} if facts.history else {}),
            **({"submodules": "recursive"} if facts.submodules else {}),
            **({"lfs": True} if facts.lfs else {}),
            "persist-credentials": False,
        },
    }


def _step(facts: CiFacts, one: Command) -> Document:
    return {
        "name": one.name,
        **({"if": "${{ always() }}"} if one.always else {}),
        **({"env": dict(_given(facts, one.wants))} if one.wants else {}),
        "run": one.run,
    }


def _given(facts: CiFacts, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    job = {USER: "github.actor", TOKEN: "github.token"}
    for name in names:
        yield name, f"${{{{ {job[name] if facts.ci.login == 'job' else f'secrets.{name}'} }}}}"
