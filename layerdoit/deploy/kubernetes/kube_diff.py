"""What a deployment would change, as `kubectl diff` shows it: the server merges, nothing is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from layerdoit.deploy.kubernetes.kubectl import MANAGER, Kubectl, as_documents

Json = dict[str, Any]

_NOTED = re.compile(r"[-+]\s+(generation: \d+$|io\.layerdoit/)")


def lines(kubectl: Kubectl, objects: Sequence[Json]) -> Iterator[str]:
    """The lines of the differences; one line where there are none."""
    words = ["diff", "--server-side", "--force-conflicts", f"--field-manager={MANAGER}", "--filename=-"]
    # The user's own program for differences may print anything.
    done = kubectl.run(*words, fed=as_documents(objects), fine=(0, 1), env={"KUBECTL_EXTERNAL_DIFF": "diff -u -N"})
    found = list(readable(done.stdout))
    yield from found or ["nothing would change"]


def readable(text: str) -> Iterator[str]:
    """The differences with the objects' names in place of temporary files, without what we and the server note."""
    title, hunk = "", list[str]()
    for line in [*text.splitlines(), "diff "]:
        if line.startswith(("diff ", "@@ ")):
            if any(one.startswith(("+", "-")) for one in hunk):
                yield from (title, *hunk) if title else hunk
                title = ""
            hunk = [line] if line.startswith("@@ ") else []
            title = _title(line) if line.startswith("diff ") else title
        elif not line.startswith(("--- ", "+++ ")) and not _NOTED.match(line):
            hunk.append(line)


def _title(line: str) -> str:
    # diff -u -N /tmp/LIVE-1/apps.v1.Deployment.shop.web /tmp/MERGED-2/apps.v1.Deployment.shop.web
    name = line.rpartition("/")[2]
    found = re.fullmatch(r"(?:.*\.)?v\d\w*\.(?P<kind>[A-Z]\w*)\.(?P<namespace>[^.]*)\.(?P<name>.+)", name)
    return f"{found['kind']}/{found['name']}:" if found else f"{name}:"
