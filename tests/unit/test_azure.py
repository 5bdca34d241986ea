"""What is decided about container apps of Azure, on values as Azure and `az` write them; nothing is asked."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from layerdoit.core import masking
from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.deploy import process_mark
from layerdoit.deploy.azure import app_lock, app_logs, az_errors, fitting, judging, revising, traffic
from layerdoit.deploy.azure.app_state import MARK, App, Mark, Revision, app_of, mark_of, revision_of
from layerdoit.deploy.azure.az import Az
from layerdoit.deploy.azure.az_errors import Place
from layerdoit.deploy.azure.container_app import AzureProvider, release_of, revision_for
from layerdoit.deploy.azure.differences import lines
from layerdoit.deploy.azure.revising import Wanted
from layerdoit.deploy.provider import Release
from tests.support.azure_deploying import settings

PLACE = Place("Prod", "shop", "web", {"deploy.azure.app": "layerdoit.prod.yaml:7"})
DIGEST = f"sha256:{'a' * 64}"
RELEASE = Release(f"shop.azurecr.io/web@{DIGEST}", "0123456789abcdef", DIGEST, "prod", "c" * 40, "7")
WANTED = Wanted(RELEASE, {"COLOUR": "blue"}, {"TOKEN": "layerdoit-token-00000001"})


def app(**changes: Any) -> App:
    """An app in which `web--old` has all traffic."""
    container = {"name": "web", "image": "quickstart:latest", "env": [{"name": "THEIRS", "value": "1"}]}
    ingress = {"external": True, "fqdn": "web.example", "targetPort": 8080}
    properties: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "latestReadyRevisionName": "web--old",
        "configuration": {
            "activeRevisionsMode": changes.pop("mode", "Multiple"),
            "ingress": {**ingress, "traffic": changes.pop("traffic", [{"revisionName": "web--old", "weight": 100}])},
            "secrets": [{"name": one} for one in changes.pop("secrets", ())],
        },
        "template": {"containers": changes.pop("containers", [container])},
    }
    if not changes.pop("ingress", True):
        del properties["configuration"]["ingress"]
    return app_of(
        {"name": "web", "properties": properties, "tags": changes.pop("tags", {})}, changes.pop("container", None)
    )


def revision(name: str = "web--new", wanted: Wanted | None = None, **state: Any) -> Revision:
    """A revision as Azure tells it, of a release of ours where `wanted` says which."""
    properties = {"active": True, "createdTime": "2026-01-01T00:00:00+00:00", **state}
    if wanted is not None:
        properties["template"] = {"containers": [revising.container(app().template, "web", wanted)]}
    return revision_of({"name": name, "properties": properties}, None)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"provisioningState": "Provisioned", "runningState": "Running", "healthState": "Healthy"}, "healthy"),
        (
            {"provisioningState": "Provisioned", "runningState": "RunningAtMaxScale", "healthState": "Healthy"},
            "healthy",
        ),
        ({"provisioningState": "Provisioned", "runningState": "Scaled to zero", "healthState": "None"}, "healthy"),
        ({"provisioningState": "Provisioned", "healthState": "Healthy"}, "healthy"),
        ({"provisioningState": "Provisioned", "runningState": "Running", "healthState": "None"}, "running"),
        ({"provisioningState": "Provisioned", "runningState": "Running"}, "running"),
        ({"provisioningState": "Provisioned", "runningState": "Running", "healthState": "Unhealthy"}, "wait"),
        ({"provisioningState": "Provisioned", "runningState": "Degraded", "healthState": "Unhealthy"}, "wait"),
        ({"provisioningState": "Provisioning", "runningState": "Running", "healthState": "Healthy"}, "wait"),
        ({"provisioningState": "Provisioning"}, "wait"),
        ({"provisioningState": "Provisioned", "runningState": "Activating"}, "wait"),
        ({"provisioningState": "Provisioned", "runningState": "a word of a later Azure"}, "wait"),
        ({}, "wait"),
        ({"provisioningState": "Provisioned", "runningState": "Failed"}, "failed"),
        ({"provisioningState": "Provisioned", "runningState": "ActivationFailed"}, "failed"),
        ({"provisioningState": "Failed", "runningState": "Running"}, "failed"),
        ({"provisioningState": "Deprovisioned", "runningState": "Stopped", "active": False}, "stopped"),
        ({"provisioningState": "Provisioned", "runningState": "Running", "active": False}, "stopped"),
    ],
)
def test_only_what_azure_calls_running_and_not_unhealthy_is_healthy(state: dict[str, Any], expected: str) -> None:
    assert judging.verdict(revision(**state)).state == expected


def test_the_reason_is_azures_own() -> None:
    failed = revision(runningState="Failed", runningStateDetails="exit code '3'", provisioningError="no cores left")
    assert judging.verdict(failed).why == "no cores left exit code '3'"


# --- az ---------------------------------------------------------------------------------------------------------------

REST = 'ERROR: %s({"error":{"code":"%s","message":"%s"}})'
PULL = (
    "ERROR: Failed to provision revision for container app 'web'. Error details: The following field(s) are either "
    "invalid or missing. Field 'template.containers.web.image' is invalid with details: 'Invalid value: "
    '"x.io/web@sha256:1": GET https:?scope=: UNAUTHORIZED: authentication required\';.'
)
SAID = [
    ("ERROR: Please run 'az login' to setup account.", "not logged in", "az login"),
    ("ERROR: AADSTS700082: The refresh token has expired due to inactivity.\naz login", "has expired", "az login"),
    ("ERROR: AADSTS7000222: The provided client secret keys are expired.", "7000222", "az login"),
    (
        REST % ("Unauthorized", "ExpiredAuthenticationToken", "The access token expiry is earlier"),
        "expired",
        "az login",
    ),
    (
        REST % ("Not Found", "SubscriptionNotFound", "The subscription 'Prod' could not be found."),
        '"Prod"',
        "az account list",
    ),
    ("ERROR: Subscription 'Prod' not found. Check the spelling and casing.", '"Prod"', "az account list"),
    ("ERROR: The subscription of 'Prod' doesn't exist in cloud 'AzureCloud'.", '"Prod"', "az account list"),
    (
        REST % ("Not Found", "ResourceGroupNotFound", "Resource group 'shop' could not be found."),
        '"shop"',
        "az group list",
    ),
    (REST % ("Not Found", "ResourceNotFound", "The Resource was not found."), '"web"', "az containerapp create"),
    (
        REST % ("Forbidden", "AuthorizationFailed", "The client does not have authorization"),
        "may not",
        "role assignment",
    ),
    (
        REST % ("Forbidden", "AuthorizationFailed", "may not Microsoft.Resources/tags/write"),
        "may not",
        "Tag Contributor",
    ),
    (REST % ("Conflict", "ContainerAppOperationInProgress", "busy"), "another change", "wait"),
    (REST % ("Bad Request", "MaximumAllowedCoresExceeded", "Maximum Allowed Cores"), "Maximum", "quota"),
    (
        PULL,
        "x.io/web@sha256:1: GET",
        "az containerapp registry set",
    ),
    ("ERROR: 'containerapp' is misspelled or not recognized by the system.", "too old", "az upgrade"),
    ("ERROR: HTTPSConnectionPool(host='x', port=443): Max retries exceeded with url", "does not answer", "network"),
    (REST % ("Bad Request", "SomethingNew", "words of Azure"), "words of Azure", "az containerapp show"),
    (
        "ERROR: (SomethingElse) more words\nCode: SomethingElse\nMessage: more words",
        "more words",
        "az containerapp show",
    ),
    ("no word of an error", "no word of an error", "az containerapp show"),
    ("", "", "az containerapp show"),
]


@pytest.mark.parametrize(("stderr", "what", "hint"), SAID)
def test_each_failure_of_az_is_one_message_with_the_command_that_helps(stderr: str, what: str, hint: str) -> None:
    error = az_errors.explained(f"WARNING: something\nINFO: Request body:\nINFO: hunter2\n{stderr}", PLACE)
    assert what in error.what
    assert hint in (error.hint or "")
    assert "hunter2" not in str(error)
    assert "ERROR" not in error.what


def test_a_missing_place_names_its_line() -> None:
    error = az_errors.explained(REST % ("Not Found", "ResourceNotFound", "not found"), PLACE)
    assert error.where == "layerdoit.prod.yaml:7"


def test_without_az_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LayerdoitError, match="was not found") as caught:
        AzureProvider(settings(tmp_path)).check(RELEASE)
    assert "azure-cli" in str(caught.value)


def test_every_call_names_its_place_and_secrets_are_in_no_argument(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    az = tmp_path / "az"
    az.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/said\ncat >>{tmp_path}/fed\necho "{{}}"\n')
    az.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    asked = Az(PLACE, None)
    monkeypatch.setattr(asked, "_settled", lambda: True)
    asked.change({"properties": {"configuration": {"secrets": [{"name": "a", "value": "hunter2"}]}}}, 5)
    asked.activate("web--new")
    said = (tmp_path / "said").read_text()
    assert "hunter2" not in said
    assert "hunter2" in (tmp_path / "fed").read_text()
    for line in said.splitlines():
        assert "--subscription Prod" in line
        assert "/resourceGroups/shop/" in line
        assert "/containerApps/web" in line
    command = " ".join(asked.command("logs", "show"))
    assert "--subscription Prod --resource-group shop --name web" in command


# --- traffic ----------------------------------------------------------------------------------------------------------


def test_traffic_that_a_user_divides_is_refused() -> None:
    divided = app(traffic=[{"revisionName": "web--a", "weight": 80}, {"revisionName": "web--b", "weight": 20}])
    with pytest.raises(LayerdoitError, match=r"80 % to web--a, 20 % to web--b") as caught:
        traffic.refuse_split(divided, "az containerapp ingress traffic set -n web")
    assert "--revision-weight web--a=100" in str(caught.value)


def test_the_latest_revision_beside_its_own_name_is_not_divided() -> None:
    same = app(traffic=[{"latestRevision": True, "weight": 50}, {"revisionName": "web--old", "weight": 50}])
    traffic.refuse_split(same, "")


def test_labels_of_a_user_stay_and_entries_without_weight_go() -> None:
    labelled = app(
        traffic=[
            {"revisionName": "web--old", "weight": 100, "label": "stable"},
            {"revisionName": "web--try", "weight": 0, "label": "try"},
            {"revisionName": "web--gone", "weight": 0},
        ]
    )
    assert traffic.moved(labelled, "web--new") == [
        {"weight": 100, "revisionName": "web--new"},
        {"weight": 0, "revisionName": "web--old", "label": "stable"},
        {"weight": 0, "revisionName": "web--try", "label": "try"},
    ]
    assert traffic.moved(labelled, "web--try")[0] == {"weight": 100, "revisionName": "web--try", "label": "try"}


def test_only_active_revisions_of_ours_without_traffic_or_label_were_left() -> None:
    labelled = app(traffic=[{"revisionName": "web--a", "weight": 100}, {"revisionName": "web--l", "label": "x"}])
    every = [
        revision("web--a", WANTED),
        revision("web--left", WANTED),
        revision("web--l", WANTED),
        revision("web--off", WANTED, active=False),
        revision("web--theirs"),
    ]
    assert [one.name for one in traffic.left(labelled, every, every[0])] == ["web--left"]


def test_a_revision_that_somebody_made_of_the_same_template_is_not_ours() -> None:
    wanted = Wanted(RELEASE, revision="web--r1")
    assert revision("web--r1", wanted).mark is not None
    assert revision("web--theirs", wanted).mark is None


def test_without_ingress_the_newest_healthy_revision_serves() -> None:
    running: dict[str, Any] = {"provisioningState": "Provisioned", "runningState": "Running"}
    every = [
        revision("web--1", createdTime="2026-01-01", **running),
        revision("web--2", createdTime="2026-01-02", **running),
        revision("web--3", createdTime="2026-01-03", runningState="Failed"),
        revision("web--4", createdTime="2026-01-04", active=False),
    ]
    found = traffic.serving(app(ingress=False), {one.name: one for one in every})
    assert found is not None
    assert found.name == "web--2"


# --- what a revision is made of ---------------------------------------------------------------------------------------


def test_variables_of_the_user_stay_and_those_of_an_earlier_release_go() -> None:
    first = revising.container(app().template, "web", WANTED)
    again = revising.container({"containers": [first]}, "web", Wanted(RELEASE, {"SIZE": ""}))
    assert [one["name"] for one in first["env"]] == ["THEIRS", "COLOUR", "TOKEN", MARK]
    assert [one["name"] for one in again["env"]] == ["THEIRS", "SIZE", MARK]
    assert mark_of(again) == Mark(RELEASE.key, RELEASE.commit, "prod", "7", ("SIZE",))


def test_arguments_of_an_earlier_release_go_and_those_of_the_user_stay() -> None:
    theirs = {"containers": [{"name": "web", "image": "x", "args": ["--theirs"]}]}
    ours = revising.container(theirs, "web", Wanted(RELEASE, args=("--ours",)))
    assert ours["args"] == ["--ours"]
    assert "args" not in revising.container({"containers": [ours]}, "web", Wanted(RELEASE))
    assert revising.container(theirs, "web", Wanted(RELEASE))["args"] == ["--theirs"]


def test_memory_comes_in_quarters_of_a_gib() -> None:
    asked = revising.container(app().template, "web", Wanted(RELEASE, cpus=0.25, memory=512_000_000))
    assert asked["resources"] == {"cpu": 0.25, "memory": "0.5Gi"}


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (WANTED, True),
        (
            Wanted(Release(RELEASE.reference, RELEASE.key, DIGEST, "prod", "d" * 40, "8"), WANTED.env, WANTED.secrets),
            True,
        ),
        (Wanted(RELEASE, {"COLOUR": "red"}, WANTED.secrets), False),
        (Wanted(RELEASE, WANTED.env, {"TOKEN": "layerdoit-token-00000002"}), False),
        (Wanted(RELEASE, WANTED.env, WANTED.secrets, ("--quick",)), False),
        (Wanted(Release("shop.azurecr.io/web@sha256:b", RELEASE.key), WANTED.env, WANTED.secrets), False),
        (Wanted(Release(RELEASE.reference, "another key"), WANTED.env, WANTED.secrets), False),
    ],
)
def test_a_revision_is_that_release_already_only_with_the_same_settings(other: Wanted, *, same: bool) -> None:
    asked = revising.container(app().template, "web", other)
    assert revising.is_already(revision(wanted=WANTED), asked) is same


def test_a_suffix_that_is_taken_gets_a_number() -> None:
    assert revising.suffix("web", "0123456789abcdef", ()) == "r0123456789"
    assert revising.suffix("web", "0123456789abcdef", ("web--r0123456789",)) == "r0123456789-2"
    taken = ("web--r0123456789", "web--r0123456789-2")
    assert revising.suffix("web", "0123456789abcdef", taken) == "r0123456789-3"


def test_each_value_of_a_secret_has_a_name_of_its_own_that_tells_nothing() -> None:
    there = {"layerdoit-token-00000001": "old", "layerdoit-url-00000002": "same", "token": "new"}
    names, new = revising.secret_names({"TOKEN": "new", "URL": "same"}, there)
    assert names["URL"] == "layerdoit-url-00000002"
    assert list(new.values()) == ["new"]
    assert names["TOKEN"] not in there
    assert "new" not in names["TOKEN"]


def test_secrets_stay_that_the_user_or_a_kept_revision_needs() -> None:
    names = ("theirs", "layerdoit-token-00000001", "layerdoit-old-00000002")
    old = revision("web--0", Wanted(RELEASE, {}, {"OLD": "layerdoit-old-00000002"}), active=False, createdTime="2025")
    now = revision("web--1", WANTED)
    assert revising.needed_secrets(app(secrets=names), [old, now], 2) == set(names)
    assert revising.needed_secrets(app(secrets=names), [old, now], 1) == set(names[:2])


def test_a_request_pins_the_traffic_and_sends_nothing_that_azure_works_out() -> None:
    side = {
        "name": "side",
        "image": "y",
        "env": [{"name": "EMPTY"}],
        "resources": {"cpu": 1, "ephemeralStorage": "2Gi"},
    }
    both = app(containers=[{"name": "web", "image": "x"}, side], container="web")
    asked = revising.container(both.template, "web", WANTED)
    sent = revising.body(both, asked, "r1", traffic.moved(both, "web--old"), None)
    assert sent["properties"]["configuration"]["ingress"]["traffic"] == [{"weight": 100, "revisionName": "web--old"}]
    assert [one["name"] for one in sent["properties"]["template"]["containers"]] == ["web", "side"]
    assert "ephemeralStorage" not in json.dumps(sent)
    assert {"name": "EMPTY", "value": ""} in sent["properties"]["template"]["containers"][1]["env"]
    assert "secrets" not in sent["properties"]["configuration"]


def test_a_rollback_finds_the_revision_of_that_release() -> None:
    other = Wanted(Release(RELEASE.reference, RELEASE.key, DIGEST, id="8"))
    broken = revision("web--3", WANTED, provisioningState="Failed")
    every = {one.name: one for one in (revision("web--1", WANTED), revision("web--2", other), broken)}
    assert getattr(revision_for(RELEASE, every), "name", "") == "web--1"
    unnamed = Release(RELEASE.reference, RELEASE.key, DIGEST)
    assert getattr(revision_for(unnamed, every), "name", "") == "web--2"
    assert revision_for(Release("x", RELEASE.key, "sha256:b"), every) is None


def test_a_dry_run_shows_what_changes_and_no_value_of_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "correct-horse")
    asked = settings(tmp_path, env={"COLOUR": "red"}, secrets={"TOKEN": None})
    now = revision("web--old", WANTED)
    there = [{"name": "layerdoit-token-00000001", "value": "old-horse"}]
    found = "\n".join(lines(asked, Release("x@sha256:b", "fedcba9876543210"), app(), {now.name: now}, now, there))
    assert f"image of web: {RELEASE.reference} -> x@sha256:b" in found
    assert "variable COLOUR: blue -> red" in found
    assert "traffic: 100 % from web--old to web--rfedcba9876" in found
    assert "secret layerdoit-token-" in found
    assert "horse" not in found


# --- what does not fit ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "given", "words"),
    [
        ({"mode": "Single"}, {}, "revision set-mode"),
        ({"containers": [{"name": "a"}, {"name": "b"}]}, {}, "deploy.azure.container"),
        ({"container": "lost"}, {"azure": {"container": "lost"}}, 'no container "lost"'),
        ({}, {"port": 9000}, "--target-port 9000"),
        ({"ingress": False}, {}, "has no ingress"),
        ({"containers": []}, {}, "has no container"),
    ],
)
def test_an_app_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, Any], given: dict[str, Any], words: str
) -> None:
    with pytest.raises(LayerdoitError) as caught:
        fitting.check(app(**changes), settings(tmp_path, **given), PLACE)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("project", "environment", "refused"),
    [("web", "prod", False), ("", "", False), ("web", "staging", True), ("shop", "prod", True), ("", "staging", True)],
)
def test_an_app_of_another_environment_or_project_is_refused(
    tmp_path: Path, project: str, environment: str, *, refused: bool
) -> None:
    release = Release(RELEASE.reference, RELEASE.key, environment=environment)
    there = app(containers=[revising.container(app().template, "web", Wanted(release, project=project))])
    if not refused:
        fitting.check(there, settings(tmp_path), PLACE)
        return
    with pytest.raises(LayerdoitError, match=r"and this is web of prod") as caught:
        fitting.check(there, settings(tmp_path), PLACE)
    assert f"--remove-env-vars {MARK}" in str(caught.value)


def test_an_app_that_fits_is_not_refused(tmp_path: Path) -> None:
    fitting.check(app(), settings(tmp_path, port=8080), PLACE)
    fitting.check(app(ingress=False), settings(tmp_path, health={"path": None}), PLACE)


@pytest.mark.parametrize("name", ["subscription", "resource_group", "app"])
def test_each_part_of_the_place_must_be_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"needs deploy\.azure\.{name}\n"):
        AzureProvider(settings(tmp_path, azure={name: None})).check(RELEASE)


def test_a_health_command_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"deploy\.health\.command"):
        AzureProvider(settings(tmp_path, health={"command": ("true",)})).check(RELEASE)


def test_a_revision_names_those_that_served_before_it() -> None:
    assert traffic.history(None) == ()
    assert traffic.history(revision("web--theirs")) == ()
    now = revision("web--6", Wanted(RELEASE, before=("web--5", "web--4", "web--3", "web--2", "web--1")))
    assert traffic.history(now) == ("web--6", "web--5", "web--4", "web--3", "web--2")
    assert release_of(now) == Release(RELEASE.reference, RELEASE.key, DIGEST, "prod", RELEASE.commit, "7")


def test_a_shell_needs_a_terminal(tmp_path: Path) -> None:
    with pytest.raises(LayerdoitError, match="on a terminal alone"):
        AzureProvider(settings(tmp_path)).shell()


# --- lock and log -----------------------------------------------------------------------------------------------------


def test_a_lock_is_left_only_by_a_process_of_this_machine_that_is_gone() -> None:
    mine = process_mark.mine()
    values = {
        "mine": f"me@here since 2026-01-01T00:00:00Z process {mine}",
        "gone": f"me@here since 2026-01-01T00:00:00Z process {mine.rpartition('-')[0]}-1",
        "else": "me@there since 2026-01-01T00:00:00Z process there/0000/1-1",
        "odd": "what a person wrote",
    }
    tags = {f"{app_lock.TAG}{name}": value for name, value in values.items()}
    found = app_lock.holders({**tags, "team": "shop"})
    assert [one.tag.removeprefix(app_lock.TAG) for one in found if one.gone] == ["gone"]
    assert len(found) == 4
    assert all(len(value) <= 256 for value in tags.values())


class Tags:
    """An app's tags, as Azure merges them."""

    place = PLACE

    def __init__(self, **tags: str) -> None:
        self.tags = dict(tags)

    def tag(self, operation: str, tags: dict[str, str]) -> dict[str, str]:
        if operation == "Merge":
            self.tags |= tags
        else:
            self.tags = {name: value for name, value in self.tags.items() if name not in tags}
        return dict(self.tags)


def test_the_lock_of_somebody_else_refuses_and_stays() -> None:
    there = Tags(**{f"{app_lock.TAG}1": "ann@there since 2026-01-01T00:00:00Z process there/0000/1-1", "team": "shop"})
    before = dict(there.tags)
    with pytest.raises(LayerdoitError, match="ann@there deploys here since 2026") as caught, app_lock.held(there):  # type: ignore[arg-type]
        pytest.fail("it has the lock")
    assert "deploy_unlock" in str(caught.value)
    assert there.tags == before
    assert "ann@there" in app_lock.release(there, there.tags)  # type: ignore[arg-type]
    assert there.tags == {"team": "shop"}


def test_a_lock_is_gone_afterwards_and_other_tags_stay() -> None:
    there = Tags(team="shop")
    with app_lock.held(there) as recovered:  # type: ignore[arg-type]
        assert len(there.tags) == 2
    assert recovered == ()
    assert there.tags == {"team": "shop"}


def test_lines_of_a_log_come_without_what_the_runtime_puts_before_them() -> None:
    written = {
        "TimeStamp": "2026-01-02 03:04:05.123456789 +0000 UTC",
        "Log": "2026-01-02T03:04:05.1Z stderr F hello there",
    }
    moment, text = app_logs._entry(json.dumps(written))
    assert text == "hello there"
    assert moment is not None
    assert moment.isoformat() == "2026-01-02T03:04:05+00:00"
    assert app_logs._entry("no json") == (None, "no json")


def test_a_secret_that_az_prints_is_masked() -> None:
    masking.register_secret("correct-horse-battery")
    error = az_errors.explained(masking.redact("ERROR: correct-horse-battery is refused"), PLACE)
    assert "correct-horse-battery" not in str(error)
