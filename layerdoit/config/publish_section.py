"""The settings of publishing: where images go for people, under which tags, and what goes beside them."""

from __future__ import annotations

import re
from typing import Final

from layerdoit.config.kinds import (
    Invalid,
    Kind,
    Node,
    Settings,
    boolean,
    many,
    optional,
    setting,
    text,
    wrong,
)
from layerdoit.config.values import ARGUMENTS, REPOSITORY
from layerdoit.core import release_version
from layerdoit.core.prose import suggestion
from layerdoit.core.release_version import Version

OF_VERSION: Final = ("version", "major", "minor")
NAMES: Final = (*OF_VERSION, "sha", "branch", "date")
BASE_NAMES: Final = (*NAMES, "rust")
PLACE: Final = re.compile(r"\{([^{}]*)\}")
_FORM: Final = "a tag with names in braces, such as {version} or {branch}-{sha}"


def _template(names: tuple[str, ...]) -> Kind:
    form = text(_FORM, r"\S+")

    def parse(node: Node) -> str:
        written: str = form.parse(node)
        for name in PLACE.findall(written):
            if name not in names:
                hint = suggestion(name, names, "valid names")
                raise Invalid(node, f'"{written}": there is no {{{name}}}', hint=hint)
        if not re.fullmatch(r"\w[\w.-]{0,127}", PLACE.sub("x", written), re.ASCII):
            raise Invalid(node, f'"{written}" gives no tag of an image', hint="letters, digits, and _ . - between them")
        return written

    # A mapping in braces is what YAML reads where the quotes were forgotten.
    def quoted(node: Node) -> str:
        if isinstance(node.value, dict):
            name = next(iter(node.value), "version")
            raise Invalid(node, "braces begin a mapping in YAML", hint=f'write it in quotes: "{{{name}}}"')
        return parse(node)

    return Kind(_FORM, quoted, json={"type": ["string", "number"]})


def _version() -> Kind:
    def parse(node: Node) -> str:
        # Tags of git have a v before it, and CI services hand those on.
        if Version.of(node.text.removeprefix("v")) is None:
            raise wrong(node, release_version.FORM)
        return node.text.removeprefix("v")

    return Kind(release_version.FORM, parse, json={"type": "string"})


VERSION: Final = _version()
TEMPLATE: Final = _template(NAMES)
BASE_TEMPLATE: Final = _template(BASE_NAMES)

# It has a docstring also because `dataclass` derives a missing one from the signature, which is slow.


class Publish(Settings):
    """Images for people, by version."""

    repository: str | None = setting(
        optional(REPOSITORY),
        None,
        "Repository that `doit push` and `doit publish` push to; default: `image.repository` where a registry is in "
        "it, else `registry.repository`. The image of a service has its name after it: `shop-api`.",
    )
    tags: tuple[str, ...] = setting(
        many(TEMPLATE, "tags", at_least=1),
        ("{version}", "{major}.{minor}", "latest"),
        "Tags that `doit publish` gives: of `{version}`, `{major}`, `{minor}`, `{sha}`, `{branch}`, `{date}` and text.",
    )
    base_tags: tuple[str, ...] = setting(
        many(BASE_TEMPLATE, "tags", at_least=1),
        ("base-{version}", "base-rust{rust}", "base-{date}", "base-latest"),
        "Tags that `doit publish_base` gives to the builder image; also of `{rust}`. Those of the runtime image begin "
        "with `runtime` instead of `base`.",
    )
    check: tuple[str, ...] | None = setting(
        optional(many(ARGUMENTS, "argument lines")),
        None,
        "Argument lines: what was pushed is pulled by its digest, and must exit with 0 for each before a tag moves. "
        "Default: those of `image.smoke`, else it must be able to start with `--version`.",
    )
    sbom: bool = setting(boolean(), False, "Put a bill of materials (CycloneDX) beside the image, as `--sbom` does.")
    provenance: bool = setting(
        boolean(), False, "Put a statement beside it of what it was made from (SLSA), as `--provenance` does."
    )
    sign: str | None = setting(
        optional(text("a key file, or an address of a key that cosign knows", r"\S(.*\S)?")),
        None,
        "Key that cosign signs with, as `--sign` names one: a file, or an address such as `awskms://…`.",
    )
