# Sourced by cook.sh: compilers that share what they made by sccache, where the project names a store (deps.sccache).
# /run/secrets/sccache: lines of shell that export what sccache's server has to know; nothing but the server gets them.
# /ctx/control/sccache-program: sccache of the machine that builds. A store that is away costs time, and not the build.
SHARED=/tmp/sccache
# Seconds that a store has to answer first.
PATIENCE=${PATIENCE:-10}

# A program that works here and was built for the kind of store, on standard output.
find_sccache() {
  : >"$SHARED/none"
  for program in /ctx/control/sccache-program "$(command -v sccache || true)"; do
    [ -e "$program" ] || continue
    # By another name it would take itself for a compiler.
    if [ "$program" = /ctx/control/sccache-program ]; then
      cp "$program" "$SHARED/sccache"
      chmod 755 "$SHARED/sccache"
      program=$SHARED/sccache
    fi
    if ! timeout 10 "$program" --help >"$SHARED/features" 2>&1; then
      echo "$(head -n 1 "$SHARED/features")" >"$SHARED/none"
    elif grep -qi "^ *$1: *false" "$SHARED/features"; then
      echo "$("$program" --version | head -n 1) was built without $1" >"$SHARED/none"
    else
      echo "$program"
      return
    fi
  done
}

# What the store says of itself, on one line.
last_words() { tr -s '\n\t ' ' ' <"$SHARED/log" | grep -o 'error: .*\|[Cc]aused by: .*' | tail -n 1 | cut -c 1-200; }

# Starts the server, and from then on cargo's compilers by way of it.
begin_sharing() {
  [ -s /run/secrets/sccache ] || return 0
  mkdir -p "$SHARED"
  sccache=$(find_sccache "$(sed -n 's/^# store: //p' /run/secrets/sccache)")
  if [ -z "$sccache" ]; then
    [ -s "$SHARED/none" ] || echo "there is no sccache, neither on the machine that builds nor in the builder" >"$SHARED/none"
    echo "layerdoit: sccache-off program $(head -n 1 "$SHARED/none")" >&2
    return 0
  fi
  (
    . /run/secrets/sccache
    # No settings of an image, and nothing that stays.
    export HOME="$SHARED" XDG_CONFIG_HOME="$SHARED" XDG_CACHE_HOME="$SHARED" SCCACHE_SERVER_UDS="$SHARED/socket"
    unset SCCACHE_CONF
    export SCCACHE_START_SERVER=1 SCCACHE_NO_DAEMON=1 SCCACHE_IDLE_TIMEOUT=0 SCCACHE_LOG=error
    exec "$sccache" >"$SHARED/log" 2>&1
  ) &
  server=$!
  waited=0
  until [ -S "$SHARED/socket" ]; do
    if ! kill -0 "$server" 2>/dev/null || [ "$waited" -ge $((PATIENCE * 20)) ]; then
      kill -s KILL "$server" 2>/dev/null || true
      wait "$server" 2>/dev/null || true
      echo "layerdoit: sccache-off store $(last_words)" >&2
      return 0
    fi
    sleep 0.05
    waited=$((waited + 1))
  done
  write_wrapper
  export SCCACHE_SERVER_UDS="$SHARED/socket" SCCACHE_IGNORE_SERVER_IO_ERROR=1
  # Not RUSTC_WRAPPER, for build scripts that ask for it would run again in the app build. An empty one turns this off.
  export CARGO_BUILD_RUSTC_WRAPPER="$SHARED/bin/sccache"
  [ -n "${RUSTC_WRAPPER-}" ] || unset RUSTC_WRAPPER
}

# sccache takes a crate for the same whose sources, arguments and CARGO_ variables are the same. A macro may read files
# besides: those of a published crate never change, and those of the project's own packages may; and any variable. How
# cargo was called (CARGO_ARGS) is nothing to it.
# Once the server has noted an error, each crate would wait for the store's time-out (30 s with Redis).
# `sccache` is the name by which the crate cc knows that C compilers may be started in this way, too.
write_wrapper() {
  mkdir -p "$SHARED/bin"
  cat >"$SHARED/bin/sccache" <<END
#!/bin/sh
if ! [ -s $SHARED/log ]; then
  case \$PWD/ in
    /cargo/registry/src/* | /cargo/git/checkouts/*)
      unset CARGO_ARGS
      export CARGO_LAYERDOIT_VARIABLES=$(cksum </ctx/control/env | tr ' ' -)
      exec $sccache "\$@" ;;
  esac
fi
exec "\$@"
END
  chmod 755 "$SHARED/bin/sccache"
}

# The sum of the numbers at a place of sccache's statistics: a number, or one for each language.
counted() {
  sed -n "s/.*\"$1\":\({\"counts\":{\([^}]*\)}\|\([0-9]*\)\).*/\2\3/p" "$SHARED/stats" | tr ',' '\n' | sed 's/.*://' \
    | awk '{ sum += $1 } END { print sum + 0 }'
}

# Tells what came from the store, when what is new has been written to it, and ends the server. `hits` is set.
end_sharing() {
  hits=0 misses=0 written=0 failed=0
  if [ -n "${CARGO_BUILD_RUSTC_WRAPPER-}" ] && [ -S "$SHARED/socket" ]; then
    waited=0
    while "$sccache" --show-stats --stats-format json >"$SHARED/stats" 2>/dev/null; do
      hits=$(counted cache_hits) misses=$(counted cache_misses)
      failed=$(($(counted cache_read_errors) + $(counted cache_write_errors) + $(counted cache_timeouts)))
      written=$(counted cache_writes)
      if [ -s "$SHARED/log" ] || [ $((written + failed)) -ge "$(counted compilations)" ]; then break; fi
      [ "$waited" -lt 100 ] || break
      sleep 0.05
      waited=$((waited + 1))
    done
    echo "layerdoit: sccache hits=$hits misses=$misses written=$written failed=$failed" >&2
    [ ! -s "$SHARED/log" ] || echo "layerdoit: sccache-off lost $(last_words)" >&2
    kill -s KILL "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$SHARED"
}
