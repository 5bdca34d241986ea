"""kubectl, always with the context and the namespace of the environment: the current context is nobody's business."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from layerdoit.core import command_errors, masking, process
from layerdoit.deploy.kubernetes import kubectl_errors
from layerdoit.deploy.kubernetes.manifests import Rendered

Json = dict[str, Any]

MANAGER: Final = "layerdoit"
"""Our name among those that manage fields of an object."""
_PATIENCE: Final = "20s"
"""Each request by itself; a server that cannot be reached is told of, not waited for."""


@dataclass(frozen=True)
class Kubectl:
    """One namespace of one cluster. `where`: the place of the setting that names the cluster."""

    context: str
    namespace: str
    where: str | None = None

    def words(self, *words: str) -> list[str]:
        """A command as a user could type it."""
        return ["kubectl", f"--context={self.context}", f"--namespace={self.namespace}", *words]

    def hint(self, *words: str) -> str:
        """The same, for a message."""
        return masking.shown(self.words(*words))

    def run(
        self, *words: str, fed: str | None = None, fine: Sequence[int] = (0,), env: Mapping[str, str] | None = None
    ) -> process.Completed:
        """Run to the end. DeployError with the reason where it fails; `fine`: exit codes that are no failure."""
        argv = self.words(f"--request-timeout={_PATIENCE}", *words)
        done = process.capture(argv, input=fed, check=False, env=env)
        if done.code not in fine:
            failed = command_errors.CommandFailed(argv, done.code, done.stdout, done.stderr)
            raise kubectl_errors.explained(failed, self.context, self.namespace, self.where, self.contexts)
        return done

    def objects(self, *words: str, fed: str | None = None) -> list[Json]:
        """What `kubectl get` finds; what is not there is left out."""
        return _items(self.run("get", *words, "--output=json", "--ignore-not-found", fed=fed).stdout)

    def apply(self, rendered: Rendered, *, dry: bool = False) -> tuple[list[Json], tuple[str, ...]]:
        """Server-side apply: the objects as they are then, and the fields that people had changed by hand."""
        words = ["apply", "--server-side", f"--field-manager={MANAGER}", "--filename=-", "--output=json"]
        words += ["--dry-run=server"] if dry else []
        fed = as_documents(rendered.objects)
        try:
            return _items(self.run(*words, fed=fed).stdout), ()
        except kubectl_errors.Conflict as conflict:
            if conflict.others:
                raise
            return _items(self.run(*words, "--force-conflicts", fed=fed).stdout), conflict.by_hand
        except kubectl_errors.Invalid as error:
            raise error.reworded(where=rendered.places.get(error.title)) from None

    def patch(self, target: str, changes: Sequence[Json]) -> Json:
        """Change one object by the operations of a JSON patch; the object as it is then."""
        words = ["patch", target, "--type=json", f"--field-manager={MANAGER}", "--patch-file=/dev/stdin"]
        return _items(self.run(*words, "--output=json", fed=json.dumps(changes)).stdout)[0]

    @staticmethod
    def contexts() -> list[str]:
        """The contexts that the kubeconfig has."""
        return process.capture(["kubectl", "config", "get-contexts", "--output=name"], check=False).stdout.split()


def _items(said: str) -> list[Json]:
    if not said.strip():
        return []
    found = json.loads(said)
    return list(found["items"]) if str(found.get("kind", "")).endswith("List") else [found]


def as_documents(objects: Sequence[Json]) -> str:
    """Objects as kubectl reads them from its standard input. As a List, it would check them by rules of its own."""
    return "\n".join(map(json.dumps, objects))
