"""A workspace of two programs and a library, as services: `shop()` makes a checkout; its containers go in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.checkout import Checkout
from tests.support.ports import PORT
from tests.support.scratch import MAIN, Crate, remove_containers

MEMBER = '[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n'
WITH_LIB = '\n[dependencies]\ncommon = { path = "../common" }\n'
WORKER = """\
const WORK: &str = "first work";
fn main() {
    loop {
        println!("{WORK} {}", common::NAME);
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}
"""
LOCK = """\
version = 3

[[package]]
name = "api"
version = "0.1.0"
dependencies = [
 "common",
]

[[package]]
name = "common"
version = "0.1.0"

[[package]]
name = "worker"
version = "0.1.0"
dependencies = [
 "common",
]
"""
FILES = {
    "Cargo.toml": '[workspace]\nmembers = ["api", "common", "worker"]\nresolver = "2"\n\n[profile.dev]\ndebug = 0\n',
    "Cargo.lock": LOCK,
    "api/Cargo.toml": MEMBER.format(name="api") + WITH_LIB,
    "api/src/main.rs": MAIN.replace('println!("hello', 'println!("{} hello').replace(
        '{TEXT}");\n', '{TEXT}", common::NAME);\n', 1
    ),
    "common/Cargo.toml": MEMBER.format(name="common"),
    "common/src/lib.rs": 'pub const NAME: &str = "first name";\n',
    "worker/Cargo.toml": MEMBER.format(name="worker") + WITH_LIB,
    "worker/src/main.rs": WORKER,
    "dodo.py": "from layerdoit import task_layerdoit\n",
    ".gitignore": "/target\n.doit.db*\n__pycache__/\n",
}
API = f"  api:\n    bins: [api]\n    port: {PORT}\n    health: /\n    deploy: {{stop_grace: 0}}\n"
SERVICES = f"services:\n{API}  worker:\n    bins: [worker]\n    deploy: {{stop_grace: 0, health: {{log: work}}}}\n"


@pytest.fixture
def shop(checkout: Callable[..., Checkout], parents: str) -> Iterator[Callable[..., Checkout]]:
    """`shop(services, files)`: a checkout of the workspace, on a base that costs nothing."""
    made: list[Checkout] = []

    def new(services: str = SERVICES, more: dict[str, str] | None = None) -> Checkout:
        made.append(checkout({**FILES, **(more or {})}, parents + services))
        return made[-1]

    yield new
    for one in made:
        one.end()
        remove_containers(Crate(one.root, one.name))
