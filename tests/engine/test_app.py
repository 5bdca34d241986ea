"""The app layer: what the image holds and says, what runs cargo and what does not, and how a build that fails ends."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from layerdoit import planner
from layerdoit.engine.images import PREFIX
from layerdoit.errors import BuildError

if TYPE_CHECKING:
    from tests.engine.conftest import Checkout

ASSETS = "image:\n  assets: {public: /srv/public}\n"


def layers(one: Checkout, tag: str) -> list[str]:
    """The digests of an image's file system layers, lowest first."""
    found = one.image(tag)["RootFS"]["Layers"]
    assert isinstance(found, list)
    return found


def test_the_image_is_what_the_configuration_says(checkout: Callable[..., Checkout]) -> None:
    settings = ASSETS + "  env: {GREETING: 'a \"b\" $c'}\n  labels: {org.example.team: books}\n  expose: [8080]\n"
    one = checkout(more=settings + "  workdir: /srv/public\n  cmd: [--quiet, two words]\n")
    one.write({"public/page.txt": "first"})
    step = one.build()["app"].step
    described = one.image(step.spec.tag)
    config = described["Config"]
    assert config["User"] == "app"
    assert config["Entrypoint"] == ["/usr/local/bin/app"]
    assert config["Cmd"] == ["--quiet", "two words"]
    assert config["WorkingDir"] == "/srv/public"
    assert 'GREETING=a "b" $c' in config["Env"]
    assert "8080/tcp" in config["ExposedPorts"]
    labels = config["Labels"]
    assert labels["org.example.team"] == "books"
    ours = {name.removeprefix(PREFIX): value for name, value in labels.items() if name.startswith(PREFIX)}
    project = one.project()
    keys = {each.spec.layer: each.spec.key for each in planner.plan_of(project).steps}
    assert ours["variant"] == project.variant
    assert ours["project"] == one.name
    assert ours["layer"] == "app"
    assert (ours["key"], ours["deps"], ours["runtime"]) == (keys["app"], keys["deps"], keys["runtime"])
    assert ours["parent"] == keys["deps"]
    assert json.loads(ours["inputs"])["asset public/page.txt"]
    assert ours["built"].endswith("Z")
    assert ours["mount"].startswith(f"layerdoit/{one.name}/")
    assert set(one.image()["RepoTags"]) >= {step.spec.tag, f"{one.name}:latest"}
    command = "id -u; cat page.txt; ls /usr/local/bin; id -un"
    out = subprocess.run(
        ["docker", "run", "--rm", "--network", "none", "--entrypoint", "sh", step.spec.tag, "-c", command],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert out == "10001\nfirstapp\napp\n"
    assert one.run(step.spec.tag) == one.promised()


def test_assets_and_configuration_never_run_cargo(checkout: Callable[..., Checkout]) -> None:
    one = checkout(more=ASSETS)
    one.write({"public/page.txt": "first", "public/deep/page.txt": "deep"})
    tags = [one.build()["app"].step.spec.tag]

    def rebuilt() -> bool:
        """Whether there is a new image, whose binaries are those of the first, and whose build executed nothing."""
        tags.append(one.build()["app"].step.spec.tag)
        log = one.logs("app")[-1].read_text()
        assert "Compiling" not in log
        assert "Finished" not in log
        assert one.said(tags[-1]) == one.promised()
        common = len(layers(one, f"{one.name}:{runtime}")) + 1
        assert layers(one, tags[-1])[:common] == layers(one, tags[0])[:common]
        return tags[-1] not in tags[:-1]

    runtime = next(tag for tag in one.tags() if ":runtime-" in tag).rsplit(":", 1)[1]
    one.write({"public/page.txt": "secnd"})
    assert rebuilt()
    assert "public/page.txt" in " ".join(json.loads(one.image(tags[-1])["Config"]["Labels"][PREFIX + "inputs"]))
    (one.root / "public/deep/page.txt").unlink()
    assert rebuilt()
    one.configure(ASSETS + "  env: {GREETING: hello}\n")
    assert rebuilt()
    one.configure(ASSETS + "  env: {GREETING: hello}\n  cmd: [serve]\n")
    assert rebuilt()
    # What no image holds makes no image either.
    one.configure(ASSETS + "  env: {GREETING: hello}\n  cmd: [serve]\ndeploy: {port: 8080}\n")
    one.write({"dodo.py": one.read("dodo.py") + "# a comment\n"})
    assert {outcome.step.action for outcome in one.build().values()} == {"reuse"}


def test_a_library_that_the_runtime_image_lacks_is_named(checkout: Callable[..., Checkout]) -> None:
    """libgomp comes with the C compiler, and so is in every builder and in no runtime image."""
    one = checkout()
    one.write({"lib/build.rs": 'fn main() { println!("cargo:rustc-link-lib=dylib=gomp"); }\n'})
    call = 'extern "C" { fn omp_get_max_threads() -> i32; }\n'
    call += "pub fn threads() -> i32 { unsafe { omp_get_max_threads() } }\n"
    one.write({"lib/src/lib.rs": one.read("lib/src/lib.rs") + call})
    one.replace("app/src/main.rs", 'println!("main={MAIN}")', 'println!("main={MAIN}{}", lib::threads())')
    with pytest.raises(BuildError) as raised:
        one.build()
    assert "app needs libgomp.so.1, which the runtime image lacks (package libgomp1)" in str(raised.value)
    assert "runtime_packages: [libgomp1]" in str(raised.value)
    assert not [tag for tag in one.tags() if ":app-" in tag or tag.endswith(":latest")]


def test_a_failing_smoke_test_makes_no_image(checkout: Callable[..., Checkout]) -> None:
    one = checkout(more="image:\n  smoke: ['', '--version']\n")
    check = 'if std::env::args().count() > 1 { eprintln!("no such option"); std::process::exit(3); }'
    one.replace("app/src/main.rs", "fn main() {", f"fn main() {{ {check}")
    with pytest.raises(BuildError) as raised:
        one.build()
    assert "the smoke test failed: app --version" in str(raised.value)
    assert "no such option" in str(raised.value)
    assert not [tag for tag in one.tags() if ":app-" in tag or tag.endswith(":latest")]
    one.configure("image:\n  smoke: ['']\n")
    assert one.said(one.build()["app"].step.spec.tag) == one.promised()


def test_a_compile_error_is_shown_in_full_and_leaves_what_there_was(checkout: Callable[..., Checkout]) -> None:
    """As in CI: no terminal, plain lines."""
    one = checkout()
    good = one.doit()
    assert good.returncode == 0, good.stderr
    assert "\r" not in good.stderr + good.stdout
    assert "\x1b" not in good.stderr + good.stdout
    assert "app: " in good.stderr
    before, tags = one.image()["Id"], one.tags()
    assert {path.name.rsplit("-", 1)[1] for path in (one.root / ".layerdoit/logs").iterdir()} == {
        "base.log",
        "runtime.log",
        "deps.log",
        "app.log",
    }
    assert "Compiling app v0.1.0" in one.logs("app")[-1].read_text()

    one.replace("lib/src/deep.rs", '"0000"', "12")
    bad = one.doit()
    assert bad.returncode not in (0, 130)
    for part in (
        "error[E0308]: mismatched types",
        "lib/src/deep.rs:1:",
        "pub const DEEP: &str = 12;",
        "expected `&str`, found integer",
        "could not compile `lib`",
        "the whole log: ",
    ):
        assert part in bad.stderr
    assert "Traceback" not in bad.stderr + bad.stdout
    assert (one.image()["Id"], one.tags()) == (before, tags)
    assert "error[E0308]" in one.logs("app")[-1].read_text()

    one.replace("lib/src/deep.rs", "12", '"0012"')
    assert one.doit().returncode == 0
    assert one.said(f"{one.name}:latest") == one.promised()
