"""Steps of Dockerfiles in our words, and what apt-get does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from layerdoit.core.doing import Doing
from layerdoit.engine import step_words

DOCKERFILES = Path(__file__).parents[2] / "dockerfiles"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("[internal] load build definition from Dockerfile", "reading the Dockerfile"),
        ("[internal] load metadata for debian:trixie", "asking for the image debian:trixie"),
        ("[internal] load build context", "sending the sources"),
        ("[context toolchain] load from client", "sending the Rust toolchain"),
        ("[builder-bootstrap 1/2] COPY --from=toolchain bin /usr/local/rust/bin", "copying the Rust toolchain"),
        ("[builder 1/2] RUN --mount=type=secret,id=ca set -eu; apt install -y gcc", "installing Debian packages"),
        ("[deps 2/2] RUN --mount=type=bind --mount=type=ssh     sh /ctx/control/cook.sh", "preparing the dependencies"),
        ("[build 2/2] RUN --network=none sh /control/build.sh", "bringing in the sources"),
        ("[app 2/2] COPY --from=build /layerdoit/out/app /usr/local/bin/", "putting files into the image"),
        ("[app 3/9] RUN --mount=a=b npm  ci", "running npm ci"),
        ("[os 1/1] FROM debian:trixie@sha256:abc", "taking the image debian:trixie"),
        ("exporting to docker image format", "writing the image"),
        ("sending tarball", "writing the image"),
        ("importing to docker", "loading the image into Docker"),
        ("something new", ""),
    ],
)  # fmt: skip
def test_a_step_is_told_in_our_words(name: str, words: str) -> None:
    assert step_words.words(name) == words


def test_no_run_of_our_own_dockerfiles_is_told_as_its_command() -> None:
    runs = [
        " ".join(run.replace("\\\n", " ").split())
        for file in DOCKERFILES.glob("Dockerfile.*")
        for run in re.findall(r"^RUN (?:.*\\\n|    #.*\n)*.*\n", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert len(runs) >= 7
    told = [step_words.words(f"[stage 1/1] {run}") for run in runs]
    assert all(words and not words.startswith("running") for words in told), told


def test_apt_tells_which_package_of_how_many() -> None:
    packages = step_words.Packages()
    lines = [
        "Get:1 http://deb.debian.org/debian trixie InRelease [140 kB]",
        "0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.",
        "Get:1 http://deb.debian.org/debian trixie/main amd64 libpq5 amd64 17.5 [226 kB]",
        "Unpacking libpq5:amd64 (17.5) ...",
        "Setting up libpq5:amd64 (17.5) ...",
        "Setting up libpq-dev (17.5) ...",
        "Processing triggers for libc-bin (2.41) ...",
    ]
    told = [packages.read(line) for line in lines]
    assert [now and now.jobs for now in told] == [
        None,
        None,
        ("downloading libpq5 (1 of 2)",),
        ("unpacking libpq5 (1 of 2)",),
        ("setting up libpq5 (1 of 2)",),
        ("setting up libpq-dev (2 of 2)",),
        None,
    ]
    assert told[-2] == Doing(
        "installing Debian packages", None, None, "packages", 4 / 6, told[-2].jobs if told[-2] else ()
    )
