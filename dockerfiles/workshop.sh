# The first process of a workshop: a container from the deps image in which the edits of a watch are compiled, each as
# build.sh would, in /build, which stays. Ends, and the container with it, when nobody speaks to it any more.
# Requests are lines on standard input; $SAYS begins what is for the watch among all that is printed.
export LC_ALL=C
. /control/compile.sh

say() { printf '\n%s %s\n' "$SAYS" "$*"; }

# --- sources ---------------------------------------------------------------------------------------------------------

# Takes in what follows a request: GONE bytes of paths in /ctx that are not there any more, and SENT bytes of an archive
# of what is new, in /ctx and /control.
take_in() {
  if [ "$1" -gt 0 ]; then
    head -c "$1" >/tmp/gone
    (cd /ctx && xargs -d '\n' rm -rf -- && sed -n 's|/[^/]*$||p' /tmp/gone | sort -u | xargs -r -d '\n' rmdir -p --ignore-fail-on-non-empty --) </tmp/gone 2>/dev/null
  fi
  head -c "$2" | tar --extract --no-same-owner --recursive-unlink -C / -f -
}

# --- compiling -------------------------------------------------------------------------------------------------------

# As in the image: there, arguments of the build are variables.
turn() {
  set -eu
  set -a
  . /control/arguments
  set +a
  observe /control
  merge_deps
  bring_in /ctx /control/tree /control/changed
  compile || exit $?
  refuse_warnings
  tell_linked
  wrong=0
  tell_lacking
  wait "$copying"
  [ "$wrong" -eq 0 ] || exit "$wrong"
  while read -r deployment bin; do
    [ -e "/workshop/same/$deployment/$bin" ] || say changed "$id" "$deployment" "$bin"
  done </control/deployments
}

# In the place of that of an image: a program that is not as the one that serves is put beside that one.
copy_binaries() {
  sed -n 's/.*"kind":\["bin"\].*"executable":"\([^"]*\)".*/\1/p' /tmp/messages | sort -u >/tmp/executables
  put_beside &
  copying=$!
}

put_beside() {
  while read -r path; do
    while read -r deployment bin; do
      [ "${path##*/}" = "$bin" ] || continue
      folder=/live/$deployment same=/workshop/same/$deployment/$bin
      if cmp -s "$path" "$folder/$bin"; then
        mkdir -p "${same%/*}"
        : >"$same"
      else
        rm -f "$same"
        # Until the first container that serves is made, the folder stays empty.
        [ ! -e "$folder/$bin" ] || cp "$path" "$folder/.$bin.new"
      fi
    done </control/deployments
  done </tmp/executables
}

# --- what serves -----------------------------------------------------------------------------------------------------

# The compiled programs in the place of the old ones, which stay beside them; then they are started.
#   start DEPLOYMENT TOKEN GRACE
start() {
  while read -r deployment bin; do
    [ "$deployment" = "$1" ] && [ -e "/live/$1/.$bin.new" ] || continue
    (cd "/live/$1" && { [ ! -e "$bin" ] || ln -f "$bin" ".$bin.old"; } && mv -f ".$bin.new" "$bin") || return
  done </control/deployments
  rm -rf "/workshop/same/$1"
  ask "$2" restart "$3"
}

put_back() {
  for old in "/live/$1"/.*.old; do
    [ -e "$old" ] || continue
    name=${old##*/.}
    mv -f "$old" "/live/$1/${name%.old}" || return
  done
  rm -rf "/workshop/same/$1"
  ask "$2" restart "$3"
  ask "$2" keep
}

keep() {
  ask "$2" keep
  rm -f "/live/$1"/.*.old
}

ask() { token=$1; shift; /.layerdoit/live ask "/.layerdoit/$token" "$@"; }

# --- requests --------------------------------------------------------------------------------------------------------

# In the background: the next request may be to end it.
run() {
  id=$1
  shift
  (
    ("$@")
    say done "$id" $?
  ) </dev/null &
}

# Whatever runs here but this shell. When the next request is read, all of it is gone.
cancel() {
  kill -KILL -1 2>/dev/null
  while kill -0 -1 2>/dev/null; do sleep 0.002; done
}

mkdir -p /ctx /workshop
unset HOSTNAME
say ready
while read -r verb id words; do
  # shellcheck disable=SC2086 # words are words
  set -- $words
  case $verb in
    turn) if take_in "$@"; then run "$id" turn; else say done "$id" 1; fi ;;
    cancel) cancel; say done "$id" 0 ;;
    start | keep | put_back) run "$id" "$verb" "$@" ;;
  esac
done
