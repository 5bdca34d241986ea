#!/bin/sh
# Runs in a deps image that lends: copies what another project may take of it to /lent. Whatever goes wrong, less is lent.
#   /ctx/control/locked: see units.sh; of the packages that are locked there.
#   /ctx/control/own: see variables.sh. /there/*: units that the other one has already, or gets from others, in the
#   form of units.sh.
# /lent/units: this image's units that the other one has too, `lent` behind those that are copied to /lent/target;
# /lent/sources: paths below /lent/registry.
export LC_ALL=C
. /ctx/control/variables.sh
. /ctx/control/units.sh

mkdir -p /lent/target /lent/registry
: >/lent/units
: >/lent/sources
[ -s /cooked/units ] || exit 0
cat /there/* 2>/dev/null | awk -F '\t' '$7 != "" || NF < 7' >/tmp/there

# Crates that may have read a variable that has another value there.
: >/tmp/unlike
differing /cooked/own /ctx/control/own | while read -r name; do readers "$name"; done | sort -u >/tmp/unlike

awk -F '\t' -v OFS='\t' -v mode="$1" '
  FILENAME == ARGV[1] { locked[$1, $2]; next }
  FILENAME == ARGV[2] { unlike[$1]; next }
  FILENAME == ARGV[3] { there[$1]; next }
  {
    name = $3
    sub(/@.*/, "", name)
    line[$1] = $0
    below[$1] = $6
    may[$1] = ($2, $3) in locked && !(name in unlike) && ($4 == "public" || mode == "private")
  }
  # What was compiled with something that is not lent is of no use.
  function lends(id,  i, count, part) {
    if (id in known) return known[id]
    known[id] = 0
    if (id in there) return known[id] = 1
    if (!(id in may) || !may[id]) return 0
    count = split(below[id], part, " ")
    for (i = 1; i <= count; i++) if (!lends(part[i])) return 0
    return known[id] = 1
  }
  END { for (id in line) if (lends(id)) print line[id], id in there ? "" : "lent" }
' /ctx/control/locked /tmp/unlike /tmp/there /cooked/units >/tmp/units
awk -F '\t' '$7 == "lent"' /tmp/units >/tmp/lent
paths_of /tmp/lent /cooked/target >/tmp/paths
(cd /cooked/target && xargs -r -d '\n' cp -a --parents -t /lent/target -- </tmp/paths) || exit 0

# Sources of crates.io, if that of the same checksum was compiled here: those of a mirror too, if no other registry can be
# meant.
others=$(awk -F '\t' -v public="$units_public#" 'index($2, public) != 1 && $2 ~ /^(registry|sparse)/' /cooked/units | head -n 1)
cd /cargo/registry
for index in src/*; do
  index=${index##*/}
  case $index in
    index.crates.io-* | github.com-*) ;;
    *) [ -z "$others" ] || continue ;;
  esac
  find "src/$index" "cache/$index" -mindepth 1 -maxdepth 1
  [ -e "index/$index/.git" ] || find "index/$index/.cache" -type f
done 2>/dev/null | awk -F / -v public="$units_public#" '
  { split($0, part, "\t") }
  FILENAME == ARGV[1] { if (index(part[1], public) == 1) { locked[part[1], part[2]]; sub(/@.*/, "", part[2]); names[tolower(part[2])] }; next }
  FILENAME == ARGV[2] { if ((part[2], part[3]) in locked) { sub(/@/, "-", part[3]); crates[part[3]] }; next }
  $1 == "index" { if ($NF in names) print; next }
  { crate = $NF; sub(/\.crate$/, "", crate); if (crate in crates) print }
' /ctx/control/locked /cooked/units - >/tmp/sources
xargs -r -d '\n' cp -a --parents -t /lent/registry -- </tmp/sources || exit 0
mv /tmp/sources /lent/sources
mv /tmp/units /lent/units
