"""The existing Dockerfiles of a project: which there are, what lies around them, and what the rules say of each."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from layerdoit.dockerfile.parse import parse
from layerdoit.doctor import dockerfile_cache, dockerfile_image, dockerfile_safety
from layerdoit.doctor.dockerfile_safety import Around
from layerdoit.doctor.finding import Finding

RULES = (*dockerfile_cache.RULES, *dockerfile_safety.RULES, *dockerfile_image.RULES)

_NAME = re.compile(r"(?:^|/)(?:(?:Docker|Container)file(?:[._-][\w.-]+)?|[\w.-]+\.(?i:dockerfile|containerfile))$")
_TEMPLATE = re.compile(r"\.(?:j2|jinja2?|tmpl|tpl|template|in|erb|hbs|mustache|dockerignore|md|txt|ya?ml|sh|py|rs)$")
_OTHERS = re.compile(
    r"(?:^|/)(?:\.devcontainer|tests?|testfiles[\w-]*|vendor|third[_-]party|node_modules|testdata|fixtures|target)/"
)
_BUILDERS = re.compile(
    r"(?:^|/)(?:(?:docker-)?compose[\w.-]*\.ya?ml|[\w.-]*\.mk|Makefile(?:\.toml)?|\.?justfile|docker-bake\.(?:hcl|json)|"
    r"Tiltfile|Earthfile|Taskfile\.ya?ml|[\w.-]+\.sh|xtask/.*\.rs|dodo\.py|skaffold\.yaml)$|^\.github/workflows/.*\.ya?ml$|"
    r"^\.gitlab-ci\.yml$"
)


def named(paths: Iterable[str]) -> list[str]:
    """The Dockerfiles among the paths of a tree: no templates, none of other people's code."""
    return sorted(
        path for path in paths if _NAME.search(path) and not _TEMPLATE.search(path) and not _OTHERS.search(path)
    )


def builders(paths: Iterable[str]) -> list[str]:
    """Files that may say which stage is built."""
    return sorted(path for path in paths if _BUILDERS.search(path))


def of_rust(text: str) -> bool:
    """Whether it calls cargo at all."""
    return re.search(r"(?:^|[\s;&(/\"])cargo(?:\s|-chef|\")", text, re.MULTILINE) is not None


def check(path: str, text: str, around: Around, elsewhere: str = "") -> list[Finding]:
    """What the rules say of one Dockerfile; nothing of one that does not compile Rust."""
    if not of_rust(text):
        return []
    file = parse(text, path)
    found = (
        *dockerfile_cache.check(file),
        *dockerfile_safety.check(file, around),
        *dockerfile_image.check(file, elsewhere, text),
    )
    return list(_joined(found))


def _joined(found: Sequence[Finding]) -> Iterator[Finding]:
    """What holds for several lines is said once."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in found:
        groups.setdefault((finding.id, finding.level, finding.what), []).append(finding)
    for group in groups.values():
        others = list(dict.fromkeys((finding.where or "").rpartition(":")[2] for finding in group))[1:]
        more = f" (also line{'s' if len(others) > 1 else ''} {', '.join(others)})" if others else ""
        yield replace(group[0], what=group[0].what + more)


def ignore_files(path: str) -> tuple[str, ...]:
    """Where the .dockerignore of a Dockerfile may lie: beside it by its name, in its folder, at the root."""
    folder = posixpath.dirname(path)
    places = (f"{path}.dockerignore", posixpath.join(folder, ".dockerignore"), ".dockerignore")
    return tuple(dict.fromkeys(places))
