"""A failing step as data, and what the user is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.cargo import lock_drift
from layerdoit.components.rust_failures import NotBuilt, explain
from layerdoit.components.script_protocol import Exit
from layerdoit.config import Config
from layerdoit.core.errors import BuildError, ContextDiffers, EngineError, LayerdoitError, WorkspaceError
from layerdoit.engine.buildx import Build, StepFailed, failure
from layerdoit.engine.progress import Report

LOG = Path("/p/.layerdoit/logs/1-app.log")
BUILD = Build("app", Path("Dockerfile"), Path(), (), {})
FINISHED = "    Finished `dev` profile in 0.1s"
LACKS_OPENSSL = (
    "error: failed to run custom build command for `openssl-sys v0.9.118`\n"
    "  The system library `openssl` required by crate `openssl-sys` was not found.\n"
    "  The file `openssl.pc` needs to be installed\n"
)


def step(code: int | None, *notes: str, tail: str = FINISHED) -> StepFailed:
    text = "failed to solve: process did not complete successfully" + ("" if code is None else f": exit code: {code}")
    lines = tuple(tail.splitlines())
    return StepFailed("app", "RUN x", code, lines, tuple(f"layerdoit: {note}" for note in notes), LOG, text)


def told(failed: StepFailed, lagging: LayerdoitError | None = None) -> NotBuilt:
    error = explain(failed, Config(), lambda: lagging)
    assert isinstance(error, NotBuilt)
    assert error.failed is failed
    return error


# --- the engine's part -----------------------------------------------------------------------------------------------


def test_a_failing_step_is_data() -> None:
    text = 'failed to solve: process "/bin/sh -c echo exit code: 3" did not complete successfully: exit code: 88'
    report = Report(["layerdoit: no-binary x"], [f"ERROR: {text}"], "[build 2/2] RUN sh build.sh", [FINISHED])
    failed = failure(BUILD, report, LOG)
    assert isinstance(failed, StepFailed)
    assert (failed.layer, failed.step, failed.code) == ("app", "[build 2/2] RUN sh build.sh", 88)
    assert (failed.tail, failed.notes) == ((FINISHED,), ("layerdoit: no-binary x",))
    assert (failed.log, failed.text) == (LOG, text)
    assert str(failed) == f"app did not build: {text}\nnext: the whole log: {LOG}"


def test_a_step_that_is_no_command_has_no_exit_code() -> None:
    failed = failure(BUILD, Report([], ["ERROR: failed to solve: not found"], "[runtime 1/1] FROM x"), LOG)
    assert isinstance(failed, StepFailed)
    assert failed.code is None


def test_where_no_step_failed_buildx_has_the_word() -> None:
    failed = failure(BUILD, Report(errors=["one", "two"]), LOG)
    assert type(failed) is BuildError
    assert failed.what == "app did not build: one two"
    assert failed.hint == f"the whole log: {LOG}"


@pytest.mark.parametrize(
    ("report", "kind", "what"),
    [
        (Report(errors=["unknown command: docker buildx"]), EngineError, "docker buildx is not installed"),
        (
            Report([], ["ERROR: exit code: 101"], "RUN x", ["error: No space left on device (os error 28)"]),
            BuildError,
            "app: the disk is full",
        ),
    ],
)
def test_what_is_wrong_with_the_engine_is_no_failing_step(
    report: Report, kind: type[LayerdoitError], what: str
) -> None:
    failed = failure(BUILD, report, LOG)
    assert (type(failed), failed.what) == (kind, what)


# --- the words -------------------------------------------------------------------------------------------------------


def test_a_binary_that_cargo_did_not_make_is_named() -> None:
    error = told(step(Exit.NO_BINARY, "compiled=1 units=1 external=0 cold=0", "no-binary hello", "no-binary tool"))
    assert error.what == "app did not build: cargo did not make `hello` and `tool`"
    assert error.hint is not None
    assert "bins: in layerdoit.yaml" in error.hint
    assert error.hint.endswith(f"; the whole log: {LOG}")


def test_sources_that_changed_on_their_way_are_to_be_sent_again() -> None:
    error = explain(step(Exit.RESEND, "context differs from its key"), Config(), lambda: None)
    assert type(error) is ContextDiffers


def test_libraries_that_the_runtime_image_lacks_are_named_with_their_packages() -> None:
    error = told(
        step(
            Exit.RUNTIME_MISMATCH,
            "missing binary=hello library=libz.so.1 package=zlib1g",
            "missing binary=hello library=libpq.so.5 package=libpq5",
            "missing binary=tool library=libz.so.1 package=zlib1g",
        )
    )
    assert error.what.splitlines() == [
        "the binaries would not start on the runtime image:",
        "hello needs libz.so.1, which the image lacks (package zlib1g)",
        "hello needs libpq.so.5, which the image lacks (package libpq5)",
        "tool needs libz.so.1, which the image lacks (package zlib1g)",
    ]
    assert error.hint == "add to layerdoit.yaml: base: {runtime_packages: [libpq5, zlib1g]}"


def test_what_no_package_can_mend_needs_one_suite() -> None:
    newer = "/out/hello: /lib/libc.so.6: version `GLIBC_2.38' not found (required by /out/hello)"
    error = told(step(Exit.RUNTIME_MISMATCH, f"too-new binary=hello {newer}"))
    assert error.what.splitlines()[1:] == [f"{newer} (the builder's libraries are newer than the runtime's)"]
    assert error.hint is not None
    assert error.hint.startswith("use one suite for builder and runtime image")


OTHERWISE = "; if it gets there in another way: image: {check_libraries: false}"
STATICALLY = "link libours.so statically, or copy it to /usr/lib by image.assets (it has to be a file of the project)"
ADD = "add to layerdoit.yaml: image: {{assets: {{{0}: /usr/lib/libours.so}}}} and sources: {{include: [{0}]}}".format
UNPACKAGED = {
    "": ("no package of the builder has it, and the sources do not hold it", STATICALLY),
    " source=libs/libours.so": ("among the sources it is libs/libours.so", ADD("libs/libours.so")),
    " source=a b/libours.so.1": ("among the sources it is a b/libours.so.1", ADD('"a b/libours.so.1"')),
    " source=../x/libours.so": ("among the sources it is ../x/libours.so", STATICALLY),
    " placed=/srv/lib/libours.so": (
        "an asset puts it into /srv/lib, where its loader does not look",
        "add to layerdoit.yaml: image: {env: {LD_LIBRARY_PATH: /srv/lib}}",
    ),
    " made=target/debug/build/x/out/libours.so": ("the build made it, target/debug/build/x/out/libours.so", STATICALLY),
}


@pytest.mark.parametrize("where", UNPACKAGED)
def test_a_library_of_no_package_is_named_with_the_way_into_the_image(where: str) -> None:
    origin, step_to_take = UNPACKAGED[where]
    error = told(step(Exit.RUNTIME_MISMATCH, f"missing binary=hello library=libours.so package=?{where}"))
    assert error.what.splitlines()[1:] == [f"hello needs libours.so, which the image lacks ({origin})"]
    assert error.hint == step_to_take + OTHERWISE
    assert "?" not in error.hint


def test_a_package_that_the_build_lacks_is_named() -> None:
    error = told(step(101, tail=LACKS_OPENSSL))
    assert error.what == "app did not build: the build script of openssl-sys 0.9.118 lacks openssl.pc"
    assert error.hint is not None
    assert error.hint.startswith("add to layerdoit.yaml: base: {packages: [libssl-dev]")
    assert error.hint.endswith(f"; the whole log: {LOG}")


def test_a_smoke_test_says_nothing_of_what_a_build_lacks() -> None:
    error = told(step(Exit.SMOKE_TEST, tail=f"error: the smoke test failed: hello --ok\n{LACKS_OPENSSL}"))
    assert error.what.startswith("app did not build\nerror: the smoke test failed: hello --ok\n")


def test_a_lockfile_that_lags_behind_is_said_with_what_it_lacks() -> None:
    locked = "error: cannot update the lock file /build/src/Cargo.lock because --locked was passed to prevent this"
    lag = WorkspaceError("Cargo.lock lacks `rand`", where="/p/Cargo.toml", hint="run cargo update -w")
    error = told(step(101, tail=locked), lag)
    assert (error.what, error.where) == ("app did not build: Cargo.lock lacks `rand`", "/p/Cargo.toml")
    assert error.hint == f"run cargo update -w; the whole log: {LOG}"
    unknown = told(step(101, tail=locked))
    assert unknown.what == "app did not build: Cargo.lock is out of date: cargo would have to change it"
    assert (unknown.hint or "").startswith(lock_drift.UPDATE)


def test_otherwise_the_compiler_speaks() -> None:
    tail = "   Compiling app v0.1.0\nerror[E0308]: mismatched types\n --> src/main.rs:1:1"
    error = told(step(101, tail=tail))
    assert error.what == "app did not build\nerror[E0308]: mismatched types\n --> src/main.rs:1:1"
    assert error.hint == f"correct it and run again; the whole log: {LOG}"


def test_a_step_that_said_nothing_is_told_in_the_words_of_buildx() -> None:
    failed = step(1, tail="")
    error = told(failed)
    assert error.what == f"app did not build: {failed.text}"
    assert error.hint == f"the whole log: {LOG}"


def test_a_step_that_was_killed_as_a_whole_lacked_memory() -> None:
    error = told(step(137, tail="   Compiling app v0.1.0"))
    assert error.what == "app did not build: a process was killed (signal 9), as a rule because the memory ran out"


def test_a_runtime_image_without_a_loader_needs_no_package() -> None:
    note = "missing binary=hello library=/lib64/ld-linux-x86-64.so.2 package=libc6"
    error = told(step(Exit.RUNTIME_MISMATCH, note))
    assert error.hint is not None
    assert "libc6" not in error.hint
    assert "musl" in error.hint


def test_a_smoke_test_names_its_line() -> None:
    config = Config(where={"image.smoke": "layerdoit.yaml:7"})
    failed = step(Exit.SMOKE_TEST, tail="error: the smoke test failed with exit code 3: hello --ok\nno database")
    error = explain(failed, config, lambda: None)
    assert isinstance(error, NotBuilt)
    assert "exit code 3: hello --ok\nno database" in error.what
    assert error.hint is not None
    assert error.hint.startswith("the program must end with 0 for each line of image.smoke (layerdoit.yaml:7)")
