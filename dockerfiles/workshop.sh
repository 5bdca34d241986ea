# The first process of a workshop: a container from the deps image in which the edits of a watch are compiled, each as
# build.sh would, in /build, which stays. Ends, and the container with it, when nobody speaks to it any more.
# Requests are lines on standard input: a verb, an id, words. Lines that begin with $SAYS are for the watch: a word, the id,
# words; the last one of a request is `done` with its exit code.
export LC_ALL=C
. /control/compile.sh

say() { printf '\n%s %s\n' "$SAYS" "$*"; }

# --- sources ---------------------------------------------------------------------------------------------------------

# Takes in what follows a request: GONE bytes of paths in /ctx that are not there any more, and SENT bytes of an archive
# of what is new, in /ctx and /control. ANEW: what was sent before does not count.
take_in() {
  if [ "$3" = anew ]; then rm -rf /ctx; fi
  [ -d /ctx ] || mkdir /ctx
  if [ "$1" -gt 0 ]; then
    head -c "$1" >/tmp/gone
    (
      cd /ctx
      xargs -d '\n' rm -rf -- </tmp/gone
      sed -n 's|/[^/]*$||p' /tmp/gone | sort -u | xargs -r -d '\n' rmdir -p --ignore-fail-on-non-empty --
    ) 2>/dev/null
  fi
  # All of it, whatever tar thinks of it: what it left unread would be the next request.
  head -c "$2" >/tmp/sent && tar --extract --no-same-owner --recursive-unlink -C / -f /tmp/sent
}

# --- compiling -------------------------------------------------------------------------------------------------------

# What is done once. As in an image's build, there are no more variables than that has.
begin() {
  unset HOSTNAME
  . /control/arguments
  mkdir -p /.layerdoit/ahead
  chmod 1777 /.layerdoit
  # The deployment before has compiled it already.
  [ -x /.layerdoit/live ] || make_supervisor &
  for name in overwrite relay; do cc -O2 -w -o "/tmp/$name" "/programs/$name.c" & done
  if [ -s /run/secrets/cargo-config ]; then ln -sf /run/secrets/cargo-config /cargo/config.toml; fi
  : >/tmp/held
  : >/tmp/executables
  : >/tmp/lock
  mkfifo /tmp/locked /tmp/kept /tmp/printed /tmp/words /tmp/ended
  observe /control
  (set -e; merge_deps) || exit
  # Here, for a turn is another process, which cannot wait for it.
  observed
  wait
}

make_supervisor() {
  { cc -O2 -w -static -o /.layerdoit/live.part /programs/live.c || cc -O2 -w -o /.layerdoit/live.part /programs/live.c; } \
    && mv /.layerdoit/live.part /.layerdoit/live
}

# As in the build of an image, its arguments are variables.
#   turn HELD: `held` where what cargo reads before it looks at sources is as it was
turn() {
  set -eu
  held=$1
  set -a
  . /control/arguments
  set +a
  echo yes >/tmp/bringing
  bring_in /ctx /control/tree
  : >/tmp/bringing
  compile || exit $?
  refuse_warnings
  tell_linked
  wrong=0
  tell_lacking
  wait "$copying"
  [ "$wrong" -eq 0 ] || exit "$wrong"
  while read -r deployment bin; do
    [ "/live/$deployment/$bin" -ef "/live/$deployment/.$bin.same" ] || say changed "$id" "$deployment" "$bin"
  done </control/deployments
}

# In the place of that of sync.sh: the watch has compared what it sent when it read it.
verify() { :; }

# In the place of that of build.sh: a program that is not the one that serves is put beside that one.
copy_binaries() {
  put_beside &
  copying=$!
}

# A hard link says which program was found to be the same: whoever puts another one there, makes another file.
put_beside() {
  while read -r path; do
    while read -r deployment bin; do
      [ "${path##*/}" = "$bin" ] || continue
      served=/live/$deployment/$bin beside=/live/$deployment/.$bin
      # Until there is a container that serves, the folder is empty, and stays so: the engine fills it.
      [ -e "$served" ] || continue
      if [ "$served" -ef "$beside.same" ] && ! is_linked "$path"; then continue; fi
      put_new "$path" "$beside" &
      if cmp -s "$path" "$served"; then
        ln -f "$served" "$beside.same"
        if wait $!; then mv -f "$beside.new" "$beside.spare"; else rm -f "$beside.new"; fi
      else
        rm -f "$beside.same"
        wait $! || return
      fi
    done </control/deployments
  done </tmp/executables
}

# A program of an earlier edit that nobody runs any more is written over: it differs in little.
put_new() {
  if [ -e "$2.new" ]; then spare=$2.new; else spare=$2.spare; fi
  { [ -e "$spare" ] && /tmp/overwrite "$1" "$spare" "$2.new"; } || cp -f "$1" "$2.new"
}

is_linked() {
  while read -r name; do [ "$name" != "${1##*/}" ] || return 0; done </tmp/linked
  return 1
}

# --- cargo, ahead of an edit -----------------------------------------------------------------------------------------

# Begins cargo, and holds it by a lock on the folder that it compiles into: it waits for that when it has read manifests,
# its configuration and which files there are, and before it looks at any source. (Measured: 60 ms of each edit.)
hold() {
  let_go
  set -a
  . /control/arguments
  set +a
  # Where the last build has failed, the one before it says where that is.
  path='' lock=''
  if read -r path </tmp/executables; then echo "${path%/*}/.cargo-lock" >/tmp/lock; fi
  if ! read -r lock </tmp/lock || ! [ -x /tmp/relay ] || ! command -v flock >/dev/null || ! cd "/build/src/$WORKDIR"; then
    say done "$id" 0
    return
  fi
  (
    # The last one has finished, and may not have ended.
    flock -w 1 9
    echo $? >/tmp/locked
    read -r _ </tmp/kept
  ) 9>>"$lock" &
  keeper=$!
  read -r locked </tmp/locked
  if [ "$locked" -eq 0 ]; then
    begin_cargo 'exec cargo' >/tmp/printed 2>/tmp/words &
    cargo=$!
    /tmp/relay /tmp/messages "$cargo" </tmp/printed 3</tmp/words &
    relay=$!
    read -r holder _ </proc/self/stat
    echo "$holder $keeper $relay $cargo $lock" >/tmp/held
  else
    kill -KILL "$keeper"
  fi
  say done "$id" 0
  [ "$locked" -eq 0 ] || return
  status=0
  wait "$relay" || { wait "$cargo" || status=$?; }
  echo "$status" >/tmp/ended
}

let_go() {
  [ -s /tmp/held ] || return 0
  read -r holder keeper relay cargo _ </tmp/held
  : >/tmp/held
  kill -KILL "$holder" "$keeper" "$relay" "$cargo" 2>/dev/null || true
}

# Whether cargo has come to where it waits: it has opened what is locked.
is_held() {
  [ "$held" = held ] && [ -s /tmp/held ] || return 1
  read -r holder keeper relay cargo lock </tmp/held
  for opened in "/proc/$cargo/fd/"*; do
    [ ! "$opened" -ef "$lock" ] || return 0
  done
  return 1
}

# In the place of that of compile.sh: the cargo that is held goes on. What it prints goes to /tmp/messages.
run_cargo() {
  if is_held; then
    held=
    kill -KILL "$keeper"
    read -r status </tmp/ended
    : >/tmp/held
    return "$status"
  fi
  let_go
  (begin_cargo cargo) >"$1"
}

# --- what serves -----------------------------------------------------------------------------------------------------

# The compiled programs that are named take the place of those that serve, which stay beside them; then it is started.
#   start DEPLOYMENT TOKEN HOW GRACE [PROGRAM…]    HOW: `restart` or `overlap`, as the supervisor knows them
start() {
  deployment=$1 token=$2 how=$3 grace=$4
  shift 4
  # What an earlier start has left, no container can go back to.
  for old in "/live/$deployment"/.*.old; do [ ! -e "$old" ] || rm -f "$old"; done
  for bin; do
    served=/live/$deployment/$bin beside=/live/$deployment/.$bin
    [ ! -e "$served" ] || ln -f "$served" "$beside.old" || return 2
    mv -f "$beside.new" "$served" || return 2
  done
  ask "$token" "$how" "$grace"
}

# Those that were replaced are there again; then they are started.
put_back() {
  while read -r deployment bin; do
    if [ "$deployment" = "$1" ] && [ -e "/live/$1/.$bin.old" ]; then mv -f "/live/$1/.$bin.old" "/live/$1/$bin" || return 2; fi
  done </control/deployments
  ask "$2" restart "$3" && ask "$2" keep
}

keep() {
  ask "$2" keep || return
  # Else it has ended meanwhile.
  [ "$answer" = kept ] || return 0
  for old in "/live/$1"/.*.old; do [ ! -e "$old" ] || mv -f "$old" "${old%.old}.spare"; done
}

# Says what the supervisor of a live container answers; 1 where nobody listens.
ask() {
  answer=$(/.layerdoit/live ask "/.layerdoit/$@") || return
  say told "$id" "$answer"
}

# Whose programs serve: the key of a tree, or those of the image.
#   ahead DEPLOYMENT [KEY]
ahead() {
  if [ $# -gt 1 ]; then
    echo "$2" >"/.layerdoit/ahead/$1.part" && mv "/.layerdoit/ahead/$1.part" "/.layerdoit/ahead/$1"
  else
    rm -f "/.layerdoit/ahead/$1"
  fi
}

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

# Ends whatever runs here but this shell. What comes next finds nothing of it. Sources that were brought in half-way would
# be brought in anew, all of them, so that is waited for.
cancel() {
  looks=0
  while [ -s /tmp/bringing ] && [ "$((looks += 1))" -lt 30 ]; do sleep 0.002; done
  : >/tmp/bringing
  : >/tmp/held
  kill -KILL -1 2>/dev/null
  while kill -0 -1 2>/dev/null; do sleep 0.002; done
}

begin
say ready
while read -r verb id words; do
  # shellcheck disable=SC2086 # words are words
  set -- $words
  case $verb in
    turn) if take_in "$@"; then run "$id" turn "$4"; else say done "$id" broken; fi ;;
    cancel) cancel; say done "$id" 0 ;;
    hold) hold </dev/null & ;;
    ask | start | put_back | keep | ahead) run "$id" "$verb" "$@" ;;
  esac
done
