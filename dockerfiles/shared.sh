# Sourced by cook.sh: compilers that share what they made by sccache, where the project names a store (deps.sccache).
# /run/secrets/sccache: lines of shell that export what sccache's server has to know; nothing but the server gets them.
# /ctx/control/sccache-program: sccache of the machine that builds. A store that is away costs time, and not the build.
# Names of variables begin with `sharing`, for those of the project are set here, too.

# A program that works here and was built for the kind of store, on standard output.
find_sccache() {
  : >"$sharing/none"
  for program in /ctx/control/sccache-program "$(command -v sccache || true)"; do
    [ -e "$program" ] || continue
    # By another name it would take itself for a compiler.
    if [ "$program" = /ctx/control/sccache-program ]; then
      cp "$program" "$sharing/sccache"
      chmod 755 "$sharing/sccache"
      program=$sharing/sccache
    fi
    if ! timeout 10 "$program" --help >"$sharing/features" 2>&1; then
      echo "$(head -n 1 "$sharing/features")" >"$sharing/none"
    elif grep -qi "^ *$1: *false" "$sharing/features"; then
      echo "$("$program" --version | head -n 1) was built without $1" >"$sharing/none"
    else
      echo "$program"
      return
    fi
  done
}

# What sccache says of the store, on one line.
last_words() {
  tr -s '\n\t ' ' ' <"$sharing/log" >"$sharing/words"
  { grep -o 'error: .*' "$sharing/words" || grep -o 'ERROR .*' "$sharing/words"; } | sed 's/ Context: .*//' | cut -c 1-200
}

# Starts the server, which has ten seconds to find the store, and from then on cargo's compilers by way of it.
begin_sharing() {
  sharing=/tmp/sccache
  [ -s /run/secrets/sccache ] || return 0
  mkdir -p "$sharing"
  sharing_program=$(find_sccache "$(sed -n 's/^# store: //p' /run/secrets/sccache)")
  if [ -z "$sharing_program" ]; then
    [ -s "$sharing/none" ] || echo "there is no sccache, neither on the machine that builds nor in the builder" >"$sharing/none"
    echo "layerdoit: sccache-off program $(head -n 1 "$sharing/none")" >&2
    return 0
  fi
  (
    . /run/secrets/sccache
    # No settings of an image, and nothing that stays.
    export HOME="$sharing" XDG_CONFIG_HOME="$sharing" XDG_CACHE_HOME="$sharing" SCCACHE_SERVER_UDS="$sharing/socket"
    unset SCCACHE_CONF
    export SCCACHE_START_SERVER=1 SCCACHE_NO_DAEMON=1 SCCACHE_IDLE_TIMEOUT=0 SCCACHE_LOG=error
    exec "$sharing_program" >"$sharing/log" 2>&1
  ) &
  sharing_server=$!
  sharing_waited=0
  until [ -S "$sharing/socket" ]; do
    if ! kill -0 "$sharing_server" 2>/dev/null || [ "$sharing_waited" -ge 200 ]; then
      kill -s KILL "$sharing_server" 2>/dev/null || true
      wait "$sharing_server" 2>/dev/null || true
      echo "layerdoit: sccache-off store $(last_words)" >&2
      return 0
    fi
    sleep 0.05
    sharing_waited=$((sharing_waited + 1))
  done
  write_wrapper
  # Should the server end, another one that a compiler starts leaves nothing in the image.
  export SCCACHE_SERVER_UDS="$sharing/socket" SCCACHE_IGNORE_SERVER_IO_ERROR=1 SCCACHE_DIR="$sharing/local"
  # Not RUSTC_WRAPPER, for build scripts that ask for it would run again in the app build. An empty one turns this off.
  export CARGO_BUILD_RUSTC_WRAPPER="$sharing/bin/sccache"
  [ -n "${RUSTC_WRAPPER-}" ] || unset RUSTC_WRAPPER
}

# sccache takes a crate for the same whose sources, arguments and CARGO_ variables are the same. A macro may read files
# besides: those of a published crate never change, and those of the project's own packages may; and any variable. How
# cargo was called (CARGO_ARGS) is nothing to it.
# Once the server has noted an error, each crate would wait for the store's time-out (30 s with Redis).
# `sccache` is the name by which the crate cc knows that C compilers may be started in this way, too.
write_wrapper() {
  mkdir -p "$sharing/bin"
  cat >"$sharing/bin/sccache" <<END
#!/bin/sh
if ! [ -s $sharing/log ]; then
  case \$PWD/ in
    /cargo/registry/src/* | /cargo/git/checkouts/*)
      unset CARGO_ARGS
      export CARGO_LAYERDOIT_VARIABLES=$(cksum </ctx/control/env | tr ' ' -)
      exec $sharing_program "\$@" ;;
  esac
fi
exec "\$@"
END
  chmod 755 "$sharing/bin/sccache"
}

# The sum of the numbers at a place of sccache's statistics: a number, or one for each language.
counted() {
  sed -n "s/.*\"$1\":\({\"counts\":{\([^}]*\)}\|\([0-9]*\)\).*/\2\3/p" "$sharing/stats" | tr ',' '\n' | sed 's/.*://' \
    | awk '{ sum += $1 } END { print sum + 0 }'
}

# Tells what came from the store, when what is new has been written to it, and ends the server. `hits` is set.
end_sharing() {
  hits=0 misses=0 written=0 failed=0
  if [ -n "${CARGO_BUILD_RUSTC_WRAPPER-}" ] && [ -S "$sharing/socket" ]; then
    sharing_waited=0
    while "$sharing_program" --show-stats --stats-format json >"$sharing/stats" 2>/dev/null; do
      hits=$(counted cache_hits) misses=$(counted cache_misses)
      failed=$(($(counted cache_read_errors) + $(counted cache_write_errors) + $(counted cache_timeouts)))
      written=$(counted cache_writes)
      if [ -s "$sharing/log" ] || [ $((written + failed)) -ge "$(counted compilations)" ]; then break; fi
      [ "$sharing_waited" -lt 100 ] || break
      sleep 0.05
      sharing_waited=$((sharing_waited + 1))
    done
    echo "layerdoit: sccache hits=$hits misses=$misses written=$written failed=$failed" >&2
    [ ! -s "$sharing/log" ] || echo "layerdoit: sccache-off lost $(last_words)" >&2
    kill -s KILL "$sharing_server" 2>/dev/null || true
    wait "$sharing_server" 2>/dev/null || true
  fi
  rm -rf "$sharing"
}
