"""Why a container ended, as far as its exit code or the loader of its programs says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from layerdoit.components.missing_libraries import ONE_SUITE
from layerdoit.deploy.docker import container_log
from layerdoit.deploy.docker.case import Case, Cause

if TYPE_CHECKING:
    from layerdoit.config import Config

_LIBRARY: Final = re.compile(
    r"error while loading shared libraries: (?P<name>[\w.+-]+\.so[\w.]*)"
    r"|Error loading shared library (?P<musl>[\w.+-]+\.so[\w.]*)"
    r"|(?P<opened>lib[\w.+-]+\.so[\w.]*): cannot open shared object file"
)
_TOO_NEW: Final = re.compile(r"version `(?P<version>[\w.]+)' not found \(required by (?P<by>[^)]+)\)")
_OTHER_CPU: Final = re.compile(r"exec format error", re.IGNORECASE)
_ARGUMENTS: Final = re.compile(r"^\s*(?P<argument>-{1,2}[\w-]+(?:[ =]<[^>]+>)?|<[^>]+>)\s*$")
_LACKS_ARGUMENTS: Final = "required arguments were not provided"
WRONG_USAGE: Final = 2
"""The exit code by which programs say that they were called with wrong arguments, or without any."""
_ILLEGAL: Final = (132, 4)
_KILLED: Final = 137


def loader(case: Case) -> Cause | None:
    """A library that is not there, or one that is too old."""
    for line in case.lines:
        if found := _TOO_NEW.search(line):
            what = f"{found['by']} needs {found['version']}: the libraries of the image are older than the builder's"
            return Cause(what, ONE_SUITE, "base.runtime_image")
        if found := _LIBRARY.search(line):
            name = next(filter(None, found.groups()))
            package = _package(name, case.settings.whole)
            hint = f"add to layerdoit.yaml: base: {{runtime_packages: [{package or 'PACKAGE'}]}}"
            which = "" if package else f" (apt-file search {name} names the Debian package)"
            return Cause(f"the image lacks the library {name}", hint + which, "base.runtime_packages")
    return None


def killed(case: Case) -> Cause | None:
    """What the engine or the kernel did to it."""
    if case.out_of_memory:
        if case.settings.config.memory is not None:
            hint = "give it more: deploy.memory, or have the service use less"
            return Cause("it was killed: it took more than its memory", hint, "deploy.memory")
        return Cause(
            "it was killed: there was no memory left", "give the engine more memory, or have the service use less"
        )
    if case.ended and case.exit_code in _ILLEGAL:
        hint = "compile for any machine of its kind: remove target-cpu from RUSTFLAGS and .cargo/config.toml"
        return Cause("it has an instruction that this processor does not know", hint)
    if any(_OTHER_CPU.search(line) for line in case.lines):
        return Cause(
            "it is a program of another platform than the engine's", "build for the engine's platform (target, builder)"
        )
    return None


def usage(case: Case) -> Cause | None:
    """A program that was called with wrong arguments, and one that has done what it has to do."""
    if case.ended and any(_LACKS_ARGUMENTS in line for line in case.lines):
        names = [found["argument"] for line in case.lines if (found := _ARGUMENTS.match(line))]
        wanted = ", ".join(names) or "…"
        return Cause(
            f"it lacks arguments: {wanted}", f"add to layerdoit.yaml: deploy: {{args: [{wanted}]}}, or image.cmd"
        )
    if case.ended and case.exit_code == 0:
        hint = (
            "a program that ends is not deployed: doit image makes the image, and docker run --rm runs it; a service "
            "that wants arguments gets them by deploy: {args: […]}"
        )
        return Cause("it has done its work and ended", hint, "deploy.args", certain=False)
    if case.ended and case.exit_code == WRONG_USAGE:
        fixed = f"{container_log.remedy(case.lines)}, then run doit cycle_fast"
        hint = f"{fixed}; its arguments are deploy.args, or else image.cmd"
        return Cause("", hint, "deploy.args", certain=False)
    return None


def _package(library: str, config: Config) -> str | None:
    """The Debian package of the runtime image that has a library; None where our table does not know it."""
    from layerdoit.cargo import native

    base = library.partition(".so")[0].removeprefix("lib")
    suites = native.suites(config)
    for provider in native.table().providers(suites.build, suites.run).values():
        if provider.library and base in provider.lib:
            return next(iter(provider.run), None)
    return None
