"""An app image is found again where only files that nothing reads changed; what cargo itself reads counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.layers import reasons
from layerdoit.layers.key import Spec
from layerdoit.project import question, traces
from layerdoit.project.inputs import Inputs
from layerdoit.project.project import Project
from layerdoit.project.snapshot import Tree
from layerdoit.tree.reads import Read
from tests.support import locked_workspace
from tests.support.files import write
from tests.support.locked_workspace import Tiny

TOLD = [
    Read("api", "open", "api/src/main.rs"),
    Read("api", "open", "migrations"),
    Read("api", "open", "migrations/1.sql"),
    Read("api", "stat", "banner.txt"),
]
PORT_81 = locked_workspace.FILES["layerdoit.yaml"].replace("'80'", "'81'")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    made = locked_workspace.make(tmp_path / "tiny")
    write(made.root, {"migrations/1.sql": "one", "README.md": "read me", "docs/guide.md": "guide"})
    return made


def inputs(root: Path, kind: str = "build") -> Inputs:
    project = Project.open(root, {})
    return Inputs(Tree(project), getattr(question, kind)(project, "linux/amd64"))


def app(found: Inputs) -> Spec:
    return next(spec for spec in found.specs if spec.layer == "app")


def built(root: Path) -> Spec:
    """The app as it would be noted after a build of this tree."""
    found = inputs(root)
    traces.keep(found, app(found), TOLD)
    return app(found)


def found_again(root: Path) -> list[traces.Same]:
    now = inputs(root)
    return traces.same(now, app(now))


@pytest.mark.parametrize(
    "changes",
    [
        {"README.md": "other"},
        {"docs/guide.md": None},
        {"docs/more/new.md": "new"},
        {"tests/fixture.json": "{}"},
        {"README.md": "other", "docs/guide.md": None, "NOTES": "new"},
    ],
)
def test_what_nothing_reads_makes_no_new_image(tree: Tiny, changes: dict[str, str | None]) -> None:
    first = built(tree.root)
    change(tree.root, changes)
    assert app(inputs(tree.root)).key != first.key
    assert found_again(tree.root) == [traces.Same(first.key, tuple(sorted(changes)))]


@pytest.mark.parametrize(
    "changes",
    [
        {"api/src/main.rs": "fn main() { }"},
        {"migrations/2.sql": "two"},
        {"migrations/1.sql": "changed"},
        {"migrations/1.sql": None},
        {"banner.txt": "looked for"},
        {"api/build.rs": "fn main() {}"},
        {"api/src/bin/other.rs": "fn main() {}"},
        {"api/src/bin/more/main.rs": "fn main() {}"},
        {"api/src/lib.rs": "//"},
        {".cargo/config.toml": "[build]\n"},
        {"README.md": "other", "migrations/2.sql": "two"},
    ],
)
def test_what_a_unit_or_cargo_reads_does(tree: Tiny, changes: dict[str, str | None]) -> None:
    built(tree.root)
    change(tree.root, changes)
    assert found_again(tree.root) == []


def test_a_member_that_a_pattern_finds_is_seen(tree: Tiny) -> None:
    built(tree.root)
    change(tree.root, {"crates/new/README.md": "new"})
    assert found_again(tree.root)
    change(tree.root, {"anywhere/Cargo.toml": '[package]\nname = "n"\n'})
    assert not found_again(tree.root)


def test_another_setting_is_another_image(tree: Tiny) -> None:
    built(tree.root)
    change(tree.root, {"README.md": "other", "layerdoit.yaml": PORT_81})
    assert found_again(tree.root) == []


def test_images_of_the_last_trees_are_known_the_latest_first(tree: Tiny) -> None:
    first = built(tree.root)
    change(tree.root, {"migrations/2.sql": "two"})
    built(tree.root)
    change(tree.root, {"migrations/2.sql": None, "README.md": "other"})
    assert [one.key for one in found_again(tree.root)] == [first.key]


def test_a_check_counts_only_for_its_own_tree(tree: Tiny) -> None:
    now = inputs(tree.root, "check")
    traces.keep(now, app(now), TOLD)
    assert traces.same(now, app(now)) == []
    assert not (tree.root / ".layerdoit/reads").exists()


def test_an_image_that_was_put_together_anew_was_read_for_as_the_one_before(tree: Tiny) -> None:
    built(tree.root)
    change(tree.root, {"layerdoit.yaml": PORT_81})
    now = inputs(tree.root)
    traces.keep_assembled(now, app(now))
    change(tree.root, {"README.md": "other"})
    assert [one.key for one in found_again(tree.root)] == [app(now).key]


def test_what_is_not_known_is_not_kept(tree: Tiny) -> None:
    now = inputs(tree.root)
    traces.keep_assembled(now, app(now))
    assert traces.same(now, app(now)) == []


def test_what_was_read_with_other_features_says_nothing_of_an_image_that_was_put_together(tree: Tiny) -> None:
    built(tree.root)
    change(tree.root, {"layerdoit.yaml": PORT_81 + "features: [tls]\n"})
    now = inputs(tree.root)
    traces.keep_assembled(now, app(now))
    assert traces.same(now, app(now)) == []


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x00" * 50])
def test_a_broken_state_file_is_as_none(tree: Tiny, content: bytes) -> None:
    built(tree.root)
    (tree.root / ".layerdoit/reads").write_bytes(content)
    assert found_again(tree.root) == []
    assert traces.rereadings(inputs(tree.root)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"migrations/2.sql": "two"}, [("api", "migrations", True)]),
        ({"migrations/1.sql": "changed"}, [("api", "migrations/1.sql", False)]),
        ({"banner.txt": "there"}, [("api", "banner.txt", False)]),
        ({"api/src/main.rs": "fn main() { }"}, []),
        ({"README.md": "other"}, []),
    ],
)
def test_why_a_crate_compiles_again(tree: Tiny, changes: dict[str, str | None], expected: list[object]) -> None:
    built(tree.root)
    change(tree.root, changes)
    found = traces.rereadings(inputs(tree.root))
    assert [(one.crate, one.read.path, one.listed) for one in found] == expected


def change(root: Path, changes: dict[str, str | None]) -> None:
    write(root, {path: text for path, text in changes.items() if text is not None})
    for path, text in changes.items():
        if text is None:
            (root / path).unlink()


def test_what_nothing_reads_is_no_reason(tree: Tiny) -> None:
    """Beside what is: another file, an asset, a new file in a folder that is listed."""
    spec = built(tree.root)
    write(
        tree.root,
        {
            "README.md": "other",
            "docs/new.md": "",
            "api/src/main.rs": "fn main() { }",
            "migrations/2.sql": "",
            "banner.txt": "",
        },
    )
    now = inputs(tree.root)
    assert traces.idle(now, spec.key) == {"README.md", "docs/new.md"}
    assert traces.idle(now, "another") == frozenset()
    found = reasons.difference(spec.label_inputs, app(now).label_inputs)
    told = reasons.without(found, {"file README.md", "file docs/new.md"})
    (files,) = (reason.names for reason in told if reason.input == "file")
    assert files == ("file api/src/main.rs", "file banner.txt", "file migrations/2.sql")
    assert reasons.without(found, set(files)) != ()


def test_where_links_are_or_reads_are_unknown_every_change_is_a_reason(tree: Tiny) -> None:
    spec = built(tree.root)
    (tree.root / "link").symlink_to("docs")
    write(tree.root, {"README.md": "other"})
    assert traces.idle(inputs(tree.root), spec.key) == frozenset()
