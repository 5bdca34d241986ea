"""Read configuration files into checked values: YAML with line numbers, validated by the table. Writes nothing.

The table is the metadata of dataclass fields (`kinds.setting`); no setting is named in this module.
PyYAML costs 10-20 ms to import, so a file whose content was parsed before comes from the caller's cache.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from layerdoit.config.kinds import Invalid, Kind, Node, described
from layerdoit.core import merge_conflict
from layerdoit.core.errors import ConfigError
from layerdoit.core.prose import nearest, suggestion

if TYPE_CHECKING:
    import yaml

DEEPEST = 8
MOST = 50_000
PLAIN_TAGS = ("null", "bool", "int", "float", "str")


class Checked(NamedTuple):
    """Values by name, nested like the sections, and the file:line where each dotted name was given."""

    values: dict[str, Any]
    where: dict[str, str]


# --- text -> nodes ---------------------------------------------------------------------------------------------------


def parse(data: bytes, file: str, deepest: int = DEEPEST) -> Node:
    """Parse YAML into nodes with line numbers; broken YAML is a ConfigError with its line.

    `deepest`: how many levels there may be.
    """
    import yaml

    try:
        source = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("the file is not UTF-8 text", where=f"{file}:{line}", hint="save it as UTF-8") from None
    loader = None
    try:
        # The one in Python, where PyYAML was installed without libyaml, reads all of the text now.
        loader = (getattr(yaml, "CSafeLoader", None) or yaml.SafeLoader)(source)
        root = loader.get_single_node()
        if root is None:
            return Node(1, {})
        return _converted(_Source(loader, file, deepest), root, root.start_mark.line + 1, depth=0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = ", ".join(filter(None, (error.context, error.problem)))
        last = len(source.splitlines()) or 1  # what ends too early is missed behind the last line
        where = f"{file}:{min(mark.line + 1, last)}" if mark else file
        if conflict := merge_conflict.line_of(source):
            hint = merge_conflict.next_step(file)
            raise ConfigError(merge_conflict.WHAT, where=f"{file}:{conflict}", hint=hint) from None
        raise ConfigError(f"broken YAML: {problem}", where=where, hint=_yaml_hint(source, mark)) from None
    except yaml.reader.ReaderError as error:
        line = source.count("\n", 0, error.position) + 1
        raise ConfigError(f"broken YAML: {error.reason}", where=f"{file}:{line}") from None
    finally:
        if loader is not None:
            loader.dispose()


def _yaml_hint(source: str, mark: Any) -> str | None:
    lines = source.splitlines()
    if mark is not None and mark.line < len(lines) and "\t" in lines[mark.line]:
        return "indent YAML with spaces, not tabs"
    return None


class _Source:
    """A file that is converted. An anchor that is used over and over makes a small file endless: `left` counts."""

    def __init__(self, loader: Any, file: str, deepest: int) -> None:
        self.loader = loader
        self.file = file
        self.deepest = deepest
        self.left = MOST

    def take(self, line: int, depth: int) -> None:
        self.left -= 1
        if depth > self.deepest or self.left < 0:
            what = "nested too deeply" if depth > self.deepest else f"more than {MOST} values, with its anchors"
            raise ConfigError(what, where=f"{self.file}:{line}")


def _converted(source: _Source, node: yaml.Node, line: int, depth: int) -> Node:
    import yaml

    file = source.file
    source.take(line, depth)
    if isinstance(node, yaml.MappingNode):
        return Node(line, dict(_entries(source, node, depth)))
    if isinstance(node, yaml.SequenceNode):
        items = (_converted(source, item, item.start_mark.line + 1, depth + 1) for item in node.value)
        return Node(line, tuple(items))
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind == "timestamp":
        return Node(line, node.value, node.value)
    if kind not in PLAIN_TAGS:
        raise ConfigError(f'the YAML tag "{node.tag}" is not supported', where=f"{file}:{line}", hint="remove it")
    try:
        value = source.loader.construct_object(node)
    except ValueError:
        value = node.value
    return Node(line, value, node.value)


def _entries(source: _Source, node: yaml.MappingNode, depth: int) -> Iterator[tuple[str, Node]]:
    """A mapping's entries: its own first, then those of `<<` that it does not override."""
    import yaml

    file = source.file
    seen: dict[str, int] = {}
    merged: list[yaml.Node] = []
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.tag.endswith(":merge"):
            merged.extend(value.value if isinstance(value, yaml.SequenceNode) else [value])
            continue
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError("a key must be text", where=f"{file}:{line}")
        if key.value in seen:
            raise ConfigError(
                f'duplicate key "{key.value}"', where=f"{file}:{line}", hint=f"line {seen[key.value]} already has it"
            )
        seen[key.value] = line
        yield key.value, _converted(source, value, line, depth + 1)
    for other in merged:
        if not isinstance(other, yaml.MappingNode):
            raise ConfigError("<< needs a mapping", where=f"{file}:{other.start_mark.line + 1}")
        for name, item in _entries(source, other, depth + 1):
            if name not in seen:
                seen[name] = item.line
                yield name, item


# --- parsed before? ---------------------------------------------------------------------------------------------------


class Cache(Protocol):
    """Keeps parsed files as JSON values, by the digest of their content."""

    def get(self, digest: str) -> Any:
        """The value stored for a digest, or None."""

    def put(self, digest: str, parsed: Any) -> None:
        """Store the value for a digest."""


def read(path: Path, file: str, cache: Cache | None) -> Node:
    """The nodes of a file; parsed only if the cache does not know its content."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", where=file, hint="give yourself permission to read it"
        ) from None
    if cache is None:
        return parse(data, file)
    digest = hashlib.sha256(data).hexdigest()
    cached = _decoded(cache.get(digest))
    if cached is not None:
        return cached
    node = parse(data, file)
    cache.put(digest, _encoded(node))
    return node


def _encoded(node: Node) -> list[Any]:
    value = node.value
    if isinstance(value, tuple):
        return [node.line, [_encoded(item) for item in value]]
    if isinstance(value, Mapping):
        return [node.line, {name: _encoded(item) for name, item in value.items()}]
    return [node.line, value, node.text]


def _decoded(raw: Any) -> Node | None:
    try:
        return _decode(raw)
    except (AttributeError, TypeError, ValueError, LookupError, RecursionError):
        return None  # not what `_encoded` wrote: as good as no cache


def _decode(raw: list[Any]) -> Node:
    line, value, *rest = raw
    if isinstance(value, list):
        return Node(int(line), tuple(map(_decode, value)))
    if isinstance(value, dict):
        return Node(int(line), {name: _decode(item) for name, item in value.items()})
    return Node(int(line), value, str(rest[0]))


# --- nodes -> values -------------------------------------------------------------------------------------------------


def check(schema: type[Any], node: Node, file: str, prefix: str = "", root: type[Any] | None = None) -> Checked:
    """Check a file's values against the schema. The first wrong one is a ConfigError with its line."""
    root = root or schema
    if node.value is None:
        return Checked({}, {})
    if not isinstance(node.value, Mapping):
        name = prefix.rstrip(".") or "the file"
        raise ConfigError(f"{name}: expected a mapping, got {described(node)}", where=f"{file}:{node.line}")
    fields = settings(schema)
    values: dict[str, Any] = {}
    where: dict[str, str] = {}
    for name, item in node.value.items():
        if name not in fields:
            raise _unknown(schema, root, prefix + name, f"{file}:{item.line}")
        inner, several = fields[name].metadata.get("section"), fields[name].metadata.get("sections")
        if inner is not None and not _single(fields[name], item):
            below = check(inner, item, file, f"{prefix}{name}.", root)
            values[name] = below.values
            where |= below.where
        elif inner is not None:
            values[name] = value(fields[name].metadata["or"], item, prefix + name, file)
        elif several is not None:
            below = _check_each(several, fields[name].metadata["key"], item, file, prefix + name)
            values[name] = below.values
            where |= below.where
        else:
            values[name] = value(fields[name].metadata["kind"], item, prefix + name, file)
            if isinstance(item.value, Mapping):
                where |= {f"{prefix}{name}.{key}": f"{file}:{entry.line}" for key, entry in item.value.items()}
        where[prefix + name] = f"{file}:{item.line}"
    return Checked(values, where)


def _single(field: dataclasses.Field[Any], node: Node) -> bool:
    """Whether a section is given as a single value, which it may be."""
    return "or" in field.metadata and node.value is not None and not isinstance(node.value, Mapping)


def _check_each(schema: type[Any], key: Kind, node: Node, file: str, name: str) -> Checked:
    """Check a mapping of names to sections."""
    if node.value is None:
        return Checked({}, {})
    if not isinstance(node.value, Mapping):
        raise ConfigError(f"{name}: expected a mapping, got {described(node)}", where=f"{file}:{node.line}")
    values: dict[str, Any] = {}
    where: dict[str, str] = {}
    for each, item in node.value.items():
        path = f"{name}.{each}"
        value(key, Node(item.line, each, each), path, file)
        below = check(schema, item, file, f"{path}.", schema)
        values[each] = below.values
        where |= {**below.where, path: f"{file}:{item.line}"}
    return Checked(values, where)


def value(kind: Kind, node: Node, name: str, file: str) -> Any:
    """Check one value. Errors name `file` without a line if `node` has none (a variable)."""
    try:
        return kind.parse(node)
    except Invalid as invalid:
        line = f":{invalid.node.line}" if invalid.node.line else ""
        raise ConfigError(
            f"{name}{invalid.inside}: {invalid.problem}", where=f"{file}{line}", hint=invalid.hint
        ) from None


def settings(schema: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    """The fields of a section that a file may set, in the order of the documentation."""
    return {field.name: field for field in dataclasses.fields(schema) if field.metadata}


def _unknown(schema: type[Any], root: type[Any], dotted: str, where: str) -> ConfigError:
    prefix, _, name = dotted.rpartition(".")
    valid = list(settings(schema))
    label = f"valid keys of {prefix}" if prefix else "valid keys"
    hint = suggestion(name, valid, label)
    if not nearest(name, valid):  # perhaps the right key in the wrong section
        elsewhere = [other for other, _ in flat(root) if other.rpartition(".")[2] == name]
        hint = f'did you mean "{elsewhere[0]}"? {hint}' if elsewhere else hint
    return ConfigError(f'unknown key "{dotted}"', where=where, hint=hint)


def flat(schema: type[Any], prefix: str = "") -> Iterator[tuple[str, dataclasses.Field[Any]]]:
    """Every setting with its dotted name, sections flattened; without those of services and the like."""
    for name, field in settings(schema).items():
        inner = field.metadata.get("section")
        if inner is not None:
            yield from flat(inner, f"{prefix}{name}.")
        elif "sections" not in field.metadata:
            yield prefix + name, field


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge `above` into `below`: mappings entry by entry, everything else as a whole."""
    result = dict(below)
    for name, given in above.items():
        old = result.get(name)
        result[name] = merged(old, given) if isinstance(old, Mapping) and isinstance(given, Mapping) else given
    return result


def built(schema: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Constructor arguments for `schema`: sections become their dataclasses."""
    arguments = dict(values)
    for name, field in settings(schema).items():
        inner, several = field.metadata.get("section"), field.metadata.get("sections")
        if inner is not None and isinstance(values.get(name, {}), Mapping):
            arguments[name] = inner(**built(inner, values.get(name, {})))
        elif several is not None:
            arguments[name] = {each: several(**built(several, own)) for each, own in values.get(name, {}).items()}
    return arguments
