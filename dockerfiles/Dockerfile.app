# The app layer: the workspace's own crates, compiled in a private target folder into which the compiled dependencies are
# copied once; then binaries and assets on the runtime image.
# The mount has no `from=`: BuildKit would hash the whole target folder of each new deps image (measured: 75 MB/s).
ARG DEPS
ARG RUNTIME
# The runtime image that binaries are tried on: for a variant that only adds packages, the ordinary one, so that the step
# that compiles is the one that was run already.
ARG TRIED=${RUNTIME}
# What compiles runs on this platform: for an image for another one it is cross-compiled.
ARG COMPILER_PLATFORM=${TARGETPLATFORM}
FROM ${RUNTIME} AS runtime

FROM ${TRIED} AS tried

FROM --platform=${COMPILER_PLATFORM} ${DEPS} AS build
ARG MOUNT
ARG WORKDIR
ARG CARGO_ARGS
ARG DEPS_KEY
ARG TREE
ARG BINS
ARG CHECKED
ARG ENTRYPOINT
# Has a value where nothing that BuildKit has cached may be used.
ARG LAYERDOIT_ANEW
RUN --network=none \
    --mount=type=bind,source=src,target=/ctx \
    --mount=type=bind,source=control,target=/control \
    --mount=type=bind,from=tried,target=/runtime \
    --mount=type=cache,id=${MOUNT},target=/build,sharing=locked \
    --mount=type=secret,id=cargo-config,target=/cargo/config.toml \
    sh /control/build.sh

# What else the configuration says (environment, user, entry point) is appended to this stage.
FROM runtime AS app
# layerdoit: assets
# layerdoit: binaries
