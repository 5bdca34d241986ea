"""A repository in a registry, by the registry's own HTTP API: tags, manifests, blobs, referrers. No engine is asked."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urljoin

from layerdoit.core.platform import described_platform
from layerdoit.engine.registry_access import Access, Refused, RegistryError, Verb, access, asking, refused
from layerdoit.engine.registry_answers import Refusal, host_of

if TYPE_CHECKING:
    import requests

INDEX: Final = "application/vnd.oci.image.index.v1+json"
LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
IMAGE: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_IMAGE: Final = "application/vnd.docker.distribution.manifest.v2+json"
_TYPES: Final = (INDEX, LIST, IMAGE, DOCKER_IMAGE)
_PAGE: Final = 1000
_PART: Final = 1 << 20
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class Descriptor(NamedTuple):
    """What a manifest says of something that it needs, or that refers to it. `platform`: `linux/arm/v7`, or ''."""

    digest: str
    media_type: str
    size: int
    platform: str = ""
    artifact_type: str = ""

    @classmethod
    def of(cls, listed: Mapping[str, Any]) -> Descriptor:
        """From its JSON."""
        return cls(
            str(listed.get("digest") or ""),
            str(listed.get("mediaType") or ""),
            int(listed.get("size") or 0),
            described_platform(listed.get("platform") or {}),
            str(listed.get("artifactType") or ""),
        )


class Manifest:
    """A manifest as the registry has it. `content`: its bytes, which the digest is of."""

    def __init__(self, digest: str, media_type: str, content: bytes) -> None:
        self.digest = digest
        self.media_type = media_type
        self.content = content

    @property
    def size(self) -> int:
        """Of the manifest itself, in bytes."""
        return len(self.content)

    @cached_property
    def json(self) -> Mapping[str, Any]:
        """What it says; empty where that is no JSON."""
        with contextlib.suppress(ValueError):
            found = json.loads(self.content)
            return found if isinstance(found, dict) else {}
        return {}

    @property
    def is_index(self) -> bool:
        """Whether it only lists manifests, such as one for each platform."""
        return self.media_type in (INDEX, LIST) or isinstance(self.json.get("manifests"), list)

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """The manifests that an index lists."""
        return tuple(map(Descriptor.of, self.json.get("manifests") or ()))

    @property
    def config(self) -> Descriptor | None:
        """The configuration of an image."""
        found = self.json.get("config")
        return Descriptor.of(found) if found else None

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """What an image is made of: its configuration and its layers."""
        return tuple(map(Descriptor.of, filter(None, (self.json.get("config"), *(self.json.get("layers") or ())))))

    @property
    def subject(self) -> str:
        """The digest that a signature, SBOM or the like refers to; '' where it says none."""
        return str((self.json.get("subject") or {}).get("digest") or "")


class RegistryApi:
    """One repository. Each answer is waited for no longer than half a minute; a refusal is a RegistryError."""

    def __init__(self, repository: str, way: Access | None = None) -> None:
        from docker import auth

        self.repository = repository
        self.host = host_of(repository)
        first, slash, rest = repository.partition("/")
        is_host = slash and ("." in first or ":" in first or first == "localhost")
        name = rest if is_host else repository
        self._name = f"library/{name}" if self.host == auth.INDEX_NAME and "/" not in name else name
        self._access = way or access(self.host)

    @classmethod
    def of(cls, repository: str) -> RegistryApi:
        """The repository of that name, as it stands before the tag of an image."""
        return cls(repository)

    # --- what is there -----------------------------------------------------------------------------------------------

    def tags(self) -> tuple[str, ...]:
        """All tags, sorted; () where there is no such repository."""
        found: list[str] = []
        path, seen = f"/v2/{self._name}/tags/list?n={_PAGE}", set[str]()
        with self._told("the registry does not list the tags of {}", self.repository):
            while path and path not in seen:
                seen.add(path)
                answer = self._got(path, HTTPStatus.OK, HTTPStatus.NOT_FOUND)
                if answer.status_code == HTTPStatus.NOT_FOUND:
                    return ()
                found += _json(answer).get("tags") or []
                path = urljoin(path, answer.links.get("next", {}).get("url", ""))
        return tuple(sorted(set(map(str, found))))

    def manifest(self, reference: str) -> Manifest | None:
        """The manifest of a tag or digest; None where there is none."""
        with self._told("the registry gives no information on {}", self.named(reference)):
            answer = self._got(self._manifest(reference), HTTPStatus.OK, HTTPStatus.NOT_FOUND, headers=_ACCEPT)
            if answer.status_code == HTTPStatus.NOT_FOUND:
                return None
            content = answer.content
            digest = digest_of(content)
            if reference.startswith("sha256:") and digest != reference:
                raise Refused(Refusal("other", f"the registry gave another manifest: {digest}"))
            return Manifest(digest, _media_type(answer, content), content)

    def digest(self, tag: str) -> str:
        """Which manifest a tag stands for now; '' for none."""
        with self._told("the registry gives no information on {}", self.named(tag)):
            answer = self._got(self._manifest(tag), HTTPStatus.OK, HTTPStatus.NOT_FOUND, method="HEAD", headers=_ACCEPT)
            told = answer.headers.get("Docker-Content-Digest", "")
        if answer.status_code == HTTPStatus.NOT_FOUND or _DIGEST.fullmatch(told):
            return told if answer.status_code == HTTPStatus.OK else ""
        found = self.manifest(tag)
        return found.digest if found else ""

    def blob(self, digest: str) -> bytes:
        """The content of a blob, such as an image's configuration."""
        with self._told("the registry does not give {}", self.named(digest)):
            content = self._got(f"/v2/{self._name}/blobs/{digest}", HTTPStatus.OK).content
            if digest_of(content) != digest:
                raise Refused(Refusal("other", f"the registry gave other bytes: {digest_of(content)}"))
            return content

    def fetch(self, digest: str, file: Path) -> None:
        """Have the content of a blob in a file, without having all of it in memory."""
        state = hashlib.sha256()
        with self._told("the registry does not give {}", self.named(digest)):
            answer = self._got(f"/v2/{self._name}/blobs/{digest}", HTTPStatus.OK, stream=True)
            with answer, asking(), open(file, "wb") as written:
                for part in answer.iter_content(_PART):
                    state.update(part)
                    written.write(part)
            if (found := f"sha256:{state.hexdigest()}") != digest:
                file.unlink()
                raise Refused(Refusal("other", f"the registry gave other bytes: {found}"))

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """What refers to a manifest: signatures, SBOMs and the like. Where the registry cannot be asked, by its tag."""
        found = self.told_referrers(digest)
        if found is None:
            listed = self.manifest(digest.replace(":", "-"))
            return listed.children if listed else ()
        return found

    def told_referrers(self, digest: str) -> tuple[Descriptor, ...] | None:
        """The same as the registry itself tells it; None where it cannot be asked."""
        unknown = (HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED)
        with self._told("the registry does not tell what refers to {}", self.named(digest)):
            answer = self._got(f"/v2/{self._name}/referrers/{digest}", HTTPStatus.OK, *unknown)
            if answer.status_code != HTTPStatus.OK:
                return None
            return tuple(map(Descriptor.of, _json(answer).get("manifests") or ()))

    # --- changes -----------------------------------------------------------------------------------------------------

    def put_manifest(self, reference: str, media_type: str, content: bytes) -> str:
        """Have a manifest under a tag, or without one under its digest; its digest."""
        digest = digest_of(content)
        with self._told("pushing {} failed", self.named(reference), "push"):
            self._got(
                self._manifest(reference),
                HTTPStatus.CREATED,
                HTTPStatus.OK,
                HTTPStatus.ACCEPTED,
                method="PUT",
                headers={"Content-Type": media_type},
                data=content,
                verb="push",
            )
        return digest

    def try_to_push(self) -> None:
        """RegistryError where nothing can be written: an upload is begun, and given up at once."""
        with self._told("nothing can be pushed to {}", self.repository, "push"):
            begun = self._got(f"/v2/{self._name}/blobs/uploads/", HTTPStatus.ACCEPTED, method="POST", verb="push")
            with contextlib.suppress(Refused):
                self._access.asked("DELETE", begun.headers.get("Location", ""), verb="push")

    def put_blob(self, content: bytes, origin: str = "") -> str:
        """Have a blob there; its digest. `origin`: another repository of this registry, which may have it."""
        digest = digest_of(content)
        if not (self.has_blob(digest) or (origin and self.mount(digest, origin))):
            self._upload(digest, content)
        return digest

    def put_file(self, file: Path) -> str:
        """Have the content of a file there as a blob, without having all of it in memory; its digest."""
        with open(file, "rb") as stream:
            digest = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
        if not self.has_blob(digest):
            self._upload(digest, file)
        return digest

    def _upload(self, digest: str, data: bytes | Path) -> None:
        with self._told("pushing {} failed", self.named(digest), "push"):
            begun = self._got(f"/v2/{self._name}/blobs/uploads/", HTTPStatus.ACCEPTED, method="POST", verb="push")
            place = begun.headers.get("Location", "")
            self._got(
                f"{place}{'&' if '?' in place else '?'}digest={quote(digest)}",
                HTTPStatus.CREATED,
                method="PUT",
                headers={"Content-Type": "application/octet-stream"},
                data=data,
                verb="push",
            )

    def has_blob(self, digest: str) -> bool:
        """Whether the repository has a blob."""
        with self._told("the registry gives no information on {}", self.named(digest)):
            path = f"/v2/{self._name}/blobs/{digest}"
            return self._got(path, HTTPStatus.OK, HTTPStatus.NOT_FOUND, method="HEAD").status_code == HTTPStatus.OK

    def mount(self, digest: str, origin: str) -> bool:
        """Take a blob over from another repository of the registry; False where it cannot be had so."""
        name = RegistryApi(origin, self._access)._name  # noqa: SLF001 - the same class
        with self._told("pushing {} failed", self.named(digest), "push"):
            path = f"/v2/{self._name}/blobs/uploads/?mount={quote(digest)}&from={quote(name, safe='')}"
            answer = self._got(path, HTTPStatus.CREATED, HTTPStatus.ACCEPTED, method="POST", verb="push")
            if answer.status_code == HTTPStatus.CREATED:
                return True
            # It began an upload instead, which nobody will end.
            with contextlib.suppress(Refused):
                self._access.asked("DELETE", answer.headers.get("Location", ""), verb="push")
            return False

    def delete(self, digest: str) -> bool:
        """Remove a manifest, with all tags that stand for it; False where it was gone."""
        with self._told("{} was not removed", self.named(digest), "delete"):
            done = (HTTPStatus.ACCEPTED, HTTPStatus.OK, HTTPStatus.NO_CONTENT)
            answer = self._got(self._manifest(digest), *done, HTTPStatus.NOT_FOUND, method="DELETE", verb="delete")
            return answer.status_code != HTTPStatus.NOT_FOUND

    # --- inside ------------------------------------------------------------------------------------------------------

    def named(self, reference: str) -> str:
        """A tag or digest with the repository."""
        return f"{self.repository}{'@' if ':' in reference else ':'}{reference}"

    def _manifest(self, reference: str) -> str:
        return f"/v2/{self._name}/manifests/{quote(reference, safe=':')}"

    def _got(
        self,
        path: str,
        *good: int,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        data: bytes | Path | None = None,
        verb: Verb = "pull",
        stream: bool = False,
    ) -> requests.Response:
        answer = self._access.asked(method, path, headers=headers, data=data, verb=verb, stream=stream)
        if answer.status_code not in good:
            raise Refused(refused(answer))
        return answer

    @contextlib.contextmanager
    def _told(self, words: str, reference: str, verb: Verb = "pull") -> Iterator[None]:
        """Raise a refusal in a block as an error that says of what."""
        try:
            yield
        except Refused as error:
            found = error.refusal
            hint = found.advice(reference, verb)
            raise RegistryError(f"{words.format(reference)}: {found}", found, hint) from error


_ACCEPT: Final[Mapping[str, str]] = {"Accept": ", ".join(_TYPES)}


def digest_of(content: bytes) -> str:
    """The digest of bytes, as registries name them."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(answer: requests.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError as error:
        raise Refused(Refusal("other", "what answers there is no registry: it gave no JSON")) from error
    return found if isinstance(found, dict) else {}


def _media_type(answer: requests.Response, content: bytes) -> str:
    """As the manifest itself says it, else as the registry does."""
    with contextlib.suppress(ValueError, AttributeError):
        told = json.loads(content).get("mediaType")
        if told:
            return str(told)
    return answer.headers.get("Content-Type", "").partition(";")[0].strip()
