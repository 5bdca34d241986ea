"""What `doit publish` puts beside an image: bill of materials, provenance, signature. The image's digest stays."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core.console import say
from layerdoit.core.prose import listed
from layerdoit.engine import cosign, image_files, trials
from layerdoit.publish import attachments, bom, image_contents, provenance, tagged
from layerdoit.publish.bom import Subject

if TYPE_CHECKING:
    from layerdoit.flows.session import Session
    from layerdoit.project.project import Project
    from layerdoit.publish.published_image import Sent, Standing, Target
    from layerdoit.publish.release_facts import Commit

_NOTE: Final = "signed.json"
_KEPT: Final = 40
# As cosign calls the types of statements.
_BOM, _PROVENANCE = "cyclonedx", "slsaprovenance1"


class Beside(NamedTuple):
    """What is wanted. `sign`: a key, '' for none."""

    sbom: bool = False
    provenance: bool = False
    sign: str = ""

    @property
    def any(self) -> bool:
        """Whether there is anything to put beside an image."""
        return self.sbom or self.provenance or bool(self.sign)


def wanted(project: Project, asked: Beside) -> Beside:
    """What the options and the settings ask for. ConfigError where cosign or the key lacks."""
    config, settings = project.config, project.config.publish
    key = settings.sign or ""
    if key and "://" not in key:
        # As all paths of the configuration.
        key = str(project.root / key)
    found = Beside(asked.sbom or settings.sbom, asked.provenance or settings.provenance, asked.sign or key)
    if found.sign:
        cosign.ready(found.sign, None if asked.sign else config.where.get("publish.sign"))
    return found


def complete(target: Target, standing: Standing, children: Mapping[str, str], beside: Beside) -> bool:
    """Whether all of it is there."""
    api = standing.api
    kinds = [bom.MEDIA_TYPE] * beside.sbom + [provenance.MEDIA_TYPE] * beside.provenance
    there = all(attachments.has(api, digest, kind) for digest in children.values() for kind in kinds)
    return there and (not beside.sign or _is_signed(target, standing, standing.digest, beside))


def put(
    target: Target, standing: Standing, sent: Sent, beside: Beside, sessions: Mapping[str, Session], commit: Commit
) -> None:
    """Have all of it there. What is there already stays."""
    api, done = standing.api, list[str]()
    for platform, digest in sorted(sent.children.items()):
        image, there = api.manifest(digest), tagged.look(api, digest)
        assert image is not None and there is not None  # noqa: S101, PT018 - it was pulled a moment ago
        version = str(target.facts.version or "")
        subject = Subject(target.repository, digest, platform, version, _moment(there.made))
        session = sessions[platform]
        documents = {}
        if beside.sbom:
            documents[_BOM] = (bom.MEDIA_TYPE, bom.document(subject, _contents(subject, session)))
        if beside.provenance:
            made_from = _made_from(session, subject, commit)
            documents[_PROVENANCE] = (provenance.MEDIA_TYPE, made_from)
        for kind, (media_type, document) in documents.items():
            whole = document if kind == _BOM else provenance.statement(subject, document)
            if not attachments.has(api, digest, media_type):
                attachments.attach(api, image, media_type, whole)
                done.append(f"{'bill of materials' if kind == _BOM else 'provenance'} ({platform})")
            if beside.sign and not _is_signed(target, standing, sent.digest, beside):
                cosign.attest(f"{target.repository}@{digest}", beside.sign, kind, document)
    if beside.sign and not _is_signed(target, standing, sent.digest, beside):
        cosign.sign(f"{target.repository}@{sent.digest}", beside.sign)
        state = target.project.state
        signed = {_signature(target, sent.digest, beside): ""}
        state.change_note(_NOTE, lambda known: {**dict(list(known.items())[-_KEPT:]), **signed})
        done.append("signature")
    if done:
        say(f"beside  {target.repository}@{sent.digest[:19]}: {listed(done, 9)}")


def _contents(subject: Subject, session: Session) -> image_contents.Contents:
    reference = f"{subject.repository}@{subject.digest}"
    with trials.pulled(reference), image_files.opened(reference) as inside:
        return image_contents.of(inside, session.inputs)


def _made_from(session: Session, subject: Subject, commit: Commit) -> Mapping[str, object]:
    return provenance.predicate(
        session.project,
        session.plan,
        subject,
        commit.sha,
        session.engine.builder,
        os.environ,
        dirty=bool(commit.changed),
    )


def _moment(made: str) -> str:
    """A time as both forms have it, in whole seconds."""
    return f"{made[:19]}Z" if made else ""


def _is_signed(target: Target, standing: Standing, digest: str, beside: Beside) -> bool:
    """Whether this machine has signed it with the key, and the registry has a signature."""
    if _signature(target, digest, beside) not in target.project.state.note(_NOTE):
        return False
    return bool(standing.api.digest(f"{digest.replace(':', '-')}.sig"))


def _signature(target: Target, digest: str, beside: Beside) -> str:
    what = "".join(name for name, on in (("s", beside.sbom), ("p", beside.provenance)) if on)
    return f"{target.repository}@{digest} {beside.sign} {what}".strip()
