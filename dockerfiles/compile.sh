# Sourced by build.sh and workshop.sh: the workspace's own crates are compiled in /build (src, tree, target), which is kept
# from one build to the next. /ctx holds the sources as sent, /control what the build is told.
. /control/sync.sh
. /control/variables.sh
. /control/runtime.sh
. /control/reads.sh

# A load of saved artefacts that was ended half-way (load.sh) left nobody knows what.
begin_anew() {
  [ -e /build/loading ] || return 0
  find /build -mindepth 1 -maxdepth 1 ! -name loading -exec rm -rf '{}' +
  rm /build/loading
}

# Bring in what the deps image has and this mount lacks. After an interrupted copy, copy all.
merge_deps() {
  if [ -e "/build/merged/$DEPS_KEY" ]; then return 0; fi
  mkdir -p /build/merged
  # Until something is compiled here, the packages that the deps image holds keep their times.
  if ! [ -e /build/stamp ]; then
    rm -rf /build/src /build/tree
    cp -a /cooked/src /cooked/tree /build/
  fi
  if [ -L /build/target ]; then
    # A workshop compiles in the image's own folder.
    :
  elif [ -e /build/merging ]; then
    cp -a /cooked/target /build/
  else
    : >/build/merging
    cp -a --update=none /cooked/target /build/ 2>/dev/null || cp -an /cooked/target /build/
  fi
  # What is known of units of this mount stands, for it comes last.
  if [ -s "/cooked/${NOTES##*/}/known" ]; then
    touch "$NOTES/known"
    cat "/cooked/${NOTES##*/}/known" "$NOTES/known" >"$NOTES/known.part"
    mv "$NOTES/known.part" "$NOTES/known"
  fi
  : >"/build/merged/$DEPS_KEY"
  rm -f /build/merging
}

# A repository that was made for this build (/tmp/repositories, by `sync`) becomes one that git takes: with its folders, and
# with an index that knows the times of the files. Nobody else writes that one, for a unit that wrote a file that was sent
# would run each time.
ready_git() {
  : >>/build/repositories
  [ -s /tmp/repositories ] || [ -s /build/repositories ] || return 0
  while read -r folder; do
    [ -e "/build/src/$folder/HEAD" ] || rm -rf "/build/src/$folder"
  done </build/repositories
  while read -r folder; do
    mkdir -p "/build/src/$folder/objects" "/build/src/$folder/refs"
    rm -f "/build/src/$folder/index.lock"
    git -C "/build/src/${folder%.git}." update-index -q --refresh >/tmp/refreshed 2>&1 || true
    : >"/build/src/$folder/index.lock"
  done </tmp/repositories
  mv /tmp/repositories /build/repositories
}

# What read what is different now: to /tmp/stale.
look_for_stale() {
  : >/tmp/stale
  : >/tmp/other-env
  cmp -s /control/env /build/env || echo yes >/tmp/other-env
  # Nobody sees which variables a macro or a build script asks for.
  if [ -s "$NOTES/known" ] && { [ ! -e /build/env ] || [ ! -s /tmp/other-env ]; }; then
    "$NOTES/reads" stale /build/src /build/tree "$NOTES" /ctx >/tmp/stale
  elif [ -e /build/stamp ]; then
    find /build/src -name '*.rs' | sed 's/^/rustc\t/' >/tmp/stale
  fi
}

# Have cargo compile again what is stale. What is compiled again for another reason, cargo knows.
distrust() {
  [ ! -s /tmp/other-env ] || cp /control/env /build/env
  [ -s /tmp/stale ] || return 0
  redo </tmp/stale
  awk -F '\t' '
    NF > 3 && !told[$3 $1]++ && ++count <= 20 { sub("move", "open", $4); print "layerdoit: stale " $3 " " $1 " " $4 " " $5 }
  ' /tmp/stale >&2 &
}

# What was read for this image: lines of `<crate> <stat|open|opaque> <path>`, tab-separated, packed for one log.
pack_reads() {
  if [ -x "$NOTES/reads" ]; then
    cut -f2 /tmp/own | "$NOTES/reads" list /build/src /build/tree "$NOTES" | gzip -9n | base64 -w 4000 | sed 's/^/layerdoit: reads /'
  else
    echo "layerdoit: reads-unknown $(grep -m 1 error "$NOTES/made")"
  fi >/tmp/packed
  # A log has its limits.
  [ "$(stat -c %s /tmp/packed)" -le 100000 ] || : >/tmp/packed
}

# The binaries that cargo's messages name go to where the image takes them from. What comes next does not wait for that.
copy_binaries() {
  mkdir -p "$out"
  each /tmp/executables cp --reflink=auto -t "$out" -- &
  copying=$!
}

# What cargo's messages in a file say, in one reading: binaries in /tmp/executables, those that are new in /tmp/linked,
# external crates that were not fresh in /tmp/external, and in /tmp/counts how many units compiled, of how many, and how
# many lines the compiler said. Own units go to the file OWN.
#   understand MESSAGES OWN
understand() {
  : >/tmp/executables
  : >/tmp/linked
  : >/tmp/external
  : >"$2"
  awk -v own="$2" "$EXTERNAL_CRATE
$OWN_UNIT"'
    /^[{]"reason":"compiler-message"/ { said++; next }
    (unit = own_unit()) != "" && !units_told[unit]++ { print unit >own }
    /"reason":"compiler-artifact"/ {
      units++
      fresh = !/"fresh":false/
      compiled += !fresh
      if (!fresh && (crate = external_crate()) != "" && !told[crate]++) { print crate >"/tmp/external"; external++ }
      if (/"kind":\["bin"\]/ && (path = field("executable")) != "" && !made[path]++) {
        print path >"/tmp/executables"
        if (!fresh) { sub(".*/", "", path); print path >"/tmp/linked" }
      }
    }
    END { print compiled + 0, units + 0, external + 0, said + 0 >"/tmp/counts" }
  ' "$1"
}

# The time of the last build never goes back, not even with the clock.
stamp() {
  : >/tmp/now
  [ /build/stamp -nt /tmp/now ] || : >/build/stamp
}

compile() {
  cold=0
  [ -e /build/stamp ] || cold=1
  stamp
  cd "/build/src/$WORKDIR"
  : >/tmp/begun
  status=0
  build || status=$?
  read -r compiled units external said </tmp/counts
  echo "layerdoit: compiled=$compiled units=$units external=$external cold=$cold" >&2
  [ "$said" -eq 0 ] || tell_diagnostics
  [ "$external" -eq 0 ] || tell_misses
  return "$status"
}

# cargo, and once more for what was found compiled before anybody looked what it reads.
build() {
  built=0
  cargo_build /tmp/messages || built=$?
  # Before all else that is to be done now: a big one takes as long.
  [ "$built" -ne 0 ] || copy_binaries
  settle
  if [ "$built" -ne 0 ]; then return "$built"; fi
  [ -x "$NOTES/reads" ] || return 0
  unrecorded </tmp/own >/tmp/unseen
  settle
  while IFS="$(printf '\t')" read -r kind root fresh; do
    if [ "$fresh" = 1 ] || { [ "$kind" = script ] && [ "${root%/out}/output" -ot /tmp/begun ]; }; then
      printf '%s\t%s\n' "$kind" "$root"
    fi
  done </tmp/unseen >/tmp/suspects
  [ -s /tmp/suspects ] || return 0
  redo </tmp/suspects
  wait "$copying"
  again=0
  cargo_build /tmp/again || again=$?
  settle
  # What was compiled is what the first run and the second one compiled.
  grep '"fresh":false' /tmp/messages >/tmp/first || true
  cat /tmp/again >>/tmp/first
  mv /tmp/first /tmp/messages
  understand /tmp/messages /tmp/both
  [ "$again" -eq 0 ] || return "$again"
  copy_binaries
  unrecorded </tmp/own >/tmp/unseen
  settle
}

# Messages of cargo go to a file. To be followed by `settle`, whatever became of it.
cargo_build() {
  failed=0
  run_cargo "$1" || failed=$?
  stamp
  understand "$1" /tmp/own
  return "$failed"
}

run_cargo() {
  (begin_cargo cargo) >"$1"
}

# In a process of its own. What is another one in each build is no variable that a crate can ask for.
#   begin_cargo COMMAND: what runs cargo
begin_cargo() {
  unset TREE LAYERDOIT_ANEW
  set -a
  . /control/env
  set +a
  begin_tracing
  eval "$1 build --locked --offline --target-dir /build/target --message-format=json-diagnostic-rendered-ansi $CARGO_ARGS"
}

# What the compiler said of the workspace's own crates, packed for one log, errors first; and which of them were
# fresh. A log has its limits: where there is more than fits, the first ones.
tell_diagnostics() {
  grep '^{"reason":"compiler-message"' /tmp/messages >/tmp/said || return 0
  grep '^{"reason":"compiler-artifact","package_id":"[^"]*path+' /tmp/messages >/tmp/units || true
  for most in 2000 200 20; do
    {
      grep '"level":"error' /tmp/said || true
      grep -v '"level":"error' /tmp/said || true
    } | head -n "$most" | cat - /tmp/units | gzip -9n | base64 -w 4000 >/tmp/packed-diagnostics
    [ "$(stat -c %s /tmp/packed-diagnostics)" -gt 60000 ] || break
  done
  sed 's/^/layerdoit: diagnostics /' >&2 </tmp/packed-diagnostics
}

# External crates that were not fresh, and why: what cargo went by when they were cooked, and now. `doit layers explain`
# compares.
tell_misses() {
  sort -u /tmp/external | head -n 40 | sed 's/^/layerdoit: not-fresh /' >&2
  sed 's/@.*//' /tmp/external | sort -u | head -n 20 | while read -r name; do
    find /cooked/target/ -path "*/.fingerprint/$name-????????????????/*.json" | fingerprints cooked
    find /build/target/ -newer /tmp/begun -path "*/.fingerprint/$name-????????????????/*.json" | fingerprints used
  done
}

fingerprints() {
  while read -r file; do
    echo "layerdoit: fingerprint $1 ${file##*/.fingerprint/} $(sed 's/"declared_features":"\([^"\\]\|\\.\)*",//' "$file")" >&2
  done
}

# Brings in what was sent; what reads what is different now, and that alone, will compile again.
#   bring_in CTX TREE: as `sync` has them
bring_in() {
  settle
  sync "$@"
  ready_git
  observed
  look_for_stale &
  looking=$!
  distrust_variables
  wait "$looking"
  distrust
}

# Where the configuration denies warnings, there are none.
refuse_warnings() {
  . /control/image
  [ -z "$DENY_WARNINGS" ] || ! grep -q '"level":"warning"' /tmp/messages || exit 90
}

tell_linked() {
  while read -r bin; do echo "layerdoit: linked $bin" >&2; done </tmp/linked
}

# Binaries that are wanted, and that cargo did not make.
tell_lacking() {
  for bin in $BINS; do
    found=
    while read -r path; do [ "${path##*/}" != "$bin" ] || found=yes; done </tmp/executables
    [ -n "$found" ] || { echo "layerdoit: no-binary $bin" >&2; wrong=88; }
  done
}
