"""The scripts inside a build, ended between any two of their commands, or with a clock that goes back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from layerdoit.components import image_control, rust, script_protocol
from layerdoit.components.script_protocol import Exit, NoBinary, ReadsUnknown, Stale
from layerdoit.flows.ensure import ensure
from layerdoit.project.snapshot import APP_SCRIPTS
from layerdoit.tree.staging import stage
from tests.support.checkout import Checkout

# Stands before a command of the scripts and ends them all by SIGKILL when its turn comes. Those of a pipeline begin
# together: one after the other counts.
SHIM = """\
exec 9>>/shim/lock; flock 9
n=$(($(cat /shim/count) + 1)); echo "$n" >/shim/count
[ "$n" != "$(cat /shim/at)" ] || kill -9 "-$(cat /shim/group)"
exec 9>&-
exec "/usr/bin/$(basename "$0")" "$@"
"""
SETUP = """\
set -eu
ln -s / /runtime
mkdir -p /shim/bin /mounts /cooked/target /cooked/src; : >/cooked/tree
for name in rm cp mv touch awk sort gzip; do { echo '#!/bin/sh'; cat /shim.sh; } >/shim/bin/$name; done
chmod +x /shim/bin/*
cat >/run.sh <<'END'
rm -rf /ctx /control /layerdoit /tmp/*; ln -s "/trees/$1/src" /ctx; ln -s "/trees/$1/control" /control
export BINS=app ENTRYPOINT=app WORKDIR=. DEPS_KEY=a CARGO_ARGS='-p app'
TREE=$(sha256sum <"/control/tree" | cut -c1-64); export TREE
END
"""
BUILD = """\
set -eu -- {tree}; . /run.sh
sh /control/build.sh >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
exec /layerdoit/out/app
"""
KILLED = """\
set -- {tree}; . /run.sh; rm -rf /build; cp -a /mounts/build /build
echo 0 >/shim/count; echo {at} >/shim/at
setsid -w sh -c 'echo $$ >/shim/group; PATH=/shim/bin:$PATH exec sh /control/build.sh' >/tmp/log 2>&1
[ "$(cat /shim/count)" -lt {at} ] && echo survived; true
"""


LACKING = """\
set -eu -- one; . /run.sh; export BINS='app other tool'
sh /control/build.sh >/tmp/log 2>&1 || echo "$?"
sed -n '/no-binary/p' /tmp/log
"""


class Box:
    """A builder image's container, with staged trees and a mount's content in it."""

    def __init__(self, container: str) -> None:
        self._container = container

    def put(self, source: Path, target: str) -> None:
        subprocess.run(["docker", "cp", "-q", str(source), f"{self._container}:{target}"], check=True)

    def sh(self, script: str) -> str:
        command = ["docker", "exec", self._container, "sh", "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stage(self, one: Checkout, name: str, folder: Path) -> str:
        """The checkout as it stands, as a build would get it; what its program must say."""
        inputs = one.session().inputs
        control = folder / name / "control"
        rust.control_files(inputs, control, {**inputs.scripts(*APP_SCRIPTS), **image_control.files(inputs)})
        assert not stage(inputs.sources, folder / name / "src", tree=control / "tree")
        self.put(folder / name, "/trees/")
        return one.promised()

    def build(self, tree: str) -> str:
        return self.sh(BUILD.replace("{tree}", tree))

    def log(self) -> list[str]:
        """What the last build printed."""
        return self.sh("cat /tmp/log").splitlines()

    def survived(self, tree: str, at: int) -> bool:
        """A build of a tree over the kept mount, ended before its command number `at`; True when it had fewer."""
        return "survived" in self.sh(KILLED.replace("{tree}", tree).replace("{at}", str(at)))


@contextmanager
def box(one: Checkout, tmp_path: Path, *options: str) -> Iterator[Box]:
    session = one.session()
    ensure(session, "base")
    image = session.plan.step("base").spec.tag
    command = ["docker", "run", "-d", "--init", "--network", "none", *options, image, "sleep", "infinity"]
    container = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    try:
        made = Box(container)
        (tmp_path / "shim.sh").write_text(SHIM)
        made.put(tmp_path / "shim.sh", "/shim.sh")
        made.sh(SETUP + "mkdir /trees")
        yield made
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", container], capture_output=True, check=False)


@pytest.mark.parametrize(
    "changes",
    [{"VERSION": None}, {"lib/data/macro.txt": "1111"}],
    ids=["what a script reads outside its package is gone", "what a macro reads is changed"],
)
def test_a_build_ended_anywhere_is_made_good_by_the_next(
    checkout: Callable[..., Checkout], tmp_path: Path, changes: Mapping[str, str | None]
) -> None:
    one = checkout()
    with box(one, tmp_path) as inside:
        first = inside.stage(one, "one", tmp_path)
        assert inside.build("one") == first
        inside.sh("cp -a /build /mounts/")
        for path, content in changes.items():
            (one.root / path).unlink()
            if content is not None:
                one.write({path: content})
        second = inside.stage(one, "two", tmp_path)
        at = 0
        while not inside.survived("two", at := at + 1):
            assert inside.build("two") == second, f"after a kill before command {at}"
        assert at > 6, "the kills did not reach into the script"


# A container in which no process may watch another one's system calls.
BLIND = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["seccomp"], "action": "SCMP_ACT_ERRNO"}]}


def test_where_nothing_can_be_seen_everything_compiles_again(checkout: Callable[..., Checkout], tmp_path: Path) -> None:
    one = checkout()
    (tmp_path / "blind.json").write_text(json.dumps(BLIND))
    with box(one, tmp_path, "--security-opt", f"seccomp={tmp_path}/blind.json") as inside:
        promised = inside.stage(one, "one", tmp_path)
        assert inside.build("one") == promised
        # Read by a macro that tells cargo nothing.
        one.write({"lib/data/macro.txt": "1111"})
        promised = inside.stage(one, "two", tmp_path)
        assert inside.build("two") == promised
        stale = script_protocol.every(Stale, inside.log())
        assert {note.crate for note in stale} >= {"app", "lib", "stamp"}
        assert {(note.read, note.path) for note in stale} == {
            ("opaque", "the kernel or the container does not let it be seen")
        }


def test_without_a_compiler_that_can_make_the_watcher_everything_compiles_again(
    checkout: Callable[..., Checkout], tmp_path: Path
) -> None:
    one = checkout()
    with box(one, tmp_path) as inside:
        inside.sh("rm /usr/include/linux/seccomp.h")
        inside.stage(one, "one", tmp_path)
        inside.build("one")
        assert script_protocol.every(ReadsUnknown, inside.log())
        for number in range(2):
            one.write({"lib/data/macro.txt": f"111{number}"})
            promised = inside.stage(one, f"more{number}", tmp_path)
            assert inside.build(f"more{number}") == promised


SERVED = """\
cd /build/src/app; mkdir /tmp/notes
serve='(sleep 1; cat data/text.txt >/tmp/late 2>&1) >/dev/null 2>&1 & exit 3'
/build/reads-*/trace /build/src /tmp/notes sh sh -c "$serve" \\
  --crate-name x --emit=link src/main.rs || echo "$?"
until [ -s /tmp/late ]; do sleep 0.1; done
cat /tmp/late /tmp/notes/log
"""


def test_a_server_that_a_unit_started_works_on_and_what_it_compiles_is_not_known(
    checkout: Callable[..., Checkout], tmp_path: Path
) -> None:
    """As a compiler cache does, whose server outlives the wrapper that started it."""
    one = checkout()
    with box(one, tmp_path) as inside:
        inside.stage(one, "one", tmp_path)
        inside.build("one")
        code, *lines = inside.sh(SERVED).splitlines()
    assert code == "3"
    assert lines[0].startswith(one.read("app/data/text.txt"))
    assert "opaque\trustc x\ta server compiles it" in "\n".join(lines)


def test_binaries_that_cargo_did_not_make_are_named(checkout: Callable[..., Checkout], tmp_path: Path) -> None:
    with box(one := checkout(), tmp_path) as inside:
        inside.stage(one, "one", tmp_path)
        code, *lines = inside.sh(LACKING).splitlines()
        assert int(code) == Exit.NO_BINARY
        assert script_protocol.every(NoBinary, lines) == [NoBinary("other"), NoBinary("tool")]


def test_a_clock_that_goes_back_leaves_nothing_stale(checkout: Callable[..., Checkout], tmp_path: Path) -> None:
    """As after a virtual machine's sleep: everything was compiled an hour from now."""
    one = checkout()
    with box(one, tmp_path) as inside:
        promised = {"one": inside.stage(one, "one", tmp_path)}
        for number, name in enumerate(("two", "three", "four")):
            one.write({"app/data/text.txt": f"111{number}", "VERSION": f"222{number}"})
            one.replace("lib/src/deep.rs", *([f"{n:04d}" for n in (number, number + 1)]))
            promised[name] = inside.stage(one, name, tmp_path)
        assert inside.build("one") == promised["one"]
        inside.sh("find /build -exec touch -h -d '+1 hour' {} +")
        for name in ("two", "three", "four", "one"):
            assert inside.build(name) == promised[name], name
