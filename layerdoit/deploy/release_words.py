"""A release as the user's own commands see it: variables of their environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerdoit.deploy.release import Release


def variables(release: Release | None, previous: Release | None, environment: str, service: str = "") -> dict[str, str]:
    """`LAYERDOIT_IMAGE` and the like, of hooks, `verify` and `deploy.command`; '' for what is not known.

    `service`: which one of the project's it is about.
    """
    return {
        "LAYERDOIT_IMAGE": release.reference if release else "",
        "LAYERDOIT_DIGEST": release.digest if release else "",
        "LAYERDOIT_KEY": release.key if release else "",
        "LAYERDOIT_COMMIT": release.commit if release else "",
        "LAYERDOIT_RELEASE": release.id if release else "",
        "LAYERDOIT_ENVIRONMENT": environment,
        "LAYERDOIT_SERVICE": service,
        "LAYERDOIT_PREVIOUS_IMAGE": previous.reference if previous else "",
    }
