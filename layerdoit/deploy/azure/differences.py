"""What a deployment would change in an app, in lines for the user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from layerdoit.deploy.azure import revising, traffic
from layerdoit.deploy.azure.app_state import MARK, App, Json, Revision, mark_of
from layerdoit.deploy.azure.revising import Wanted
from layerdoit.deploy.provider import Release
from layerdoit.deploy.settings import DeploySettings


def lines(
    settings: DeploySettings,
    release: Release,
    app: App,
    revisions: Mapping[str, Revision],
    now: Revision | None,
    secrets: Sequence[Json],
) -> Iterator[str]:
    """One line each: what is now, and what would be. `secrets`: those of the app, with their values."""
    there = {str(one["name"]): str(one["value"]) for one in secrets if one.get("value")}
    names, new = revising.secret_names(settings.secrets, there)
    config = settings.config
    wanted = Wanted(release, settings.env, names, config.args, config.cpus, config.memory)
    asked = revising.container(app.template, app.ours, wanted)
    if now is not None and now.active and revising.is_already(now, asked):
        yield f"nothing: {now.name} serves this release already"
    else:
        yield from _container(now.container if now else {}, asked, new)
        yield from _traffic(app, revisions, now, release, asked)
    for one in traffic.left(app, tuple(revisions.values()), now):
        yield f"{one.name}: deactivated; an interrupted deployment left it"


def _traffic(
    app: App, revisions: Mapping[str, Revision], now: Revision | None, release: Release, asked: Json
) -> Iterator[str]:
    same = [one for one in revisions.values() if revising.is_already(one, asked) and one != now]
    name = same[-1].name if same else f"{app.name}--{revising.suffix(app.name, release.key, revisions)}"
    if same:
        yield f"{name}: runs again; it was made from the same release and settings"
    if app.ingress:
        yield f"traffic: 100 % from {now.name} to {name}" if now else f"traffic: 100 % to {name}"
    else:
        yield f"revision: {name}"
    if now is not None and now.active:
        labels = app.labels(now.name)
        yield f"{now.name}: stays active, it has the label {labels[0]}" if labels else f"{now.name}: deactivated"


def _container(before: Json, after: Json, new: Mapping[str, str]) -> Iterator[str]:
    name = after["name"]
    if before.get("image") != after["image"]:
        yield f"image of {name}: {before.get('image') or 'none'} -> {after['image']}"
    old, asked = _variables(before), _variables(after)
    for one in sorted({*old, *asked}):
        if one not in asked:
            yield f"variable {one}: removed"
        elif one not in old:
            yield f"variable {one}: {asked[one]}"
        elif old[one] != asked[one]:
            yield f"variable {one}: {old[one]} -> {asked[one]}"
    yield from (f"secret {one}: added" for one in sorted(new))
    for part in ("args", "resources"):
        was = {key: value for key, value in _part(before, part).items() if key != "ephemeralStorage"}
        if was != _part(after, part):
            yield f"{part} of {name}: {_words(was)} -> {_words(_part(after, part))}"


def _variables(one: Json) -> dict[str, str]:
    found = {
        str(entry["name"]): f"the secret {entry['secretRef']}"
        if entry.get("secretRef")
        else str(entry.get("value", ""))
        for entry in one.get("env") or []
    }
    mark = mark_of(one)
    found.pop(MARK, None)
    return {**found, "(commit)": mark.commit[:12]} if mark and mark.commit else found


def _part(one: Json, name: str) -> Mapping[str, object]:
    found = one.get(name) or {}
    return found if isinstance(found, Mapping) else {str(number): value for number, value in enumerate(found)}


def _words(part: Mapping[str, object]) -> str:
    return " ".join(str(value) for value in part.values()) or "none"
