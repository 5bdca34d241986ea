"""Environments, releases and the way back, as a developer types them: on a real engine, with curl to look."""

from __future__ import annotations

import json

import pytest

from tests.support.ports import PORT
from tests.support.scratch import Crate, docker, message
from tests.support.waiting import until

ENVIRONMENTS = """
environments:
  prod: {{require: [clean], confirm: true}}
hooks:
  before_deploy: 'test "$LAYERDOIT_ENVIRONMENT" != blocked'
"""
STAGING = """
deploy:
  env: {WHERE: staging}
  secrets: [API_WORD]
  verify: 'test "$LAYERDOIT_COMMIT$BROKEN" = "$LAYERDOIT_COMMIT"'
"""
SECRET = "hunter2-is-what-nobody-sees"


@pytest.fixture
def staged(own: Crate) -> Crate:
    own.write("layerdoit.yaml", (own.folder / "layerdoit.yaml").read_text() + ENVIRONMENTS.format())
    own.write("layerdoit.staging.yaml", STAGING)
    own.write("layerdoit.prod.yaml", "profile: release\n")
    own.write(".env.staging", f"API_WORD={SECRET}\n")
    own.write(".gitignore", ".env.*\n.layerdoit\n")
    own.env["XDG_STATE_HOME"] = str(own.folder.parent / "user")
    return own


def served(crate: Crate, deployment: str) -> str:
    return docker("exec", deployment, "cat", "/proc/1/environ").replace("\0", "\n")


def test_from_a_laptop_to_staging_and_back(staged: Crate) -> None:
    # Two environments, side by side; neither touches the other's container, port or tag.
    staged.doit("cycle_fast").ok()
    dev = staged.containers()
    latest = staged.images()[f"{staged.name}:latest"]
    staging = f"{staged.name}-staging"
    first = staged.doit("cycle_fast", env={"ENV": "staging"}).ok()
    assert f"deploy  {staging} started" in first.out
    assert "(release 1)" in first.out
    assert staged.containers() == {**dev, staging: staged.containers()[staging]}
    assert "WHERE=staging" in served(staged, staging)
    assert f"{staged.name}:staging" in staged.images()

    # What the dry run says is what happens.
    staged.edit("src/main.rs", "first text", "second text")
    staged.doit("image", "ENV=staging").ok()
    changes = staged.doit("deploy", "ENV=staging", "--dry-run").ok().out
    assert "would be replaced by" in changes
    assert staged.containers() == {**dev, staging: staged.containers()[staging]}
    staged.doit("cycle_fast", "ENV=staging").ok()
    assert staged.images()[f"{staged.name}:latest"] == latest, "tags of dev stay"
    assert staged.containers()[staged.name] == dev[staged.name]

    # A release that fails its checks is taken back, and the exit code says so.
    staged.edit("src/main.rs", "second text", "third text")
    broken = staged.doit("cycle_fast", "ENV=staging", env={"BROKEN": "1"})
    what, _ = message(broken)
    assert "deploy.verify ended with exit code 1" in what
    assert "release 2 serves again" in what
    listed = json.loads(staged.doit("releases", "ENV=staging", "--json").ok().out)["releases"]
    assert [(one["id"], one["outcome"]) for one in listed] == [("1", "ok"), ("2", "ok"), ("3", "rolled back")]
    assert [one["id"] for one in listed if one["serves"]] == ["2"]

    # The way back builds nothing, whatever cache level was cleared.
    staged.doit("cache_clear:nuke", "--yes").ok()
    back = staged.doit("rollback", "ENV=staging").ok()
    assert f"rollback {staging} serves release 1" in back.out
    assert "build" not in back.out
    assert "WHERE=staging" in served(staged, staging)
    again = staged.doit("rollback", "ENV=staging", "TO=2").ok()
    assert "serves release 2" in again.out

    shown = staged.doit("environments").ok().out
    assert "dev  docker" in shown
    assert f"staging  docker  {staging}" in shown
    assert "prod  docker" in shown
    assert "requires clean, confirm" in shown

    # When all of it is removed, nothing stays.
    staged.doit("destroy", "ENV=staging").ok()
    staged.doit("destroy").ok()
    assert staged.containers() == {}
    staged.doit("cache_clear:nuke", "--yes").ok()
    assert staged.images(releases=True) == {}


def test_secrets_reach_the_container_and_nobody_else(staged: Crate) -> None:
    done = staged.doit("-v", "2", "cycle_fast", "ENV=staging").ok()
    assert f"API_WORD={SECRET}" in served(staged, f"{staged.name}-staging")
    seen = done.text + "".join(staged.doit(*words, "ENV=staging").text for words in (["status"], ["releases"]))
    seen += json.dumps(json.loads(docker("inspect", f"{staged.name}-staging"))[0]["Config"]["Labels"])
    seen += docker("image", "inspect", f"{staged.name}:staging")
    folders = (staged.folder / ".layerdoit", staged.folder.parent / "user")
    kept = b"".join(path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file())
    assert SECRET not in seen
    assert SECRET.encode() not in kept
    (staged.folder / ".env.staging").unlink()
    what, step = message(staged.doit("cycle_fast", "ENV=staging"))
    assert "API_WORD has no value for the environment staging" in what
    assert "still serves" in staged.doit("cycle_fast", "ENV=staging").err
    assert "export API_WORD" in step


def test_production_is_guarded_before_anything_is_built(staged: Crate) -> None:
    what, step = message(staged.doit("cycle_fast", "ENV=prod"))
    assert "prod requires clean, but this is no git repository" in what
    assert staged.images() == {}, "nothing was built for what cannot be deployed"
    what, step = message(staged.doit("cycle_fast", "ENV=prdo"))
    assert 'did you mean "prod"?' in step
    local = staged.doit("cycle_fast", "ENV=prod", "LOCAL_ONLY=1").ok()
    assert f"docker run --rm -p 127.0.0.1:{PORT}:{PORT} {staged.name}:prod" in local.out
    assert staged.containers() == {}


def test_hooks(staged: Crate) -> None:
    staged.write("layerdoit.blocked.yaml", "")
    what, _ = message(staged.doit("cycle_fast", "ENV=blocked"))
    assert "the hook before_deploy ended with exit code 1" in what
    assert staged.containers() == {}

    # What a hook writes before the build is what is built; it runs only where something is built.
    before = "sed -i s/first/hooked/ src/main.rs; echo before >> said"
    after = "echo $LAYERDOIT_KEY >> said"
    staged.write("layerdoit.hooked.yaml", f"hooks: {{before_build: '{before}', after_build: '{after}'}}\n")
    staged.write(".gitignore", ".env.*\n.layerdoit\nsaid\n")
    staged.edit("src/main.rs", '"first text"', '"the first text"')
    staged.doit("cycle_fast", "ENV=hooked").ok()
    until(lambda: "the hooked text" in docker("logs", f"{staged.name}-hooked"))
    staged.doit("cycle_fast", "ENV=hooked").ok()
    before, key = (staged.folder / "said").read_text().split()
    assert before == "before"
    assert (
        docker("inspect", "--format", '{{index .Config.Labels "io.layerdoit.key"}}', f"{staged.name}-hooked").strip()
        == key
    )

    # A command in the container; its exit code decides.
    assert staged.doit("exec", "ENV=hooked", "echo $HOSTNAME; exit 0").ok().out.strip()
    assert staged.doit("exec", "ENV=hooked", "exit 3").code == 1
    _, step = message(staged.doit("exec", "ENV=hooked"))
    assert "doit exec ls /srv" in step
