"""A private git dependency over http: git's own login and rewrites reach the cook, and stay nowhere."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.engine import test_secrets as planting
from tests.support.checkout import Checkout
from tests.support.git_server import GitServer, serving
from tests.support.server import gateway

# Signs that an address, a shell or a configuration file would take for their own.
TOKEN = "planted-git/9c4e@:%\"'$x"
LOGIN = f"ci:{TOKEN}"
# Whole or in part, as it is or in an address or a request.
PLANTED = {
    "git token": "planted-git",
    "git token's end": quote(TOKEN, safe="")[-18:],
    "git login, encoded": base64.b64encode(LOGIN.encode()).decode(),
}


@pytest.fixture
def server(docker_engine: Any) -> Iterator[GitServer]:
    """git over http, on the address by which containers reach this machine."""
    try:
        with serving(gateway(docker_engine), LOGIN) as found:
            yield found
    except OSError:
        pytest.skip("containers cannot reach a server of this machine")


def workspace(server: GitServer) -> dict[str, str]:
    """A program that uses a crate of a private repository."""
    files = {
        "Cargo.toml": '[package]\nname = "lt-private"\nversion = "1.0.0"\nedition = "2021"\n',
        "src/lib.rs": 'pub const PRIVATE: &str = "from a private repository";\n',
    }
    commit, url = server.commit("team/private.git", files), f"http://{server.address}/team/private.git"
    return {
        "Cargo.toml": '[package]\nname = "app"\nversion = "1.0.0"\nedition = "2021"\n\n[dependencies]\n'
        f'lt-private = {{ git = "{url}" }}\n\n[profile.dev]\ndebug = 0\n',
        "Cargo.lock": 'version = 4\n\n[[package]]\nname = "app"\nversion = "1.0.0"\n'
        'dependencies = [\n "lt-private",\n]\n'
        f'\n[[package]]\nname = "lt-private"\nversion = "1.0.0"\nsource = "git+{url}#{commit}"\n',
        "src/main.rs": 'fn main() { println!("{}", lt_private::PRIVATE); }\n',
        "dodo.py": "from layerdoit import task_layerdoit\n",
    }


HUB = "https://hub.invalid"
"""Nobody has that name: what is asked for there comes from elsewhere, or not at all."""


def mirrored(server: GitServer) -> dict[str, str]:
    """A program that uses a crate of a repository with a submodule, and one of a registry whose index is in git."""
    inner = server.commit("team/inner.git", {"word.txt": "mirrored"})
    commit = server.commit(
        "team/private.git",
        {
            "Cargo.toml": '[package]\nname = "lt-private"\nversion = "1.0.0"\nedition = "2021"\n',
            "src/lib.rs": 'pub const WORD: &str = include_str!("../inner/word.txt");\n',
            ".gitmodules": f'[submodule "inner"]\n\tpath = inner\n\turl = {HUB}/team/inner.git\n',
        },
        {"inner": inner},
    )
    listed = planting.crate("lt-listed", 'pub const WORD: &str = "listed";\n')
    (server.folder / "files").mkdir()
    (server.folder / "files" / "lt-listed").write_bytes(listed)
    checksum = hashlib.sha256(listed).hexdigest()
    entry = {"name": "lt-listed", "vers": "1.0.0", "deps": [], "cksum": checksum, "features": {}, "yanked": False}
    index = {"dl": f"http://{server.address}/files/{{crate}}", "api": None}
    server.commit("team/index.git", {"config.json": json.dumps(index), "lt/-l/lt-listed": json.dumps(entry)})
    return {
        ".cargo/config.toml": f'[registries.team]\nindex = "{HUB}/team/index.git"\n',
        "Cargo.toml": '[package]\nname = "app"\nversion = "1.0.0"\nedition = "2021"\n\n[dependencies]\n'
        f'lt-private = {{ git = "{HUB}/team/private.git" }}\n'
        'lt-listed = { version = "1", registry = "team" }\n\n[profile.dev]\ndebug = 0\n',
        "Cargo.lock": 'version = 4\n\n[[package]]\nname = "app"\nversion = "1.0.0"\n'
        'dependencies = [\n "lt-listed",\n "lt-private",\n]\n'
        '\n[[package]]\nname = "lt-listed"\nversion = "1.0.0"\n'
        f'source = "registry+{HUB}/team/index.git"\nchecksum = "{checksum}"\n'
        '\n[[package]]\nname = "lt-private"\nversion = "1.0.0"\n'
        f'source = "git+{HUB}/team/private.git#{commit}"\n',
        "src/main.rs": 'fn main() { println!("{} {}", lt_private::WORD, lt_listed::WORD); }\n',
        "dodo.py": "from layerdoit import task_layerdoit\n",
    }


def host(folder: Path, *logins: str) -> dict[str, str]:
    """An environment in which git has a credential store with these logins, and nothing else."""
    (folder / "store").write_text("".join(f"{login}\n" for login in logins))
    (folder / "gitconfig").write_text(f'[credential]\n\thelper = "store --file={folder}/store"\n')
    (folder / "tmp").mkdir(exist_ok=True)
    return {
        "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
        "GIT_CONFIG_SYSTEM": os.devnull,
        "TMPDIR": str(folder / "tmp"),
    }


def test_a_private_repository_is_read_and_its_token_found_nowhere(
    checkout: Callable[..., Checkout], server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for what, value in PLANTED.items():
        monkeypatch.setitem(planting.PLANTED, what, value)
    tree = checkout(workspace(server))

    code, said = planting.doit(tree, host(tmp_path))
    assert code == 1, said
    assert f"http://{server.address}/team/private.git accepts no login" in said
    assert "git credential approve" in said

    code, refused = planting.doit(tree, host(tmp_path, f"http://ci:planted-git-old@{server.address}"))
    assert code == 1, refused
    assert "accepts no login" in refused

    server.asked.clear()
    environment = host(tmp_path, f"http://ci:{quote(TOKEN, safe='')}@{server.address}")
    code, built = planting.doit(tree, environment)
    assert code == 0, built
    assert True in server.asked
    assert tree.said(f"{tree.name}:latest") == "from a private repository\n"

    # What does not cook asks neither git nor the server.
    server.asked.clear()
    tree.replace("src/main.rs", "println!(", "print!(")
    code, edited = planting.doit(tree, {**environment, "GIT_TRACE": str(tmp_path / "trace")})
    assert code == 0, edited
    assert server.asked == []
    assert "credential" not in ((tmp_path / "trace").read_text() if (tmp_path / "trace").exists() else "")

    tags = sorted(tree.tags())
    assert {"deps", "app"} <= {tag.partition(":")[2].partition("-")[0] for tag in tags}
    shown = (said + refused + built + edited).encode()
    leaks = [
        *planting.leaks_of_images(tags),
        *planting.leaks_of_folder(tree.root),
        *planting.leaks_of_folder(tmp_path / "tmp"),
        *planting.found_in(shown, "the terminal"),
    ]
    assert leaks == []


def test_a_login_in_an_address_stays_in_no_image(
    checkout: Callable[..., Checkout], server: GitServer, tmp_path: Path
) -> None:
    files, plain = workspace(server), f"http://{server.address}"
    login = plain.replace("//", f"//ci:{quote(TOKEN, safe='')}@")
    tree = checkout({name: text.replace(plain, login) for name, text in files.items()})
    for words in ((), ("check",)):
        code, said = planting.doit(tree, host(tmp_path), *words)
        assert code == 0, said
        assert "planted-git" not in said
    tags = [tag for tag in tree.tags() if ":deps-" in tag]
    assert len(tags) == 2
    for tag in tags:
        assert tree.run(tag, "sh", "-c", "grep -rlF planted-git /cooked /cargo || true") == ""
        assert "planted-git" not in str(tree.image(tag))


def test_git_s_rule_leads_a_build_to_the_mirror_and_its_token_is_found_nowhere(
    checkout: Callable[..., Checkout], server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for what, value in PLANTED.items():
        monkeypatch.setitem(planting.PLANTED, what, value)
    monkeypatch.setitem(planting.PLANTED, "mirror", f"{server.address}/team")
    tree = checkout(mirrored(server))
    locked = (tree.root / "Cargo.lock").read_bytes()
    environment = host(tmp_path)
    with open(tmp_path / "gitconfig", "a") as config:
        login = f"ci:{quote(TOKEN, safe='')}"
        config.write(f'[url "http://{login}@{server.address}/"]\n\tinsteadOf = {HUB}/\n')

    code, built = planting.doit(tree, environment)
    assert code == 0, built
    assert tree.said(f"{tree.name}:latest") == "mirrored listed\n"
    assert (tree.root / "Cargo.lock").read_bytes() == locked

    # The rule is no part of the key: without it, everything is still there.
    code, again = planting.doit(tree, host(tmp_path))
    assert code == 0, again
    tags = sorted(tree.tags())
    leaks = [
        *planting.leaks_of_images(tags),
        *planting.leaks_of_folder(tree.root),
        *planting.leaks_of_folder(tmp_path / "tmp"),
        *planting.found_in((built + again).encode(), "the terminal"),
    ]
    assert leaks == []
