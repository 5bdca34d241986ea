"""`deploy.secrets` in a cluster: a Secret for each set of values, which pods name, and which nobody sees."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from layerdoit.core.errors import ConfigError
from layerdoit.deploy.provider import Release
from tests.support.kube_project import Place, workload

Releases = Callable[..., Release]

USES = "envFrom: [{secretRef: {name: layerdoit-shop-prod}}]"


def named(place: Place) -> str:
    (body,) = place.objects("deployments")
    return str(body["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["secretRef"]["name"])


def value(place: Place, name: str) -> str:
    (secret,) = (one for one in place.objects("secrets") if one["metadata"]["name"] == name)
    return base64.b64decode(secret["data"]["TOKEN"]).decode()


def test_each_set_of_values_is_a_secret_of_its_own(
    place: Place, release: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write(workload(container=USES))
    monkeypatch.setenv("TOKEN", "first-value")
    secrets = {"TOKEN": None}
    provider = place.provider(secrets=secrets)
    provider.check(release())
    assert "Secret layerdoit-shop-prod: new, with TOKEN" in list(provider.changes(release()))
    assert provider.deploy(release()).error is None
    first = named(place)
    assert value(place, first) == "first-value"
    assert place.provider(secrets=secrets).deploy(release()).phases == ()

    # The same image with another value: pods start again, with it.
    monkeypatch.setenv("TOKEN", "second-value")
    changed = place.provider(secrets=secrets).deploy(release(number=1))
    assert changed.error is None
    assert changed.phases
    assert value(place, named(place)) == "second-value"
    seen = "".join(str(place.objects(kind)) for kind in ("deployments,replicasets", "leases", "pods"))
    assert "second-value" not in seen
    assert "second-value" not in "".join(place.provider(secrets=secrets).changes(release(number=2)))

    # A release that is gone back to has the value that it had.
    assert place.provider(secrets=secrets).roll_back(release()).error is None
    assert value(place, named(place)) == "first-value"
    place.provider(secrets=secrets).destroy()
    assert place.objects("secrets") == []


def test_secrets_that_no_pod_uses(place: Place, release: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write(workload())
    monkeypatch.setenv("TOKEN", "first-value")
    with pytest.raises(ConfigError) as caught:
        place.provider(secrets={"TOKEN": None}).check(release())
    assert str(caught.value).startswith(
        "layerdoit.prod.yaml:7: no pod of the manifests uses the Secret layerdoit-shop-prod"
    )
    assert "secretRef" in str(caught.value)
