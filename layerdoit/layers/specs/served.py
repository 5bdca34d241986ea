"""The app layer's inputs of a page: the output of a component, how it is served, and the image's own settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from layerdoit.layers.key import Spec, digest
from layerdoit.layers.specs.app import SHORT


@dataclass(frozen=True)
class ServedFacts:
    """What the image of a page is made of.

    `recipe`: digest of what builds it; `component`: its name; `output`: the key of its output, and `made_from` what
    that was made from; `conf`: the configuration of nginx; `served`: the settings that it follows from, and `settings`
    those of the image, as text.
    """

    recipe: str
    component: str
    output: str
    made_from: Callable[[], Mapping[str, str]]
    conf: str
    served: Mapping[str, str]
    settings: Mapping[str, str]


def spec(facts: ServedFacts, runtime_key: str, repository: str) -> Spec:
    """The app layer on top of a runtime image that has nginx."""
    common = {
        "runtime": runtime_key,
        "Dockerfile.page": facts.recipe,
        **{f"static {name}": value for name, value in facts.served.items()},
        **{f"image {name}": value for name, value in facts.settings.items()},
    }

    def listed() -> Mapping[str, str]:
        made_from = {_name(facts.component, name): value for name, value in facts.made_from().items()}
        packages = f"component {facts.component} packages"
        if packages in made_from:
            made_from[packages] = made_from[packages][:SHORT]
        return {**common, **made_from}

    # These two only say that something is different; the listing says what.
    whole = {f"component {facts.component}": facts.output, "nginx.conf": digest([facts.conf])[:16]}
    return Spec("app", {**common, **whole}, repository, listed)


def _name(component: str, name: str) -> str:
    if name.startswith(("file ", "files ")):
        return name
    return f"component {component} {'packages' if name == 'deps' else name}"
