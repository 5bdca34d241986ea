"""What builds of a component need of this machine and no image may hold: CA bundle, logins of registries, proxies."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.build import host_secrets
from layerdoit.build.host_secrets import Secrets
from layerdoit.core.errors import ConfigError
from layerdoit.core.files import write_if_changed
from layerdoit.core.masking import register_secret
from layerdoit.dockerfile import edit
from layerdoit.node import npmrc

if TYPE_CHECKING:
    from layerdoit.components.recipe import Recipe
    from layerdoit.engine.buildx import Build
    from layerdoit.project.component_inputs import ComponentInputs


@dataclass(frozen=True)
class NodeSecrets(Secrets):
    """`unset`: variables that the project's settings name, and that this machine has not."""

    unset: tuple[str, ...] = ()


def collect(inputs: ComponentInputs, environment: Mapping[str, str] = os.environ) -> NodeSecrets:
    """The host's secrets for a component; masked in all text from now on."""
    logins = npmrc.logins(inputs.settings_files, environment)
    for secret in logins.secrets:
        register_secret(secret)
    bundle = _bundle(environment)
    proxied = host_secrets.proxies_of(environment)
    values = {name: text for name, text in (("npmrc", logins.npmrc), ("yarnrc", logins.yarnrc)) if text}
    if proxied.secret:
        values["proxy"] = proxied.secret
    public = {
        name for name, text in (("npmrc", logins.npmrc), ("yarnrc", logins.yarnrc)) if text and not logins.secrets
    }
    return NodeSecrets(
        {"ca": bundle} if bundle else {},
        values,
        proxied.public,
        ssh=False,
        public=frozenset([*public, *(["ca"] if bundle else [])]),
        unset=logins.unset,
    )


def _bundle(environment: Mapping[str, str]) -> Path | None:
    """The certificates that Node trusts besides its own; without such a setting, those that cargo would."""
    named = environment.get("NODE_EXTRA_CA_CERTS")
    if named:
        path = Path(named)
        if not path.is_file():
            raise ConfigError(
                f"NODE_EXTRA_CA_CERTS names {named}, which is not a file", hint="correct or unset NODE_EXTRA_CA_CERTS"
            )
        if path.stat().st_size <= host_secrets.MAX_SECRET:
            return path
    home = Path(environment.get("CARGO_HOME") or Path(environment.get("HOME", "/")) / ".cargo")
    return host_secrets.ca_bundle(environment, {}, home)


def with_secrets(made: Recipe, secrets: Secrets) -> Build:
    """The build with those secrets that its Dockerfile mounts; writes the Dockerfile."""
    build = made.build
    wanted = edit.secrets(made.text)
    public = secrets.open(wanted)
    for name, content in public.items():
        write_if_changed(build.context / "control" / name, content)
    hidden = secrets.without(public)
    text = edit.mounts(made.text, hidden.files.keys() | hidden.values.keys(), public, ssh=False)
    write_if_changed(build.dockerfile, text.encode())
    asked = {name: path for name, path in hidden.files.items() if name in wanted}
    return replace(build, secrets=asked, values={name: v for name, v in hidden.values.items() if name in wanted})
