# Sourced by cook.sh and build.sh: variables that the deps layer is not keyed by, since only the project's own crates
# should read them. They are passed all the same; cargo notices most changes of their values, and this the others:
# a build script or a macro may read one without telling cargo.
# Listings are lines of `NAME DIGEST`, the digest that of the value. /cooked/own: the values that the crates in the deps
# image were compiled with; /build/own: those of the last build in this mount; /control/own: those of this build.

# In a cook: what is compiled with other values than an earlier image's crates were leaves a mixture behind.
#   note_cooked NOW
note_cooked() {
  [ -e /cooked/own ] || cp "$1" /cooked/own
  awk '
    FILENAME == ARGV[1] { had[$1] = $2; next }
    { print $1, ($1 in had && had[$1] == $2 ? $2 : "mixed"); delete had[$1] }
    END { for (name in had) print name, "mixed" }
  ' /cooked/own "$1" | sort >/tmp/values
  mv /tmp/values /cooked/own
}

# The names that have another value in one listing than in the other, or are in one of them only.
differing() { sort "$1" "$2" | uniq -u | cut -d' ' -f1 | sort -u; }

# In an app build, before cargo runs: whatever may have been compiled with another value compiles again.
distrust_variables() {
  : >/tmp/differing
  merged=
  if [ -e /build/own-merged ]; then
    while read -r key; do [ "$key" != "$DEPS_KEY" ] || merged=yes; done </build/own-merged
  fi
  if [ -z "$merged" ]; then
    differing /cooked/own /control/own >/tmp/differing
    # Packages of the project that were cooked too: macros and build scripts of its own may read any variable.
    if [ -s /tmp/differing ]; then
      find /build/src -name '*.rs' -print >/tmp/every
      renew /tmp/every
    fi
  fi
  if ! cmp -s /build/own /control/own; then
    # Since the last build here, `distrust` sees to the project's packages.
    if [ -e /build/own ]; then differing /build/own /control/own >>/tmp/differing; fi
    same_own=
  else
    same_own=yes
  fi
  if [ -s /tmp/differing ]; then
    sort -u /tmp/differing | while read -r name; do
      readers "$name" | sort -u | while read -r crate; do forget "$name" "$crate"; done
    done
  fi
  if [ -z "$same_own" ]; then
    cp /control/own /build/own.part
    mv /build/own.part /build/own
  fi
  [ -n "$merged" ] || echo "$DEPS_KEY" >>/build/own-merged
}

NAME_OF_PACKAGE='/^ *\[/ { within = ($0 ~ /^ *\[package\]/) }
  within && /^ *name *=/ { gsub(/^[^"\047]*["\047]|["\047].*/, ""); print; exit }'

# The external crates that name a variable in their sources, or whose build script or macro looks at all variables.
readers() {
  grep -rEH --include='*.rs' -o -e "\"$1\"" -e 'env::vars(_os)?\b' /cargo/registry/src /cargo/git/checkouts /build/src 2>/dev/null \
    | sort -u | while IFS=: read -r file found; do
      manifest=$(manifest_of "$file")
      case $file in
        /build/src/*) [ -e "${manifest%/*}/.cargo-checksum.json" ] || continue ;;
      esac
      case $found:$file in
        \"*) ;;
        *:*/build.rs | *:*/build/*) ;;
        *) grep -qsE '^ *proc[-_]macro *= *true' "$manifest" || continue ;;
      esac
      awk "$NAME_OF_PACKAGE" "$manifest" 2>/dev/null || true
    done
}

manifest_of() {
  dir=${1%/*}
  until [ -e "$dir/Cargo.toml" ] || [ -z "$dir" ]; do dir=${dir%/*}; done
  echo "$dir/Cargo.toml"
}

# cargo compiles again what it has no fingerprint of.
forget() {
  # The second form is that of cargo 1.100.
  find /build/target/ -maxdepth 6 -path "*/.fingerprint/$2-????????????????" -o -path "*/build/$2/*/fingerprint" >/tmp/forgotten
  [ -s /tmp/forgotten ] || return 0
  xargs -d '\n' rm -rf -- </tmp/forgotten
  echo "layerdoit: asks $1 $2" >&2
}
