"""What a release is in the cluster: the user's manifests with its image, and what we note on them."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from layerdoit.core.errors import ConfigError
from layerdoit.deploy.kubernetes import manifests
from layerdoit.deploy.kubernetes.kubectl import Kubectl
from layerdoit.deploy.kubernetes.manifests import Manifest, Rendered, Wanted
from layerdoit.deploy.kubernetes.secret_objects import LABEL
from layerdoit.deploy.kubernetes.workloads import KEY, PREFIX
from layerdoit.deploy.provider import Release
from layerdoit.deploy.settings import DeploySettings

Json = dict[str, Any]

COMMIT = f"{PREFIX}commit"
RELEASE = f"{PREFIX}release"
DIGEST = f"{PREFIX}digest"
MANIFESTS = f"{PREFIX}manifests"
ENVIRONMENT = f"{PREFIX}environment"


class Rendering:
    """The manifests of one deployment."""

    def __init__(self, settings: DeploySettings, kubectl: Kubectl, secret: str) -> None:
        self._settings = settings
        self._kubectl = kubectl
        self._config = settings.config.kubernetes
        self._secret = secret
        self._read: list[Manifest] | None = None

    @property
    def image(self) -> str:
        """What the manifests call the image."""
        settings = self._settings
        title = f"{settings.project}-{settings.part}" if settings.part else settings.project
        return self._config.image or settings.image.repository or title

    def names(self, reference: str = "") -> tuple[str, ...]:
        """What the image may be called: by its short name, or by the one in the registry."""
        return tuple(dict.fromkeys(filter(None, (self.image, manifests.split(reference)[0]))))

    @property
    def _others(self) -> tuple[str, ...]:
        """What the manifests call the images of the other services: each is rolled out by itself."""
        ours, found = self._settings, list[str]()
        for name, one in ours.table().items():
            there, here = one.config.kubernetes, self._config
            same = (there.context, there.namespace) == (here.context, here.namespace)
            if name != ours.service and one.config.provider == "kubernetes" and same and not one.foreign:
                found.append(Rendering(one, self._kubectl, "").image)
        return tuple(found)

    def of(self, release: Release, secret_now: str = "") -> Rendered:
        """What is applied for a release. ConfigError where a manifest is wrong, or none has the image."""
        where = self._place()
        wanted = Wanted(
            # All services are pushed to one repository: its name tells nothing of them.
            names=(self.image,) if self._settings.part else self.names(release.reference),
            reference=release.reference,
            namespace=self._kubectl.namespace,
            tags=self._tags(release),
            annotations={**notes_of(release), MANIFESTS: self._digest(release, secret_now)},
            # What changes here starts pods again: nothing that does not change what runs.
            template={KEY: release.key},
            labels={LABEL: self._settings.name},
            secret=self._secret,
            secret_now=secret_now,
            others=self._others,
        )
        found = manifests.render(self.manifests(), wanted, where)
        if self._settings.config.secrets and not found.secrets_used:
            hint = f"envFrom: [{{secretRef: {{name: {self._secret}}}}}] in the container that needs them"
            what = f"no pod of the manifests uses the Secret {self._secret}, which has deploy.secrets"
            raise ConfigError(what, where=self._settings.where.get("deploy.secrets"), hint=hint)
        return found

    def _digest(self, release: Release, secret_now: str) -> str:
        """Names what is applied, whichever commit it is of."""
        facts = [
            release.reference,
            release.key,
            secret_now,
            [one.body for one in manifests.without(self.manifests(), self._others)],
        ]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def manifests(self) -> list[Manifest]:
        """The user's objects, read once."""
        if self._config.kustomize and self._config.manifests:
            hint = "keep one of them; a kustomization can name other files under resources"
            raise ConfigError("kubernetes has manifests and kustomize", where=self._place(), hint=hint)
        if self._read is None:
            self._read = self._kustomized() if self._config.kustomize else self._files()
        return self._read

    def _files(self) -> list[Manifest]:
        paths = self._config.manifests or (("k8s",) if (self._settings.root / "k8s").is_dir() else ())
        if not paths:
            raise ConfigError(
                "deploy.kubernetes has no manifests",
                where=self._settings.where.get("deploy.provider"),
                hint="kubernetes: {manifests: [k8s]} names files or folders; docs/kubernetes.md has a first one",
            )
        return manifests.read(self._settings.root, paths, self._place())

    def _kustomized(self) -> list[Manifest]:
        folder = self._config.kustomize or ""
        if not (self._settings.root / folder).is_dir():
            hint = "name a folder that has a kustomization.yaml"
            raise ConfigError(f"{folder} is not there", where=self._place(), hint=hint)
        from layerdoit.core import process

        done = process.capture(["kubectl", "kustomize", folder], cwd=self._settings.root, check=False)
        if done.code:
            said = " ".join(done.stderr.removeprefix("error: ").split())
            raise ConfigError(f"kustomize: {said}", where=folder, hint=f"kubectl kustomize {folder}")
        return manifests.parse(done.stdout, folder, made=True)

    def _place(self) -> str | None:
        where = self._settings.where
        names = ("deploy.kubernetes.kustomize", "deploy.kubernetes.manifests", "deploy.kubernetes", "deploy.provider")
        return next((where[name] for name in names if name in where), None)

    def _tags(self, release: Release) -> tuple[str, ...]:
        """Tags that no person has chosen for this release: ours, or that of "whatever is newest"."""
        keyed = re.search(r":([\w.-]+)$", release.reference)
        mine = (f"app-{release.key[:12]}", *(self._settings.image.tags), "latest")
        return (*mine, keyed[1]) if keyed else mine


def notes_of(release: Release) -> dict[str, str]:
    """What we note on a workload about its release."""
    found = {
        KEY: release.key,
        COMMIT: release.commit,
        RELEASE: release.id,
        DIGEST: release.digest,
        ENVIRONMENT: release.environment,
    }
    return {name: value for name, value in found.items() if value}
