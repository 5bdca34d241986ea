"""A second machine that shares a registry with this one."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

from tests.engine.registry_fixture import Registry, docker
from tests.support.second_engine import SecondEngine


def test_both_machines_reach_the_registry_by_one_name_and_share_nothing_else(
    registry: Registry, second_engine: SecondEngine, tmp_path: Path
) -> None:
    (tmp_path / "word").write_text(uuid.uuid4().hex)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY word /\n")
    name = f"lt-second-{uuid.uuid4().hex[:8]}"
    docker("buildx", "build", "--quiet", "--load", "--provenance=false", "--tag", f"{name}:here", str(tmp_path))
    reference = registry.push(f"{name}:here", f"{name}:shared")
    assert not second_engine.images(name)

    second_engine.docker("pull", "--quiet", second_engine.reach(reference.partition("/")[0]) + f"/{name}:shared")
    assert second_engine.images(reference.rpartition(":")[0]) == {"shared"}
    second_engine.docker("tag", reference, f"{name}:there")
    docker("image", "rm", f"{name}:here")
    assert second_engine.docker("image", "inspect", "--format", "{{len .RootFS.Layers}}", f"{name}:there") == "1"
    second_engine.docker("image", "rm", reference, f"{name}:there")

    second_engine.unreach(registry.address)
    again = ["docker", "pull", "--quiet", reference]
    away = subprocess.run(again, capture_output=True, text=True, check=False, env=second_engine.environment)
    assert "connection refused" in away.stderr
