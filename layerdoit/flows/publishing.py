"""Images for people: `doit push`, `doit publish`, `doit publish_base`.

Whatever stands against it is found before anything is built, as far as it can be; tags move when all else is done, of
all platforms and all services.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.build import release_push
from layerdoit.core.console import say, warn
from layerdoit.core.doing import Doing, tell
from layerdoit.core.errors import ConfigError, PublishError
from layerdoit.core.prose import listed
from layerdoit.core.units import duration_text, size_text
from layerdoit.engine.handle import Engine
from layerdoit.engine.images import is_unpacked
from layerdoit.engine.platform_way import REGISTER
from layerdoit.engine.registry_api import RegistryApi
from layerdoit.flows import attaching, conditions, reporting
from layerdoit.flows.attaching import Beside
from layerdoit.flows.ensure import ensure_each, sweep
from layerdoit.project import question
from layerdoit.publish import place, published_image, pulled_check, release_facts
from layerdoit.publish.published_image import Sent, Standing, Target
from layerdoit.publish.pulled_check import Check
from layerdoit.publish.tag_families import needs_version

if TYPE_CHECKING:
    from layerdoit.flows.session import Session
    from layerdoit.project.project import Project
    from layerdoit.project.question import Question
    from layerdoit.publish.release_facts import Commit

_RUNTIME: Final = "runtime"


class Wish(NamedTuple):
    """What the user asked for. `dirty`: of a tree that differs from its commit, too; `force`: overwrite what is there.

    `beside`: what goes beside the image.
    """

    dirty: bool = False
    force: bool = False
    beside: Beside = Beside()


class Job(NamedTuple):
    """An image to publish, and what tells whether it is right. `sessions`: of each platform."""

    target: Target
    checks: tuple[Check, ...]
    sessions: Mapping[str, Session]


class Wanted(NamedTuple):
    """All that is to be published, from which commit, and what goes beside it."""

    jobs: Sequence[Job]
    commit: Commit
    beside: Beside


# --- push ------------------------------------------------------------------------------------------------------------


def push(session: Session) -> None:
    """Have the images of the tree in the registry, under `image.tags`."""
    _allowed(session.project)
    places = {one: place.of(one.project) for one in session.built}
    if "app" not in session.run.reported:
        reporting.each(ensure_each(session, "app"))
    for one, repository in places.items():
        _pushed(one, repository)


def _pushed(session: Session, repository: str) -> None:
    project, spec, tags = session.project, session.plan.step("app").spec, session.inputs.question.tags
    api = RegistryApi.of(repository)
    image = str((session.engine.images.inspect(spec.tag) or {}).get("Id") or "")
    with _row(session, "push"):
        if not release_push.known(project, repository, image):
            # The engine would try again and again for more than a minute.
            api.try_to_push()
        sent = release_push.push(project, spec, image, repository)
        manifest = api.manifest(sent.digest)
        if manifest is None:
            raise PublishError(f"{repository} has {sent.digest[:19]} no more", hint="run again: retention may have run")
        moved = [name for name in tags if api.digest(name) != sent.digest]
        for name in moved:
            api.put_manifest(name, manifest.media_type, manifest.content)
    names = ", ".join(tags)
    if not moved and not sent.seconds:
        say(f"push    nothing to do: {repository}:{names} is the image of this tree")
        return
    how = f" ({size_text(sent.bytes)} in {duration_text(sent.seconds)})" if sent.seconds else ""
    say(f"push    {repository}:{names}{how}")


# --- publish ---------------------------------------------------------------------------------------------------------


def publish(session: Session, wish: Wish) -> None:
    """Publish the image of the tree, or those of all services, under the tags of `publish.tags`."""
    found = _ready(session, wish)
    platforms = _platforms(session)
    jobs = []
    for one in session.built:
        project = one.project
        facts = release_facts.facts(project, found, project.config.publish.tags)
        sessions = {name: _part(at, project.service) for name, at in platforms.items()}
        specs = {name: at.plan.step("app").spec for name, at in sessions.items()}
        target = Target(project, place.of(project), project.config.publish.tags, facts, specs, session.engine.images)
        # What serves a page is started by no words of ours: it is pulled.
        checks = () if project.kind == "served" else pulled_check.of_app(project.config)
        jobs.append(Job(target, checks, sessions))
    if not jobs:
        raise ConfigError("no image is built here, and so there is nothing to publish", hint="doit layers plan")
    beside = attaching.wanted(session.project, wish.beside)
    _carried_out(session, Wanted(jobs, found, beside), wish, platforms, ("base", "deps", "app"))


def publish_base(session: Session, wish: Wish) -> None:
    """Publish the builder and the runtime image, under the tags of `publish.base_tags`."""
    whole = session.whole or session
    found = _ready(whole, wish)
    project, platforms = whole.project, _platforms(whole)
    config = project.config
    repository = place.of(project)
    facts = release_facts.bare(project, found)._replace(version=release_facts.given(project))
    jobs = []
    for layer in ("base", _RUNTIME):
        specs = {
            name: at.plan.step(layer).spec
            for name, at in platforms.items()
            # The builder of a cross-compilation is an image of the platform that compiles.
            if at.plan.has(layer) and (layer == _RUNTIME or at.engine.build_platform == name)
        }
        if not specs:
            continue
        # A base has a version only where one is given: that of the program is not its own.
        templates = tuple(one for one in config.publish.base_tags if facts.version or not needs_version(one))
        checks = [Check(("--version",), must=True, entrypoint="rustc")]
        own = facts._replace(rust=_rust(whole))
        if layer == _RUNTIME:
            # What it holds of Rust is what binaries bring.
            templates, checks = tuple(_of_runtime(one) for one in templates if "{rust}" not in one), list[Check]()
        target = Target(project, repository, templates, own, specs, whole.engine.images)
        jobs.append(Job(target, tuple(checks), platforms))
    if not jobs:
        raise ConfigError("nothing is compiled here, and so there is no base image", hint="doit layers plan")
    beside = attaching.wanted(project, wish.beside)
    _carried_out(whole, Wanted(jobs, found, beside), wish, platforms, ("base",))


def _of_runtime(template: str) -> str:
    return f"{_RUNTIME}{template.removeprefix('base')}" if template.startswith("base") else f"{_RUNTIME}-{template}"


def _rust(session: Session) -> str:
    return session.tree.toolchain.identity.partition(" ")[0] if session.project.has_rust else ""


def _ready(session: Session, wish: Wish) -> Commit:
    """What must be true before anything is built. The commit that is published."""
    project = session.project
    _allowed(project)
    conditions.require_named(project)
    conditions.check(project)
    found = release_facts.commit(project)
    if found.changed and not wish.dirty:
        raise PublishError(
            f"this tree differs from its commit: {listed(found.changed, 3)}",
            hint="commit or stash the changes; to publish them all the same: --dirty",
        )
    return found


def _allowed(project: Project) -> None:
    if project.local_only:
        raise ConfigError("LOCAL_ONLY: nothing is to be pushed", hint="doit image builds, and pushes nothing")


def _platforms(session: Session) -> Mapping[str, Session]:
    """A session for each platform, the engine's own among them is this one. Of services, that of the whole."""
    whole = session.whole or session
    asked, configured = whole.project.platform, whole.project.config.platforms
    if asked is not None and configured and tuple(configured) != (asked,):
        what = f"PLATFORM={asked}: people get what is published for all of platforms: {', '.join(configured)}"
        raise ConfigError(what, where=whole.project.config.where.get("platforms"), hint="leave PLATFORM out")
    found = {}
    for platform in (asked,) if asked is not None else whole.platforms:
        own = platform == whole.engine.platform
        # Friendly tags on this engine are for the images that it runs.
        found[platform] = whole if own else whole.on(platform).asking(_untagged)
    return found


def _untagged(project: Project, platform: str) -> Question:
    return replace(question.build(project, platform), tags=())


def _part(whole: Session, service: str) -> Session:
    return whole.service(service) if service else whole


def _carried_out(
    session: Session, wanted: Wanted, wish: Wish, platforms: Mapping[str, Session], layers: Sequence[str]
) -> None:
    jobs = wanted.jobs
    standings = [published_image.examine(job.target, force=wish.force) for job in jobs]
    for job, standing in zip(jobs, standings, strict=True):
        for text in standing.remarks:
            say(f"publish {text}")
        for name, found in standing.overwrites.items():
            warn(f"--force overwrites {job.target.repository}:{name}: {found.words}")
    if all(_is_published(job, standing, wanted.beside) for job, standing in zip(jobs, standings, strict=True)):
        for job, standing in zip(jobs, standings, strict=True):
            names = ", ".join(standing.tags.all)
            say(f"publish nothing to do: {job.target.repository}:{names} is the image of this tree")
        return
    for standing in standings:
        # Rather now than after a build; and the engine would try again and again for more than a minute.
        standing.api.try_to_push()
    conditions.agreed(session, f"publish {', '.join(_named(*pair) for pair in zip(jobs, standings, strict=True))}")
    if not all(standing.digest for standing in standings):
        _built(session, platforms, layers)
    sent = [_sent(session, *pair) for pair in zip(jobs, standings, strict=True)]
    for job, one in zip(jobs, sent, strict=True):
        _checked(session, job, one)
    for job, standing, one in zip(jobs, standings, sent, strict=True) if wanted.beside.any else ():
        with _row(session, "beside"):
            attaching.put(job.target, standing, one, wanted.beside, job.sessions, wanted.commit)
    for job, standing, one in zip(jobs, standings, sent, strict=True):
        with _row(session, "tags"):
            digest = published_image.move(job.target, standing, one.digest)
        say(f"publish {job.target.repository}:{', '.join(standing.tags.all)} is {digest}")


def _is_published(job: Job, standing: Standing, beside: Beside) -> bool:
    if standing.lacking:
        return False
    if not beside.any:
        return True
    children = published_image.children(job.target, standing)
    return attaching.complete(job.target, standing, children, beside)


def _named(job: Job, standing: Standing) -> str:
    return f"{job.target.repository}:{standing.tags.all[0]}"


def _built(session: Session, platforms: Mapping[str, Session], layers: Sequence[str]) -> None:
    service = session.project.service
    for whole in platforms.values():
        one = _part(whole, service)
        for layer in layers:
            reporting.each(ensure_each(one, layer))
        sweep(whole)


def _sent(session: Session, job: Job, standing: Standing) -> Sent:
    """The images are in the registry by their digests."""
    target = job.target
    if standing.digest:
        return Sent(standing.digest, published_image.children(target, standing))
    tell_unpacked(target)
    with _row(session, "push"):
        sent = published_image.send(target, standing.api)
    told = f"{size_text(sent.bytes)} in {duration_text(sent.seconds)}"
    say(f"push    {target.repository}@{sent.digest} ({listed(sorted(sent.children))}; {told})")
    return sent


def tell_unpacked(target: Target) -> None:
    """Warn of images whose system was put together without running anything of it: users expect an installed one."""
    for platform, spec in sorted(target.specs.items()):
        if is_unpacked(target.images.labels([spec.tag]).get(spec.tag, {})):
            warn(
                f"{target.repository} for {platform}: the packages of its system are unpacked, and their scripts were "
                f"not run\nnext: {REGISTER}; then doit cache_clear:nuke, and publish it again"
            )


def _checked(session: Session, job: Job, sent: Sent) -> None:
    target, version = job.target, job.target.facts.version
    # What runs here is the engine's business, whatever builds.
    own = Engine().platform
    for platform, digest in sorted(sent.children.items()):
        with _row(session, "check"):
            told = list(pulled_check.tried(target.repository, digest, platform, job.checks, own))
        for text in told:
            say(f"check   {platform}: {text}")
            if version is not None and (other := pulled_check.other_version(text, str(version))):
                warn(f"the program says that it is {other}, and is published as {version}")


_WORDS: Final = {
    "push": "pushing the image",
    "check": "pulling and checking what was pushed",
    "beside": "putting documents and signatures beside it",
    "tags": "moving the tags",
}


@contextlib.contextmanager
def _row(session: Session, phase: str) -> Iterator[None]:
    """Show what goes on."""
    from layerdoit.engine.board import Board, Row
    from layerdoit.engine.display import Display

    display = Display(Board((Row("publish"),)), session.run.label)
    with display.shown(), display.work("publish", _WORDS[phase]):
        tell(Doing(_WORDS[phase]))
        yield
