# Builds a component: its sources are laid over the installed packages, the command runs, its output is set apart.
# /control/settings has MANAGER, SCRIPTS, BUILD, OUTPUT and the variables of the user.
set -eu
. /control/settings
cp -a /ctx/. /app/
export HUSKY=0 LEFTHOOK=0 SKIP_INSTALL_SIMPLE_GIT_HOOKS=1 npm_config_update_notifier=false npm_config_offline=true
if [ "$MANAGER" = pnpm ]; then
  export npm_config_manage_package_manager_versions=false pnpm_config_pm_on_fail=ignore
  export npm_config_store_dir=/var/cache/pnpm pnpm_config_store_dir=/var/cache/pnpm
  export npm_config_verify_deps_before_run=false pnpm_config_verify_deps_before_run=false
fi
export YARN_ENABLE_TELEMETRY=0 YARN_ENABLE_NETWORK=0 NEXT_TELEMETRY_DISABLED=1 ASTRO_TELEMETRY_DISABLED=1
begun=/tmp/layerdoit-begun
touch "$begun"
if [ "$SCRIPTS" = yes ]; then
  # The component's own scripts of an installation: they may need its sources, so they come here.
  for script in install postinstall prepare; do
    if node -e 'process.exit((require(process.cwd() + "/package.json").scripts || {})[process.argv[1]] ? 0 : 1)' "$script"; then
      echo "running its own script $script"
      case "$MANAGER" in npm) npm run "$script" ;; pnpm) pnpm run "$script" ;; *) yarn run "$script" ;; esac
    fi
  done
fi
PATH=$PWD/node_modules/.bin:$PATH sh -c "$BUILD" || exit $?
if [ ! -d "$OUTPUT" ] || [ -z "$(ls -A "$OUTPUT")" ]; then
  # What it wrote instead, by folder: `component wrote 12 build`.
  find . -path ./node_modules -prune -o -type f -newer "$begun" -print | sed -n 's|^\./\(.*\)/[^/]*$|\1|p' |
    awk -F/ '{n[$1]++} END {for (f in n) print "component wrote", n[f], f}'
  if [ -d "$OUTPUT" ]; then echo "component output is empty"; else echo "component output is not there"; fi
  exit 92
fi
rm -rf /output
cp -a "$OUTPUT" /output
