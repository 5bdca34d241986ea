"""What builds need of the world outside: certificates, names, credentials, an ssh agent. Values are never shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from layerdoit.core.prose import listed
from layerdoit.core.units import count_text
from layerdoit.doctor.finding import Fact, Item, Rule, Unchecked, rules
from layerdoit.engine.registry_answers import host_of

CA = Rule(
    "ca-bundle",
    "error",
    "A variable or cargo setting names a CA bundle that cannot be used.",
    "every build gets it, and fails without it",
    "correct or unset it",
)
NAME = Rule(
    "dns",
    "warning",
    "A host that crates come from does not resolve.",
    "new dependencies cannot be downloaded; what is already compiled still builds",
    "check the network, the DNS server, or the source replacement in cargo's configuration",
)
TLS = Rule(
    "tls",
    "warning",
    "A host's certificate is not trusted by the CA bundle that builds get.",
    "cargo refuses to download from it; often a company's proxy answers with its own certificate",
    "set SSL_CERT_FILE to a bundle that has the company's certificate; builds get it as a secret",
)
NO_LOGIN = Rule(
    "registry-login",
    "warning",
    "There is no login for the registry that layers are pushed to.",
    "without one the registry refuses a push, unless it is open to everyone",
    "docker login to it",
)
NO_TOKEN = Rule(
    "cargo-token",
    "hint",
    "There is no token for a cargo registry that Cargo.lock names.",
    "a private registry refuses to serve crates without one",
    "cargo login --registry <name>; builds get the token as a secret",
)
NO_AGENT = Rule(
    "ssh-agent",
    "warning",
    "Dependencies come from git over ssh, but there is no ssh agent with a key.",
    "builds can use the host's keys only through the agent",
    "start ssh-agent and add the key with ssh-add",
)
RULES = tuple(rules(globals()))
DEFAULT_INDEX = "/rust-lang/crates.io-index"


@dataclass(frozen=True)
class Probe:
    """What became of looking up a host and greeting it: `failure` is empty, or of the `kind` dns, tls or connect."""

    host: str
    kind: str = ""
    failure: str = ""


@dataclass(frozen=True)
class Sources:
    """Where the crates of Cargo.lock come from. `registries`: names of those besides the default one."""

    hosts: tuple[str, ...]
    ssh: tuple[str, ...]
    registries: tuple[str, ...]


def sources(locked: Sequence[str], config: Mapping[str, object]) -> Sources:
    """From the sources in Cargo.lock and cargo's merged configuration: hosts that a cook would talk to."""
    replaced = _replaced(config)
    hosts, ssh, indexes = set(), set(), set()
    for source in set(locked):
        kind, _, address = source.partition("+")
        url = replaced.get(address.partition("#")[0].partition("?")[0], address) if kind != "git" else address
        if url is None:
            continue
        parts = urlsplit(url.removeprefix("sparse+").removeprefix("registry+"))
        if parts.path.endswith(DEFAULT_INDEX):
            # Named by its git repository in every lockfile, but asked over HTTP since cargo 1.70.
            hosts.add(f"index.{DEFAULT_INDEX.rpartition('/')[2].removesuffix('-index')}")
            continue
        if kind == "git" and parts.scheme == "ssh":
            ssh.add(parts.hostname or "")
        elif parts.hostname and parts.scheme in ("http", "https"):
            hosts.add(parts.hostname)
        if kind in ("registry", "sparse"):
            indexes.add(address)
    registries = config.get("registries")
    named = {
        name
        for name, table in (registries.items() if isinstance(registries, Mapping) else ())
        if isinstance(table, Mapping)
        and str(table.get("index", "")).removeprefix("sparse+").removeprefix("registry+") in indexes
    }
    return Sources(tuple(sorted(hosts)), tuple(sorted(ssh)), tuple(sorted(named)))


def _replaced(config: Mapping[str, object]) -> dict[str, str | None]:
    """Registry address -> the address that replaces it, None for a folder on this machine."""
    table = config.get("source")
    entries = (
        {name: item for name, item in table.items() if isinstance(item, Mapping)} if isinstance(table, Mapping) else {}
    )
    out: dict[str, str | None] = {}
    for name, item in entries.items():
        seen, target = {name}, item
        while (
            isinstance(successor := target.get("replace-with"), str) and successor in entries and successor not in seen
        ):
            seen.add(successor)
            target = entries[successor]
        if target is item:
            continue
        address = target.get("registry") or None
        if name == "crates-io":
            out[f"https://github.com{DEFAULT_INDEX}"] = address if isinstance(address, str) else None
        elif isinstance(item.get("registry"), str):
            out[str(item["registry"])] = address if isinstance(address, str) else None
    return out


def certificates(bundle: str | None, failure: str | None) -> Iterator[Item]:
    """The CA bundle that builds get."""
    if failure is not None:
        yield CA.found(failure)
    elif bundle is None:
        yield Fact("CA bundle", "none found on this machine; builds use the one in their image")
    else:
        yield Fact("CA bundle", f"{bundle}, passed to builds")


def network(probes: Sequence[Probe], proxies: Sequence[str]) -> Iterator[Item]:
    """Names and certificates; what is compiled already does without."""
    if proxies:
        yield Fact("proxies", ", ".join(sorted(proxies)))
        yield Unchecked("names and certificates of the hosts that crates come from", "they are reached through a proxy")
        return
    for probe in probes:
        if probe.kind == "dns":
            what = f"{probe.host}, which crates come from, does not resolve: {probe.failure}"
            yield NAME.found(what)
        elif probe.kind == "tls":
            yield TLS.found(f"the certificate of {probe.host} is not trusted: {probe.failure}")
        elif probe.kind:
            yield Unchecked(f"certificate of {probe.host}", probe.failure)
    good = [probe.host for probe in probes if not probe.kind]
    if good:
        yield Fact("reached", ", ".join(good))


def credentials(
    logins: Sequence[str],
    repository: str | None,
    tokens: Sequence[str],
    wanted: Sequence[str],
    git: Sequence[str],
) -> Iterator[Item]:
    """Names only. `repository`: where layers are pushed; `wanted`: cargo registries that Cargo.lock names."""
    if logins:
        yield Fact("docker logins", listed(sorted(logins)))
    if tokens:
        yield Fact("cargo tokens", listed(sorted(tokens)))
    if git:
        yield Fact("git credentials", ", ".join(git))
    if repository is not None:
        host = host_of(repository)
        local = host.partition(":")[0] in ("localhost", "127.0.0.1")
        if host not in logins and "*" not in logins and not local:
            yield NO_LOGIN.found(f"layers are pushed to {repository}, but docker has no login for {host}")
    for name in wanted:
        if name not in tokens:
            yield NO_TOKEN.found(f"there is no token for the cargo registry {name}")


def ssh(hosts: Sequence[str], agent: bool, keys: int | None) -> Iterator[Item]:
    """`keys`: how many the agent holds; None: it was not asked, or does not say."""
    if agent:
        yield Fact("ssh agent", "found" if keys is None else count_text(keys, "key"))
    if not hosts:
        return
    where = ", ".join(hosts)
    if not agent:
        yield NO_AGENT.found(f"crates come from {where} over ssh, but SSH_AUTH_SOCK names no agent")
    elif keys == 0:
        yield NO_AGENT.found(f"crates come from {where} over ssh, but the ssh agent holds no key")
