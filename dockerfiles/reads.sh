# Sourced by cook.sh and build.sh: which files each unit reads while it compiles (trace.c, hook.c), and which units must
# compile again because of that (reads.c). Cargo itself is told of what rustc opens and of what build scripts name;
# nobody tells it what a macro or a script reads, lists or looks for besides.
# NOTES/known holds what is known. What is known to another version of these programs does not count.

# Makes the programs, once for a mount; CONTROL is where their sources are. Without a compiler that can do it, nothing is
# recorded, and everything compiles again whenever anything changed. They are there after `observed`.
observe() {
  observing=
  NOTES=$(cat "$1"/*.c "$1"/*.h | cksum)
  NOTES=/build/reads-${NOTES%% *}
  [ ! -x "$NOTES/reads" ] || return 0
  rm -rf /build/reads-*
  mkdir -p "$NOTES"
  cooked=/cooked/${NOTES##*/}
  if [ -x "$cooked/reads" ]; then
    cp -a "$cooked/hook.so" "$cooked/trace" "$cooked/made" "$NOTES/"
    cp -a "$cooked/reads" "$NOTES/reads.part"
    mv "$NOTES/reads.part" "$NOTES/reads"
  else
    make_observers "$1" >"$NOTES/made" 2>&1 &
    observing=$!
  fi
}

make_observers() {
  cc -O1 -w -shared -fPIC -o "$NOTES/hook.so" "$1/hook.c" -ldl &
  hook=$!
  { cc -O1 -w -static -o "$NOTES/trace" "$1/trace.c" || cc -O1 -w -o "$NOTES/trace" "$1/trace.c"; } &
  trace=$!
  reads=0
  cc -O1 -w -o "$NOTES/reads.part" "$1/reads.c" || reads=$?
  wait "$hook" && wait "$trace" && [ "$reads" -eq 0 ] && mv "$NOTES/reads.part" "$NOTES/reads"
}

observed() {
  [ -z "$observing" ] || wait "$observing" || true
  observing=
}

# From here on, cargo's units are traced.
#   begin_tracing [OWN]: `:own` for build scripts and those crates alone whose sources are sent
begin_tracing() {
  if [ -x "$NOTES/reads" ]; then
    export LD_PRELOAD="$NOTES/hook.so" LAYERDOIT_TRACE="$NOTES/trace:/build/src:$NOTES${1-}"
  fi
}

# What the units of an earlier or of this build read, as it is in /build/tree. To be called before that changes.
settle() {
  [ ! -e "$NOTES/log" ] || "$NOTES/reads" settle /build/src /build/tree "$NOTES"
}

# For awk: the workspace's own unit that a message of cargo names: `rustc <root of the crate> <fresh: 1|0>`,
# `script <OUT_DIR>`, tab-separated; '' for another one.
OWN_UNIT='function field(name) {
  return match($0, "\"" name "\":\"[^\"]*\"") ? substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 5) : ""
}
function own_unit(  root) {
  if (/"reason":"compiler-artifact"/ && (root = field("src_path")) ~ /^\/build\/src\//) return "rustc\t" root "\t" ($0 ~ /"fresh":true/)
  if (/"reason":"build-script-executed"/ && /path\+file:\/\/\/build\/src[\/#")]/) return "script\t" field("out_dir")
  return ""
}'

# Of own units (on standard input), those of which it is not known what they read; the log gets a mark for each.
unrecorded() {
  : >>"$NOTES/known"
  awk -F '\t' -v log_file="$NOTES/log" '
    FILENAME != "-" { if ($1 == "unit") known[$3 "\t" $5] = 1; next }
    !(($1 "\t" $2) in known) {
      print
      print "unit\t? " $2 "\t" $1 "\t?\t" $2 >>log_file
      print "opaque\t? " $2 "\t" ($3 == "0" ? "cargo\047s programs were not seen" : "it was compiled unseen") >>log_file
    }
  ' "$NOTES/known" -
}

# Units (`rustc <root>` or `script <OUT_DIR>` and more, tab-separated, on standard input) that cargo shall run again. A
# build script runs again where what it printed is older than itself.
redo() {
  : >/tmp/redo-rustc
  : >/tmp/redo-script
  : >/tmp/moved
  awk -F '\t' '!told[$1 $2]++ { print $2 >("/tmp/redo-" $1) } $4 == "move" && !moved[$5]++ { print $5 >"/tmp/moved" }'
  # What they wrote, moved or removed, they find again.
  if [ -s /tmp/moved ]; then
    (cd /build/src && each /tmp/moved rm -rf --)
    (cd /ctx && each /tmp/moved cp -d --parents --preserve=mode --remove-destination -t /build/src --)
    (cd /build/src && renew /tmp/moved -h)
  fi
  while read -r root; do
    [ ! -e "$root" ] || echo "$root"
  done </tmp/redo-rustc >/tmp/roots
  renew /tmp/roots
  while read -r folder; do
    find "${folder%/out}" -maxdepth 2 -type f \( -path "${folder%/out}/output" -o -path '*/run/*' \) -exec touch -d @1 '{}' +
  done </tmp/redo-script
}
