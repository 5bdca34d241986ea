# Sourced by cook.sh and build.sh. Makes /build/src the mirror of a tree that was sent, by content.
#   sync CTX TREE: CTX is the folder as sent, TREE its listing: lines of `f|x|l <sha256>  <path>`.
# /build/tree is the listing of what /build/src holds now, sorted by line.

# What was sent is what was keyed. BuildKit skips a changed file of equal size and time; this notices.
verify() {
  cd "$1"
  sed -n 's/^[fx] //p' "$2" >/tmp/sums
  if [ -s /tmp/sums ]; then sha256sum --check --quiet --strict /tmp/sums || return 1; fi
  sed -n 's/^l //p' "$2" >/tmp/links
  while read -r sum path; do
    [ "$(readlink -n "$path" | sha256sum | cut -d' ' -f1)" = "$sum" ] || { echo "$path: link differs" >&2; return 1; }
  done </tmp/links
}

paths() { cut -c69-; }

# What is to be done with changed files before the listing says that they are in place: an interruption repeats it.
on_synced() { :; }

sync() {
  if ! verify "$1" "$2"; then
    echo "layerdoit: context differs from its key" >&2
    exit 86
  fi
  : >/tmp/now
  mkdir -p /build/src
  [ -e /build/tree ] || : >/build/tree
  : >/tmp/gone
  : >/tmp/new
  sort "$2" >/tmp/wanted
  if cmp -s /tmp/wanted /build/tree; then return 0; fi
  comm -13 /tmp/wanted /build/tree | paths | sort >/tmp/gone
  comm -23 /tmp/wanted /build/tree | paths | sort >/tmp/new
  # The listing is shortened before a file is touched and completed after: it never claims what is not there.
  comm -12 /tmp/wanted /build/tree >/build/tree.part
  mv /build/tree.part /build/tree
  cd /build/src
  # A path can change from folder to file or back, so what is replaced goes first.
  sort -u /tmp/gone /tmp/new | xargs -r -d '\n' rm -rf --
  if [ -s /tmp/new ]; then
    (cd "$1" && xargs -r -d '\n' cp -d --parents --preserve=mode -t /build/src -- </tmp/new)
    # cargo calls a source fresh unless it is newer than the last build. Where the clock went back, go past that build.
    if [ -e /build/stamp ] && [ /build/stamp -nt /tmp/now ]; then
      later=$(($(stat -c %Y /build/stamp) + 2))
      xargs -r -d '\n' touch -h -d "@$later" -- </tmp/new
    fi
  fi
  on_synced
  cp /tmp/wanted /build/tree.part
  mv /build/tree.part /build/tree
}
