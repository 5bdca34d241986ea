# Put before build.sh for `doit layers doctor --measure`: `cargo build` then measures what settings would save.
# /control/measured names the source that is touched before each timed build, /control/variants the settings to try:
# lines of `<name><tab><words for env>`. Says, per variant, milliseconds (the median of three) and bytes of the programs.

cargo() {
  [ "$1" = build ] || { command cargo "$@"; return; }
  shift
  plain=
  for word in "$@"; do
    case "$word" in
      --message-format=* | --target-dir | /build/target) ;;
      *) plain="$plain $(printf '%s' "$word" | sed "s/'/'\\\\''/g; s/^/'/; s/\$/'/")" ;;
    esac
  done
  unset LD_PRELOAD LAYERDOIT_TRACE
  # Compiled beside the private mount, and taken away again: what is kept of a measurement is its result.
  cp -a /build/target /tmp/measured
  tab=$(printf '\t')
  while IFS="$tab" read -r name words; do
    for linker in mold lld; do
      case "$words" in *fuse-ld=$linker*) command -v "$linker" >/dev/null || command -v "ld.$linker" >/dev/null || continue 2 ;; esac
    done
    timed "$name" "$words" "$plain" || echo "layerdoit: unmeasured $name" >&2
  done </control/variants
  rm -rf /tmp/measured
}

timed() {
  eval "env $2 cargo build --target-dir /tmp/measured $3" >&2 || return
  for _ in 1 2 3; do
    touch "/build/src/$(cat /control/measured)"
    begun=$(date +%s%N)
    eval "env $2 cargo build --target-dir /tmp/measured $3" >/tmp/said 2>&1 || return
    echo $((($(date +%s%N) - begun) / 1000000))
  done | sort -n | sed -n 2p >/tmp/median
  [ -s /tmp/median ] || return 1
  bytes=$(find /tmp/measured -maxdepth 3 -path '*/deps' -prune -o -type f -perm -100 -size +100k -printf '%s\n' | awk '{ s += $1 } END { print s + 0 }')
  echo "layerdoit: measured $(cat /tmp/median) $bytes $1" >&2
}
