"""Which deps images of other projects are pulled from registries, so that they lend, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from layerdoit.build import lenders, pulled_first
from layerdoit.core.errors import Cleared, EngineError
from layerdoit.engine import registry, registry_relatives
from layerdoit.engine.images import PREFIX, Image
from layerdoit.engine.registry_answers import Refusal
from layerdoit.engine.registry_relatives import Told
from layerdoit.layers import decision
from layerdoit.layers.decision import Present
from layerdoit.layers.key import Spec
from layerdoit.layers.plan import Step
from layerdoit.layers.specs import donors
from layerdoit.layers.specs.deps import Cooked
from layerdoit.layers.specs.donors import MOST, PULLED, Donor

SUM = "0123456789ab"
SHOP, CRM, OWN = (f"registry.example/team/{name}" for name in ("shop", "crm", "billing"))
PARENT = Cooked("p-key", "p:deps-1", "", "", 0, frozenset(f"package {name} 1.0.0 {SUM}" for name in "abcdefgh"), "1")


def inputs(names: str) -> dict[str, str]:
    """Inputs of a deps layer with a package of crates.io for each letter."""
    return {f"package {name}": f"1.0.0 {SUM}" for name in names}


def donor(project: str, names: str, afar: str = SHOP, created: str = "1") -> Donor:
    return Donor(f"{project}-key", f"{project}:deps-1", project, donors.packages(inputs(names)), False, created, afar)


# --- the choice ------------------------------------------------------------------------------------------------------


def pulled(wanted: str, *afar: Donor, here: str = "", parent: Cooked | None = None) -> list[str]:
    there = [donor("here", here, afar="")] if here else []
    found = donors.worth_pulling(inputs(wanted), afar, there, parent, "public")
    assert not found or donors.lacks_much(inputs(wanted), there, parent, "public")
    return [one.project for one in found]


def test_the_nearest_is_pulled_and_then_what_has_much_of_the_rest() -> None:
    assert pulled("abcdefghij", donor("some", "abc"), donor("most", "abcdef"), donor("rest", "ghi")) == ["most", "rest"]
    assert pulled("abcdefghij", donor("most", "abcdef"), donor("little", "gh")) == ["most"]
    assert PULLED == 2
    assert pulled("abcdefghi", donor("1", "abc"), donor("2", "def"), donor("3", "ghi")) == ["1", "2"]


def test_of_two_that_have_as_much_the_smaller_and_then_the_newer_one_is_pulled() -> None:
    assert pulled("ab", donor("great", "abxyz", created="2"), donor("small", "ab")) == ["small"]
    assert pulled("ab", donor("old", "ab"), donor("new", "ab", created="2")) == ["new"]


@pytest.mark.parametrize("missing", [{"here": "abcdefgh"}, {"parent": PARENT}])
def test_nothing_is_pulled_for_little(missing: Any) -> None:
    """What is here, and what is cooked on, has 8 of 10 packages."""
    everything = donor("all", "abcdefghij")
    assert pulled("abcdefghij", everything) == ["all"]
    assert pulled("abcdefghij", everything, **missing) == []
    assert pulled("abcdefghijklmn", donor("all", "abcdefghijklmn"), **missing) == ["all"]
    assert pulled("abcdefghijklmn", donor("little", "abcdefghij"), **missing) == []
    assert pulled("ab", donor("none", "xyz")) == []


def test_the_registry_is_asked_only_where_much_is_lacking() -> None:
    def asks(here: str, word: Any = "public") -> bool:
        return donors.lacks_much(inputs("abcdefghij"), [donor("here", here, afar="")], None, word)

    assert (asks("abcdefg"), asks("abcdefgh")) == (True, False)
    assert not asks("a", "none")
    assert not donors.lacks_much({}, [], None, "public")


def test_what_is_pulled_does_lend_whoever_lends_here() -> None:
    """Of four at most, those that add most: nothing is pulled in vain."""
    wanted, many = inputs("abcdefghij"), [donor(f"h{number}", "abcd", afar="") for number in range(MOST + 1)]
    (first, second) = donors.worth_pulling(wanted, [donor("x", "efg"), donor("y", "hij")], many, None, "public")
    spec = Spec("deps", wanted, "billing")
    made = decision.plan((spec,), Present(frozenset(), donors=(*many, first, second), lends="public"), 8)
    assert {first, second} <= set(made.step("deps").donors)
    assert made.step("deps").as_json()["pulled_first"] == ["x:deps-1", "y:deps-1"]


def test_in_words() -> None:
    here, afar, other = donor("crm", "a", afar=""), donor("shop", "a"), donor("blog", "a")
    rest = "; only the rest compiles"
    local = "takes what is the same from the dependencies of crm"
    assert donors.taken_words([here]) == [f"{local}{rest}"]
    one = "takes what shop:deps-1 of the registry has compiled, which is pulled first"
    assert donors.taken_words([afar, here]) == [local, f"{one}{rest}"]
    two = "takes what shop:deps-1, blog:deps-1 of the registry has compiled, which are pulled first"
    assert donors.taken_words([afar, other]) == [f"{two}{rest}"]
    assert donors.taken_words([]) == []


# --- what registries are asked for -----------------------------------------------------------------------------------


def image(repository: str, names: str = "abc", kin: str = "kin", **labels: str) -> Image:
    key = (labels.get("key", "") or repository[-4:]).ljust(12, "0")
    told = {"layer": "deps", "project": repository.rpartition("/")[2], "lends": "public", "kin": kin, "built": "1"}
    told |= {**labels, "key": key, "inputs": json.dumps(inputs(names))}
    return Image("id", (f"{repository}:deps-{key}",), {PREFIX + name: text for name, text in told.items()}, 0, 0)


class Registry:
    """What it has of each repository; the repositories that it was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **has: Told) -> None:
        self.has = {f"registry.example/team/{name}": told for name, told in has.items()}
        self.asked: list[str] = []
        self.given_up: set[str] = set()
        monkeypatch.setattr(registry_relatives, "asked", self.ask)
        monkeypatch.setattr(registry_relatives, "give_up", self.given_up.add)

    def ask(self, repository: str, platform: str, local: str) -> Told:
        assert (platform, local) == ("linux/amd64", repository)
        self.asked.append(repository)
        return Told(given_up=True) if repository in self.given_up else self.has[repository]


class Engine:
    """The engine of one reading."""

    def __init__(self, *, is_local: bool = True) -> None:
        self.is_local = is_local

    def platform_of(self, layer: str) -> str:
        assert layer == "deps"
        return "linux/amd64"


def project(*named: str, lends: str = "public", kin: str = "kin", where: Mapping[str, str] = {}) -> Any:
    config = SimpleNamespace(deps=SimpleNamespace(lenders=named), registry=SimpleNamespace(repository=OWN), where=where)
    return SimpleNamespace(project=SimpleNamespace(config=config), lends=lends, kin=kin)


def step(action: Any = "build", **facts: Any) -> Step:
    return Step(Spec("deps", inputs("abc"), "billing"), action, (), **facts)


def offered(given: Any, engine: Any = None, made: Step | None = None, here: tuple[Donor, ...] = ()) -> list[str]:
    on: Any = engine or Engine()
    return [one.tag for one in lenders.offered(on, given, made or step(), here)]


def test_images_come_under_the_name_that_they_have_there(monkeypatch: pytest.MonkeyPatch) -> None:
    has = Registry(monkeypatch, shop=Told((image(SHOP),)))
    (found,) = lenders.offered(Engine(), project(SHOP), step(), ())  # type: ignore[arg-type]
    assert (found.tag, found.afar, found.project) == (f"{SHOP}:deps-shop00000000", SHOP, "shop")
    assert has.asked == [SHOP]


def test_only_images_of_the_same_kin_that_lend_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    others = (image(SHOP, kin="other"), image(SHOP, lends="none"), image(SHOP, layer="app"))
    Registry(monkeypatch, shop=Told(others), crm=Told((image(CRM, "ab"),)))
    assert offered(project(SHOP, CRM)) == [f"{CRM}:deps-/crm00000000"]


def test_one_that_is_here_already_is_not_pulled(monkeypatch: pytest.MonkeyPatch) -> None:
    Registry(monkeypatch, shop=Told((image(SHOP),)))
    known = Donor("shop00000000", "shop:deps-1", "shop", frozenset(), False, "1")
    assert offered(project(SHOP), here=(known,)) == []


def test_private_crates_count_where_both_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    private = {"package g": "1.0.0 git+https://git.example/g#abc"}
    made = Step(Spec("deps", private, "billing"), "build", ())
    for lends, takes, found in (("private", "private", 1), ("public", "private", 0), ("private", "public", 0)):
        one = image(SHOP, lends=lends)
        labels = {**one.labels, f"{PREFIX}inputs": json.dumps(private)}
        Registry(monkeypatch, shop=Told((one._replace(labels=labels),)))
        assert len(offered(project(SHOP, lends=takes), made=made)) == found, (lends, takes)


@pytest.mark.parametrize(
    ("given", "engine", "made"),
    [
        (project(), None, None),
        (project(OWN), None, None),
        (project(SHOP, lends="none"), None, None),
        (project(SHOP, kin=""), None, None),
        (project(SHOP), Engine(is_local=False), None),
        (project(SHOP), None, step("reuse")),
        (project(SHOP), None, step("pull")),
        (project(SHOP), None, step("skip")),
        (project(SHOP), None, step(from_scratch=True, replaces=True)),
        (project(SHOP), None, step(replaces=True, parent=PARENT)),
        (project(SHOP), None, step(parent=PARENT)),
        (project(SHOP), None, step(donors=(donor("here", "abc", afar=""),))),
    ],
)
def test_no_registry_is_asked_where_nothing_is_cooked_or_little_is_lacking(
    given: Any, engine: Any, made: Step | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    has = Registry(monkeypatch, shop=Told((image(SHOP),)))
    assert offered(given, engine, made) == []
    assert has.asked == []


def test_services_that_are_planned_on_one_engine_ask_once(monkeypatch: pytest.MonkeyPatch) -> None:
    has, engine = Registry(monkeypatch, shop=Told((image(SHOP),))), Engine()
    assert offered(project(SHOP), engine) == offered(project(SHOP), engine) != []
    assert has.asked == [SHOP]


def test_what_is_of_no_use_is_told_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    given = project(SHOP, CRM, where={"deps.lenders": "layerdoit.yaml:7"})
    Registry(monkeypatch, shop=Told(refused=Refusal("login", "unauthorized")), crm=Told())
    assert offered(given) == []
    assert capsys.readouterr().err.splitlines() == [
        f"layerdoit: layerdoit.yaml:7: {CRM} has no deps images for linux/amd64",
        "next: look at that name, and whether its project pushes them (registry.push: [deps])",
        f"layerdoit: layerdoit.yaml:7: nothing is taken from {SHOP}: unauthorized",
        "next: run docker login registry.example",
    ]
    Registry(monkeypatch, shop=Told(given_up=True), crm=Told(given_up=True))
    assert offered(given) == []
    assert capsys.readouterr().err == ""


def test_a_registry_that_is_away_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = Told(refused=Refusal("refused", "connect: connection refused"))
    Registry(monkeypatch, shop=away, crm=away)
    assert offered(project(SHOP, CRM)) == []
    (line, _) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"nothing is taken from {SHOP}, {CRM}: the registry cannot be reached (connection refused)")


def test_what_was_listed_before_it_fell_silent_lends(monkeypatch: pytest.MonkeyPatch) -> None:
    Registry(monkeypatch, shop=Told((image(SHOP),), Refusal("silent", "no answer in 10 s")))
    assert len(offered(project(SHOP))) == 1


# --- the pull --------------------------------------------------------------------------------------------------------


def work() -> Any:
    return SimpleNamespace(inputs=SimpleNamespace(kin="kin"), engine=Engine())


def test_images_are_pulled_if_they_are_still_what_they_were_chosen_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Mapping[str, str]] = {}
    monkeypatch.setattr(registry, "pull_donor", lambda tag, labels, _platform: asked.update({tag: labels}))
    afar = donor("shop", "a")._replace(private=True)
    pulled_first.have(work(), step(donors=(afar, donor("here", "a", afar=""))))
    assert asked == {"shop:deps-1": {"layer": "deps", "key": "shop-key", "kin": "kin", "lends": "private"}}


def test_one_that_cannot_be_pulled_is_done_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []

    def pull(tag: str, *_: Any) -> None:
        if tag.startswith("shop"):
            raise EngineError(f"pulling {tag} failed: full", hint="look there")
        done.append(tag)

    has = Registry(monkeypatch)
    monkeypatch.setattr(registry, "pull_donor", pull)
    with pytest.raises(Cleared):
        pulled_first.have(work(), step(donors=(donor("shop", "a"), donor("crm", "b", afar=CRM))))
    assert (done, has.given_up) == (["crm:deps-1"], {SHOP})
    said = "layerdoit: nothing is taken from shop:deps-1 of deps.lenders: pulling shop:deps-1 failed: full"
    assert capsys.readouterr().err.splitlines() == [said, "next: look there"]
