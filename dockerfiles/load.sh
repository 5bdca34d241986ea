#!/bin/sh
# Runs inside a build: unpacks /archive/archive into the target mount /build, if nothing was compiled there yet.
#   load.sh DONE; DIGEST is that of the packed files, PACKED the program that packed them. DONE is a folder of the image.
set -eu
export LC_ALL=C
echo "layerdoit: begun" >&2
mkdir -p "$1"

empty() { find /build -mindepth 1 -maxdepth 1 ! -name loading -exec rm -rf '{}' +; }

refuse() {
  empty
  rm -f /build/loading
  echo "layerdoit: mount $1" >&2
  exit 93
}

# Something was compiled here: that is nearer to the sources than what another machine compiled.
if [ -e /build/stamp ] && ! [ -e /build/loading ]; then
  echo "layerdoit: mount used" >&2
  exit 0
fi
# As long as this is there, whoever comes next begins with nothing (begin_anew in compile.sh).
: >/build/loading
empty
packed() { tar --extract --to-stdout --file=/archive/archive packed; }
case $PACKED in
  cat) unpack=cat ;;
  *) unpack="$PACKED -dc" ;;
esac
(packed | sha256sum >/tmp/digest) &
hashing=$!
packed | $unpack | tar --extract --numeric-owner --preserve-permissions --file=- -C /build || { wait; refuse damaged; }
wait "$hashing" && [ "$(cat /tmp/digest)" = "$DIGEST  -" ] || refuse damaged

# What was left out must be what this deps image has: another file in its place was compiled by another cook.
(cd /cooked && find target ! -type d -printf '%p\t%s\t%Ts\n') >/tmp/cooked
awk -F '\t' '
  FILENAME == ARGV[1] { had[$1] = $2 "\t" $3; next }
  $1 in had && had[$1] != $2 "\t" $3 { differs = 1; exit }
  END { exit differs }
' /build/left-out /tmp/cooked || refuse differs
[ -e /build/stamp ] || refuse damaged
# With it, the mount is whole: the first build does not wait for that.
cp -a --update=none /cooked/target /build/ 2>/dev/null || cp -an /cooked/target /build/
rm -f /build/left-out /build/loading
echo "layerdoit: mount loaded" >&2
