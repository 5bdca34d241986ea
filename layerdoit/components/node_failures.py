"""Why a build of a component failed, in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from layerdoit.components.script_protocol import Exit
from layerdoit.core.errors import BuildError
from layerdoit.core.prose import listed
from layerdoit.engine import buildx

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from layerdoit.project.component_inputs import ComponentInputs

# Exit codes of Dockerfile.node-base.
_NO_NODE: Final = 93
_NO_MANAGER: Final = 94
_SHOWN: Final = 12
_NETWORK: Final = re.compile(
    r"\b(?:EAI_AGAIN|ENOTFOUND|ENETUNREACH|ECONNREFUSED)\b|Temporary failure in name resolution|getaddrinfo"
    r"|Could not resolve host|YN0080|ERR_PNPM_NO_OFFLINE"
)
_WROTE: Final = re.compile(r"component wrote (\d+) (.+)")
_CERTIFICATE: Final = re.compile(r"\b(?:SELF_SIGNED_CERT\w*|UNABLE_TO_\w+|DEPTH_ZERO_SELF_SIGNED_CERT|CERT_\w+)\b")
_NOT_FOUND: Final = re.compile(r"\bE404\b|ERR_PNPM_FETCH_404|\b404\b.*\bNot Found\b|Couldn't find package|YN0035")
_REFUSED: Final = re.compile(r"\bE40[13]\b|ERR_PNPM_FETCH_40[13]|\b40[13] (?:Unauthorized|Forbidden)|YN0041|YN0033")
_STALE: Final = re.compile(r"\bEUSAGE\b|ERR_PNPM_\w*OUTDATED_LOCKFILE|needs to be updated.*frozen-lockfile|YN0028")
_CONFLICT: Final = re.compile(r"\bERESOLVE\b|ERR_PNPM_PEER_DEP_ISSUES")
_ENGINE: Final = re.compile(r"\bEBADENGINE\b|ERR_PNPM_UNSUPPORTED_ENGINE|The engine \"node\" is incompatible")
_NO_PACKAGE: Final = re.compile(r"(?:npm (?:error|ERR!) )?404 .*?'([^']+)'|package \"([^\"]+)\"|GET \S+/([^/\s]+?):")


def explain(failed: buildx.StepFailed, inputs: ComponentInputs, unset: Sequence[str]) -> BuildError:
    """Why a step failed, for the user. `unset`: variables of logins that this machine has not."""
    for error in _known(failed, inputs, unset):
        return error
    layer = failed.layer
    what = {
        "base": "the base image did not build",
        "deps": f"{inputs.root.manager.name} could not install the packages",
        "output": f"`{inputs.config.build}` failed",
    }[layer]
    return _error(failed, inputs, what, f"correct it and run again; {buildx.whole_log(failed.log)}", told=True)


def _known(failed: buildx.StepFailed, inputs: ComponentInputs, unset: Sequence[str]) -> Iterator[BuildError]:
    text = "\n".join(failed.tail)
    manager, image = inputs.root.manager, inputs.config.image
    if failed.code == _NO_NODE:
        yield _error(failed, inputs, f"{image or 'the base image'} has no Node", "name an image that has it, or none")
    if failed.code == _NO_MANAGER:
        hint = f"name an image that has it ({inputs.setting}.image), or none"
        yield _error(failed, inputs, f"{image or 'the base image'} has no {manager.name}", hint)
    if failed.code == Exit.NO_OUTPUT:
        yield _no_output(failed, inputs)
    if failed.layer == "output":
        if _NETWORK.search(text):
            what = f"`{inputs.config.build}` asked for the network, which a build does not get"
            hint = "add what it downloads to the dependencies, or to the sources (include)"
            yield _error(failed, inputs, what, f"{hint}; {buildx.whole_log(failed.log)}", told=True)
        return
    yield from _of_download(failed, inputs, text, unset)


def _of_download(
    failed: buildx.StepFailed, inputs: ComponentInputs, text: str, unset: Sequence[str]
) -> Iterator[BuildError]:
    root = inputs.root
    scripts = "node-install.sh scripts" in failed.step
    makes = f"cd {root.folder or '.'} && {root.manager.name} install; then commit {root.lock}"
    if scripts:
        what = "an install script of a package failed; it gets no login"
        hint = f"base packages that it needs: {inputs.setting}.packages; or run none: {inputs.setting}.scripts: false"
        yield _error(failed, inputs, what, f"{hint}; {buildx.whole_log(failed.log)}", told=True)
        return
    if _STALE.search(text):
        yield _error(failed, inputs, f"{root.shown(root.at(root.lock))} does not fit package.json", makes, told=True)
    if _REFUSED.search(text):
        lacking = f": {listed(unset, 3)} is not set on this machine" if unset else ""
        hint = f"set {unset[0]}" if unset else "log in (npm login), or put the login into .npmrc of your home folder"
        yield _error(failed, inputs, f"the registry refused the login{lacking}", hint, told=True)
    if _NOT_FOUND.search(text):
        hint = "correct its name or version, or name its registry in .npmrc (@scope:registry=…) and log in: registries "
        hint += "say so of private packages, too"
        if unset:
            hint = f"set {listed(unset, 3)}, which .npmrc names; or {hint}"
        yield _error(failed, inputs, "the registry has no such package", hint, told=True)
    if _CONFLICT.search(text):
        hint = f"correct the versions; {makes}"
        yield _error(failed, inputs, "packages ask for versions of one another that do not fit", hint, told=True)
    if _ENGINE.search(text):
        hint = "name another version in .node-version, or another image"
        yield _error(
            failed, inputs, f"a package does not work with Node {inputs.node or 'of the image'}", hint, told=True
        )
    if found := _CERTIFICATE.search(text):
        hint = "NODE_EXTRA_CA_CERTS or SSL_CERT_FILE names the certificates of your company"
        yield _error(failed, inputs, f"the registry's certificate is not trusted ({found[0]})", hint)
    if _NETWORK.search(text):
        yield _error(failed, inputs, "the registry does not answer", "check network, proxy and .npmrc", told=True)


def _no_output(failed: buildx.StepFailed, inputs: ComponentInputs) -> BuildError:
    wrote = [(int(found[1]), found[2]) for line in failed.tail if (found := _WROTE.fullmatch(line.strip()))]
    folders = [f"{inputs.path}/{name}".lstrip("/") for _, name in sorted(wrote, reverse=True)]
    empty = "component output is empty" in failed.tail
    what = f"the build wrote {'nothing into' if empty else 'no'} {inputs.output_path}"
    what += f"; it wrote {listed(folders, 3)}" if folders else "; it wrote no file at all"
    hint = f"{inputs.setting}.output: {wrote and max(wrote)[1]}" if folders else "correct the command, or its settings"
    where = inputs.project.config.where
    place = where.get(f"{inputs.setting}.output", where.get(inputs.setting))
    return BuildError(f"{inputs.setting}.output: {what}", where=place, hint=hint)


def _error(
    failed: buildx.StepFailed, inputs: ComponentInputs, what: str, hint: str, *, told: bool = False
) -> BuildError:
    said = [line.rstrip() for line in failed.tail if line.strip()][-_SHOWN:] if told else []
    where = inputs.project.config.where.get(inputs.setting)
    return BuildError("\n".join([f"{inputs.setting}: {what}", *(f"  {line}" for line in said)]), where=where, hint=hint)
