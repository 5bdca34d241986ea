"""Why a rollout does not end, and whether it ever will; what kubectl's errors mean."""

from __future__ import annotations

from typing import Any

import pytest

from layerdoit.core.command_errors import CommandFailed
from layerdoit.core.errors import LayerdoitError
from layerdoit.deploy.kubernetes import kube_diff, kubectl_errors, pod_troubles
from layerdoit.deploy.kubernetes.workloads import Workload, gathered

Json = dict[str, Any]


def pod(**state: Any) -> Json:
    owner = {"uid": "r2"}
    return {
        "kind": "Pod",
        "metadata": {"name": "web-1", "uid": "p1", "ownerReferences": [owner]},
        "status": {"containerStatuses": [{"name": "main", "ready": False, "restartCount": 0, **state}]},
    }


def workload(*pods: Json, **status: Any) -> Workload:
    body: Json = {
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "uid": "d",
            "generation": 2,
            "annotations": {"deployment.kubernetes.io/revision": "2"},
        },
        "spec": {"replicas": 1, "template": {"spec": {"containers": []}}, "selector": {"matchLabels": {"app": "web"}}},
        "status": {"observedGeneration": 2, **status},
    }
    sets = [
        {
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"web-{number}",
                "uid": f"r{number}",
                "ownerReferences": [{"uid": "d"}],
                "annotations": {"deployment.kubernetes.io/revision": str(number)},
            },
            "spec": {"template": {"metadata": {"labels": {"pod-template-hash": "x"}}, "spec": {"containers": []}}},
        }
        for number in (1, 2)
    ]
    return gathered(body, [*sets, *pods])


def waiting(reason: str, message: str = "", **more: Any) -> Json:
    return pod(state={"waiting": {"reason": reason, "message": message}}, **more)


ENDED = {"terminated": {"exitCode": 101, "reason": "Error"}}


@pytest.mark.parametrize(
    ("one", "said", "certain"),
    [
        (waiting("ErrImagePull", "unauthorized: authentication required"), "ErrImagePull: unauthorized", True),
        (waiting("ErrImagePull", "dial tcp: i/o timeout"), "timeout", False),
        (waiting("ImagePullBackOff", "manifest unknown"), "manifest unknown", True),
        (waiting("InvalidImageName"), "InvalidImageName", True),
        (waiting("CreateContainerConfigError", 'secret "a" not found'), 'secret "a" not found', True),
        (waiting("CrashLoopBackOff", lastState=ENDED, restartCount=1), "exit code 101, 2 times", False),
        (waiting("CrashLoopBackOff", lastState=ENDED, restartCount=2), "exit code 101, 3 times", True),
        (pod(state=ENDED), "exit code 101, once", False),
        (pod(state={"running": {}}), "it is not ready", False),
    ],
)
def test_of_a_pod(one: Json, said: str, certain: bool) -> None:
    found = pod_troubles.of(workload(one))
    assert found is not None
    assert said in found.what
    assert found.certain == certain


def test_the_old_release_s_pods_are_no_trouble() -> None:
    old = waiting("InvalidImageName")
    old["metadata"]["ownerReferences"] = [{"uid": "r1"}]
    assert pod_troubles.of(workload(old)) is None


def test_an_autoscaler_that_will_not_help() -> None:
    one = pod()
    one["status"] = {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]}
    found = pod_troubles.of(workload(one))
    assert found == ("not scheduled: 0/3 nodes are available", False, None, "")
    event = {"reason": "NotTriggerScaleUp", "message": "no", "involvedObject": {"uid": "p1"}}
    assert getattr(pod_troubles.of(workload(one), [event]), "certain", None)


@pytest.mark.parametrize(
    ("message", "certain"),
    [
        ('pods "web-1" is forbidden: exceeded quota: small, requested: pods=1', False),
        ('pods "web-1" is forbidden: violates PodSecurity "restricted:latest"', True),
    ],
)
def test_pods_that_are_not_made(message: str, certain: bool) -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    found = pod_troubles.of(workload(conditions=[refused]))
    assert found is not None
    assert found.what == f"no pod was made: {message.partition('forbidden: ')[2]}"
    assert found.certain == certain


@pytest.mark.parametrize(
    ("status", "done"),
    [
        ({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, False),
        ({"replicas": 1, "updatedReplicas": 0}, False),
        ({"replicas": 2, "updatedReplicas": 1, "availableReplicas": 1}, False),
        ({"replicas": 1, "updatedReplicas": 1}, False),
        ({"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, True),
    ],
)
def test_progress(status: Json, done: bool) -> None:
    assert workload(**status).progress().done == done


def test_what_serves_while_a_rollout_hangs() -> None:
    old = pod()
    old["metadata"] |= {"ownerReferences": [{"uid": "r1"}], "name": "web-0"}
    old["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
    one = workload(old, waiting("ErrImagePull"))
    served = one.serving()
    assert served is not None
    assert served.template == one.revisions[1].template
    assert served.template["metadata"]["labels"] == {}


SAID = {
    'error: context "x" does not exist': 'the kubeconfig has no context "prd"\nnext: did you mean "prod"?',
    'Error from server (NotFound): namespaces "shop" not found': "next: kubectl --context=prd create namespace shop",
    "error: You must be logged in to the server (Unauthorized)": "does not accept the login\n",
    "Unable to connect to the server: getting credentials: exec: executable aws-iam-authenticator not found": (
        "aws-iam-authenticator not found"
    ),
    "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?": (
        "cannot be reached: 10.0.0.1:6443: connection refused"
    ),
    "Unable to connect to the server: dial tcp: lookup api.test: no such host": "no such host",
    'Error from server (Forbidden): deployments.apps "web" is forbidden: User "ci" cannot patch resource "deployments"'
    ' in API group "apps" in the namespace "shop"': "ci may not patch deployments in the namespace shop",
    'error: resource mapping not found for name: "a" from "STDIN": no matches for kind "Widget" in version '
    '"example.org/v1"': "the cluster prd knows no Widget of example.org/v1",
    'The Service "web" is invalid: spec.ports[0].port: Invalid value: 0: must be between 1 and 65535': (
        "Service/web is not valid: spec.ports[0].port"
    ),
    'error: Apply failed with 1 conflict: conflict with "argocd-controller" using apps/v1: .spec.replicas': (
        "another program manages what the manifests set: .spec.replicas (argocd-controller)"
    ),
    "error: something new": "kubectl: something new",
}


def explained(said: str) -> LayerdoitError:
    failed = CommandFailed(["kubectl"], 1, "", said)
    return kubectl_errors.explained(failed, "prd", "shop", "layerdoit.prod.yaml:4", lambda: ["prod", "dev"])


@pytest.mark.parametrize("said", SAID)
def test_errors_of_kubectl(said: str) -> None:
    assert SAID[said] in str(explained(said))


def test_whose_fields_are_taken_over() -> None:
    said = """\
error: Apply failed with 2 conflicts: conflicts with "kubectl-edit" using apps/v1:
- .spec.replicas
- .spec.template.spec.containers[name="main"].image
conflict with "layerdoit" using apps/v1: .spec.template.metadata.annotations.io.layerdoit/key
Please review the fields above"""
    found = explained(said)
    assert isinstance(found, kubectl_errors.Conflict)
    assert found.others == ()
    assert found.by_hand == (".spec.replicas", '.spec.template.spec.containers[name="main"].image')


def test_differences_have_the_names_of_objects() -> None:
    text = """\
diff -u -N /tmp/LIVE-1/apps.v1.Deployment.shop.web /tmp/MERGED-2/apps.v1.Deployment.shop.web
--- /tmp/LIVE-1/apps.v1.Deployment.shop.web
+++ /tmp/MERGED-2/apps.v1.Deployment.shop.web
@@ -1 +1 @@
-  generation: 1
+  generation: 2
-    io.layerdoit/commit: "1"
@@ -9 +9 @@
-  image: a
+  image: b
diff -u -N /tmp/LIVE-1/v1.Service.shop.web /tmp/MERGED-2/v1.Service.shop.web
@@ -1 +1 @@
-  generation: 1
+  generation: 2
"""
    assert list(kube_diff.readable(text)) == ["Deployment/web:", "@@ -9 +9 @@", "-  image: a", "+  image: b"]
