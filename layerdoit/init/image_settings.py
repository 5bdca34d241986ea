"""What the settings of image and container should be, by what existing files tell of another image. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from layerdoit.cargo.entrypoint import choose
from layerdoit.core.prose import listed
from layerdoit.init.items import Item
from layerdoit.init.places import reachable

if TYPE_CHECKING:
    from layerdoit.init.found import Found
    from layerdoit.init.hints import Hint

_ENV_SKIPPED: Final = re.compile(r"(PATH|DEBIAN_FRONTEND|HOME|TERM|LANG|LC_\w+|CARGO_\w+|RUSTUP_\w+|RUSTFLAGS|DIR)$")
# A file of an argument: `/etc/x.toml`, `--config=/etc/x.toml`.
_FILE: Final = re.compile(r"(?:^|=)(/(?!(?:dev|proc|sys|tmp|run|var/run|usr|bin)/)[\w.-]+(?:/[\w.-]+)*\.\w+)$")


def items(found: Found, project: str | None) -> Iterator[Item]:
    """`project`: the name that is proposed for the project, if one is."""
    yield from _entrypoint(found, project)
    for hint in found.hints:
        yield from _of_image(hint, found)
    yield from _deploy(found)


def started(found: Found) -> Hint | None:
    """What tells which of the binaries is started."""
    names = {name for _, name in found.selection.bins} if found.selection else set()
    return next((hint for hint in found.hints if hint.kind == "entrypoint" and hint.value in names), None)


def _entrypoint(found: Found, project: str | None) -> Iterator[Item]:
    names = [name for _, name in found.selection.bins] if found.selection else []
    entry = started(found)
    script = next((hint for hint in found.hints if hint.kind == "script"), None)
    if script is not None:
        yield Item("image.entrypoint", script.value, script.origin, active=script.sure)
    if len(names) > 1 and entry is not None:
        yield Item("image.entrypoint", entry.value, entry.origin)
    elif found.selection is not None and len(names) > 1 and (script is None or not script.sure):
        runs = choose(found.workspace, found.selection, project, found.root.name)
        told = f"{runs.why}; " if runs.why else ""
        why = f"{told}one of {listed(names, 12)}: what the image runs"
        yield Item("image.entrypoint", runs.name, why, active=False)
    if entry is not None or script is not None:
        for hint in found.hints:
            if hint.kind == "cmd":
                yield from (Item("image.cmd", word, hint.origin, active=hint.sure) for word in json.loads(hint.value))


def _of_image(hint: Hint, found: Found) -> Iterator[Item]:
    name, _, value = hint.value.partition("=")
    if hint.kind == "env" and not _ENV_SKIPPED.match(name):
        yield Item("image.env", (name, value), hint.origin, active=hint.sure)
    elif hint.kind == "label":
        yield Item("image.labels", (name, value), hint.origin)
    elif hint.kind == "port":
        yield Item("image.expose", hint.value, hint.origin)
    elif hint.kind == "stop-signal":
        yield Item("image.stop_signal", hint.value, hint.origin)
    elif hint.kind == "base-image":
        yield Item("base.runtime_image", hint.value, hint.origin, active=False)
    elif hint.kind == "asset":
        source, _, target = hint.value.rpartition(":")
        yield Item("image.assets", (source, reachable(target)), hint.origin, active=hint.sure)
        if source in found.compiled and hint.sure:
            yield Item("sources.include", source, f"{found.compiled[source]} compiles it in")


def _deploy(found: Found) -> Iterator[Item]:
    ports = list(dict.fromkeys(hint.value.partition("/")[0] for hint in found.hints if hint.kind == "port"))
    for hint in found.hints:
        if hint.kind == "port" and "/udp" not in hint.value:
            one_of = f"; one of {listed(ports, 5)}" if len(ports) > 1 else ""
            yield Item("deploy.port", int(hint.value.partition("/")[0]), hint.origin + one_of, active=not one_of)
            if len(ports) == 1:
                break
    checked = any(hint.kind == "health" for hint in found.hints)
    for hint in found.hints:
        if hint.kind == "publish" and len(ports) == 1 and hint.value not in ports:
            yield Item("deploy.publish", int(hint.value), hint.origin)
        elif hint.kind == "health" and ports:
            yield Item("deploy.health.path", hint.value, hint.origin, active=len(ports) == 1)
        elif hint.kind == "health-command" and not checked:
            yield Item("deploy.health.command", hint.value, hint.origin, active=hint.sure and len(ports) == 1)
        elif hint.kind == "health-timeout":
            yield Item("deploy.health.timeout", _number(hint.value), hint.origin, active=len(ports) == 1)
        yield from _of_container(hint)


def _of_container(hint: Hint) -> Iterator[Item]:
    """What a compose file says of the container alone."""
    if hint.kind == "deploy-env":
        name, _, value = hint.value.partition("=")
        yield Item("deploy.env", (name, value), hint.origin, active=hint.sure)
    elif hint.kind == "args":
        yield from (Item("deploy.args", word, hint.origin, active=hint.sure) for word in json.loads(hint.value))
    elif hint.kind == "network":
        yield Item("deploy.network", hint.value, hint.origin, active=hint.sure)
    elif hint.kind == "provider":
        yield Item("deploy.provider", hint.value, hint.origin, active=hint.sure)
    elif hint.kind == "compose-service":
        yield Item("deploy.compose.service", hint.value, hint.origin, active=hint.sure)
    elif hint.kind == "isolated":
        yield Item("deploy.isolated_start", False, hint.origin, active=hint.sure)
    elif hint.kind == "stop-grace":
        yield Item("deploy.stop_grace", _number(hint.value), hint.origin)


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number


def remarks(found: Found) -> Iterator[str]:
    """What of another image these settings cannot say."""
    yield from _named_files(found)
    yield from _second_copies([hint for hint in found.hints if hint.kind == "asset" and hint.sure])
    names = {name for _, name in found.selection.bins} if found.selection else set()
    starts = [hint for hint in found.hints if hint.kind == "entrypoint"]
    script = any(hint.kind == "script" and hint.sure for hint in found.hints)
    if names and starts and not script and started(found) is None:
        hint = starts[-1]
        yield f"{hint.where}: the image starts {hint.value}, which is none of the binaries: ours starts one of them"


def _named_files(found: Found) -> Iterator[str]:
    """Files that the arguments name, and that nothing brings into the image."""
    brought = [hint.value.rpartition(":")[2] for hint in found.hints if hint.kind == "asset" and hint.sure]
    brought += [hint.value for hint in found.hints if hint.kind in ("volume", "folder", "workdir")]
    brought += [hint.value.split(":")[1] for hint in found.hints if hint.kind == "mount" and hint.sure]
    for hint in found.hints:
        for word in json.loads(hint.value) if hint.kind in ("cmd", "args") and hint.sure else ():
            path = _FILE.search(word)
            if path and not any(f"{path[1]}/".startswith(f"{place.rstrip('/')}/") for place in brought):
                yield (
                    f"{hint.where}: the arguments name {path[1]}, which the image will not have: mount it (deploy: "
                    f"{{volumes: [./…:{path[1]}:ro]}}), or copy it by image.assets"
                )


def _second_copies(assets: Sequence[Hint]) -> Iterator[str]:
    """An asset has one place."""
    first: dict[str, str] = {}
    for hint in assets:
        source, _, target = hint.value.rpartition(":")
        if first.setdefault(source, target) != target:
            yield (
                f"{hint.where}: {source} is also copied to {target}; an asset has one place, here "
                f"{first[source]}: have "
                "the program look there, or keep a second copy in the project"
            )
