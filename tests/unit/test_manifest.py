from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerdoit.cargo import lock as lockfile
from layerdoit.cargo import manifest
from layerdoit.cargo.deps_inputs import inputs
from layerdoit.cargo.discovery import find_root
from layerdoit.cargo.options import Options
from layerdoit.cargo.selection import Selection, bin_arguments, select
from layerdoit.core.errors import WorkspaceError
from tests.support.files import write as write_files
from tests.support.lockfile import entry, external
from tests.support.lockfile import lockfile as lock_text
from tests.support.manifest import package

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write(root: Path, files: Mapping[str, str]) -> Path:
    write_files(root, files)
    lock = root / "Cargo.lock"
    if not lock.exists():
        lock.write_text("version = 4\n")
    return root


MAIN = "fn main() {}"


def test_members_globs_exclude_and_implicit(tmp_path: Path) -> None:
    root = write(
        tmp_path / "ws",
        {
            "Cargo.toml": '[workspace]\nmembers = ["crates/*", "./one/", "deep/**"]\n'
            'exclude = ["crates/out", "libs/no"]\n',
            "crates/a/Cargo.toml": package(
                "a", '[dependencies]\nyes = { path = "../../libs/yes" }\nno = { path = "../../libs/no" }\n'
                'far = { path = "../../../far" }\njoined = { path = "../../../joined" }'
            ),
            "crates/out/Cargo.toml": package("out"),
            "crates/readme.md": "",
            "crates/empty/readme.md": "",
            "one/Cargo.toml": package("one"),
            "deep/x/y/Cargo.toml": package("deep"),
            "libs/yes/Cargo.toml": package("yes", '[dev-dependencies]\nkit = { path = "../kit" }'),
            "libs/kit/Cargo.toml": package("kit"),
            "libs/no/Cargo.toml": package("no", '[dev-dependencies]\nabsent = { path = "../absent" }'),
            "../far/Cargo.toml": package("far"),
            "../joined/Cargo.toml": package("joined", head='workspace = "../ws"'),
        },
    )  # fmt: skip
    ws = manifest.load(root)
    assert {key for key, item in ws.packages.items() if item.member} == {"a", "one", "deep", "yes", "kit", "joined"}
    assert {key for key, item in ws.packages.items() if not item.member} == {"no", "far"}
    assert ws.extra == ("../far", "../joined")
    assert ws.packages["far"].dir == "../far"


def test_the_folder_around_the_workspace_can_be_a_package(tmp_path: Path) -> None:
    """A program in a folder of its library's repository."""
    files = {"Cargo.toml": package("tool", '[dependencies]\nkit = { path = ".." }'), "../Cargo.toml": package("kit")}
    ws = manifest.load(write(tmp_path / "tool", files))
    assert ws.packages["kit"].dir == ".."
    assert ws.extra == ("..",)


def test_a_single_package_has_one_member(tmp_path: Path) -> None:
    files = {"Cargo.toml": package("a", '[dependencies]\nb = { path = "b" }'), "b/Cargo.toml": package("b")}
    ws = manifest.load(write(tmp_path, files))
    assert [key for key, item in ws.packages.items() if item.member] == ["a"]
    assert ws.default_members == ("a",)
    assert ws.root_package == "a"
    assert ws.extra == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[workspace]\n", "1"),
        ('[workspace]\nresolver = "2"\n', "2"),
        ('[package]\nname = "a"\nedition = "2018"\n', "1"),
        ('[package]\nname = "a"\nedition = "2021"\n', "2"),
        ('[package]\nname = "a"\nedition = "2024"\nresolver = "1"\n', "1"),
        ('[workspace.package]\nedition = "2024"\n[package]\nname = "a"\nedition.workspace = true\n', "3"),
    ],
)
def test_resolver(text: str, expected: str, tmp_path: Path) -> None:
    root = write(tmp_path, {"m/Cargo.toml": package("m")})
    members = 'members = ["m"]\n'
    root.joinpath("Cargo.toml").write_text(text.replace("[workspace]\n", "[workspace]\n" + members))
    assert manifest.load(root).resolver == expected


def test_inherited_dependencies_are_literal(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "Cargo.toml": '[workspace]\nmembers = ["a"]\n[workspace.package]\nversion = "4.2.0"\n'
            "[workspace.dependencies]\n"
            'plain = "1"\nbare = { version = "2", default-features = false, features = ["x"] }\n'
            'on = { version = "3", default-features = false }\nb = { path = "libs/b", version = "0.1" }\n',
            "a/Cargo.toml": '[package]\nname = "a"\nversion.workspace = true\n[dependencies]\nplain.workspace = true\n'
            'bare = { workspace = true, features = ["y", "x"], optional = true }\n'
            "on = { workspace = true, default-features = true }\n"
            '[target."cfg(unix)".build-dependencies]\nb.workspace = true\n',
            "libs/b/Cargo.toml": package("b"),
        },
    )
    ws = manifest.load(root)
    found = {item.name: item for item in ws.packages["a"].dependencies}
    assert ws.packages["a"].version == "4.2.0"
    assert found["plain"].spec == {"version": "1"}
    assert found["bare"].spec == {
        "version": "2", "default-features": False, "features": ["x", "y"], "optional": True,
    }  # fmt: skip
    assert found["on"].spec["default-features"] is True
    assert (found["b"].path, found["b"].kind, found["b"].target) == ("libs/b", "build", "cfg(unix)")


@pytest.mark.parametrize(
    ("body", "files", "bins"),
    [
        ("", ["src/main.rs"], ["a"]),
        ("", ["src/main.rs", "src/bin/x.rs", "src/bin/y/main.rs", "src/bin/z/lib.rs"], ["a", "x", "y"]),
        ('[[bin]]\nname = "tool"\npath = "src/main.rs"', ["src/main.rs"], ["tool"]),
        ('[[bin]]\nname = "tool"\npath = "t.rs"', ["src/main.rs", "t.rs"], ["a", "tool"]),
        ('[[bin]]\nname = "x"', ["src/bin/x.rs"], ["x"]),
        ("", ["src/lib.rs"], []),
    ],
)
def test_binaries(body: str, files: list[str], bins: list[str], tmp_path: Path) -> None:
    root = write(tmp_path, {"Cargo.toml": package("a", body), **dict.fromkeys(files, MAIN)})
    assert list(manifest.load(root).packages["a"].bins) == bins


@pytest.mark.parametrize(("edition", "head", "bins"), [
    ("2015", "", ["tool"]), ("2015", "autobins = true", ["a", "tool"]), ("2021", "autobins = false", ["tool"]),
])  # fmt: skip
def test_autobins(edition: str, head: str, bins: list[str], tmp_path: Path) -> None:
    text = f'[package]\nname = "a"\nedition = "{edition}"\n{head}\n[[bin]]\nname = "tool"\npath = "t.rs"\n'
    root = write(tmp_path, {"Cargo.toml": text, "src/main.rs": MAIN, "t.rs": MAIN})
    assert list(manifest.load(root).packages["a"].bins) == bins


def test_what_a_package_is(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "Cargo.toml": '[workspace]\nmembers = ["*"]\n',
            "auto/Cargo.toml": package("auto"),
            "auto/build.rs": MAIN,
            "auto/src/lib.rs": "",
            "named/Cargo.toml": package("named", head='build = "build/main.rs"\nlinks = "z"'),
            "off/Cargo.toml": package("off", head="build = false"),
            "off/build.rs": MAIN,
            "macro/Cargo.toml": package("macro", "[lib]\nproc-macro = true"),
            "dynamic/Cargo.toml": package("dynamic", '[lib]\ncrate-type = ["cdylib"]'),
        },
    )
    packages = manifest.load(root).packages
    assert [key for key, item in packages.items() if item.build_script] == ["auto", "named"]
    assert [key for key, item in packages.items() if item.proc_macro] == ["macro"]
    assert packages["auto"].has_lib
    assert not packages["off"].has_lib
    assert packages["dynamic"].crate_types == ("cdylib",)


def test_local_packages_of_one_name(tmp_path: Path) -> None:
    other = package("b").replace("0.1.0", "0.2.0")
    body = '[dependencies]\nb = { path = "b" }\nb2 = { package = "b", path = "b2" }'
    root = write(tmp_path, {"Cargo.toml": package("a", body), "b/Cargo.toml": package("b"), "b2/Cargo.toml": other})
    assert list(manifest.load(root).packages) == ["a", "b", "b@0.2.0"]


def test_a_dependency_inherits_from_its_own_workspace(tmp_path: Path) -> None:
    root = write(
        tmp_path / "ws",
        {
            "Cargo.toml": package("a", '[dependencies]\nb = { path = "../other/b" }'),
            "../other/Cargo.toml": '[workspace]\nmembers = ["b"]\n[workspace.dependencies]\nserde = "1.0.7"\n',
            "../other/b/Cargo.toml": package("b", "[dependencies]\nserde.workspace = true"),
        },
    )
    found = manifest.load(root).packages["b"]
    assert found.workspace_dir == "../other"
    assert found.dependencies[0].spec == {"version": "1.0.7"}


TABLE = '[workspace]\nmembers = ["a"]\n'
CONFIG = ".cargo/config.toml"


@pytest.mark.parametrize(
    ("files", "where", "what"),
    [
        ({"Cargo.toml": '[workspace]\nmembers = ["gone"]\n'}, "Cargo.toml:2", "workspace.members .* in gone,"),
        (
            {"Cargo.toml": TABLE, "a/Cargo.toml": package("a", '[dependencies]\nc = "1"\nb = { path = "../../b" }')},
            "a/Cargo.toml:8",
            "dependency `b` .* in ../b,",
        ),
        (
            {"Cargo.toml": package("a", '[target."cfg(unix)".dev-dependencies.b]\npackage = "c"\npath = "b"')},
            "Cargo.toml:8",
            "dependency `b` .* in b,",
        ),
        (
            {
                "Cargo.toml": TABLE + '[workspace.dependencies]\nb = { path = "b" }',
                "a/Cargo.toml": package("a", "[dependencies]\nb.workspace = true"),
            },
            "Cargo.toml:4",
            "dependency `b` .* in b,",
        ),
        ({"Cargo.toml": package("a", '[patch.crates-io]\nb = { path = "b" }')}, "Cargo.toml:7", "patch of `b` .* in b"),
        ({"Cargo.toml": package("a", '[replace]\n"b:1.0.0" = { path = "b" }')}, "Cargo.toml:7", "replace of `b:1.0.0`"),
        (
            {"Cargo.toml": package("a"), CONFIG: '[patch.crates-io]\nb.path = "b"'},
            f"{CONFIG}:2",
            "patch of `b` .* in b,",
        ),
        (
            {
                "Cargo.toml": package("b", '[dependencies]\na = { path = "../a" }'),
                "../a/Cargo.toml": package("a", head='workspace = "../c"\nlicense.workspace = true'),
            },
            "../a/Cargo.toml:5",
            "package.workspace .* in ../c,",
        ),
    ],
)
def test_a_package_that_is_not_there_is_told_where_it_is_named(
    files: dict[str, str], where: str, what: str, tmp_path: Path
) -> None:
    root = write(tmp_path / "root", files)
    with pytest.raises(WorkspaceError, match=f"{what}.* but there is no Cargo.toml") as caught:
        manifest.load(root)
    assert caught.value.where == str(root / where)
    assert caught.value.hint == "correct the path, add the package, or remove the entry"


@pytest.mark.parametrize(
    ("files", "where", "what"),
    [
        ({"Cargo.toml": '[package]\nname = "a"\nversion = \n'}, "Cargo.toml:3", "not valid TOML"),
        ({"Cargo.toml": '[package]\nname = "a\n'}, "Cargo.toml:2", "not valid TOML"),
        ({"Cargo.toml": '[package]\nname = "a"\n[dependencies]\nx = {'}, "Cargo.toml:4", "not valid TOML"),
        ({"Cargo.toml": package("a"), ".cargo/config.toml": "\n[build\n"}, ".cargo/config.toml:2", "not valid TOML"),
        ({"Cargo.toml": package("a"), "Cargo.lock": "version = 4\n<<<<<<< HEAD\n"}, "Cargo.lock:2", "merge conflict"),
        ({"Cargo.toml": package("a", "[dependencies]\nb.workspace = true")}, "Cargo.toml", "says `workspace = true`"),
        ({"Cargo.toml": "[workspace]\n"}, "Cargo.toml", "neither"),
        ({"Cargo.toml": package("../../a")}, "Cargo.toml", "package.name"),
        ({"Cargo.toml": package("a", "[dependencies]\nb = 1")}, "Cargo.toml", "wrong type"),
        ({"Cargo.toml": package("a", '[profile]\ndev = "fast"')}, "Cargo.toml", "wrong type"),
        ({"Cargo.toml": '[workspace]\nmembers = "a"\n'}, "Cargo.toml", "list of strings"),
    ],
)
def test_errors_name_file_and_line(files: dict[str, str], where: str, what: str, tmp_path: Path) -> None:
    root = write(tmp_path, files)
    with pytest.raises(WorkspaceError, match=what) as caught:
        _ = (manifest.load(root), lockfile.load(root))
    assert caught.value.where == str(root / where)


@pytest.mark.parametrize(("folder", "lacks"), [("member", "Cargo.lock"), ("member/src", "Cargo.toml")])
def test_a_folder_inside_a_project_is_told_where_it_is(folder: str, lacks: str, tmp_path: Path) -> None:
    """A second Cargo.lock, or a new package, would be the wrong advice."""
    root = write(
        tmp_path, {"Cargo.toml": '[workspace]\nmembers = ["member"]\n', "member/Cargo.toml": package("member")}
    )
    (root / folder).mkdir(exist_ok=True)
    with pytest.raises(WorkspaceError, match=f"no {lacks} here: this folder is inside the Rust project") as caught:
        manifest.load(root / folder)
    assert str(root) in caught.value.what
    assert "cargo" not in (caught.value.hint or "")


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"no Cargo\.toml"):
        manifest.load(tmp_path)
    tmp_path.joinpath("Cargo.toml").write_text(package("a"))
    with pytest.raises(WorkspaceError, match="cargo generate-lockfile"):
        manifest.load(tmp_path)


def test_not_utf8(tmp_path: Path) -> None:
    root = write(tmp_path, {"Cargo.toml": ""})
    root.joinpath("Cargo.toml").write_bytes(b'[package]\nname = "\xff"\n')
    with pytest.raises(WorkspaceError, match="not UTF-8") as caught:
        manifest.load(root)
    assert caught.value.where == f"{root / 'Cargo.toml'}:2"


def test_find_root(tmp_path: Path) -> None:
    files = {
        "Cargo.toml": '[workspace]\nmembers = ["a"]\nexclude = ["alone"]\n',
        "a/Cargo.toml": package("a"),
        "a/src/lib.rs": "",
        "alone/Cargo.toml": package("alone"),
        "pointing/Cargo.toml": package("pointing", head='workspace = "../other"'),
    }
    root = write(tmp_path, files)
    assert find_root(root / "a/src") == root
    assert find_root(root / "alone") == root / "alone"
    assert find_root(root / "pointing") == root / "other"


def many(root: Path) -> Path:
    """Three packages with binaries; one is called xtask, one binary needs a feature."""
    return write(
        root,
        {
            "Cargo.toml": '[workspace]\nmembers = ["api", "worker", "xtask", "lib"]\n',
            "api/Cargo.toml": package(
                "api",
                '[features]\nextra = ["inner"]\ninner = []\n[[bin]]\nname = "dump"\nrequired-features = ["inner"]\n',
            ),
            "api/src/main.rs": MAIN,
            "api/src/bin/dump.rs": MAIN,
            "worker/Cargo.toml": package("worker"),
            "worker/src/main.rs": MAIN,
            "worker/src/bin/dump.rs": MAIN,
            "xtask/Cargo.toml": package("xtask"),
            "xtask/src/main.rs": MAIN,
            "lib/Cargo.toml": package("lib"),
            "lib/src/lib.rs": "",
        },
    )


@pytest.mark.parametrize(
    ("packages", "bins", "features", "expected"),
    [
        ([], [], [], [("api", "api"), ("worker", "dump"), ("worker", "worker")]),
        (["api"], [], ["extra"], [("api", "api"), ("api", "dump")]),
        (["xtask"], [], [], [("xtask", "xtask")]),
        ([], ["worker"], [], [("worker", "worker")]),
        (["api"], ["dump"], [], [("api", "dump")]),
        ([], ["xtask"], [], [("xtask", "xtask")]),
    ],
)
def test_select(
    packages: list[str], bins: list[str], features: list[str], expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    ws = manifest.load(many(tmp_path))
    chosen = select(ws, packages, bins, Options(features=tuple(features)))
    assert list(chosen.bins) == expected
    assert list(chosen.packages) == sorted({name for name, _ in expected})


@pytest.mark.parametrize(
    ("packages", "bins", "says"),
    [
        (["wroker"], [], 'did you mean "worker"? valid names: '),
        ([], ["wroker"], 'did you mean "worker"? valid names: '),
        (["worker"], ["api"], "no binary `api`"),
        (["lib"], [], "has no binary"),
        ([], ["dump"], "exists in api and worker"),
    ],
)
def test_select_errors(packages: list[str], bins: list[str], says: str, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError) as caught:
        select(manifest.load(many(tmp_path)), packages, bins)
    assert says in str(caught.value)


@pytest.mark.parametrize(("packages", "bins", "place"), [(["wroker"], [], "a.yaml:2"), ([], ["wroker"], "a.yaml:5")])
def test_what_is_not_there_is_told_where_it_is_named(
    packages: list[str], bins: list[str], place: str, tmp_path: Path
) -> None:
    with pytest.raises(WorkspaceError) as caught:
        select(manifest.load(many(tmp_path)), packages, bins, places={"packages": "a.yaml:2", "bins": "a.yaml:5"})
    assert caught.value.where == place


def test_two_binaries_of_one_name_are_refused(tmp_path: Path) -> None:
    ws = manifest.load(many(tmp_path))
    with pytest.raises(WorkspaceError) as caught:
        select(ws, (), (), Options(features=("extra",)))
    error = caught.value
    assert "`dump`" in error.what
    assert "api (api/Cargo.toml) and worker (worker/Cargo.toml)" in error.what
    assert error.where == str(tmp_path / "api/Cargo.toml")
    assert "packages: [api] or packages: [worker]" in (error.hint or "")


def test_the_way_out_of_three_binaries_of_one_name_has_only_one(tmp_path: Path) -> None:
    files = {f"{name}/Cargo.toml": f'{package(name)}\n[[bin]]\nname = "server"' for name in "abc"}
    files |= {f"{name}/src/main.rs": "" for name in "abcd"}
    members = '[workspace]\nmembers = ["a", "b", "c", "d"]'
    ws = manifest.load(write(tmp_path, {"Cargo.toml": members, "d/Cargo.toml": package("d"), **files}))
    with pytest.raises(WorkspaceError) as caught:
        select(ws)
    assert "packages: [a, d] or packages: [b, d]" in (caught.value.hint or "")


def test_a_namesake_that_is_not_built_is_not_asked_for(tmp_path: Path) -> None:
    ws = manifest.load(many(tmp_path))
    assert bin_arguments(ws, select(ws)) == ["--bins"]
    assert bin_arguments(ws, select(ws, ["worker"])) == ["--bin", "dump", "--bin", "worker"]


def test_no_binary_at_all(tmp_path: Path) -> None:
    files = {"Cargo.toml": package("a"), "src/lib.rs": ""}
    with pytest.raises(WorkspaceError, match="this package has no binary"):
        select(manifest.load(write(tmp_path, files)))


def lib_members(root: Path, *, core: str, other: str = "", app: str = "") -> Path:
    """A binary `app`, and the members `core`, of which it wants no default features, and `other`."""
    core_of_app = '[dependencies]\ncore = { path = "../core", default-features = false }'
    return write(
        root,
        {
            "Cargo.toml": '[workspace]\nmembers = ["app", "core", "other"]\nresolver = "2"',
            "app/Cargo.toml": f"{package('app')}{app}\n{core_of_app}",
            "app/src/main.rs": "",
            "core/Cargo.toml": f"{package('core')}{core}",
            "core/src/lib.rs": "",
            "other/Cargo.toml": f"{package('other')}{other}",
            "other/src/lib.rs": "",
        },
    )


@pytest.mark.parametrize(
    ("core", "other", "packages"),
    [
        ("", "", ("app",)),
        ('[features]\ndefault = ["std"]\nstd = []', "", ("app", "core")),
        ("[lib]\nproc-macro = true\n[features]\ndefault = ['std']\nstd = []", "", ("app", "core")),
        (
            "[features]\nstd = []",
            '[dependencies]\ncore = { path = "../core", features = ["std"] }',
            ("app", "core", "other"),
        ),
        ("[features]\nstd = []", '[dependencies]\ncore = { path = "../core" }', ("app",)),
    ],
)
def test_members_without_a_binary_count_for_features(
    core: str, other: str, packages: tuple[str, ...], tmp_path: Path
) -> None:
    root = lib_members(tmp_path, core=core, other=other)
    found = select(manifest.load(root))
    assert (found.packages, found.bins, found.owners) == (packages, (("app", "app"),), ("app",))
    assert select(manifest.load(root), ["app"]).packages == ("app",)  # named: as `cargo build -p app`


def test_a_feature_of_a_selected_library_satisfies_a_binary(tmp_path: Path) -> None:
    needs = '\n[[bin]]\nname = "app"\n[[bin]]\nname = "more"\npath = "src/main.rs"\nrequired-features = ["core/std"]'
    root = lib_members(tmp_path, core='[features]\ndefault = ["std"]\nstd = []', app=needs)
    assert select(manifest.load(root)).bins == (("app", "app"), ("app", "more"))


def test_default_members_decide(tmp_path: Path) -> None:
    root = many(tmp_path)
    text = (root / "Cargo.toml").read_text()
    (root / "Cargo.toml").write_text(text + 'default-members = ["wor*", "lib"]\n')
    ws = manifest.load(root)
    assert ws.default_members == ("lib", "worker")
    assert select(ws).packages == ("worker",)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.booleans(), st.integers(0, 9), st.sampled_from(["a", "1", "*", "../x", ""])),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["path", "workspace", "x"]), inner),
    max_leaves=4,
)
KEYS = ["package", "workspace", "lib", "bin", "dependencies", "features", "target", "patch", "profile", "replace"]
INNER = ["name", "version", "edition", "build", "members", "exclude", "default-members", "resolver", "crate-type", "x"]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(KEYS), VALUES | st.dictionaries(st.sampled_from(INNER), VALUES)))
def test_nonsense_is_an_error_never_a_traceback(tmp_path: Path, data: dict[str, Any]) -> None:
    root = write(tmp_path, {})
    root.joinpath("Cargo.toml").write_text(tomli_w.dumps(data))
    try:
        ws = manifest.load(root)
        select(ws)
    except WorkspaceError as error:
        if error.where is None:
            raise
        return
    inputs(ws, lockfile.load(root), Selection(ws.default_members, ()), Options())


def test_a_large_workspace_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"crate-{number}" for number in range(12)]
    body = "[dependencies]\n" + "".join(f'dep-{number} = "1"\n' for number in range(30))
    files = {f"crates/{name}/Cargo.toml": package(name, body) for name in names}
    externals = [
        external(f"dep-{n}", f"1.0.{n}", f"{n:064x}", [f"dep-{(n + 1) % 600}", f"dep-{(n + 7) % 600}"])
        for n in range(600)
    ]
    local = [entry(name, needs=[f"dep-{number}" for number in range(30)]) for name in names]
    root = write(tmp_path, {"Cargo.toml": '[workspace]\nmembers = ["crates/*"]\n', **files})
    root.joinpath("Cargo.lock").write_text(lock_text(*externals, *local))
    parsed: list[str] = []
    original = tomllib.loads

    def loads(text: str) -> dict[str, Any]:
        parsed.append(text)
        return original(text)

    monkeypatch.setattr(tomllib, "loads", loads)
    ws, lock = manifest.load(root), lockfile.load(root)
    found = inputs(ws, lock, Selection(tuple(names), ()), Options())
    assert len([name for name in found if name.startswith("package ")]) == 600
    assert len(parsed) == len(set(parsed)) == 13, "the root and its members, each once; Cargo.lock is not TOML to us"
