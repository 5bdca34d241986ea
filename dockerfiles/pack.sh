#!/bin/sh
# Runs inside the build that packs a program: /ctx holds it, and this is the image that it will run on.
set -eu
export LC_ALL=C
# No runtime image has binutils: what readelf would say of the program was read before.
readelf() { cat /control/headers; }
. /control/runtime.sh
. /control/image

out=/layerdoit/out
mkdir -p "$out"
cp "/ctx/$PROGRAM" "$out/$ENTRYPOINT"
chmod 0755 "$out/$ENTRYPOINT"
check_runtime "$out/$ENTRYPOINT" || exit 87
. /control/smoke
