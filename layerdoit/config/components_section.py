"""The settings of components: parts of a project that are not built by cargo, such as a front end."""

from __future__ import annotations

from collections.abc import Mapping

from layerdoit.config.deploy_section import NO_ENV, NO_TEXT
from layerdoit.config.kinds import Settings, boolean, choice, many, optional, setting
from layerdoit.config.services_section import SERVICE
from layerdoit.config.values import ABSOLUTE, DEBIAN, ENV, IMAGE, INSIDE, SHELL, TEXT

# It has a docstring also because `dataclass` derives a missing one from the signature, which is slow.


class Component(Settings):
    """One component: a front end that npm, pnpm or yarn builds."""

    kind: str = setting(choice("node"), "node", "What builds it.")
    path: str | None = setting(
        optional(INSIDE), None, "Its folder, where its package.json is; default: as the component is called."
    )
    manager: str = setting(
        choice("auto", "npm", "pnpm", "yarn"), "auto", "Its package manager; default: the one of its lock file."
    )
    build: str = setting(SHELL, "npm run build", "Command that builds it, in its folder; it gets no network.")
    output: str = setting(INSIDE, "dist", "Folder that the command writes, inside `path`.")
    into: str | None = setting(optional(ABSOLUTE), None, "Folder of the image that the output is copied to.")
    embed: bool = setting(
        boolean(),
        False,
        "The output is part of the sources of a crate, which embeds it (`rust-embed`, `include_dir!`), so it is built "
        "first.",
    )
    services: tuple[str, ...] = setting(
        many(SERVICE, "services"),
        NO_TEXT,
        "With `into`: services whose images have it; default: all that are compiled.",
    )
    image: str | None = setting(
        optional(IMAGE), None, "Image with Node in it; default: the official one, or Debian with its own Node."
    )
    packages: tuple[str, ...] = setting(
        many(DEBIAN, "Debian package names"), NO_TEXT, "Debian packages that installation or build need."
    )
    include: tuple[str, ...] = setting(
        many(TEXT, "paths"), NO_TEXT, "Files and folders of the project outside `path` that it is built from."
    )
    scripts: bool = setting(boolean(), True, "Let packages run their install scripts; they get no login.")
    env: Mapping[str, str] = setting(ENV, NO_ENV, "Environment variables of installation and build; not for secrets.")
