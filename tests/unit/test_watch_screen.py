"""The screen of a watch on a real pseudo-terminal: its block, its keys, and a terminal that is left as it was."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import termios
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support import screen
from tests.support.screen import Screen

ROOT = Path(__file__).parents[2]
KEYS = "r rebuild  l logs  t tests  q quit"
PROGRAM = """\
import contextlib, os, queue, sys, time
from layerdoit.core.signals import as_errors
from layerdoit.watch.events import Event
from layerdoit.watch.screen import shown

keys = queue.SimpleQueue()
def tell(kind, project="api", text="", **facts):
    out.tell(Event(kind, project, text, facts))

def pressed():
    # As the loop of a watch does: a signal must find it awake.
    while True:
        with contextlib.suppress(queue.Empty):
            return keys.get(timeout=0.05)

print("before", flush=True)
with as_errors(), contextlib.closing(shown(["api", "web"], False, keys.put)) as out:
    tell("serving", how="built", url="http://127.0.0.1:8080", layers=["deps", "app"], image="shop:app-1")
    while (key := pressed()) != "q":
        {answer}
print("after")
"""
ANSWER = 'tell("log", text=f"pressed {key}"); tell("watching", "", files=ord(key))'


def watch(
    answer: str = ANSWER, columns: int = 80, rows: int = 24, argv: tuple[str, ...] = (), **env: str
) -> AbstractContextManager[Screen]:
    program = [sys.executable, "-c", PROGRAM.replace("{answer}", answer)]
    return screen.running([*argv, *program], cwd=str(ROOT), columns=columns, rows=rows, **env)


def is_up(found: Screen) -> bool:
    # A terminal hands on what is painted line by line: no row tells that the next one is there.
    return KEYS in found.text


def waits(found: Screen) -> bool:
    """Whether something was typed that nobody has read."""
    terminal = os.open(f"/proc/{found.process.pid}/fd/0", os.O_RDONLY | os.O_NOCTTY)
    try:
        return bool(select.select([terminal], [], [], 0)[0])
    finally:
        os.close(terminal)


def single_keys(found: Screen) -> bool:
    """Whether the terminal is in the mode for single keys."""
    mode = termios.tcgetattr(found._master)[3]
    assert isinstance(mode, int)
    return not mode & termios.ICANON


def test_the_block_stays_at_the_end_and_keys_are_told_at_once() -> None:
    with watch() as found:
        found.until(lambda: is_up(found))
        assert single_keys(found)
        # What is pressed with Alt or sends a sequence, what is unknown, and what was pasted is none of its keys.
        for typed in ("\x1bq", "\x1b[1;5q", "x", "quite a text", "\x04", "R"):
            found.type(typed)
            found.until(lambda: not waits(found))
        found.until(lambda: "114 files" in found.text)
        lines = found.lines
        assert re.fullmatch(r"\d\d:\d\d:\d\d api  serving http://127.0.0.1:8080 \(deps, app built\)", lines[1])
        assert lines[2] == "api | pressed r"
        assert [line.split()[0] for line in lines[3:]] == ["api", "web", "r"]
        found.type("q")
        assert found.end() == 0
        assert found.lines[2:] == ["api | pressed r", "after"]
        assert found.shows_cursor
        assert not single_keys(found)


def test_l_hides_the_lines_of_services_and_shows_them_again() -> None:
    with watch() as found:
        found.until(lambda: is_up(found))
        found.type("l")
        found.until(lambda: "l logs (hidden)" in found.text)
        found.type("r")
        found.until(lambda: "114 files" in found.text)
        found.type("l")
        found.until(lambda: is_up(found))
        found.type("t")
        found.until(lambda: "pressed t" in found.text)
        assert "pressed r" not in found.text


@pytest.mark.parametrize("answer", ["raise ValueError(key)", "sys.exit(3)", "os.kill(os.getpid(), 15); time.sleep(60)"])
def test_the_terminal_is_as_it_was_however_it_ends(answer: str) -> None:
    with watch(answer) as found:
        found.until(lambda: is_up(found))
        found.type("r")
        assert found.end() != 0
        assert not single_keys(found)
        assert not any(line.startswith(("web ", "r rebuild")) for line in found.lines)


def test_one_who_forgets_to_close_it_leaves_the_terminal_as_it_was() -> None:
    with watch('out.close = lambda: None; raise ValueError("forgotten")') as found:
        found.until(lambda: is_up(found))
        found.type("r")
        found.end()
        assert not single_keys(found)


def test_a_thread_that_hangs_does_not_hold_up_the_end() -> None:
    with watch("out._keys = lambda key: time.sleep(600); time.sleep(0.5); sys.exit(0)") as found:
        found.until(lambda: is_up(found))
        found.type("r")
        found.type("t")
        assert found.end(seconds=20) == 0
        assert not single_keys(found)


SHELL = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
MODE = "stty -a | tr ' ' '\\n' | grep -x -e icanon -e -icanon"


@pytest.mark.parametrize("shell", [("bash", "--norc", "-i"), ("sh", "-i")], ids=lambda argv: argv[0])
def test_a_shell_gets_its_terminal_back_and_gives_it_again(tmp_path: Path, shell: tuple[str, ...]) -> None:
    """One edits its lines itself and sets the mode of the terminal; the other one takes it as it is."""
    program = tmp_path / "w.py"
    program.write_text(PROGRAM.replace("{answer}", ANSWER))
    argv = [sys.executable, "-c", SHELL, *shell]
    with screen.running(argv, cwd=str(tmp_path), PS1="$ ", PYTHONPATH=str(ROOT), HISTFILE="", ENV="") as found:

        def prompts() -> bool:
            return found.text.endswith("$")

        def is_whole() -> bool:
            # Not every shell shows what is typed here.
            return any(line.removeprefix("$ ") == "icanon" for line in found.lines)

        found.until(prompts)
        found.type(f"{sys.executable} w.py &\n")
        found.until(lambda: "serving http" in found.text)
        for _ in range(2):
            # In the background it neither reads keys nor paints.
            found.type("echo a-$((40 + 2)); clear\n")
            found.until(lambda: "a-42" not in found.text and prompts())
            assert KEYS not in found.text
            found.type("fg\n")
            found.until(lambda: is_up(found))
            before = len(found.raw)
            found.type("\x1a")
            found.until(lambda: "Stopped" in found.text and prompts())
            assert b"\x1b[J" in found.raw[before:].partition(b"Stopped")[0]
            found.type(f"clear; {MODE}\n")
            found.until(is_whole)
            found.type("bg\n")
            found.until(lambda: "w.py" in found.text)
        found.type("clear; fg\n")
        found.until(lambda: is_up(found))
        found.type("r")
        found.until(lambda: "114 files" in found.text)
        found.type("q")
        found.until(lambda: "after" in found.text and prompts())
        found.type(f"{MODE}\n")
        found.until(is_whole)
        found.type("exit\n")
        found.end()


def test_where_no_shell_could_continue_it_ctrl_z_does_not_stop_it() -> None:
    def painted() -> int:
        return found.raw.count(KEYS.encode())

    with watch() as found:
        found.until(lambda: is_up(found))
        before = painted()
        found.process.send_signal(signal.SIGTSTP)
        # What is typed while the terminal is given back is for the shell.
        found.until(lambda: painted() > before)
        found.type("r")
        found.until(lambda: "pressed r" in found.text and is_up(found))
        # One that others stop is told only when it goes on.
        found.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, found.process.pid, os.WSTOPPED | os.WNOWAIT)
        before = painted()
        found.process.send_signal(signal.SIGCONT)
        found.until(lambda: painted() > before)
        found.type("t")
        found.until(lambda: "pressed t" in found.text and is_up(found))


def test_without_keys_there_is_no_line_that_promises_them() -> None:
    with watch(argv=("sh", "-c", '"$@" < /dev/null', "sh")) as found:
        found.until(lambda: "web     starts" in found.text)
        found.resize(60, 10)
        found.until(lambda: found.text.count("web     starts") == 1)
        assert "rebuild" not in found.text
        assert not single_keys(found)


def test_without_a_terminal_there_are_lines_and_no_keys() -> None:
    code = f"{PROGRAM.partition('    while (')[0]}    tell('stopped', '')\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    assert re.sub(r"\d\d:\d\d:\d\d", "AT", done.stdout).splitlines() == [
        "before",
        "AT api  serving http://127.0.0.1:8080 (deps, app built)",
        "AT the watch has ended",
    ]


def test_json_on_a_terminal_is_json() -> None:
    code = f"{PROGRAM.partition('    while (')[0]}    tell('stopped', '')\n".replace("False", "True")
    with screen.running([sys.executable, "-c", code], cwd=str(ROOT), columns=300) as found:
        assert found.end() == 0
        assert [json.loads(line)["event"] for line in found.lines[1:]] == ["serving", "stopped"]
        assert b"\x1b" not in found.raw
