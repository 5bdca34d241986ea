# Installs the packages of a lock file, in the folder that has it.
# `download`: with the logins of this machine, and without running any code of a package.
# `scripts`: what packages want to run after it. /control/settings has MANAGER, YARN, SCRIPTS and the variables of the user.
set -eu
. /control/settings
if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi
if [ -s /run/secrets/proxy ]; then . /run/secrets/proxy; fi
export CI=true npm_config_update_notifier=false npm_config_audit=false npm_config_fund=false
if [ "$MANAGER" = pnpm ]; then
  # The one of the project, and no other one. Scripts that nobody has approved do not run, which is no failure.
  export npm_config_manage_package_manager_versions=false pnpm_config_pm_on_fail=ignore pnpm_config_strict_dep_builds=false
  export npm_config_store_dir=/var/cache/pnpm pnpm_config_store_dir=/var/cache/pnpm
fi
export YARN_ENABLE_TELEMETRY=0 YARN_ENABLE_GLOBAL_CACHE=true YARN_ENABLE_PROGRESS_BARS=false
case "$1" in
  download)
    case "$MANAGER" in
      npm) npm ci --ignore-scripts --include=dev --include=optional ;;
      pnpm) pnpm install --frozen-lockfile --ignore-scripts --prod=false --reporter=append-only ;;
      yarn) yarn install --frozen-lockfile --ignore-scripts --non-interactive --production=false ;;
      berry) yarn install --immutable --mode=skip-build ;;
    esac
    rm -rf /root/.npm/_cacache /root/.npm/_logs /usr/local/share/.cache/yarn /root/.cache/yarn
    ;;
  scripts)
    [ "$SCRIPTS" = yes ] || exit 0
    case "$MANAGER" in
      npm | yarn) if [ -d node_modules ]; then npm rebuild; fi ;;
      pnpm) pnpm rebuild --recursive --reporter=append-only ;;
      berry) yarn rebuild ;;
    esac
    rm -rf /root/.npm/_cacache /root/.npm/_logs
    ;;
esac
