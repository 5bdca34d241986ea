"""The settings of services: which programs of the workspace are images and deployments of their own."""

from __future__ import annotations

from collections.abc import Mapping

from layerdoit.config.deploy_section import NO_TEXT, Deploy
from layerdoit.config.image_section import Image
from layerdoit.config.kinds import Settings, boolean, many, optional, section, setting, table, text
from layerdoit.config.values import ABSOLUTE, BINARY, DEBIAN, IMAGE, INSIDE, PORT

SERVICE = text("the name of a service", r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", hint="use lower-case letters, digits and -")
COMPONENT = text("the name of a component", r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")

# Each class has a docstring also because `dataclass` derives a missing one from the signature, which is slow.


class Packed(Settings):
    """A program that was compiled elsewhere."""

    binary: str | None = setting(
        optional(INSIDE), None, "Program that was compiled elsewhere, by its path in the project; nothing is compiled."
    )


class ServiceBase(Settings):
    """What a service's runtime image is made of."""

    runtime_image: str | None = setting(
        optional(IMAGE), None, "Image that its binaries run on; default: as in `base.runtime_image`."
    )
    runtime_packages: tuple[str, ...] = setting(
        many(DEBIAN, "Debian package names"),
        NO_TEXT,
        "Debian packages that its binaries need at run time, besides those of `base.runtime_packages`.",
    )


class Static(Settings):
    """How a page is served."""

    fallback: str | None = setting(
        optional(INSIDE), "index.html", "File that answers paths without a file, for routes that the page itself knows."
    )
    immutable: tuple[str, ...] = setting(
        many(text("a pattern of paths"), "patterns of paths"),
        ("assets/*", "*-[hash].*", "*.[hash].*"),
        "Files whose names change with their content, `[hash]` being one of eight or more letters and digits: browsers "
        "keep them for a year. Every other file is asked for again each time.",
    )
    compress: bool = setting(boolean(), True, "Make gzip and brotli forms of the files when the image is built.")
    proxy: Mapping[str, str] = setting(
        table(ABSOLUTE, text("an address such as http://api:8080", r"https?://\S+"), "a mapping of paths to addresses"),
        {},
        "Paths whose requests go to another service: `/api: http://shop-api:8080`.",
    )


class Service(Settings):
    """One service. Settings of `image`, `deploy` and `base` at the top are those of all; a service's own override."""

    bins: tuple[str, ...] = setting(many(BINARY, "binary names"), NO_TEXT, "Its binaries; the first one is started.")
    serve: str | None = setting(optional(COMPONENT), None, "A component whose files it serves, instead of binaries.")
    port: int | None = setting(optional(PORT), None, "The same as `deploy.port`.")
    health: str | None = setting(optional(ABSOLUTE), None, "The same as `deploy.health.path`.")
    needs: tuple[str, ...] = setting(
        many(text("a service", r"[\w.-]+"), "services"),
        NO_TEXT,
        "Services that it needs: others of this table, or of the compose file. They are started first, and waited for.",
    )
    image: Image | str = section(
        Image,
        "Its image, overriding `image`; or the reference of an image that is not built here: `image: postgres:17`.",
        or_kind=IMAGE,
    )
    deploy: Deploy = section(Deploy, "Its deployment, overriding `deploy`.")
    base: ServiceBase = section(ServiceBase, "Its runtime image.")
    build: Packed = section(Packed, "How its program is had, where it is not compiled here.")
    static: Static = section(Static, "With `serve`: how the files are served.")
