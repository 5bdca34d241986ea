"""The settings of a deployment: where it runs, how its health is judged, and what each provider must know."""

from __future__ import annotations

from collections.abc import Mapping

from layerdoit.config.kinds import (
    Kind,
    Node,
    Settings,
    boolean,
    choice,
    integer,
    many,
    optional,
    seconds,
    section,
    setting,
    size,
    table,
    text,
    wrong,
)
from layerdoit.config.values import (
    ABSOLUTE,
    ADDRESS,
    COMMAND,
    ENV,
    IMAGE,
    NAME,
    PORT,
    REGEX,
    SHELL,
    SHELLS,
    TEXT,
    VARIABLE,
    VOLUMES,
)

NO_TEXT: tuple[str, ...] = ()
NO_ENV: Mapping[str, str] = {}
PROVIDERS = ("docker", "compose", "kubernetes", "azure-container-apps", "command")
RESTARTS = ("unless-stopped", "always", "on-failure", "no")


def _restart() -> Kind:
    words = choice(*RESTARTS)

    def parse(node: Node) -> str:
        # YAML reads an unquoted `no` as false.
        return "no" if node.value is False else str(words.parse(node))

    return Kind(words.expected, parse, json={"enum": [*RESTARTS, False]})


def _cpus() -> Kind:
    expected = "a number of processors, such as 0.5 or 2"

    def parse(node: Node) -> float:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.01 <= value <= 1024:
            raise wrong(node, expected)
        return float(value)

    return Kind(expected, parse, json={"type": "number", "minimum": 0.01, "maximum": 1024})


def _secrets() -> Kind:
    names, commands = many(VARIABLE, "variable names"), table(VARIABLE, optional(SHELL), "a mapping of names")
    expected = "a list of variable names, or a mapping of names to commands that print the value"

    def parse(node: Node) -> Mapping[str, str | None]:
        if isinstance(node.value, tuple):
            return dict.fromkeys(names.parse(node))
        if node.value is None or isinstance(node.value, Mapping):
            return dict(commands.parse(node))
        raise wrong(node, expected)

    return Kind(expected, parse, json={"anyOf": [names.json, commands.json]})


# Each class has a docstring also because `dataclass` derives a missing one from the signature, which is slow.


class Health(Settings):
    """When a new container counts as healthy."""

    path: str | None = setting(optional(ABSOLUTE), None, "HTTP path that answers 2xx or 3xx once the service is ready.")
    status: tuple[int, ...] = setting(
        many(integer("an HTTP status", 100, 599), "HTTP statuses"), (), "Statuses that count, instead of 2xx and 3xx."
    )
    text: str | None = setting(optional(TEXT), None, "Text that the answer must contain.")
    tcp: bool = setting(boolean(), False, "The port accepts connections; where nothing else is named, this is asked.")
    command: tuple[str, ...] | None = setting(
        optional(COMMAND), None, "Command that succeeds in the container once the service is ready."
    )
    log: str | None = setting(
        optional(REGEX), None, "Regular expression that a line of the log matches once the service is ready."
    )
    platform: bool = setting(
        boolean(), False, "The platform's own check: HEALTHCHECK of the image, `healthcheck` of compose, probes."
    )
    timeout: float = setting(seconds(1), 30.0, "Seconds that a new container has to become healthy.")


class Compose(Settings):
    """The service of a compose file that runs the image."""

    file: tuple[str, ...] = setting(
        many(NAME, "compose files"), NO_TEXT, "Compose files, in their order; default: those that compose finds itself."
    )
    service: str | None = setting(
        optional(NAME),
        None,
        "Service that runs the image; default: the one that builds this project, or is called like our service.",
    )
    strategy: str | None = setting(
        optional(choice("beside", "recreate")),
        None,
        "`beside`: start the new one beside the old one, then switch; `recreate`: stop, then start, with a gap, for a "
        "program that must never run twice; "
        "default: `beside` where the service's ports allow it.",
    )
    project: str | None = setting(
        optional(text("a compose project name", r"[a-z0-9][a-z0-9_-]*")),
        None,
        "Name of the compose project; default: as docker compose chooses it. Two environments on one machine need two.",
    )


class Kubernetes(Settings):
    """Where in a cluster the image runs, and the manifests that say how."""

    context: str | None = setting(
        optional(NAME), None, "Context of the kubeconfig; the current one is never used. Required."
    )
    namespace: str | None = setting(optional(text("a namespace", r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")), None, "Required.")
    manifests: tuple[str, ...] = setting(
        many(NAME, "files or folders"), NO_TEXT, "Manifests, or folders of them, in which the image is replaced."
    )
    kustomize: str | None = setting(optional(NAME), None, "Folder of a kustomization, instead of `manifests`.")
    image: str | None = setting(
        optional(IMAGE),
        None,
        "Name of the image in the manifests; default: `image.repository`, else the project's name, and the service's.",
    )
    deadline: float = setting(seconds(1), 300.0, "Seconds that a rollout has to become healthy.")


class Azure(Settings):
    """The container app that runs the image."""

    subscription: str | None = setting(optional(NAME), None, "Name or id of the subscription. Required.")
    resource_group: str | None = setting(optional(NAME), None, "Resource group. Required.")
    app: str | None = setting(optional(NAME), None, "Name of the container app. Required.")
    container: str | None = setting(
        optional(NAME), None, "Container of the app that runs the image; needed where the app has several."
    )
    deadline: float = setting(seconds(1), 300.0, "Seconds that a new revision has to become healthy.")


class Commands(Settings):
    """The user's own commands, run by `sh -c` in the project's folder, with `LAYERDOIT_IMAGE` and the like."""

    deploy: str | None = setting(optional(SHELL), None, "Deploys the release. Required.")
    status: str | None = setting(
        optional(SHELL),
        None,
        "Succeeds where the service is healthy; the key or digest in its output says what serves.",
    )
    rollback: str | None = setting(
        optional(SHELL), None, "Goes back to the release in `LAYERDOIT_IMAGE`; default: `deploy` with that release."
    )
    logs: str | None = setting(optional(SHELL), None, "Prints the service's log.")
    destroy: str | None = setting(optional(SHELL), None, "Removes the deployment.")
    changes: str | None = setting(optional(SHELL), None, "Prints what `deploy` would change, for `--dry-run`.")


class Deploy(Settings):
    """The container that runs."""

    provider: str = setting(choice(*PROVIDERS), "docker", f"Where the image runs: {', '.join(PROVIDERS)}.")
    name: str | None = setting(
        optional(text("a container name", r"[A-Za-z0-9][\w.-]+")),
        None,
        "Name of the container; default: the project's name, with the environment's name behind it.",
    )
    port: int | None = setting(optional(PORT), None, "Port that the service listens on inside the container.")
    publish: int | None = setting(
        optional(integer("a port from 0 to 65535", 0, 65535)),
        None,
        "Port on this machine; default or 0: the first free one from `port` on, kept while the service is deployed.",
    )
    bind: str = setting(ADDRESS, "127.0.0.1", "Address on this machine that the port is bound to.")
    health: Health = section(Health, "When a new container counts as healthy and may take over.")
    verify: tuple[str, ...] = setting(
        SHELLS,
        NO_TEXT,
        "Commands that check the new release when it serves; where one fails, the release before serves again.",
    )
    env: Mapping[str, str] = setting(
        ENV, NO_ENV, "Environment variables of the container; `${VAR}` and `${VAR:-default}` are those of this machine."
    )
    env_file: str | None = setting(
        optional(NAME),
        None,
        "File with more of them, a line `NAME=value` each, such as a `.env` that git ignores; `env` overrides it.",
    )
    secrets: Mapping[str, str | None] = setting(
        _secrets(),
        {},
        "Names of variables whose values come from this machine's environment, or from `.env.<environment>`, which "
        "git must ignore; or names with a command that prints the value (`op read …`).",
    )
    volumes: tuple[str, ...] = setting(
        VOLUMES,
        NO_TEXT,
        "Volumes: `name:/path`, or a folder of this machine: `./in/project:/path`, `~/data:/path`, `/data:/path`.",
    )
    args: tuple[str, ...] = setting(
        many(TEXT, "texts", unique=False), NO_TEXT, "Arguments of the entry point; overrides image.cmd."
    )
    restart: str = setting(
        _restart(), "unless-stopped", f"When the engine starts the container again: {', '.join(RESTARTS)}."
    )
    memory: int | None = setting(optional(size()), None, "Memory that the container may use, such as `512MB`.")
    cpus: float | None = setting(optional(_cpus()), None, "Processors that the container may use, such as `1.5`.")
    network: str | None = setting(optional(text("a network name", r"[\w.:-]+")), None, "Docker network to join.")
    isolated_start: bool = setting(
        boolean(),
        True,
        "Start a replacement on an isolated network and connect it when healthy, which gives the shortest gap. "
        "`false`: for a service that needs other services at its start but does not fail without them.",
    )
    gap: str = setting(
        choice("short", "none"),
        "short",
        "`short`: the published port is handed over, and for a moment nobody has it; `none`: a small front keeps it, "
        "and no request is lost.",
    )
    drain: float = setting(
        seconds(0), 30.0, "Seconds that requests to the old container have to end, with `gap: none`."
    )
    stop_grace: float = setting(seconds(0), 3.0, "Seconds an old container has to stop before it is killed.")
    compose: Compose = section(Compose, "With `provider: compose`: the service of a compose file.")
    kubernetes: Kubernetes = section(Kubernetes, "With `provider: kubernetes`: the cluster, and the manifests.")
    azure: Azure = section(Azure, "With `provider: azure-container-apps`: the container app.")
    command: Commands = section(Commands, "With `provider: command`: your own commands.")


class Hooks(Settings):
    """Commands on this machine, run by `sh -c` in the project's folder, with `LAYERDOIT_IMAGE` and the like."""

    before_build: tuple[str, ...] = setting(
        SHELLS, NO_TEXT, "Before anything is built; the tree is read again afterwards. A failure stops everything."
    )
    after_build: tuple[str, ...] = setting(SHELLS, NO_TEXT, "When the app image was built.")
    before_deploy: tuple[str, ...] = setting(
        SHELLS, NO_TEXT, "Before a release is deployed. A failure stops everything, with nothing changed."
    )
    after_deploy: tuple[str, ...] = setting(SHELLS, NO_TEXT, "When a release serves.")
    on_failure: tuple[str, ...] = setting(SHELLS, NO_TEXT, "When a build or a deployment has failed.")
