"""The finished image: what is in it, what it says of itself, what makes it anew, and what keeps it from being made."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from layerdoit.core.errors import BuildError
from layerdoit.engine.images import PREFIX
from tests.support.checkout import Checkout

if TYPE_CHECKING:
    from layerdoit.layers.outcome import Outcome
MANIFEST = """\
[package]
name = "image-probe"
version = "0.1.0"
edition = "2021"

[profile.dev]
debug = 0
"""
LOCK = 'version = 4\n\n[[package]]\nname = "image-probe"\nversion = "0.1.0"\n'
# Tells what it finds around itself, as JSON where it has to be told apart.
PROBE = """\
use std::os::unix::fs::MetadataExt;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|word| word == "--fail") {
        eprintln!("the probe was told to fail");
        std::process::exit(3);
    }
    let mut binaries: Vec<String> = std::fs::read_dir("/usr/local/bin")
        .map(|found| found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    binaries.sort();
    println!("binaries={}", binaries.join(","));
    println!("arguments={}", arguments.join("|"));
    println!("user={}", std::fs::metadata("/proc/self").unwrap().uid());
    println!("folder={}", std::env::current_dir().unwrap().display());
    println!("greeting={}", std::env::var("GREETING").unwrap_or_default());
    println!("page={}", std::fs::read_to_string("/srv/web/page.html").unwrap_or_default());
    println!("debug={}", cfg!(debug_assertions));
    println!("value={}", VALUE);
}

const VALUE: u32 = 1;
"""
FILES: Mapping[str, str] = {
    "Cargo.toml": MANIFEST,
    "Cargo.lock": LOCK,
    "src/main.rs": PROBE,
    "src/bin/other_tool.rs": 'fn main() { println!("the other tool"); }\n',
    "web/page.html": "first page",
    "web/old.css": "",
    "dodo.py": "from layerdoit import task_layerdoit\n",
}
GREETING = "a \"quoted\" $HOME 'word' \\\\ and more"
SETTINGS = """\
image:
  entrypoint: image-probe
  cmd: [serve, two words]
  env: {GREETING: first}
  labels: {org.example.note: 'with "quotes" and $dollars'}
  workdir: /srv/work
  expose: [8080, 9090/udp]
  assets: {web: /srv/web}
"""


def built(one: Checkout, **variables: str) -> dict[str, Outcome]:
    """Build all layers. The logs of earlier builds go first: two builds of one second share a file."""
    shutil.rmtree(one.root / ".layerdoit/logs", ignore_errors=True)
    return one.build(**variables)


def said(one: Checkout, tag: str, *words: str) -> dict[str, str]:
    """What the probe says in a container of an image."""
    return dict(line.split("=", 1) for line in one.run(tag, *words).splitlines())


def config(one: Checkout, tag: str = "latest") -> Any:
    """The image's own configuration."""
    return one.image(tag)["Config"]


def own_layers(one: Checkout, outcomes: Mapping[str, Outcome]) -> list[str]:
    """The layers on the runtime image: assets, then the binaries."""
    layers = one.image(outcomes["app"].step.spec.tag)["RootFS"]["Layers"]
    below = one.image(outcomes["runtime"].step.spec.tag)["RootFS"]["Layers"]
    assert layers[: len(below)] == below
    return list(layers[len(below) :])


def test_the_image_is_what_the_configuration_says(checkout: Callable[..., Checkout]) -> None:
    one = checkout(FILES, SETTINGS)
    outcomes = built(one)
    assert said(one, f"{one.name}:latest") == {
        "binaries": "image-probe,other_tool",
        "arguments": "serve|two words",
        "user": "10001",
        "folder": "/srv/work",
        "greeting": "first",
        "page": "first page",
        "debug": "true",
        "value": "1",
    }
    assert said(one, f"{one.name}:latest", "more")["arguments"] == "more"
    found = config(one)
    assert found["Entrypoint"] == ["/usr/local/bin/image-probe"]
    assert found["User"] == "app"
    assert set(found["ExposedPorts"]) == {"8080/tcp", "9090/udp"}
    assert found["Labels"]["org.example.note"] == 'with "quotes" and $dollars'

    one.configure("image: {entrypoint: other_tool}\n")
    built(one)
    assert one.run(f"{one.name}:latest") == "the other tool\n"
    one.configure("bins: [other_tool]\n")
    built(one)
    assert config(one)["Entrypoint"] == ["/usr/local/bin/other_tool"]
    assert one.run(f"{one.name}:latest") == "the other tool\n"
    assert list_binaries(one) == ["other_tool"]

    keys = {layer: outcome.step.spec.key for layer, outcome in outcomes.items()}
    parents = {"deps": keys["base"], "app": keys["deps"]}
    assert set(outcomes) == {"base", "runtime", "deps", "app"}
    for layer, outcome in outcomes.items():
        labels = config(one, outcome.step.spec.tag)["Labels"]
        ours = {name.removeprefix(PREFIX): text for name, text in labels.items() if name.startswith(PREFIX)}
        assert ours.keys() >= {"project", "layer", "key", "inputs", "parent", "variant", "built"}
        assert all(ours[name] for name in ("parent", "built"))
        assert (ours["project"], ours["layer"], ours["variant"]) == (one.name, layer, "dev/host")
        assert ours["key"] == keys[layer]
        assert ours["parent"] == parents.get(layer, ours["parent"])
        assert json.loads(ours["inputs"]) == dict(outcome.step.spec.label_inputs) or layer == "app"
        assert json.loads(ours["inputs"])


def list_binaries(one: Checkout) -> list[str]:
    """The names in /usr/local/bin of the image."""
    tag = f"{one.name}:latest"
    command = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "/bin/ls", tag, "/usr/local/bin"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_assets_and_configuration_never_run_cargo(checkout: Callable[..., Checkout]) -> None:
    one = checkout(FILES, SETTINGS)
    first = built(one)
    tags = {first["app"].step.spec.tag}

    def edited(what: str) -> dict[str, str]:
        outcomes = built(one)
        tag = outcomes["app"].step.spec.tag
        assert outcomes["app"].step.action == "build", what
        assert tag not in tags, what
        tags.add(tag)
        (log,) = one.logs("app")
        text = log.read_text()
        steps = [line for line in text.splitlines() if line.startswith("# cached: [build ")]
        assert any("control/build.sh" in line for line in steps), text
        assert "Compiling" not in text, what
        assert "compiled" not in outcomes["app"].counts, what
        assert one.image()["Id"] == one.image(tag)["Id"], what
        return said(one, tag)

    one.write({"web/page.html": "second page"})
    assert edited("an asset")["page"] == "second page"
    (one.root / "web/old.css").unlink()
    one.write({"web/new.css": "", "web/inside/deep.css": ""})
    edited("assets deleted and added")
    layers = own_layers(one, built(one))
    one.configure(SETTINGS.replace("GREETING: first", f"GREETING: {json.dumps(GREETING)}"))
    assert edited("the environment")["greeting"] == GREETING
    assert own_layers(one, built(one)) == layers
    one.configure(SETTINGS.replace("serve, two words", "other").replace("/srv/work", "/srv/else"))
    assert edited("command and folder")["folder"] == "/srv/else"
    one.write({"dodo.py": "from layerdoit import task_layerdoit\n\n"})
    assert built(one)["app"].step.action == "reuse"
    # A link is what it leads to.
    (one.root / "site").symlink_to("web")
    one.configure(SETTINGS.replace("{web: /srv/web}", "{site: /srv/web}"))
    assert said(one, built(one)["app"].step.spec.tag)["page"] == "second page"


def test_an_edit_makes_one_layer_new(checkout: Callable[..., Checkout]) -> None:
    """What is pushed after an edit: the binary that changed before too is on top, and no other layer is new."""
    one = checkout(FILES, SETTINGS)
    built(one)

    def edited(path: str, old: str, new: str) -> list[str]:
        one.replace(path, old, new)
        return own_layers(one, built(one))

    other = "src/bin/other_tool.rs"
    edited("src/main.rs", "VALUE: u32 = 1", "VALUE: u32 = 2")
    first = edited("src/main.rs", "VALUE: u32 = 2", "VALUE: u32 = 3")
    second = edited("src/main.rs", "VALUE: u32 = 3", "VALUE: u32 = 4")
    assert first[:-1] == second[:-1]
    assert first[-1] != second[-1]
    edited(other, "the other", "another")
    assert one.run(f"{one.name}:latest", "x").count("value=4\n") == 1
    third = edited(other, "another", "one more")
    fourth = edited(other, "one more", "the last")
    assert third[:-1] == fourth[:-1]
    assert third[-1] != fourth[-1]
    one.configure("image: {entrypoint: other_tool}\n")
    built(one)
    assert one.run(f"{one.name}:latest") == "the last tool\n"


def test_profiles_keep_apart(checkout: Callable[..., Checkout]) -> None:
    one = checkout(FILES)
    tags = []
    for profile, debug in (("dev", "true"), ("release", "false"), ("dev", "true")):
        outcomes = built(one, PROFILE=profile)
        tags.append(outcomes["app"].step.spec.tag)
        assert f"debug={debug}\n" in one.said(tags[-1], "image-probe")
        assert one.image()["Id"] == one.image(tags[-1])["Id"]
    assert tags[0] == tags[2] != tags[1]
    one.replace("src/main.rs", "VALUE: u32 = 1", "VALUE: u32 = 2")
    for profile, debug in (("release", "false"), ("dev", "true")):
        tag = built(one, PROFILE=profile)["app"].step.spec.tag
        assert f"debug={debug}\nvalue=2\n" in one.said(tag, "image-probe")


EXPAT: Mapping[str, str] = {
    "build.rs": 'fn main() { println!("cargo:rustc-link-lib=expat"); }\n',
    "src/main.rs": """\
use std::ffi::{c_char, CStr};

extern "C" {
    fn XML_ExpatVersion() -> *const c_char;
}

fn main() {
    println!("{}", unsafe { CStr::from_ptr(XML_ExpatVersion()) }.to_str().unwrap());
}
""",
}


def test_a_library_that_the_runtime_image_lacks_is_named(checkout: Callable[..., Checkout]) -> None:
    one = checkout({**FILES, **EXPAT}, "base: {packages: [libexpat1-dev]}\n")
    with pytest.raises(BuildError) as raised:
        built(one)
    text = str(raised.value)
    assert "image-probe needs libexpat.so.1" in text
    assert "package libexpat1)" in text
    assert "other_tool" not in text
    assert "next: add to layerdoit.yaml: base: {runtime_packages: [libexpat1]}" in text
    assert {tag.partition(":")[2].partition("-")[0] for tag in one.tags()} == {"base", "runtime", "deps"}
    one.configure("base: {packages: [libexpat1-dev], runtime_packages: [libexpat1]}\n")
    assert built(one)["deps"].step.action == "reuse"
    assert one.run(f"{one.name}:latest").startswith("expat_2.")


def test_what_fails_leaves_the_image_and_says_why(checkout: Callable[..., Checkout]) -> None:
    one = checkout(FILES)
    done = one.doit()
    assert done.returncode == 0, done.stderr
    before, tags = one.image()["Id"], one.tags()

    def failed() -> str:
        done = one.doit()
        assert done.returncode == 1
        assert "\x1b" not in done.stdout + done.stderr
        assert "\r" not in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert one.image()["Id"] == before
        assert one.tags() == tags
        return done.stderr

    one.replace("src/main.rs", "VALUE: u32 = 1", 'VALUE: u32 = "text"')
    text = failed()
    assert "error[E0308]: mismatched types" in text
    assert "--> src/main.rs:23:20" in text
    assert '23 | const VALUE: u32 = "text";' in text
    assert "expected `u32`, found `&str`" in text
    log = one.logs("app")[-1]
    assert str(log) in text
    logged = log.read_text()
    assert "error[E0308]: mismatched types" in logged
    assert "\x1b" not in logged

    one.replace("src/main.rs", 'VALUE: u32 = "text"', "VALUE: u32 = 2")
    one.configure("image: {smoke: [--ok, --fail now]}\n")
    text = failed()
    assert "image-probe --fail now" in text
    assert "the probe was told to fail" in text

    one.configure("image: {smoke: [--ok, --fine now]}\n")
    done = one.doit()
    assert done.returncode == 0, done.stderr
    assert one.image()["Id"] != before
    assert "value=2\n" in one.said(f"{one.name}:latest", "image-probe")
    assert "\x1b" not in done.stdout + done.stderr


WRITES = """\
fn main() {
    for place in std::env::args().skip(1) {
        match std::fs::write(format!("{place}/x"), "") {
            Ok(()) => println!("{place}: written"),
            Err(error) => println!("{place}: {error}"),
        }
    }
}
"""


def test_the_user_may_write_where_the_service_works_and_keeps_its_data(
    checkout: Callable[..., Checkout], docker_engine: Any
) -> None:
    one = checkout(
        {"Cargo.toml": MANIFEST, "Cargo.lock": LOCK, "src/main.rs": WRITES},
        "image: {workdir: /opt/own/place}\ndeploy: {volumes: [kept:/var/lib/kept, './host:/host']}\n",
    )
    one.build()
    volume = docker_engine.volumes.create(one.name)
    try:
        command = ["docker", "run", "--rm", "--network", "none", "--volume", f"{one.name}:/var/lib/kept"]
        places = (".", "/var/lib/kept", "/var/lib", "/host")
        done = subprocess.run([*command, f"{one.name}:latest", *places], capture_output=True, text=True, check=True)
        said = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    finally:
        volume.remove()
    assert (said["."], said["/var/lib/kept"]) == ("written", "written")
    assert "Permission denied" in said["/var/lib"]
    assert "No such file" in said["/host"], "what is mounted from a path may be a file: nothing is made there"
