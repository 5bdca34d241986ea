"""The options of `doit publish` and `doit publish_base`."""

from __future__ import annotations

from typing import Any, Final

PUBLISH: Final[tuple[dict[str, Any], ...]] = (
    {
        "name": "dirty",
        "long": "dirty",
        "type": bool,
        "default": False,
        "help": "also where the tree differs from its commit",
    },
    {
        "name": "force",
        "long": "force",
        "type": bool,
        "default": False,
        "help": "overwrite a version that is another image, or tags of another project; says what they were",
    },
    {
        "name": "sbom",
        "long": "sbom",
        "type": bool,
        "default": False,
        "help": "put a bill of materials beside the image (CycloneDX)",
    },
    {
        "name": "provenance",
        "long": "provenance",
        "type": bool,
        "default": False,
        "help": "put a statement beside it of what it was made from (SLSA)",
    },
    {
        "name": "sign",
        "long": "sign",
        "type": str,
        "metavar": "KEY",
        "default": "",
        "help": "sign it, and what is put beside it, with cosign: a key file, or an address of a key",
    },
)
