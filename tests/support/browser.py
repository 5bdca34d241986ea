"""A headless Chromium, spoken to through a pipe: sizes, themes, print, pictures. Nothing is put into the page."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
HEIGHT = 900
PATIENCE = 20
"""Seconds that it may take to end."""


def program() -> str | None:
    """The browser of this machine; None where there is none that starts."""
    for name in NAMES:
        path = shutil.which(name)
        # On Ubuntu, the package is a script that asks for snap.
        if path is not None and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    return None


class Browser:
    """One page of a browser, asked by the DevTools protocol: messages that end with a zero byte."""

    def __init__(self, to: int, answers: int) -> None:
        self._to, self._answers = to, answers
        self._left = b""
        self._number = 0
        self._session: str | None = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to one command."""
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        message = {"id": self._number, "method": method, "params": params, **session}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            said = self._next()
            if said.get("id") == self._number:
                assert "error" not in said, said
                return dict(said["result"])

    def open(self, page: Path | str, width: int, *, dark: bool = False, medium: str = "screen") -> None:
        """Show a file, or what is at an address, `width` CSS pixels wide."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=HEIGHT, deviceScaleFactor=1, mobile=False)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media=medium, features=[theme])
        self.ask("Page.navigate", url=page if isinstance(page, str) else page.resolve().as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page; of a promise, what it becomes."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, to: Path) -> None:
        """The whole page, from top to bottom."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        to.write_bytes(base64.b64decode(shot["data"]))

    def part(self, selector: str, to: Path) -> None:
        """One element of the page."""
        box = self.evaluate(f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()")
        clip = {"x": 0, "y": box["y"], "width": box["right"] + box["x"], "height": box["height"], "scale": 1}
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        to.write_bytes(base64.b64decode(shot["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            got = os.read(self._answers, 1 << 20)
            assert got, "the browser ended"
            self._left += got
        said, _, self._left = self._left.partition(b"\0")
        return dict(json.loads(said))


def _above(end: int) -> int:
    """The same end of a pipe with a number that is free of the protocol's meaning."""
    moved = fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(end)
    return moved


@contextmanager
def opened(path: str) -> Iterator[Browser]:
    """A browser that ends with the block."""
    ask, to = map(_above, os.pipe())
    answers, told = map(_above, os.pipe())
    # The protocol's numbers: the browser reads from 3 and writes to 4. The shell moves them there.
    moved = f'exec "$0" "$@" 3<&{ask} 4>&{told}'
    with tempfile.TemporaryDirectory(prefix="layerdoit-browser-", ignore_cleanup_errors=True) as folder:
        words = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"]
        process = subprocess.Popen(
            ["bash", "-c", moved, path, *words, f"--user-data-dir={folder}"],
            pass_fds=(ask, told),
            stderr=subprocess.DEVNULL,
        )
        os.close(ask)
        os.close(told)
        try:
            yield Browser(to, answers)
        finally:
            # The end of the pipe ends the browser with all of its processes, which write into the folder until then.
            os.close(to)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(answers)
