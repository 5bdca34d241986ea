"""Sources above the workspace, beside it, behind links, and such as git or others leave out: all in one tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from layerdoit.components.rust_failures import NotBuilt
from tests.support.checkout import Checkout
from tests.support.git import git
from tests.support.lockfile import entry, lockfile

MAIN = """\
fn main() {
    print!("{}", include_str!("../../../schema/s.sql"));
    print!("{}", include_str!("../node_modules/pkg/x.js"));
    println!("{} {}", common::NAME, shared::NAME);
    println!("{}", joined::text());
    println!("{} {}", env!("GREETING"), if cfg!(special) { "special" } else { "plain" });
    println!("{}", option_env!("LOCAL").unwrap_or("none"));
    println!("{}", std::path::Path::new(env!("TOOL")).file_name().unwrap().to_str().unwrap());
}
"""
JOINED = 'pub fn text() -> String { format!("{} {}", include_str!("../../../rust/data.txt").trim(), util::NAME) }\n'


def package(name: str, *dependencies: str, edition: str = 'edition = "2021"', more: str = "") -> str:
    needs = "".join(f"{path.rpartition('/')[2]} = {{ path = {path!r} }}\n" for path in dependencies)
    return f'[package]\nname = "{name}"\nversion = "0.1.0"\n{edition}\n{more}\n[dependencies]\n{needs}'


FILES: Mapping[str, str] = {
    ".gitignore": "target/\n.layerdoit/\n.doit*\nscratch*\nlocal.toml\n",
    ".cargo/config.toml": '[build]\nrustflags = ["--cfg", "special"]\n[env]\nGREETING = "from above"\n'
    'TOOL = { value = "tools/x.sh", relative = true }\n',
    "tools/x.sh": "#!/bin/sh\n",
    ".gitattributes": "*.png filter=lfs\n",
    "rust/app/logo.png": "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "schema/s.sql": "select 1;\n",
    "rust/.cargo/config.toml": 'include = [{ path = "local.toml", optional = true }]\n',
    "rust/.cargo/local.toml": '[env]\nLOCAL = "local"\n',
    "rust/.dockerignore": "app/src/bin/dev.rs\n",
    "rust/Cargo.toml": '[workspace]\nmembers = ["app", "crates/*", "../lib/joined"]\nresolver = "2"\n'
    "[profile.dev]\ndebug = 0\n",
    "rust/Cargo.lock": lockfile(
        entry("app", needs=["common", "joined", "shared"]),
        *(entry(name) for name in ("common", "shared", "util")),
        entry("joined", needs=["util"]),
    ),
    "rust/data.txt": "data\n",
    "rust/app/Cargo.toml": package("app", "../crates/common", "../../lib/shared", "../../lib/joined"),
    "rust/app/src/main.rs": MAIN,
    "rust/app/src/bin/scratch.rs": "fn main() {}\n",
    "rust/app/src/bin/._other.rs": "fn main() {}\n",
    "rust/app/src/bin/dev.rs": "fn main() {}\n",
    "rust/app/node_modules/pkg/x.js": "js\n",
    "rust/app/node_modules/other/y.js": "",
    "rust/crates/util/Cargo.toml": package("util"),
    "rust/crates/util/src/lib.rs": 'pub const NAME: &str = "util";\n',
    "rust/crates/scratch/Cargo.toml": package("scratch"),
    "rust/crates/scratch/src/main.rs": "fn main() {}\n",
    "shared/common/Cargo.toml": package("common"),
    "shared/common/src/lib.rs": 'pub const NAME: &str = "common";\n',
    "lib/Cargo.toml": '[workspace]\nmembers = ["shared"]\nexclude = ["joined"]\n'
    '[workspace.package]\nedition = "2021"\n',
    "lib/shared/Cargo.toml": package("shared", edition="edition.workspace = true"),
    "lib/shared/src/lib.rs": 'pub const NAME: &str = "shared";\n',
    "lib/joined/Cargo.toml": package("joined", "../../rust/crates/util", more='workspace = "../../rust"'),
    "lib/joined/src/lib.rs": JOINED,
}  # fmt: skip
SAYS = "select 1;\njs\ncommon shared\ndata util\nfrom above special\n{local}\nx.sh\n"


def in_a_folder_of_its_repository(one: Checkout) -> Checkout:
    """The workspace is `rust/`, a folder of a repository, and much of it is elsewhere in that."""
    (one.root / "rust/crates/common").symlink_to("../../shared/common")
    git(one.root, "init", "-q")
    git(one.root, "add", "-A")
    git(one.root, "add", "-f", "rust/app/node_modules/pkg/x.js")
    git(one.root, "rm", "-q", "--cached", "rust/app/node_modules/other/y.js")
    (one.root / "layerdoit.yaml").unlink()
    one.root /= "rust"
    one.configure('sources:\n  include: ["../schema"]\n')
    return one


def test_what_is_above_beside_behind_and_left_out(
    checkout: Callable[..., Checkout], capfd: pytest.CaptureFixture[str]
) -> None:
    one = in_a_folder_of_its_repository(checkout(FILES))
    one.build()
    assert "only the pointers of git LFS are here: app/logo.png; next: git lfs pull" in capfd.readouterr().err
    assert one.said(f"{one.name}:latest") == SAYS.format(local="local")
    session = one.session()
    assert [name for _, name in session.inputs.selection.bins] == ["app"]
    sent = set(session.inputs.sources.entries)
    assert {"rust/app/node_modules/pkg/x.js", "schema/s.sql", "lib/Cargo.toml", "tools/x.sh"} <= sent
    assert not any("scratch" in name or "y.js" in name or name.startswith("_") for name in sent)

    # Each is seen when it changes or goes.
    (one.root / ".cargo/local.toml").unlink()
    (one.root.parent / "schema/s.sql").write_text("select 2;\n")
    one.build()
    assert one.said(f"{one.name}:latest") == SAYS.format(local="none").replace("select 1", "select 2")

    # What is not sent is named, with the setting that sends it.
    one.configure()
    with pytest.raises(NotBuilt) as caught:
        one.build()
    assert caught.value.what.startswith(
        "app did not build: ../schema/s.sql is not sent to builds: it lies outside the workspace\nerror: couldn't read"
    )
    assert str(caught.value.hint).startswith("add to layerdoit.yaml: sources: {include: [../schema]}; the whole log")
