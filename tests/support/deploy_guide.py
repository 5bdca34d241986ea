"""Writes docs/deploy.md: a transcript of examples/bookshelf on its way from a laptop to production.

Staging is a real docker compose with a real database; prod is a real Kubernetes API server whose pods are played, and
a registry on this machine. It takes some minutes: `python -m tests.support.deploy_guide`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from layerdoit.engine.broker import bootstrap_os
from tests.engine.registry_fixture import served
from tests.support import kube_cluster

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs/deploy.md"
CONTEXT: Final = "prod"


@dataclass
class Shell:
    """A folder in which lines are typed; `lines` is what the terminal showed."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def type(self, line: str, code: int = 0) -> str:
        """Run a line, and show it with what it printed."""
        done = self._run(line)
        shown = [f"$ {line}", *done.stdout.rstrip().splitlines()]
        if code:
            shown.append(f"$ echo $?\n{done.returncode}")
        print("\n".join(shown), file=sys.stderr)
        if done.returncode != code:
            raise SystemExit(f"{line} ended with {done.returncode}")
        self.lines += ["\n".join(shown)]
        return done.stdout

    def quiet(self, line: str, *, fine: bool = True) -> None:
        """Run a line that the page does not show; with `fine` it must succeed."""
        done = self._run(line)
        if fine and done.returncode:
            raise SystemExit(f"{line} ended with {done.returncode}: {done.stdout}")

    def _run(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def block(self) -> str:
        """What was shown since the last block."""
        text, self.lines = "\n\n".join(self.lines), []
        return "```console\n" + text + "\n```"


@contextmanager
def bookshelf() -> Iterator[Shell]:
    """A clone of the example with a commit, its registry and its cluster."""
    programs, why = kube_cluster.ensure()
    if programs is None:
        raise SystemExit(why)
    registry = subprocess.run([ROOT / "scripts/ensure-registry"], capture_output=True, text=True, check=True)
    with tempfile.TemporaryDirectory(prefix="layerdoit-guide-") as made:
        folder = Path(made)
        left_out = shutil.ignore_patterns(".layerdoit", "*.db*", "target")
        for name in ("bookshelf", "shared"):
            shutil.copytree(ROOT / "examples" / name, folder / name, ignore=left_out)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        with served(registry.stdout.strip()) as address, kube_cluster.using(folder / "cluster", programs) as cluster:
            kubeconfig = folder / "kubeconfig"
            kubeconfig.write_text(json.dumps(_with_context(cluster.server)))
            path = os.pathsep.join([str(programs), str(ROOT / ".venv/bin"), os.environ["PATH"]])
            environment = {"PATH": path, "KUBECONFIG": str(kubeconfig), "DATABASE_BASE": bootstrap_os("trixie")}
            shell = Shell(folder / "bookshelf", {**environment, "COLUMNS": "110"})
            prod = shell.folder / "layerdoit.prod.yaml"
            prod.write_text(prod.read_text().replace("registry.example.com", address))
            for line in ("git init -qb main", "git config user.name Ada", "git config user.email ada@example.com"):
                shell.quiet(line)
            shell.quiet("git add -A && git commit -qm 'All books'")
            shell.quiet("kubectl --context prod create namespace bookshelf")
            try:
                yield shell
            finally:
                for line in (
                    *("ENV=staging doit destroy", "docker compose down --volumes --rmi local -t 0"),
                    *("ENV=prod doit destroy YES=1", "doit cache_clear:nuke --yes"),
                ):
                    shell.quiet(line, fine=False)


def _with_context(server: str) -> dict[str, object]:
    found = dict(kube_cluster.kubeconfig(server, server))
    context = {"name": CONTEXT, "context": {"cluster": "lab", "user": "lab"}}
    return {**found, "contexts": [context]}


def transcript(shell: Shell) -> dict[str, str]:
    """What is typed, in blocks by their names in the page."""
    blocks = {}
    shell.type("ENV=staging doit cycle_fast")
    shell.type("docker compose ps --format 'table {{.Service}}\\t{{.Status}}'")
    shell.type("curl -s localhost:8081/health")
    blocks["staging"] = shell.block()
    shell.type("ENV=prod doit deploy --dry-run | head -12")
    blocks["dry run"] = shell.block()
    shell.type("ENV=prod doit cycle_fast YES=1")
    shell.type("doit environments")
    blocks["prod"] = shell.block()
    main = shell.folder / "crates/server/src/main.rs"
    good = main.read_text()
    main.write_text(good.replace('info!("SIGTERM, stopping")', 'info!("SIGTERM, stopping now")'))
    shell.quiet("git commit -qam 'Another word at the end'")
    shell.type("ENV=prod doit cycle_fast YES=1")
    shell.type("ENV=prod doit rollback YES=1")
    shell.type("ENV=prod doit releases")
    blocks["rollback"] = shell.block()
    main.write_text(
        re.sub(
            r"\nasync fn main\(\)[^{]*\{",
            '\\g<0>\n    std::fs::read("/srv/prices.csv").context("cannot read /srv/prices.csv")?;',
            good,
        )
    )
    shell.type("ENV=staging doit cycle_fast", code=1)
    shell.type("curl -s localhost:8081/health")
    blocks["broken"] = shell.block()
    return blocks


def main() -> None:
    """Record, and replace the blocks of the page."""
    text = PAGE.read_text(encoding="utf-8")
    with bookshelf() as shell:
        blocks = transcript(shell)
    for name, block in blocks.items():
        pattern = re.compile(rf"<!-- {name} -->\n(?:(?!<!-- end -->).)*<!-- end -->", re.DOTALL)
        place = pattern.search(text)
        if place is None:
            raise SystemExit(f"{PAGE.name} has no place for {name}")
        before, after = place.span()
        text = f"{text[:before]}<!-- {name} -->\n{block}\n<!-- end -->{text[after:]}"
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
