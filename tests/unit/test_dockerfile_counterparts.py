"""Every instruction of a Dockerfile has a counterpart among the settings, or a note that says what an image lacks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from layerdoit.dockerfile.parse import parse
from layerdoit.init import copies, instructions
from layerdoit.init.dockerfile_hints import of_dockerfile
from layerdoit.init.hints import Hint, files_of

# The Dockerfile reference's own list.
EVERY = {
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER"),
    *("ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
}
FLAGS_OF_COPIES = {"from", "chown", "chmod", "link", "parents", "exclude", "keep-git-dir", "checksum", "unpack"}

THERE = (
    *("static", "static/.", "config", "config/.", "config/a.toml", "config/b.toml", "start.sh", "x.tar.gz"),
    *("own.toml", "config/src/schema.ddl", "front", "front/.", "made", "made/.", "made/dist", "made/dist/."),
)
HEAD = """\
FROM node:20 AS web
WORKDIR /w
COPY front/package.json ./
RUN npm ci
COPY front .
RUN npm run build
FROM rust AS build
WORKDIR /app
COPY . .
RUN cargo build --release
FROM debian:trixie-slim
"""
FIRST = HEAD.count("\n") + 1


def told(lines: str, head: str = HEAD) -> list[Hint]:
    found = of_dockerfile(parse(f"{head}{lines}\n"), files_of(THERE, ["server"]))
    return [hint for hint in found if int(hint.where.rpartition(":")[2]) >= FIRST and hint.kind != "root"]


def plain(hints: list[Hint]) -> list[tuple[str, str]]:
    return [(hint.kind, hint.value) for hint in hints]


def test_the_table_has_every_instruction_there_is() -> None:
    assert set(instructions.INSTRUCTIONS) == EVERY - {"FROM"}
    (note,) = told("FROB x")
    assert (note.kind, note.where) == ("note", f"Dockerfile:{FIRST}")
    assert "FROB is not known" in note.value


def test_the_page_shows_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs/any-project.md").read_text(encoding="utf-8")
    rows = page.partition("| instruction | counterpart |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| ([A-Z]+) \| \S", rows, re.MULTILINE)) == EVERY


@pytest.mark.parametrize(
    ("lines", "counterparts"),
    [
        ("ENV A=b C=d", [("env", "A=b"), ("env", "C=d")]),
        ("EXPOSE 80 53/udp", [("port", "80"), ("port", "53/udp")]),
        ("LABEL a.b=c", [("label", "a.b=c")]),
        ("MAINTAINER me", [("label", "maintainer=me")]),
        ("STOPSIGNAL SIGQUIT", [("stop-signal", "SIGQUIT")]),
        ("USER web", [("user", "web")]),
        ('VOLUME ["/data", "/more"]', [("volume", "/data"), ("volume", "/more")]),
        ("WORKDIR /x\nWORKDIR y", [("workdir", "/x/y")]),
        ('SHELL ["/bin/bash", "-c"]', []),
        ("ARG X=1", []),
        ("HEALTHCHECK NONE", []),
        ("HEALTHCHECK CMD curl -f http://localhost/up || exit 1", [("health", "/up")]),
        (
            'HEALTHCHECK --start-period=90s --retries=3 CMD ["server", "check"]',
            [("health-command", "server check"), ("health-timeout", "90")],
        ),
        ('ENTRYPOINT ["/usr/local/bin/server"]\nCMD ["serve"]', [("entrypoint", "server"), ("cmd", '["serve"]')]),
        ("CMD server --listen", [("entrypoint", "server"), ("cmd", '["--listen"]')]),
        ('COPY --from=build /target/x/server /bin/o\nCMD ["o"]', [("copied", "server"), ("entrypoint", "o")]),
        ('COPY --from=build /target/x/server /bin/o\nCMD ["/bin/o"]', [("copied", "server"), ("entrypoint", "server")]),
        ("COPY --chown=web --chmod=644 --link static /srv/static/", [("asset", "static:/srv/static")]),
        ("WORKDIR /app\nCOPY start.sh /app", [("asset", "start.sh:/app/start.sh"), ("workdir", "/app")]),
        ('CMD ["server", "--x=/etc/y/own.toml", "/etc/z.toml"]', [
            ("entrypoint", "server"),
            ("cmd", '["--x=/etc/y/own.toml", "/etc/z.toml"]'),
            ("asset", "own.toml:/etc/y/own.toml"),
        ]),
        ("RUN mkdir /tmp/x", []),
        ("COPY static ./here", [("asset", "static:/srv/here")]),
        ("COPY start.sh /root/x", [("asset", "start.sh:/srv/x")]),
        ("COPY --from=build /out/bin/* /usr/local/bin/", []),
        ("COPY --from=build /app/bin /app/bin", []),
        ("COPY --from=build /app/moved/front/. /srv/f", [("asset", "front:/srv/f")]),
        ("COPY --from=build /app/config/src/schema.ddl /srv/", [("asset", "config/src/schema.ddl:/srv/schema.ddl")]),
        ('CMD ["cargo", "run", "--release", "--", "serve"]', [("cmd", '["serve"]')]),
        ("COPY config/*.toml /etc/x/", [("asset", f"config/{n}.toml:/etc/x/{n}.toml") for n in "ab"]),
        ("COPY --from=web /w/package.json /", [("asset", "front/package.json:/package.json"), ("note", "")]),
        ("COPY --from=build /app/static /srv/static", [("asset", "static:/srv/static")]),
        ("COPY --from=alpine /usr/share/zoneinfo /usr/share/zoneinfo", [("apt-run", "tzdata")]),
        ("COPY --from=alpine /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/", []),
        ("RUN apt-get update && apt-get install -y libssl3 && rm -rf /var/lib/apt/lists/*", [("apt-run", "libssl3")]),
        ("RUN mkdir -p /data/x && chown -R web /data/x && useradd web", [("folder", "/data/x")]),
        ("RUN sed -i s/a/b/ /etc/apt/sources.list; update-ca-certificates", []),
        ("RUN echo 'x' > /dev/null; case $A in arm64) B=1;; linux/amd64) B=2;; *) exit 1;; esac", []),
    ],
)  # fmt: skip
def test_an_instruction_has_a_counterpart(lines: str, counterparts: list[tuple[str, str]]) -> None:
    got = told(lines)
    assert [(kind, "" if kind == "note" else value) for kind, value in plain(got)] == counterparts


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("COPY --from=web /w/dist /srv/dist", "`npm run build` in front makes it (Dockerfile:6); make front"),
        ("COPY --from=web /out /srv/out", "lacks /srv/out"),
        ("COPY --from=build /app/pkg /srv/pkg", "lacks /srv/pkg"),
        ("COPY --from=build /usr/local/cargo/bin/sqlx /bin/", "lacks /bin/sqlx"),
        ("COPY --from=build /usr/lib/x86_64-linux-gnu/libpq.so.5 /usr/lib/", "base.runtime_packages"),
        ("COPY --from=build /app /app", "all of /app is copied"),
        ("COPY --from=ghcr.io/a/uv:1 /uv /bin/", "lacks /bin/uv of the image ghcr.io/a/uv:1"),
        ("COPY . /app", "all of the project is copied"),
        ("COPY absent /srv/absent", "there is no absent"),
        ("COPY absent/*.x /srv/", "no file of the project is like"),
        ("COPY $A /srv/", "depends on a variable"),
        ("COPY --parents config/a.toml /srv/", "--parents"),
        ("COPY --exclude=*.md static /srv/static", "--exclude"),
        ("COPY <<EOF /etc/motd\nhello\nEOF", "lacks /etc/motd"),
        ("ADD https://u:p@example.com/x?token=1 /opt/", "comes from https://example.com/x:"),
        ("ADD git@github.com:a/b.git /opt/b", "lacks /opt/b"),
        ("ADD x.tar.gz /opt/", "unpacks x.tar.gz"),
        ("RUN curl -fsSL https://u:p@example.com/tool -o /bin/tool", "`curl https://example.com/tool`"),
        ("RUN curl -H 'Authorization: token abc' example.com", "`curl`"),
        ("RUN wget example.com && tar xf a && pip install b && ln -s c d && e", "`pip install b` and 2 more"),
        ("RUN ln -s /a /b", "`ln -s /a /b`"),
        ("RUN echo hello > /etc/motd", "`echo hello`"),
        ("RUN chmod 600 /etc/x", "`chmod 600 /etc/x`"),
        ("RUN dpkg -i a.deb", "`dpkg -i a.deb`"),
        ("ENV V=$GIVEN", "the value of V"),
        ("LABEL v=$GIVEN", "the label v"),
        ("EXPOSE 80-90", "the port 80-90"),
        ("WORKDIR $HOME", "the working directory"),
        ("USER $U", "the user $U"),
        ("VOLUME $D", "the volume $D"),
        ("STOPSIGNAL $S", "the stop signal"),
        ("HEALTHCHECK CMD x $PORT", "the health check"),
        ("ONBUILD RUN x", "ONBUILD"),
        ('ENTRYPOINT ["tini", "--", "server"]', "tini starts the program"),
        ("CMD migrate && server", "a shell runs `migrate && server`"),
        ('CMD ["sh", "-c", "server --x $Y"]', "a shell runs `server --x $Y`"),
        ('ENTRYPOINT ["/opt/start.sh"]', "/opt/start.sh, which is no binary"),
        ('CMD ["server", "$A"]', "`$A` depend on variables"),
    ],
)  # fmt: skip
def test_what_has_none_is_told_with_what_to_do(lines: str, words: str) -> None:
    notes = [hint for hint in told(lines) if hint.kind == "note"]
    assert len(notes) == 1
    assert words in notes[0].value
    assert notes[0].where.startswith("Dockerfile:")
    assert not any(secret in notes[0].value for secret in ("u:p", "token=", "abc"))


@pytest.mark.parametrize(
    ("line", "hints"),
    [
        ("CMD migrate && exec server --x", [("entrypoint", "server")]),
        ('CMD ["sh", "-c", "migrate; server"]', [("entrypoint", "server")]),
        ('CMD ["/bin/sh", "-c", "exec server serve"]', [("entrypoint", "server"), ("cmd", '["serve"]')]),
        ("ENTRYPOINT other", [("entrypoint", "other")]),
    ],
)
def test_of_a_line_of_the_shell_the_program_is_taken(line: str, hints: list[tuple[str, str]]) -> None:
    assert [(kind, value) for kind, value in plain(told(line)) if kind != "note"] == hints


def test_every_flag_of_a_copy_is_known() -> None:
    assert set(FLAGS_OF_COPIES - copies.FLAGS) == {"parents", "exclude"}, "the others get a note"


def test_a_folder_that_another_stage_makes_is_an_asset_once_it_is_there() -> None:
    (absent,) = [hint for hint in told("COPY --from=web /w/dist /srv/d") if hint.kind == "asset"]
    assert (absent.value, absent.sure) == ("front/dist:/srv/d", False)
    head = HEAD.replace("COPY front .", "COPY made .")
    (there,) = told("COPY --from=web /w/dist /srv/d", head)
    assert (there.value, there.sure) == ("made/dist:/srv/d", True)
    assert there.why == "`npm run build` in made makes it (Dockerfile:6)"


def test_it_is_found_through_a_stage_that_only_hands_it_on() -> None:
    head = HEAD.replace("FROM debian", "FROM scratch AS hand\nCOPY --from=web /w/dist /d\nFROM debian")
    (asset,) = [hint for hint in told("COPY --from=hand /d /srv/d", head) if hint.kind == "asset" and not hint.sure]
    assert asset.value == "front/dist:/srv/d"


@pytest.mark.parametrize(
    ("run", "noted"),
    [
        ("npm run build --prefix web", True),
        ("cd ui && trunk build --release", True),
        ("cargo leptos build --release", True),
        ("curl -L https://example.com/protoc.zip -o x.zip && unzip x.zip", True),
        ("./scripts/gen.sh", True),
        ("curl --proto '=https' -sSf https://sh.rustup.rs | sh -s -- -y", False),
        ("curl -L https://github.com/x/cargo-binstall.tgz | tar xz", False),
        ("mkdir src && echo 'fn main() {}' > src/main.rs && cargo build && rm -rf src && touch x", False),
        ("cargo chef cook --recipe-path recipe.json && cp target/release/server /server", False),
        ("rustup target add wasm32-unknown-unknown && cargo install trunk", False),
    ],
)
def test_what_the_builder_does_besides_cargo_is_told(run: str, noted: bool) -> None:
    text = f"FROM rust AS build\nRUN {run}\nFROM debian\nCOPY --from=build /server /server\n"
    found = of_dockerfile(parse(text), files_of((), ["server"]))
    assert [hint.where for hint in found if hint.kind == "note"] == (["Dockerfile:2"] if noted else [])


def test_a_script_is_found_where_programs_lie() -> None:
    hints = told('COPY start.sh /usr/bin/\nENTRYPOINT ["start.sh"]')
    assert [(hint.value, hint.sure) for hint in hints if hint.kind == "script"] == [("/usr/bin/start.sh", True)]
    assert not [hint for hint in hints if hint.kind == "note"]


def test_binaries_that_a_pattern_takes_are_no_files_of_the_project() -> None:
    text = (
        "ARG MODE=build\nFROM alpine AS build\nRUN apk add cargo\nWORKDIR /tmp/x\nCOPY . .\n"
        "RUN cargo install --path . --root /tmp/out\nFROM ${MODE} AS source\nFROM alpine\n"
        "COPY --from=source /tmp/out/bin/* /usr/local/bin/\nCOPY --from=source /tmp/other/* /o/\nCOPY * /all/\n"
    )
    there = (".git", ".git/.", "Cargo.toml", "README.md", "src", "src/.")
    found = of_dockerfile(parse(text), files_of(there, ["server"]))
    assert [(hint.value, hint.where) for hint in found if hint.kind == "asset"] == [
        ("README.md:/all/README.md", "Dockerfile:11")
    ]
    assert [hint.where for hint in found if hint.kind == "note"] == ["Dockerfile:10"]


def test_a_stage_that_leads_nowhere_is_not_read() -> None:
    text = "FROM rust AS test\nRUN ./odd\nFROM rust AS build\nRUN cargo build\nFROM debian\n"
    text += "COPY --from=build /a/server /b\n"
    assert not [hint for hint in of_dockerfile(parse(text), files_of((), ["server"])) if hint.kind == "note"]


def test_variables_that_only_the_dockerfile_uses_are_not_sure() -> None:
    got = told("ENV GOSU_VERSION=1 PORT=80\nRUN apt-get install -y gosu=$GOSU_VERSION\nEXPOSE $PORT")
    assert {hint.value: hint.sure for hint in got if hint.kind == "env"} == {"GOSU_VERSION=1": False, "PORT=80": True}


def test_a_script_of_the_project_starts_the_program() -> None:
    copied = "COPY --from=build /app/target/release/server /app/server\nCOPY start.sh /start.sh\n"
    lines = f'{copied}ENTRYPOINT ["/start.sh"]\nCMD ["/app/server", "-c", "/etc/own.toml"]'
    files = files_of(THERE, ["server"])

    def of(text: str) -> list[Hint]:
        found = of_dockerfile(parse(HEAD + lines), files._replace(text=lambda _: text))
        return [hint for hint in found if hint.kind in ("script", "cmd", "entrypoint") or "own.toml:" in hint.value]

    script, cmd, asset = of('#!/bin/sh\nexec "$@"\n')
    assert (asset.kind, asset.value) == ("asset", "own.toml:/etc/own.toml")
    assert (script.value, script.sure) == ("/start.sh", True)
    assert (cmd.value, cmd.sure) == ('["/usr/local/bin/server", "-c", "/etc/own.toml"]', True)
    for text, why in (("exec gosu web server", "calls gosu"), ("exec /app/server", "/app/server, which is /usr/local")):
        script, cmd, _ = of(text)
        assert (script.sure, cmd.sure) == (False, False)
        assert why in script.why
