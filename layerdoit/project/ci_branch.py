"""The branch that is built, also where a CI service has checked out a commit without one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from layerdoit.project.project import Project

# GitHub's before GitLab's. A merge is built for the branch that it comes from.
_SAYING: Final = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_BRANCH", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME")


def branch_of(project: Project) -> str:
    """The branch that is checked out, else the one that the CI service says; '' for a tag, and where nothing tells."""
    own = project.checkout.branch if project.checkout else ""
    if own:
        return own
    of_tag = os.environ.get("GITHUB_REF_TYPE") == "tag"
    names = (name for name in _SAYING if not (of_tag and name == "GITHUB_REF_NAME"))
    return next(filter(None, map(os.environ.get, names)), "")
