# Put before cook.sh and build.sh for `doit check`: to them `cargo build` then means what tests and clippy need.
# Where the scripts build in an image (/control is there), tests are run too; when cooking, there are only stubs.

# cargo's own words, with the paths of the binaries left out: nothing of a check goes into an image.
recorded() {
  status=0
  command cargo "$@" >/tmp/recorded || status=$?
  sed 's/"executable":"[^"]*"/"executable":null/' /tmp/recorded
  rm -f /tmp/recorded
  return "$status"
}

cargo() {
  [ "$1" = build ] || { command cargo "$@"; return; }
  shift
  recorded test --no-run "$@" || return
  if ! [ -d /control ]; then
    recorded check --all-targets "$@"
    return
  fi
  echo "layerdoit: tests" >&2
  plain=
  for word in "$@"; do
    case "$word" in --message-format=*) ;; *) plain="$plain $(printf '%s' "$word" | sed "s/'/'\\\\''/g; s/^/'/; s/\$/'/")" ;; esac
  done
  # All failures at once: a test does not keep the others, nor clippy, from running.
  failed=0
  eval "command cargo test --no-fail-fast $plain" >&2 || failed=$?
  if command -v cargo-clippy >/dev/null; then
    echo "layerdoit: clippy" >&2
    eval "command cargo clippy --all-targets $plain" >&2 || failed=$?
  else
    echo "layerdoit: no-clippy" >&2
    failed=1
  fi
  return "$failed"
}
