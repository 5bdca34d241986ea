"""What the configuration files and the variables say together, as one file for a copy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from layerdoit import config


class Written(str):
    """A number, switch or date as it stands in the file: `1.80` is not 1.8. `tag`: what YAML takes it for."""

    __slots__ = ("tag",)
    tag: str


def effective(root: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """The settings of a project, which were checked before."""
    overlay = Path(variables["CONFIG"]) if "CONFIG" in variables else None
    files = config.load(root, overlay=overlay, variables=variables).source
    given = [_loaded(path.read_text(encoding="utf-8-sig")) or {} for path in files]
    return config.over(config.laid_over(given), variables)


def of_service(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The settings of one service, as those of a project that is this program alone. Components are left out."""
    own = values["services"][name]
    found = {key: value for key, value in values.items() if key not in ("services", "components", "bins")}
    base, more = dict(found.get("base") or {}), dict(own.get("base") or {})
    packages = [*(base.get("runtime_packages") or ()), *(more.get("runtime_packages") or ())]
    overlay = {section: dict(own.get(section) or {}) for section in ("image", "deploy")}
    overlay["base"] = {**more, "runtime_packages": list(dict.fromkeys(packages))}
    return {**config.laid_over((found, overlay)), "bins": list(own["bins"])}


def _loaded(text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Keeps scalars that are no texts as they are written."""

    def written(_loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Written:
        value = Written(node.value)
        value.tag = node.tag
        return value

    for kind in ("int", "float", "bool", "timestamp"):
        Loader.add_constructor(f"tag:yaml.org,2002:{kind}", written)
    return yaml.load(text, Loader)  # noqa: S506 - a safe loader


def text(values: Mapping[str, Any]) -> str:
    """A layerdoit.yaml that says what `effective` found."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes scalars as they were written."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - every one is written out
            return True

    def scalar(dumper: yaml.SafeDumper, value: Written) -> yaml.ScalarNode:
        return dumper.represent_scalar(value.tag, str(value))

    Dumper.add_representer(Written, scalar)
    return str(yaml.dump(dict(values), Dumper=Dumper, sort_keys=False, allow_unicode=True))
