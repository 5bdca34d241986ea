#!/bin/sh
# Runs inside the app build: /ctx holds the sources as sent, /build the private mount (target, src, tree).
set -eu
export LC_ALL=C
. /control/sync.sh
. /control/runtime.sh

# Files that no macro and no build script reads, by custom. Where one does all the same, it has to tell cargo.
UNREAD='(^|/)(Cargo\.(toml|lock)|(README|CHANGELOG|CONTRIBUTING|LICENSE|COPYING)[^/]*|\.git[a-z]*|\.editorconfig|rust-toolchain(\.toml)?|\.?(clippy|rustfmt|deny)\.toml|(Docker|Make|just)file[^/]*|\.dockerignore|(docker-)?compose[^/]*\.ya?ml)$|(^|/)\.(github|cargo|vscode|idea)/'

# Bring in what the deps image has and this mount lacks. After an interrupted copy, copy all.
merge_deps() {
  if [ -e "/build/merged/$DEPS_KEY" ]; then return 0; fi
  mkdir -p /build/merged
  # Until something is compiled here, the packages that the deps image holds keep their times.
  if ! [ -e /build/stamp ]; then
    rm -rf /build/src /build/tree
    cp -a /cooked/src /cooked/tree /build/
  fi
  if [ -e /build/merging ]; then
    cp -a /cooked/target /build/
  else
    : >/build/merging
    cp -a --update=none /cooked/target /build/ 2>/dev/null || cp -an /cooked/target /build/
  fi
  : >"/build/merged/$DEPS_KEY"
  rm -f /build/merging
}

# Tell cargo of what it cannot see by itself. What is pending stays so until that is done.
announce() {
  [ -s /build/pending ] || return 0
  # Without a stamp nothing has compiled here yet.
  if [ -e /build/stamp ]; then
    distrust_untracked
    # That a file is gone is not seen where a build script named none: its package's manifest gets a new time.
    if grep -q '^gone ' /build/pending; then
      sed -n 's/^gone //p' /build/pending | packages_of | sed -n 's#^/.*#&/Cargo.toml#p' | renew
    fi
  fi
  rm -f /build/pending
}

# The folders of the packages that the paths on standard input belong to; `-` for a path in no package.
packages_of() {
  sed -e 's#^#/build/src/#' -e 's#/[^/]*$##' | sort -u | while read -r dir; do
    until [ "$dir" = /build/src ] || grep -qs '^ *\[package\]' "$dir/Cargo.toml"; do dir=${dir%/*}; done
    if [ "$dir" != /build/src ] || grep -qs '^ *\[package\]' "$dir/Cargo.toml"; then echo "$dir"; else echo -; fi
  done | sort -u
}

# Every package's folder, for `-`; what else there is on standard input as it is.
spread() {
  sort -u >/tmp/dirs
  if grep -qx -e - /tmp/dirs; then
    find /build/src -name Cargo.toml -exec grep -l '^ *\[package\]' '{}' + | sed 's#/Cargo.toml$##'
  else
    cat /tmp/dirs
  fi
}

# A macro or build script may read files that cargo is not told of, or look which files there are. Where such a file
# changed, came or went, its package compiles again; where it is in no package, all do.
distrust_untracked() {
  sed 's/^[a-z]* //' /build/pending | sort -u | grep -vE "$UNREAD" | grep -vE '(^|/)(src/bin|tests|benches|examples)/(.*/)?[^/]*\.rs$' >/tmp/suspects || return 0
  untracked
  [ -s /tmp/untracked ] || return 0
  named_by_scripts >/tmp/named
  grep -vE -f /tmp/named /tmp/untracked | packages_of | spread | while read -r dir; do
    find "$dir" -mindepth 1 -type d -exec test -e '{}/Cargo.toml' ';' -prune -o -name '*.rs' -print | renew
  done
}

# Those of the suspects of which no compiler said that it read them.
untracked() {
  top=$WORKDIR/
  [ "$WORKDIR" != . ] || top=
  export top
  : >/tmp/indirect
  find /build/target -path '*/deps/*.d' -exec awk '
    BEGIN { top = ENVIRON["top"] }
    FILENAME == ARGV[1] { suspect[$0]; next }
    !/^[^#]*: / { next }
    {
      for (i = 2; i <= NF; i++) {
        if ($i ~ /(^|\/)\.\.?\/|^\// && $i !~ /^\/cargo\//) print $i >>"/tmp/indirect"
        else if ((top $i) in suspect) print top $i
      }
    }
  ' /tmp/suspects '{}' + 2>/dev/null | sort -u >/tmp/tracked || true
  comm -23 /tmp/suspects /tmp/tracked >/tmp/untracked
  [ -s /tmp/untracked ] || return 0
  # `include_str!("../data")` is written down as it stands there.
  (cd "/build/src/$WORKDIR" && sort -u /tmp/indirect | xargs -r -d '\n' realpath -m --) | sed -n 's#^/build/src/##p' | sort -u >/tmp/tracked
  comm -23 /tmp/untracked /tmp/tracked >/tmp/still
  mv /tmp/still /tmp/untracked
}

# What build scripts said that they read, as expressions that match it wherever it lies; at least one, that matches nothing.
named_by_scripts() {
  echo '^$'
  find /build/target -path '*/build/*/output' -exec sed -nE 's/^cargo::?rerun-if-changed=//p' '{}' + 2>/dev/null \
    | sed -E -e 's#^(\.?\.?/)*##' -e 's#^build/src/##' -e 's#/+$##' -e '/^(build\.rs|src|\.)?$/d' -e 's/[][\.*^$+?(){}|]/\\&/g' -e 's#.*#(^|/)&(/|$)#' | sort -u
}

# The time of the last build never goes back, not even with the clock.
stamp() {
  : >/tmp/now
  [ /build/stamp -nt /tmp/now ] || : >/build/stamp
}

compile() {
  cold=0
  [ -e /build/stamp ] || cold=1
  stamp
  set -a
  . /control/env
  set +a
  cd "/build/src/$WORKDIR"
  status=0
  : >/tmp/begun
  eval "cargo build --locked --offline --target-dir /build/target --message-format=json-render-diagnostics $CARGO_ARGS" >/tmp/messages || status=$?
  stamp
  external_crates /tmp/messages >/tmp/external
  compiled=$(grep -c '"reason":"compiler-artifact".*"fresh":false' /tmp/messages || true)
  units=$(grep -c '"reason":"compiler-artifact"' /tmp/messages || true)
  echo "layerdoit: compiled=$compiled units=$units external=$(wc -l </tmp/external) cold=$cold" >&2
  if [ -s /tmp/external ]; then tell_misses; fi
  return "$status"
}

# External crates that were not fresh, and why: what cargo went by when they were cooked, and now. `doit layers explain`
# compares.
tell_misses() {
  sort -u /tmp/external | head -n 40 | sed 's/^/layerdoit: not-fresh /' >&2
  sed 's/@.*//' /tmp/external | sort -u | head -n 20 | while read -r name; do
    find /cooked/target -path "*/.fingerprint/$name-????????????????/*.json" | fingerprints cooked
    find /build/target -newer /tmp/begun -path "*/.fingerprint/$name-????????????????/*.json" | fingerprints used
  done
}

fingerprints() {
  while read -r file; do
    echo "layerdoit: fingerprint $1 ${file##*/.fingerprint/} $(sed 's/"declared_features":"\([^"\\]\|\\.\)*",//' "$file")" >&2
  done
}

# The listing is the one that this image is keyed by, not that of another run in the same folder.
if [ "$(sha256sum </control/tree | cut -c1-64)" != "$TREE" ]; then
  echo "layerdoit: context is that of another key" >&2
  exit 86
fi
merge_deps
sync /ctx /control/tree
announce
compile || exit $?

# Two levels deep: for the COPY of a path BuildKit walks the folder above it, and `/` is 20,000 files (measured: 0.6 s).
out=/layerdoit/out
mkdir -p "$out"
sed -n 's/.*"kind":\["bin"\].*"executable":"\([^"]*\)".*/\1/p' /tmp/messages | sort -u >/tmp/executables
sed -n '/"fresh":false/s/.*"kind":\["bin"\].*"executable":"[^"]*\/\([^"/]*\)".*/layerdoit: linked \1/p' /tmp/messages >&2
xargs -r -d '\n' cp --reflink=auto -t "$out" -- </tmp/executables &
copying=$!
wrong=0
. /control/image
while read -r path; do
  check_runtime "$path" || wrong=87
done </tmp/executables
wait "$copying"
for bin in $BINS; do
  [ -e "$out/$bin" ] || { echo "layerdoit: no-binary $bin" >&2; wrong=88; }
done
[ "$wrong" -eq 0 ] || exit "$wrong"

. /control/smoke
