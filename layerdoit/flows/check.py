"""`doit check`: tests and clippy for the whole workspace, in layers of their own beside those of the image.

A check is a project that asks another question of the same tree: all members instead of the chosen ones, their
dev-dependencies too. So it has a deps layer and a private target folder of its own, and never disturbs the build's;
everything else (keys, delta cooks, secrets, clearing) is the same. The image of its app layer is only the mark that
this very tree passed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit import config as configuration
from layerdoit.core.console import say
from layerdoit.core.errors import BuildError
from layerdoit.core.prose import listed
from layerdoit.core.resources import dockerfile_dir
from layerdoit.core.units import count_text
from layerdoit.project.project import Project

if TYPE_CHECKING:
    from layerdoit.cargo.selection import Selection
    from layerdoit.layers.key import Spec
    from layerdoit.layers.plan import Outcome
    from layerdoit.project.fast_path import Known
    from layerdoit.tree.sources import Sources

_SCRIPTS = ("cook.sh", "build.sh")
# Failed tests that the error names; all stand in what was printed.
NAMED = 8
_FAILED = re.compile(r"test (.+) \.\.\. FAILED")
_RESULT = re.compile(r"test result: \w+\. (\d+) passed; \d+ failed; (\d+) ignored")
_PROGRESS = re.compile(r"\s*(Compiling|Checking|Finished|Fresh|Blocking) ")
# Lines of check.sh.
_TESTS, _CLIPPY, _NO_CLIPPY = "layerdoit: tests", "layerdoit: clippy", "layerdoit: no-clippy"


class CheckProject(Project):
    """A project as a check sees it."""

    @cached_property
    def plain(self) -> Project:
        """The project as a build sees it."""
        return Project(self.root, self.variables)

    @cached_property
    def config(self) -> configuration.Config:
        """Nothing of an image: no assets, no smoke test; its mark is not shared."""
        config = self.plain.config
        image = replace(config.image, assets={}, smoke=(), cmd=(), expose=(), env={}, labels={})
        pushed = tuple(layer for layer in config.registry.push if layer != "app")
        return replace(config, image=image, registry=replace(config.registry, push=pushed))

    @cached_property
    def name(self) -> str:
        """The same project's: what is cleared, is cleared for both."""
        return self.plain.name

    @property
    def tags(self) -> tuple[str, ...]:
        """The mark has no friendly name."""
        return ()

    @cached_property
    def variant(self) -> str:
        """Apart from the images that are built."""
        return f"{self.config.profile}+check/{self.config.target or 'host'}"

    @cached_property
    def selection(self) -> Selection:
        """Every member, and no binary for an image."""
        from layerdoit.cargo.selection import Selection

        return Selection(tuple(sorted(key for key, package in self.workspace.packages.items() if package.member)), ())

    @cached_property
    def entrypoint(self) -> str:
        """The mark runs nothing."""
        return ""

    @cached_property
    def sources(self) -> Sources:
        """Tests may read everything."""
        return self.all_sources

    def scripts(self, *names: str) -> dict[str, bytes]:
        """The build's own scripts, to which `cargo build` means tests and clippy."""
        before = _before()
        return {
            name: before + content if name in _SCRIPTS else content for name, content in super().scripts(*names).items()
        }

    @cached_property
    def specs(self) -> tuple[Spec, ...]:
        """The build's, with what dev-dependencies add: their tables, and every locked package."""
        from layerdoit.layers.key import Spec, digest
        from layerdoit.layers.specs import deps as deps_layer

        builder, runtime, cooked, app = super().specs
        stubs = digest(word for path, content in self.stub.files.items() for word in (path, content.decode()))
        locked = {
            f"package {item.name} {item.version}": item.checksum or item.source or "" for item in self.lock.external
        }
        script = {f"{deps_layer.CHECK}script": hashlib.sha256(_before()).hexdigest()[:16]}
        deps = Spec("deps", {**cooked.inputs, **locked, **script, "dev-dependency stubs": stubs}, cooked.repository)
        more = {**script, "deps": deps.key}

        def listed() -> Mapping[str, str]:
            return {**app.label_inputs, **more}

        return (builder, runtime, deps, Spec("app", {**app.inputs, **more}, app.repository, listed))

    def _digest_of(self, layer: str, *scripts: str) -> str:
        # The build's, so that what it compiled counts here too.
        return self.plain._digest_of(layer, *scripts)  # noqa: SLF001 - of the same kind

    @cached_property
    def known(self) -> Known | None:
        """What a build remembers is about other images."""
        return None

    def remember(self) -> None:
        """See `known`."""


def _before() -> bytes:
    """What goes before the build's scripts."""
    return (dockerfile_dir() / "check.sh").read_bytes()


def run(project: CheckProject) -> tuple[list[Outcome], list[str]]:
    """Test and lint, unless this tree passed before; the outcomes of all layers, and what tests and clippy printed.

    That is shown as it comes. Raises BuildError when a test or clippy failed.
    """
    from layerdoit.build import execute

    before = set(project.state.logs("app"))
    outcomes = [outcome for layer in ("base", "deps") for outcome in execute.ensure(project, layer)]
    try:
        outcomes += execute.ensure(project, "app")
    except BuildError as error:
        said = printed(set(project.state.logs("app")) - before)
        what = f"the check failed: {failures(said)}" if said else error.what
        if _NO_CLIPPY in said:
            raise BuildError(
                f"{what}\nclippy was not run: the Rust toolchain in the base image has none",
                hint='name it in rust-toolchain.toml: [toolchain] components = ["clippy"]',
            ) from error
        raise BuildError(what, hint=error.hint) from error
    return outcomes, printed(set(project.state.logs("app")) - before) if outcomes[-1].step.action == "build" else []


def show(project: Project) -> None:
    """The task: say what was done, and what tests and clippy had to say."""
    from layerdoit.flows import reporting as told

    twin = CheckProject(project.root, project.variables)
    twin.asked = project.asked
    outcomes, said = run(twin)
    told.outcomes(twin, [outcome for outcome in outcomes[:-1] if outcome.step.action != "reuse"])
    last = outcomes[-1]
    why = "; ".join(last.step.reasons)
    done = f"in {last.seconds:.1f} s: {summary(said)} — {why}" if said else "this tree passed before"
    say(f"check   {done}")


def printed(new: Collection[Path]) -> list[str]:
    """What tests and clippy printed, by the logs of a check; empty where it did not come to that."""
    for path in sorted(new, reverse=True):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        if _TESTS in lines:
            rest = lines[lines.index(_TESTS) + 1 :]
            ended = next(
                (index for index, text in enumerate(rest) if text.startswith("layerdoit: compiled=")), len(rest)
            )
            return [text for text in rest[:ended] if not text.startswith("# ") and text.strip()]
    return []


def failures(said: Sequence[str]) -> str:
    """`2 tests failed (a::b, c); clippy: 1 error`."""
    names = [found[1] for text in said if (found := _FAILED.match(text))]
    told = [f"{count_text(len(names), 'test')} failed ({listed(names, NAMED)})"] if names else []
    errors = sum(text.startswith("error") and "could not compile" not in text for text in clippy(said))
    told += [f"clippy: {count_text(errors, 'error')}"] if errors else []
    return "; ".join(told) or summary(said)


def summary(said: Sequence[str]) -> str:
    """`12 tests passed, 1 ignored; clippy: 2 warnings`."""
    results = [tuple(map(int, found.groups())) for text in said if (found := _RESULT.search(text))]
    passed, ignored = (sum(result[index] for result in results) for index in range(2))
    told = f"{count_text(passed, 'test')} passed" + (f", {ignored} ignored" if ignored else "")
    warnings = sum(text.startswith("warning: ") and " generated " not in text for text in clippy(said))
    return f"{told}; clippy: {count_text(warnings, 'warning') if warnings else 'no warnings'}"


def clippy(said: Sequence[str]) -> list[str]:
    """What clippy had to say, without cargo's own lines."""
    after = said[said.index(_CLIPPY) + 1 :] if _CLIPPY in said else []
    return [text for text in after if not _PROGRESS.match(text)]
