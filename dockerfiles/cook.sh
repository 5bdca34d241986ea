#!/bin/sh
# Runs inside the deps build: compiles the external crates of the stub workspace /ctx/src into /build/target.
set -eu
export LC_ALL=C
# With this, an interrupt ends this script: see engine/commands_begun.py.
echo "layerdoit: begun" >&2
. /ctx/control/sync.sh
. /ctx/control/variables.sh
. /ctx/control/shared.sh
. /ctx/control/stubs.sh
. /ctx/control/units.sh

# Seconds of each crate, all its units together, from the report that cargo itself made of the build. In it, what was
# fresh took none.
tell_timings() {
  [ -e "$1" ] || return 0
  awk '
    /^const UNIT_DATA = / { within = 1 }
    /^\];/ { within = 0 }
    within { gsub(/[",]/, "") }
    within && $1 == "name:" { name = $2 }
    within && $1 == "version:" { version = $2 }
    within && $1 == "duration:" { spent[name " " version] += $2 }
    END { for (crate in spent) if (spent[crate] > 0) printf "layerdoit: crate %s %.2f\n", crate, spent[crate] }
  ' "$1" >&2
}

# What cargo has downloaded on the host (/ctx/crates) comes to where the cargo of this build looks.
take_crates() {
  [ -d /ctx/crates ] || return 0
  mkdir -p /cargo/registry
  cp -r /ctx/crates/. /cargo/registry/
}

# After cargo: the archives that it did not unpack go, and the folders that it does not use. Where it needed no crate, nobody
# knows which folder it uses; all stay, for without the index cargo resolves nothing.
drop_crates() {
  [ -d /ctx/crates ] || return 0
  find /ctx/crates -name '*.crate' -printf '%P\n' | while IFS=/ read -r _ registry crate; do
    [ -d "/cargo/registry/src/$registry/${crate%.crate}" ] || rm -f "/cargo/registry/cache/$registry/$crate"
  done
  grep -qF "$units_public" /tmp/messages || return 0
  for registry in /ctx/crates/index/*; do
    registry=${registry##*/}
    [ -d "/cargo/registry/src/$registry" ] || rm -rf "/cargo/registry/index/$registry" "/cargo/registry/cache/$registry"
  done
}

sync /ctx/src /ctx/control/tree
# Of packages that stay, the app build must know what they read.
watched=
if [ -s /ctx/control/kept ]; then
  watched=yes
  . /ctx/control/reads.sh
  observe /ctx/control
fi

# The app build has its mount at /build, and must see what is cooked here beside it.
if ! [ -L /build/target ]; then
  mkdir -p /cooked/target
  rm -rf /build/target
  ln -s /cooked/target /build/target
fi

# Where an earlier cook took a login out of what cargo had noted, cargo asks the registry again.
for mark in /cargo/registry/index/*/had-login; do
  if [ -e "$mark" ]; then rm -f "$mark" "${mark%had-login}config.json"; fi
done
if [ -s /run/secrets/proxy ]; then . /run/secrets/proxy; fi
if [ -s /run/secrets/ca ]; then
  export CARGO_HTTP_CAINFO=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca GIT_SSL_CAINFO=/run/secrets/ca
fi
set -a
. /ctx/control/env
set +a
# Whatever the project says of its own builds (net.offline, CARGO_NET_OFFLINE): this one is there to download.
export CARGO_NET_OFFLINE=false
# A project that has git fetch for cargo means its own machines; the builder may have none.
command -v git >/dev/null || export CARGO_NET_GIT_FETCH_WITH_CLI=false
cd "/build/src/$WORKDIR"
take_crates
begin_sharing
[ ! -e /ctx/control/stubs ] || begin_stubs
(take_units) || return_units
[ -z "$watched" ] || observed
status=0
# cargo before 1.60 makes no such report.
timings=$(cargo build -h 2>/dev/null | grep -o -m 1 -e '--timings' || true)
cook() {
  (
    [ -z "$watched" ] || begin_tracing :own
    eval "cargo build --locked $timings --target-dir /build/target --message-format=json-render-diagnostics $CARGO_ARGS"
  ) >"$1"
}
cook /tmp/messages || status=$?
if [ "$status" -ne 0 ] && [ -s /tmp/units-taken ]; then
  # Nothing that a donor lent may be why.
  return_units
  status=0
  cook /tmp/messages || status=$?
fi
end_sharing
[ -z "$watched" ] || settle
# The stubs do not count.
external=$(external_crates /tmp/messages | wc -l)
total=$(grep -c '"reason":"compiler-artifact"' /tmp/messages || true)
echo "layerdoit: compiled=$external units=$total external=$external" >&2
[ "$status" -eq 0 ] || exit "$status"
# What came from the store took another time than compiling it.
[ "$hits" -gt 0 ] || tell_timings /build/target/cargo-timings/cargo-timing.html
rm -rf /build/target/cargo-timings
drop_crates
settle_units /tmp/messages
if [ -s /tmp/units-idle ]; then
  # A crate that is not compiled may still have to be there for cargo: it downloads what it lacks.
  if ! (timings='' watched='' && cook /dev/null) >/dev/null 2>&1; then bring_back; fi
fi

# cargo notes the addresses that it used; a login in one is nobody else's business.
for noted in /cargo/registry/index/*/config.json; do
  if grep -qsE '//[^/"@]+@' "$noted"; then
    sed -i -E 's#//[^/"@]+@#//#g' "$noted"
    : >"${noted%config.json}had-login"
  fi
done
rm -f /cargo/git/db/*/FETCH_HEAD /cargo/registry/index/*/.git/FETCH_HEAD
rm -rf /cargo/registry/index/*/.git/logs
if [ -d /cargo/git/checkouts ]; then find /cargo/git/checkouts -path '*/.git/*' -name FETCH_HEAD -delete; fi

# Only packages that an external crate depends on stay, with the times at which they were compiled; the stubs go.
cut -c69- /ctx/control/kept >/tmp/kept
mkdir /build/kept
if [ -s /tmp/kept ]; then (cd /build/src && xargs -d '\n' cp -a --parents -t /build/kept -- </tmp/kept); fi
rm -rf /build/src
mv /build/kept /build/src
sort /ctx/control/kept >/build/tree
rm -rf /cooked/src
cp -a /build/src /build/tree /cooked/
# What stubs read is nothing to the packages that they stand for.
if [ -s "${NOTES-}/known" ]; then
  awk -F '\t' 'FILENAME == ARGV[1] && !again { if (/\/\.stub(\/|\t|$)/) stub[$2]; next } !($2 in stub)' "$NOTES/known" again=1 "$NOTES/known" >/tmp/known
  cat /tmp/known >"$NOTES/known"
fi
if [ -n "$watched" ]; then cp -a "$NOTES" /cooked/; fi
note_cooked /ctx/control/own
(note_units /tmp/messages) || : >/cooked/units
rm -rf /tmp/units-* /tmp/stubs /tmp/messages /tmp/known /tmp/kept /tmp/sums /tmp/links /tmp/new /tmp/instead /tmp/emptied /tmp/now
