# Sourced by cook.sh and build.sh: what both do. Makes /build/src the mirror of a tree that was sent, by content.
#   sync CTX TREE: CTX is the folder as sent, TREE its listing: lines of `f|x|l <sha256>  <path>`.
# /build/tree is the listing of what /build/src holds now; while that is not so, it is empty.

# cargo prints a line of its own progress whenever that changes: which of its jobs run is known to nobody else. A log has
# its limits, so the line does, too.
export CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=160

# Runs a command, the lines of a file being its last words. In a build each process that is not started counts: xargs
# only where the lines are many.
#   each FILE COMMAND...
each() {
  lines=$1 many=0
  shift
  while IFS= read -r line && [ "$((many += 1))" -le 64 ]; do :; done <"$lines"
  if [ "$many" -gt 64 ]; then
    xargs -d '\n' "$@" <"$lines"
  elif [ "$many" -gt 0 ]; then
    while IFS= read -r line; do set -- "$@" "$line"; done <"$lines"
    "$@"
  fi
}

# What was sent is what was keyed. BuildKit skips a changed file of equal size and time; this notices.
verify() {
  cd "$1"
  : >/tmp/sums
  : >/tmp/links
  sed -n -e 's/^[fx] //w /tmp/sums' -e 's/^l //w /tmp/links' "$2"
  if [ -s /tmp/sums ]; then sha256sum --check --quiet --strict /tmp/sums || return 1; fi
  while read -r sum path; do
    [ "$(readlink -n "$path" | sha256sum | cut -d' ' -f1)" = "$sum" ] || { echo "$path: link differs" >&2; return 1; }
  done </tmp/links
}

# For awk: the external crate, as name@version, that a message of cargo is about; '' for another one. cargo before 1.77
# writes of a package `name version (source)`.
EXTERNAL_CRATE='function external_crate(  id, name, word) {
  if (!match($0, /"package_id":"[^"]*/)) return ""
  id = substr($0, RSTART + 14, RLENGTH - 14)
  if (id ~ /^(registry|git|sparse)\+/) {
    # A crate that is named like the last part of its address is not named again: git+https://git.example/foo?rev=a#1.0.0
    name = id; sub(/#.*/, "", name); sub(/\?.*/, "", name); sub(/\/+$/, "", name); sub(/.*\//, "", name)
    sub(/.*#/, "", id)
    return id ~ /@/ ? id : name "@" id
  }
  return split(id, word, " ") > 2 && word[3] ~ /^\((registry|git|sparse)\+/ ? word[1] "@" word[2] : ""
}'

# The external crates that cargo's messages say were not fresh.
external_crates() {
  awk "$EXTERNAL_CRATE"'
    /"reason":"compiler-artifact"/ && /"fresh":false/ && (crate = external_crate()) != "" && !told[crate]++ { print crate }
  ' "$1"
}

# New times for the paths that are the lines of a file (-h: of links themselves). cargo calls a source fresh unless it is
# newer than the last build: where the clock went back since, go past that build.
#   renew FILE [-h]
renew() {
  : >/tmp/now
  renewed=$1
  shift
  if [ /build/stamp -nt /tmp/now ]; then set -- "$@" -d "@$(($(stat -c %Y /build/stamp) + 2))"; fi
  each "$renewed" touch "$@" --
}

refuse_context() {
  echo "layerdoit: context differs from its key" >&2
  exit 86
}

sync() {
  (verify "$1" "$2") &
  verifying=$!
  cp "$2" /build/tree.part &
  listing=$!
  # One that was ended half-way left files that no listing names: begin anew.
  if [ -e /build/syncing ] || ! [ -s /build/tree ]; then
    rm -rf /build/src /build/syncing
    mkdir -p /build/src
    : >/build/tree
  fi
  : >/tmp/new
  : >/tmp/instead
  : >/tmp/emptied
  : >/tmp/repositories
  awk '
    { path = substr($0, 69) }
    FILENAME == ARGV[1] { had[path] = $0; next }
    had[path] != $0 { print path >"/tmp/new"; if (!(path in had)) print path >"/tmp/instead" }
    /\.git\/HEAD$/ && path ~ /(^|\/)\.git\/HEAD$/ { print substr(path, 1, length(path) - 5) >"/tmp/repositories" }
    { delete had[path] }
    END { for (path in had) { print path >"/tmp/instead"; if (sub("/[^/]*$", "", path)) print path >"/tmp/emptied" } }
  ' /build/tree "$2"
  wait "$verifying" || refuse_context
  wait "$listing"
  if ! [ -s /tmp/new ] && ! [ -s /tmp/instead ]; then
    rm /build/tree.part
    return 0
  fi
  : >/build/tree
  cd /build/src
  # A path can change from folder to file or back, so what was there goes first. (Besides, `cp --parents` that has made a
  # folder no longer replaces files.) Of a file that is another one, only where something else is in its place.
  each /tmp/instead rm -rf --
  # A folder goes with its last file, as in git.
  if [ -s /tmp/emptied ]; then
    sort -u /tmp/emptied | xargs -d '\n' rmdir -p --ignore-fail-on-non-empty -- 2>/dev/null || true
  fi
  if [ -s /tmp/new ]; then
    cd "$1"
    copy='cp -d --parents --preserve=mode --remove-destination -t /build/src --'
    # shellcheck disable=SC2086 # it is words
    each /tmp/new $copy 2>/dev/null || {
      (cd /build/src && each /tmp/new rm -rf --)
      each /tmp/new $copy
    }
    cd /build/src
    : >/tmp/now
    # Else they have the time of now.
    [ ! /build/stamp -nt /tmp/now ] || renew /tmp/new -h
  fi
  mv /build/tree.part /build/tree
}
