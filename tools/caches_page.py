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
    "first build": "the first build, with nothing there yet",
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
        "system, C and Rust toolchain; the system that binaries run on",
    ),
    (
        "deps",
        "images `<repository>:deps-<key>`",
        "Cargo.lock, features, profile, flags",
        "third-party crates, sources and compiled; later images are built on earlier ones",
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
There is no separate download cache: crates are downloaded once, into the deps image that needs them, and are part of
it. What cargo on this machine has downloaded from crates.io (`$CARGO_HOME/registry`) comes from there: each archive
whose digest is the one in `Cargo.lock`, and the index's entries for what is locked. So where cargo has fetched the
dependencies, an image is built, and `doit check` runs, without a network. All is downloaded where the engine is reached
by more than a socket on this machine, or the builder is outside the engine.
"""

STATUS = """\
`doit cache_status` shows all of it: its own bytes and those shared with images below, age, last use, what refers to it
(running, deployed and stopped containers, pins, checkouts, this tree), whether it is warm or cold for the current tree,
and why, what each level would free, and whether the builder's own garbage collection removes mounts. A byte that
several images share is the own byte of one of them, so that own bytes add up to the total. `--json` prints one
[object](#json). An image
counts as used when it is built or tagged, or when another image is made from it. buildx rounds the last use of mounts;
in doubt, a mount is taken to be younger.
"""

SCOPE = """\
A cache is the project's, not a platform's: with and without `PLATFORM`, each level clears the images of all
[platforms](platforms.md), and the mounts on `builder` and on all `builders`. What a builder has that does not answer
stays, and that is said.

Images are found by their labels, and only our own tags are removed from them: never by force, never by a pattern of
names. Mounts are found by their whole id and cleared by the id of their record. What another project of the same name
made stays ([whose is what](how-it-works.md#ours-and-others)); `cache_status` counts it. If somebody else tagged an
image too, it stays under that tag; if somebody made another image from it, that image stays. An image without any tag
is removed with its layer if it was made by the same steps as an image of that layer that has its tag, whatever profile,
features or settings either was built with, and no image that stays is built on it. Containers and volumes are never
touched. These are always kept: the
image of every container, deployed, running or stopped, and the runtime image under it; what is pinned, and everything
that it was made from; a mount that a build is using.

Images that another configuration of this project named (with another `image.repository`) are listed by `cache_status`
under these names. `--all` clears them with their level, and asks first: that is an image with our labels whose tag in
that repository is its own key, and no other image or tag.

Each level first shows what it removes, how many bytes that frees at most (others may share layers), and how long the
next build will take: the sum of its layers' medians in this project's own history, with the least number n. If the
history has no such build of a layer, the layer is named, and the time is `at least` that of the others, or `unknown`.
{asked} ask for confirmation, which `--yes` or `YES=1` gives. Without a terminal and without either, they refuse.
`--dry-run` only shows. The lines add up to the sum, and afterwards it says what is gone. With the engine's own builder,
BuildKit's cache may hold layers of cleared images: their bytes stay on disk until it is collected (see below), or
`docker buildx prune` takes what nobody uses. The next build does not use them.

`--older-than 7d` (s, m, h, d, w) clears only what has not been used for that long. `--keep-last 3` keeps the three
newest images of each layer for each profile and target, and the three most recently used mounts of each checkout. With
these options, each level still clears at least what the one before clears.

Another checkout may clear while this one builds: the images that a build has started with stay available to it, and if
they are removed before it starts, it plans again. In the same checkout, clearing waits for the build.
"""

PINS = f"""\
`doit cache_pin` keeps the app image of the current tree, and `doit cache_pin app-0123456789ab latest` the images
with these tags, until `doit cache_pin --remove …`. `--list` shows the pins. A pin is a tag,
`<repository>:{PINNED}<layer>-<key>`: it is kept by the engine, outlives the state folder, and shows in `docker images`.
"""

RETENTION = """\
Without a `retention` section, nothing is ever removed automatically. With one, `doit cache_gc` applies it; with
`after_build: true`, so does each build that built something, but never a run with nothing to do. The policy is written
down, so it is applied without asking.

```yaml
retention:
  after_build: true
  keep_tags: ["v*"]               # images with such a tag stay
  app: {keep_last: 10}            # the ten newest of each profile stay, the others are removed
  deps: {keep_last: 2, max_bytes: 20GB, min_age: 7d}  # beyond 20 GB the oldest are removed, never the two newest
  mounts: {max_bytes: 30GB}       # the longest unused are removed until the rest fits
```

`keep_last` is a minimum: that many always stay. The others are removed if they are at least `min_age` old: all of them,
or with `max_bytes` only the oldest until the rest fits. What is always kept (see above) stays. So does what this tree
needs, and the newest app of every other checkout that still exists (`protect`). If an image that stays is built on a
deps image, that one stays too: removing it would free nothing. [All settings](configuration.md#retention).

Without a rule for apps, a build says so when ten or more old app images hold more than 500 MB: once a day, or when
they have doubled. `doit cache_gc --keep 5` removes all but the newest five, this once, and asks first.
"""

CHECKOUTS = """\
A mount's id says on which machine and in which folder its checkout is. If that folder is gone, or git lists a
worktree whose folder is gone, `cache_status` says `checkout gone`, and `doit cache_gc --stale` offers to remove its
mounts, the apps that were compiled there, and the tag that the worktree gave. Checkouts on other machines, folders that
may not be read, and drives that are not mounted are left alone. In a container, folders are not the host's: there,
nothing counts as gone, unless the variable `LAYERDOIT_MACHINE` gives the container a lasting name.

An app image's label says on which git branch it was built (none with a detached HEAD); the branch is not part of the
key. If this repository no longer has that branch, `cache_status` says `branch gone`, and `doit cache_gc --stale` offers
to remove the image, unless this tree needs it, it has a tag besides the keyed one, or a branch that still exists (or
one that is not known) has asked for it since. Images from other machines, from containers without a lasting name, and
from checkouts of other repositories are left alone, as is a repository whose branches are not in files (`reftable`).
Images without any tag (see [Levels](#levels)) are offered too.

A container says which folder of which machine deployed it. If that folder is gone, `doit cache_gc --stale` offers to
stop and remove the container, running or not, and then its image: unless this project was deployed under that name
from a checkout that still exists, which replaces it, or takes it down (`doit destroy`).
"""

COLLECTION = """\
BuildKit's default rules remove cache mounts that have not been used for 48 hours once they are larger than 512 MB:
after a weekend the workspace compiles from scratch. `cache_status` reads from the builder which rules are in force. For
the engine's own builder (driver `docker`), put this into daemon.json; an engine without a `gc` section may not collect
anything at all:

```json
{engine}
```

For a separate builder (driver `docker-container`), put this into buildkitd.toml:

```toml
{container}
```
"""


IDENTITY: Final = (
    "which project of that name it is: `folder`, `origin` ('' if unknown), and `marks`, by which what it made is told "
    "from others' ([whose is what](how-it-works.md#ours-and-others))"
)
JSON: Final = (
    ("`project`", "the project's name"),
    ("`identity`", IDENTITY),
    (
        "`namesakes`",
        "other projects of that name on this engine: `project` (in words), `images` and `mounts` (numbers)",
    ),
    ("`images`, `mounts`", "lists of objects as below"),
    ("`state`", "the state folder: entry → bytes"),
    ("`layouts`", "bytes of the copies of base and deps for [other builders](builders.md), in the user's cache folder"),
    ("`warm`", "layer → whether the image that the tree asks for is there"),
    ("`cold`", "layer → sentences: why it is not"),
    ("`checkouts`", "`digest`, `path` and `state` (`this`, `there`, `gone`, `unknown`) of each"),
    ("`levels`", "level → what it would clear: `bytes` at most, `images` and `mounts` (numbers)"),
    (
        "`stale`",
        "for `cache_gc --stale`: ids of `images`, records of `mounts`, `containers` (`name`, `folder`, `running`)",
    ),
    (
        "`builder`",
        "`name`, `driver`, `rules` of its garbage collection (null: unknown), `threatens_mounts`, and `remedy` or null",
    ),
)
JSON_IMAGE: Final = (
    ("`id`, `layer`, `key`", "the engine's id, and what its labels say"),
    ("`tags`, `other_tags`, `elsewhere_tags`", "ours; others'; those that another configuration of this project gave"),
    ("`size`, `shared`", "all of it, and what another image of the list has as its own"),
    ("`made`, `last_used`", "when it was built; when it, or an image made from it, was last built or tagged"),
    ("`variant`", "profile and target"),
    ("`current`", "whether this tree needs it"),
    ("`pinned`", "whether it is"),
    ("`depth`", "how many deps images a deps image stands on"),
    ("`checkout`", "digest of the checkout that compiled it"),
    (
        "`branch`, `branch_gone`",
        "the git branch that it was built on, or null; whether no branch that is there uses it",
    ),
    ("`replaced`", "whether a build of ours made it, and it has lost its tag"),
    ("`other_project`", "null, or which other project of this name made it, where this tree is built on it"),
    ("`protected`", "null, or why no level clears it"),
    ("`containers`", "`name` and `how` (`running`, `deployed`, `stopped`) of each that needs it"),
)
JSON_MOUNT: Final = (
    ("`record`, `id`", "BuildKit's record, and the mount's whole id"),
    ("`checkout`, `variant`", "whose it is; profile and target"),
    ("`size`, `last_used`", "as buildx says"),
    ("`in_use`, `current`", "whether a build uses it now; whether this tree's next build would"),
)


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
        "Each level clears what the one before clears, and more. Only this project's caches are cleared.\n",
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
        "## JSON\n",
        "`doit cache_status --json` prints one object; sizes are in bytes, points in time in seconds since 1970:\n",
        table(("key", "value"), JSON),
        "An image:\n",
        table(("key", "value"), JSON_IMAGE),
        "A mount:\n",
        table(("key", "value"), JSON_MOUNT),
    ]
    return "\n".join(parts)


def _level_row(level: levels.Level) -> Sequence[str]:
    gone = [layer for layer in reversed(ORDER) if layer in LAYERS[level]]
    kept = [layer for layer in ORDER if layer not in LAYERS[level]]
    clears = "app mounts" + (f"; images: {', '.join(gone)}" if gone else "")
    keeps = f"images: {', '.join(kept)}" if kept else "only what is always kept, see below"
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
            f" {status['images']} images, {status['ours']} of them labelled as the project's for this measurement.\n"
        )
