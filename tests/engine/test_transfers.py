"""Bytes to pull, as a registry's manifests tell them, against what a pull then fetches."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from layerdoit.engine import transfers
from tests.engine.registry_fixture import Registry, docker
from tests.support.checkout import engine_images

SIZES = {"lower": 300_000, "upper": 200_000}


def made(folder: Path, name: str, parent: str = "scratch") -> str:
    """An image with one layer more than its parent, which cannot be packed smaller."""
    (folder / name).write_bytes(os.urandom(SIZES[name]))
    (folder / "Dockerfile").write_text(f"FROM {parent}\nCOPY {name} /{name}\n")
    tag = f"lt-transfers-{uuid.uuid4().hex[:8]}:{name}"
    docker("buildx", "build", "--quiet", "--load", "--provenance=false", "--tag", tag, str(folder))
    return tag


def test_layers_of_images_in_a_registry(registry: Registry, tmp_path: Path) -> None:
    lower = made(tmp_path, "lower")
    upper = made(tmp_path, "upper", lower)
    with engine_images() as images:
        rootfs = (images.inspect(lower) or {})["RootFS"]["Layers"]
    there = [registry.push(image, image) for image in (lower, upper)]
    docker("image", "rm", upper, lower)
    found = transfers.layers(there[1], "linux/amd64")
    assert found is not None
    for layer, size in zip(found, SIZES.values(), strict=True):
        assert size < layer.size < size + 2_000
    low, up = (layer.size for layer in found)
    assert transfers.to_pull(there, [], "linux/amd64") == [low, up]
    assert transfers.to_pull(there[1:], [], "linux/amd64") == [low + up]
    assert transfers.to_pull(there, [rootfs], "linux/amd64") == [0, up]
    assert transfers.to_pull([f"{registry.address}/none:none"], [], "linux/amd64") == [None]
