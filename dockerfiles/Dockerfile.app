# The app layer: the workspace's own crates, compiled in a private target folder that starts as a copy-on-write view of the
# compiled dependencies; then binaries and assets on the runtime image.
# SEED is the first deps image of a chain: it stays the mount's parent, so that a dependency bump keeps the workspace's artefacts.
ARG DEPS
ARG SEED
ARG RUNTIME
FROM ${SEED} AS seed
FROM ${DEPS} AS deps
FROM ${RUNTIME} AS runtime

FROM deps AS build
ARG MOUNT
ARG WORKDIR
ARG CARGO_ARGS
ARG SEED
ARG DEPS_KEY
ARG TREE
ARG BINS
ARG ENTRYPOINT
RUN --network=none \
    --mount=type=bind,source=src,target=/ctx \
    --mount=type=bind,source=control,target=/control \
    --mount=type=bind,from=deps,source=/build/target,target=/deps-target \
    --mount=type=bind,from=runtime,target=/runtime \
    --mount=type=cache,id=${MOUNT},from=seed,source=/build,target=/build,sharing=locked \
    --mount=type=secret,id=cargo-config,target=/cargo/config.toml \
    sh /control/build.sh

# What the configuration says (assets, environment, user, entry point) is appended to this stage.
FROM runtime AS app
COPY --from=build /layerdoit/out/ /usr/local/bin/
