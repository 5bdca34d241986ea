"""The settings of the finished image."""

from __future__ import annotations

from collections.abc import Mapping

from layerdoit.config.deploy_section import NO_ENV, NO_TEXT
from layerdoit.config.kinds import Settings, boolean, many, optional, setting, table, text
from layerdoit.config.values import (
    ABSOLUTE,
    ARGUMENTS,
    ENV,
    EXPOSE,
    INSIDE,
    LABEL,
    REPOSITORY,
    SIGNAL,
    STARTED,
    TAG,
    TEXT,
)

# It has a docstring also because `dataclass` derives a missing one from the signature, which is slow.


class Image(Settings):
    """The finished image."""

    repository: str | None = setting(
        optional(REPOSITORY), None, "Repository of the finished image; default: the project's name."
    )
    tags: tuple[str, ...] = setting(
        many(TAG, "image tags"),
        ("latest",),
        "Tags of the finished image, in addition to the one with its key. In a cycle they move to what serves then.",
    )
    entrypoint: str | None = setting(
        optional(STARTED),
        None,
        "Binary that the image runs, or the path in the image of a script among the assets that starts it; default: "
        "`default-run`, or the binary named as project or package.",
    )
    cmd: tuple[str, ...] = setting(many(TEXT, "texts", unique=False), NO_TEXT, "Arguments of the entry point.")
    env: Mapping[str, str] = setting(ENV, NO_ENV, "Environment variables of the image; not for secrets.")
    labels: Mapping[str, str] = setting(
        table(LABEL, text(switches=True), "a mapping of labels to text"), NO_ENV, "Labels of the image."
    )
    user: str = setting(text("a user name or number", r"[\w.-]+(:[\w.-]+)?"), "app", "User that the container runs as.")
    workdir: str = setting(ABSOLUTE, "/srv", "Working directory in the container; it belongs to the user.")
    expose: tuple[str, ...] = setting(many(EXPOSE, "ports"), NO_TEXT, "Ports that the image declares.")
    stop_signal: str | None = setting(
        optional(SIGNAL), None, "Signal that asks the container to stop, such as `SIGINT`; default: SIGTERM."
    )
    assets: Mapping[str, str] = setting(
        table(INSIDE, ABSOLUTE, "a mapping of paths in the project to absolute paths in the image"),
        NO_ENV,
        "Files and folders copied into the image after compilation; a change to them never runs cargo.",
    )
    check_libraries: bool = setting(
        boolean(),
        True,
        "Refuse an image that lacks a shared library which its binaries need: it must be in the runtime image or among "
        "the assets. `false`: it gets there in another way.",
    )
    smoke: tuple[str, ...] = setting(
        many(ARGUMENTS, "argument lines"),
        NO_TEXT,
        "Argument lines, such as `--version`, split into words as a shell does: the image is tagged only if the entry "
        "point exits with 0 for each.",
    )
