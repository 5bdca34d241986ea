"""The route that tells whether a service is well: a GET route of a usual name, told by its sources.

found(sources) -> Route | None     # axum, actix, warp, rocket, poem, salvo, tide, and what is matched by hand
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from layerdoit.cargo.program_sources import Source
from layerdoit.cargo.rust_code import Around, Literal

# The likeliest first.
_NAMES: Final = (
    "health", "healthz", "healthcheck", "_health", "ready", "readyz", "readiness", "live", "livez", "liveness", "alive",
    "heartbeat", "ping", "_ping", "up", "status",
)  # fmt: skip
_FORMS: Final = re.compile(r"(?:/?[\w.-]+){0,4}")
_VERBS: Final = re.compile(r"(?i)\b(?:post|put|patch|delete)\b")
_READS: Final = re.compile(r"(?i)\b(?:get|any|head|goal)\b")
_ATTRIBUTE: Final = re.compile(r"#\[\s*(?:\w+::)*(?P<name>get|head|route|utoipa::path|path|oai|handler)\s*\(")
_FUNCTION: Final = re.compile(r"\bfn\s+(\w+)")
_MODULE: Final = r"(?:(?:(?P<module>\w+)\s*::\s*)?)"
_DEEPEST: Final = 4


class Route(NamedTuple):
    """`sure`: whether all that is before its path is known."""

    path: str
    where: str
    sure: bool = True


class _At(NamedTuple):
    """A route as it stands: its own path and where; `name`: of the function that handles it, for macros."""

    path: str
    source: Source
    at: int
    name: str | None = None


def found(sources: Sequence[Source]) -> Route | None:
    """The best of the routes."""
    routes = [
        (at, Route(path, at.source.where(at.at), sure)) for at in _routes(sources) for path, sure in _whole(at, sources)
    ]
    ranked = sorted(routes, key=lambda one: (not one[1].sure, _rank(one[1].path), one[1].path.count("/")))
    return ranked[0][1] if ranked else None


def _rank(path: str) -> int:
    return _NAMES.index(_name(path) or _NAMES[-1])


def _name(path: str) -> str | None:
    """The usual name that a path ends with."""
    parts = path.strip("/").split("/")
    for part in (parts[-1], parts[-2] if len(parts) > 1 else ""):
        plain = re.sub(r"[-_]?(check|probe)s?$", "", part.lower()) if part.lower() != "healthcheck" else part.lower()
        if plain in _NAMES and (part == parts[-1] or plain == "health"):
            return plain
    return None


def _routes(sources: Sequence[Source]) -> Iterator[_At]:
    for source in sources:
        for literal in source.code.literals:
            if _FORMS.fullmatch(literal.value) and _name(literal.value) is not None and literal.around:
                yield from _route(source, literal)
            elif literal.value in ("", "/") and literal.around:
                yield from _root_route(source, literal)


def _route(source: Source, literal: Literal) -> Iterator[_At]:
    code, own = source.code, "/" + literal.value.strip("/")
    first = literal.around[0]
    if any(around.name == "#" for around in literal.around[:2]):
        yield from _of_attribute(source, literal, own)
    elif first.nth == 0 and first.name in (".route", ".at", ".route_service", ".handle"):
        if literal.value.startswith("/") or first.name == ".at":
            after = code.text[literal.end : code.pairs.get(first.at, literal.end)]
            if not after.strip(" \n,") or first.name == ".at":
                after += _chained(source, first)
            if _may_get(after):
                yield _At(own, source, literal.at)
    elif first.last == "resource" or first.last in ("with_path", "with_hoop_path") or first.name == ".path":
        if _may_get(_chained(source, first)):
            before = "".join(_salvo_prefixes(source, literal)) if first.last != "resource" else ""
            yield _At(before + own, source, literal.at)
    elif first.last in ("path", "path!") and first.name.startswith(("warp", "path")):
        yield from _of_warp(source, literal, first)
    elif literal.value.startswith("/") and _matched_by_hand(source, literal):
        yield _At(own, source, literal.at)


def _matched_by_hand(source: Source, literal: Literal) -> bool:
    """`match path { "/health" => …`, `match (method, path) { (&Method::GET, "/health") => …`."""
    if not re.match(r"\s*\)?\s*=>", source.code.text[literal.end : literal.end + 40]):
        return False
    before = source.code.text[max(0, literal.at - 40) : literal.at]
    if literal.around[0].name != "{":
        return re.search(r"GET\"?\s*\)?\s*,\s*$", before) is not None
    at = literal.around[0].at
    return (
        re.search(r"\bmatch\b[^;{}]*\b(?:path|uri|url|target)\b[^;{}]*$", source.code.shape[max(0, at - 120) : at])
        is not None
    )


def _root_route(source: Source, literal: Literal) -> Iterator[_At]:
    """`.nest("/health", Router::new().route("/", get(…)))`: the name is what is nested under."""
    first = literal.around[0]
    if first.name in (".route", ".at") and first.nth == 0:
        after = source.code.text[literal.end : source.code.pairs.get(first.at, literal.end)]
        if _may_get(after):
            yield _At("/", source, literal.at)


def _may_get(said: str) -> bool:
    return not _VERBS.search(said) or _READS.search(said) is not None


def _chained(source: Source, call: Around) -> str:
    """The methods after a call: `.get(health)`."""
    code, parts = source.code, list[str]()
    end = code.pairs.get(call.at)
    while end is not None and (more := re.compile(r"\s*\.\s*\w+\s*(?=\()").match(code.shape, end + 1)):
        if (
            more[0].strip(" .\n") in ("push", "service", "route", "at", "nest", "with", "merge")
            and call.last != "resource"
        ):
            break
        closed = code.pairs.get(more.end())
        if closed is None:
            break
        parts.append(code.text[more.start() : closed + 1])
        end = closed
    return "".join(parts)


def _salvo_prefixes(source: Source, literal: Literal) -> Iterator[str]:
    """`Router::with_path("api").push(Router::with_path("health"))`: what is pushed to, the outermost first."""
    found = []
    for around in literal.around[1:]:
        if around.name == ".push":
            for name, at in source.code.chain(around.at):
                if name.rpartition("::")[2].lstrip(".") in ("with_path", "path") and (path := _first_text(source, at)):
                    found.append("/" + path.strip("/"))
    return reversed(found)


def _of_warp(source: Source, literal: Literal, first: Around) -> Iterator[_At]:
    """`warp::path("api").and(warp::path("health"))`, `warp::path!("api" / "health")`."""
    code = source.code
    start, end = code.statement(literal.at)
    if not _may_get("".join(re.findall(r"(?:method|get|post|put|delete|patch|head)\(\)", code.text[start:end]))):
        return
    inside = code.inside(first.at)
    if first.last == "path!":
        parts = re.findall(r"\"([^\"]*)\"", inside)
        if re.sub(r"\"[^\"]*\"|[\s/]|\.\.", "", inside) or literal.value != parts[-1]:
            return
    else:
        parts = re.findall(r"\bpath\(\s*\"([^\"]*)\"", code.text[start : literal.end])
    yield _At("/" + "/".join(part.strip("/") for part in parts), source, literal.at)


def _of_attribute(source: Source, literal: Literal, own: str) -> Iterator[_At]:
    """`#[get("/health")]`, `#[route("/health", method = "GET")]`, `#[utoipa::path(get, path = "/health")]`."""
    code = source.code
    around = next(one for one in literal.around if one.name == "#")
    match = _ATTRIBUTE.search(code.text, max(0, around.at - 1))
    if match is None or match.start() > around.at or not (literal.value.startswith("/") or match["name"] == "oai"):
        return
    said, end = code.inside(around.at), code.pairs.get(around.at, literal.end)
    if match["name"] not in ("get", "head") and not (_READS.search(said.split("(", 1)[-1])):
        return
    name = _FUNCTION.search(code.shape, end)
    yield _At(own, source, literal.at, name[1] if name else None)


def _first_text(source: Source, at: int) -> str | None:
    match = re.match(r"\s*\"([^\"]*)\"", source.code.text[at + 1 : at + 200])
    return match[1] if match else None


# --- what it is nested under ------------------------------------------------------------------------------------------


def _whole(at: _At, sources: Sequence[Source]) -> Iterator[tuple[str, bool]]:
    """The whole path, and whether it is certain; none where it has no usual name."""
    prefix, sure = _prefix(at, sources, 0)
    path = re.sub(r"/{2,}", "/", prefix + at.path)
    path = path.rstrip("/") or "/"
    if _name(path) is not None:
        yield path, sure


def _prefix(at: _At, sources: Sequence[Source], depth: int) -> tuple[str, bool]:
    """What stands before a route: of the calls around it, of the variable or function that has it, and so on."""
    if depth > _DEEPEST:
        return "", False
    source, inner, sure = at.source, "", True
    for around in _around(source, at.at):
        said, known = _nested(source, around)
        inner, sure = said + inner, sure and known
    for users in (_users(at, sources), _registered(at, sources)):
        for other, place, path, known in users:
            outer, certain = _prefix(_At("", other, place), sources, depth + 1)
            return outer + path + inner, sure and known and certain
    return inner, sure


def _around(source: Source, at: int) -> Iterator[Around]:
    """The brackets around a place, the innermost first."""
    opened = [one for one, closed in source.code.pairs.items() if one < at < closed]
    for place in sorted(opened, reverse=True):
        text = source.code.shape[place + 1 : at]
        yield Around(source.code.head(place), _commas(source, place, text), place)


def _commas(source: Source, place: int, text: str) -> int:
    count, at = 0, place + 1
    while at < place + 1 + len(text):
        char = source.code.shape[at]
        if char in "([{":
            at = source.code.pairs.get(at, at)
        count += char == ","
        at += 1
    return count


def _nested(source: Source, around: Around) -> tuple[str, bool]:
    """The path that a call around a route puts before it, and whether it is known."""
    code = source.code
    if around.name in (".nest", ".nest_no_strip", ".nest_service", ".mount") and around.nth >= 1:
        path = _first_text(source, around.at)
        return ("/" + path.strip("/") if path and path != "/" else "", path is not None)
    said = ""
    if around.name in (".route", ".service", ".configure", ".at"):
        for name, place in code.chain(around.at):
            if name.rpartition("::")[2].lstrip(".") == "scope":
                path = _first_text(source, place)
                return ("/" + path.strip("/") if path else "", path is not None)
    return said, True


Use = tuple[Source, int, str, bool]


def _users(at: _At, sources: Sequence[Source]) -> Iterator[Use]:
    """Where the router is nested or merged that a route is part of: the variable or the function that holds it."""
    code = at.source.code
    start, _ = code.statement(at.at)
    bound = re.search(r"\blet\s+(?:mut\s+)?(\w+)\b[^=]*=", code.shape[start : at.at])
    if bound:
        yield from _given(bound[1], None, [at.source])
    if (function := code.function(at.at)) is not None and function != "main":
        yield from _given(function, at.source.module, sources)


def _given(name: str, module: str | None, sources: Sequence[Source]) -> Iterator[Use]:
    """Where `name`, a variable or a function of a module, is given to `.nest`, `.merge`, `.configure` or `.push`."""
    call = re.compile(
        rf"\.\s*(?P<how>nest|nest_service|merge|configure|push|extend)\s*\((?:\s*\"\s*,)?[^;{{}}]*?(?<![\w.]){_MODULE}\b{name}\b"
    )
    for source in sources:
        for match in call.finditer(source.code.shape):
            if module is not None and match["module"] not in (None, module, "self", "super", "crate"):
                continue
            opened = source.code.shape.index("(", match.start())
            if source.code.pairs.get(opened, 0) < match.end():
                continue
            if match["how"].startswith("nest"):
                path = _first_text(source, opened)
                yield source, match.start(), "/" + path.strip("/") if path and path != "/" else "", path is not None
            else:
                around = Around(f".{match['how']}", 0, opened)
                path, known = _nested(source, around)
                yield source, match.start(), path, known


def _registered(at: _At, sources: Sequence[Source]) -> Iterator[Use]:
    """Where a function with an attribute is registered: `.mount("/", routes![health])`, `.service(health)`."""
    if at.name is None:
        return
    mount = re.compile(rf"\.\s*mount\s*\([^;]*?\[[^\]]*\b{at.name}\b")
    service = re.compile(rf"\.\s*service\s*\(\s*(?:\w+::)*{at.name}\s*\)")
    routes = re.compile(rf"\broutes!\s*\([^)]*\b{at.name}\b")
    for source in sources:
        code = source.code
        for match in mount.finditer(code.shape):
            path = _first_text(source, code.shape.index("(", match.start()))
            yield source, match.start(), "/" + path.strip("/") if path and path != "/" else "", path is not None
        for match in service.finditer(code.shape):
            opened = code.shape.index("(", match.start())
            path, known = _nested(source, Around(".service", 0, opened))
            yield source, match.start(), path, known
        for match in routes.finditer(code.shape):
            yield source, match.start(), "", True
