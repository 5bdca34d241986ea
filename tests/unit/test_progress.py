"""Reading buildx's events, and showing them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from layerdoit.cargo import follow
from layerdoit.components import script_protocol
from layerdoit.core import masking
from layerdoit.core.doing import Doing, heard_by
from layerdoit.engine.progress import Listener, Reader


def reader() -> tuple[Reader, list[str]]:
    log: list[str] = []
    listener = Listener(follow.Follower, script_protocol.aloud)
    return Reader(log.append, listener, 10), log


@pytest.fixture
def told() -> Iterator[list[Doing]]:
    """What is told while a test runs."""
    found: list[Doing] = []
    with heard_by(found.append):
        yield found


def output(text: str | bytes, vertex: str = "v", stream: int = 2) -> dict[str, Any]:
    data = text.encode() if isinstance(text, str) else text
    return {"logs": [{"vertex": vertex, "stream": stream, "data": base64.b64encode(data).decode()}]}


@pytest.mark.parametrize("indent", [None, 2])
def test_events_on_one_line_or_over_many(indent: int | None) -> None:
    read, log = reader()
    for line in json.dumps({**output("hello\n"), "vertexes": []}, indent=indent).splitlines():
        read.feed(line)
    assert log == ["hello"]


def test_notes_of_the_scripts_are_kept_as_they_are() -> None:
    read, _ = reader()
    notes = ["layerdoit: compiled=3 units=9 external=1", "layerdoit: not-fresh anyhow@1.0"]
    read.feed(json.dumps(output(f"before\n{notes[0]}\nbetween\n{notes[1]}\n")))
    assert read.report.notes == notes


def test_paths_are_the_user_s_where_lines_are_shown_and_the_build_s_elsewhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log: list[str] = []
    read = Reader(
        log.append, Listener(aloud=script_protocol.aloud, placed=lambda line: line.replace("/build/src/", ""))
    )
    read.feed(json.dumps(output("layerdoit: clippy\nwarning: /build/src/Cargo.toml: unused\n")))
    assert capsys.readouterr().err == "warning: Cargo.toml: unused\n"
    assert read.report.notes[1] == log[1] == "warning: /build/src/Cargo.toml: unused"


@pytest.mark.parametrize("together", [True, False])
def test_what_a_step_said_counts_though_it_comes_with_its_failure_or_after_it(together: bool) -> None:
    read, _ = reader()
    failed = {"vertexes": [{"digest": "v", "name": "[1/1] RUN it", "error": "exit code: 1"}]}
    said = output("error: the reason\n")
    for event in [{**failed, **said}] if together else [failed, said]:
        read.feed(json.dumps(event))
    assert read.report.tail == ["error: the reason"]


def test_without_a_listener_lines_are_only_kept(capsys: pytest.CaptureFixture[str], told: list[Doing]) -> None:
    log: list[str] = []
    read = Reader(log.append)
    read.feed(json.dumps(output("layerdoit: tests\ntest one ... ok\n   Compiling lib v0.1.0\n")))
    assert log == ["layerdoit: tests", "test one ... ok", "   Compiling lib v0.1.0"]
    assert (read.report.notes, told, capsys.readouterr()) == (["layerdoit: tests"], [], ("", ""))


def test_what_tests_and_clippy_say_is_shown_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    read, _ = reader()
    read.feed(json.dumps(output("before\nlayerdoit: tests\ntest one ... ok\n   Compiling lib v0.1.0\n")))
    first = capsys.readouterr().err
    assert first == "test one ... ok\n"
    read.feed(json.dumps(output("test two ... ok\nlayerdoit: compiled=1 units=1 external=0\nafter\n")))
    assert capsys.readouterr().err == "test two ... ok\n"
    assert read.report.notes == [
        "layerdoit: tests",
        "test one ... ok",
        "test two ... ok",
        "layerdoit: compiled=1 units=1 external=0",
    ]


def test_a_secret_is_masked_in_everything_that_is_kept_or_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], told: list[Doing]
) -> None:
    monkeypatch.setattr(masking, "_secrets", [])
    masking.register_secret('s3"cret')
    read, log = reader()
    read.feed(json.dumps({"vertexes": [{"digest": "v", "name": 'RUN s3"cret', "started": "t"}]}))
    read.feed(json.dumps({"vertexes": [{"digest": "w", "name": '[a 1/1] RUN echo s3"cret', "started": "t"}]}))
    read.feed(json.dumps(output('    Building [=> ] 1/3: s3"cret\r')))
    # Over two events, and after a note that is shown.
    read.feed(json.dumps(output('layerdoit: tests\ntest s3"c')))
    read.feed(json.dumps(output('ret ... ok\nlayerdoit: not-fresh s3"cret\n')))
    read.feed(json.dumps({"vertexes": [{"digest": "v", "name": 'RUN s3"cret', "error": 'of s3"cret'}]}))
    read.feed('ERROR: s3"cret')
    read.feed('{"broken": s3"cret')
    kept = [*log, *read.report.notes, *read.report.tail, *read.report.errors, str(read.report.failed_step)]
    assert [now.words for now in told if now.words.startswith("running")] == ["running echo ***"]
    assert [now.jobs for now in told if now.jobs] == [("***",)]
    assert "s3" not in "\n".join([*kept, *map(str, told), *capsys.readouterr()])
    assert read.report.notes == ["layerdoit: tests", "test *** ... ok", "layerdoit: not-fresh ***"]
    assert (read.report.failed_step, read.report.errors) == ("RUN ***", ["ERROR: ***", '{"broken": ***'])


def test_a_secret_that_looks_like_a_part_of_an_event_breaks_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_secrets", [])
    event = json.dumps(output("   Compiling serde v1.0\n"))
    masking.register_secret(base64.b64encode(b"   Compiling").decode()[:8])
    read, log = reader()
    read.feed(event)
    assert log == ["   Compiling serde v1.0"]


def test_lines_are_put_together_from_pieces(told: list[Doing]) -> None:
    read, log = reader()
    read.feed(json.dumps(output("   Compil")))
    read.feed(json.dumps(output("ing serde v1.0\n")))
    assert log == ["   Compiling serde v1.0"]
    assert told == [Doing("compiling", 0, 10, "crates", 0.0, ("serde",))]


def test_a_letter_is_put_together_from_pieces() -> None:
    read, log = reader()
    for piece in ("ü€", "\n"):
        for byte in piece.encode():
            read.feed(json.dumps(output(bytes([byte]))))
    assert log == ["ü€"]


def test_half_a_line_of_one_output_is_no_part_of_the_other() -> None:
    read, log = reader()
    read.feed(json.dumps(output("half", stream=1)))
    read.feed(json.dumps(output("layerdoit: not-fresh anyhow@1.0\n")))
    read.feed(json.dumps(output(" a line\n", stream=1)))
    assert log == ["layerdoit: not-fresh anyhow@1.0", "half a line"]
    assert read.report.notes == ["layerdoit: not-fresh anyhow@1.0"]


def test_what_cargo_paints_over_is_told_and_not_kept(told: list[Doing]) -> None:
    read, log = reader()
    read.feed(json.dumps(output("   Compiling syn v2.0\n    Building [=>   ] 2/9: syn, quote(bu")))
    read.feed(json.dumps(output("ild.rs)     \rerror: it ends   \r\n\nhalf of it\rrest\n")))
    assert log == ["   Compiling syn v2.0", "error: it ends", "", "half of it", "rest"]
    assert told[-1].jobs == ("syn", "quote(build.rs)")


def test_the_step_that_began_last_is_told_in_our_words(told: list[Doing]) -> None:
    read, _ = reader()
    for name in ("[internal] load build context", "[build 2/2] RUN --network=none --mount=x sh /control/build.sh"):
        read.feed(json.dumps({"vertexes": [{"digest": name, "name": name, "started": "t"}]}))
    read.feed(json.dumps(done("[build 2/2] RUN --network=none --mount=x sh /control/build.sh", "01.0", "02.0")))
    assert [now.words for now in told] == ["sending the sources", "bringing in the sources", "sending the sources"]


BUILD = "[build 2/2] RUN --mount=type=cache,id=m,target=/build,sharing=locked sh /control/build.sh"


def test_a_step_that_has_printed_nothing_waits_for_its_mount(told: list[Doing]) -> None:
    read, _ = reader()
    started = {"digest": "v", "name": BUILD, "started": "2026-01-01T00:00:00Z"}
    for event in ({"vertexes": [started]}, output("layerdoit: begun\n"), {"vertexes": [started]}):
        read.feed(json.dumps(event))
    assert [now.words for now in told] == ["waiting for the target mount", "bringing in the sources"]


def test_a_mount_of_the_user_s_own_is_not_taken_for_the_target_mount(told: list[Doing]) -> None:
    read, _ = reader()
    name = "[builder 2/5] RUN --mount=type=cache,target=/var/cache/apt,sharing=locked apt-get install --yes git"
    read.feed(json.dumps({"vertexes": [{"digest": "v", "name": name, "started": "2026-01-01T00:00:00Z"}]}))
    assert [now.words for now in told] == ["installing Debian packages"]


def test_a_command_is_being_started_until_it_has_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    read, _ = reader()
    clock = [100.0]
    monkeypatch.setattr("layerdoit.engine.commands_begun.time.monotonic", lambda: clock[0])
    started = {"digest": "v", "name": BUILD, "started": "2026-01-01T00:00:00Z"}
    # Which steps there are is not known yet.
    assert (read.commands.is_starting(0.1), read.commands.is_starting(0.6)) == (True, False)
    read.feed(json.dumps({"vertexes": [{**started, "started": None}]}))
    assert read.commands.is_starting(0.6)
    read.feed(json.dumps({"vertexes": [started]}))
    assert read.commands.is_starting(0.6)
    clock[0] += 2
    # It waits for a mount.
    assert not read.commands.is_starting(0.0)
    read.feed(json.dumps({"vertexes": [{**started, "digest": "w"}]}))
    assert read.commands.is_starting(0.6)
    read.feed(json.dumps(output("layerdoit: begun\n", "w")))
    assert not read.commands.is_starting(0.0)
    for digest in "wv":
        read.feed(json.dumps({"vertexes": [{**started, "digest": digest, "completed": "2026-01-01T00:00:02Z"}]}))
        assert not read.commands.is_starting(0.0)


def test_bytes_of_all_parts_are_added_up(told: list[Doing]) -> None:
    read, _ = reader()

    def part(name: str, current: int, total: int = 0) -> None:
        status = {"id": name, "vertex": "v", "started": "t", "current": current, "total": total}
        read.feed(json.dumps({"statuses": [status]}))

    part("sha256:a", 50, 100)
    part("sha256:b", 10, 300)
    assert told[-1] == Doing("pulling an image", 60, 400, "bytes", 0.15)
    part("exporting layers", 0)
    part("exporting layers", 0)
    assert told[-1] == Doing("writing the image")
    assert len(told) == 3


def test_a_failed_step_keeps_its_last_lines() -> None:
    read, _ = reader()
    read.feed(json.dumps({"vertexes": [{"digest": "v", "name": "RUN x", "started": "t"}]}))
    read.feed(json.dumps(output("error[E0308]: mismatched types\n  --> src/main.rs:1:1\n")))
    read.feed(json.dumps({"vertexes": [{"digest": "v", "name": "RUN x", "error": "exit code: 101"}]}))
    read.feed("ERROR: failed to solve: exit code: 101")
    assert read.report.failed_step == "RUN x"
    assert read.report.tail[0].startswith("error[E0308]")
    assert read.report.errors == ["ERROR: failed to solve: exit code: 101"]


def done(name: str, begun: str, ended: str, **more: bool) -> dict[str, Any]:
    times = {"started": f"2026-01-01T00:00:{begun}Z", "completed": f"2026-01-01T00:00:{ended}Z"}
    return {"vertexes": [{"digest": name, "name": name, **times, **more}]}


def test_what_was_sent_run_and_exported_is_counted() -> None:
    read, _ = reader()
    for current, vertex in ((10, "a"), (300, "a"), (5, "b")):
        read.feed(json.dumps({"statuses": [{"id": "t", "vertex": vertex, "name": "transferring", "current": current}]}))
    read.feed(json.dumps({"statuses": [{"id": "exporting layers", "vertex": "c", "current": 900}]}))
    read.feed(json.dumps(done("[internal] load build context", "01.0", "02.0")))
    read.feed(json.dumps(done("[build 2/3] RUN x", "01.0", "02.0", cached=True)))
    read.feed(json.dumps(done("[build 3/3] RUN y", "02.0", "09.0")))
    read.feed(json.dumps(done("exporting to docker image format", "09.5", "11.0")))
    read.feed(json.dumps(done("importing to docker", "10.0", "12.25")))
    assert (read.report.sent, read.report.ran, read.report.export) == (305, 1, 2.75)
