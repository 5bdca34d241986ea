"""`required-features`, judged by cargo itself: random workspaces, and a table of the ways to switch a feature on."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from layerdoit.cargo import manifest
from layerdoit.cargo.options import Options
from layerdoit.cargo.selection import select
from layerdoit.core.errors import WorkspaceError
from tests.support.cargo import CARGO, environment, run
from tests.support.files import write

pytestmark = pytest.mark.skipif(CARGO is None, reason="no cargo on this machine")

FEATURES = ("a", "b", "c")
LIBRARIES = 4
PROGRAMS = 2


def built(root: Path, packages: tuple[str, ...], options: Options) -> set[tuple[str, str]]:
    """The binaries that cargo would compile."""
    command = ["cargo", "build", *(word for name in packages for word in ("-p", name))]
    command += ["--unit-graph", "-Zunstable-options", "--offline"]
    command += [word for setting in options.settings() for word in setting.words]
    graph = json.loads(run(command, root, environment(RUSTC_BOOTSTRAP="1")))
    roots = [graph["units"][index] for index in graph["roots"]]
    return {
        (unit["pkg_id"].partition("#")[0].rpartition("/")[2], unit["target"]["name"])
        for unit in roots
        if unit["target"]["kind"] == ["bin"]
    }


class Chance:
    """A random workspace of libraries that depend on one another and programs on top."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311
        self.names = [f"l{number}" for number in range(LIBRARIES)] + [f"p{number}" for number in range(PROGRAMS)]
        self.macros = {name for name in self.names[:LIBRARIES] if self.dice.random() < 0.2}

    def one_in(self, number: int) -> bool:
        return self.dice.randrange(number) == 0

    def files(self) -> Mapping[str, str]:
        resolver = self.dice.choice(("1", "2", "2"))
        out = {"Cargo.toml": tomli_w.dumps({"workspace": {"members": self.names, "resolver": resolver}})}
        for number, name in enumerate(self.names):
            table = self.package(name, self.names[: min(number, LIBRARIES)])
            out[f"{name}/Cargo.toml"] = tomli_w.dumps(table)
            out[f"{name}/src/{'lib' if number < LIBRARIES else 'main'}.rs"] = "fn main() {}"
            out[f"{name}/build.rs"] = "fn main() {}"
        return out

    def package(self, name: str, below: list[str]) -> dict[str, Any]:
        table: dict[str, Any] = {"package": {"name": name, "version": "0.1.0", "edition": "2021"}}
        if name in self.macros:
            table["lib"] = {"proc-macro": True}
        values: list[str] = list(FEATURES)
        required: list[str] = list(FEATURES)
        for other in below:
            if self.one_in(3):
                continue
            alias = f"x{other}" if self.one_in(3) else other
            optional = self.one_in(2)
            spec = {"path": f"../{other}", "package": other, "features": self.some(FEATURES), "optional": optional}
            spec["default-features"] = not self.one_in(3)
            kind = self.dice.choice(("dependencies", "dependencies", "build-dependencies"))
            scope = table.setdefault("target", {}).setdefault("cfg(windows)", {}) if self.one_in(4) else table
            scope.setdefault(kind, {})[alias] = spec
            asked = [f"{alias}/{feature}" for feature in FEATURES]
            values += asked
            required += asked
            if optional:
                values += [f"{alias}?/{feature}" for feature in FEATURES]
                hidden = self.one_in(2)
                if not hidden:
                    required.append(alias)
                # One feature names it in either way, so that it is hidden, or is not.
                values += [f"dep:{alias}" if hidden else alias] * 2
                table.setdefault("features", {})[f"on-{alias}"] = [f"dep:{alias}" if hidden else alias]
        # No cycles: a feature switches on only those after it.
        order = ("default", *FEATURES)
        own = {
            feature: self.some([item for item in values if item not in order[: number + 1]], most=3)
            for number, feature in enumerate(order)
        }
        table["features"] = {**table.get("features", {}), **own}
        if name.startswith("p"):
            table["bin"] = [
                {"name": f"{name}{number}", "path": "src/main.rs", "required-features": self.some(required, most=2)}
                for number in range(6)
            ]
        return table

    def some(self, of: Any, most: int = 2) -> list[str]:
        return self.dice.sample(list(of), min(len(of), self.dice.randint(0, most)))

    def options(self, resolver: str) -> Options:
        if resolver == "1":  # a virtual workspace takes no features there
            return Options(profile="dev")
        return Options(
            profile="dev",
            features=tuple(self.some(FEATURES)),
            all_features=self.one_in(6),
            default_features=not self.one_in(4),
        )


@pytest.mark.parametrize("seed", range(24))
def test_a_random_workspace(seed: int, tmp_path: Path) -> None:
    chance = Chance(seed)
    root = write(tmp_path, chance.files())
    run(["cargo", "generate-lockfile", "--offline"], root, environment())
    ws = manifest.load(root)
    options = chance.options(ws.resolver)
    try:
        chosen = select(ws, (), (), options)
    except WorkspaceError:  # no binary at all
        assert not built(root, tuple(name for name in chance.names if name.startswith("p")), options)
        return
    assert set(chosen.bins) == built(root, chosen.packages, options)


BIN = '[[bin]]\nname = "{0}"\npath = "src/main.rs"\nrequired-features = {1}\n'
WEAK = 'default = ["w", "v"]\nv = ["it?/a"]\nw = ["dep:it"]'
RENAMED = 'lg = { package = "it", path = "../it", optional = true }'
WAYS: list[tuple[str, str, list[str], set[str]]] = [
    # dependencies, features, required by the binaries x0, x1 …, which of them are built
    ('it = { path = "../it" }', 'default = ["it/a"]', ['["it/a"]', '["it/b"]'], {"x0"}),
    (RENAMED, 'default = ["lg/a"]', ['["lg"]', '["lg/a"]'], {"x0", "x1"}),
    ('it = { path = "../it", optional = true }', 'default = ["it?/a"]', ['["it"]', '["it/a"]'], set()),
    ('it = { path = "../it", optional = true }', WEAK, ['["it/a"]'], {"x0"}),
    ('it = { path = "../it", features = ["c"] }', "", ['["it/c"]', '["it/d"]'], {"x0", "x1"}),
]


@pytest.mark.parametrize(("dependencies", "features", "required", "names"), WAYS)
def test_a_way_to_switch_it_on(
    dependencies: str, features: str, required: list[str], names: set[str], tmp_path: Path
) -> None:
    head = '[package]\nname = "{0}"\nversion = "0.1.0"\nedition = "2021"\n'
    bins = "".join(BIN.format(f"x{number}", item) for number, item in enumerate([*required, "[]"]))
    root = write(
        tmp_path,
        {
            "p/Cargo.toml": f"{head.format('p')}[dependencies]\n{dependencies}\n[features]\n{features}\n{bins}",
            "p/src/main.rs": "fn main() {}",
            "p/Cargo.lock": "",
            "it/Cargo.toml": f'{head.format("it")}[features]\na = []\nb = []\nc = ["d"]\nd = []\n',
            "it/src/lib.rs": "",
        },
    )
    run(["cargo", "generate-lockfile", "--offline"], root / "p", environment())
    options = Options(profile="dev")
    chosen = {name for _, name in select(manifest.load(root / "p"), (), (), options).bins}
    assert chosen == {name for _, name in built(root / "p", ("p",), options)}
    assert chosen == names | {f"x{len(required)}"}
