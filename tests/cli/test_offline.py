"""Base and deps are there, and this machine has lost its network: doit sees the engine's socket and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from layerdoit.engine.api import endpoint
from tests.support.ports import PORT
from tests.support.scratch import Crate, Result, docker
from tests.support.waiting import until

NO_NETWORK = ("unshare", "--net")
CONFIG = """\
project: {name}
deploy:
  port: 8080
  publish: {port}
  health:
    command: [test, -x, /usr/local/bin/hello]
    timeout: 20
  stop_grace: 0
"""


@pytest.fixture
def alone(crate: Crate) -> Crate:
    """A built project where not even the loopback address answers; a container is asked for its health inside it."""
    if shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("only root can take the network away from a process")
    if not endpoint().startswith("unix:"):
        pytest.skip("the engine is reached through the network")
    tried = subprocess.run([*NO_NETWORK, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no network namespace can be made here: {tried.stderr.strip()}")
    # A free one cannot be searched for from there. One that the system gave could be another's by then.
    crate.write("layerdoit.yaml", CONFIG.format(name=crate.name, port=PORT + 900))
    return crate


def doit(crate: Crate, *words: str) -> Result:
    return crate.doit(*words, before=NO_NETWORK).ok()


def test_a_process_without_network_reaches_nobody(alone: Crate) -> None:
    asking = "import socket; socket.create_connection(('127.0.0.1', 1))"
    done = subprocess.run([*NO_NETWORK, sys.executable, "-c", asking], capture_output=True, text=True, check=False)
    assert "Network is unreachable" in done.stderr


def test_edit_explain_build_and_cycle(alone: Crate) -> None:
    doit(alone)
    alone.edit("src/main.rs", "first text", "offline text")
    explained = doit(alone, "layers", "explain").out
    assert "src/main.rs" in explained
    planned = json.loads(doit(alone, "layers", "plan", "--json").out)
    assert [layer["action"] for layer in planned["layers"]] == ["reuse", "reuse", "build"]
    doit(alone)
    doit(alone, "cycle_fast")
    alone.edit("src/main.rs", "offline text", "third text")
    doit(alone, "cycle_fast")
    assert list(alone.containers()) == [alone.name]
    # It is healthy by a file of its image, whether or not the engine has kept what it said already.
    assert until(lambda: docker("logs", alone.name)) == "hello starts with third text\n"
    doit(alone, "status")
