"""The settings of generated CI workflows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from layerdoit.config.deploy_section import NO_ENV, NO_TEXT
from layerdoit.config.kinds import Settings, choice, integer, many, setting, table, text

WORKFLOWS: Final = ("base", "build", "publish", "registry")
_CRON: Final = text("five fields as cron has them, such as 17 4 1 * *", r"[\d*/,-]+( [\d*/,A-Za-z-]+){4}")

# It has a docstring also because `dataclass` derives a missing one from the signature, which is slow.


class Ci(Settings):
    """What `doit layers ci` writes."""

    workflows: tuple[str, ...] = setting(
        many(choice(*WORKFLOWS), ", ".join(WORKFLOWS)),
        WORKFLOWS,
        "Which workflows are written, of those that the other settings allow.",
    )
    branches: tuple[str, ...] = setting(
        many(text("a branch, or a pattern", r"[\w./*-]+"), "branches", at_least=1),
        ("main", "master"),
        "Branches that are built after each push; pull requests are, too.",
    )
    runners: Mapping[str, str] = setting(
        table(
            text("an architecture, such as arm64", r"[a-z0-9]+"), text("a runner", r"[\w.-]+"), "a mapping of runners"
        ),
        NO_ENV,
        "Machines that jobs run on, by architecture: labels on GitHub, tags of runners on GitLab. Default on GitHub: "
        "`{amd64: ubuntu-24.04, arm64: ubuntu-24.04-arm}`.",
    )
    login: str = setting(
        choice("secrets", "job", "none"),
        "secrets",
        "How jobs log in to the registry: by the secrets REGISTRY_USER and REGISTRY_TOKEN; by the token of the `job`, "
        "for the registry of the service that runs it; or not at all.",
    )
    install: tuple[str, ...] = setting(
        many(text("a word of `pip install`"), "words of `pip install`"),
        NO_TEXT,
        "What jobs install instead of this version of layerdoit: `[-r, requirements.txt]`.",
    )
    timeout: int = setting(integer("minutes, from 1 to 2880", 1, 2880), 60, "After so many minutes a job is ended.")
    base_cron: str = setting(_CRON, "17 4 1 * *", "When the base is built anew, in UTC.")
    registry_cron: str = setting(_CRON, "37 3 * * 0", "When `registry.retention` is applied to the registry, in UTC.")
