"""Build sdist and wheel into dist/, check them as an index and a user would, and say what publishes them.

`python -m tools.release` does all of it; `--build` stops once they are built and their description is checked.
Nothing is sent anywhere.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
DIST: Final = ROOT / "dist"
PUBLISH: Final = "python -m twine upload dist/*"
NEEDED: Final = ("build", "twine")
SHIPPED: Final = {"layerdoit/": "layerdoit/", "dockerfiles/": "layerdoit/dockerfiles/"}
"""Folder of the repository -> folder of the wheel."""


class Refused(Exception):
    """What stands in the way of a release, and the next step."""


def build() -> Path:
    """Make both files from what git knows, so that no leftover of an earlier build gets in. Returns the wheel."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise Refused(f"{' and '.join(missing)} not installed here\nnext: scripts/setup-venv dev, then run this again")
    shutil.rmtree(DIST, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "layerdoit"
        _copy(source)
        # The wheel is made from the sdist: that one builds is checked by that.
        _run("build", "--outdir", DIST, source)
    _run("twine", "check", "--strict", *sorted(DIST.iterdir()))
    (wheel,) = DIST.glob("*.whl")
    return wheel


def _copy(target: Path) -> None:
    for name in filter(None, _git("ls-files", "-z").split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def refuse_changes() -> None:
    """What is released is committed."""
    changed = _git("status", "--porcelain")
    if changed:
        raise Refused(f"the tree has changes that no commit has:\n{changed}next: commit them, then run this again")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def check(wheel: Path) -> None:
    """Both files hold what they must, and the wheel works where it is installed."""
    tracked = _git("ls-files", "-z").split("\0")
    with zipfile.ZipFile(wheel) as opened:
        refuse_missing(wheel.name, in_wheel(tracked), opened.namelist())
        built = {name: opened.read(name) for name in opened.namelist() if ".dist-info/" not in name}
    with tempfile.TemporaryDirectory() as folder:
        direct = Path(folder) / "direct"
        _copy(Path(folder) / "source")
        _run("build", "--wheel", "--outdir", direct, Path(folder) / "source")
        with zipfile.ZipFile(next(direct.glob("*.whl"))) as opened:
            other = {name: opened.read(name) for name in opened.namelist() if ".dist-info/" not in name}
        refuse_difference(built, other)
        (sdist,) = DIST.glob("*.tar.gz")
        with tarfile.open(sdist) as packed:
            names = [name.partition("/")[2] for name in packed.getnames()]
        refuse_missing(sdist.name, [name for name in tracked if name.startswith(tuple(SHIPPED))], names)
        _install(wheel, Path(folder))


def in_wheel(tracked: Iterable[str]) -> list[str]:
    """Where the wheel must hold files of the repository."""
    return [
        f"{there}{name.removeprefix(here)}"
        for name in tracked
        for here, there in SHIPPED.items()
        if name.startswith(here)
    ]


def refuse_missing(file: str, wanted: Iterable[str], names: Iterable[str]) -> None:
    """Every file that is wanted, and the licence."""
    there = set(names)
    lacking = sorted(set(wanted) - there)
    if not any(name.rpartition("/")[2] == "LICENSE" for name in there):
        lacking.append("LICENSE")
    if lacking:
        raise Refused(f"{file} lacks {', '.join(lacking)}\nnext: correct packages and package_data in setup.cfg")


def refuse_difference(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> None:
    """The wheel of the sdist and the wheel of the sources hold the same."""
    differ = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    if differ:
        raise Refused(f"the wheel of the sdist differs from that of the sources: {', '.join(differ)}")


def _install(wheel: Path, folder: Path) -> None:
    """A Python of its own, in which `doit` finds the plugin and the package lies where it was installed."""
    place = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    python = place / "bin/python"
    _run("pip", "install", "--quiet", "--disable-pip-version-check", wheel, python=python)
    code = "import layerdoit, layerdoit.core.resources as r; print(layerdoit.__file__, r.dockerfile_dir())"
    said = _said([python, "-c", code], folder).split()
    if not all(Path(path).is_relative_to(place) for path in said):
        raise Refused(f"the installed package is found elsewhere: {' '.join(said)}")
    _said([place / "bin/doit", "layers", "version"], folder)


def _said(command: Sequence[str | Path], folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _run(*words: str | Path, python: Path | str = sys.executable) -> None:
    done = subprocess.run([python, "-m", *words], cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"{' '.join(map(str, words))} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")


def main(arguments: Sequence[str]) -> int:
    """Build; without `--build` check too."""
    if list(arguments) not in ([], ["--build"]):
        print("usage: python -m tools.release [--build]", file=sys.stderr)
        return 2
    try:
        if not arguments:
            refuse_changes()
        wheel = build()
        if not arguments:
            check(wheel)
    except Refused as refused:
        print(f"release: {refused}", file=sys.stderr)
        return 1
    for path in sorted(DIST.iterdir()):
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1000:.0f} kB")
    print("install: pip install " + str(wheel.relative_to(ROOT)))
    if not arguments:
        print(f"checked; nothing was sent anywhere. This would publish it: {PUBLISH}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
