"""What cargo's lines tell while it works, in the words of cargo 1.95."""

from __future__ import annotations

import pytest

from layerdoit.cargo.follow import Follower
from layerdoit.core.doing import Doing


def bar(done: int, total: int, *jobs: str) -> str:
    return f"    Building [=====>          ] {done}/{total}: {', '.join(jobs)}"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (" Downloading 3 crates", "downloading crates"),
        ("  Downloaded serde v1.0.1", "downloading crates"),
        ("    Updating crates.io index", "updating the index of crates"),
        ("    Blocking waiting for file lock", "waiting for another cargo"),
        ("    Finished `dev` profile [unoptimized] target(s) in 0.1s", "checking what was built"),
    ],
)
def test_each_of_cargos_words_has_one_of_ours(line: str, words: str) -> None:
    assert Follower().read(line) == Doing(words)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "warning: unused",
        "     Running unittests",
        "   Doc-tests lib",
        "Finished the dishes",
        "    Freshly",
        "test a",
    ],
)
def test_other_lines_are_no_progress(line: str) -> None:
    assert Follower().read(line) is None
    assert Follower().bar(line) is None


def test_all_jobs_are_those_of_cargos_own_bar() -> None:
    follower = Follower(3)
    follower.read("   Compiling proc-macro2 v1.0.107")
    now = follower.bar(bar(2, 31, "proc-macro2(build.rs)", "unicode-ident", "..."))
    assert now is not None
    assert now.jobs == ("proc-macro2(build.rs)", "unicode-ident")


def test_crates_are_counted_where_it_is_known_how_many_there_are() -> None:
    follower = Follower(4)
    lines = ["   Compiling a v1", "   Compiling b v1", "   Compiling c v1"]
    found = [follower.read(lines[0]), follower.bar(bar(0, 9, "a(build.rs)")), follower.read(lines[1])]
    found += [follower.bar(bar(1, 9, "a(build)", "b")), follower.read(lines[2]), follower.bar(bar(5, 9, "c"))]
    assert [now and (now.done, now.total, now.unit) for now in found][-1] == (2, 4, "crates")
    done = [now.done for now in found if now is not None and now.done is not None]
    assert done == sorted(done)
    assert found[-1] is not None
    assert found[-1].share == 0.5


def test_more_crates_than_were_expected_are_counted_as_cargo_does() -> None:
    follower = Follower(1)
    for name in "ab":
        follower.read(f"   Compiling {name} v1")
    now = follower.bar(bar(3, 9, "b"))
    assert now == Doing("compiling", jobs=("b",), done=0, total=6, unit="crates", share=0.0)


def test_what_is_fresh_does_not_count() -> None:
    follower = Follower()
    assert follower.bar(bar(100, 204, "serde")) == Doing("looking what is fresh", jobs=("serde",))
    assert follower.read("   Compiling app v0.1.0 (/build/src/app)") == Doing("compiling", jobs=("serde",))
    assert follower.bar(bar(202, 204, "app")) == Doing("compiling", 0, 2, "crates", 0.0, ("app",))
    assert follower.bar(bar(203, 204, "app(bin)")) == Doing("compiling", 1, 2, "crates", 0.5, ("app(bin)",))


def test_downloads_are_counted_by_their_bar() -> None:
    follower = Follower()
    now = follower.bar(" Downloading [======>        ] 12/40, remaining bytes: 1.3MiB")
    assert now == Doing("downloading crates", 12, 40, "", 0.3)
    assert follower.bar(" Downloading 13 crates") == Doing("downloading crates")
    assert follower.bar("       Fetch [====>    ] 34.50%, 1.2MiB/s") == Doing("fetching with git")
    assert follower.bar("       Fetch [=====>   ] 12 complete; 3 pending") == Doing("updating the index of crates")


def test_a_second_cargo_begins_anew() -> None:
    follower = Follower()
    follower.read("   Compiling app v0.1.0")
    follower.bar(bar(3, 4, "app"))
    follower.read("    Finished `dev` profile in 1s")
    follower.read("    Checking app v0.1.0")
    assert follower.bar(bar(7, 9, "app")) == Doing("checking", 0, 2, "crates", 0.0, ("app",))
