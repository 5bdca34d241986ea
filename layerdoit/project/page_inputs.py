"""What the image of a served page is made from: a component's output, and how nginx serves it. No cargo."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from layerdoit.config.served_settings import PORT, has_brotli
from layerdoit.dockerfile import nginx_conf
from layerdoit.layers.specs import served

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layerdoit.config import Image
    from layerdoit.config.services_section import Static
    from layerdoit.layers.key import Spec
    from layerdoit.project.component_inputs import ComponentInputs
    from layerdoit.project.project import Project


def static(project: Project) -> Static:
    """How the files are served."""
    assert project.whole is not None  # noqa: S101 - only a service serves
    return project.whole.config.services[project.service].static


def conf(project: Project) -> str:
    """The configuration of nginx."""
    config = project.config
    return nginx_conf.conf(static(project), config.deploy.port or PORT, brotli=has_brotli(config.base.suite))


def spec(
    component: ComponentInputs, project: Project, image: Image, *, runtime: Spec, recipe: str, assets: str
) -> Spec:
    """The app layer. `recipe`: digest of what builds it; `assets`: of more files of the image."""
    facts = served.ServedFacts(
        recipe=recipe,
        component=component.name,
        output=component.key,
        made_from=lambda: component.specs[2].label_inputs,
        conf=conf(project),
        served=_served(project),
        settings={**_settings(image), **({"asset contents": assets} if image.assets else {})},
    )
    return served.spec(facts, runtime.key, project.repository)


def _served(project: Project) -> Mapping[str, str]:
    found = static(project)
    return {
        "fallback": found.fallback or "none",
        "immutable": " ".join(found.immutable),
        "proxy": json.dumps(dict(sorted(found.proxy.items()))),
        "compress": "yes" if found.compress else "no",
        "port": str(project.config.deploy.port or PORT),
    }


def _settings(image: Image) -> Mapping[str, str]:
    return {
        "env": json.dumps(dict(sorted(image.env.items()))),
        "labels": json.dumps(dict(sorted(image.labels.items()))),
        "user": image.user,
        "workdir": image.workdir,
        "expose": json.dumps(list(image.expose)),
        "assets": json.dumps(dict(sorted(image.assets.items()))),
        **({"stop_signal": image.stop_signal} if image.stop_signal else {}),
    }
