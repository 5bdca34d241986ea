"""Components in images: copied in or embedded; beside the Rust layers; what runs after which edit; ended runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from layerdoit.core.errors import BuildError
from layerdoit.flows.ensure import ensure
from tests.engine.test_interrupt import left
from tests.support.checkout import Checkout

New = Callable[..., Checkout]
COPIES = "mkdir -p dist && cp style.css dist/style.css"
TOML = '[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n'
FILES = {
    "Cargo.toml": '[workspace]\nmembers = ["api", "worker"]\nresolver = "2"\n\n[profile.dev]\ndebug = 0\n',
    "Cargo.lock": 'version = 4\n\n[[package]]\nname = "api"\nversion = "0.1.0"\n\n[[package]]\nname = "worker"\n'
    'version = "0.1.0"\n',
    "api/Cargo.toml": TOML.format(name="api"),
    "api/src/main.rs": 'fn main() { print!("{}", std::fs::read_to_string("/srv/web/style.css").unwrap()); }\n',
    "worker/Cargo.toml": TOML.format(name="worker"),
    "worker/src/main.rs": 'fn main() { println!("works"); }\n',
    "web/style.css": "one\n",
    "dodo.py": "from layerdoit import task_layerdoit\n",
    ".gitignore": "node_modules\ndist\n/target\n.doit.db*\n__pycache__/\n",
}
EMBEDS = 'fn main() { print!("{}", include_str!("../../web/dist/style.css")); }\n'


def package(build: str) -> dict[str, str]:
    manifest = {"name": "web", "private": True, "scripts": {"build": build}}
    lock = {"name": "web", "lockfileVersion": 3, "packages": {"": {"name": "web"}}}
    return {"web/package.json": json.dumps(manifest), "web/package-lock.json": json.dumps(lock)}


@pytest.fixture
def page(checkout: New) -> New:
    """`page(component, more)`: a checkout with a component and one binary, or services."""

    def new(component: str = "into: /srv/web", more: str = "bins: [api]\n", build: str = COPIES) -> Checkout:
        one = checkout({**FILES, **package(build)}, f"components:\n  web: {{{component}}}\n{more}")
        one.git("init", "-q")
        return one

    return new


def counts(one: Checkout) -> dict[str, int]:
    """How often each layer was built."""
    return {layer: len(one.logs(layer)) for layer in ("web.base", "web.deps", "web.output", "deps", "app")}


def test_what_an_edit_runs(page: New) -> None:
    one = page()
    one.build()
    assert one.run(f"{one.name}:latest") == "one\n"
    assert counts(one) == {"web.base": 1, "web.deps": 1, "web.output": 1, "deps": 1, "app": 1}

    one.write({"web/style.css": "two\n"})
    done = one.build()
    assert one.run(f"{one.name}:latest") == "two\n"
    assert done["app"].how == "assembled"
    assert done["app"].step.why == "component web changed"
    assert counts(one) == {"web.base": 1, "web.deps": 1, "web.output": 2, "deps": 1, "app": 2}

    one.replace("api/src/main.rs", "print!", "eprintln!(); print!")
    assert one.build()["app"].counts["compiled"] == 1
    assert counts(one) == {"web.base": 1, "web.deps": 1, "web.output": 2, "deps": 1, "app": 3}
    assert one.run(f"{one.name}:latest") == "two\n"

    # Both images are there, so nobody looks for their outputs.
    shutil.rmtree(one.root / ".layerdoit/components")
    assert {outcome.step.action for outcome in one.build().values()} == {"reuse"}
    one.write({"web/style.css": "one\n"})
    one.replace("api/src/main.rs", "eprintln!(); print!", "print!")
    assert {outcome.step.action for outcome in one.build().values()} == {"reuse"}
    assert counts(one)["web.output"] == 2


def test_an_embedded_output_is_built_first_and_a_folder_here_is_not_taken_for_it(page: New) -> None:
    one = page("embed: true")
    one.write({"api/src/main.rs": EMBEDS, "web/dist/style.css": "stale\n"})
    one.build()
    assert one.run(f"{one.name}:latest") == "one\n"
    one.write({"web/style.css": "two\n", "web/dist/style.css": "staler\n"})
    assert one.build()["app"].counts["compiled"] == 1
    assert one.run(f"{one.name}:latest") == "two\n"
    # What no compiler reads is known of embedded files too.
    one.write({"README.md": "x\n"})
    assert {outcome.step.action for outcome in one.build().values()} == {"reuse"}


def test_a_check_has_what_crates_embed(page: New) -> None:
    one = page("embed: true")
    one.write({"api/src/main.rs": EMBEDS})
    done = one.doit("check")
    assert done.returncode == 0, done.stderr
    assert (one.root / ".layerdoit/components/web/output/style.css").read_text() == "one\n"


def test_a_crate_that_reads_the_component_s_sources_is_told_of_the_setting(page: New) -> None:
    one = page()
    one.write({"api/src/main.rs": EMBEDS.replace("dist/", "")})
    with pytest.raises(BuildError) as caught:
        one.build()
    assert "web/style.css is not sent to builds: it is of the component web" in caught.value.what
    assert "sources: {include: [web/style.css]}" in str(caught.value.hint)
    one.configure("components:\n  web: {into: /srv/web}\nbins: [api]\nsources: {include: [web/style.css]}\n")
    one.build()
    assert one.run(f"{one.name}:latest") == "one\n"


SERVICES = "services:\n  api: {bins: [api]}\n  worker: {bins: [worker]}\n"


def test_a_component_that_fails_stops_what_has_it_and_nothing_else(page: New) -> None:
    one = page("into: /srv/web, services: [api]", SERVICES, "exit 3")
    with pytest.raises(BuildError, match="`npm run build` failed"):
        ensure(one.session(), "app")
    one.forget_sessions()
    assert one.image(f"{one.name}-worker:latest") is not None
    assert one.image(f"{one.name}-api:latest") is None

    one.write(package(COPIES))
    ensure(one.session(), "app")
    assert one.run(f"{one.name}-api:latest") == "one\n"


def test_a_rust_error_leaves_the_output_of_the_component(page: New) -> None:
    one = page()
    one.write({"api/src/main.rs": "fn main() { nonsense }\n"})
    with pytest.raises(BuildError):
        one.build()
    assert (one.root / ".layerdoit/components/web/output/style.css").read_text() == "one\n"


def test_it_is_built_beside_base_and_deps(page: New) -> None:
    one = page()
    run = one.start("image")
    one.until(lambda: one.logs("web.base") or run.poll() is not None, 60, "the component")
    assert one.logs("deps") == [], "it begins before the dependencies do"
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    assert "web     build web/dist" in out


def test_the_plan_tells_of_what_an_image_waits_for(page: New) -> None:
    one = page()
    one.build()
    assert "web" not in one.doit("layers", "plan").stdout.replace(f"{one.name}-web", "")
    one.write({"web/style.css": "two\n"})
    said = one.doit("layers", "plan").stdout
    assert "web   build  web/dist\n      1 file changed: web/style.css\n" in said
    told = json.loads(one.doit("layers", "plan", "--json").stdout)["components"]["web"]["layers"]
    assert [layer["action"] for layer in told] == ["reuse", "reuse", "build"]
    assert told[2]["folder"].startswith(str(one.root / ".layerdoit/components/web/output-"))


def test_cache_levels_clear_its_images_as_they_clear_rust_s(page: New) -> None:
    one = page()
    one.build()

    def layers() -> list[str]:
        found = [tag.partition(":")[2] for tag in one.tags() if tag.startswith(f"{one.name}-web:")]
        return sorted(tag.partition("-")[0] for tag in found)

    assert one.doit("cache_gc", "--stale", "--yes").returncode == 0
    assert one.doit("cache_clear:medium", "--yes").returncode == 0
    assert layers() == ["base", "deps"]
    assert one.doit("cache_clear:hard", "--yes").returncode == 0
    assert layers() == ["base"]
    assert one.doit("cache_clear:nuke", "--yes").returncode == 0
    assert layers() == []
    # All of it comes back; the output has been there all the time.
    one.write({"web/style.css": "two\n"})
    one.build()
    assert one.run(f"{one.name}:latest") == "two\n"


# --- ended runs ------------------------------------------------------------------------------------------------------

LASTS = "echo begun; sleep 600"


def begun(one: Checkout, run: subprocess.Popen[str]) -> None:
    """Wait until the component's build stands."""

    def there() -> bool:
        found = one.logs("web.output")
        return run.poll() is not None or (bool(found) and "\nbegun" in found[-1].read_text())

    one.until(there, 120, "the component's build")
    assert run.poll() is None, run.communicate()


def test_an_interrupt_ends_the_component_s_build_too(page: New) -> None:
    one = page(build=LASTS)
    run = one.start("image")
    begun(one, run)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert "Traceback" not in err
    one.until(lambda: not left(one), 20, "the end of all children")
    assert not list((one.root / ".layerdoit/components/web").glob("output-*"))


def test_what_a_killed_run_leaves_is_ended_by_the_next_and_the_old_output_stays(page: New) -> None:
    one = page()
    one.build()
    one.write(package(LASTS))
    run = one.start("image")
    begun(one, run)
    run.kill()
    run.communicate()
    kept = one.root / ".layerdoit/components/web/output/style.css"
    assert kept.read_text() == "one\n"
    orphans = left(one)
    assert orphans
    one.write(package(f"{COPIES}; true"))
    again = one.doit("image")
    assert again.returncode == 0, again.stderr
    one.until(lambda: not [pid for pid in orphans if Path(f"/proc/{pid}").exists()], 20, "the end of the orphans")
    assert sorted(path.name[:7] for path in kept.parent.parent.iterdir()) == ["made.js", "output", "output-", "output-"]
    assert os.readlink(kept.parent) in {path.name for path in kept.parent.parent.iterdir()}
