"""What runs is what the sources say: after every build the image's binary is run, and what it prints is compared."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from layerdoit.core.errors import BuildError
from layerdoit.engine import buildx
from layerdoit.flows.ensure import ensure
from layerdoit.tree.staging import stage
from tests.support.checkout import Checkout

RUNS = int(os.environ.get("LAYERDOIT_STALE_RUNS", "200"))
SEED = int(os.environ.get("LAYERDOIT_STALE_SEED", str(random.SystemRandom().randrange(10**6))))
WORKERS = 2
CONSTANTS = {"app/src/main.rs": "MAIN", "lib/src/lib.rs": "LIB", "lib/src/deep.rs": "DEEP"}
DATA = ("app/data/text.txt", "app/data/made.txt", "lib/data/macro.txt", "VERSION")
# Without the included text nothing compiles; the others' readers say "none".
DISPENSABLE = DATA[1:]
HOUR_NS = 3_600_000_000_000


class Editor:
    """A user, a branch switch, a backup tool and a careless script, in random order."""

    def __init__(self, checkout: Checkout, chance: random.Random) -> None:
        self.checkout, self.root, self.chance = checkout, checkout.root, chance
        self.done: list[str] = []
        self.states: list[dict[str, tuple[bytes, int]]] = []
        self.branches: list[str] = []
        self.gone: dict[str, tuple[bytes, int]] = {}
        checkout.git("init", "-q", "-b", "first")
        self.branch()

    def step(self) -> None:
        """One edit."""
        edits: list[tuple[int, Callable[[], str | None]]] = [
            (5, self.constant),
            (5, self.data),
            (3, self.quiet),
            (3, self.swap),
            (2, self.times),
            (3, self.module),
            (2, self.part),
            (1, self.script),
            (2, self.remove),
            (2, self.bring_back),
            (2, self.branch),
            (3, self.switch),
            (3, self.revert),
        ]
        edit = self.chance.choices([edit for _, edit in edits], [weight for weight, _ in edits])[0]
        self.done.append(f"{edit.__name__}: {edit()}")

    def number(self) -> str:
        """Always four digits: sizes stay equal."""
        return f"{self.chance.randrange(10_000):04d}"

    def constant(self) -> str:
        path = self.chance.choice(list(CONSTANTS))
        text = self.checkout.read(path)
        head, _, rest = text.partition(f'const {CONSTANTS[path]}: &str = "')
        new = self.number()
        (self.root / path).write_text(f'{head}const {CONSTANTS[path]}: &str = "{new}{rest[4:]}')
        return f"{path} {new}"

    def data(self) -> str:
        path, new = self.chance.choice(DATA), self.number()
        self.checkout.write({path: new})
        return f"{path} {new}"

    def quiet(self) -> str:
        """A change of equal size that keeps the file's time."""
        path, new = self.chance.choice(DATA), self.number()
        target = self.root / path
        before = target.stat().st_mtime_ns if target.exists() else time.time_ns()
        self.checkout.write({path: new})
        os.utime(target, ns=(before, before))
        return f"{path} {new}"

    def swap(self) -> str:
        """Two files of equal size, and sometimes of equal time, in each other's place; by renames."""
        first, second = (
            self.chance.sample(["app/data/text.txt", *self.present(DISPENSABLE)], 2)
            if (self.present(DISPENSABLE))
            else ("app/data/text.txt", "app/data/text.txt")
        )
        if first == second:
            return "nothing"
        if self.chance.random() < 0.5:
            stamp = (self.root / first).stat().st_mtime_ns
            os.utime(self.root / second, ns=(stamp, stamp))
        aside = self.root / "x-aside"
        os.rename(self.root / first, aside)
        os.rename(self.root / second, self.root / first)
        os.rename(aside, self.root / second)
        return f"{first} {second}"

    def times(self) -> str:
        path = self.chance.choice([*CONSTANTS, *self.present(DATA), "app/build.rs", "app/Cargo.toml"])
        stamp = time.time_ns() + self.chance.randrange(-10_000, 10_000) * HOUR_NS // 10
        os.utime(self.root / path, ns=(stamp, stamp))
        return path

    def module(self) -> str:
        without, with_it = self.checkout.extra
        if without in self.checkout.read("app/src/main.rs"):
            value = self.number()
            self.checkout.write({"app/src/extra.rs": f'pub const EXTRA: &str = "{value}";\n'})
            self.checkout.replace("app/src/main.rs", without, with_it)
            return f"added {value}"
        (self.root / "app/src/extra.rs").unlink()
        self.checkout.replace("app/src/main.rs", with_it, without)
        return "removed"

    def part(self) -> str:
        """A file that only a macro's look into its folder finds."""
        target = self.root / f"lib/src/parts/{self.chance.choice('ab')}.rs"
        if target.exists():
            target.unlink()
            if not list(target.parent.iterdir()):
                target.parent.rmdir()
            return f"{target.name} removed"
        target.parent.mkdir(exist_ok=True)
        target.write_text("")
        return f"{target.name} added"

    def script(self) -> str:
        target = self.root / "lib/build.rs"
        if target.exists() and self.chance.random() < 0.5:
            target.unlink()
            return "removed"
        value = self.number()
        target.write_text(self.checkout.lib_build.replace("0000", value))
        return value

    def remove(self) -> str | None:
        found = self.present(DISPENSABLE)
        if not found:
            return None
        path = self.chance.choice(found)
        target = self.root / path
        self.gone[path] = (target.read_bytes(), target.stat().st_mtime_ns)
        target.unlink()
        return path

    def bring_back(self) -> str | None:
        if not self.gone:
            return None
        path = self.chance.choice(list(self.gone))
        self.put(path, *self.gone.pop(path))
        return path

    def branch(self) -> str:
        name = f"b{len(self.branches)}"
        self.checkout.git("checkout", "-q", "-b", name)
        self.commit()
        self.branches.append(name)
        return name

    def switch(self) -> str:
        self.commit()
        name = self.chance.choice(self.branches)
        self.checkout.git("checkout", "-q", name)
        return name

    def commit(self) -> None:
        self.checkout.git("add", "-A")
        self.checkout.git("commit", "-q", "--allow-empty", "-m", "x")

    def revert(self) -> str | None:
        """All files as they were at an earlier build, with their old times, as a restored backup has them."""
        if not self.states:
            return None
        number = self.chance.randrange(len(self.states))
        wanted = self.states[number]
        for path in self.files() - wanted.keys():
            (self.root / path).unlink()
        for path, (content, stamp) in wanted.items():
            self.put(path, content, stamp)
        return f"to state {number}"

    def remember(self) -> None:
        """Keep the current tree."""
        self.states.append({path: (file.read_bytes(), file.stat().st_mtime_ns) for path, file in self.found().items()})

    def put(self, path: str, content: bytes, stamp: int) -> None:
        target = self.root / path
        target.parent.mkdir(exist_ok=True, parents=True)
        target.write_bytes(content)
        os.utime(target, ns=(stamp, stamp))

    def present(self, paths: tuple[str, ...]) -> list[str]:
        return [path for path in paths if (self.root / path).exists()]

    def found(self) -> dict[str, Path]:
        tracked = self.checkout.git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return {path: self.root / path for path in tracked.split("\0") if path and (self.root / path).is_file()}

    def files(self) -> set[str]:
        return set(self.found())


def broken_then_repaired(checkout: Checkout, editor: Editor) -> None:
    """A compile error, then the file as it was, with its old time."""
    target = checkout.root / "app/src/main.rs"
    content, stamp = target.read_bytes(), target.stat().st_mtime_ns
    target.write_bytes(content + b"\nfn broken( {\n")
    editor.done.append("a compile error, repaired")
    with pytest.raises(BuildError, match=r"error: .*(delimiter|expected)"):
        checkout.build()
    editor.put("app/src/main.rs", content, stamp)


def one_user(checkout: Checkout, chance: random.Random, runs: int) -> list[str]:
    """Edit, build, run, compare; the edits that led to a stale binary, or none."""
    editor = Editor(checkout, chance)
    for _ in range(runs):
        editor.done.append("build")
        if chance.random() < 0.03:
            broken_then_repaired(checkout, editor)
        tag = checkout.build()["app"].step.spec.tag
        said, promised = checkout.said(tag), checkout.promised()
        if said != promised:
            return [*editor.done, f"it says {said!r}", f"the sources say {promised!r}"]
        editor.remember()
        for _ in range(chance.randrange(1, 4)):
            editor.step()
    return []


def test_random_edits_never_ship_a_stale_binary(checkout: Callable[..., Checkout]) -> None:
    print(f"LAYERDOIT_STALE_SEED={SEED} LAYERDOIT_STALE_RUNS={RUNS}")
    users = [checkout() for _ in range(WORKERS)]
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = [
            pool.submit(one_user, user, random.Random(f"{SEED}/{number}"), -(-RUNS // WORKERS))  # noqa: S311
            for number, user in enumerate(users)
        ]
        for future in futures:
            trail = future.result()
            assert not trail, f"stale with LAYERDOIT_STALE_SEED={SEED}: " + "; ".join(trail[-40:])


def test_a_context_that_buildkit_takes_for_known_is_sent_again(
    checkout: Callable[..., Checkout], monkeypatch: pytest.MonkeyPatch
) -> None:
    """BuildKit skips a file of equal size and time. The check in the build answers 86; the sources are sent again."""
    one = checkout()
    one.build()
    sent = one.root / ".layerdoit/context/app/src/app/data/text.txt"
    real, codes = buildx.run, list[str]()

    def tampering(build: buildx.Build, *rest: Any) -> buildx.Built:
        if not codes:
            os.utime(sent, ns=(before, before))
        try:
            built = real(build, *rest)
        except buildx.StepFailed as failed:
            codes.append(f"{failed.code}")
            raise
        codes.append("built")
        return built

    monkeypatch.setattr(buildx, "run", tampering)
    # A busy engine may keep a second copy of the context, and then sees the change: tried until the trap closes.
    for number in range(20):
        codes.clear()
        before = sent.stat().st_mtime_ns
        one.write({"app/data/text.txt": f"11{number:02}"})
        tag = one.build()["app"].step.spec.tag
        assert one.said(tag) == one.promised()
        if codes == ["86", "built"]:
            return
    pytest.fail(f"the trap did not close: {codes}")


def test_a_tampered_context_is_repaired_before_it_is_sent(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    one.build()
    sent = one.root / ".layerdoit/context/app/src/app/data/text.txt"
    found = sent.stat()
    sent.write_text("6666")
    os.utime(sent, ns=(found.st_atime_ns, found.st_mtime_ns))
    (one.root / ".layerdoit/context/app/src/app/src/stray.rs").write_text("")
    one.write({"VERSION": "2222"})
    assert one.said(one.build()["app"].step.spec.tag) == one.promised()


def test_sources_of_another_key_are_refused(checkout: Callable[..., Checkout], monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole other context, consistent in itself (another run's, say), does not get the tag of this run's key."""
    one = checkout()
    one.build()
    real, seen = buildx.run, list[str]()

    def exchanged(build: buildx.Build, *rest: Any) -> buildx.Built:
        if not seen:
            seen.append(build.tags[0])
            one.write({"VERSION": "5555"})
            stage(one.session().inputs.sources, build.context / "src", tree=build.context / "control/tree")
            one.write({"VERSION": "4444"})
        return real(build, *rest)

    one.write({"VERSION": "4444"})
    monkeypatch.setattr(buildx, "run", exchanged)
    tag = one.build()["app"].step.spec.tag
    assert one.said(tag) == one.promised()


def new_logs(one: Checkout, known: set[Path]) -> set[Path]:
    return set(one.logs("app")) - known


def holds(log: Path, text: str) -> bool:
    return text in log.read_text()


def test_an_edit_during_a_build_is_in_the_next_one(checkout: Callable[..., Checkout]) -> None:
    """The key is of what was sent; what came later is another key."""
    one = checkout()
    one.build()
    for moment, (start, later) in enumerate((("1000", "1001"), ("1002", "1003"), ("1004", "1005"))):
        one.write({"app/data/text.txt": start})
        known = set(one.logs("app"))
        child = one.start("app")
        # Before it begins, when it has begun, when it compiles.
        if moment:
            new = next(iter(one.until(partial(new_logs, one, known), what="a new log")))
            if moment > 1:
                one.until(partial(holds, new, "Compiling"), what="compiling")
        one.write({"app/data/text.txt": later})
        _, err = child.communicate(timeout=120)
        assert child.returncode == 0, err
        assert "text=" in one.said(f"{one.name}:latest")
        tag = one.build()["app"].step.spec.tag
        assert one.said(tag) == one.promised()
        one.write({"app/data/text.txt": start})
        assert one.said(one.build()["app"].step.spec.tag) == one.promised()


def test_an_edit_between_two_layers_makes_both_again(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    session = one.session()
    for layer in ("base", "deps"):
        ensure(session, layer)
    one.replace("Cargo.toml", "debug = 0", "debug = 0\nopt-level = 1")
    made = [outcome.step.spec for outcome in ensure(session, "app")]
    assert [spec.layer for spec in made] == ["deps", "app"]
    assert one.said(made[-1].tag) == one.promised()
    assert {outcome.step.action for outcome in one.build().values()} == {"reuse"}


def test_an_edit_compiles_no_more_than_cargo_would(checkout: Callable[..., Checkout]) -> None:
    """Distrust is for files that cargo does not know of."""
    one = checkout()
    one.write({"lib/src/main.rs": "mod part;\nfn main() { part::part() }\n", "lib/src/part.rs": "pub fn part() {}\n"})
    one.write({"README.md": "old", "lib/build.rs": one.lib_build, "lib/tests/some.rs": ""})
    one.build()
    one.write({"lib/src/part.rs": "pub fn part() { println!() }\n"})
    assert one.build()["app"].counts["compiled"] == 1, "the package's binary, not its library"
    one.write({"README.md": "new", "lib/tests/some.rs": "// new", "lib/tests/more.rs": ""})
    assert one.build()["app"].step.action == "reuse", "nothing reads them"
    one.write({"README.md": "newer", "lib/src/part.rs": "pub fn part() {}\n"})
    assert one.build()["app"].step.action == "reuse", "for what is read, it is the first tree"
    one.write({"lib/src/part.rs": "pub fn part() { eprintln!() }\n"})
    assert one.build()["app"].counts["compiled"] == 1


def test_a_lost_state_folder_costs_only_time(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    one.build()
    shutil.rmtree(one.root / ".layerdoit")
    one.write({"VERSION": "3333"})
    assert one.said(one.build()["app"].step.spec.tag) == one.promised()


def test_latest_follows_a_switch_back(checkout: Callable[..., Checkout]) -> None:
    """An image that is there already is not built, but `latest` must name it."""
    one = checkout()
    assert one.doit().returncode == 0
    first = one.promised()
    one.write({"VERSION": "7777"})
    assert one.doit().returncode == 0
    assert one.said(f"{one.name}:latest") == one.promised()
    one.write({"VERSION": "0000"})
    done = one.doit()
    assert done.returncode == 0, done.stderr
    assert one.promised() == first
    assert one.said(f"{one.name}:latest") == first
