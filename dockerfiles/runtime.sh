# Read by build.sh: whether the binaries start in the image, which is not there yet: /runtime is the image below it,
# /control/image says what the configuration adds, /control/libraries holds the shared libraries among the assets.

# A library among the assets: its path there, and the one in the image.
placed() {
  mkdir -p "/tmp/placed$(dirname "$2")"
  ln -sf "/control/libraries/$1" "/tmp/placed$2"
}

# The folders in which the loader $2 of the image looks for the libraries of $1, as they are found here.
library_path() {
  [ -s /tmp/folders ] || common_folders "$2" >/tmp/folders
  readelf -d "$1" 2>/dev/null | sed -nE 's/.*\((RPATH|RUNPATH)\).*\[(.*)\]$/\2/p' | sed -E 's#\$(ORIGIN|\{ORIGIN\})#/usr/local/bin#g' | here
  cat /tmp/folders
}

# The same for any binary: what LD_LIBRARY_PATH, the loader's cache and the loader itself name.
common_folders() {
  {
    printf '%s\n' "$IMAGE_LIBRARY_PATH"
    # Dockerfile.app runs it where an asset wants it.
    if [ -e /runtime/sbin/ldconfig ]; then printf '%s\n' /usr/local/lib "/usr/local/lib/$(uname -m)-linux-gnu"; fi
    # Not by --list-diagnostics: that takes half a second.
    "/runtime$1" --help 2>/dev/null | sed -n 's#^ *\(/.*\) (system search path)$#\1#p'
  } | here
  {
    printf '%s\n' /runtime/usr/local/lib /runtime/lib/*-linux-gnu* /runtime/usr/lib/*-linux-gnu* /runtime/lib /runtime/usr/lib
    cat /runtime/etc/ld.so.conf /runtime/etc/ld.so.conf.d/*.conf 2>/dev/null | sed -n 's#^/#/runtime/#p'
  } | awk '!seen[$0]++ { printf "%s:", $0 }'
}

# Folders of the image on standard input, separated by colons: what assets put there, and what the runtime image has there.
here() { tr ':' '\n' | grep '^/' | xargs -r -d '\n' realpath -ms -- | sed 's#.*#/tmp/placed&:/runtime&:#' | tr -d '\n'; }

loader_of() { readelf -l "$1" 2>/dev/null | sed -n 's/.*program interpreter: \(.*\)\]/\1/p'; }

on_runtime() {
  loader=$(loader_of "$1")
  if [ -n "$loader" ]; then
    "/runtime$loader" --inhibit-cache --inhibit-rpath "$1" --library-path "$(library_path "$1" "$loader")" "$@"
  else
    "$@"
  fi
}

# The libraries and symbol versions that a binary needs must be in the image: its own loader says.
check_runtime() {
  readelf -hld "$1" >/tmp/headers 2>/dev/null
  machine=$(sed -n 's/^ *Machine: *//p' /tmp/headers)
  if [ -n "$machine" ] && [ -n "$MACHINE" ] && [ "$machine" != "$MACHINE" ]; then
    echo "layerdoit: other-machine binary=$(basename "$1") $machine" >&2
    return 1
  fi
  [ "$CHECK_LIBRARIES" = yes ] || return 0
  loader=$(sed -n 's/.*program interpreter: \(.*\)\]/\1/p' /tmp/headers)
  [ -n "$loader" ] || return 0
  [ -n "$FOREIGN" ] || ! is_plain "$1" "$loader" || return 0
  if ! [ -e "/runtime$loader" ]; then
    echo "layerdoit: missing binary=$(basename "$1") library=$loader package=libc6" >&2
    return 1
  fi
  if [ -n "$FOREIGN" ]; then
    check_foreign "$1"
    return
  fi
  "/runtime$loader" --inhibit-cache --inhibit-rpath "$1" --library-path "$(library_path "$1" "$loader")" --list "$1" >/tmp/libraries 2>&1 || true
  bad=0
  while read -r line; do
    case "$line" in
      *"version \`"*"not found"*) echo "layerdoit: too-new binary=$(basename "$1") $line" >&2; bad=1 ;;
      *"=> /runtime/"* | *"=> /tmp/placed/"* | linux-vdso* | /runtime/*) ;;
      *"=>"* | *"cannot open shared object file"*)
        library=$(echo "$line" | grep -oE '[^ /:]+\.so[^ :]*' | head -n 1)
        where=$(ldconfig -p | sed -n "s#^[[:space:]]*$library .*=> ##p" | head -n 1)
        package=$([ -z "$where" ] || dpkg -S "$(realpath "$where")" "$where" 2>/dev/null | head -n 1 | cut -d: -f1)
        found=$([ -n "$package" ] || whence "$library")
        echo "layerdoit: missing binary=$(basename "$1") library=$library package=${package:-?}$found" >&2; bad=1 ;;
    esac
  done </tmp/libraries
  return "$bad"
}

# The same of a program for another machine, whose loader does not run here: by what it, and each library, says of itself.
check_foreign() {
  library_path "$1" "$loader" | tr ':' '\n' | grep . >/tmp/within
  printf '%s\n' "$1" >/tmp/unread
  : >/tmp/known
  bad=0
  while read -r file <&3; do
    readelf -d "$file" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p' >/tmp/needed
    while read -r library <&4; do
      at=$(place_of "$library")
      grep -qxF "$library" /tmp/known && continue
      echo "$library" >>/tmp/known
      if [ -n "$at" ]; then
        echo "$at" >>/tmp/unread
        continue
      fi
      # The packages of a cross-compiler are called after those that they stand for.
      package=$(dpkg -S "*/$library" 2>/dev/null | head -n 1 | cut -d: -f1 | sed 's/-[a-z0-9]*-cross$//')
      found=$([ -n "$package" ] || whence "$library")
      echo "layerdoit: missing binary=$(basename "$1") library=$library package=${package:-?}$found" >&2
      bad=1
    done 4</tmp/needed
    versions_needed "$file" >/tmp/versions
    while read -r library version <&4; do
      at=$(place_of "$library")
      [ -n "$at" ] || continue
      versions_of "$at"
      grep -qxF "$version" "/tmp/versions-of$at" && continue
      echo "layerdoit: too-new binary=$(basename "$1") $library: version $version not found (required by $(basename "$file"))" >&2
      bad=1
    done 4</tmp/versions
  done 3</tmp/unread
  return "$bad"
}

# Where the loader would find a library, by the folders of /tmp/within.
place_of() {
  while read -r folder; do
    if [ -e "$folder/$1" ]; then
      echo "$folder/$1"
      return
    fi
  done </tmp/within
}

# Lines of `<library> <version>`; and the versions that a library has, in /tmp/versions-of: each library is read once.
versions_needed() {
  readelf -VW "$1" 2>/dev/null | awk '/^Version needs section/ { within = 1 } /^Version definition section/ { within = 0 }
    within && / File: / { for (i = 1; i < NF; i++) if ($i == "File:") library = $(i + 1) }
    within && / Name: / { for (i = 1; i < NF; i++) if ($i == "Name:") print library, $(i + 1) }'
}
versions_of() {
  [ ! -e "/tmp/versions-of$1" ] || return 0
  mkdir -p "/tmp/versions-of${1%/*}"
  readelf -VW "$1" 2>/dev/null | awk '/^Version definition section/ { within = 1 } /^Version needs section/ { within = 0 }
    within && / Name: / { for (i = 1; i < NF; i++) if ($i == "Name:") print $(i + 1) }' >"/tmp/versions-of$1"
}

# The ordinary case, in a tenth of the time: nothing says where to look, and the folders of the system have all there is.
is_plain() {
  [ -z "$IMAGE_LIBRARY_PATH" ] && [ -e "/runtime$2" ] || return 1
  for library in /control/libraries/*; do
    [ ! -e "$library" ] || return 1
  done
  ! grep -qE '\((RPATH|RUNPATH)\)' /tmp/headers || return 1
  folders=
  for folder in /runtime/lib/*-linux-gnu* /runtime/usr/lib/*-linux-gnu* /runtime/lib /runtime/usr/lib; do
    folders=$folders:$folder
  done
  "/runtime$2" --inhibit-cache --library-path "${folders#:}" --list "$1" >/tmp/libraries 2>&1 || return 1
  ! grep -qvE '=> /runtime/|^[[:space:]]+(/runtime/|linux-vdso)' /tmp/libraries
}

# Where a library is that no package has: among the assets, but in a folder where no loader looks; among the sources; or
# made by the build. Under its name, or under one with another version.
whence() {
  for name in "$1" "${1%%.so*}.so*"; do
    at=$(found_in /tmp/placed "$name")
    [ -z "$at" ] || { echo " placed=${at#/tmp/placed}"; return 0; }
    at=$(found_in /build/src "$name")
    [ -z "$at" ] || { echo " source=$(realpath -s --relative-to="/build/src/$WORKDIR" "$at")"; return 0; }
    at=$(found_in /build/target/ "$name")
    [ -z "$at" ] || { echo " made=${at#/build/}"; return 0; }
  done
}

found_in() { find "$1" -name "$2" ! -type d 2>/dev/null | sort | head -n 1; }

# The entry point must succeed with these words, on the image's own libraries; $1: how the configuration writes them.
smoke() {
  line=$1
  shift
  code=0
  on_runtime "$out/$ENTRYPOINT" "$@" >/tmp/smoke 2>&1 </dev/null || code=$?
  [ "$code" -ne 0 ] || return 0
  echo "error: the smoke test failed with exit code $code: $ENTRYPOINT $line" >&2
  tail -n 20 /tmp/smoke >&2
  exit 89
}
