"""Jobs of GitLab CI, as one document that .gitlab-ci.yml includes: that file stays its owner's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from layerdoit.ci import ci_jobs
from layerdoit.ci.ci_facts import CiFacts
from layerdoit.ci.ci_jobs import Command, Words
from layerdoit.ci.commented_yaml import Note, Region
from layerdoit.ci.own_regions import versions

Document = Mapping[Any, Any]
Work = list[Command | Region]

ENTRY: Final = ".gitlab-ci.yml"
_WORDS: Final = Words(
    place="/tmp/layerdoit-$CI_JOB_ID",  # noqa: S108 - in the job's own container
    path='export PATH="{}:$PATH"',
    push_nothing="export LOCAL_ONLY=yes",
    emulator="",
)
_SUMMARY: Final = ("layers-report.md", "layers-report.html")
_SCHEDULED: Final = '$CI_PIPELINE_SOURCE == "schedule"'


def documents(facts: CiFacts) -> Mapping[str, Document]:
    """Path, seen from the top of the repository -> document."""
    made = {"base": _base, "build": _build, "publish": _publish, "registry": _registry}
    jobs: dict[Any, Any] = {}
    for name in ci_jobs.workflows(facts):
        jobs |= made[name](facts)
    return {path(facts): {**_common(facts), **jobs, Region("jobs"): None}} if jobs else {}


def every(facts: CiFacts) -> tuple[str, ...]:
    """The files that there may be, whatever the configuration says."""
    return (path(facts),)


def path(facts: CiFacts) -> str:
    """The file to include."""
    return f".gitlab/{'-'.join(filter(None, ('layers', facts.name)))}.yml"


def entry(facts: CiFacts) -> str:
    """The file that GitLab reads, where a repository has none."""
    return f"include:\n  - local: {path(facts)}\n"


def _name(facts: CiFacts, job: str) -> str:
    return ":".join(("-".join(filter(None, ("layers", facts.name))), job))


# --- jobs ------------------------------------------------------------------------------------------------------------


def _build(facts: CiFacts) -> Document:
    rules = [{"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'}, {"if": _on_branches(facts)}]
    work: Work = [*ci_jobs.login(facts, _WORDS, must=False), Region("before build"), *ci_jobs.test_and_build(facts)]
    made = _job(facts, [*work, Region("after build")], rules)
    return {_name(facts, "build"): {**made, Note("A newer push ends the run for an older one."): None, **_ENDS}}


_ENDS: Final = {"interruptible": True}


def _base(facts: CiFacts) -> Document:
    why = f'A pipeline schedule with the variable LAYERS = "{_name(facts, "base")}" builds the base anew, say monthly.'
    changes = {"if": _on_branches(facts), "changes": [*facts.base_inputs, path(facts)]}
    login = ci_jobs.login(facts, _WORDS, must=True)
    work = ci_jobs.base(facts, _WORDS, ['"$PLATFORM"'] if facts.native else facts.platforms or [None])
    job = _job(facts, [*login, Region("before base"), *work, Region("after base")], [_asked(facts, "base"), changes])
    more = _matrix(facts) if facts.native else {"resource_group": _name(facts, "base")}
    return {Note(why): None, _name(facts, "base"): {**job, **more}}


def _publish(facts: CiFacts) -> Document:
    rules = [{"if": r"$CI_COMMIT_TAG =~ /^v\d/"}]
    login: Work = list(ci_jobs.login(facts, _WORDS, must=True))
    layers: dict[Any, Any] = {}
    if facts.native:
        note = "Each platform on a machine of its own; the layers travel by the registry."
        build: Work = [*login, Region("before layers"), *ci_jobs.image(facts, _WORDS, '"$PLATFORM"')]
        layers = {Note(note): None, _name(facts, "layers"): {**_job(facts, build, rules), **_matrix(facts)}}
    work: Work = [*ci_jobs.login_to_publish(facts), *ci_jobs.foreign(facts, _WORDS), Region("before publish")]
    job = _job(facts, [*login, *work, *ci_jobs.publish(facts, _WORDS), Region("after publish")], rules)
    after = {"needs": [name for name in layers if isinstance(name, str)]} if layers else {}
    if len(facts.platforms) > 1:
        layers[Note("Versions are tried on all platforms: QEMU must be registered on the machine of the runner.")] = (
            None
        )
    return {**layers, _name(facts, "publish"): {**job, **after, "resource_group": _name(facts, "publish")}}


def _registry(facts: CiFacts) -> Document:
    why = (
        f'The registry is cleaned by a schedule, once a week, with the variable LAYERS = "{_name(facts, "registry")}".'
    )
    would, does = ci_jobs.clean(facts)
    work: Work = [
        *ci_jobs.login(facts, _WORDS, must=True),
        would,
        Region("before removal"),
        does,
        Region("after removal"),
    ]
    job = _job(facts, work, [_asked(facts, "registry")])
    return {Note(why): None, _name(facts, "registry"): {**job, "resource_group": _name(facts, "registry")}}


# --- parts -----------------------------------------------------------------------------------------------------------


def _common(facts: CiFacts) -> Document:
    image = f"docker:{versions()['docker']}"
    job = facts.ci.login == "job" and facts.registry is not None
    own = {ci_jobs.USER: "$CI_REGISTRY_USER", ci_jobs.TOKEN: "$CI_REGISTRY_PASSWORD"} if job else {}
    folder = [f"cd {shlex.quote(facts.folder)}"] if facts.folder != "." else []
    return {
        Note("What all jobs of this file have in common."): None,
        _template(facts): {
            "image": image,
            "services": [{"name": f"{image}-dind", "alias": "docker"}],
            **({"tags": [facts.runner]} if facts.runner else {}),
            "timeout": f"{facts.ci.timeout} minutes",
            "variables": {
                "DOCKER_HOST": "tcp://docker:2376",
                "DOCKER_TLS_CERTDIR": "/certs",
                "DOCKER_TLS_VERIFY": "1",
                "DOCKER_CERT_PATH": "/certs/client",
                **({"GIT_DEPTH": "0"} if facts.history else {}),
                **({"GIT_SUBMODULE_STRATEGY": "recursive"} if facts.submodules else {}),
                Note("What pip installs; a variable of the project overrides it."): None,
                "LAYERDOIT": ci_jobs.installed(facts),
                **({"LOCAL_ONLY": "no"} if facts.pushes else {}),
                **own,
                Note(
                    "CARGO_REGISTRIES_<NAME>_TOKEN, set in the project's settings, reaches cargo, and no image."
                ): None,
                Region("variables"): None,
            },
            "before_script": [
                "apk add --quiet --no-cache git python3",
                "timeout 60 sh -c 'until docker info >/dev/null 2>&1; do sleep 1; done'",
                *folder,
                ci_jobs.install(_WORDS).run,
            ],
            "after_script": [*folder, _summary(facts)],
            "artifacts": {
                "when": "always",
                "expire_in": "4 weeks",
                "paths": [_in_folder(facts, name) for name in _SUMMARY],
            },
        },
    }


def _template(facts: CiFacts) -> str:
    return f".{'-'.join(filter(None, ('layers', facts.name)))}"


def _in_folder(facts: CiFacts, name: str) -> str:
    return name if facts.folder == "." else f"{facts.folder}/{name}"


def _summary(facts: CiFacts) -> str:
    """In a shell of its own, which has no PATH of the other one."""
    text, page = _SUMMARY
    run = ci_jobs.summary(facts, f"--summary {text} --html {page}").run
    return f"{_WORDS.path.format(_WORDS.place + '/bin')}\n{run}"


def _job(facts: CiFacts, work: Iterable[Command | Region], rules: Sequence[Document]) -> Document:
    return {"extends": _template(facts), "rules": list(rules), "script": list(_script(work))}


def _script(work: Iterable[Command | Region]) -> Iterator[str | Region]:
    for one in work:
        yield one if isinstance(one, Region) else one.run


def _matrix(facts: CiFacts) -> Document:
    found = [{"PLATFORM": [one], "RUNNER": [facts.runner_of(one)]} for one in facts.platforms]
    return {"parallel": {"matrix": found}, "tags": ["$RUNNER"]}


def _asked(facts: CiFacts, job: str) -> Document:
    return {"if": f'{_SCHEDULED} && $LAYERS == "{_name(facts, job)}"'}


def _on_branches(facts: CiFacts) -> str:
    names = "|".join(map(_pattern, facts.ci.branches))
    return f'$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH =~ /^({names})$/'


def _pattern(branch: str) -> str:
    """`release/*` as an expression between slashes."""
    return re.sub(r"\*+", ".*", re.escape(branch).replace(r"\*", "*")).replace("/", r"\/")
