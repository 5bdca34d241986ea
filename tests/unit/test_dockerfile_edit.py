"""The Dockerfiles that are built: which mounts they keep, and where assets and settings stand."""

from __future__ import annotations

from layerdoit.config import Image
from layerdoit.core.resources import dockerfile_dir
from layerdoit.dockerfile import edit

DEPS = """\
FROM x
RUN --mount=type=bind,source=.,target=/ctx \\
    --mount=type=secret,id=ca,target=/run/secrets/ca,mode=0444 \\
    --mount=type=secret,id=token,target=/cargo/credentials.toml \\
    --mount=type=ssh \\
    sh /ctx/cook.sh
RUN --mount=type=secret,id=ca --mount=type=ssh,id=default true
"""


def test_a_step_mounts_only_secrets_that_there_are() -> None:
    assert (
        edit.mounts(DEPS, [], [], ssh=False)
        == """\
FROM x
RUN --mount=type=bind,source=.,target=/ctx \\
    sh /ctx/cook.sh
RUN true
"""
    )
    assert edit.mounts(DEPS, ["ca", "token"], [], ssh=True) == DEPS


def test_the_secrets_of_a_dockerfile() -> None:
    assert edit.secrets(DEPS) == {"ca", "token"}


def test_public_ones_come_from_the_context() -> None:
    text = edit.mounts(DEPS, ["token"], ["ca"], ssh=False)
    assert text.count("--mount=type=bind,source=control/ca,target=/run/secrets/ca ") == 2
    assert "mode=" not in text
    assert "--mount=type=secret,id=token,target=/cargo/credentials.toml \\\n" in text
    assert "ssh" not in text


def test_no_secret_is_left_in_our_own_files() -> None:
    for layer in ("base", "deps", "app"):
        text = (dockerfile_dir() / f"Dockerfile.{layer}").read_text()
        assert "--mount=type=secret" in text
        bare = edit.mounts(text, [], [], ssh=False)
        assert "--mount=type=s" not in bare
        there = ["ca", "proxy", "cargo-config", "cargo-credentials", "git", "sccache"]
        public = edit.mounts(text, [], there, ssh=False)
        assert public.count("source=control/") == text.count("--mount=type=secret")


def test_assets_stand_at_the_mark_or_at_the_end() -> None:
    image = Image(workdir="/srv", env={"A": 'x"$y'}, cmd=("serve",), expose=("80",))
    assets = [("_/static", "/srv/static", True), ("_/one.txt", "/one", False)]
    placed = 'WORKDIR "/srv"\nCOPY ["assets/_/static/", "/srv/static/"]\nCOPY ["assets/_/one.txt", "/one"]\n'
    marked = f"FROM x AS app\n{edit.MARK}{edit.BINARIES}"
    text = edit.app(marked, image, assets, ["other", "tool"], "tool")
    copies = 'COPY --from=build ["/layerdoit/out/other", "/usr/local/bin/"]\nCOPY --from=build ["/layerdoit/out/tool", '
    assert f"AS app\n{placed}{copies}" in text
    assert text.endswith('ENV A="x\\"\\$y"\nEXPOSE 80\nUSER app\nENTRYPOINT ["/usr/local/bin/tool"]\nCMD ["serve"]\n')
    own = edit.app("FROM x AS app\nCOPY --from=build /out/ /bin/\n", image, [], ["tool"], "tool")
    assert 'COPY --from=build /out/ /bin/\n\nWORKDIR "/srv"\n' in own
    assert "/layerdoit/out/tool" not in own


def test_a_script_may_start_the_program_and_a_signal_stop_it() -> None:
    text = edit.app("FROM x AS app\n", Image(stop_signal="SIGINT"), [], ["tool"], "/opt/start.sh")
    assert text.endswith('STOPSIGNAL SIGINT\nUSER app\nENTRYPOINT ["/opt/start.sh"]\nCMD []\n')
