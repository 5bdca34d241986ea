"""Workflows of GitHub Actions, as documents. What comes from outside is a variable of a step, never its text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from layerdoit.ci import ci_jobs
from layerdoit.ci.ci_facts import CiFacts
from layerdoit.ci.ci_jobs import Command, Words
from layerdoit.ci.commented_yaml import Commented, Note, Region
from layerdoit.ci.own_regions import versions
from layerdoit.config.ci_section import WORKFLOWS

Document = Mapping[Any, Any]
Work = list[Command | Region]

_FOLDER: Final = ".github/workflows"
_CHECKOUT: Final = "actions/checkout"
_FORK: Final = "github.event.pull_request.head.repo.fork"
_WORDS: Final = Words(
    place="$RUNNER_TEMP/layerdoit",
    path='echo "{}" >> "$GITHUB_PATH"',
    push_nothing='echo "LOCAL_ONLY=yes" >> "$GITHUB_ENV"',
    emulator="sudo apt-get update -qq\nsudo apt-get install -y -qq qemu-user-static binfmt-support",
)
_TAGS: Final = ["v[0-9]*"]
_OF_JOB: Final = {ci_jobs.USER: "github.actor", ci_jobs.TOKEN: "github.token"}


def documents(facts: CiFacts) -> Mapping[str, Document]:
    """Path, seen from the top of the repository -> document."""
    made = {"base": _base, "build": _build, "publish": _publish, "registry": _registry}
    return {path(facts, name): made[name](facts) for name in ci_jobs.workflows(facts)}


def every(facts: CiFacts) -> tuple[str, ...]:
    """The files that there may be, whatever the configuration says."""
    return tuple(path(facts, name) for name in WORKFLOWS)


def path(facts: CiFacts, workflow: str) -> str:
    """The file of a workflow."""
    return f"{_FOLDER}/{_name(facts, workflow)}.yml"


def _name(facts: CiFacts, workflow: str) -> str:
    return "-".join(filter(None, ("layers", facts.name, workflow)))


# --- workflows -------------------------------------------------------------------------------------------------------


def _build(facts: CiFacts) -> Document:
    fork = "A pull request of a fork has no secrets: it uses the layers of the registry, and pushes none."
    local = {Note(fork): None, "LOCAL_ONLY": f"${{{{ {_FORK} && 'yes' || 'no' }}}}"} if facts.pushes else {}
    triggers = {"pull_request": None, "push": {"branches": list(facts.ci.branches)}, "workflow_dispatch": None}
    work: Work = [*ci_jobs.login(facts, _WORDS, must=False), Region("before build"), *ci_jobs.test_and_build(facts)]
    return {
        **_head(facts, "build", triggers, local),
        Note("A newer push ends the run for an older one of a pull request."): None,
        "concurrency": {
            "group": f"{_name(facts, 'build')}-${{{{ github.ref }}}}",
            "cancel-in-progress": "${{ github.event_name == 'pull_request' }}",
        },
        "jobs": {"build": _job(facts, [*work, Region("after build")]), Region("jobs"): None},
    }


def _base(facts: CiFacts) -> Document:
    inputs = [*facts.base_inputs, path(facts, "base")]
    triggers = {
        "push": {"branches": list(facts.ci.branches), "paths": inputs},
        Note("The base is built anew now and then, with what its distribution has corrected meanwhile."): None,
        "schedule": [{"cron": facts.ci.base_cron}],
        "workflow_dispatch": None,
    }
    login: Work = list(ci_jobs.login(facts, _WORDS, must=True))
    work = ci_jobs.base(facts, _WORDS, ['"$PLATFORM"'] if facts.native else facts.platforms or [None])
    job = _job(facts, [*login, Region("before base"), *work, Region("after base")], native=facts.native)
    return {
        **_head(facts, "base", triggers),
        "concurrency": {"group": _name(facts, "base"), "cancel-in-progress": False},
        "jobs": {"base": job, Region("jobs"): None},
    }


def _publish(facts: CiFacts) -> Document:
    triggers = {"push": {"tags": _TAGS}, "workflow_dispatch": None}
    login: Work = list(ci_jobs.login(facts, _WORDS, must=True))
    layers: dict[Any, Any] = {}
    if facts.native:
        note = "Each platform on a machine of its own; the layers travel by the registry."
        build: Work = [*login, Region("before layers"), *ci_jobs.image(facts, _WORDS, '"$PLATFORM"')]
        layers = {Note(note): None, "layers": _job(facts, build, native=True)}
    work: Work = [*ci_jobs.login_to_publish(facts), *ci_jobs.foreign(facts, _WORDS), Region("before publish")]
    job = _job(facts, [*login, *work, *ci_jobs.publish(facts, _WORDS), Region("after publish")], after=list(layers)[1:])
    return {
        **_head(facts, "publish", triggers),
        Note("Two versions at once would both move the same tags."): None,
        "concurrency": {"group": _name(facts, "publish"), "cancel-in-progress": False},
        "jobs": {**layers, "publish": job, Region("jobs"): None},
    }


def _registry(facts: CiFacts) -> Document:
    would, does = ci_jobs.clean(facts)
    work: Work = [
        *ci_jobs.login(facts, _WORDS, must=True),
        would,
        Region("before removal"),
        does,
        Region("after removal"),
    ]
    return {
        **_head(facts, "registry", {"schedule": [{"cron": facts.ci.registry_cron}], "workflow_dispatch": None}),
        "concurrency": {"group": _name(facts, "registry"), "cancel-in-progress": False},
        "jobs": {"registry": _job(facts, work, asks_git=True), Region("jobs"): None},
    }


# --- parts -----------------------------------------------------------------------------------------------------------


def _head(facts: CiFacts, workflow: str, triggers: Document, more_env: Document | None = None) -> dict[Any, Any]:
    own_token = facts.ci.login == "job" and (facts.registry or facts.published)
    pushes = facts.pushes or workflow != "build"
    call = f"Another workflow may call it: uses: ./{path(facts, workflow)}, with secrets: inherit."
    secrets = (
        "Credentials of cargo stand here, too: CARGO_REGISTRIES_<NAME>_TOKEN: ${{ secrets.<NAME> }}. No image has them."
    )
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
            Note(secrets): None,
            Region("variables"): None,
        },
        **({"defaults": {"run": {"working-directory": facts.folder}}} if facts.folder != "." else {}),
    }


def _quoted(text: str) -> str:
    """A text within quotes of an expression."""
    return text.replace("'", "''")


def _job(
    facts: CiFacts,
    work: Iterable[Command | Region],
    *,
    native: bool = False,
    asks_git: bool = False,
    after: Sequence[str] = (),
) -> Document:
    """`native`: one for each platform, on its own machine; `asks_git`: which branches exist; `after`: of these jobs."""
    steps = (ci_jobs.install(_WORDS), *work, ci_jobs.summary(facts, '--summary "$GITHUB_STEP_SUMMARY"'))
    return {
        **({"needs": list(after)} if after else {}),
        **(_matrix(facts) if native else {"runs-on": facts.runner}),
        "timeout-minutes": facts.ci.timeout,
        "steps": [
            _checkout(facts, asks_git=asks_git),
            *(one if isinstance(one, Region) else _step(facts, one) for one in steps),
        ],
    }


def _matrix(facts: CiFacts) -> Document:
    found = [{"platform": one, "runner": facts.runner_of(one)} for one in facts.platforms]
    return {
        "strategy": {"fail-fast": False, "matrix": {"include": found}},
        "runs-on": "${{ matrix.runner }}",
        "env": {"PLATFORM": "${{ matrix.platform }}"},
    }


def _checkout(facts: CiFacts, *, asks_git: bool) -> Document:
    commit, _, version = versions()[_CHECKOUT].partition(" # ")
    return {
        "name": "Check out",
        "uses": Commented(f"{_CHECKOUT}@{commit}", version),
        "with": {
            **({"fetch-depth": 0} if facts.history else {}),
            **({"submodules": "recursive"} if facts.submodules else {}),
            **({"lfs": True} if facts.lfs else {}),
            **({Note("Which branches exist is asked of the remote: what they need stays."): None} if asks_git else {}),
            "persist-credentials": asks_git,
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
    # The token of the job is for the registry of the layers; another registry has secrets of its own.
    job = _OF_JOB if facts.ci.login == "job" else {}
    for name in names:
        yield name, f"${{{{ {job.get(name, f'secrets.{name}')} }}}}"
