"""docs/caches.md: its tables from the code, the costs from a recorded run of benchmarks/caches.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from layerdoit.cache import levels
from layerdoit.cache.levels import LAYERS, LEVELS
from layerdoit.core.units import duration_text, size_text
from layerdoit.layers.key import ORDER, PINNED

Table = Callable[[Sequence[str], Iterable[Sequence[str]]], str]

_COSTS: Final = {
    "first build": "the first build, with nothing there",
    "nothing": "nothing was cleared, nothing changed",
    "edit": "nothing was cleared, one line changed",
    "soft": "`cache_clear:soft`, one line changed",
    "medium": "`cache_clear:medium`",
    "hard": "`cache_clear:hard`",
    "nuke": "`cache_clear:nuke`",
}

WHAT: Final = (
    (
        "base, runtime",
        "images `<repository>:base-<key>`, `:runtime-<key>`",
        "toolchain and packages",
        "system, C and Rust toolchain; what binaries run on",
    ),
    (
        "deps",
        "images `<repository>:deps-<key>`",
        "Cargo.lock, features, profile, flags",
        "third-party crates: sources and compiled; later ones stand on earlier ones",
    ),
    ("app", "images `<repository>:app-<key>`", "state of the tree", "binaries and assets"),
    (
        "mount",
        "BuildKit cache mount",
        "checkout, profile, target, chain of deps images",
        "target folder in which the workspace's own crates compile",
    ),
    (
        "state",
        "folder `.layerdoit/`",
        "checkout",
        "logs, history, index of the sources; deleting it costs only time",
    ),
)
NO_DOWNLOADS = """\
There is no separate download cache: crates are downloaded once, into the deps image that needs them, and travel with
it.
"""

STATUS = """\
`doit cache_status` shows all of it: bytes of its own and shared with images below, age, last use, what refers to it
(running, deployed and stopped containers, pins, checkouts, this tree), warm or cold for the tree as it stands and
why, and whether the builder's own garbage collection takes mounts. `--json` prints one object. An image counts as
used when it was built or tagged, or when another one was made from it. buildx rounds the last use of mounts; they are
taken to be younger rather than older.
"""

SCOPE = """\
Images are found by their labels and lose their own tags only: never by force, never by a pattern of names. Mounts are
found by their whole id and cleared by the id of their record. An image that somebody tagged besides stays under that
tag; an image made from one of ours stays. One without any tag goes with its layer when it was made by the same steps
as an image that has its tag, and none that stays stands on it: a later build took its tag. Containers and volumes are
never touched. Always kept: what a container was made from, deployed, running or stopped, and the runtime image under
it; what is pinned, and all that it was made from; a mount that a build uses.

Each level shows first what goes, the bytes (at most: others may share layers), and how long the next build will take,
the median of such builds in this project's own history with their number n, or `unknown`. {asked} ask; `--yes`, or
`YES=1`, answers. Without a terminal and without that they refuse. `--dry-run` only shows.

`--older-than 7d` (s, m, h, d, w) clears only what was not used for so long; `--keep-last 3` never the three newest of
a layer, for each profile and target, nor the three mounts of a checkout that were used last. Narrowed levels are
nested all the same.

Another checkout may clear while this one builds: what a build has begun with stays with it, and a build whose layers
went before it began plans again. In one checkout, clearing waits for the build.
"""

PINS = f"""\
`doit cache_pin` keeps the app image of the tree as it stands, `doit cache_pin app-0123456789ab latest` the images of
these tags, until `doit cache_pin --remove …`. `--list` shows them. A pin is a tag,
`<repository>:{PINNED}<layer>-<key>`: it is in the engine, outlives the state folder, and shows in `docker images`.
"""

RETENTION = """\
Without a `retention` section nothing is ever removed by itself. With one, `doit cache_gc` applies it, and with
`after_build: true` so does each build that built something; a run with nothing to do never does. It is written down,
so it does not ask.

```yaml
retention:
  after_build: true
  keep_tags: ["v*"]               # images with such a tag stay
  app: {keep_last: 10}            # the ten newest of each profile stay, the others go
  deps: {keep_last: 2, max_bytes: 20GB, min_age: 7d}  # beyond 20 GB the oldest go, never the two newest
  mounts: {max_bytes: 30GB}       # the longest unused go until they fit
```

`keep_last` is a floor: those always stay. Of the others all go, or with `max_bytes` the oldest until the rest fits,
if they are `min_age` old. What is always kept, see above, stays; so does what this tree asks for and what other
checkouts that are there have as their newest app (`protect`). A deps image on which one that stays stands stays too:
its bytes would not come free. [All settings](configuration.md#retention).
"""

CHECKOUTS = """\
A mount's id says on which machine and in which folder its checkout is. Where that folder is gone, or git lists a
worktree whose folder is gone, `cache_status` says `checkout gone`, and `doit cache_gc --stale` offers its mounts, the
apps that were compiled there, and the tag that the worktree gave. Checkouts of other machines, folders that may not
be looked at, and drives that are not there are left alone. In a container folders are not the host's: there nothing
counts as gone, unless the variable `LAYERDOIT_MACHINE` gives the container a lasting name.

An app image's label says on which git branch it was built; with a detached HEAD it says none, and the branch is not
part of the key. Where this repository has that branch no more, `cache_status` says `branch gone`, and
`doit cache_gc --stale` offers the image, unless it is what this tree asks for, has a tag besides the keyed one, or
another branch that is there, or nobody knows which, asked for it since. Images of other machines, of containers
without a lasting name, and of checkouts that are not of this repository are left alone, as is a repository whose
branches are not in files (`reftable`). Images without any tag, see [Levels](#levels), are offered too.
"""

COLLECTION = """\
BuildKit's default rules take cache mounts that were not used for 48 hours once they are larger than 512 MB: after a
weekend the workspace compiles from nothing. `cache_status` reads the rules that are in force from the builder. For
the engine's own builder (driver `docker`) this goes into daemon.json; an engine without a `gc` section may collect
nothing at all:

```json
{engine}
```

For a builder of its own (driver `docker-container`) this goes into buildkitd.toml:

```toml
{container}
```
"""


def page(recorded: Path, table: Table) -> str:
    """The page; without a recorded run it has no costs. `table` writes one."""
    from layerdoit.engine.builders import Builder, remedy

    asked = " and ".join(f"`{level}`" for level in LEVELS if level in levels.ASKED)
    stanzas = {
        "engine": "{" + remedy(Builder("default", "docker", ()), 0) + "}",
        "container": remedy(Builder("own", "docker-container", ()), 0),
    }
    collection = COLLECTION
    for name, stanza in stanzas.items():
        collection = collection.replace("{" + name + "}", stanza)
    parts = [
        "# Caches\n",
        table(("cache", "where", "one for each", "holds"), WHAT),
        NO_DOWNLOADS,
        STATUS,
        "## Levels\n",
        "Each level clears what the one before clears, and more; of this project only.\n",
        table(("level", "clears", "keeps", "the next build makes"), map(_level_row, LEVELS)),
        SCOPE.replace("{asked}", asked),
        *_costs(recorded, table),
        "## Pins\n",
        PINS,
        "## Retention\n",
        RETENTION,
        "## Checkouts and branches that are gone\n",
        CHECKOUTS,
        "## The builder's own garbage collection\n",
        collection,
    ]
    return "\n".join(parts)


def _level_row(level: levels.Level) -> Sequence[str]:
    gone = [layer for layer in reversed(ORDER) if layer in LAYERS[level]]
    kept = [layer for layer in ORDER if layer not in LAYERS[level]]
    clears = "app mounts" + (f"; images: {', '.join(gone)}" if gone else "")
    keeps = f"images: {', '.join(kept)}" if kept else "what is always kept, see below"
    makes = ", ".join(layer for layer in ORDER if layer in LAYERS[level])
    return f"`{level}`", clears, keeps, makes or "nothing; after the next edit, all crates of the workspace"


def _costs(recorded: Path, table: Table) -> Iterable[str]:
    if not recorded.is_file():
        return
    found: Mapping[str, Any] = json.loads(recorded.read_text(encoding="utf-8"))
    meta, rows = found["meta"], found.get("levels", [])
    about = f"{meta['project']}, profile {meta['profile']}; {meta['machine']}; engine {meta['engine']}"
    yield f"What it cost once (n=1; {about}; {meta['date']}, load {meta['load']}):\n"
    yield table(
        ("after", "clearing", "freed at most", "`doit image` then", "makes"),
        (
            (
                _COSTS[row["after"]],
                duration_text(row["clearing"]) if "clearing" in row else "",
                size_text(row["freed"]) if "freed" in row else "",
                duration_text(row["seconds"]),
                ", ".join(row["layers"]) or "nothing",
            )
            for row in rows
        ),
    )
    status = found.get("status")
    if status:
        seconds = status["seconds"]
        yield (
            f"`doit cache_status` took {min(seconds):.2f} to {max(seconds):.2f} s (n={len(seconds)}) on an engine with"
            f" {status['images']} images, {status['ours']} of them made the project's for that.\n"
        )
