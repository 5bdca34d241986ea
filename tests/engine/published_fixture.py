"""A program that is packed, so that an image takes a moment, in a repository of git and one of a registry."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any, Final

import pytest
import yaml

from layerdoit.engine.registry_api import RegistryApi
from layerdoit.flows import publishing
from layerdoit.flows.publishing import Wish
from tests.support.checkout import Checkout

SAYS: Final = """\
#include <stdio.h>
#include <string.h>
int main(int many, char **words) {
    if (many > 1 && !strcmp(words[1], "--version")) { puts("WORD 1.0.0"); return 0; }
    return many > 1 ? 3 : 0;
}
"""
IGNORED: Final = "/out\n.layerdoit\n.doit.db*\n*.key\n*.pub\n"


class Published:
    """A project and where it is published. `config`: what stands in layerdoit.yaml besides."""

    def __init__(self, one: Checkout, repository: str, **config: Any) -> None:
        if shutil.which("gcc") is None:
            pytest.skip("no C compiler")
        self.one = one
        self.repository = repository
        self.api = RegistryApi.of(repository)
        one.write({"dodo.py": "from layerdoit import task_layerdoit\n", ".gitignore": IGNORED})
        one.git("init", "-q", "-b", "main")
        self.program("first")
        self.configure(**config)

    def configure(self, **config: Any) -> None:
        """layerdoit.yaml, committed."""
        given = {"build": {"binary": "out/server"}, "publish": {"repository": self.repository}, **config}
        self.one.configure(yaml.safe_dump(given))
        self.commit()

    def move_to(self, repository: str) -> None:
        """Publish elsewhere from now on."""
        self.repository, self.api = repository, RegistryApi.of(repository)
        self.configure()

    def commit(self) -> None:
        """All that stands there."""
        self.one.git("add", "-A")
        self.one.git("commit", "-q", "--allow-empty", "-m", "x")

    def program(self, word: str, source: str = SAYS) -> None:
        """Another program: the image of the tree is another one."""
        target = self.one.root / "out/server"
        target.parent.mkdir(exist_ok=True)
        argv = ["gcc", "-static", "-x", "c", "-o", str(target), "-"]
        subprocess.run(argv, input=source.replace("WORD", word), text=True, check=True)

    def publish(self, wish: Wish = Wish(), **variables: str) -> None:  # noqa: B008 - a value
        """`doit publish`, in this process."""
        publishing.publish(self.one.session(variables=variables), wish)

    def push(self) -> None:
        """`doit push`, in this process."""
        publishing.push(self.one.session())

    def tags(self) -> Mapping[str, str]:
        """The digest of each tag for people."""
        keyed = re.compile(r"(?:app|runtime)-[0-9a-f]{12}|sha256-.*")
        names = [name for name in self.api.tags() if not keyed.fullmatch(name)]
        return {name: self.api.digest(name) for name in names}
