#!/bin/sh
# Runs inside the app build: /ctx holds the sources as sent, /build the private mount (target, src, tree).
set -eu
export LC_ALL=C
. /control/sync.sh

# Bring in what the deps image has and this mount, seeded from an earlier one, lacks. After an interrupted copy, copy all.
merge_deps() {
  mkdir -p /build/merged
  if [ -e /build/merged/seeded ] && ! [ -e "/build/merged/$DEPS_KEY" ]; then
    if [ -e /build/merging ]; then
      cp -a /deps-target/. /build/target/
    else
      : >/build/merging
      cp -a --update=none /deps-target/. /build/target/ 2>/dev/null || cp -an /deps-target/. /build/target/
    fi
    rm -f /build/merging
  fi
  : >"/build/merged/$DEPS_KEY"
  : >/build/merged/seeded
}

# The folders of the packages that the paths on standard input belong to.
packages_of() {
  while read -r path; do
    dir=$(dirname "/build/src/$path")
    while ! [ -e "$dir/Cargo.toml" ] && [ "$dir" != /build/src ]; do dir=$(dirname "$dir"); done
    if [ -e "$dir/Cargo.toml" ]; then echo "$dir"; fi
  done | sort -u
}

# Which of the sources rustc said that it read, as paths of the context.
tracked() {
  find /build/target -path '*/deps/*.d' -exec cat {} + 2>/dev/null | sed -n 's/^[^#]*: //p' | tr ' ' '\n' | grep -v '^/cargo/' | sort -u >/tmp/read || true
  sed -n "s#^[^/.]#${WORKDIR:+$WORKDIR/}&#p" /tmp/read | sort >/tmp/tracked
  comm -23 /tmp/suspects /tmp/tracked >/tmp/untracked
  [ -s /tmp/untracked ] || return 0
  # `include_str!("../data")` is written down as it stands there.
  (cd "/build/src/$WORKDIR" && grep -E '(^|/)\.\.?/|^/' /tmp/read | xargs -r -d '\n' realpath -m --) | sed -n 's#^/build/src/##p' | sort -u >/tmp/tracked
  comm -23 /tmp/untracked /tmp/tracked >/tmp/still
  mv /tmp/still /tmp/untracked
}

# A macro or build script may read files, or list folders, that cargo is not told of. Where such a file changed, came or
# went, its package compiles again. Prose, tests and what cargo itself reads are left out.
distrust_untracked() {
  sort -u /tmp/gone /tmp/new \
    | grep -vE '(\.md|(^|/)(Cargo\.toml|Cargo\.lock|LICENSE[^/]*|\.git[a-z]*|rust-toolchain(\.toml)?))$|(^|/)(tests|benches|examples|docs|\.github|\.cargo)/' >/tmp/suspects || return 0
  tracked
  packages_of </tmp/untracked | while read -r dir; do
    if grep -q '^\[package\]' "$dir/Cargo.toml"; then
      find "$dir" -mindepth 1 -type d -exec test -e '{}/Cargo.toml' ';' -prune -o -name '*.rs' -exec touch '{}' +
    fi
  done
}

# cargo cannot see that a file is gone where a build script named none: its package's manifest gets a new time.
announce_gone() {
  comm -23 /tmp/gone /tmp/new | packages_of | while read -r dir; do touch "$dir/Cargo.toml"; done
}

compile() {
  : >/build/stamp
  set -a
  . /control/env
  set +a
  # A project's own build.build-dir would lead away from the compiled dependencies.
  export CARGO_BUILD_BUILD_DIR=/build/target
  cd "/build/src/$WORKDIR"
  status=0
  eval "cargo build --locked --offline --target-dir /build/target --message-format=json-render-diagnostics $CARGO_ARGS" >/tmp/messages || status=$?
  : >/build/stamp
  grep '"reason":"compiler-artifact".*"fresh":false' /tmp/messages >/tmp/compiled || true
  grep -oE '"package_id":"(registry|git|sparse)\+[^"]*"' /tmp/compiled | sed 's/.*[#/]\([^#/"]*\)"$/\1/' | sort -u >/tmp/external || true
  echo "layerdoit: compiled=$(wc -l </tmp/compiled) units=$(grep -c '"reason":"compiler-artifact"' /tmp/messages || true) external=$(wc -l </tmp/external)" >&2
  sed 's/^/layerdoit: not-fresh /' /tmp/external | head -n 40 >&2
  return "$status"
}

runtime_libraries() {
  for d in /runtime/usr/local/lib /runtime/lib/*-linux-gnu* /runtime/usr/lib/*-linux-gnu* /runtime/lib /runtime/usr/lib; do
    [ ! -d "$d" ] || printf '%s:' "$d"
  done
}

loader_of() { readelf -l "$1" 2>/dev/null | sed -n 's/.*program interpreter: \(.*\)\]/\1/p'; }

on_runtime() {
  loader=$(loader_of "$1")
  if [ -n "$loader" ]; then "/runtime$loader" --inhibit-cache --library-path "$(runtime_libraries)" "$@"; else "$@"; fi
}

# The libraries and symbol versions that a binary needs must be in the runtime image: its own loader says.
check_runtime() {
  loader=$(loader_of "$1")
  [ -n "$loader" ] || return 0
  if ! [ -e "/runtime$loader" ]; then
    echo "layerdoit: missing binary=$(basename "$1") library=$loader package=libc6" >&2
    return 1
  fi
  "/runtime$loader" --inhibit-cache --library-path "$(runtime_libraries)" --list "$1" >/tmp/libraries 2>&1 || true
  bad=0
  while read -r line; do
    case "$line" in
      *"version \`"*"not found"*) echo "layerdoit: too-new binary=$(basename "$1") $line" >&2; bad=1 ;;
      *"=> /runtime/"* | linux-vdso* | /runtime/*) ;;
      *"=>"* | *"cannot open shared object file"*)
        library=$(echo "$line" | grep -oE '[^ /:]+\.so[^ :]*' | head -n 1)
        where=$(ldconfig -p | sed -n "s#^[[:space:]]*$library .*=> ##p" | head -n 1)
        package=$([ -z "$where" ] || dpkg -S "$(realpath "$where")" "$where" 2>/dev/null | head -n 1 | cut -d: -f1)
        echo "layerdoit: missing binary=$(basename "$1") library=$library package=${package:-?}" >&2; bad=1 ;;
    esac
  done </tmp/libraries
  return "$bad"
}

on_synced() {
  distrust_untracked
  announce_gone
}

merge_deps
sync /ctx /control/tree
compile || exit $?

# Two levels deep: for the COPY of a path BuildKit walks the folder above it, and `/` is 20,000 files (measured: 0.6 s).
out=/layerdoit/out
mkdir -p "$out"
sed -n 's/.*"kind":\["bin"\].*"executable":"\([^"]*\)".*/\1/p' /tmp/messages | sort -u | while read -r path; do
  cp --reflink=auto "$path" "$out/"
done
wrong=0
for bin in $BINS; do
  if ! [ -e "$out/$bin" ]; then echo "layerdoit: cargo made no binary '$bin'" >&2; exit 88; fi
  check_runtime "$out/$bin" || wrong=87
done
[ "$wrong" -eq 0 ] || exit "$wrong"

# The entry point must succeed with each line of arguments, on the runtime image's own libraries.
while read -r arguments; do
  # shellcheck disable=SC2086 # a line of arguments is words
  on_runtime "$out/$ENTRYPOINT" $arguments >/tmp/smoke 2>&1 </dev/null || {
    echo "layerdoit: smoke-failed $ENTRYPOINT $arguments" >&2
    tail -n 20 /tmp/smoke >&2
    exit 89
  }
done </control/smoke
