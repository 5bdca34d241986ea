"""The user's manifests, with the image of a release in them: values, never written back to the files."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from layerdoit.core.errors import ConfigError
from layerdoit.core.prose import listed, nearest
from layerdoit.deploy.kubernetes import kube_yaml

Json = dict[str, Any]

_ENDINGS: Final = (".yaml", ".yml", ".json")
_CONTAINERS: Final = ("initContainers", "containers")
_KEYED: Final = re.compile(r":app-[0-9a-f]{12}")
_FIRST: Final = ("Namespace", "CustomResourceDefinition")
ROLLED_OUT: Final = ("Deployment", "StatefulSet", "DaemonSet")
"""The kinds whose rollout is waited for, and that have something to go back to."""


@dataclass(frozen=True)
class Manifest:
    """One object. `where`: the file; where it was `made`, the folder of kustomize."""

    body: Json
    where: str
    made: bool = False

    @property
    def kind(self) -> str:
        """What it is, such as Deployment."""
        return str(self.body.get("kind", ""))

    @property
    def name(self) -> str:
        """What it is called."""
        return str(_of(self.body, "metadata").get("name", ""))

    @property
    def title(self) -> str:
        """As kubectl names it: `Deployment/web`."""
        return f"{self.kind}/{self.name}"

    def place(self, value: object = None) -> str:
        """Where one of its texts stands."""
        line = kube_yaml.line_of(value) or kube_yaml.line_of(self.body.get("kind"))
        return f"{self.where}:{line}" if line and not self.made else self.where


@dataclass(frozen=True)
class Rendered:
    """What is applied. `ours`: those of it that hold the image, by their place in `objects`; `places`: file and line
    of each object, by its title."""

    objects: tuple[Json, ...]
    ours: tuple[int, ...]
    secrets_used: bool = False
    places: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def workloads(self) -> tuple[Json, ...]:
        """Those with the image whose rollout is waited for."""
        return tuple(one for one in self.holders if one.get("kind") in ROLLED_OUT)

    @property
    def holders(self) -> tuple[Json, ...]:
        """Those with the image."""
        return tuple(self.objects[index] for index in self.ours)


@dataclass(frozen=True)
class Wanted:
    """What to put into manifests.

    `names`: what the image may be called there; `tags`: its tags that mean "the one of layerdoit". `reference`: what to
    write instead. `annotations`: of the workloads, `template`: of their pods, `labels`: of the workloads.
    `secret`: what the manifests call the Secret; `secret_now`: what it is called now. `others`: images of other
    services, whose workloads stay as they run.
    """

    names: tuple[str, ...]
    reference: str
    namespace: str
    tags: tuple[str, ...] = ("latest",)
    annotations: Mapping[str, str] = field(default_factory=dict)
    template: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    secret_now: str = ""
    others: tuple[str, ...] = ()


# --- reading ---------------------------------------------------------------------------------------------------------


def read(root: Path, paths: Sequence[str], where: str | None) -> list[Manifest]:
    """The objects of files, and of the files in folders, by their names. ConfigError where one is wrong."""
    found: list[Manifest] = []
    for path in paths:
        files = list(_files(root, path, where))
        if not files:
            raise ConfigError(f"{path} has no manifests", where=where, hint="files end in .yaml, .yml or .json")
        for file in files:
            found += parse(_content(root, file), file)
    return found


def _files(root: Path, path: str, where: str | None) -> Iterator[str]:
    full = root / path
    if full.is_file():
        yield path
    elif full.is_dir():
        if any((full / name).is_file() for name in ("kustomization.yaml", "kustomization.yml", "Kustomization")):
            raise ConfigError(
                f"{path} is a folder of kustomize",
                where=where,
                hint=f"kubernetes: {{kustomize: {path}}} instead of manifests",
            )
        for one in sorted(full.rglob("*")):
            if one.is_file() and one.suffix in _ENDINGS:
                yield one.relative_to(root).as_posix()
    else:
        raise ConfigError(f"{path} is not there", where=where, hint="name a file or a folder of manifests")


def _content(root: Path, file: str) -> str:
    try:
        return (root / file).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError("is no text in UTF-8", where=file) from error


def parse(text: str, where: str, *, made: bool = False) -> list[Manifest]:
    """The objects of one file, or of what kustomize printed."""
    import yaml

    try:
        found = kube_yaml.documents(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        hint = "a template of Helm is rendered by Helm: use deploy: {provider: command}" if "{{" in text else None
        raise ConfigError(f"is no YAML: {problem}", where=place, hint=hint) from error
    return [one for document in found for one in _objects(document, where, made)]


def _objects(document: Any, where: str, made: bool) -> Iterator[Manifest]:
    if not isinstance(document, dict) or not document.get("kind") or not document.get("apiVersion"):
        raise ConfigError(
            "is no manifest: an object of Kubernetes has apiVersion and kind",
            where=where,
            hint="move other files out of the folder, or name the manifests one by one in kubernetes.manifests",
        )
    if isinstance(document.get("items"), list) and str(document["kind"]).endswith("List"):
        for item in document["items"]:
            yield from _objects(item, where, made)
        return
    one = Manifest(document, where, made)
    if not one.name:
        hint = "give it metadata.name: what is applied again and again needs a name of its own"
        raise ConfigError(f"a {one.kind} without a name", where=one.place(), hint=hint)
    yield one


# --- the image -------------------------------------------------------------------------------------------------------


def render(manifests: Sequence[Manifest], wanted: Wanted, where: str | None = None) -> Rendered:
    """The objects with the release's image in them. ConfigError where that cannot be meant."""
    _refuse_twice(manifests)
    objects: list[Json] = []
    ours: list[int] = []
    uses = False
    for one in sorted(without(manifests, wanted.others, wanted), key=lambda each: each.kind not in _FIRST):
        body = copy.deepcopy(one.body)
        _refuse_elsewhere(one, wanted.namespace)
        templates = [pod for pod in _pod_specs(body) if _replaced(pod[1], one, wanted)]
        if templates:
            ours.append(len(objects))
            _annotate(body, wanted.annotations)
            _labelled(body, wanted.labels)
            for metadata, _ in templates:
                _annotate_metadata(metadata, wanted.template)
        if wanted.secret:
            uses |= _secret_renamed(body, wanted.secret, wanted.secret_now or wanted.secret)
        objects.append(body)
    if not ours:
        raise _no_image(manifests, wanted, where)
    places = {one.title: one.place() for one in manifests}
    return Rendered(tuple(objects), tuple(ours), uses, places, _unwaited(objects, ours))


def without(manifests: Sequence[Manifest], others: Sequence[str], wanted: Wanted | None = None) -> Sequence[Manifest]:
    """Those that are not the workloads of other services. ConfigError where one holds an image of both."""
    if not others:
        return manifests
    found = []
    for one in manifests:
        named = {split(image)[0]: image for image in images(one.body)}
        theirs = [name for name in named if name in others]
        ours = [name for name in named if wanted is not None and name in wanted.names]
        if theirs and ours:
            raise ConfigError(
                f"{one.title} holds the images of two services, {ours[0]} and {theirs[0]}, which are rolled out apart",
                where=one.place(named[theirs[0]]),
                hint="give each service a workload of its own",
            )
        if not theirs:
            found.append(one)
    return found


def _unwaited(objects: Sequence[Json], ours: Sequence[int]) -> tuple[str, ...]:
    others = [f"{objects[at]['kind']}/{objects[at]['metadata']['name']}" for at in ours]
    others = [one for one in others if one.partition("/")[0] not in ROLLED_OUT]
    return (f"applied, but not waited for: {listed(others)}",) if others else ()


def _pod_specs(value: Any) -> Iterator[tuple[Json, Json]]:
    """(metadata, spec) of each pod template, of any kind of workload; a bare Pod is its own."""
    if isinstance(value, dict):
        spec = value.get("spec")
        if isinstance(spec, dict) and isinstance(spec.get("containers"), list):
            if not isinstance(value.get("metadata"), dict):
                value["metadata"] = {}
            yield value["metadata"], spec
            return
        for one in value.values():
            yield from _pod_specs(one)
    elif isinstance(value, list):
        for one in value:
            yield from _pod_specs(one)


def _replaced(spec: Json, manifest: Manifest, wanted: Wanted) -> bool:
    found = False
    for container in containers(spec):
        image = container.get("image")
        if not isinstance(image, str):
            continue
        name, pinned = split(image)
        if name not in wanted.names:
            continue
        if pinned and pinned.removeprefix(":") not in wanted.tags and not _KEYED.fullmatch(pinned):
            raise ConfigError(
                f"the image of {manifest.title} is fixed to {image}",
                where=manifest.place(image),
                hint=f"write `image: {name}`: each deployment puts the digest of its release there",
            )
        container["image"] = wanted.reference
        found = True
    return found


def containers(spec: Json) -> Iterator[Json]:
    """The containers of a pod's spec, those that run first included."""
    for key in _CONTAINERS:
        for container in spec.get(key) or ():
            if isinstance(container, dict):
                yield container


def split(image: str) -> tuple[str, str]:
    """Name, and what follows it: `:tag`, `@sha256:…` or ''."""
    found = re.fullmatch(r"(?P<name>[^@]*?)(?P<tag>:[\w.-]*)?(?P<digest>@.*)?", image)
    assert found is not None  # noqa: S101 - everything matches
    return found["name"], found["digest"] or found["tag"] or ""


def _no_image(manifests: Sequence[Manifest], wanted: Wanted, where: str | None) -> ConfigError:
    others = sorted({split(image)[0] for one in manifests for image in images(one.body)})
    found = f"; their images are {listed(others)}" if others else "; they have no containers at all"
    near = nearest(wanted.names[0], others)
    if len(others) == 1 or near:
        hint = f"if {(near or others)[0]} is this project's image: kubernetes: {{image: {(near or others)[0]}}}"
    else:
        hint = f"write `image: {wanted.names[0]}` in the workload that runs it, or set kubernetes.image"
    return ConfigError(f"no manifest has the image {wanted.names[0]}{found}", where=where, hint=hint)


def images(body: Json) -> Iterator[str]:
    """The images of an object, as they are written."""
    for _, spec in _pod_specs(copy.deepcopy(body)):
        for container in containers(spec):
            if isinstance(container.get("image"), str):
                yield container["image"]


def _refuse_twice(manifests: Sequence[Manifest]) -> None:
    seen: dict[tuple[str, str, str], Manifest] = {}
    for one in manifests:
        group = str(one.body["apiVersion"]).rpartition("/")[0]
        key = (group, one.kind, one.name)
        if key in seen:
            raise ConfigError(
                f"{one.title} is there twice: {seen[key].place()} too",
                where=one.place(),
                hint="remove one, or name only the manifests of this environment in kubernetes.manifests",
            )
        seen[key] = one


def _refuse_elsewhere(one: Manifest, namespace: str) -> None:
    named = _of(one.body, "metadata").get("namespace")
    if named and named != namespace:
        raise ConfigError(
            f"{one.title} is of the namespace {named}, and kubernetes.namespace is {namespace}",
            where=one.place(named),
            hint="remove `namespace:` from the manifest; the one of the environment counts",
        )


# --- what we add -----------------------------------------------------------------------------------------------------


def _annotate(body: Json, annotations: Mapping[str, str]) -> None:
    _annotate_metadata(body.setdefault("metadata", {}), annotations)


def _annotate_metadata(metadata: Json, annotations: Mapping[str, str]) -> None:
    if annotations:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}


def _labelled(body: Json, labels: Mapping[str, str]) -> None:
    metadata = body.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}


def _secret_renamed(body: Json, old: str, new: str) -> bool:
    """Let every reference of pods to the Secret name the one of now; whether there is one."""
    used = False

    def rename(holder: Any, key: str) -> None:
        nonlocal used
        if isinstance(holder, dict) and holder.get(key) == old:
            holder[key] = new
            used = True

    for _, spec in _pod_specs(body):
        for volume in spec.get("volumes") or ():
            rename(_of(volume, "secret"), "secretName")
            for source in _of(volume, "projected").get("sources") or ():
                rename(_of(source, "secret"), "name")
        for container in containers(spec):
            for one in container.get("envFrom") or ():
                rename(_of(one, "secretRef"), "name")
            for one in container.get("env") or ():
                rename(_of(_of(one, "valueFrom"), "secretKeyRef"), "name")
    return used


def _of(value: Any, key: str) -> Json:
    """A part that is a mapping; an empty one where it is something else, which the server will say."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}
