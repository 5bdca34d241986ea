"""The tasks as users see them: names, what they do, their options."""

from __future__ import annotations

from typing import Any, NamedTuple

from layerdoit.front.publish_params import PUBLISH

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
        "metavar": "AGE",
        "default": "",
        "help": "only what was not used for this long: 90m, 12h, 7d, 2w",
    },
    {
        "name": "keep_last",
        "long": "keep-last",
        "type": str,
        "metavar": "N",
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
_LEFT: Params = (
    {
        "name": "left",
        "long": "left",
        "type": bool,
        "default": False,
        "help": "only deployments that the configuration describes no more, such as that of a service which is gone",
    },
)
_PIN: Params = (
    {"name": "remove", "long": "remove", "type": bool, "default": False, "help": "unpin"},
    {"name": "show", "long": "list", "type": bool, "default": False, "help": "list the pinned images"},
    {**JSON, "help": "with --list: print one JSON object"},
)
_WATCH: Params = ({**JSON, "help": "print one JSON object per event"},)
_DRY: Params = (_ASKING[1],)
_WARM: Params = (
    {
        "name": "profiles",
        "long": "profiles",
        "type": str,
        "metavar": "NAMES",
        "default": "",
        "help": "such as dev,release; default: the configured one",
    },
)
_LOAD: Params = (
    {
        "name": "anew",
        "long": "replace",
        "type": bool,
        "default": False,
        "help": "also where something is compiled already: begin with the file instead",
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
    {"name": "tail", "long": "tail", "type": int, "metavar": "N", "default": 100, "help": "number of lines"},
    {
        "name": "since",
        "long": "since",
        "type": str,
        "metavar": "AGE",
        "default": "",
        "help": "only what was written since then: 10m, 2h, or a time",
    },
)


class TaskDoc(NamedTuple):
    """One task as users see it.

    `when`: in which situation to use it; `example`: its name and more, as typed after `doit`. `on_request`: never runs
    unless it is named; `words`: name of its further words. `of_service`: each service has one of its own, `logs:api`;
    `of_one`: where there are services, only those.
    """

    name: str
    doc: str
    when: str
    example: str
    params: Params = ()
    on_request: bool = True
    after: tuple[str, ...] = ()
    words: str = ""
    of_service: bool = False
    of_one: bool = False

    @property
    def line(self) -> str:
        """What it does, in one line."""
        return self.doc.partition("\n")[0]


TASKS: tuple[TaskDoc, ...] = (
    TaskDoc(
        "base",
        "Base layer: operating system, C and Rust toolchain, native packages.",
        "To see that the native packages in layerdoit.yaml can be had, before anything is compiled.",
        "base",
        on_request=False,
    ),
    TaskDoc(
        "deps",
        "Deps layer: third-party crates, compiled.",
        "To compile the dependencies alone, as after `cargo update`.",
        "deps PROFILE=release",
        on_request=False,
        after=("base",),
    ),
    TaskDoc(
        "app",
        "App layer: the workspace's own crates, binaries and assets.",
        "To see that the workspace compiles; no tag moves.",
        "app",
        on_request=False,
        after=("deps",),
    ),
    TaskDoc(
        "image",
        "The image, tagged; the default task.",
        "To have an image to push, to scan or to run by other means. `doit` alone does the same.",
        "image PROFILE=release",
        on_request=False,
        after=("base", "deps", "app"),
        of_service=True,
    ),
    TaskDoc(
        "check",
        "Run tests and clippy for the whole workspace, in their own layers.\n\n"
        "Dev-dependencies are compiled separately from the image's. Tests run without network. A tree that passed\n"
        "is not tested again.",
        "Before a commit or a merge, and in CI.",
        "check",
    ),
    TaskDoc(
        "cycle_fast",
        "Build, start beside the old container, wait until healthy, swap, remove the old.",
        "After every edit: this is the task of every day.",
        "cycle_fast",
        after=("image",),
        of_service=True,
    ),
    TaskDoc(
        "cycle_clean",
        "Build the app from scratch, replace the container, then clear as `cache_clear:medium` does.\n\n"
        "Shows the plan first. Nothing is cleared before the new container is healthy.",
        "When the app image is to owe nothing to earlier builds, such as before a release.",
        "cycle_clean --dry-run",
        _DRY,
    ),
    TaskDoc(
        "cycle_nuclear",
        "Build all layers from scratch, replace the container, then clear as `cache_clear:nuke` does.\n\n"
        "Shows the plan and asks first. Nothing is cleared before the new container is healthy.",
        "To get newer packages of the operating system, or to find out whether all can still be built from nothing.",
        "cycle_nuclear --yes",
        _ASKING,
    ),
    TaskDoc(
        "from_source",
        "Build a pushed commit, never the working tree; with ENV=, deploy it there.\n\n"
        "REF= names a branch, a tag or a commit, REPO= another repository than the remote of this one. The image is\n"
        "tagged <version>-<commit>. Keys are those of the same tree built in place, so that images are shared.",
        "For a release, a colleague's branch, or an older version, whatever you are working on.",
        "from_source REF=main",
    ),
    TaskDoc(
        "push",
        "Push the image to its registry, under `image.tags`.\n\n"
        "The repository is `publish.repository`, else `image.repository` where a registry is in it.",
        "To share what you have now, such as `latest` of a branch; versions for people are published.",
        "push",
        after=("image",),
        of_service=True,
    ),
    TaskDoc(
        "publish",
        "Publish the image by version, under the tags of `publish.tags`.\n\n"
        "Builds for each of `platforms`, pushes by digest, pulls and checks each image; then the tags move. A version\n"
        "that is another image stays. VERSION= gives the version; default: of the git tag, or of Cargo.toml.",
        "To release: people and other machines pull it by its version.",
        "publish VERSION=1.4.0",
        PUBLISH,
        of_service=True,
    ),
    TaskDoc(
        "publish_base",
        "Publish the base images, under the tags of `publish.base_tags`.",
        "For those who build on the same base by other means, such as a Dockerfile of theirs.",
        "publish_base VERSION=2026.1.0",
        PUBLISH,
    ),
    TaskDoc(
        "deploy",
        "Deploy the existing image, replacing the old container; builds nothing.",
        "To go on with what was built before: after `destroy`, or with another port or environment.",
        "deploy PUBLISH=8080",
        _DRY,
        of_service=True,
    ),
    TaskDoc(
        "rollback",
        "Let the release before serve again, with its settings; builds nothing. TO=<release> names another one.",
        "When the new release is bad. The image is there: it takes seconds.",
        "rollback ENV=prod",
        of_service=True,
        of_one=True,
    ),
    TaskDoc(
        "destroy",
        "Stop and remove the container, if there is one.",
        "When you are done. Images stay: the next `deploy` takes a second or two.",
        "destroy",
        _LEFT,
        of_service=True,
    ),
    TaskDoc(
        "status",
        "Show what runs, and the state of the layers.",
        "To learn the address of the service, and whether it runs what the tree says.",
        "status --json",
        (JSON,),
        of_service=True,
    ),
    TaskDoc(
        "watch",
        "Let each edit serve within moments, in the container that runs; the image follows.\n\n"
        "Keys: r rebuild, l logs, t tests, q quit. Words name services, or projects of the dodo by their prefixes.",
        "While you write code: saving a file is enough.",
        "watch",
        _WATCH,
        words="projects",
        of_service=True,
    ),
    TaskDoc(
        "releases",
        "List what was deployed: when, by whom, from which commit, how it ended.",
        "To find the release to go back to, or who deployed what.",
        "releases ENV=prod",
        (JSON,),
        of_service=True,
    ),
    TaskDoc(
        "environments",
        "Show the environments: provider, what runs there, from which commit, whether the tree is ahead.",
        "To see what runs where, before and after a deployment.",
        "environments",
        (JSON,),
    ),
    TaskDoc(
        "deploy_unlock",
        "Remove the lock that an interrupted deployment left in the environment.",
        "When a deployment says that another one goes on, and it does not.",
        "deploy_unlock ENV=prod",
    ),
    TaskDoc(
        "logs",
        "Show the container's output.",
        "To see what the service says, also after it has ended.",
        "logs --follow --tail 20",
        _LOGS,
        of_service=True,
    ),
    TaskDoc(
        "connect",
        "Open a shell in the container.",
        "To look at the files and the environment that the service sees.",
        "connect",
        of_service=True,
        of_one=True,
    ),
    TaskDoc(
        "exec",
        "Run a command in the container.",
        "For one command, such as a migration or a console; its exit code decides.",
        "exec ls /srv",
        words="words",
        of_service=True,
        of_one=True,
    ),
    TaskDoc(
        "cache_status",
        "Show what this project's caches hold.",
        "Before clearing, or when the disk fills up.",
        "cache_status",
        (JSON,),
    ),
    TaskDoc(
        "cache_clear:soft",
        "Clear the workspace's compiled artefacts.",
        "When cargo's own cache of the workspace is suspected. Costs one compile of the workspace.",
        "cache_clear:soft",
        _CLEAR,
    ),
    TaskDoc(
        "cache_clear:medium",
        "Clear what soft clears, and the app images that are not deployed.",
        "To get space back from old builds. Costs one compile of the workspace.",
        "cache_clear:medium --older-than 7d",
        _CLEAR,
    ),
    TaskDoc(
        "cache_clear:hard",
        "Clear what medium clears, and the compiled dependencies.",
        "To get most of the space back. Costs one compile of all crates.",
        "cache_clear:hard --dry-run",
        _CLEAR,
    ),
    TaskDoc(
        "cache_clear:nuke",
        "Clear what hard clears, and the base images.",
        "When you are done with the project on this machine. Costs everything from the base image on.",
        "cache_clear:nuke --yes",
        _CLEAR,
    ),
    TaskDoc(
        "cache_gc",
        "Remove what `retention` in layerdoit.yaml does not keep.\n\nWithout that section nothing is removed.",
        "In a nightly job, or after branches and worktrees were deleted (`--stale`).",
        "cache_gc --stale --dry-run",
        _GC,
    ),
    TaskDoc(
        "cache_pin",
        "Protect images, and those they were built from, from every cache_clear level and from retention.\n\n"
        "`doit cache_pin` pins the app image of the current tree, `doit cache_pin app-0123456789ab latest` the\n"
        "images of these tags. Options come before tags.",
        "For an image to which you may have to go back.",
        "cache_pin --list",
        _PIN,
        words="images",
    ),
    TaskDoc(
        "registry_status",
        "Show what the registry holds of this project: layers, versions, bytes, age, what is protected.",
        "Before writing `registry.retention`, or when the registry fills up.",
        "registry_status",
        (JSON,),
    ),
    TaskDoc(
        "registry_gc",
        "Remove from the registry what `registry.retention` in layerdoit.yaml does not keep.\n\n"
        "Shows what goes and asks. What runs, can be rolled back to, is pinned, or is another project's stays.\n"
        "Without that section nothing is removed.",
        "In a weekly job, so that the registry does not grow for ever.",
        "registry_gc --dry-run",
        _ASKING,
    ),
    TaskDoc(
        "cache_warm",
        "Pull or build the base and deps layers, but not the app: for a new machine or a nightly job.\n\n"
        "Where the registry has what was compiled of the workspace (`registry.push: [artefacts]`), it is fetched, too.",
        "So that the first build of the day compiles only the workspace, or what changed of it.",
        "cache_warm --profiles dev,release",
        _WARM,
    ),
    TaskDoc(
        "cache_refresh",
        "Compile the third-party crates from scratch, as the first image of a new chain; the old one stays until then.",
        "When many small updates have made the image of the dependencies large.",
        "cache_refresh --dry-run",
        _DRY,
    ),
    TaskDoc(
        "cache_save",
        "Save what is compiled of the workspace into a file, for a machine that has the same dependencies.",
        "At the end of a CI job whose machine is gone afterwards.",
        "cache_save ../compiled.tar",
        words="file",
    ),
    TaskDoc(
        "cache_load",
        "Begin with what cache_save saved, where nothing is compiled yet.\n\n"
        "Contents decide what of it is still true: an old file costs time, never truth. A file of another project,\n"
        "toolchain, profile or deps image is refused.",
        "At the begin of a CI job, before the first build.",
        "cache_load ../compiled.tar",
        _LOAD,
        words="file",
    ),
)
