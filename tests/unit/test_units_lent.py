"""The scripts by which units go from one deps image to another, run here on folders that look like those images."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from layerdoit.core.resources import dockerfile_dir

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
GIT = "git+https://git.example/secret?rev=a"
# A folder at the root of an image, where a script names it as such.
_PLACE = re.compile(r'(?<![\w.$}|*"])/(cooked|lent|ctx|there|tmp|cargo|donors|build)\b(?!/\[)')


class Unit(NamedTuple):
    """A library. `content`: what others are compiled against; `source`: '' for one whose sources are vendored.

    `known`: its commit, or checksum.
    """

    name: str
    needs: tuple[str, ...] = ()
    content: str = ""
    source: str = CRATES_IO
    known: str = "5e"

    @property
    def locked(self) -> str:
        return f"{self.source or CRATES_IO}#{self.known}\t{self.name}@1.0.0\n"

    @property
    def id(self) -> str:
        return f"{sum(map(ord, self.name)) * 7919 + len(self.name):016x}"

    @property
    def number(self) -> int:
        """As large as cargo's are: awk's own numbers would not tell them apart."""
        return 2**64 - 1 - int(self.id, 16)

    def message(self, *, fresh: bool) -> str:
        place = f"/cargo/registry/src/index.crates.io-1/{self.name}-1.0.0" if self.source else "/build/src/vendor/x"
        return json.dumps(
            {
                "reason": "compiler-artifact",
                "package_id": f"{self.source or CRATES_IO}#{self.name}@1.0.0",
                "manifest_path": f"{place}/Cargo.toml",
                "filenames": [f"/build/target/debug/deps/lib{self.name}-{self.id}.rmeta"],
                "fresh": fresh,
            },
            separators=(",", ":"),
        )


class Image:
    """A deps image as a folder, and the scripts run in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("ctx/control", "tmp", "cooked/target/debug/deps", "cargo/registry/src/index.crates.io-1"):
            (root / name).mkdir(parents=True)
        (root / "cooked/own").touch()
        self.control("own", "")
        for name in ("units.sh", "variables.sh", "lend.sh"):
            self.control(name, _PLACE.sub(rf"{root}/\1", (dockerfile_dir() / name).read_text()))

    def control(self, name: str, text: str) -> None:
        (self.root / "ctx/control" / name).write_text(text)

    def sh(self, script: str) -> str:
        control = self.root / "ctx/control"
        text = f"set -eu; export LC_ALL=C; . {control}/variables.sh; . {control}/units.sh; {script}"
        done = subprocess.run(
            ["sh", "-c", text.replace("$R", str(self.root))], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    def has(self, *units: Unit) -> None:
        """Compiled, as far as cargo leaves traces of it."""
        by_name = {unit.name: unit for unit in units}
        for unit in units:
            folder = self.root / f"cooked/target/debug/.fingerprint/{unit.name}-{unit.id}"
            folder.mkdir(parents=True)
            below = [[1, name, False, by_name[name].number] for name in unit.needs]
            note = {"deps": below, "local": [{"CheckDepInfo": {}}]}
            (folder / f"lib-{unit.name}.json").write_text(json.dumps(note, separators=(",", ":")))
            (folder / f"lib-{unit.name}").write_text(unit.number.to_bytes(8, "little").hex())
            (self.root / f"cooked/target/debug/deps/lib{unit.name}-{unit.id}.rmeta").write_text(unit.content)
            source = self.root / (
                "cargo/git/checkouts" if unit.source == GIT else "cargo/registry/src/index.crates.io-1"
            )
            source /= f"{unit.name}-1.0.0"
            source.mkdir(parents=True)
            (source / "lib.rs").write_text(f'// "APP_WORD" {unit.name}' if unit.content == "reads" else "")
            (source / "Cargo.toml").write_text(f'[package]\nname = "{unit.name}"\n')

    def cooked(self, *units: Unit) -> None:
        self.has(*units)
        self.locks(*units)
        self.told(units)
        self.sh("note_units $R/tmp/messages")

    def told(self, units: Iterable[Unit], *, stale: Iterable[str] = ()) -> None:
        """What cargo printed."""
        lines = [unit.message(fresh=unit.name not in stale) for unit in units]
        (self.root / "tmp/messages").write_text("".join(f"{line}\n" for line in lines))

    def locks(self, *units: Unit) -> None:
        """The packages of Cargo.lock: of its own, or of the other one."""
        self.control("locked", "".join(unit.locked for unit in units))

    def lends(self, *units: Unit, word: str = "public") -> Path:
        self.locks(*units)
        self.sh(f"sh $R/ctx/control/lend.sh {word}")
        return self.root / "lent"

    def takes(self, *lent: Path) -> set[str]:
        """The names of units that came in."""
        for number, folder in enumerate(lent, 1):
            shutil.copytree(folder, self.root / f"donors/{number}", symlinks=True)
        before = self.there
        self.sh("take_units")
        return self.there - before

    @property
    def there(self) -> set[str]:
        folder = self.root / "cooked/target/debug/.fingerprint"
        return {path.name.rpartition("-")[0] for path in folder.iterdir()} if folder.exists() else set()


@pytest.fixture
def donor(tmp_path: Path) -> Image:
    return Image(tmp_path / "donor")


@pytest.fixture
def other(tmp_path: Path) -> Image:
    return Image(tmp_path / "other")


@pytest.fixture
def taker(tmp_path: Path) -> Image:
    return Image(tmp_path / "taker")


A, B, C, D = Unit("a"), Unit("b", ("a",)), Unit("c", ("b",)), Unit("d")


def test_what_is_locked_is_taken_with_its_sources_and_the_rest_goes(donor: Image, taker: Image) -> None:
    donor.cooked(A, B, D)
    assert taker.takes(donor.lends(A, B, D)) == {"a", "b", "d"}
    times = {path.stat().st_mtime_ns for path in (taker.root / "cooked/target/debug/deps").iterdir()}
    assert len(times) == 1, "what is made of another is not older than that"
    # cargo uses `a`, compiles `b` again, and does not name `d`.
    taker.told([A, B], stale=["b"])
    assert "layerdoit: taken units=2 taken=1 1=1" in taker.sh("settle_units $R/tmp/messages")
    assert taker.there == {"a", "b"}
    sources = taker.root / "cargo/registry/src/index.crates.io-1"
    assert {path.name for path in sources.iterdir()} == {"a-1.0.0", "b-1.0.0"}
    taker.sh("bring_back")
    assert {path.name for path in sources.iterdir()} == {"a-1.0.0", "b-1.0.0", "d-1.0.0"}


def test_what_is_not_locked_stays_and_what_was_compiled_with_it(donor: Image, taker: Image) -> None:
    donor.cooked(A, B, C, D)
    assert taker.takes(donor.lends(A, C, D)) == {"a", "d"}


@pytest.mark.parametrize("source", [CRATES_IO, GIT])
@pytest.mark.parametrize(("known", "expected"), [("1a", {"a", "v", "w"}), ("2b", {"a"})])
def test_another_checksum_or_commit_is_another_crate(
    donor: Image, taker: Image, source: str, known: str, expected: set[str]
) -> None:
    ours, above = Unit("v", ("a",), source=source, known="1a"), Unit("w", ("v",))
    donor.cooked(A, ours, above)
    lent = donor.lends(A, ours._replace(known=known), above, word="private")
    assert taker.takes(lent) == expected
    named = {line.split("\t")[2].removesuffix("@1.0.0") for line in (lent / "units").read_text().splitlines()}
    assert named == expected, "what is not lent is not told either"
    sources = {path.name for path in (taker.root / "cargo/registry/src/index.crates.io-1").iterdir()}
    assert ("v-1.0.0" in sources) == (known == "1a" and source == CRATES_IO)


def test_what_has_no_checksum_can_be_anything(donor: Image, taker: Image) -> None:
    donor.has(A)
    donor.told([A])
    donor.control("locked", "")
    donor.sh("note_units $R/tmp/messages")
    assert taker.takes(donor.lends(A)) == set()


def test_private_crates_and_what_they_are_in_are_lent_between_those_who_say_so(donor: Image, other: Image) -> None:
    units = (A, Unit("g", ("a",), source=GIT), Unit("h", ("g",)))
    donor.cooked(*units)
    words = dict(line.split("\t")[2:4] for line in (donor.root / "cooked/units").read_text().splitlines())
    assert words == {"a@1.0.0": "public", "g@1.0.0": "private", "h@1.0.0": "private"}
    for word, expected in (("public", {"a"}), ("private", {"a", "g", "h"})):
        shutil.rmtree(donor.root / "lent", ignore_errors=True)
        shutil.rmtree(other.root / "donors", ignore_errors=True)
        shutil.rmtree(other.root / "cooked/target/debug/.fingerprint", ignore_errors=True)
        assert other.takes(donor.lends(*units, word=word)) == expected


def test_vendored_sources_can_be_anything(donor: Image, taker: Image) -> None:
    units = (A, Unit("v", ("a",), source=""), Unit("w", ("v",)))
    donor.cooked(*units)
    assert taker.takes(donor.lends(*units, word="private")) == {"a"}


def test_a_crate_that_read_another_value_compiles_and_what_needs_it(donor: Image, taker: Image) -> None:
    units = (A, Unit("r", content="reads"), Unit("s", ("r",)))
    donor.cooked(*units)
    (donor.root / "cooked/own").write_text("APP_WORD 1\n")
    donor.control("own", "APP_WORD 2\n")
    assert taker.takes(donor.lends(*units)) == {"a"}


@pytest.mark.parametrize(("content", "expected"), [("same", {"b"}), ("another", set())])
def test_what_is_there_already_must_be_what_was_compiled_with(
    donor: Image, taker: Image, content: str, expected: set[str]
) -> None:
    donor.cooked(Unit("a", content="same"), B)
    taker.cooked(Unit("a", content=content))
    assert taker.takes(donor.lends(A, B)) == expected


def test_two_lend_what_fits_together(donor: Image, other: Image, taker: Image) -> None:
    donor.cooked(A, B)
    other.cooked(A, B, C)
    first = donor.lends(A, B, C)
    (other.root / "there").mkdir()
    shutil.copy(first / "units", other.root / "there/1")
    second = other.lends(A, B, C)
    assert not (second / "target/debug/.fingerprint" / f"a-{A.id}").exists(), "nothing is copied twice"
    assert taker.takes(first, second) == {"a", "b", "c"}
    taker.told([A, B, C])
    said = taker.sh("settle_units $R/tmp/messages").split()
    assert said[1:4] == ["taken", "units=3", "taken=3"]
    assert set(said[4:]) == {"1=2", "2=1"}


def test_all_that_was_lent_can_be_given_back(donor: Image, taker: Image) -> None:
    taker.cooked(Unit("own"))
    donor.cooked(A)
    assert taker.takes(donor.lends(A)) == {"a"}
    taker.sh("return_units")
    assert taker.there == {"own"}


def test_an_image_without_a_list_lends_nothing(donor: Image, taker: Image) -> None:
    donor.has(A)
    assert taker.takes(donor.lends(A)) == set()


MESSAGES: Mapping[str, tuple[str, str]] = {
    '"package_id":"git+https://git.example/foo?rev=a#1.2.0"': ("git+https://git.example/foo?rev=a", "foo@1.2.0"),
    '"package_id":"git+ssh://me:word@git.example/foo#1.2.0"': ("git+ssh://***@git.example/foo", "foo@1.2.0"),
    '"package_id":"foo 1.2.0 (registry+https://r.example/index)"': ("registry+https://r.example/index", "foo@1.2.0"),
    '"package_id":"path+file:///build/src/foo#1.2.0"': ("path+file:///build/src/foo", "foo@1.2.0"),
}


@pytest.mark.parametrize("named", MESSAGES)
@pytest.mark.parametrize(
    "place",
    [
        '"filenames":["/build/target/x86_64-unknown-linux-musl/release/deps/libfoo-0123456789abcdef.rlib"]',
        '"filenames":["/build/target/debug/build/foo/0123456789abcdef/out/libfoo-0123456789abcdef.rmeta"]',
        '"filenames":["/build/target/debug/build/foo-0123456789abcdef/build-script-build"]',
    ],
)
def test_every_form_of_cargos_messages_is_read(taker: Image, named: str, place: str) -> None:
    (taker.root / "tmp/messages").write_text(f'{{"reason":"compiler-artifact",{named},{place},"fresh":false}}\n')
    taker.sh("units_of $R/tmp/messages >$R/tmp/read")
    assert (taker.root / "tmp/read").read_text() == "\t".join(["0123456789abcdef", *MESSAGES[named], "stale\n"])
