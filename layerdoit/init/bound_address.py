"""Where a program listens: told by its sources and by the configuration files that it opens.

found(sources) -> tuple[Listens, ...]            # what the sources say, the most direct first
in_files(root, files, sources)                   # what configuration files say
chosen(every) -> tuple[Listens, ...]             # those that count: the most direct of each port
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from layerdoit.cargo.program_sources import Source
from layerdoit.cargo.rust_code import Literal

EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - what a program in a container has to listen on
HERE: Final = "127.0.0.1"
_HOSTS: Final = r"0\.0\.0\.0|127\.0\.0\.1|localhost|\[::\]|\[::0\]|\[::1\]|::1|::"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]", "::1", "LOCALHOST", "127")
_ADDRESS: Final = re.compile(rf"(?:\w+://)?(?P<host>{_HOSTS}):(?P<port>\d{{2,5}}|\{{\w*\}})")
_HOST: Final = re.compile(_HOSTS)
_PAIR: Final = re.compile(
    r"\(\s*(?:\w+::)*(?:"
    r"\"(?P<text>[\w.:\[\]]+)\"(?:\s*\.\s*\w+\(\))?"
    r"|\[\s*(?P<first>0|127)\s*,\s*0\s*,\s*0\s*,\s*[01]\s*\]"
    r"|\[\s*(?:0(?:u16)?\s*,\s*){7}(?P<last>[01])\s*\]|(?P<six>\[\s*0(?:u16)?\s*;\s*8\s*\])"
    r"|(?P<ip>(?:IpAddr::V4\(\s*)?(?:\w+::)*Ipv4Addr::new\(\s*(?P<byte>0|127)\s*,\s*0\s*,\s*0\s*,\s*[01]\s*\)\s*\)?)"
    r"|(?P<name>(?:IpAddr::V[46]\(\s*)?(?:\w+::)*(?:Ipv[46]Addr::)?(?:UNSPECIFIED|LOCALHOST)\s*\)?)(?:\.into\(\))?"
    r")\s*,\s*(?P<port>\d{2,5}|[\w.]+)"
)
_BINDS: Final = re.compile(r"(?i)bind|listen|serve|socketaddr|\brun\b|addr|parse|host|http|:443|launch")
_BOUND: Final = re.compile(r"(?:try_)?bind\w*|listen\w*|serve\w*|run")
_CALLS: Final = re.compile(
    r"(?i)connect|client|redis|postgres|mysql|amqp|kafka|(?:^|::)(?:get|post)$|send_to|channel|proxy|upstream"
)
_FOR_TESTS: Final = re.compile(r"(?:^|[/_])(?:tests?|testing|mocks?|test_utils?)(?:[/_]|\.rs$)")
_PORT_VARIABLE: Final = re.compile(r"(?:^|.*_)PORT$")
_ADDRESS_VARIABLE: Final = re.compile(
    r"(?:^|.*_)(?:ADDR|ADDRESS|BIND|BIND_ADDR|BIND_ADDRESS|LISTEN|LISTEN_ADDR|LISTEN_ADDRESS|LISTEN_ON|SOCKET_ADDR|HOST|IP)$"
)
OF_OTHERS: Final = re.compile(
    r"(?i)(?:^|_|\b)(?:db|database|pg|postgres\w*|mysql|redis|cache|smtp|mail|email|kafka|amqp|rabbit\w*|mongo\w*|nats|elastic\w*"
    r"|otel|jaeger|otlp|metrics?|prometheus|admin|debug|statsd|proxy|upstream|peer|remote|target|ldap|ssh|ftp|consul|vault|s3"
    r"|minio|memcached?|broker|sentry|client|redirect)(?:_|\b|$)"
)
_VARIABLE: Final = re.compile(r"\bvar(?:_os)?\s*\(\s*\"(?P<name>\w+)\"\s*,?\s*\)")
_DEFAULT: Final = re.compile(
    r"(?:\.\s*(?:unwrap_or|unwrap_or_else|map_or|map_or_else|or|or_else)\s*\(\s*(?:\|[^|]*\|\s*)?\{?|\bErr\s*\(\s*\w+\s*\)\s*=>"
    r"|\belse\s*\{)\s*(?:\w+(?:::\w+)*\s*\(\s*)?"
    r"(?:\"(?P<text>[^\"\n]*)\"|(?P<number>\d[\d_]*)(?:u16)?\b|(?P<constant>(?:\w+::)*[A-Z][A-Z\d_]*)\b)"
)
_FIELD: Final = re.compile(r"\s*(?:pub\s*(?:\([^)]*\)\s*)?)?(?P<name>\w+)\s*:\s*(?P<type>[\w:<>]+)")
_DEFAULT_FUNCTION: Final = re.compile(
    r"\bfn\s+(?P<name>\w*port\w*)\s*\(\s*\)\s*->\s*(?:Option<)?u16>?\s*\{\s*(?:Some\()?(?P<port>\d[\d_]*)"
)
_DEFAULT_OF_FIELD: Final = re.compile(
    r"\b(?:(?:http_|listen_|server_)?port\s*:\s*(?:Some\()?(?P<number>\d{2,5})"
    r"|(?:host|ip|listen|bind|(?:(?:bind|listen|server)_)?addr(?:ess)?)\s*:\s*(?:\w+(?:::\w+)*\()?\"(?P<text>[^\"\n]*)\")"
)
_DEFAULTS: Final = re.compile(r"unwrap_or|map_or|\bor_else|default")
# Of a long chain, what stands just before an address says what it is for.
_NEAR: Final = 60
_NO_SERVER: Final = frozenset(
    (5432, 6379, 3306, 9092, 27017, 5672, 11211, 4317, 4318, 25, 587, 465, 2181, 4222, 9200, 1025)
)
BIND, DEFAULT, FILE, FUNCTION, FRAMEWORK = range(5)
"""How directly something says it."""


class Listens(NamedTuple):
    """`port`, `host`: None where not known. `needs`: a variable that gives the port and has no default.

    `variable`: (name, form), the environment variable that decides the address (form `address`) or its host (`host`);
    `flag`: the same of an option of the command line; `port_variable`: what decides the port alone; `fixed`: nothing
    but the sources decides.
    """

    rank: int
    port: int | None
    host: str | None
    where: str
    variable: tuple[str, str] | None = None
    flag: tuple[str, str] | None = None
    needs: str | None = None
    port_variable: str | None = None
    fixed: bool = False

    @property
    def loopback(self) -> bool:
        """Whether nobody outside of a container reaches it."""
        return self.host is not None and self.host.startswith(_LOOPBACK)


def found(sources: Sequence[Source]) -> tuple[Listens, ...]:
    """What the sources say; later ones complete the earlier ones."""
    names = _Names(sources)
    every: list[Listens] = []
    for source in sources:
        if _FOR_TESTS.search(source.path):
            continue
        every += _addresses(source, names)
        every += _pairs(source, names)
        every += _variables(source, names)
        every += _fields(source, names)
        every += _functions(source)
        every += _arguments(source)
    return tuple(every)


def chosen(every: Iterable[Listens]) -> tuple[Listens, ...]:
    """One for each port, by the most direct that say any; with the host, if another one says it."""
    listed = sorted(every, key=lambda one: one.rank)
    with_port = [one for one in listed if one.port is not None]
    best: dict[int, Listens] = {}
    for one in with_port:
        if one.rank == with_port[0].rank or (one.rank <= DEFAULT and with_port[0].rank <= DEFAULT):
            best.setdefault(one.port or 0, one)
    hosts = [one for one in listed if one.port is None and one.host is not None]
    return tuple(_with_host(one, hosts) if one.host is None else one for one in best.values())


def _with_host(one: Listens, hosts: Sequence[Listens]) -> Listens:
    """The first host that is said without a port."""
    if not hosts:
        return one
    host = hosts[0]
    return one._replace(
        host=host.host, variable=host.variable, flag=host.flag, where=host.where if host.loopback else one.where
    )


class _Names:
    """What variables, constants and fields hold, over all sources."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def port(self, name: str, near: Source) -> tuple[int | None, str | None, str | None]:
        """The port that a name holds: its number, the environment variable that gives it, and the `file:line`."""
        name = name.rpartition(".")[2]
        if re.fullmatch(r"\d[\d_]*(u16)?", name):
            return _number(name), None, None
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            return None, None, None
        pattern = re.compile(rf"\b(?:let(?:\s+mut)?|const|static)\s+{name}\b[^=;]*=(?P<value>[^;]*)")
        for source in (near, *(one for one in self._sources if one is not near)):
            for match in pattern.finditer(source.code.text):
                value = match["value"]
                plain = re.fullmatch(r"\s*\"?(\d[\d_]*)(?:u16)?\"?\s*", value)
                if plain:
                    return _number(plain[1]), None, source.where(match.start())
                variable = _VARIABLE.search(value)
                if variable:
                    default = _DEFAULT.search(value)
                    number = _default_port(default, self, source)
                    return number, variable["name"], source.where(match.start())
            if not name.isupper() and source is near:
                continue
        return None, None, None

    def constant(self, name: str) -> str | None:
        """The text or number of a constant."""
        pattern = re.compile(rf"\b(?:const|static)\s+{name.rpartition('::')[2]}\b[^=;]*=\s*\"?([^;\"]*)\"?\s*;")
        for source in self._sources:
            if match := pattern.search(source.code.text):
                return match[1].strip()
        return None


def _number(text: str) -> int | None:
    digits = re.sub(r"_|u16$", "", text)
    return int(digits) if digits.isdigit() and 0 < int(digits) < 65536 else None


def _default_port(default: re.Match[str] | None, names: _Names, _near: Source) -> int | None:
    if default is None:
        return None
    text = (
        default["text"] or default["number"] or (names.constant(default["constant"]) if default["constant"] else None)
    )
    return _number(text) if text else None


def _addresses(source: Source, names: _Names) -> Iterator[Listens]:
    """Strings that are an address, or a form for one."""
    for literal in source.code.literals:
        match = _ADDRESS.fullmatch(literal.value)
        if match is None or "://" in literal.value or not _is_server(source, literal, match):
            continue
        if any(around.name == "#" for around in literal.around):
            continue  # a field's default, see there
        where, port, variable = source.where(literal.at), _number(match["port"]), None
        start, end = source.code.statement(literal.at)
        said = source.code.text[start : literal.at]
        if given := _VARIABLE.search(said):
            kind = "address" if not _PORT_VARIABLE.match(given["name"]) else ""
            if OF_OTHERS.search(given["name"]):
                continue
            yield Listens(
                BIND,
                port,
                match["host"],
                where,
                variable=(given["name"], kind) if kind else None,
                port_variable=None if kind else given["name"],
            )
            continue
        if port is None:
            name = match["port"].strip("{}") or _argument(source.code.text[literal.end : end + 1])
            port, variable, _ = names.port(name, source) if name else (None, None, None)
            needs = variable if port is None else None
            yield Listens(BIND, port, match["host"], where, needs=needs, port_variable=variable)
        else:
            fixed = not any(_DEFAULTS.search(around.name) for around in literal.around)
            yield Listens(BIND, port, match["host"], where, fixed=fixed)


def _argument(after: str) -> str | None:
    match = re.match(r"\s*,\s*(?:\w+\s*=\s*)?&?([\w.]+)", after)
    return match[1] if match else None


def _is_server(source: Source, literal: Literal, match: re.Match[str]) -> bool:
    heads = [around.name for around in literal.around if around.name != "{"]
    start, _ = source.code.statement(literal.at)
    said = source.code.shape[start : literal.at][-_NEAR:]
    if any(_CALLS.search(name) for name in heads[:2]) or _is_of_a_client(source, literal.at):
        return False
    if match["host"].startswith(_LOOPBACK):
        port = _number(match["port"])
        return port not in _NO_SERVER and (
            any(_BINDS.search(name) for name in heads)
            or _BINDS.search(said + source.code.text[literal.end : literal.end + 10]) is not None
        )
    return True


def _is_of_a_client(source: Source, at: int) -> bool:
    """Whether an address is one that something else listens on: by the call that it is given to, or what is before."""
    start, _ = source.code.statement(at)
    said = source.code.shape[start:at].rstrip()
    name = source.code.head(start + len(said) - 1) if said.endswith("(") else ""
    if _BOUND.fullmatch(name.rpartition("::")[2].lstrip(".")):
        return False
    return _CALLS.search(said[-_NEAR:]) is not None


def _pairs(source: Source, names: _Names) -> Iterator[Listens]:
    """A host and a port as two values: `("0.0.0.0", 8080)`, `([127, 0, 0, 1], 3030)`."""
    for match in _PAIR.finditer(source.code.text):
        if source.code.shape[match.start()] != "(":
            continue
        host = match["text"] or match["first"] or match["byte"] or match["name"] or f"::{match['last'] or 0}"
        if match["text"] and not _HOST.fullmatch(host):
            continue
        start, _ = source.code.statement(match.start())
        said = source.code.shape[start : match.start()][-_NEAR:]
        loopback = host.startswith(_LOOPBACK) or host == "::1" or "LOCALHOST" in host
        if _is_of_a_client(source, match.start()) or (
            loopback and (_number(match["port"]) in _NO_SERVER or not _BINDS.search(said))
        ):
            continue
        if not match["text"]:
            host = HERE if loopback else EVERYWHERE
        port, variable, _ = names.port(match["port"], source)
        needs = variable if port is None else None
        fixed = match["port"].isdigit() and not _DEFAULTS.search(said)
        where = source.where(match.start())
        yield Listens(BIND, port, host, where, needs=needs, port_variable=variable, fixed=fixed)


def _variables(source: Source, names: _Names) -> Iterator[Listens]:
    """Environment variables that are called like a port or an address, with their defaults."""
    for match in _VARIABLE.finditer(source.code.text):
        name = match["name"]
        if source.code.shape[match.start()].isspace() or OF_OTHERS.search(name):
            continue
        _, end = source.code.statement(match.end())
        after = source.code.text[match.end() : max(end, match.end())]
        if source.code.shape[end : end + 1] == "{":
            after = source.code.text[match.end() : match.end() + 160]
        default = _DEFAULT.search(after)
        where = source.where(match.start())
        if _PORT_VARIABLE.match(name):
            port = _default_port(default, names, source)
            fails = re.match(r"\s*(?:\.\s*(?:expect|unwrap|context|with_context)\s*\(|\?)", after)
            needs = name if fails and not default else None
            yield Listens(DEFAULT, port, None, where, needs=needs, port_variable=name)
        elif _ADDRESS_VARIABLE.match(name) and default is not None:
            text = default["text"] or (names.constant(default["constant"]) if default["constant"] else None)
            yield from _address_default(text, where, variable=name)


def _address_default(
    text: str | None, where: str, *, variable: str | None = None, flag: str | None = None
) -> Iterator[Listens]:
    address = _ADDRESS.fullmatch(text or "")
    if address:
        port, host, form = _number(address["port"]), address["host"], "address"
    elif text and _HOST.fullmatch(text):
        port, host, form = None, text, "host"
    else:
        return
    yield Listens(
        DEFAULT,
        port,
        host,
        where,
        variable=(variable, form) if variable else None,
        flag=(flag, form) if flag else None,
    )


_ATTRIBUTE_DEFAULT: Final = re.compile(
    r"\b(?:default_value(?:_t)?|default)\s*=\s*(?:\"(?P<text>[^\"]*)\"|(?P<number>\d[\d_]*)|(?P<constant>(?:\w+::)*[A-Z][A-Z\d_]*)\b"
    r"|\(?\[\s*(?P<first>0|127)\s*,|[\w:(]*(?P<name>UNSPECIFIED|LOCALHOST))"
)


def _fields(source: Source, names: _Names) -> Iterator[Listens]:
    """Options of a command line: fields with a default in their attribute (clap, structopt, envconfig)."""
    code = source.code
    for match in re.finditer(r"#\s*(?=\[\s*(?:arg|clap|structopt|envconfig|config|argh|serde)\b)", code.shape):
        end = code.pairs.get(match.end())
        if end is None:
            continue
        said = code.text[match.end() : end]
        after = end + 1
        while (more := re.compile(r"\s*#(?=\[)").match(code.shape, after)) and more.end() in code.pairs:
            after = code.pairs[more.end()] + 1
            said += code.text[more.end() : after]
        field = _FIELD.match(code.shape, after)
        if field is None or OF_OTHERS.search(field["name"]):
            continue
        yield from _field(source, names, match.start(), said, field)


def _field(source: Source, names: _Names, at: int, said: str, field: re.Match[str]) -> Iterator[Listens]:
    default = _ATTRIBUTE_DEFAULT.search(said)
    if default is None:
        return
    name, where = field["name"], source.where(at)
    text = default["text"] or default["number"]
    text = text or (names.constant(default["constant"]) if default["constant"] else None)
    if default["first"] or default["name"]:
        text = HERE if "127" in (default["first"] or "") or default["name"] == "LOCALHOST" else EVERYWHERE
    given = re.search(r"\benv\s*(?:=\s*\"(\w+)\")?\s*(?=[,)\]]|$)", said)
    variable = (given[1] or name.upper()) if given else None
    variable = variable or (m[1] if (m := re.search(r"\bfrom\s*=\s*\"(\w+)\"", said)) else None)
    flag = f"--{name.replace('_', '-')}" if re.search(r"\blong\b", said) else None
    if long := re.search(r"\blong\s*=\s*\"([\w-]+)\"", said):
        flag = f"--{long[1]}"
    if re.fullmatch(r"(?:\w+_)?port", name):
        yield Listens(DEFAULT, _number(text or ""), None, where, port_variable=variable)
    elif re.search(r"addr|bind|listen|host|^ip$|interface|socket", name):
        yield from _address_default(text, where, variable=variable, flag=flag)


def _functions(source: Source) -> Iterator[Listens]:
    """`fn default_port() -> u16 { 8080 }`, as serde wants it; `impl Default` of settings."""
    for match in _DEFAULT_FUNCTION.finditer(source.code.text):
        if not OF_OTHERS.search(match["name"]):
            yield Listens(FUNCTION, _number(match["port"]), None, source.where(match.start()))
    for match in _DEFAULT_OF_FIELD.finditer(source.code.text):
        if source.code.function(match.start()) == "default":
            where = source.where(match.start())
            if match["number"] is not None:
                yield Listens(FUNCTION, _number(match["number"]), None, where)
            else:
                yield from (one._replace(rank=FUNCTION) for one in _address_default(match["text"], where))


def _arguments(source: Source) -> Iterator[Listens]:
    """`Arg::new("port").long("port").env("PORT").default_value("8000")`."""
    code = source.code
    for literal in code.literals:
        if not literal.around or literal.around[0].name != ".default_value":
            continue
        said = {name.rpartition("::")[2].lstrip("."): code.inside(at) for name, at in code.chain(literal.around[0].at)}
        texts = {name: text[1] for name, inside in said.items() if (text := re.fullmatch(r'\s*"([\w-]+)"\s*', inside))}
        name = texts.get("new") or texts.get("with_name") or ""
        where, variable = source.where(literal.at), texts.get("env")
        if OF_OTHERS.search(name):
            continue
        if re.fullmatch(r"(?:[\w-]+[-_])?port", name):
            yield Listens(DEFAULT, _number(literal.value), None, where, port_variable=variable)
        elif re.search(r"addr|bind|listen|host|^ip$|interface", name):
            flag = f"--{texts['long']}" if "long" in texts else None
            yield from _address_default(literal.value, where, variable=variable, flag=flag)
