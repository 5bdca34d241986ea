"""Front ends that npm and the like build: `init` proposes components, with where their pages go, and no second way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from layerdoit import config
from layerdoit.init import proposal, write
from layerdoit.init.found import Found
from tests.support import proposed as support
from tests.support.files import write as write_files
from tests.support.git import git
from tests.support.proposed import inside, project

SERVES = inside('axum::serve(l, Router::new().fallback_service(ServeDir::new("web/dist")));')
EMBEDS = '#[derive(RustEmbed)]\n#[folder = "web/dist"]\nstruct Page;\nfn main() {}\n'
LOCK = {"web/package-lock.json": "{}"}


def package(build: str = "vite build", *uses: str, **more: Any) -> str:
    """A package.json."""
    return json.dumps(
        {"name": "web", "scripts": {"build": build}, "devDependencies": dict.fromkeys(uses or ("vite",), "1")} | more,
        indent=1,
    )


def component(found: Found, name: str = "web") -> Mapping[str, object]:
    """The active settings of a component."""
    start = f"components.{name}."
    return {path.removeprefix(start): value for path, value in support.values(found, start).items()}


def shown(found: Found) -> str:
    return write.settings_text(proposal.propose(found))


def remarks(found: Found, *words: str) -> list[str]:
    """Those with all the words."""
    return [one for one in proposal.propose(found).remarks if all(word in one for word in words)]


NG = package("ng build", "@angular/core")
TOOLS: Mapping[str, tuple[Mapping[str, str], str]] = {
    "vite": ({"web/package.json": package()}, "dist"),
    "vite, outDir": ({"web/package.json": package(), "web/vite.config.ts": "x({ build: { outDir: 'made' } })"}, "made"),
    "vite, option": ({"web/package.json": package("tsc && vite build --outDir=made/x")}, "made/x"),
    "vite, root": (
        {"web/package.json": package(), "web/vite.config.js": "x({root: 'src', build: {outDir: '../out'}})"},
        "out",
    ),
    "vite, joined": (
        {"web/package.json": package(), "web/vite.config.js": "x({build: {outDir: resolve(__dirname, 'a', 'b')}})"},
        "a/b",
    ),
    "vite, URL": (
        {
            "web/package.json": package(),
            "web/vite.config.js": "x({build: {outDir: fileURLToPath(new URL('./made', import.meta.url))}})",
        },
        "made",
    ),
    "vite, commented": (
        {"web/package.json": package(), "web/vite.config.ts": "x({ build: { // outDir: 'made'\n } })"},
        "dist",
    ),
    "vite, by another script": (
        {"web/package.json": json.dumps({
            "scripts": {"build": 'run-p type-check "build-only {@}" --', "build-only": "vite build --outDir made",
                        "type-check": "vue-tsc"},
            "devDependencies": {"vite": "1"},
        })},
        "made",
    ),
    "CRA": ({"web/package.json": package("react-scripts build", "react-scripts")}, "build"),
    "CRA, BUILD_PATH": ({"web/package.json": package("BUILD_PATH=made react-scripts build", "react-scripts")}, "made"),
    "Next": (
        {"web/package.json": package("next build", "next"), "web/next.config.mjs": "x({ output: 'export' })"},
        "out",
    ),
    "Next, distDir": (
        {
            "web/package.json": package("next build", "next"),
            "web/next.config.js": "module.exports = { output: \"export\", distDir: 'dist' }",
        },
        "dist",
    ),
    "SvelteKit": (
        {
            "web/package.json": package("vite build", "@sveltejs/kit", "@sveltejs/adapter-static", "vite"),
            "web/svelte.config.js": "export default { kit: { adapter: adapter({ fallback: 'index.html' }) } }",
        },
        "build",
    ),
    "SvelteKit, pages": (
        {
            "web/package.json": package("vite build", "@sveltejs/kit", "@sveltejs/adapter-static", "vite"),
            "web/svelte.config.js": "export default { kit: { adapter: adapter({ pages: 'made' }) } }",
        },
        "made",
    ),
    "Astro": ({"web/package.json": package("astro build", "astro")}, "dist"),
    "Astro, outDir": (
        {"web/package.json": package("astro build", "astro"), "web/astro.config.mjs": "x({ outDir: './made' })"},
        "made",
    ),
    "Nuxt": ({"web/package.json": package("nuxt generate", "nuxt")}, ".output/public"),
    "React Router": (
        {
            "web/package.json": package("react-router build", "@react-router/dev", "vite"),
            "web/react-router.config.ts": "export default { ssr: false }",
        },
        "build/client",
    ),
    "Angular": (
        {"web/package.json": NG, "web/angular.json": json.dumps({"projects": {"shop": {
            "projectType": "application",
            "architect": {"build": {"builder": "@angular/build:application", "options": {}}},
        }}})},
        "dist/shop/browser",
    ),
    "Angular, before 17": (
        {"web/package.json": NG, "web/angular.json": json.dumps({"projects": {"shop": {
            "architect": {"build": {
                "builder": "@angular-devkit/build-angular:browser", "options": {"outputPath": "dist/x"},
            }},
        }}})},
        "dist/x",
    ),
    "Vue CLI": (
        {
            "web/package.json": package("vue-cli-service build", "@vue/cli-service"),
            "web/vue.config.js": "module.exports = { outputDir: 'made' }",
        },
        "made",
    ),
    "Parcel": ({"web/package.json": package("parcel build index.html --dist-dir made", "parcel")}, "made"),
    "webpack": (
        {
            "web/package.json": package("webpack --mode production", "webpack"),
            "web/webpack.config.js": "x({ output: { path: path.join(__dirname, 'public'), filename: 'x' } })",
        },
        "public",
    ),
    "Rsbuild": (
        {
            "web/package.json": package("rsbuild build", "@rsbuild/core"),
            "web/rsbuild.config.ts": "x({ output: { distPath: { root: 'made' } } })",
        },
        "made",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_tells_where_it_writes(tmp_path: Path, name: str) -> None:
    files, output = TOOLS[name]
    found = project(tmp_path, SERVES.replace("web/dist", f"web/{output}"), {**files, **LOCK})
    assert component(found) == {"path": "web", "output": output, "into": f"/srv/web/{output}"}
    (tmp_path / "layerdoit.yaml").write_text(shown(found))
    assert config.load(tmp_path, variables={}).components["web"].output == output


@pytest.mark.parametrize("made", [{}, {"web/dist/index.html": ""}])
def test_pages_that_a_crate_embeds_are_built_first(tmp_path: Path, made: dict[str, str]) -> None:
    page = {"web/package.json": package(), **LOCK, ".gitignore": "dist\n", **made}
    found = project(tmp_path, EMBEDS, page, needs=("rust-embed",))
    into = "/build/src/web/dist"
    assert component(found) == {"path": "web", "output": "dist", "embed": True, "into": into}
    assert support.values(found, "image", "sources") == {}, "never two ways at once"
    text = shown(found)
    assert "embed: true  # src/main.rs:2 compiles it in\n" in text
    assert f"into: {into}  # src/main.rs:1: rust-embed in a dev build reads it there\n" in text


@pytest.mark.parametrize(
    "code",
    [
        'static PAGE: Dir = include_dir!("$CARGO_MANIFEST_DIR/web/dist");\nfn main() {}\n',
        inside('include_str!("../web/dist/index.html")'),
    ],
)
def test_a_macro_that_embeds_at_all_times_needs_no_copy(tmp_path: Path, code: str) -> None:
    found = project(tmp_path, code, {"web/package.json": package(), **LOCK})
    assert component(found) == {"path": "web", "output": "dist", "embed": True}


@pytest.mark.parametrize(
    ("code", "into"),
    [
        ('Files::new("/", "./web/dist").index_file("index.html")', "/srv/web/dist"),
        ('rocket::build().mount("/", FileServer::from("web/dist"))', "/srv/web/dist"),
        ('warp::fs::dir("web/dist")', "/srv/web/dist"),
        ('let at = std::env::var("PAGES").unwrap_or("web/dist".into());', "/srv/web/dist"),
        ('ServeFile::new("web/dist/index.html")', "/srv/web/dist"),
        ('ServeDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/web/dist"))', "/build/src/web/dist"),
        ('ServeDir::new("static")', "/srv/static"),
    ],
)
def test_pages_go_where_the_program_looks_for_them(tmp_path: Path, code: str, into: str) -> None:
    found = project(tmp_path, inside(code), {"web/package.json": package(), **LOCK})
    assert component(found)["into"] == into
    assert not remarks(found, "which is not here")


def test_a_configuration_file_may_name_them(tmp_path: Path) -> None:
    files = {"web/package.json": package(), **LOCK, "config/default.toml": 'port = 1\npages = "web/dist"\n'}
    found = project(tmp_path, inside(""), files)
    assert component(found)["into"] == "/srv/web/dist"
    assert "# config/default.toml:2: configuration\n" in shown(found)


DOCKERFILE = """\
FROM node AS web
WORKDIR /w
COPY web .
RUN npm ci && npm run build
FROM rust AS build
RUN cargo build
FROM debian
WORKDIR /app
COPY --from=web /w/dist /app/pages
COPY --from=build /target/debug/shop /usr/bin/shop
CMD ["shop"]
"""


def test_a_dockerfile_s_place_is_taken_and_its_own_way_is_not_told(tmp_path: Path) -> None:
    files = {"web/package.json": package(), **LOCK, "Dockerfile": DOCKERFILE}
    found = project(tmp_path, inside('ServeDir::new("pages")'), files)
    assert component(found) == {"path": "web", "output": "dist", "into": "/app/pages"}
    assert "assets" not in shown(found)
    assert not remarks(found, "web/dist")
    assert not remarks(found, "pages")


def test_the_script_is_that_of_an_existing_dockerfile(tmp_path: Path) -> None:
    scripts = {"build": "vite build", "build:static": "STATIC=1 vite build", "lint": "x"}
    files = {"web/package.json": package(scripts=scripts), **LOCK}
    for run, build in (
        ("npm --prefix web ci && npm --prefix web run build:static", {"build": "npm run build:static"}),
        ("cd web && npm run lint && npm run build", {}),
        ("npm run build:static && npm run build", {}),
        ("yarn build:static", {"build": "npm run build:static"}),
    ):
        dockerfile = f"FROM rust\nRUN {run}\nRUN cargo build\n"
        found = project(tmp_path, SERVES, {**files, "Dockerfile": dockerfile})
        assert component(found) == {"path": "web", "output": "dist", "into": "/srv/web/dist", **build}, run


def test_without_a_component_a_dockerfile_s_way_is_still_told(tmp_path: Path) -> None:
    found = project(tmp_path, inside(""), {"web/package.json": package(), "Dockerfile": DOCKERFILE})
    assert component(found) == {}
    assert remarks(found, "make web/dist on this machine")
    assert remarks(found, "npm install --package-lock-only", "in web")
    assert "# components:\n" in shown(found)


@pytest.mark.parametrize(
    ("locks", "more", "expected"),
    [
        (("pnpm-lock.yaml",), {}, {"build": "pnpm run build"}),
        (("yarn.lock",), {}, {"build": "yarn run build"}),
        (
            ("package-lock.json", "yarn.lock"), {"packageManager": "yarn@4.1.0"},
            {"build": "yarn run build", "manager": "yarn"},
        ),
        (("package-lock.json", "pnpm-lock.yaml"), {}, {"manager": "npm"}),
    ],
)  # fmt: skip
def test_the_lock_file_tells_the_manager(
    tmp_path: Path, locks: tuple[str, ...], more: dict[str, str], expected: dict[str, str]
) -> None:
    files = {"web/package.json": package(**more), **{f"web/{name}": "" for name in locks}}
    got = component(project(tmp_path, SERVES, files))
    assert {name: got[name] for name in ("build", "manager") if name in got} == expected


SPACES: Mapping[str, tuple[Mapping[str, str], Mapping[str, object]]] = {
    "pnpm": (
        {
            "js/package.json": "{}",
            "js/pnpm-workspace.yaml": "packages:\n  # all\n  - 'apps/*'\n  - libs/ui\n\nother: 1\n",
            "js/pnpm-lock.yaml": "",
        },
        {"build": "pnpm --filter web... run build"},
    ),
    "npm": (
        {"js/package.json": json.dumps({"workspaces": ["apps/*", "libs/*"]}), "js/package-lock.json": "{}"},
        {},
    ),
    "yarn": (
        {"js/package.json": json.dumps({"workspaces": {"packages": ["apps/*"]}}), "js/yarn.lock": ""},
        {"build": "yarn run build"},
    ),
}


@pytest.mark.parametrize("name", SPACES)
def test_of_a_workspace_only_what_makes_pages_is_a_component(tmp_path: Path, name: str) -> None:
    files, expected = SPACES[name]
    library = {"js/libs/ui/package.json": package("tsc", "typescript", name="@shop/ui")}
    page = {"js/apps/web/package.json": package("vite build", "vite", "@shop/ui")}
    serves = SERVES.replace("web/dist", "js/apps/web/dist")
    found = project(tmp_path, serves, {**files, **library, **page})
    place = {"path": "js/apps/web", "output": "dist", "into": "/srv/js/apps/web/dist"}
    assert component(found) == {**expected, **place}
    assert [one.package.folder for one in found.front_ends] == ["js/apps/web"]


def test_names_of_components_differ(tmp_path: Path) -> None:
    files = {"shop/web/package.json": package(), "shop/web/yarn.lock": "", "web/package.json": package(), **LOCK}
    found = project(tmp_path, inside('ServeDir::new("web/dist"); ServeDir::new("shop/web/dist")'), files)
    assert component(found)["into"] == "/srv/web/dist"
    assert component(found, "shop-web")["into"] == "/srv/shop/web/dist"


NONE: Mapping[str, Mapping[str, str]] = {
    "no build script": {"web/package.json": json.dumps({"devDependencies": {"vite": "1"}}), **LOCK},
    "a library": {"web/package.json": package("tsc", "typescript"), **LOCK},
    "a library by Vite": {
        "web/package.json": package(),
        "web/vite.config.ts": "x({build: {lib: {entry: 'a'}}})",
        **LOCK,
    },
    "documentation": {"web/package.json": package("vitepress build", "vitepress", "vite"), **LOCK},
    "an editor's plugin": {"web/package.json": package("webpack", "webpack", engines={"vscode": "1"}), **LOCK},
    "a desktop program": {"web/package.json": package("vite build", "vite", "@tauri-apps/cli"), **LOCK},
    "an example": {"examples/web/package.json": package(), "examples/web/yarn.lock": ""},
    "a test's": {"tests/web/package.json": package(), "tests/web/yarn.lock": ""},
    "a package's own": {"web/node_modules/x/package.json": package(), "web/node_modules/x/yarn.lock": ""},
    "the website": {"website/package.json": package(), "website/yarn.lock": ""},
    "broken": {"web/package.json": '{"scripts": {"build": "vite build"', **LOCK},
    "another type": {"web/package.json": '["build"]', **LOCK},
    "odd types": {"web/package.json": '{"scripts": {"build": 1, "x": []}, "devDependencies": ["vite"]}', **LOCK},
}


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_front_end(tmp_path: Path, name: str) -> None:
    found = project(tmp_path, inside(""), NONE[name])
    assert found.front_ends == ()
    assert "components" not in shown(found)


def test_a_folder_like_documentation_s_counts_where_a_program_has_its_pages(tmp_path: Path) -> None:
    files = {"website/package.json": package(), "website/yarn.lock": ""}
    found = project(tmp_path, SERVES.replace("web/", "website/"), files)
    assert component(found, "website")["into"] == "/srv/website/dist"


def test_of_an_unknown_tool_what_uses_its_pages_tells_where_they_are(tmp_path: Path) -> None:
    files = {"web/package.json": package("node make.mjs", "esbuild"), **LOCK}
    found = project(tmp_path, inside('ServeDir::new("web/public")'), files)
    assert component(found) == {"path": "web", "output": "public", "into": "/srv/web/public"}
    found = project(tmp_path, inside('ServeDir::new("web/public")'), {**files, "web/public/index.html": ""})
    assert component(found) == {}, "it is a source: git lists what is in it"
    assert support.assets(found) == {"web/public": "/srv/web/public"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"web/package.json": package("next build", "next")}, ("Next.js", "output: 'export'")),
        ({"web/package.json": package("nuxt build", "nuxt")}, ("Nuxt", "nuxt generate")),
        ({"web/package.json": package("vite build", "@sveltejs/kit", "vite")}, ("SvelteKit", "adapter-static")),
        (
            {"web/package.json": package("astro build", "astro"), "web/astro.config.mjs": "x({output: 'server'})"},
            ("Astro", "static"),
        ),
    ],
)
def test_pages_that_need_node_are_told(tmp_path: Path, files: dict[str, str], words: tuple[str, ...]) -> None:
    found = project(tmp_path, inside(""), {**files, **LOCK})
    assert "components" not in shown(found)
    assert remarks(found, "need Node while they are served", *words)


def test_a_build_script_that_runs_npm_is_told(tmp_path: Path) -> None:
    script = 'fn main() {\n    std::process::Command::new("npm").current_dir("web").arg("ci");\n}\n'
    files = {"web/package.json": package(), **LOCK, "build.rs": script}
    found = project(tmp_path, EMBEDS, files, needs=("rust-embed",))
    assert component(found) == {}
    assert remarks(found, "build.rs:2 runs a package manager", "embed: true")
    other = {**files, "build.rs": '// "npm ci" in "web"\nfn main() {}\n'}
    assert component(project(tmp_path, EMBEDS, other, needs=("rust-embed",)))["embed"] is True


@pytest.mark.parametrize(
    ("scripts", "program"),
    [
        ({"build": "npm run wasm && vite build", "wasm": "wasm-pack build ../core"}, "wasm-pack"),
        ({"build": "cargo build && vite build"}, "cargo"),
        ({"build": "vite build --outDir dist", "docs": "cargo doc"}, ""),
        ({"build": "vite build --mode cargo"}, ""),
    ],
)
def test_a_script_that_needs_rust_is_told(tmp_path: Path, scripts: dict[str, str], program: str) -> None:
    found = project(tmp_path, SERVES, {"web/package.json": package(scripts=scripts), **LOCK})
    assert (component(found) == {}) is bool(program)
    assert bool(remarks(found, f"runs {program}, and the image of a component has no Rust")) is bool(program)


def test_pages_that_somebody_copies_into_a_crate_are_told(tmp_path: Path) -> None:
    code = EMBEDS.replace("web/dist", "static")
    found = project(
        tmp_path, code, {"web/package.json": package(), **LOCK, "static/.gitkeep": ""}, needs=("rust-embed",)
    )
    assert component(found) == {}
    assert remarks(found, "src/main.rs:2 compiles in static", "writes to web/dist")


def test_pages_outside_of_their_folder_are_told(tmp_path: Path) -> None:
    files = {"web/package.json": package(), **LOCK, "web/vite.config.ts": "x({build: {outDir: '../static'}})"}
    found = project(tmp_path, inside('ServeDir::new("static")'), files)
    assert component(found) == {}
    assert remarks(found, "web/vite.config.ts:1", "writes to static, outside of web")


def test_pages_beside_the_project_are_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    for name in ("web", "scripts"):
        write_files(tmp_path / name, {"package.json": package(), "yarn.lock": ""})
    found = project(tmp_path / "server", EMBEDS.replace("web/", "../web/"), needs=("rust-embed",))
    assert "components" not in shown(found)
    (told,) = remarks(found, "beside this project")
    assert told.startswith("../web/package.json:4: Vite")
    assert 'members = ["server"]' in told
    assert "cd ../web && yarn run build" in told
    alone = project(tmp_path.parent / "elsewhere/server", inside(""))
    assert not remarks(alone, "beside this project")


def test_what_init_wrote_is_not_proposed_again(tmp_path: Path) -> None:
    from layerdoit.front.verbs.init import _missing

    found = project(tmp_path, SERVES, {"web/package.json": package(), **LOCK})
    (tmp_path / "layerdoit.yaml").write_text("components: {pages: {path: web, embed: true}}\n")
    assert [item.path for item in _missing(found, proposal.propose(found)).active] == []
    (tmp_path / "layerdoit.yaml").write_text("components: {pages: {path: other, embed: true}}\n")
    missing = [item.path for item in _missing(found, proposal.propose(found)).active]
    assert missing == ["components.web.path", "components.web.output", "components.web.into"]
