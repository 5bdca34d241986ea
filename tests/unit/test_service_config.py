"""Services in layerdoit.yaml: what is refused, with file, line and next step, and what environments keep apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.config import Config, load
from layerdoit.config.service_settings import of_service
from layerdoit.core.errors import ConfigError

TWO = "services:\n  api: {bins: [api], port: 8080}\n  worker: {bins: [worker]}\n"


def loaded(root: Path, text: str, staging: str | None = None, **variables: str) -> Config:
    (root / "layerdoit.yaml").write_text(text, encoding="utf-8")
    if staging is not None:
        (root / "layerdoit.staging.yaml").write_text(staging, encoding="utf-8")
        variables = {"ENV": "staging", **variables}
    return load(root, variables=variables)


BAD = [
    # (layerdoit.yaml, line, parts of the message)
    ("services:\n  api: {port: 80}", 2, ["services.api: it has no program", "name its binaries (bins: [api])"]),
    ("services:\n  Api: {bins: [a]}", 2, ["the name of a service", "lower-case letters"]),
    ("services:\n  api: {bin: [a]}", 2, ['unknown key "services.api.bin"', 'did you mean "bins"?']),
    (
        "services:\n  api: {bins: [a]}\n  web: {bins: [a]}",
        3,
        ["services.web: api starts the same binary, a, in the same way", "give each its own binary"],
    ),
    (
        (
            "services:\n  api: {bins: [a], port: 1, deploy: {publish: 8080}}\n"
            "  web: {bins: [w], port: 1, deploy: {publish: 8080}}"
        ),
        3,
        ["services.web.deploy.publish: api has 8080 already", "give web another one: deploy: {publish: …}"],
    ),
    (
        (
            "services:\n  api: {bins: [a], port: 1, deploy: {publish: 8080}}\n"
            "  web:\n    bins: [w]\n    port: 1\n    deploy:\n      bind: 0.0.0.0\n      publish: 8080"
        ),
        8,
        ["services.web.deploy.publish: api has 8080 already"],
    ),
    (
        "deploy: {publish: 8080}\nservices:\n  api: {bins: [a], port: 1}\n  web: {bins: [w], port: 1}",
        1,
        ["deploy.publish: 8080 at the top is of every service, and both api and web", "services: {web: {deploy: {pub"],
    ),
    (
        "services:\n  api: {bins: [a], deploy: {name: shop}}\n  web: {bins: [w], deploy: {name: shop}}",
        3,
        ["services.web.deploy.name: api has shop already", "give web another one"],
    ),
    (
        "project: shop\nservices:\n  api: {bins: [a], deploy: {name: shop-web}}\n  web: {bins: [w]}",
        4,
        ["services.web.deploy.name: api has shop-web already"],
    ),
    (
        "services:\n  api: {bins: [a], image: {repository: shop}}\n  web: {bins: [w], image: {repository: shop}}",
        3,
        ["services.web.image.repository: api has shop already", "image: {repository: …}"],
    ),
    (
        (
            "deploy:\n  provider: azure-container-apps\n  azure: {subscription: s, resource_group: g, app: shop}\n"
            "services:\n  api: {bins: [a]}\n  web: {bins: [w]}"
        ),
        3,
        ["deploy.azure.app: shop at the top is of every service", "{web: {deploy: {azure: {app: …}}}}"],
    ),
    (
        (
            "deploy: {provider: compose}\nservices:\n  api: {bins: [a], deploy: {compose: {service: app}}}\n"
            "  web: {bins: [w], deploy: {compose: {service: app}}}"
        ),
        4,
        ["services.web.deploy.compose.service: api has app already"],
    ),
    (
        "deploy: {provider: kubernetes, kubernetes: {image: shop}}\nservices:\n  api: {bins: [a]}\n  web: {bins: [w]}",
        1,
        ["deploy.kubernetes.image: shop at the top is of every service"],
    ),
    (
        "services:\n  page: {serve: wbe}\ncomponents:\n  web: {kind: node, build: 'npm run build', output: dist}",
        2,
        ['services.page.serve: there is no component "wbe"', 'did you mean "web"?'],
    ),
    (
        "services:\n  api:\n    bins: [a]\n    static: {compress: false}",
        4,
        ["services.api.static: it serves no files", "serve: web"],
    ),
    (
        "services:\n  web: {serve: web}\ncomponents:\n  web: {}",
        4,
        ["components.web: there is a service of this name", "web-files"],
    ),
    (
        "components: {web: {}}\nservices:\n  page:\n    serve: web\n    static:\n      proxy: {/: 'http://api:80'}",
        6,
        ["services.page.static.proxy: with /, nothing is left of the page"],
    ),
    (
        "components: {web: {}}\nservices:\n  page:\n    serve: web\n    static:\n      proxy: {/a: 'http://api/$x'}",
        6,
        ["services.page.static.proxy./a: nginx would take what follows $ for a variable", "%24"],
    ),
    (
        "services:\n  api: {bins: [a], needs: [web]}\n  web: {bins: [w], needs: [api]}",
        None,
        ["services need one another: ", "remove one of these needs"],
    ),
    ("services:\n  api: {bins: [a], needs: [api]}", 2, ["services need one another: api → api"]),
    (
        "services:\n  db:\n    bins: [a]\n    image: postgres:17",
        2,
        ["services.db: it has both bins and image", "remove one of the two"],
    ),
    (
        "services:\n  api: {bins: [a], build: {binary: out/a}}",
        2,
        ["services.api: it has both bins and build.binary", "remove one of the two"],
    ),
    (
        "components: {web: {}}\nservices:\n  page:\n    serve: web\n    build:\n      binary: out/a",
        6,
        ["services.page: it has both build.binary and serve", "remove one of the two"],
    ),
    (
        "services:\n  api: {build: {binary: /out/a}}",
        2,
        ["services.api.build.binary: expected a path inside the project"],
    ),
    (
        "build: {binary: out/a}\nservices:\n  api: {bins: [a]}",
        1,
        ["build.binary: with services, each has a program of its own", "services: {api: {build: {binary: …}}}"],
    ),
    ("variants:\n  Slim: {}", 2, ["the name of a service", "lower-case letters"]),
    ("variants:\n  '': {}", 2, ["the name of a service"]),
    ("variants:\n  slim: {packages: [a]}", 2, ['unknown key "variants.slim.packages"', "runtime_packages"]),
    ("variants:\n  slim: {runtime_image: 'not an image'}", 2, ["variants.slim.runtime_image"]),
    ("variants: [slim]", 1, ["variants"]),
    (
        "services:\n  web: {bins: [w]}\n  api:\n    bins: [a]\n    health: /health",
        5,
        ["services.api: deploy.health.path needs deploy.port", "set deploy.port, or check it by command or log"],
    ),
    (
        "services:\n  web: {bins: [w]}\n  api:\n    bins: [a]\n    deploy:\n      publish: 8080",
        6,
        ["services.api: deploy.publish needs deploy.port", "set deploy.port"],
    ),
    (
        "deploy: {health: {path: /}}\nservices:\n  api: {bins: [a], port: 1}\n  web: {bins: [w]}",
        1,
        ["services.web: deploy.health.path needs deploy.port"],
    ),
]


@pytest.mark.parametrize(("text", "line", "parts"), BAD, ids=[bad[2][0][:60] for bad in BAD])
def test_what_cannot_be_is_one_message(tmp_path: Path, text: str, line: int | None, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    said = str(caught.value)
    assert f"layerdoit.yaml:{line or ''}" in said, said
    assert all(part in said for part in parts), said
    assert said.count("\nnext: ") == 1, said


def test_what_is_no_clash(tmp_path: Path) -> None:
    both = "\n  web: {bins: [a], deploy: {args: [web]}, port: 8080}"
    loaded(tmp_path, f"services:\n  api: {{bins: [a], port: 8080}}{both}")
    apart = "  {0}: {{bins: [{0}], port: 1, deploy: {{publish: 8080, bind: 127.0.0.{1}}}}}\n"
    loaded(tmp_path, f"services:\n{apart.format('api', 1)}{apart.format('web', 2)}")
    loaded(tmp_path, "deploy: {publish: 0, health: {path: /}}\n" + TWO.replace("[worker]", "[worker], port: 1"))


def test_a_port_of_the_command_line_is_of_one_service(tmp_path: Path) -> None:
    for name in ("PORT", "PUBLISH"):
        with pytest.raises(ConfigError, match=f"deploy.{name.lower()} is about one service, and there are 2: api, wo"):
            loaded(tmp_path, TWO, **{name: "9000"})
    one = loaded(tmp_path, "services:\n  api: {bins: [a]}\n  db: {image: 'postgres:17'}", PORT="9000")
    assert of_service(one, "api", {"PORT": "9000"}).deploy.port == 9000


# --- environments ----------------------------------------------------------------------------------------------------


def test_an_environment_overrides_some_settings_of_a_service(tmp_path: Path) -> None:
    common = TWO.replace("port: 8080", "port: 8080, deploy: {env: {A: '1', B: '1'}, name: front, memory: 1GB}")
    more = "services:\n  api: {deploy: {env: {B: '2'}, args: [fast]}}\n"
    found = loaded(tmp_path, common, more)
    api, worker = (of_service(found, name, {"ENV": "staging"}) for name in ("api", "worker"))
    assert dict(api.deploy.env) == {"A": "1", "B": "2"}
    assert (api.deploy.args, api.deploy.memory, api.deploy.port) == (("fast",), 10**9, 8080)
    assert (api.deploy.name, worker.deploy.name) == ("front-staging", None)
    assert (api.image.tags, worker.image.tags) == (("staging",), ("staging",))
    assert (api.bins, worker.bins) == (("api",), ("worker",))


def test_environments_share_no_tag_of_a_service(tmp_path: Path) -> None:
    own = TWO.replace("[api]", "[api], image: {tags: [stable]}")
    for staging, where in (
        ("services: {api: {image: {tags: [stable]}}}", "services.api.image.tags"),
        ("image: {tags: [stable]}", "image.tags"),
        ("services: {worker: {image: {tags: [latest]}}}", "services.worker.image.tags"),
    ):
        with pytest.raises(ConfigError, match=f'{where}: "(stable|latest)" is a tag of the default environment') as bad:
            loaded(tmp_path, own, staging)
        assert "layerdoit.staging.yaml:1" in str(bad.value)
    found = loaded(tmp_path, own, "services: {api: {image: {tags: [latest]}}}")
    assert of_service(found, "api", {}).image.tags == ("latest",)
