"""What a cook needs to share its compilers' results by sccache: settings and credentials as a build secret, a program.

None of it is in a key: with the store or without, a cook makes the same.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from layerdoit.core.errors import ConfigError
from layerdoit.core.masking import register_secret
from layerdoit.deploy import env_file

if TYPE_CHECKING:
    from layerdoit.build.host_secrets import Secrets
    from layerdoit.config import Config
    from layerdoit.config.sccache_section import Sccache

SECRET: Final = "sccache"  # noqa: S105 - its id
PROGRAM: Final = "sccache-program"
"""Its name among the control files of a cook."""
FEATURES: Final = {"redis": "Redis", "s3": "S3", "webdav": "WebDAV"}
"""What sccache calls the kinds of store."""
_ASKING: Final = {"redis": "a Redis server", "s3": "a bucket", "webdav": "a WebDAV server"}
# Besides these, a name in the file of credentials is refused.
_OPEN: Final = {
    "redis": ("SCCACHE_REDIS_USERNAME",),
    "s3": (),
    "webdav": ("SCCACHE_WEBDAV_USERNAME",),
}
_SECRET: Final = {
    "redis": ("SCCACHE_REDIS_PASSWORD",),
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    "webdav": ("SCCACHE_WEBDAV_PASSWORD", "SCCACHE_WEBDAV_TOKEN"),
}


def credentials(config: Config, root: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the store asks for, of the environment, else of the file; masked in all text from now on."""
    sccache = config.deps.sccache
    kind = sccache.kind
    if kind is None:
        return {}
    known = (*_OPEN[kind], *_SECRET[kind])
    found = {name: value for name in known if (value := environment.get(name))}
    if sccache.credentials is not None:
        found = {**_of_file(sccache.credentials, known, config, root), **found}
    for name in _SECRET[kind]:
        register_secret(found.get(name, ""))
    return found


def _of_file(name: str, known: tuple[str, ...], config: Config, root: Path) -> dict[str, str]:
    setting = "deps.sccache.credentials"
    read = env_file.read(root, os.path.expanduser(name), config.where.get(setting), setting)
    if other := sorted(read.keys() - set(known)):
        what = f"{setting}: {name} sets {other[0]}, which {_ASKING[config.deps.sccache.kind or '']} does not ask for"
        raise ConfigError(what, where=config.where.get(setting), hint=f"remove it; names are {', '.join(known)}")
    return dict(read)


def handed(config: Config, root: Path, secrets: Secrets, environment: Mapping[str, str] = os.environ) -> Secrets:
    """The secrets of a cook, with those of the store. What holds no credential is public, and costs no mount."""
    kind = config.deps.sccache.kind
    if kind is None:
        return secrets
    found = credentials(config, root, environment)
    variables = {**dict(_variables(config.deps.sccache)), **found}
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    values = {**secrets.values, SECRET: f"# store: {FEATURES[kind]}\n" + "".join(lines)}
    public = secrets.public if found else secrets.public | {SECRET}
    return replace(secrets, values=values, public=public)


def _variables(sccache: Sccache) -> Iterator[tuple[str, str]]:
    """The settings, as sccache's server reads them."""
    if sccache.redis is not None:
        parts = urlsplit(sccache.redis)
        yield "SCCACHE_REDIS_ENDPOINT", f"{parts.scheme}://{parts.netloc}"
        if database := parts.path.strip("/"):
            yield "SCCACHE_REDIS_DB", database
    elif sccache.s3.bucket is not None:
        yield "SCCACHE_BUCKET", sccache.s3.bucket
        if sccache.s3.region is not None:
            yield "SCCACHE_REGION", sccache.s3.region
        if sccache.s3.endpoint is not None:
            yield "SCCACHE_ENDPOINT", sccache.s3.endpoint.rstrip("/")
            yield "SCCACHE_S3_USE_SSL", str(sccache.s3.endpoint.startswith("https:")).lower()
    elif sccache.webdav is not None:
        yield "SCCACHE_WEBDAV_ENDPOINT", sccache.webdav
    if sccache.prefix is not None and sccache.kind is not None:
        yield f"SCCACHE_{sccache.kind.upper()}_KEY_PREFIX", sccache.prefix


def program(config: Config, root: Path) -> Path | None:
    """sccache of this machine; None where there is none. One that is named by its path must be there."""
    named = config.deps.sccache.program
    if "/" not in named:
        found = shutil.which(named)
        return None if found is None else Path(found)
    path = root / os.path.expanduser(named)
    if not path.is_file():
        raise ConfigError(
            f'deps.sccache.program: there is no file "{named}"',
            where=config.where.get("deps.sccache.program"),
            hint="correct the path, or remove it: sccache is looked for on PATH and in the builder then",
        )
    return path


def place(config: Config, root: Path, control: Path) -> None:
    """Put the program of this machine where the cook finds it."""
    path = program(config, root)
    if path is not None:
        control.mkdir(parents=True, exist_ok=True)
        # With its time: what the builder has already is not sent again.
        shutil.copy2(path, control / PROGRAM)
