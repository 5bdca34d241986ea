"""The check-up against a real engine: what it says of one, and that it leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from layerdoit.doctor import engine_facts, examination
from layerdoit.doctor.engine_facts import Builder, Engine, Failed
from layerdoit.doctor.examination import examine
from layerdoit.doctor.finding import Finding

KEY = "MIIEowIBAAKCAQEAx0Zk3jvQ5Wq8rTnYb1uLdPfHc2sVgX7eJmKzN9oUaBtRiSyE"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question has an answer in the end, also on a machine that is busy with other tests."""
    monkeypatch.setattr(examination, "PATIENCE", 120.0)


def test_a_built_checkout_is_well(checkout: Any) -> None:
    tree = checkout()
    tree.build()
    tags = tree.tags()
    found = examine(tree.root, {})
    assert [item for item in found.unchecked if "did not answer in time" in item.why] == []
    assert [finding for finding in found.findings if finding.level == "error"] == []
    facts = {fact.name: fact.value for fact in found.facts}
    assert facts["layers"] == "all exist"
    assert "ms for" in facts["time to a no-op"]
    assert "files" in facts["context"]
    assert tree.tags() == tags


def test_findings_of_a_tree(checkout: Any) -> None:
    tree = checkout()
    tree.write(
        {
            "Dockerfile": "FROM rust:1\nWORKDIR /app\nCOPY . .\nRUN cargo build\nCMD app\n",
            "app/key.pem": f"-----BEGIN PRIVATE KEY-----\n{KEY}\n",
        }
    )
    found: dict[str, Finding] = {finding.id: finding for finding in examine(tree.root, {}).findings}
    assert found["secret-in-context"].where == "app/key.pem:1"
    assert found["df-sources-before-deps"].where == "Dockerfile:3"
    assert {"df-root", "df-unlocked", "df-dockerignore", "df-ships-compiler"} <= set(found)


def test_engine_and_builder_as_they_are() -> None:
    engine, builder, buildx = engine_facts.engine(), engine_facts.builder(None), engine_facts.buildx()
    assert isinstance(engine, Engine)
    assert engine.system == "linux"
    assert engine.skew is not None
    assert abs(engine.skew) < 5
    assert isinstance(builder, Builder)
    assert builder.status == "running"
    assert any(platform.startswith("linux/") for platform in builder.platforms)
    assert not isinstance(buildx, Failed)
    assert buildx >= (0, 13)


def test_a_builder_that_does_not_exist(tmp_path: Path) -> None:
    found = engine_facts.builder("nobody-has-this-builder")
    assert isinstance(found, Failed)
    assert "nobody-has-this-builder" in found.why


def test_measure(checkout: Any) -> None:
    tree = checkout()
    assert any("not built yet" in item.why for item in examine(tree.root, {}, measure=True).unchecked)
    tree.build()
    tags = tree.tags()
    facts = {fact.name: fact.value for fact in examine(tree.root, {}, measure=True).facts}
    assert {"edit, as it is", "edit, debug = false"} <= set(facts)
    assert tree.tags() == tags
    assert {outcome.step.action for outcome in tree.build().values()} == {"reuse"}
