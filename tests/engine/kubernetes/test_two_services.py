"""Two services whose manifests lie in one folder: each release replaces its own image, and leaves the other's."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from layerdoit.deploy.kubernetes.cluster import KubernetesProvider
from layerdoit.deploy.provider import Release
from layerdoit.deploy.settings import DeploySettings
from tests.support.kube_project import SERVICE, Place, workload

Releases = Callable[..., Release]


def services(place: Place) -> dict[str, KubernetesProvider]:
    """api and worker, of one project and one folder of manifests."""
    whole = place.settings()
    table: dict[str, DeploySettings] = {}
    for name in ("api", "worker"):
        table[name] = replace(whole, name=f"shop-{name}-prod", service=name, part=name, table=lambda: table)
    return {name: KubernetesProvider(one) for name, one in table.items()}


def test_each_is_rolled_out_by_itself(place: Place, release: Releases) -> None:
    web, worker = workload(name="web"), workload(name="worker")
    place.write(
        web.replace("image: shop", "image: shop-api"), SERVICE, worker.replace("image: shop", "image: shop-worker")
    )
    one, two = release(), release(number=1)
    assert services(place)["api"].deploy(one).error is None
    assert [body["metadata"]["name"] for body in place.objects("deployments")] == ["web"], "the other one is not begun"
    with ThreadPoolExecutor() as side_by_side:
        begun = {name: side_by_side.submit(part.deploy, two) for name, part in services(place).items()}
    assert {name: result.result().error for name, result in begun.items()} == {"api": None, "worker": None}
    assert {place.image(name=name) for name in ("web", "worker")} == {two.reference}
    # A new release of one of them changes nothing of the other.
    before = place.kubectl("get", "deployment/worker", "--output=jsonpath={.metadata.generation}")
    third = release(number=2)
    assert services(place)["api"].deploy(third).error is None
    assert (place.image(name="web"), place.image(name="worker")) == (third.reference, two.reference)
    assert place.kubectl("get", "deployment/worker", "--output=jsonpath={.metadata.generation}") == before
    # What fails in one goes back alone.
    assert services(place)["worker"].deploy(release("crash", 3)).error is not None
    assert (place.image(name="web"), place.image(name="worker")) == (third.reference, two.reference)
    assert services(place)["worker"].destroy()
    assert [body["metadata"]["name"] for body in place.objects("deployments")] == ["web"]
