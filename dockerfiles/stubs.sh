# Sourced by cook.sh: cargo runs no rustc for the stubs, whose libraries nobody uses. (An empty library takes rustc 20 to
# 100 ms, and those of a workspace come one after the other.)
#   /ctx/control/stubs: the variable that names the wrapper: cargo starts it for packages of the workspace only, or for
#   all where some of these stay: what they are called by depends on their wrapper.

begin_stubs() {
  stubs_variable=$(cat /ctx/control/stubs)
  # Who starts compilers by another program needs it for more than stubs.
  if [ -n "${CARGO_BUILD_RUSTC_WRAPPER-}" ] && [ "$stubs_variable" = CARGO_BUILD_RUSTC_WRAPPER ]; then return 0; fi
  cat >/tmp/stubs <<'END'
#!/bin/sh
stub= name= folder= end= script= last=
for word in "$@"; do
  case $last in
    --crate-name) name=$word ;;
    --out-dir) folder=$word ;;
    --crate-type) [ "$word" != bin ] || script=yes ;;
  esac
  case $word in
    .stub/*.rs | /build/src/*/.stub/*.rs | /build/src/.stub/*.rs) stub=yes ;;
    extra-filename=*) end=${word#*=} ;;
  esac
  last=$word
done
[ -n "$stub" ] || exec "$@"
# A build script is run.
if [ -n "$script" ]; then
  printf '#!/bin/sh\n' >"$folder/$name$end"
  chmod 755 "$folder/$name$end"
fi
END
  chmod 755 /tmp/stubs
  export "$stubs_variable=/tmp/stubs"
}
