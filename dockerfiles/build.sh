#!/bin/sh
# Runs inside the app build: /ctx holds the sources as sent, /build the private mount (target, src, tree).
set -eu
export LC_ALL=C
# With this, whoever waits for the mount is told that it is there, and an interrupt ends this script.
echo "layerdoit: begun" >&2
. /control/compile.sh

# The listing is the one that this image is keyed by, not that of another run in the same folder.
if [ "$(sha256sum </control/tree)" != "$TREE  -" ]; then
  echo "layerdoit: context is that of another key" >&2
  exit 86
fi
# Two levels deep: for the COPY of a path BuildKit walks the folder above it, and `/` is 20,000 files (measured: 0.6 s).
out=/layerdoit/out
begin_anew
observe /control
merge_deps
bring_in /ctx /control/tree
compile || exit $?
refuse_warnings
pack_reads &
packing=$!

tell_linked
wrong=0
while read -r path; do
  # Binaries of other services may run on another image.
  case " ${CHECKED-$BINS} " in *" ${path##*/} "*) check_runtime "$path" || wrong=87 ;; esac
done </tmp/executables
wait "$copying"
wait "$packing"
cat /tmp/packed >&2
tell_lacking
[ "$wrong" -eq 0 ] || exit "$wrong"

. /control/smoke
