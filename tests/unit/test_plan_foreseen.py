"""What a plan costs besides time: bytes that travel, and what retention would remove afterwards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from layerdoit import history
from layerdoit.cache import forecast, retention
from layerdoit.cache.model import ImageUse, Usage
from layerdoit.config import Keep, Retention
from layerdoit.core.errors import LayerdoitError
from layerdoit.engine import transfers
from layerdoit.engine.removal import Holder
from layerdoit.engine.transfers import Layer
from layerdoit.front.verbs.plan import Foreseen, Travel
from layerdoit.history import Figures, LayerRecord, RunRecord
from layerdoit.layers.key import ORDER, Spec
from layerdoit.layers.plan import Action, Plan, Step

VARIANT = "dev/host"

# --- bytes to pull ---------------------------------------------------------------------------------------------------

OS, TOOLS, CRATES = Layer("os", 30), Layer("tools", 200), Layer("crates", 100)


def test_layers_that_are_here_are_not_pulled() -> None:
    images = [(OS, TOOLS), (OS, TOOLS, CRATES)]
    assert transfers.needed(images, []) == [230, 100], "the second one finds what the first one brought"
    assert transfers.needed(images, [("os", "other")]) == [200, 100]
    assert transfers.needed(images, [("os", "tools", "crates")]) == [0, 0]
    assert transfers.needed([(OS, TOOLS)], [("x", "tools"), ("tools",)]) == [230], "upon other layers it is another one"
    assert transfers.needed([None, (OS,)], []) == [None, 30]


MANIFEST = {"layers": [{"size": 30}, {"size": 200}]}
CONFIG = {"rootfs": {"diff_ids": ["os", "tools"]}}
INDEX = {
    "manifests": [
        {"digest": "sha256:other", "platform": {"architecture": "other", "os": "linux"}},
        {"digest": "sha256:mine", "platform": {"architecture": "mine", "os": "linux"}},
    ]
}


def answers(monkeypatch: pytest.MonkeyPatch, told: dict[tuple[str, str], Any]) -> None:
    def inspected(command: list[str]) -> bytes:
        reference, how = command[-2:] if command[-1] == "--raw" else (command[-3], command[-1])
        if (reference, how) not in told:
            raise LayerdoitError(f"{reference}: no such host")
        return json.dumps(told[reference, how]).encode()

    monkeypatch.setattr(transfers, "capture_quick", inspected)


def test_a_manifest_tells_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, {("r/a:1", "--raw"): MANIFEST, ("r/a:1", "{{json .Image}}"): CONFIG})
    assert transfers.layers("r/a:1", "linux/amd64") == (OS, TOOLS)
    assert transfers.to_pull(["r/a:1", "r/b:1"], [("os",)], "linux/amd64") == [200, None], (
        "one that does not answer is not known"
    )
    assert transfers.to_pull([], [], "linux/amd64") == []


def test_an_index_tells_of_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"linux/other": {"rootfs": {"diff_ids": ["x"]}}, "linux/mine": CONFIG}
    told = {("r/a:1", "--raw"): INDEX, ("r/a:1", "{{json .Image}}"): both, ("r/a:1@sha256:mine", "--raw"): MANIFEST}
    answers(monkeypatch, told)
    assert transfers.layers("r/a:1", "linux/mine") == (OS, TOOLS)
    assert transfers.layers("r/a:1", "linux/third") is None


@pytest.mark.parametrize("manifest", [{}, {"layers": [{}]}, {"layers": [{"size": 1}]}, [], None])
def test_an_odd_manifest_is_not_known(monkeypatch: pytest.MonkeyPatch, manifest: Any) -> None:
    answers(monkeypatch, {("r/a:1", "--raw"): manifest, ("r/a:1", "{{json .Image}}"): CONFIG})
    assert transfers.layers("r/a:1", "linux/amd64") is None


# --- bytes to push ---------------------------------------------------------------------------------------------------


def test_the_last_known_size_of_a_layer(tmp_path: Path) -> None:
    sizes = [
        ("dev/host", 300, "ok"),
        ("release/host", 100, "ok"),
        ("dev/host", 999, "failed"),
        ("dev/host", None, "ok"),
    ]
    for number, (variant, size, outcome) in enumerate(sizes):
        layers = [LayerRecord(name, "k", "build", size=size, outcome=outcome) for name in ("base", "app")]  # type: ignore[arg-type]
        history.save(tmp_path, RunRecord(f"{number}", 1.0, "", variant, "", "", 1.0), layers)
    assert history.last_size(tmp_path, VARIANT, "app") == 300
    assert history.last_size(tmp_path, "release/host", "app") == 100
    assert history.last_size(tmp_path, "bench/host", "app") is None
    assert history.last_size(tmp_path, "bench/host", "base") == 100, "a base is of no variant"


def test_what_the_line_of_a_layer_says() -> None:
    expected = Figures(2.0, 1.0, 4.0, 4.0, 3)
    assert Foreseen(None, None, None).text() == ""
    assert Foreseen(expected, None, Travel(128_000_000)).text() == (
        "  about 2.0 s (1.0 s to 4.0 s, n=3), pushes at most 128 MB"
    )
    assert Foreseen(None, Travel(5_000), None).text() == "  pulls 5 kB"
    assert Foreseen(None, Travel(None), Travel(None)).text() == "  pulls it, pushes it"
    assert Foreseen(None, Travel(5), None).as_json() == {"expected": None, "pull": {"bytes": 5}, "push": None}
    assert Foreseen(None, None, Travel(None)).as_json()["push"] == {"at_most_bytes": None}


# --- what would be removed -------------------------------------------------------------------------------------------


def image(layer: str, number: int, **given: Any) -> ImageUse:
    values: dict[str, Any] = {
        "tags": (f"p:{layer}-{number}",),
        "size": 100,
        "made": number,
        "rootfs": ("os", f"{layer}{number}"),
        "variant": VARIANT,
    }
    return ImageUse(f"{layer}{number}", layer, f"k{number}", **{**values, **given})


def plan(**actions: Action) -> Plan:
    specs = {name: Spec(name, {"as": actions.get(name, "reuse")}, "p") for name in ORDER}
    return Plan(tuple(Step(spec, actions.get(name, "reuse"), ()) for name, spec in specs.items()))


def gone(usage: Usage, what: Plan, policy: Retention) -> tuple[str, ...]:
    then = forecast.after(usage, what, VARIANT, ["p:latest"])
    return forecast.of(usage, retention.select(then, policy, then.at)).images


APPS = (image("app", 3, tags=("p:latest", "p:app-3")), image("app", 2), image("app", 1))
NOW = Usage("p", (*APPS, image("deps", 1)), live_tags=frozenset({"p:latest"}), at=10.0)
TWO = Retention(app=Keep(keep_last=2))


def test_the_new_image_takes_a_place() -> None:
    assert forecast.of(NOW, retention.select(NOW, TWO, NOW.at)).images == ("p:app-1",), "as it is now"
    assert gone(NOW, plan(app="build"), TWO) == ("p:app-2", "p:app-1")
    assert gone(NOW, plan(deps="build", app="pull"), TWO) == ("p:app-2", "p:app-1")


def test_the_friendly_tag_protects_the_new_image_only() -> None:
    assert gone(NOW, plan(app="build"), Retention(app=Keep(keep_last=0))) == ("p:app-3", "p:app-2", "p:app-1")
    held = replace(NOW, images=(replace(APPS[0], holders=(Holder("web", "running"),)), *NOW.images[1:]))
    assert gone(held, plan(app="build"), Retention(app=Keep(keep_last=0))) == ("p:app-2", "p:app-1")


def test_a_limit_in_bytes_counts_the_new_image() -> None:
    assert gone(NOW, plan(app="build"), Retention(app=Keep(max_bytes=400))) == ()
    assert gone(NOW, plan(app="build"), Retention(app=Keep(max_bytes=350))) == ("p:app-1",)


def test_an_image_made_again_counts_once() -> None:
    new = plan(app="build").step("app").spec
    usage = replace(NOW, images=(replace(APPS[0], key=new.key, tags=(new.tag,)), *NOW.images[1:]))
    assert gone(usage, plan(app="build"), TWO) == ("p:app-1",)


def test_in_words() -> None:
    found = forecast.of(NOW, retention.select(NOW, TWO, NOW.at))
    assert found.line() == "would remove 1 image, up to 100 B (retention): p:app-1"
    assert found.as_json() == {"images": ["p:app-1"], "mounts": 0, "bytes": 100}
    assert forecast.Removal((), 0, 0).line() == "would remove 0 images (retention)"
    assert forecast.Removal((), 1, 5).line() == "would remove 1 target mount, up to 5 B (retention)"
    both = forecast.Removal(("a", "b"), 2, 5_000)
    assert both.line() == "would remove 2 images and 2 target mounts, up to 5 kB (retention): a, b"
