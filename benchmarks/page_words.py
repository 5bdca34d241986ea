"""The words of docs/benchmarks.md: its beginning, and the titles of its tables."""

from __future__ import annotations

from typing import Final

TITLES: Final = {
    "run": "{project}, {profile}",
    "watch": "From a saved file to the new program's answer: {project}, {profile}",
    "edit": "What an edit costs beyond cargo: {project}, {profile}",
    "noop": "Nothing to do",
    "swap": "Replacing a container: {project}, {profile}",
    "deploys": "Deployments beside the platforms' own commands",
    "builders": "A builder that is not the engine's own, on the same machine: {project}, {profile}",
    "platforms": "An image of arm64 made on amd64: {project}, {profile}",
    "publishing": "Publishing {project}, {profile}, to a registry on the loopback address",
    "services": "Several services, and a front end beside them: examples/shop",
    "family": "Nothing twice on one machine: units taken from other projects, dev; a bump",
    "sharing": "A second machine that shares a registry: {project}, {profile}",
}
PROSE: Final = """\
<!-- written by `python -m benchmarks.report` from benchmarks/results/*.json; edit the source, not this page -->
# Benchmarks

Every table comes from one run on one engine, with the peers side by side: after each edit all of them build the same
tree, in an order that rotates. All start from the same builder and runtime images, and are called with the same
packages, profile and features.

| peer | is |
|---|---|
| plain | a Dockerfile: `COPY . .`, `cargo build` |
| mount | the same with cache mounts for cargo's registry and for `target` |
| chef | cargo-chef: `prepare`, `cook`, `build`; the tool is already in the image it starts from, and is not counted |
| layerdoit | `doit image` |
| native | `cargo build` on the host, with its own target folder and crates already fetched: no image, for comparison |

Cells are **seconds / crates compiled**: the median (least-most, number of builds), and the number of cargo's
`Compiling` lines. *Cold* means that only the base images are there: every run has names, layers and mounts of its own.
Edits accumulate until the last row returns to the first state, as a branch switch does. Each edit carries a mark, which
is looked up in the binaries of each image after each build. A build whose binaries contain an older state is **STALE**,
and never the best peer. Budgets: every row at most the best of the three Dockerfiles plus 5 %; an edit at most cargo on
the host plus 0.6 s; going back at most 0.5 s, without a build.

Measure your own project with [`doit layers bench`](bench.md), which also wrote the results for the example. The last
tables are from `python -m benchmarks.watch`, `benchmarks.edit`, `benchmarks.noop`, `benchmarks.swap`,
`benchmarks.deploys`, `benchmarks.services`, `benchmarks.platforms`, `benchmarks.sharing`, `benchmarks.family`,
`benchmarks.publishing` and `benchmarks.builders`.

`watch` changes a text in an HTTP answer, on a copy of the project for each way, and asks every 2 ms until the new text
comes. All but `cargo build` and `doit cycle_fast` run all the time and notice the save themselves. A request is lost
that has no whole answer within 5 s.

`edit` compares an edit with the least that an image costs if buildx makes it: cargo on the host, then a Dockerfile that
is `FROM` and one COPY of the binaries. The binaries in such an image depend on the host's libc and libraries, so it is
no peer.
"""
NONE_YET: Final = "\nNo results are kept yet.\n"
