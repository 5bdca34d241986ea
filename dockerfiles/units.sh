# Sourced by cook.sh and lend.sh: the units of a target folder, and those that other deps images lend.
# A unit is what cargo compiles or runs at once: a library, a build script, a run of one. Its id is the hash that cargo
# names its files by.
# /ctx/control/locked: lines of `SOURCE NAME@VERSION`, tab-separated, of the packages that are locked. SOURCE: with the
# commit or the checksum behind a `#`, and without a login.
# /cooked/units: lines of `ID SOURCE NAME@VERSION WORD DIGEST IDS`, tab-separated, of all that was compiled for this image
# and for those below it. SOURCE: as it was locked; WORD: `public` if it and all that it was compiled with is of crates.io,
# else `private`; DIGEST: of what others are compiled against; IDS: the units that it was compiled with, `?` for one that
# nobody knows.

# The id in a path of a target folder, in both layouts: deps/libserde-ID.rlib; build/serde/ID/out/libserde.rlib (cargo 1.100).
units_awk='
  function unit(path) { return match(path, "[-/]" hash "([./]|$)") ? substr(path, RSTART + 1, 16) : "" }
  BEGIN { for (i = 0; i < 16; i++) hash = hash "[0-9a-f]"; FS = OFS = "\t" }
'
units_public='registry+https://github.com/rust-lang/crates.io-index'

# What cargo's messages name: lines of `ID SOURCE NAME@VERSION`, and `stale` behind it where it was compiled now.
units_of() {
  awk "$units_awk"'
    { path = "" }
    /"reason":"compiler-artifact"/ && match($0, /"filenames":\["[^"]*/) { path = substr($0, RSTART + 14, RLENGTH - 14) }
    /"reason":"build-script-executed"/ && match($0, /"out_dir":"[^"]*/) { path = substr($0, RSTART + 11, RLENGTH - 11) }
    path == "" || !match($0, /"package_id":"[^"]*/) { next }
    {
      id = substr($0, RSTART + 14, RLENGTH - 14)
      if (split(id, word, " ") > 2) {
        source = substr(word[3], 2, length(word[3]) - 2)
        name = word[1] "@" word[2]
      } else {
        source = name = id
        sub(/#[^#]*$/, "", source)
        sub(/.*#/, "", name)
        if (name !~ /@/) {
          last = source
          sub(/\?.*/, "", last)
          sub(/\/+$/, "", last)
          sub(/.*\//, "", last)
          name = last "@" name
        }
      }
      # Nobody else learns a login in an address.
      gsub(/\/\/[^\/@]*@/, "//***@", source)
      # Vendored sources, and those that another place is set for, can be anything.
      if (match($0, /"manifest_path":"[^"]*/) && substr($0, RSTART + 17, 7) != "/cargo/") source = "path"
      print unit(path), source, name, (/"fresh":false/ ? "stale" : "")
    }
  ' "$1" | awk -F '\t' '$1 != "" && !told[$1]++'
}

# cargo's notes of the units that a file lists: lines of `ID NUMBER NUMBERS`, its own number and those of the units that
# it was compiled with. cargo writes the one in hexadecimal digits, the bytes reversed, and the others in decimal ones.
numbers_of() {
  find "$2" -maxdepth 6 -name '*.json' \( -path '*/.fingerprint/*' -o -path '*/fingerprint/*' \) | awk "$units_awk"'
    FILENAME == ARGV[1] { wanted[$1]; next }
    !((id = unit($0)) in wanted) { next }
    {
      text = own = line = below = ""
      while ((getline line <$0) > 0) text = text line
      close($0)
      file = $0
      sub(/\.json$/, "", file)
      if ((getline own <file) <= 0) next
      close(file)
      sub(/^.*"deps":\[/, "", text)
      sub(/\],"local":.*/, "", text)
      while (match(text, /,[0-9]+\]/)) {
        below = below " " substr(text, RSTART + 1, RLENGTH - 2)
        text = substr(text, RSTART + RLENGTH)
      }
      hex = ""
      for (i = 15; i > 0; i -= 2) hex = hex substr(own, i, 2)
      print id, "0x" hex, substr(below, 2)
    }
  ' "$1" - >/tmp/units-notes
  cut -f 2 /tmp/units-notes | xargs -r printf '%u\n' >/tmp/units-numbers
  paste /tmp/units-notes /tmp/units-numbers | awk -F '\t' -v OFS='\t' '{ print $1, $4, $3 }'
}

# Digests of what others are compiled against, of the units that a file lists: lines of `ID DIGEST`.
digests_of() {
  (cd "$2" && find . -maxdepth 6 -type f \( -name '*.rmeta' -o -name '*.so' -o -name output \)) | awk "$units_awk"'
    FILENAME == ARGV[1] { wanted[$1]; next }
    unit($0) in wanted
  ' "$1" - | sort >/tmp/units-files
  (cd "$2" && xargs -r -d '\n' b2sum -l 128 -- </tmp/units-files) | awk "$units_awk"'
    { digest[unit($0)] = digest[unit($0)] substr($0, 1, 32) }
    END { for (id in digest) print id, digest[id] }
  '
}

# After a cook: what is in the image now, for those that come after it.
note_units() {
  units_of "$1" >/tmp/units-used
  numbers_of /tmp/units-used /cooked/target >/tmp/units-graph &
  digests_of /tmp/units-used /cooked/target >/tmp/units-digests
  wait "$!"
  touch /cooked/units
  awk -F '\t' -v OFS='\t' -v public="$units_public" '
    FILENAME == ARGV[1] { id_of[$2] = $1; below[$1] = $3; next }
    FILENAME == ARGV[2] { digest[$1] = $2; next }
    FILENAME == ARGV[3] { source[$1] = $2; name[$1] = $3; next }
    FILENAME == ARGV[4] { plain = $1; sub(/#[^#]*$/, "", plain); locked[plain, $2] = $1; next }
    { before[$1] = $0; digest_before[$1] = $5 }
    function word(id,  i, count, part) {
      if (id in words) return words[id]
      words[id] = "private"
      if (!(id in source) || source[id] != public || !(id in below)) return words[id]
      count = split(below[id], part, " ")
      for (i = 1; i <= count; i++) if (!(part[i] in id_of) || word(id_of[part[i]]) != "public") return words[id]
      return words[id] = "public"
    }
    END {
      # Where one was compiled again to something else, nobody knows any more what the old ones were compiled with.
      for (id in source) if (id in digest_before && digest_before[id] != digest[id]) changed = 1
      if (!changed) for (id in before) if (!(id in source)) print before[id]
      for (id in source) word(id)
      for (id in source) {
        ids = ""
        count = split(below[id], part, " ")
        for (i = 1; i <= count; i++) ids = ids " " (part[i] in id_of ? id_of[part[i]] : "?")
        if ((source[id], name[id]) in locked) source[id] = locked[source[id], name[id]]
        print id, source[id], name[id], word(id), digest[id], substr(ids, 2)
      }
    }
  ' /tmp/units-graph /tmp/units-digests /tmp/units-used /ctx/control/locked /cooked/units | sort >/tmp/units-now
  mv /tmp/units-now /cooked/units
}

# The paths of a target folder that belong to the units which a file lists, whole folders by their names.
paths_of() {
  (cd "$2" && find . -mindepth 3 -maxdepth 5 \( -path '*/.fingerprint/*' -o -path '*/deps/*' -o -path '*/build/*' \) -printf '%P\n') | awk "$units_awk"'
    FILENAME == ARGV[1] { wanted[$1]; next }
    (id = unit($0)) in wanted && match($0, "(/[.]fingerprint/[^/]*-|/deps/[^/]*-|/build/[^/]*[-/])" id "([.][^/]*)?$")
  ' "$1" -
}

# --- in a cook -------------------------------------------------------------------------------------------------------

# What the donors lend (/donors/N, as lend.sh leaves it) comes into the target folder before cargo looks at it: what is not
# there yet, and was compiled with what is there or comes too. All of it gets one time, that of /tmp/units-lent: cargo
# compiles what is older than what it is made of.
take_units() {
  ls -d /donors/*/units >/dev/null 2>&1 || return 0
  : >/tmp/units-lent
  : >/tmp/units-taken
  : >/tmp/units-sources
  touch /cooked/units
  mkdir -p /cooked/target
  find /cooked/target -mindepth 2 -maxdepth 5 \( -path '*/.fingerprint/*' -o -name fingerprint \) | awk "$units_awk"'unit($0) != "" { print unit($0) }' >/tmp/units-there
  for donor in /donors/*; do
    [ -s "$donor/units" ] || continue
    awk -F '\t' -v OFS='\t' -v donor="${donor##*/}" '
      FILENAME == ARGV[1] { there[$1]; next }
      FILENAME == ARGV[2] { digest[$1] = $5; next }
      FILENAME == ARGV[3] { there[$1]; digest[$1] = $3; next }
      { lent[$1] = $7; below[$1] = $6; theirs[$1] = $5 }
      function fits(id,  i, count, part) {
        if (id in known) return known[id]
        known[id] = 0
        if (id in there) return known[id] = (id in digest && id in theirs && digest[id] == theirs[id])
        if (lent[id] != "lent") return 0
        count = split(below[id], part, " ")
        for (i = 1; i <= count; i++) if (!fits(part[i])) return 0
        return known[id] = 1
      }
      END { for (id in theirs) if (!(id in there) && fits(id)) print id, donor, theirs[id] }
    ' /tmp/units-there /cooked/units /tmp/units-taken "$donor/units" >/tmp/units-new
    paths_of /tmp/units-new "$donor/target" >/tmp/units-paths
    (cd "$donor/target" && xargs -r -d '\n' cp -a --parents -t /cooked/target -- </tmp/units-paths)
    (cd /cooked/target && xargs -r -d '\n' sh -c 'find "$@" -exec touch -h -r /tmp/units-lent -- {} +' sh </tmp/units-paths)
    cat /tmp/units-new >>/tmp/units-taken
    take_sources "$donor"
  done
}

# Sources that are not there yet; a crate that is there in part is cargo's to unpack.
take_sources() {
  [ -s "$1/sources" ] || return 0
  (cd /cargo/registry 2>/dev/null && xargs -r -d '\n' ls -d) <"$1/sources" 2>/dev/null | sort >/tmp/units-had
  sort "$1/sources" | comm -23 - /tmp/units-had >/tmp/units-came
  mkdir -p /cargo/registry
  (cd "$1/registry" && xargs -r -d '\n' cp -a --parents -t /cargo/registry -- </tmp/units-came)
  cat /tmp/units-came >>/tmp/units-sources
}

# Take back what a donor lent: all of it, for what is not among it may have failed because of it.
return_units() {
  [ -s /tmp/units-taken ] || return 0
  paths_of /tmp/units-taken /cooked/target >/tmp/units-paths
  (cd /cooked/target && xargs -r -d '\n' rm -rf -- </tmp/units-paths)
  : >/tmp/units-taken
}

# Sources that were put aside.
bring_back() {
  while read -r path; do
    if ! [ -e /cargo/registry/"$path" ]; then mv /tmp/units-aside/"$path" /cargo/registry/"$path"; fi
  done </tmp/units-idle
}

# After cargo: what it did not use goes (sources into /tmp/units-aside, listed in /tmp/units-idle), and how much it did is
# told. In MESSAGES, a run of a build script looks the same whether it was fresh or not; but then its output is new.
settle_units() {
  [ -e /tmp/units-lent ] || return 0
  units_of "$1" >/tmp/units-used
  awk -F '\t' 'FILENAME == ARGV[1] { used[$1]; next } !($1 in used)' /tmp/units-used /tmp/units-taken >/tmp/units-needless
  paths_of /tmp/units-needless /cooked/target >/tmp/units-paths
  (cd /cooked/target && xargs -r -d '\n' rm -rf -- </tmp/units-paths)
  if [ -s /tmp/units-sources ]; then
    grep -o '"manifest_path":"/cargo/registry/src/[^"]*' "$1" | sed 's|.*/registry/src/||; s|/Cargo.toml$||' | sort -u >/tmp/units-used-sources
    awk -F / '
      FILENAME == ARGV[1] { split($0, part, "/"); crates[part[1] "/" part[2]]; next }
      # The index has all packages of Cargo.lock: without them, cargo resolves nothing.
      $1 == "index" { next }
      { crate = $3; sub(/\.crate$/, "", crate); if (!(($2 "/" crate) in crates)) print }
    ' /tmp/units-used-sources /tmp/units-sources >/tmp/units-paths
    cp /tmp/units-paths /tmp/units-idle
    (cd /cargo/registry && while read -r path; do mkdir -p /tmp/units-aside/"${path%/*}" && mv "$path" /tmp/units-aside/"$path"; done) </tmp/units-idle
  fi
  (cd /cooked/target && find . -maxdepth 5 -path '*/build/*' -name output -newer /tmp/units-lent) | awk "$units_awk"'{ print unit($0) }' >/tmp/units-run
  awk -F '\t' '
    FILENAME == ARGV[1] { ran[$1]; next }
    FILENAME == ARGV[2] { donor[$1] = $2; next }
    $2 !~ /^path/ { units++; if ($1 in donor && $4 != "stale" && !($1 in ran)) { taken++; count[donor[$1]]++ } }
    END { text = "units=" units + 0 " taken=" taken + 0; for (one in count) text = text " " one "=" count[one]; print text }
  ' /tmp/units-run /tmp/units-taken /tmp/units-used >/tmp/units-told
  echo "layerdoit: taken $(cat /tmp/units-told)" >&2
}
