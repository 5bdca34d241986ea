"""`doit check`: tests and clippy for the whole workspace, in layers of their own beside those of the image.

A check is a project that asks another question of the same tree: all members instead of the chosen ones, their
dev-dependencies too. So it has a deps layer and a private target folder of its own, and never disturbs the build's;
everything else (keys, delta cooks, secrets, clearing) is the same. The image of its app layer is only the mark that
this very tree passed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from layerdoit import config as configuration
from layerdoit.components.rust_failures import NotBuilt
from layerdoit.components.script_protocol import NoClippy, Section, every, parse
from layerdoit.core.console import say
from layerdoit.core.errors import BuildError
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


def run(project: CheckProject) -> tuple[list[Outcome], Printed | None]:
    """Test and lint, unless this tree passed before; the outcomes of all layers, and what tests and clippy printed.

    That is shown as it comes. Raises BuildError when a test or clippy failed.
    """
    from layerdoit.build import execute

    outcomes = [outcome for layer in ("base", "deps") for outcome in execute.ensure(project, layer)]
    try:
        outcomes += execute.ensure(project, "app")
    except NotBuilt as error:
        raise _failed(error) from error
    return outcomes, printed(outcomes[-1].notes)


def _failed(error: NotBuilt) -> BuildError:
    notes = error.failed.notes
    said = printed(notes)
    what = f"the check failed: {failures(said)}" if said else error.what
    if not every(NoClippy, notes):
        return BuildError(what, where=error.where, hint=error.hint)
    return BuildError(
        f"{what}\nclippy was not run: the Rust toolchain in the base image has none",
        hint='name it in rust-toolchain.toml: [toolchain] components = ["clippy"]',
    )


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


@dataclass(frozen=True)
class Printed:
    """The lines that tests and clippy printed, without cargo's progress."""

    tests: tuple[str, ...]
    clippy: tuple[str, ...]


def printed(notes: Iterable[str]) -> Printed | None:
    """What tests and clippy printed, by the notes of a check; None where it did not come to that."""
    lines: dict[Section, list[str]] = {}
    section = None
    for line in notes:
        if (message := parse(line)) is not None:
            section = message if isinstance(message, Section) else None
            if section is not None:
                lines[section] = []
        elif section is not None and line.strip():
            lines[section].append(line)
    return Printed(tuple(lines.get(Section.TESTS, ())), tuple(lines.get(Section.CLIPPY, ()))) if lines else None


def failures(said: Printed) -> str:
    """`2 tests failed (a::b, c); clippy: 1 error`."""
    names = [found[1] for text in said.tests if (found := _FAILED.match(text))]
    named = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
    told = [f"{count_text(len(names), 'test')} failed ({named})"] if names else []
    errors = sum(text.startswith("error") and "could not compile" not in text for text in said.clippy)
    told += [f"clippy: {count_text(errors, 'error')}"] if errors else []
    return "; ".join(told) or summary(said)


def summary(said: Printed) -> str:
    """`12 tests passed, 1 ignored; clippy: 2 warnings`."""
    results = [tuple(map(int, found.groups())) for text in said.tests if (found := _RESULT.search(text))]
    passed, ignored = (sum(result[index] for result in results) for index in range(2))
    told = f"{count_text(passed, 'test')} passed" + (f", {ignored} ignored" if ignored else "")
    warnings = sum(text.startswith("warning: ") and " generated " not in text for text in said.clippy)
    return f"{told}; clippy: {count_text(warnings, 'warning') if warnings else 'no warnings'}"
