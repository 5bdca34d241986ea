"""Which service of a compose file is ours, how it can be replaced, and what is started around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from layerdoit.core.errors import DeployError
from layerdoit.deploy.compose import composition
from layerdoit.deploy.compose.composition import Composition, Service

ROOT = Path("/work/shop")


def whole(**services: Any) -> Composition:
    return Composition.of({"name": "shop", "services": services})


def built(folder: str = "/work/shop", **more: Any) -> dict[str, Any]:
    return {"build": {"context": folder, "dockerfile": more.pop("dockerfile", "Dockerfile")}, **more}


def chosen(wanted: str | None = None, **services: Any) -> str:
    return whole(**services).chosen(wanted, ROOT, {"shop"}, "compose.yaml").name


def test_the_service_that_is_built_from_the_project() -> None:
    assert chosen(web=built(), db=built("/work/shop/db"), cache={"image": "valkey"}) == "web"
    assert chosen(web=built("/work", dockerfile="shop/Dockerfile"), other=built("/work/other")) == "web"
    assert chosen(web={"image": "registry:5000/team/shop:1.2"}, db={"image": "postgres:16"}) == "web"
    assert chosen("db", web=built(), db={"image": "postgres"}) == "db"


@pytest.mark.parametrize(
    ("services", "wanted", "says"),
    [
        ({"web": {"image": "nginx"}, "db": {"image": "postgres"}}, None, ["no service", "db, web", "service: …"]),
        ({}, None, ["no service", "it has none"]),
        ({"web": built(), "worker": built()}, None, ["2 services", "web, worker", "service: web"]),
        ({"web": built(), "db": {"image": "x"}}, "wbe", ['"wbe"', 'did you mean "web"', "db, web"]),
    ],
    ids=["none matches", "no services", "two match", "misspelt"],
)
def test_where_it_is_not_clear(services: dict[str, Any], wanted: str | None, says: list[str]) -> None:
    with pytest.raises(DeployError) as caught:
        chosen(wanted, **services)
    assert all(word in str(caught.value) for word in says), str(caught.value)


@pytest.mark.parametrize(
    ("values", "wanted", "strategy"),
    [
        ({}, None, "beside"),
        ({"ports": [{"target": 80}]}, None, "beside"),
        ({"ports": [{"target": 80, "published": "8000-8010"}]}, None, "beside"),
        ({"ports": [{"target": 80, "published": "8000"}]}, None, "tried"),
        ({"ports": [{"target": 80, "published": "8000"}]}, "beside", "tried"),
        ({"ports": [{"target": 80, "published": "8000"}]}, "recreate", "recreate"),
        ({}, "recreate", "recreate"),
        ({"network_mode": "host"}, None, "recreate"),
        ({"network_mode": "service:vpn"}, None, "recreate"),
        ({"pid": "container:x"}, None, "recreate"),
        ({"networks": {"back": {"ipv4_address": "10.0.0.2"}}}, None, "recreate"),
        ({"networks": {"back": None}}, None, "beside"),
    ],
)
def test_how_it_is_replaced(values: dict[str, Any], wanted: str | None, strategy: str) -> None:
    assert Service("web", values).strategy(wanted) == strategy


@pytest.mark.parametrize(
    ("healthcheck", "command"),
    [
        (None, None),
        ({"test": ["NONE"]}, None),
        ({"test": ["CMD", "/x"], "disable": True}, None),
        ({"test": ["CMD", "/x", "check"]}, ("/x", "check")),
        ({"test": ["CMD-SHELL", "curl -f x || exit 1"]}, ("/bin/sh", "-c", "curl -f x || exit 1")),
    ],
)
def test_its_own_health_check(healthcheck: dict[str, Any] | None, command: tuple[str, ...] | None) -> None:
    assert Service("web", {"healthcheck": healthcheck}).check == command


def test_words_are_as_they_are_started() -> None:
    """docker compose prints them as one would write them."""
    written = {
        "entrypoint": ["sh", "-c", "echo $$HOME"],
        "command": None,
        "healthcheck": {"test": ["CMD", "is", "$$X"]},
    }
    service = Service("web", written)
    assert (service.entrypoint, service.command, service.check) == (("sh", "-c", "echo $HOME"), None, ("is", "$X"))
    assert Service("web", {"entrypoint": [], "command": ["$$A"]}).entrypoint == ()
    volumes = [{"type": "bind", "source": "/x", "target": "/y/"}, {"type": "volume", "target": "/z"}]
    assert Service("web", {"volumes": volumes, "tmpfs": ["/run:size=1m"]}).mounted == ("/y", "/z", "/run")


@pytest.mark.parametrize(
    ("values", "policy"),
    [
        ({}, "no"),
        ({"restart": "unless-stopped"}, "unless-stopped"),
        ({"restart": "on-failure:3"}, ""),
        ({"deploy": {"restart_policy": {"condition": "any"}}}, "always"),
        ({"deploy": {"restart_policy": {"condition": "none"}}}, "no"),
        ({"deploy": {"restart_policy": {"condition": "on-failure", "max_attempts": 3}}}, ""),
    ],
)
def test_when_the_engine_starts_it_again(values: dict[str, Any], policy: str) -> None:
    assert Service("web", values).restart == policy


def test_ports_and_replicas() -> None:
    ports = [{"target": 53, "protocol": "udp"}, {"target": 80, "protocol": "tcp"}]
    service = Service("web", {"ports": ports, "expose": ["90", "91/udp", "92-94"], "deploy": {"replicas": 3}})
    assert (service.ports, service.replicas, Service("web", {"scale": 2}).replicas) == ((80, 90), 3, 2)


def test_what_is_started_before_and_after() -> None:
    condition = {"condition": "service_started"}
    shop = whole(
        web={"depends_on": {"db": condition, "migrate": {"condition": "service_completed_successfully"}}},
        migrate={"depends_on": {"db": condition}},
        db={},
        proxy={"depends_on": {"web": condition}},
        mail={},
    )
    assert [one.name for one in shop.before(shop.services["web"])] == ["db", "migrate"]
    assert [one.name for one in shop.after(shop.services["web"])] == ["proxy", "mail"]
    assert shop.once() == {"migrate"}


def test_others_that_are_built_in_the_same_way() -> None:
    shop = whole(web=built(), worker=built(), tests=built(dockerfile="Dockerfile.tests"), db={"image": "postgres"})
    assert [one.name for one in shop.siblings(shop.services["web"])] == ["worker"]
    assert shop.siblings(shop.services["db"]) == ()


def test_a_service_that_shares_ours() -> None:
    shop = whole(web={}, sidecar={"network_mode": "service:web"})
    assert shop.sharing(shop.services["web"]) == "sidecar has network_mode: service:web"
    assert shop.sharing(shop.services["sidecar"]) is None


def test_the_digest_names_what_a_service_is_started_with() -> None:
    def digest(**values: Any) -> str:
        shop = whole(web=values)
        return shop.digest(shop.services["web"])

    assert digest(environment={"A": "1"}) != digest(environment={"A": "2"})
    assert digest(image="x:1") == digest(image="x:2", depends_on={"db": {}}, profiles=["p"], deploy={"replicas": 2})
    assert digest() != digest(deploy={"resources": {"limits": {"memory": "1"}}})


def test_what_docker_compose_says() -> None:
    text = (
        'time="2026" level=warning msg="The \\"X\\" variable is not set."\n'
        'time="2026" level=warning msg="The \\"X\\" variable is not set."\n'
        " Container a-web-1  Creating\nvalidating /x: services.web.ports.0 is wrong\n"
    )
    assert list(composition.warnings(text)) == ['The "X" variable is not set.']
    assert composition.error_lines(text) == ["validating /x: services.web.ports.0 is wrong"]
    assert composition.path_in(text) == ("web", "ports", "0")
    assert composition.path_in('service "web" depends on undefined service') == ("web",)
    assert composition.path_in("nothing") == ()
