"""Which tool makes the pages of a package.json, and the folder that it writes. Only reads.

made(root, package) -> Pages | None      # None where nothing here knows the tool
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from layerdoit.init.front_end_packages import NodePackage
from layerdoit.init.rust_files import text_of

_ENDINGS: Final = ("ts", "mts", "js", "mjs", "cjs", "cts")
_COMMENT: Final = re.compile(r"(?<![:\"'`\w])//[^\n]*|/\*.*?\*/", re.DOTALL)
_QUOTED: Final = r"[\"'`]([^\"'`$\n]+)[\"'`]"
_JOINED: Final = re.compile(
    r"(?:path\.)?(?:resolve|join)\(\s*(?:__dirname|import\.meta\.dirname|process\.cwd\(\)|dirname)\s*((?:,\s*"
    + _QUOTED.replace("(", "(?:")
    + r"\s*)+),?\s*\)"
)
_URL: Final = re.compile(r"(?:fileURLToPath\(\s*)?new\s+URL\(\s*" + _QUOTED)
_FLAG: Final = r"--{}(?:\s+|=)[\"']?([\w./@-]+)"


class Pages(NamedTuple):
    """`output`: relative to the package's folder; `where`: what says so; `command`: the script that makes it.

    `problem`: why no component makes these pages, with what to do; `also`: (path, address): what the tool's own server
    hands on to another one while somebody develops; `sure`: the output is no guess.
    """

    tool: str
    output: str
    where: str
    command: str = "build"
    problem: str = ""
    also: tuple[tuple[str, str], ...] = ()
    sure: bool = True


class _Config(NamedTuple):
    """A configuration file of a tool: its text without comments, in which every line has the number that it had."""

    file: str
    text: str

    def where(self, at: int) -> str:
        return f"{self.file}:{self.text.count(chr(10), 0, at) + 1}"


def made(root: Path, package: NodePackage) -> Pages | None:
    """By the framework first, because most of them have Vite or webpack below them."""
    for name, look in _TOOLS.items():
        if name in package.uses:
            return look(root, package)
    return None


def _config(root: Path, package: NodePackage, *stems: str) -> _Config | None:
    for stem in stems:
        for ending in _ENDINGS:
            file = package.inside(f"{stem}.{ending}")
            if (text := text_of(root / file)) is not None:
                plain = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)
                return _Config(file, plain)
    return None


def _option(config: _Config | None, name: str, start: int = 0) -> tuple[str | None, str, bool] | None:
    """The path that an option holds, with its place; (None, place, False) where it is not written down as one."""
    found = re.compile(rf"(?<![\w.]){name}\s*:\s*").search(config.text, start) if config else None
    if found is None or config is None:
        return None
    rest, where = config.text[found.end() : found.end() + 300], config.where(found.start())
    if quoted := re.match(_QUOTED, rest):
        return quoted[1], where, True
    if joined := _JOINED.match(rest):
        return posixpath.join(*re.findall(_QUOTED, joined[1])), where, True
    if url := _URL.match(rest):
        return url[1], where, True
    return None, where, False


def _flag(package: NodePackage, *names: str) -> tuple[str, str, bool] | None:
    """The path that an option of the command line holds."""
    for name in names:
        if found := re.search(_FLAG.format(name), package.commands):
            return found[1], package.where, True
    return None


def _output(
    tool: str, package: NodePackage, said: tuple[str | None, str, bool] | None, default: str, top: str = "."
) -> Pages:
    """What was said, or the tool's default. `top`: the folder that it is relative to."""
    path, where, sure = said or (None, package.where, True)
    return Pages(tool, posixpath.normpath(posixpath.join(top, path or default)), where, sure=sure)


# --- one tool each ----------------------------------------------------------------------------------------------------


def _vite(root: Path, package: NodePackage) -> Pages | None:
    config = _config(root, package, "vite.config")
    if re.search(r"(?<![\w.])lib\s*:\s*[{\w]", config.text if config else "") or not re.search(
        r"\bvite(?!st)\b", package.commands
    ):
        return None
    top = _option(config, "root")
    inside = top[0] if top and top[0] else "."
    found = _output("Vite", package, _flag(package, "outDir") or _option(config, "outDir"), "dist", inside)
    if top is not None and not top[2]:
        found = found._replace(sure=False)
    return found._replace(also=_handed_on(config))


def _handed_on(config: _Config | None) -> tuple[tuple[str, str], ...]:
    """`server.proxy` of Vite."""
    at = re.search(r"(?<![\w.])proxy\s*:\s*\{", config.text) if config else None
    if at is None or config is None:
        return ()
    block = config.text[at.end() : at.end() + 1200]
    pattern = re.compile(
        r"[\"'](/[\w./-]+)[\"']\s*:\s*(?:\{[^{}]*?\btarget\s*:\s*)?(?:[\w.]+\s*(?:\?\?|\|\|)\s*)?[\"'`](https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)"
        r":\d+)/?[\"'`]"
    )
    return tuple((found[1], found[2]) for found in pattern.finditer(block))


def _svelte_kit(root: Path, package: NodePackage) -> Pages:
    config = _config(root, package, "svelte.config", "vite.config")
    if config is None or "@sveltejs/adapter-static" not in package.uses:
        return _needs_node(package, "SvelteKit", "@sveltejs/adapter-static, in svelte.config.js")
    said = _option(config, "pages", config.text.find("adapter"))
    found = _output("SvelteKit", package, said, "build")
    return found._replace(also=_handed_on(_config(root, package, "vite.config")))


def _next(root: Path, package: NodePackage) -> Pages:
    config = _config(root, package, "next.config")
    if config is None or not re.search(r"(?<![\w.])output\s*:\s*[\"']export[\"']", config.text):
        return _needs_node(package, "Next.js", "`output: 'export'` in next.config")
    return _output("Next.js", package, _option(config, "distDir"), "out")


def _nuxt(_root: Path, package: NodePackage) -> Pages:
    script = next((name for name in ("build", "generate") if "generate" in package.scripts.get(name, "")), None)
    if script is None:
        return _needs_node(package, "Nuxt", "a script `generate` with `nuxt generate`")
    return Pages("Nuxt", ".output/public", package.where, script)


def _astro(root: Path, package: NodePackage) -> Pages:
    config = _config(root, package, "astro.config")
    if config and re.search(r"(?<![\w.])output\s*:\s*[\"'](server|hybrid)[\"']", config.text):
        return _needs_node(package, "Astro", "`output: 'static'` in astro.config")
    return _output("Astro", package, _flag(package, "outDir") or _option(config, "outDir"), "dist")


def _react_router(root: Path, package: NodePackage) -> Pages:
    config = _config(root, package, "react-router.config")
    if config is None or not re.search(r"(?<![\w.])ssr\s*:\s*false\b", config.text):
        return _needs_node(package, "React Router", "`ssr: false` in react-router.config")
    found = _output("React Router", package, _option(config, "buildDirectory"), "build")
    return found._replace(output=posixpath.join(found.output, "client"))


def _angular(root: Path, package: NodePackage) -> Pages | None:
    file = package.inside("angular.json")
    text = text_of(root / file)
    if text is None:
        return None
    try:
        projects = json.loads(text).get("projects", {})
        named = {name: one for name, one in projects.items() if one.get("projectType", "application") == "application"}
        name, project = next(iter(named.items()))
        build = project.get("architect", project.get("targets", {}))["build"]
        options, builder = build.get("options", {}), str(build.get("builder", ""))
    except (ValueError, AttributeError, KeyError, TypeError, StopIteration):
        return None
    said, inner = options.get("outputPath", f"dist/{name}"), "browser"
    if isinstance(said, dict):
        said, inner = said.get("base", f"dist/{name}"), said.get("browser", "browser")
    line = text.count("\n", 0, max(0, text.find('"outputPath"'))) + 1
    if builder.endswith(":application"):
        said = posixpath.join(str(said), str(inner))
    found = _output("Angular", package, (str(said), f"{file}:{line}", True), "dist")
    if options.get("ssr") or options.get("server"):
        return found._replace(problem=_needs_node(package, "Angular", "a build without `ssr`").problem)
    return found


def _react_scripts(_root: Path, package: NodePackage) -> Pages:
    named = re.search(r"\bBUILD_PATH=[\"']?([\w./-]+)", package.commands)
    said = (named[1], package.where, True) if named else None
    return _output("Create React App", package, said, "build")


def _vue_cli(root: Path, package: NodePackage) -> Pages:
    said = _flag(package, "dest") or _option(_config(root, package, "vue.config"), "outputDir")
    return _output("Vue CLI", package, said, "dist")


def _parcel(root: Path, package: NodePackage) -> Pages:
    text = text_of(root / package.inside("package.json")) or ""
    named = re.search(r'"distDir"\s*:\s*"([^"]+)"', text)
    said = (named[1], package.where, True) if named else None
    return _output("Parcel", package, _flag(package, "dist-dir") or said, "dist")


def _webpack(root: Path, package: NodePackage) -> Pages | None:
    if not re.search(r"\b(webpack|rspack)\b", package.commands):
        return None
    tool = "webpack" if "webpack" in package.uses else "Rspack"
    stems = ("webpack.config", "webpack.prod", "webpack.config.prod", "webpack.common", "rspack.config")
    config = _config(root, package, *stems)
    at = re.search(r"(?<![\w.])output\s*:\s*\{", config.text) if config else None
    if config is None or at is None:
        return _output(tool, package, _flag(package, "output-path"), "dist")
    return _output(tool, package, _flag(package, "output-path") or _option(config, "path", at.end()), "dist")


def _rsbuild(root: Path, package: NodePackage) -> Pages:
    config = _config(root, package, "rsbuild.config")
    at = config.text.find("distPath") if config else -1
    said = _option(config, "root", at) if at >= 0 else None
    return _output("Rsbuild", package, said, "dist")


def _of_custom(tool: str, output: str) -> Callable[[Path, NodePackage], Pages]:
    return lambda _root, package: Pages(tool, output, package.where)


def _needs_node(package: NodePackage, tool: str, static: str) -> Pages:
    """A page that a server in Node makes at each request."""
    what = (
        f"{tool} makes pages that need Node while they are served, which no image of ours has: with {static} it "
        f"exports files, and a component builds them; else keep its own image, beside ours, in a compose file"
    )
    return Pages(tool, "", package.where, problem=what)


_TOOLS: Final[Mapping[str, Callable[[Path, NodePackage], Pages | None]]] = {
    "@sveltejs/kit": _svelte_kit,
    "next": _next,
    "nuxt": _nuxt,
    "astro": _astro,
    "@react-router/dev": _react_router,
    "@angular/core": _angular,
    "react-scripts": _react_scripts,
    "@vue/cli-service": _vue_cli,
    "gatsby": _of_custom("Gatsby", "public"),
    "ember-cli": _of_custom("Ember", "dist"),
    "preact-cli": _of_custom("Preact", "build"),
    "@rsbuild/core": _rsbuild,
    "vite": _vite,
    "parcel": _parcel,
    "parcel-bundler": _parcel,
    "webpack": _webpack,
    "@rspack/cli": _webpack,
}
