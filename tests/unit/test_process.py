"""The gate for processes, with real children. A child says "ready" before anything is sent to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from layerdoit.core import command_errors, ladder, masking, process
from layerdoit.core.ending import Ending
from layerdoit.core.errors import Interrupted, ProcessError
from layerdoit.core.ladder import Graces

PY = sys.executable
LONG = 60

GENTLE = f"import time; print('ready', flush=True); time.sleep({LONG})"
NO_INT = (
    f"import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN);print('ready', flush=True); time.sleep({LONG})"
)
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    f"print('ready', flush=True); time.sleep({LONG})"
)


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_secrets", [])


def python(code: str, *args: str) -> list[str]:
    return [PY, "-c", code, *args]


def gone(pid: int, seconds: float = 3.0) -> bool:
    """An orphan is reaped by process 1 in its own time, so this waits; a zombie counts as gone."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


# --- plain running ---------------------------------------------------------------------------------------------------


def test_capture_ends_what_takes_too_long_with_its_children(tmp_path: Path) -> None:
    child = f"import time; time.sleep({LONG})"
    code = f"import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', {child!r}]);"
    code += "open(sys.argv[1], 'w').write(str(c.pid)); c.wait()"
    begun = time.monotonic()
    with pytest.raises(command_errors.TookTooLong, match=r"did not end within 0\.5 s"):
        process.capture(python(code, str(tmp_path / "pid")), seconds=0.5)
    assert time.monotonic() - begun < LONG / 2
    written = (tmp_path / "pid").read_text() if (tmp_path / "pid").exists() else ""
    assert not written or gone(int(written))


def test_capture_in_time_is_as_without_a_limit() -> None:
    assert process.capture(python("print(1)"), seconds=LONG).stdout == "1\n"
    assert process.capture_quick(python("print(1)"), seconds=LONG) == b"1\n"


def test_a_short_command_that_takes_too_long_is_ended() -> None:
    begun = time.monotonic()
    with pytest.raises(command_errors.TookTooLong, match=r"did not end within 0\.1 s"):
        process.capture_quick(["sleep", str(LONG)], seconds=0.1)
    assert time.monotonic() - begun < LONG / 2


def test_capture_quick_returns_bytes(tmp_path: Path) -> None:
    assert process.capture_quick(python("import os; print(os.getcwd())"), cwd=tmp_path) == f"{tmp_path}\n".encode()


def test_capture_quick_imports_no_plumbum() -> None:
    code = (
        "import sys; from layerdoit.core import process; process.capture_quick(['true']);"
        "print([m for m in ('plumbum', 'docker', 'rich', 'yaml') if m in sys.modules])"
    )
    assert process.capture(python(code)).stdout == "[]\n"


@pytest.mark.parametrize("run", [process.capture_quick, process.capture])
def test_failure_names_command_code_and_last_words(run: Callable[[list[str]], object]) -> None:
    with pytest.raises(command_errors.CommandFailed) as caught:
        run(python("import sys; print('so it goes', file=sys.stderr); sys.exit(7)"))
    assert caught.value.code == 7
    assert "exited with 7" in str(caught.value)
    assert "so it goes" in str(caught.value)


def test_capture_separates_streams_and_feeds_input() -> None:
    code = "import sys; print(sys.stdin.read().upper()); print('err', file=sys.stderr); sys.exit(3)"
    done = process.capture(python(code), input="gruß", check=False)
    assert done == process.Completed(3, "GRUSS\n", "err\n")


def test_capture_of_more_than_a_pipe_holds_both_ways() -> None:
    code = "import sys; data = sys.stdin.buffer.read(); sys.stderr.write('e' * 300_000); sys.stdout.buffer.write(data)"
    done = process.capture(python(code), input=b"x" * 300_000)
    assert (len(done.stdout), len(done.stderr)) == (300_000, 300_000)


def test_input_nobody_reads_is_no_error() -> None:
    assert process.capture(python("pass"), input=b"x" * 300_000).code == 0


def test_environment_is_the_present_one_plus_env(monkeypatch: pytest.MonkeyPatch) -> None:
    show = python("import os; print([os.environ.get(k) for k in ('LD_A', 'LD_B', 'LD_C')])")
    monkeypatch.setenv("LD_A", "early")
    process.capture(show)
    monkeypatch.delenv("LD_A")
    monkeypatch.setenv("LD_B", "late")
    assert process.capture(show, env={"LD_C": "added"}).stdout == "[None, 'late', 'added']\n"


def test_arguments_arrive_verbatim() -> None:
    odd = ["a b", "c'd", "$HOME", "", "*", "-x=\n", "ü"]
    assert process.capture(python("import sys; print(sys.argv[1:])", *odd)).stdout == f"{odd}\n"


def test_stream_is_live(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    lines: list[tuple[str, str]] = []

    def on_line(name: str, line: str) -> None:
        lines.append((name, line))
        if line == "one":
            gate.write_text("go on")  # Late delivery would never come here: the child waits for it.

    code = f"import sys; print('one', flush=True); open({str(gate)!r}).read(); print('two\\r'); sys.exit('oops')"
    assert process.stream(python(code), on_line=on_line) == 1
    assert [line for name, line in lines if name == "stdout"] == ["one", "two"]
    assert ("stderr", "oops") in lines


def test_a_daemon_that_keeps_the_pipe_open_does_not_hold_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "DRAIN_GRACE", 0.1)
    # Its number is in a file: what it says may come later than the grace, which is short here.
    code = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {GENTLE!r}]);"
    code += "open(sys.argv[1], 'w').write(str(p.pid))"
    started = time.monotonic()
    assert process.stream(python(code, str(tmp_path / "pid")), on_line=lambda *_: None) == 0
    assert time.monotonic() - started < LONG / 4
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_an_exception_in_on_line_ends_the_child() -> None:
    pids: list[int] = []

    def on_line(_name: str, line: str) -> None:
        pids.append(int(line))
        raise ValueError("from the callback")

    with pytest.raises(ValueError, match="from the callback"):
        process.stream(python(f"import os, time; print(os.getpid(), flush=True); time.sleep({LONG})"), on_line=on_line)
    assert gone(pids[0])


# --- what cannot start -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", [process.capture_quick, process.capture, process.interactive])
def test_missing_program_names_it_and_its_package(
    run: Callable[[list[str]], object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProcessError) as caught:
        run(["git", "--version"])
    assert "`git` was not found" in str(caught.value)
    assert "install the package git" in str(caught.value)


@pytest.mark.parametrize("run", [process.capture_quick, process.capture])
def test_missing_folder_is_not_a_missing_program(run: Callable[..., object], tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="no such folder"):
        run([PY, "-c", "pass"], cwd=tmp_path / "none")


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\0\1\2")
    broken.chmod(0o755)
    with pytest.raises(ProcessError, match="could not be started"):
        process.capture([str(broken)])


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_secrets_are_masked_in_lines_errors_and_commands() -> None:
    masking.register_secret("pass/word+1")
    lines: list[str] = []
    code = "print('token=pass/word+1 url=https://u:pass%2Fword%2B1@h')"
    process.stream(python(code), on_line=lambda _, line: lines.append(line))
    assert lines == ["token=*** url=https://u:***@h"]
    process.stream(python(code), on_line=lambda _, line: lines.append(line), masked=False)
    assert lines[1:] == ["token=pass/word+1 url=https://u:pass%2Fword%2B1@h"], "the caller masks"
    with pytest.raises(ProcessError) as caught:
        process.capture(python("import sys; sys.exit('pass/word+1')", "--key=pass/word+1"))
    assert "word" not in str(caught.value)
    assert "***" in str(caught.value)


def test_secret_of_many_lines_and_secret_within_a_secret() -> None:
    masking.register_secret("-----BEGIN KEY-----\nAAAABBBB\nCCCCDDDD\n-----END KEY-----\n")
    masking.register_secret("abcd")
    masking.register_secret("abcdefgh")
    masking.register_secret("x")
    assert masking.redact("-----BEGIN KEY----- AAAABBBB abcdefgh x") == "-----BEGIN KEY----- *** *** x"


# --- the ladder ------------------------------------------------------------------------------------------------------


def run_until_signal(
    code: str, signum: int, graces: tuple[float, float], times: int = 1, busy: Callable[[float], bool] | None = None
) -> tuple[Interrupted, float, list[int]]:
    """Stream a child that says its pids and "ready", send this process `signum` then, and see how it ends."""
    pids: list[int] = []

    def on_line(_name: str, line: str) -> None:
        if line.isdigit():
            pids.append(int(line))
        if line == "ready":
            for _ in range(times):
                os.kill(os.getpid(), signum)

    started = time.monotonic()
    with pytest.raises(Interrupted) as caught:
        process.stream(
            python("import os; print(os.getpid(), flush=True);" + code),
            on_line=on_line,
            graces=Graces(*graces, busy),
        )
    return caught.value, time.monotonic() - started, pids


@pytest.mark.parametrize(
    ("code", "graces", "at_least"),
    [(GENTLE, (20, 20), 0.0), (NO_INT, (0.2, 20), 0.2), (STUBBORN, (0.2, 0.3), 0.5)],
    ids=["interrupt", "terminate", "kill"],
)
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_each_rung(code: str, graces: tuple[float, float], at_least: float, signum: int) -> None:
    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(s) for s in watched]
    error, seconds, pids = run_until_signal(code, signum, graces)
    assert error.exit_code == 128 + signum
    assert at_least <= seconds < 15
    assert gone(pids[0])
    assert [signal.getsignal(s) for s in watched] == before


def test_a_signal_that_does_not_wake_the_waiting_thread_is_seen() -> None:
    """The kernel may hand a signal to any thread, and the handler runs in the main one, which sleeps in a wait."""
    main = threading.get_ident()
    pids: list[int] = []

    def send() -> None:
        while sys._current_frames()[main].f_code.co_name not in ("_pump", "next_event"):
            time.sleep(0.001)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    def on_line(_name: str, line: str) -> None:
        if line.isdigit():
            pids.append(int(line))
        elif line == "ready":
            threading.Thread(target=send).start()

    started = time.monotonic()
    with pytest.raises(Interrupted):
        process.stream(python("import os; print(os.getpid(), flush=True);" + GENTLE), on_line=on_line)
    assert time.monotonic() - started < LONG / 4
    assert gone(pids[0])


def test_a_second_ctrl_c_skips_the_wait() -> None:
    _, seconds, pids = run_until_signal(NO_INT, signal.SIGINT, (30, 30), times=2)
    assert seconds < 15
    assert gone(pids[0])


BEGINS = """
import os, signal
signal.signal(signal.SIGUSR1, lambda *_: print("works", flush=True))
print(os.getpid(), flush=True)
while True:
    signal.pause()
"""


def test_an_interrupt_waits_until_the_child_is_no_longer_busy() -> None:
    lines: list[str] = []
    asked: list[float] = []

    def busy(waited: float) -> bool:
        if not asked:
            os.kill(int(lines[0]), signal.SIGUSR1)
        asked.append(waited)
        return "works" not in lines

    def on_line(_name: str, line: str) -> None:
        lines.append(line)
        if line.isdigit():
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        process.stream(python(BEGINS), on_line=on_line, graces=Graces(20, 20, busy))
    assert lines[1:] == ["works"]
    assert asked == sorted(asked)
    assert asked[0] < 1


@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupt_does_not_wait_for_ever_nor_after_another_one(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "BUSY_GRACE", 0.2 if times == 1 else LONG)
    _, seconds, pids = run_until_signal(GENTLE, signal.SIGINT, (20, 20), times, busy=lambda _: True)
    assert seconds < 15
    assert gone(pids[0])


def test_a_busy_child_that_ends_by_itself_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "BUSY_GRACE", LONG)
    _, seconds, _ = run_until_signal("print('ready', flush=True)", signal.SIGINT, (20, 20), busy=lambda _: True)
    assert seconds < 15


@pytest.mark.parametrize("leaf", [GENTLE, STUBBORN], ids=["gentle", "stubborn"])
def test_grandchildren_end_too(leaf: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "GROUP_GRACE", 0.3)
    # It says that it is ready only after its number was said: nothing is read after the signal.
    leaf = f"import sys; sys.stdin.read(); {leaf}"
    code = (
        f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {leaf!r}], stdin=subprocess.PIPE);"
        "print(p.pid, flush=True); p.stdin.close(); p.wait()"
    )
    _, _, pids = run_until_signal(code, signal.SIGINT, (5, 5))
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


OUTER = """
import sys
from layerdoit.core import command_errors, masking, process, signals
from layerdoit.core.errors import LayerdoitError
def on_line(name, line):
    print(line, flush=True)
try:
    if sys.argv[1] == "stream":
        process.stream([sys.executable, "-c", sys.argv[2]], on_line=on_line)
    else:
        process.interactive([sys.executable, "-c", sys.argv[2]])
except LayerdoitError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("way", ["stream", "interactive"])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_signal_to_a_process_that_runs_us(way: str, signum: int) -> None:
    inner = "import os; print(os.getpid(), flush=True);" + GENTLE
    outer = subprocess.Popen(python(OUTER, way, inner), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert outer.stdout is not None
    pid = int(outer.stdout.readline())
    assert outer.stdout.readline() == "ready\n"
    outer.send_signal(signum)
    _, said = outer.communicate(timeout=30)
    assert outer.returncode == 128 + signum
    assert "Traceback" not in said
    assert gone(pid)


def test_interactive_leaves_ctrl_c_to_the_child() -> None:
    inner = (
        "import signal, sys, time; signal.signal(signal.SIGINT, lambda *_: sys.exit(5));"
        "print('ready', flush=True); [time.sleep(0.05) for _ in iter(int, 1)]"
    )
    code = OUTER.replace("process.interactive(", "raise SystemExit(process.interactive(").replace(
        "argv[2]])\nexc", "argv[2]]))\nexc"
    )
    outer = subprocess.Popen(
        python(code, "interactive", inner), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert outer.stdout is not None
    assert outer.stdout.readline() == "ready\n"
    os.killpg(outer.pid, signal.SIGINT)
    assert outer.wait(timeout=30) == 5
    outer.stdout.close()


def test_works_outside_the_main_thread() -> None:
    results: list[int] = []
    thread = threading.Thread(
        target=lambda: results.append(process.stream(python("import sys; sys.exit(6)"), on_line=lambda *_: None))
    )
    thread.start()
    thread.join(timeout=30)
    assert results == [6]


def test_an_ignored_signal_stays_ignored() -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        code = "import os, signal; os.kill(os.getppid(), signal.SIGHUP); print('on')"
        assert process.capture(python(code)).stdout == "on\n"
    finally:
        signal.signal(signal.SIGHUP, previous)


# --- exits -----------------------------------------------------------------------------------------------------------

IN_THREAD = """
import signal, sys, threading
from layerdoit.core import command_errors, masking, process
from layerdoit.core.errors import Interrupted
from layerdoit.core.ladder import Graces
from layerdoit.front.loading import exit_when_signalled
started = threading.Event()
def on_line(name, line):
    print(line, flush=True)
    if line == "ready":
        started.set()
def work():
    try:
        process.stream([sys.executable, "-c", sys.argv[1]], on_line=on_line, graces=Graces(0.3, 0.3))
    except Interrupted as error:
        print(error, file=sys.stderr, flush=True)
exit_when_signalled()
threading.Thread(target=work, daemon=True).start()
started.wait()
# Not one wait without end: a signal that comes just before it would not end it.
while sys.argv[2] == "wait":
    threading.Event().wait(0.05)
"""


@pytest.mark.parametrize("leaf", [GENTLE, STUBBORN], ids=["gentle", "stubborn"])
@pytest.mark.parametrize("signum", [0, signal.SIGINT, signal.SIGTERM])
def test_an_exit_ends_the_children_of_other_threads(leaf: str, signum: int) -> None:
    """As in `doit -n 2 -P thread`: the thread with the child gets no signal, and is not waited for."""
    code = python(IN_THREAD, "import os; print(os.getpid(), flush=True);" + leaf, "wait" if signum else "go")
    outer = subprocess.Popen(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert outer.stdout is not None
    pid = int(outer.stdout.readline())
    assert outer.stdout.readline() == "ready\n"
    if signum:
        outer.send_signal(signum)
    _, said = outer.communicate(timeout=30)
    assert outer.returncode == (128 + signum if signum else 0)
    assert said == "interrupted by signal 2; no partial result was kept\n"
    assert gone(pid)


# --- ended from another thread ---------------------------------------------------------------------------------------


def test_another_thread_ends_a_command_and_with_more_force_when_it_asks_again() -> None:
    stubborn = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); print('here', flush=True); signal.pause()"
    ending, lines = Ending(), list[str]()

    def on_line(_stream: str, line: str) -> None:
        lines.append(line)
        ending.ask()
        ending.ask()

    begun = time.monotonic()
    with pytest.raises(command_errors.Stopped):
        process.stream([sys.executable, "-c", stubborn], on_line=on_line, graces=Graces(60, 60), ending=ending)
    assert lines == ["here"]
    assert time.monotonic() - begun < 30


def test_what_was_to_end_before_it_began_ends_at_once() -> None:
    ending = Ending()
    ending.ask()
    with pytest.raises(command_errors.Stopped):
        process.stream(["sleep", "60"], on_line=lambda *_: None, ending=ending)


def test_a_command_that_nobody_ends_is_not_disturbed() -> None:
    assert process.stream(["cat"], on_line=lambda *_: None, fed=b"x", ending=Ending()) == 0
