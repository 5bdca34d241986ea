"""The tasks as users see them: names, what they do, their options."""

from __future__ import annotations

from typing import Any, NamedTuple

Params = tuple[dict[str, Any], ...]

JSON: dict[str, Any] = {"name": "json", "long": "json", "type": bool, "default": False, "help": "print one JSON object"}
_ASKING: Params = (
    {"name": "yes", "long": "yes", "type": bool, "default": False, "help": "do not ask"},
    {"name": "dry_run", "long": "dry-run", "type": bool, "default": False, "help": "only show what would go"},
)
_CLEAR: Params = (
    *_ASKING,
    {
        "name": "older_than",
        "long": "older-than",
        "type": str,
        "default": "",
        "help": "only what was not used for so long: 90m, 12h, 7d, 2w",
    },
    {
        "name": "keep_last",
        "long": "keep-last",
        "type": str,
        "default": "",
        "help": "never the newest so many of each layer, nor the last used mounts of a checkout",
    },
)
_GC: Params = (
    *_ASKING,
    {
        "name": "stale",
        "long": "stale",
        "type": bool,
        "default": False,
        "help": "also what checkouts left behind that are gone",
    },
)
_PIN: Params = (
    {"name": "remove", "long": "remove", "type": bool, "default": False, "help": "take the pin off"},
    {"name": "show", "long": "list", "type": bool, "default": False, "help": "show what is pinned"},
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
    {"name": "follow", "long": "follow", "short": "f", "type": bool, "default": False, "help": "go on until Ctrl-C"},
    {"name": "tail", "long": "tail", "type": int, "default": 100, "help": "how many lines"},
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
        "Tests and clippy for the whole workspace, in layers of their own.\n\n"
        "Dev-dependencies are compiled apart from those of the image. Tests run without network. A tree that passed\n"
        "is not tested again.",
    ),
    TaskDoc(
        "cycle_fast",
        "Build, start beside the old container, wait until healthy, swap, remove the old.",
        after=("image",),
    ),
    TaskDoc(
        "cycle_clean",
        "Build the app from nothing, replace the container, then clear as `cache_clear:medium` does.\n\n"
        "The plan is shown first. Nothing is cleared before the new container is healthy.",
        _DRY,
    ),
    TaskDoc(
        "cycle_nuclear",
        "Build all layers from nothing, replace the container, then clear as `cache_clear:nuke` does.\n\n"
        "The plan is shown first, and it asks. Nothing is cleared before the new container is healthy.",
        _ASKING,
    ),
    TaskDoc("deploy", "Run the image that is there, replacing the old container; builds nothing."),
    TaskDoc("destroy", "Stop and remove the container; nothing to do where there is none."),
    TaskDoc("status", "What runs, and what the layers' state is.", (JSON,)),
    TaskDoc("logs", "What the container printed.", _LOGS),
    TaskDoc("connect", "A shell in the container."),
    TaskDoc("cache_status", "What this project's caches hold.", (JSON,)),
    TaskDoc("cache_clear:soft", "Clear the workspace's compiled artefacts.", _CLEAR),
    TaskDoc("cache_clear:medium", "Clear what soft clears, and the app images that are not deployed.", _CLEAR),
    TaskDoc("cache_clear:hard", "Clear what medium clears, and the compiled dependencies.", _CLEAR),
    TaskDoc("cache_clear:nuke", "Clear what hard clears, and the base images.", _CLEAR),
    TaskDoc(
        "cache_gc",
        "Let go what `retention` in layerdoit.yaml does not keep.\n\nWithout such a section nothing goes.",
        _GC,
    ),
    TaskDoc(
        "cache_pin",
        "Protect images, and what they were made from, from every level and collection.\n\n"
        "`doit cache_pin` pins the app image of the tree as it stands, `doit cache_pin app-0123456789ab latest` the\n"
        "images of these tags. Options come before tags.",
        _PIN,
        words="images",
    ),
    TaskDoc(
        "cache_warm",
        "Have the base and deps layers, pulled or built, without building the app: for a new machine, a nightly job.",
        _WARM,
    ),
    TaskDoc(
        "cache_refresh",
        "Compile the third-party crates from nothing, as the first image of a chain; the old one is there until then.",
        _DRY,
    ),
)
