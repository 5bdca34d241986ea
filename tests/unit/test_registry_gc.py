"""Retention on a registry in memory: what goes, what goes along, what stays although it could go, races, refusals."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerdoit.cache import registry_gc, registry_table
from layerdoit.cache.registry_gc import Removal, Repository, look
from layerdoit.cache.registry_needs import Needs
from layerdoit.core.background import Background
from layerdoit.core.errors import ConfigError
from layerdoit.engine.registry_access import RegistryError
from layerdoit.engine.registry_api import RegistryApi
from layerdoit.project.project import Project
from tests.support.small_registry import SmallRegistry, digest_of, serving

KEYS = ["a1" * 32, "b2" * 32, "c3" * 32, "d4" * 32]
APPS = [f"app-{key[:12]}" for key in KEYS]
PAST = [f"2026-01-0{day}T00:00:00Z" for day in range(1, 5)]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallRegistry]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with serving() as one:
        yield one


def project(folder: Path, small: SmallRegistry, retention: str = "app: {keep_last: 1, min_age: 0s}") -> Project:
    (folder / "layerdoit.yaml").write_text(
        f"project: shop\nregistry:\n  repository: {small.repository}\n  retention: {{{retention}}}\n"
    )
    return Project.open(folder, {})


def labels(layer: str, key: str, **more: str) -> dict[str, str]:
    return {
        f"io.layerdoit.{name}": value for name, value in {"project": "shop", "layer": layer, "key": key, **more}.items()
    }


def apps(small: SmallRegistry, count: int = 3, **more: str) -> list[str]:
    """App images, each newer than the one before; their digests."""
    return [
        small.image(APPS[number], labels=labels("app", KEYS[number], built=PAST[number], **more), created=PAST[number])
        for number in range(count)
    ]


def looked(small: SmallRegistry, shop: Project, needs: Needs | None = None) -> Repository:
    return look(RegistryApi.of(small.repository), shop, needs or Needs())


def removed(small: SmallRegistry, shop: Project, found: Repository) -> Removal:
    one = Removal(RegistryApi.of(small.repository), found, shop.state)
    one.carry_out()
    return one


def going(found: Repository) -> set[str]:
    return {one.digest for one in found.going}


def test_the_old_go_and_nothing_is_left_to_do(small: SmallRegistry, tmp_path: Path) -> None:
    old, older, newest = apps(small)
    shop = project(tmp_path, small)
    found = looked(small, shop)
    assert going(found) == {old, older}
    done = removed(small, shop, found)
    assert (len(done.removed), done.failed, done.moved) == (2, {}, set())
    assert list(small.manifests) == [newest]
    assert not looked(small, shop).going
    assert "nothing to remove" in registry_gc.preview("shop", looked(small, shop))


def test_without_a_policy_nothing_goes(small: SmallRegistry, tmp_path: Path) -> None:
    apps(small)
    assert not looked(small, project(tmp_path, small, "")).going


def test_young_images_stay_by_default(small: SmallRegistry, tmp_path: Path) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    small.image(APPS[0], labels=labels("app", KEYS[0], built=now))
    small.image(APPS[1], labels=labels("app", KEYS[1], built=PAST[0]))
    assert len(looked(small, project(tmp_path, small, "app: {keep_last: 0}")).going) == 1


def test_an_index_takes_its_platforms_and_attestations_along(small: SmallRegistry, tmp_path: Path) -> None:
    parts = [small.image(labels=labels("app", KEYS[0], built=PAST[0]), architecture=on) for on in ("amd64", "arm64")]
    attestation = small.image(layers=[b"in-toto"])
    index = small.index("v1", children=[*parts, attestation])
    both = small.image(labels=labels("app", KEYS[1], built=PAST[1]))
    small.index("v1", children=[*parts, attestation, both])
    index = small.tags["v1"]
    newer = small.index("v2", children=[both, both])
    shop = project(tmp_path, small, "versions: {keep_last: 1, min_age: 0s}")
    found = looked(small, shop)
    assert going(found) == {index, *parts, attestation}
    assert found.going[0].digest == index
    assert both not in going(found)
    assert "v1 (" in registry_gc.preview("shop", found)
    assert "with 3 parts" in registry_gc.preview("shop", found)
    removed(small, shop, found)
    assert set(small.tags.values()) == {newer}
    assert both in small.manifests


def test_a_platform_that_another_index_lists_stays(small: SmallRegistry, tmp_path: Path) -> None:
    (keyed, _, _) = apps(small)
    index = small.index("v1", children=[keyed])
    shop = project(tmp_path, small, "app: {keep_last: 0, min_age: 0s}")
    found = looked(small, shop)
    assert not going(found) & {keyed, index}
    assert len(found.going) == 2


@pytest.mark.parametrize("api", [True, False], ids=["referrers", "tags"])
def test_signatures_go_with_their_image_and_never_before(small: SmallRegistry, tmp_path: Path, api: bool) -> None:
    old, _, newest = apps(small)
    signature = small.image(f"{old.replace(':', '-')}.sig")
    kept = small.image(f"{newest.replace(':', '-')}.sig")
    sbom = small.image(subject={"digest": old}, artifactType="application/spdx+json")
    small.referrers = api
    refs = set() if api else {small.index(old.replace(":", "-"), children=[sbom])}
    shop = project(tmp_path, small, "app: {keep_last: 2, min_age: 0s}")
    found = looked(small, shop)
    assert going(found) == {old, signature, sbom, *refs}
    assert found.going[0].digest == old
    small.faults[f"^DELETE .*{old}"] = (500, "UNKNOWN")
    done = removed(small, shop, found)
    assert (len(done.removed), len(done.failed)) == (0, 1)
    assert {signature, sbom, kept, old} <= small.manifests.keys(), "what stays keeps its signatures"
    small.faults.clear()
    removed(small, shop, looked(small, shop))
    assert small.manifests.keys() & {old, signature, sbom, *refs} == set()
    assert kept in small.manifests


# --- what stays ------------------------------------------------------------------------------------------------------


def test_what_is_needed_stays_with_the_reason(small: SmallRegistry, tmp_path: Path) -> None:
    first, second, third = apps(small)
    shop = project(tmp_path, small, "app: {keep_last: 0, min_age: 0s}")
    config = next(one.config for one in looked(small, shop).contents.stored if one.digest == second)
    needs = Needs({first: "release 7", config: "shop (deployed)"}, {("app", KEYS[2]): "needed by the current tree"})
    found = looked(small, shop, needs)
    assert not found.going
    assert found.kept == {first: "release 7", second: "shop (deployed)", third: "needed by the current tree"}
    assert "keeps  app-a1a1a1a1a1a1: release 7" in registry_gc.preview("shop", found)


def test_a_platform_that_runs_keeps_its_index(small: SmallRegistry, tmp_path: Path) -> None:
    part = small.image(labels=labels("app", KEYS[0], built=PAST[0]))
    small.index("v1", children=[part])
    shop = project(tmp_path, small, "versions: {keep_last: 0, min_age: 0s}")
    assert looked(small, shop).going
    assert not looked(small, shop, Needs({part: "deployed"})).going


def test_tags_that_are_kept(small: SmallRegistry, tmp_path: Path) -> None:
    digest = small.image("v1", labels=labels("app", KEYS[0], built=PAST[0]))
    shop = project(tmp_path, small, 'keep_tags: ["v*"], versions: {keep_last: 0, min_age: 0s}')
    assert not looked(small, shop).going
    shop = project(tmp_path, small, "versions: {keep_last: 0, min_age: 0s}")
    assert going(looked(small, shop)) == {digest}
    small.tags["latest"] = digest
    assert not looked(small, shop).going, "a tag that the default keeps"


def test_the_newest_of_a_branch_stays_with_what_it_was_made_from(small: SmallRegistry, tmp_path: Path) -> None:
    rule = "{keep_last: 0, min_age: 0s}"
    shop = project(tmp_path, small, f"app: {rule}, deps: {rule}, base: {rule}")
    more = {"branch": "feature", "deps": "d" * 64, "runtime": "e" * 64}
    old, newest = apps(small, 2, **more)
    below = {
        small.image(f"{layer}-{key * 12}", labels=labels(layer, key * 64, built=PAST[0], parent=parent))
        for layer, key, parent in (("deps", "d", "f" * 64), ("runtime", "e", ""), ("base", "f", ""))
    }
    unused = small.image("deps-999999999999", labels=labels("deps", "9" * 64, built=PAST[0]))
    assert going(looked(small, shop, Needs(live=lambda name: name == "feature"))) == {old, unused}
    assert going(looked(small, shop, Needs(live=lambda _: None))) == {old, unused}, "nobody can tell"
    assert going(looked(small, shop, Needs(live=lambda _: False))) == {old, newest, unused, *below}
    pinned = Needs(chains={("app", KEYS[0]): "pinned"})
    assert going(looked(small, shop, pinned)) == {newest, unused}
    small.tags["feature"] = newest
    small.tags["other"] = old
    shop = project(tmp_path, small, f"versions: {rule}, app: {rule}")
    assert old in going(looked(small, shop, Needs(live=lambda name: name == "feature")))
    assert newest not in going(looked(small, shop, Needs(live=lambda name: name == "feature")))


def test_the_artefacts_of_a_branch_stay_while_it_exists(small: SmallRegistry, tmp_path: Path) -> None:
    def artefacts(tag: str, branch: str) -> str:
        told = {**labels("artefacts", "", branch=branch), "org.opencontainers.image.created": PAST[0]}
        return small.image(tag, config={"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2},
                           annotations=told)  # fmt: skip

    empty = digest_of(b"{}")
    main, gone = artefacts("artefacts-c00c-main", "main"), artefacts("artefacts-c00c-gone", "gone")
    shop = project(tmp_path, small, "artefacts: {keep_last: 0, min_age: 0s}")
    found = looked(small, shop, Needs(live=lambda name: name == "main"))
    assert found.kept == {main: "artefacts of the branch main"}
    assert going(found) == {gone}
    assert "artefacts" in registry_gc.preview("shop", found)


def test_others_are_named_and_never_touched(small: SmallRegistry, tmp_path: Path) -> None:
    shop = project(tmp_path, small, "app: {keep_last: 0, min_age: 0s}, versions: {keep_last: 0, min_age: 0s}")
    small.image(APPS[0], labels={**labels("app", KEYS[0], built=PAST[0]), "io.layerdoit.project": "other"})
    small.image(APPS[1], labels={**labels("app", KEYS[1], built=PAST[0]), "io.layerdoit.marks": "root:00 path:11"})
    small.image("debian", created=PAST[0])
    # Somebody gave it the tag of another key.
    small.image(APPS[2], labels=labels("app", KEYS[3], built=PAST[0]))
    mixed = small.image(labels=labels("app", KEYS[3], built=PAST[0]))
    theirs = small.image(labels={**labels("app", KEYS[3]), "io.layerdoit.project": "other"}, created=PAST[0])
    small.index("v9", children=[mixed, theirs])
    found = looked(small, shop)
    assert not found.going
    said = registry_gc.preview("shop", found)
    assert f"not touched: 5 tags of others: {', '.join(sorted([*APPS[:3], 'debian', 'v9']))}" in said
    assert "other   5 " in registry_table.render("shop", [found], idle=False)


# --- meanwhile -------------------------------------------------------------------------------------------------------


def test_a_tag_that_moved_since_is_not_removed(small: SmallRegistry, tmp_path: Path) -> None:
    old, _, newest = apps(small)
    shop = project(tmp_path, small)
    found = looked(small, shop)
    other = small.image(labels=labels("app", KEYS[0], built=PAST[3]))
    small.tags[APPS[0]] = other
    done = removed(small, shop, found)
    assert done.moved == {old}
    assert {old, other, newest} == small.manifests.keys()
    assert "left 1 manifest" in done.words


def test_what_got_another_tag_since_is_not_removed(small: SmallRegistry, tmp_path: Path) -> None:
    old, older, _ = apps(small)
    shop = project(tmp_path, small)
    found = looked(small, shop)
    # Published in the middle: its index lists what was to go, and another tag is moved onto the other.
    index = small.index("v1", children=[old])
    small.tags["stable"] = older
    done = removed(small, shop, found)
    assert done.moved == {old, older}
    assert {old, older, index} <= small.manifests.keys()


def test_what_another_collection_removed_is_removed(small: SmallRegistry, tmp_path: Path) -> None:
    apps(small)
    shop = project(tmp_path, small)
    found = looked(small, shop)
    removed(small, shop, found)
    done = removed(small, shop, found)
    assert not done.failed
    assert len(small.manifests) == 1


def test_two_collections_at_once(small: SmallRegistry, tmp_path: Path) -> None:
    *_, newest = [
        small.image(
            f"app-{number:012x}", labels=labels("app", f"{number:012x}" * 5, built=PAST[0]), created=str(number)
        )
        for number in range(40)
    ]
    small.image(APPS[0], labels=labels("app", KEYS[0], built=PAST[3]))
    shop = project(tmp_path, small)
    found = looked(small, shop)
    both = [Background(lambda: removed(small, shop, found)) for _ in range(2)]
    assert [(one.result().failed, one.result().moved) for one in both] == [({}, set())] * 2
    assert list(small.tags) == [APPS[0]]
    assert newest not in small.manifests


def test_what_an_interrupted_collection_left_goes_with_the_next(
    small: SmallRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = small.image(labels=labels("app", KEYS[0], built=PAST[0]))
    small.index("v1", children=[part])
    shop = project(tmp_path, small, "versions: {keep_last: 0, min_age: 0s}")

    class Ended(BaseException):
        pass

    found = looked(small, shop)
    one = Removal(RegistryApi.of(small.repository), found, shop.state)
    ask = one.api.delete

    def until_the_part(digest: str) -> bool:
        if digest == part:
            raise Ended
        return ask(digest)

    monkeypatch.setattr(one.api, "delete", until_the_part)
    with pytest.raises(Ended):
        one.carry_out()
    assert list(small.manifests) == [part]
    again = looked(small, shop)
    assert going(again) == {part}
    removed(small, shop, again)
    assert not small.manifests
    assert not looked(small, shop).going


# --- refusals --------------------------------------------------------------------------------------------------------


def test_one_failure_does_not_stop_the_rest(small: SmallRegistry, tmp_path: Path) -> None:
    old, _, newest = apps(small)
    shop = project(tmp_path, small)
    small.faults[f"^DELETE .*{old}"] = (500, "UNKNOWN")
    done = removed(small, shop, looked(small, shop))
    assert done.failed.keys() == {old}
    assert {old, newest} == small.manifests.keys()
    assert "HTTP 500" in done.words
    assert "next: " in done.words


@pytest.mark.parametrize(
    ("status", "advice"), [(405, "storage.delete.enabled"), (403, "who may delete in "), (401, "docker login")]
)
def test_a_registry_that_cannot_delete_is_one_message(
    small: SmallRegistry, tmp_path: Path, status: int, advice: str
) -> None:
    apps(small, 4)
    shop = project(tmp_path, small)
    small.faults["^DELETE"] = (status, "UNSUPPORTED")
    with pytest.raises(RegistryError) as refused:
        removed(small, shop, looked(small, shop))
    assert advice in str(refused.value.hint)
    assert len(small.manifests) == 4


def test_what_cannot_be_read_removes_nothing(small: SmallRegistry, tmp_path: Path) -> None:
    apps(small)
    small.faults[f"manifests/{APPS[1]}"] = (500, "UNKNOWN")
    with pytest.raises(RegistryError, match="gives no information"):
        looked(small, project(tmp_path, small))


def test_a_tag_that_is_listed_and_gone_is_not_there(small: SmallRegistry, tmp_path: Path) -> None:
    apps(small)
    small.tags["gone"] = "sha256:gone"
    small.faults["manifests/gone"] = (404, "MANIFEST_UNKNOWN")
    assert len(looked(small, project(tmp_path, small)).going) == 2


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("registry: {repository: r.example.com/a}", ["r.example.com/a"]),
        (
            "registry: {repository: r.example.com/a}\npublish: {repository: r.example.com/b}",
            ["r.example.com/a", "r.example.com/b"],
        ),
        ("image: {repository: r.example.com/c}", ["r.example.com/c"]),
        (
            "registry: {repository: r.example.com/a}\nservices: {api: {bins: [api]}, web: {bins: [web]}}",
            ["r.example.com/a", "r.example.com/a-api", "r.example.com/a-web"],
        ),
    ],
)
def test_layers_and_versions_are_looked_at(tmp_path: Path, written: str, expected: list[str]) -> None:
    (tmp_path / "layerdoit.yaml").write_text(f"project: shop\n{written}\n")
    assert list(registry_gc.repositories(Project.open(tmp_path, {}))) == expected


def test_without_a_repository_there_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "layerdoit.yaml").write_text("project: shop\n")
    with pytest.raises(ConfigError, match="nothing says where images are pushed"):
        registry_gc.repositories(Project.open(tmp_path, {}))


# --- shown -----------------------------------------------------------------------------------------------------------


def test_the_table(small: SmallRegistry, tmp_path: Path) -> None:
    layer = b"x" * 1000
    first = small.image(APPS[0], labels=labels("app", KEYS[0], built=PAST[0]), layers=[layer])
    small.image(f"deps-{'d' * 12}", labels=labels("deps", "d" * 64, built=PAST[0]), layers=[layer])
    small.image(f"{first.replace(':', '-')}.sig")
    small.index("v1", children=[first])
    shop = project(tmp_path, small)
    found = looked(small, shop, Needs({first: "release 7"}))
    said = registry_table.render("shop", [found], idle=False)
    assert [line.split()[:2] for line in said.splitlines()[2:6]] == [
        ["deps", "1"],
        ["app", "1"],
        ["versions", "1"],
        ["attached", "1"],
    ]
    assert f"protected: {APPS[0]}: release 7" in said
    told = registry_table.as_json("shop", [found])["repositories"][0]
    assert told["families"]["deps"]["shared"] == 1000
    assert told["families"]["attached"]["own"] > 0
    assert told["bytes"] == sum(len(one) for one in small.blobs.values()) + sum(
        len(content) for _, content in small.manifests.values()
    )
    assert {one["protected"] for one in told["images"] if one["family"] == "app"} == {"release 7"}
    assert "sets no limit" in registry_table.render("shop", [found], idle=True)


def test_an_empty_repository(small: SmallRegistry, tmp_path: Path) -> None:
    found = looked(small, project(tmp_path, small))
    assert "nothing is there" in registry_table.render("shop", [found], idle=False)
