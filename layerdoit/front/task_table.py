"""The tasks as users see them: names, what they do, their options."""

from __future__ import annotations

from typing import Any, NamedTuple

Params = tuple[dict[str, Any], ...]

JSON: dict[str, Any] = {"name": "json", "long": "json", "type": bool, "default": False, "help": "print one JSON object"}
_ASKING: Params = (
    {"name": "yes", "long": "yes", "type": bool, "default": False, "help": "do not ask"},
    {"name": "dry_run", "long": "dry-run", "type": bool, "default": False, "help": "only show what would be done"},
)
_CLEAR: Params = (
    *_ASKING,
    {
        "name": "every",
        "long": "all",
        "type": bool,
        "default": False,
        "help": "also what this project's other configurations named (another image.repository)",
    },
    {
        "name": "older_than",
        "long": "older-than",
        "type": str,
        "default": "",
        "help": "only what was not used for this long: 90m, 12h, 7d, 2w",
    },
    {
        "name": "keep_last",
        "long": "keep-last",
        "type": str,
        "default": "",
        "help": "keep this many of the newest images of each layer and last used mounts of each checkout",
    },
)
_GC: Params = (
    *_ASKING,
    {
        "name": "keep",
        "long": "keep",
        "type": str,
        "default": "",
        "help": "remove all app images but the newest N of each profile and target, as retention.app.keep_last: N",
    },
    {
        "name": "stale",
        "long": "stale",
        "type": bool,
        "default": False,
        "help": "also clear what orphaned checkouts and branches left behind",
    },
)
_PIN: Params = (
    {"name": "remove", "long": "remove", "type": bool, "default": False, "help": "unpin"},
    {"name": "show", "long": "list", "type": bool, "default": False, "help": "list the pinned images"},
    {**JSON, "help": "with --list: print one JSON object"},
)
_DRY: Params = (_ASKING[1],)
_WARM: Params = (
    {
        "name": "profiles",
        "long": "profiles",
        "type": str,
        "default": "",
        "help": "such as dev,release; default: the configured one",
    },
)
_LOGS: Params = (
    {
        "name": "follow",
        "long": "follow",
        "short": "f",
        "type": bool,
        "default": False,
        "help": "follow the output until Ctrl-C",
    },
    {"name": "tail", "long": "tail", "type": int, "default": 100, "help": "number of lines"},
)


class TaskDoc(NamedTuple):
    """One task as users see it. `on_request`: never runs unless it is named; `words`: name of its further words."""

    name: str
    doc: str
    params: Params = ()
    on_request: bool = True
    after: tuple[str, ...] = ()
    words: str = ""


TASKS: tuple[TaskDoc, ...] = (
    TaskDoc("base", "Base layer: operating system, C and Rust toolchain, native packages.", on_request=False),
    TaskDoc("deps", "Deps layer: third-party crates, compiled.", on_request=False, after=("base",)),
    TaskDoc("app", "App layer: the workspace's own crates, binaries and assets.", on_request=False, after=("deps",)),
    TaskDoc("image", "The image, tagged; the default task.", on_request=False, after=("base", "deps", "app")),
    TaskDoc(
        "check",
        "Run tests and clippy for the whole workspace, in their own layers.\n\n"
        "Dev-dependencies are compiled separately from the image's. Tests run without network. A tree that passed\n"
        "is not tested again.",
    ),
    TaskDoc(
        "cycle_fast",
        "Build, start beside the old container, wait until healthy, swap, remove the old.",
        after=("image",),
    ),
    TaskDoc(
        "cycle_clean",
        "Build the app from scratch, replace the container, then clear as `cache_clear:medium` does.\n\n"
        "Shows the plan first. Nothing is cleared before the new container is healthy.",
        _DRY,
    ),
    TaskDoc(
        "cycle_nuclear",
        "Build all layers from scratch, replace the container, then clear as `cache_clear:nuke` does.\n\n"
        "Shows the plan and asks first. Nothing is cleared before the new container is healthy.",
        _ASKING,
    ),
    TaskDoc("deploy", "Deploy the existing image, replacing the old container; builds nothing."),
    TaskDoc("destroy", "Stop and remove the container, if there is one."),
    TaskDoc("status", "Show what runs, and the state of the layers.", (JSON,)),
    TaskDoc("logs", "Show the container's output.", _LOGS),
    TaskDoc("connect", "Open a shell in the container."),
    TaskDoc("cache_status", "Show what this project's caches hold.", (JSON,)),
    TaskDoc("cache_clear:soft", "Clear the workspace's compiled artefacts.", _CLEAR),
    TaskDoc("cache_clear:medium", "Clear what soft clears, and the app images that are not deployed.", _CLEAR),
    TaskDoc("cache_clear:hard", "Clear what medium clears, and the compiled dependencies.", _CLEAR),
    TaskDoc("cache_clear:nuke", "Clear what hard clears, and the base images.", _CLEAR),
    TaskDoc(
        "cache_gc",
        "Remove what `retention` in layerdoit.yaml does not keep.\n\nWithout that section nothing is removed.",
        _GC,
    ),
    TaskDoc(
        "cache_pin",
        "Protect images, and those they were built from, from every cache_clear level and from retention.\n\n"
        "`doit cache_pin` pins the app image of the current tree, `doit cache_pin app-0123456789ab latest` the\n"
        "images of these tags. Options come before tags.",
        _PIN,
        words="images",
    ),
    TaskDoc(
        "cache_warm",
        "Pull or build the base and deps layers, but not the app: for a new machine or a nightly job.",
        _WARM,
    ),
    TaskDoc(
        "cache_refresh",
        "Compile the third-party crates from scratch, as the first image of a new chain; the old one stays until then.",
        _DRY,
    ),
)
