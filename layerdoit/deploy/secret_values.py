"""The values of `deploy.secrets`: from the environment, from `.env.<environment>`, or from a command that prints one.

They are given to a provider and to nobody else: `core.process` has them out of everything that is shown or kept.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from layerdoit.core import files, masking, process, user_folder
from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.deploy import env_file
from layerdoit.tree import git

_KEY: Final = "secrets.key"


def read(root: Path, environment: str, wanted: Mapping[str, str | None], where: str) -> Mapping[str, str]:
    """The value of each name. `wanted`: names, some with a command; `where`: of the setting.

    A command beats the environment, and the environment the file. ConfigError where one lacks, or git has the file.
    """
    noted = _noted(root, environment)
    found: dict[str, str] = {}
    for name, command in wanted.items():
        value = _printed(root, name, command, where) if command else os.environ.get(name) or noted.get(name)
        if not value:
            hint = f"export {name}, or write {name}=… into .env.{environment}, which git must ignore"
            what = f"deploy.secrets: {name} has no value for the environment {environment}"
            raise ConfigError(what, where=where or None, hint=hint)
        masking.register_secret(value)
        found[name] = value
    return found


def fingerprint(values: Mapping[str, str]) -> str:
    """Tells whether values changed, to this user alone: whoever has not the key of this machine learns nothing."""
    text = json.dumps(sorted(values.items())).encode()
    return hmac.new(_key(), text, hashlib.sha256).hexdigest()[:16]


def _noted(root: Path, environment: str) -> Mapping[str, str]:
    name = f".env.{environment}"
    if not (root / name).is_file():
        return {}
    checkout = git.find(root)
    if checkout is not None and process.capture(git.command("check-ignore", "-q", name), cwd=root, check=False).code:
        hint = f"add {name} to .gitignore; if it was committed, `git rm --cached {name}`, and change the values"
        raise ConfigError(f"{name} holds secrets, but git does not ignore it", where=name, hint=hint)
    values = env_file.read(root, name, None)
    for value in values.values():
        masking.register_secret(value)
    return values


def _printed(root: Path, name: str, command: str, where: str) -> str:
    try:
        said = process.capture(["/bin/sh", "-c", command], cwd=root).stdout
    except LayerdoitError as error:
        what = f"deploy.secrets.{name}: its command failed: {error.what}"
        raise ConfigError(what, where=where or None, hint=f"run it by hand: {command}") from error
    # As `$(…)` does.
    return said.rstrip("\n")


def _key() -> bytes:
    """A key of this user and machine, made when it is first needed."""
    path = user_folder.state() / _KEY
    with files.locked(path.with_suffix(".lock")):
        if not path.is_file():
            files.write(path, secrets.token_bytes(32), mode=0o600)
        return path.read_bytes()
