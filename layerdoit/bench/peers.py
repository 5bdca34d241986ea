"""The peers: three Dockerfiles as people write them, cargo on the host, and layerdoit; all on the same base images."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from layerdoit.bench import buildkit
from layerdoit.bench.running import timed
from layerdoit.bench.subject import Facts
from layerdoit.build.host_secrets import Secrets
from layerdoit.cargo.output import compiled
from layerdoit.history.benchmarks import DOCKERFILES, OURS

PEERS = (*DOCKERFILES, OURS, "native")
CHEF_VERSION = "0.1.78"

_SECRETS = (
    "--mount=type=secret,id=ca,target=/run/secrets/ca"
    " --mount=type=secret,id=proxy,target=/run/secrets/proxy"
    " --mount=type=secret,id=cargo-config,target=/cargo/config.toml"
    " --mount=type=secret,id=cargo-credentials,target=/cargo/credentials.toml"
)
_NETWORK = (
    "if [ -s /run/secrets/ca ]; then export CARGO_HTTP_CAINFO=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca; fi; "
    "if [ -s /run/secrets/proxy ]; then . /run/secrets/proxy; fi"
)
# Two levels deep: for the COPY of a path BuildKit walks the folder above it, and `/` has 20,000 files.
_OUT = "/peer/out"


# cargo names the stubs of a cook, and runs no compiler for them; the one of a root package has no folder of its own.
_STUB = re.compile(r"^.*Compiling \S+ v(?:\S+ \(.*/\.stub/|0\.0\.0 \().*$", re.MULTILINE)


@dataclass(frozen=True)
class Round:
    """What every build of one run has in common. `token` is unique: no layer or mount of another run can answer."""

    token: str
    tree: Path
    root: Path
    work: Path
    secrets: Secrets
    chef: str
    project: str


@dataclass
class Built:
    """One build: seconds, crates compiled, layerdoit's layers that were built, the image or folder, or an error."""

    seconds: float
    crates: list[str]
    layers: list[str] = field(default_factory=list)
    image: str = ""
    folder: Path | None = None
    error: str = ""


def build(peer: str, now: Round, facts: Facts) -> Built:
    """Build the tree as it stands with one peer."""
    if peer == "native":
        return _native(now, facts)
    if peer == OURS:
        return _layerdoit(now, facts)
    return _docker(peer, now, facts)


def doit() -> str:
    """The `doit` of this Python."""
    beside = Path(sys.executable).with_name("doit")
    return str(beside) if beside.exists() else "doit"


def command() -> list[str]:
    """The `doit` of this Python on the copy's dodo.py, whatever the project configures for doit."""
    return [doit(), "-f", "dodo.py"]


def profile_folder(facts: Facts) -> str:
    """Where cargo puts binaries, below the target folder."""
    folder = {"dev": "debug", "test": "debug", "bench": "release"}.get(facts.profile, facts.profile)
    return f"{facts.target}/{folder}" if facts.target else folder


def image_tag(peer: str, now: Round) -> str:
    """The tag of a peer's image."""
    return f"{now.project}-{peer}:{now.token}"


def _words(output: str) -> str:
    lines = [line.strip() for line in output.strip().splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return " | ".join((errors or lines)[-3:])[:400]


def _layerdoit(now: Round, facts: Facts) -> Built:
    logs = now.root / ".layerdoit" / "logs"
    before = set(logs.glob("*.log"))
    ran = timed([*command(), "image"], now.root)
    new = sorted(set(logs.glob("*.log")) - before)
    layers = [path.stem.rsplit("-", 1)[-1] for path in new]
    texts = [path.read_text(errors="replace") for path in new]
    texts = [_STUB.sub("", text) if layer == "deps" else text for layer, text in zip(layers, texts, strict=True)]
    error = _words(ran.output) if ran.code else ""
    return Built(ran.seconds, compiled("\n".join(texts)), layers, facts.friendly, None, error)


def _native(now: Round, facts: Facts) -> Built:
    target = now.work / "native-target"
    argv = ["cargo", "build", "--locked", *facts.cargo_args, *facts.bin_args]
    ran = timed(argv, now.root, {**dict(facts.env), "CARGO_TARGET_DIR": str(target)})
    error = _words(ran.output) if ran.code else ""
    return Built(ran.seconds, compiled(ran.output), [], "", target / profile_folder(facts), error)


def _docker(peer: str, now: Round, facts: Facts) -> Built:
    folder = now.work / peer
    folder.mkdir(exist_ok=True)
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(dockerfile_text(peer, now.token, facts))
    (folder / "Dockerfile.dockerignore").write_text(ignored(peer, facts))
    iidfile = folder / "iid"
    args = {"BUILDER": facts.builder, "RUNTIME": facts.runtime, "CHEF": now.chef}
    tag = image_tag(peer, now)
    call = buildkit.Build(dockerfile, now.tree, tag, args, now.secrets, now.project, iidfile)
    ran = timed(call.argv(), now.work, call.environment())
    error = _words(ran.output) if ran.code else ""
    image = "" if error else iidfile.read_text().strip()
    return Built(ran.seconds, compiled(ran.output), [], image, None, error)


# --- Dockerfiles -----------------------------------------------------------------------------------------------------


def chef_image(token: str) -> str:
    """cargo-chef, compiled once; what is measured starts from this image."""
    install = f"cargo install cargo-chef --locked --version {CHEF_VERSION} --root /usr/local"
    command = f"RUN {_SECRETS} : {token}; {_NETWORK}; {install} && rm -rf /cargo/registry"
    return f"ARG BUILDER\nFROM ${{BUILDER}}\n{command}\n"


def ignored(peer: str, facts: Facts) -> str:
    """The .dockerignore. A line of its own keeps a peer from profiting of what another one has just sent."""
    top = "" if facts.workdir == "." else f"{facts.workdir}/"
    return f"{facts.dockerignore}\n.git\n{top}target\n**/.layerdoit\n**/.doit.db*\n.never-there-{peer}\n"


def dockerfile_text(peer: str, token: str, facts: Facts) -> str:
    """A peer's Dockerfile; every RUN and every stage holds the run's token, and so do BuildKit's records of them."""
    if peer == "chef":
        return "\n".join([*_chef_head(token, facts), _compile(token, facts, ""), *_final(token, facts)])
    mounts = ""
    if peer == "mount":
        mounts = (
            f" --mount=type=cache,id={token}-registry,target=/cargo/registry"
            f" --mount=type=cache,id={token}-git,target=/cargo/git/db"
            f" --mount=type=cache,id={token}-target,target={workdir(facts)}/target,sharing=locked"
        )
    head = [
        "ARG BUILDER",
        "ARG RUNTIME",
        f"FROM ${{BUILDER}} AS build-{token}",
        f"WORKDIR {workdir(facts)}",
        "COPY . /src",
    ]
    return "\n".join([*head, _compile(token, facts, mounts), *_final(token, facts)])


def workdir(facts: Facts) -> str:
    """Where the workspace is in a peer's build."""
    return "/src" if facts.workdir == "." else f"/src/{facts.workdir}"


def _chef_head(token: str, facts: Facts) -> list[str]:
    """Plan and cook. Local packages that are no members are not in a recipe: cooking needs them as they are."""
    lines = [
        "ARG CHEF",
        "ARG RUNTIME",
        f"FROM ${{CHEF}} AS planner-{token}",
        f"WORKDIR {workdir(facts)}",
        "COPY . /src",
    ]
    lines += [f"RUN : {token}; cargo chef prepare --recipe-path /recipe.json"]
    lines += [f"FROM ${{CHEF}} AS build-{token}", f"WORKDIR {workdir(facts)}"]
    lines += [f"COPY --from=planner-{token} /recipe.json /recipe.json"]
    lines += [f"COPY {shlex.quote(path)} /src/{shlex.quote(path)}" for path in facts.other_packages]
    cook = shlex.join(chef_args(facts.cargo_args))
    lines += [f"RUN {_SECRETS} : {token}; {_NETWORK}; {_env(facts)}cargo chef cook --recipe-path /recipe.json {cook}"]
    return [*lines, "COPY . /src"]


def chef_args(cargo_args: tuple[str, ...]) -> list[str]:
    """cargo-chef spells profiles in its own way; the rest is cargo's."""
    words = list(cargo_args)
    at = words.index("--profile")
    profile = words[at + 1]
    words[at : at + 2] = {"dev": [], "release": ["--release"]}.get(profile, ["--profile", profile])
    return words


def _env(facts: Facts) -> str:
    return "".join(f"export {name}={shlex.quote(value)}; " for name, value in facts.env)


def _compile(token: str, facts: Facts, mounts: str) -> str:
    folder = profile_folder(facts)
    arguments = shlex.join([*facts.cargo_args, *facts.bin_args])
    copies = " ".join(f"target/{folder}/{name}" for _, name in facts.bins)
    return (
        f"RUN {_SECRETS}{mounts} : {token}; {_NETWORK}; {_env(facts)}"
        f"cargo build --locked {arguments} && mkdir -p {_OUT} && cp {copies} {_OUT}/"
    )


def _final(token: str, facts: Facts) -> list[str]:
    lines = [f"FROM ${{RUNTIME}} AS final-{token}", f"COPY --from=build-{token} {_OUT}/ /usr/local/bin/"]
    lines += [f'COPY ["{source}", "{place}"]' for source, place in facts.assets]
    return [*lines, f"USER {facts.user}", f'ENTRYPOINT ["/usr/local/bin/{facts.entrypoint}"]', ""]
