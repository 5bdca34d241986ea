"""How an edit comes to serve, and what serves when it does not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerdoit import deploy
from layerdoit.core.errors import DeployError, LayerdoitError, WorkspaceError
from layerdoit.deploy.live import Live
from layerdoit.deploy.provider import LiveService, Service, Status
from layerdoit.flows import early_refusals
from layerdoit.tree.index import Entry
from layerdoit.watch import assets, edit_turn
from layerdoit.watch.agent import Gone
from layerdoit.watch.edit_turn import NotServed, Wish
from layerdoit.watch.facts import Facts
from layerdoit.watch.there import Astray, There
from layerdoit.watch.trial import Deserted
from layerdoit.watch.workshop import Cancelled, Compiled

OLD = Facts(
    lower={},
    apps={name: {"sources": "s", "assets": "a"} for name in ("api", "web")},
    keys={"api": "k", "web": "k"},
    deployed={},
    kinds={"api": "compiled", "web": "compiled"},
)
NEW = replace(OLD, keys={"api": "new", "web": "new"})
CHANGED = Compiled(1, 0.1, {"api": ("server",), "web": ("server",)}, Path("the.log"))


@dataclass
class Case:
    """Two deployments, what happened to them, and what goes wrong (`fails`: by `name verb`)."""

    fails: dict[str, BaseException | None] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    placing: list[str] = field(default_factory=list)
    watch: str = "w"
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {"api": (), "web": ()})
    killed: bool = False
    lingered: float = 0.0
    overlap: bool = False
    ended: str | None = None
    cancel: threading.Event = field(default_factory=threading.Event)

    def do(self, name: str, verb: str) -> None:
        self.did.append(f"{name} {verb}")
        if error := self.fails.pop(f"{name} {verb}", None):
            raise error

    def serve(self, made: Compiled | None = CHANGED, placed: Mapping[str, assets.Change] = {}) -> edit_turn.Done:
        services = {name: SimpleNamespace(needs=needs) for name, needs in self.needs.items()}
        session = SimpleNamespace(
            built=[self.session(name) for name in ("api", "web")],
            project=SimpleNamespace(config=SimpleNamespace(services=services)),
        )
        workshop: Any = SimpleNamespace(start=self.start, ahead=lambda name, key: self.do(name, f"ahead {key}"))
        wish = Wish(session, OLD, NEW, workshop, placed, self.placing.append, self.remark)  # type: ignore[arg-type]
        return edit_turn.served(wish, made, self.cancel)

    def remark(self, about: str, text: str) -> None:
        assert about.startswith(text.partition(":")[0])
        self.remarks.append(text)

    def session(self, name: str) -> Any:
        config = SimpleNamespace(watch=SimpleNamespace(reload="restart", overlap=self.overlap))
        return SimpleNamespace(project=SimpleNamespace(name=name, service=name, config=config))

    def start(self, name: str, _token: str, _grace: float, binaries: Sequence[str], *, overlap: bool) -> Trial:
        self.do(name, " ".join(("overlap" if overlap else "start", *binaries)))
        return Trial(self, name)


@dataclass
class Trial:
    case: Case
    name: str

    @property
    def killed(self) -> bool:
        return self.case.killed

    @property
    def lingered(self) -> float:
        return self.case.lingered

    def started(self) -> None:
        self.case.do(self.name, "started")

    def ended(self) -> str | None:
        return self.case.ended

    def check(self) -> None:
        self.case.do(self.name, "check")

    def keep(self) -> None:
        self.case.do(self.name, "keep")

    def put_back(self) -> None:
        self.case.do(self.name, "put back")


@dataclass
class Provider:
    case: Case
    name: str

    def live(self) -> LiveService:
        return LiveService("i", self.name, "t", self.case.watch, "k", None, 2.0)

    def judge(self, _service: LiveService, ended: Callable[[], str | None]) -> None:
        self.case.do(self.name, "judge")
        ended()

    def place(self, _service: LiveService, _archive: bytes) -> None:
        self.case.do(self.name, "place")

    def gone(self, _service: LiveService, paths: object) -> None:
        pass

    def status(self) -> Status:
        return Status(Service("i", self.name, "", True), "healthy")


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Case:
    made = Case()
    monkeypatch.setattr(deploy, "settings_of", lambda project: SimpleNamespace(name=project.name))

    def of(session: Any) -> Any:
        name = session.project.name
        return SimpleNamespace(provider=Provider(made, name), settings=SimpleNamespace(name=name, live=Live("w")))

    monkeypatch.setattr(edit_turn, "Place", SimpleNamespace(of=of))
    return made


def test_each_deployment_serves_and_is_kept_when_all_are_good(case: Case) -> None:
    assert case.serve() == edit_turn.Done("compiled", 1, 0, ("api", "web"))
    verbs = ("start server", "started", "judge", "check", "keep", "ahead new")
    assert case.did == [f"{name} {verb}" for verb in verbs for name in ("api", "web")], "side by side"
    assert case.remarks == []


def test_what_another_one_needs_serves_before_that_is_started(case: Case) -> None:
    case.needs = {"api": ("web", "database"), "web": ()}
    case.serve()
    begun = [f"{name} {verb}" for name in ("web", "api") for verb in ("start server", "started", "judge")]
    assert case.did[:6] == begun
    # By way of one that stays as it is.
    case.did.clear()
    case.needs = {"api": ("between",), "between": ("web",), "web": ()}
    case.serve()
    assert case.did[:6] == begun


def test_where_one_does_not_start_all_are_put_back_and_none_is_judged_before(case: Case) -> None:
    case.fails["api started"] = DeployError("api: the new program does not start")
    with pytest.raises(NotServed) as told:
        case.serve()
    assert edit_turn.stage_of(told.value) == "start"
    put_back = [f"{name} {verb}" for name in ("web", "api") for verb in ("put back", "judge")]
    assert case.did == ["api start server", "web start server", "api started", *put_back]


@pytest.mark.parametrize("when", ["judge", "check", "keep"])
def test_what_fails_is_put_back_everywhere_and_judged_again(case: Case, when: str) -> None:
    case.fails[f"web {when}"] = DeployError("web: it ended", hint="look")
    with pytest.raises(NotServed) as told:
        case.serve()
    assert str(told.value) == "web: it ended\nwhat served before serves again\nnext: look"
    assert case.did[-4:] == ["web put back", "web judge", "api put back", "api judge"]


def test_only_what_is_another_one_is_named(case: Case) -> None:
    assert case.serve(CHANGED._replace(changed={"web": ("server",)})).deployments == ("web",)
    noted = [did for did in case.did if "ahead" in did]
    assert noted == ["web ahead new"], "the other one has the program of its image"
    assert case.serve(None) == edit_turn.Done("unchanged")


@pytest.mark.parametrize(("what", "stage"), [("place", "assets"), ("start", "start"), ("judge", "health")])
def test_what_fails_is_told_by_its_stage(case: Case, what: str, stage: str) -> None:
    case.fails[f"api {what}"] = DeployError("api: it does not")
    with pytest.raises(NotServed) as told:
        case.serve(None, {"api": assets.Change({}, ("/srv/gone",))})
    assert edit_turn.stage_of(told.value) == stage


def test_a_program_that_ends_has_not_started(case: Case) -> None:
    case.fails["web judge"] = DeployError("web: it ended")
    case.ended = "ended with exit code 101"
    with pytest.raises(NotServed) as told:
        case.serve()
    assert edit_turn.stage_of(told.value) == "start"


def test_all_that_have_ended_are_named(case: Case) -> None:
    case.fails["api judge"] = DeployError("the new program of api ended with exit code 101\nits last words")
    case.ended = "ended with exit code 101"
    with pytest.raises(NotServed) as told:
        case.serve()
    assert str(told.value).splitlines() == [
        "the new program of api ended with exit code 101",
        "its last words",
        "the new program of web ended with exit code 101, too",
        "what served before serves again",
    ]


def test_what_cannot_be_put_back_is_deployed_again(case: Case) -> None:
    case.fails = {"web judge": DeployError("web: it ended"), "web put back": DeployError("web: nor does the old one")}
    with pytest.raises(Astray, match="web: it ended\nweb: nor does the old one"):
        case.serve()
    assert case.did[-2:] == ["api put back", "api judge"]


@pytest.mark.parametrize("error", [Deserted("web: nothing listens"), Gone("the workshop has ended")])
def test_where_nobody_listens_it_is_deployed_again(case: Case, error: LayerdoitError) -> None:
    case.fails["web start server"] = error
    with pytest.raises(Astray, match=error.what):
        case.serve()
    assert "api put back" in case.did


def test_a_container_of_another_is_not_touched(case: Case) -> None:
    case.watch = "another"
    with pytest.raises(Astray, match="another watch has deployed api"):
        case.serve()
    assert case.did == []


def test_a_newer_change_puts_back_what_is_judged_and_waits_for_nothing(case: Case) -> None:
    case.cancel.set()
    with pytest.raises(Cancelled):
        case.serve()
    begun = [f"{name} {verb}" for verb in ("start server", "started") for name in ("api", "web")]
    assert case.did == [*begun, "api judge", "web put back", "api put back"]


def test_assets_that_were_placed_are_remembered_and_told(case: Case, tmp_path: Path) -> None:
    change = assets.Change({"/srv/link": (tmp_path / "link", Entry("l", _digest("there")))}, ())
    (tmp_path / "link").symlink_to("there")
    case.fails["api judge"] = DeployError("api: it ended")
    with pytest.raises(NotServed, match="serves again, with the new assets"):
        case.serve(None, {"api": change})
    assert case.placing == ["api"]
    begun = ["api place", "api start", "api started", "api judge"]
    assert case.did[:4] == begun, "no program is put in the place of another"


def test_a_program_that_listens_no_longer_and_takes_its_time_is_told_of_a_setting(case: Case) -> None:
    case.lingered = 0.199
    case.serve()
    assert case.remarks == []
    case.lingered = 0.306
    case.serve()
    assert case.remarks[0] == (
        "api: the old program took 0.31 s to end after it had stopped listening, and each edit waits for that; "
        "with watch.overlap: true, the new one starts meanwhile"
    )


def test_with_that_setting_the_end_of_the_old_program_is_not_waited_for(case: Case) -> None:
    case.overlap = True
    case.serve()
    assert "api overlap server" in case.did


def test_a_program_that_had_to_be_killed_is_told_once(case: Case) -> None:
    case.killed = True
    case.serve(CHANGED._replace(changed={"api": ("server",)}))
    assert case.remarks == [
        "api: the old program did not end within 2 s and was killed; have it end on SIGTERM, or set deploy.stop_grace"
    ]


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


# --- looked for beforehand -------------------------------------------------------------------------------------------


class Asked(Provider):
    times = 0

    def live(self) -> LiveService:
        self.times += 1
        return super().live()


def place_of(watch: str = "w") -> Any:
    provider = Asked(Case(watch=watch), "api")
    return SimpleNamespace(provider=provider, settings=SimpleNamespace(name="api", live=Live("w")))


def test_what_was_found_while_an_edit_compiled_is_not_looked_for_again() -> None:
    place = place_of()
    there = There([place])
    assert there.of(place)[1].name == "api"
    assert place.provider.times == 1
    assert there.of(place)[1].name == "api"
    assert place.provider.times == 2, "only once: the container may be another one after the edit"


def test_what_was_found_long_ago_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    place = place_of()
    there = There([place])
    monkeypatch.setattr("layerdoit.watch.there.FRESH", 0.0)
    there.of(place)
    assert place.provider.times == 2


def test_what_was_astray_a_moment_ago_may_be_there_now() -> None:
    place = place_of("another")
    there = There([place])
    with pytest.raises(Astray):
        there.of(place)
    assert place.provider.times == 2


def test_what_cargo_would_refuse_is_told_before_it_is_compiled(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_inputs: object) -> None:
        raise WorkspaceError("`api` requires Rust 1.99", where="api/Cargo.toml:5")

    monkeypatch.setattr(early_refusals, "check", refuse)
    part = SimpleNamespace(project=SimpleNamespace(kind="compiled"), inputs=object())
    workshop: Any = SimpleNamespace(compile=lambda *_: case.do("workshop", "compile"))
    wish = Wish(SimpleNamespace(built=[part]), OLD, NEW, workshop, {}, print, print)  # type: ignore[arg-type]
    told: list[str] = []
    edited = wish._replace(new=replace(NEW, apps={**NEW.apps, "api": {"sources": "other", "assets": "a"}}))
    with pytest.raises(WorkspaceError, match=r"^api/Cargo\.toml:5: "):
        edit_turn.compiled(edited, lambda kind, *_: told.append(kind), case.cancel)
    assert (case.did, told) == ([], [])
    assert edit_turn.compiled(wish, lambda kind, *_: told.append(kind), case.cancel) is None, "assets alone"
