#!/bin/sh
# Runs inside a build: packs what the target mount /build holds, and the deps image does not, into the folder SAVED.
#   save.sh SAVED
# Times are kept to the nanosecond: cargo compares them. What the deps image has comes from there again (merge_deps in
# compile.sh), so it is left out, and so are the marks that say it was brought in.
set -eu
export LC_ALL=C
echo "layerdoit: begun" >&2
saved=$1
mkdir -p "$saved"

refuse() {
  echo "layerdoit: mount $1" >&2
  exit 93
}

[ -e /build/stamp ] || refuse empty
# A file that was copied half would be taken for a whole one.
[ ! -e /build/merging ] && [ ! -e /build/loading ] || refuse interrupted

mkdir /tmp/own
compiled() { (cd "$1" && find target ! -type d -printf '%p\t%s\t%Ts\n') | sort; }
compiled /cooked >/tmp/cooked
compiled /build >/tmp/here
# Whole seconds: an image that was pulled has no more.
comm -12 /tmp/cooked /tmp/here >/tmp/own/left-out
comm -13 /tmp/cooked /tmp/here | cut -f1 >/tmp/list
cd /build
find . -mindepth 1 \( -path ./target -o -path ./merged -o -path ./own-merged -o -path ./left-out \) -prune -o -print >>/tmp/list
set -- cat
for packer in 'gzip -1 -n' 'zstd -q -3 -T0'; do
  ! command -v "${packer%% *}" >/dev/null || set -- $packer
done
{
  tar --create --format=posix --numeric-owner --no-recursion --no-unquote --verbatim-files-from --file=- \
    -C /tmp/own left-out -C /build --files-from=/tmp/list
  : >/tmp/whole
} | "$@" >"$saved/packed"
[ -e /tmp/whole ]
digest=$(sha256sum <"$saved/packed")
size=$(tr '\n' '\0' </tmp/list | du --apparent-size --bytes --total --files0-from=- | tail -n 1)
echo "layerdoit: packed $1 ${digest%% *} $(wc -l </tmp/list) ${size%%[!0-9]*}" >&2
