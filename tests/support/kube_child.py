"""A deployment to the test cluster in a process of its own, which is stopped before one of its calls of kubectl."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from layerdoit.core.errors import Interrupted
from layerdoit.deploy.provider import Release
from tests.support.kube_cluster import ROOT, Cluster
from tests.support.kube_node import Api
from tests.support.kube_project import Place
from tests.support.waiting import until

# Waits before the first command that has the words; then it does what it was asked for, and notes its end. It has read
# what it is fed before it says that it waits: whoever feeds it is killed then, and kubectl would have nothing to apply.
_KUBECTL: Final = """\
#!/bin/sh
case "$*" in
  *"$STOP_AT"*)
    if mkdir "$STOP_IN/taken" 2>/dev/null; then
      cat >"$STOP_IN/fed"
      : >"$STOP_IN/reached"
      while [ ! -e "$STOP_IN/go" ]; do sleep 0.02; done
      {kubectl} "$@" <"$STOP_IN/fed"
      code=$?
      : >"$STOP_IN/done"
      exit $code
    fi ;;
esac
exec {kubectl} "$@"
"""


@dataclass
class Child:
    """A deployment that has come to the command, and waits there."""

    process: subprocess.Popen[str]
    folder: Path

    def end(self, signum: int) -> int:
        """Send a signal; then let the command that was stopped go on, as it would by itself. The exit code.

        The command of a process that was killed goes on without it; here until its end, lest it strike what comes next.
        """
        self.process.send_signal(signum)
        if signum == signal.SIGKILL:
            self.process.wait()
            self.go_on()
        code = self.process.wait(30)
        (self.folder / "go").touch()
        return code

    def go_on(self) -> None:
        """Let the command that was stopped go on, which nobody waits for; here until its end."""
        (self.folder / "go").touch()
        until((self.folder / "done").exists, 60, "the end of the command that was stopped")


def stopped(place: Place, release: Release, before: str, folder: Path) -> Child:
    """A child that deploys the release, and has come to a command of kubectl with these words."""
    folder.mkdir()
    program = folder / "kubectl"
    program.write_text(_KUBECTL.format(kubectl=place.cluster.programs / "kubectl"))
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "STOP_AT": before,
        "STOP_IN": str(folder),
    }
    facts = [place.cluster.folder, place.cluster.programs, place.cluster.server, place.namespace, place.root]
    words = [*map(str, facts), release.reference, release.key, release.digest, release.id]
    argv = ["env", "--default-signal=INT", sys.executable, "-m", "tests.support.kube_child", *words]
    process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, text=True)

    def reached() -> bool:
        assert process.poll() is None, f"it ended before `{before}`"
        return (folder / "reached").exists()

    try:
        until(reached, 60, f"`kubectl {before}`")
    except BaseException:
        process.kill()
        process.wait()
        raise
    return Child(process, folder)


def main(words: list[str]) -> int:
    folder, programs, server, namespace, root, reference, key, digest, number = words
    cluster = Cluster(Path(folder), Path(programs), server, Api(server, ""))
    place = Place(cluster, namespace, Path(root))
    done = place.provider().deploy(Release(reference, key, digest, "prod", "", number))
    print(json.dumps({"error": str(done.error) if done.error else None}))
    return done.error.exit_code if isinstance(done.error, Interrupted) else int(done.error is not None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
