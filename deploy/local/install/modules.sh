# install_modules NPM: installs what package-lock.json pins. Sourced; runs in the folder of
# package.json.
# shellcheck shell=sh
#
# Security: a package's install script runs as the installing user, often root. None runs but those
# that package.json names in allowScripts, one by one.
install_modules() {
  use_writable_cache "$1"
  offline=
  reaches_registry "$1" || offline=--offline
  installing=0
  install_pinned "$1" || installing=$?
  [ -z "$own_cache" ] || rm -rf "$own_cache"
  return "$installing"
}

install_pinned() {
  if ! "$1" ci --ignore-scripts --no-audit --no-fund --loglevel=error $offline; then
    [ -z "$offline" ] || printf '%s\n' "sallyport: $unreachable" >&2
    return 1
  fi
  allowed=$(node -p '
    const { existsSync, readFileSync } = require("node:fs");
    const { allowScripts = {} } = JSON.parse(readFileSync("package.json", "utf8"));
    const names = Object.keys(allowScripts).filter((name) => allowScripts[name] === true);
    names.filter((name) => existsSync(`node_modules/${name}/package.json`)).join(" ")') || return 1
  for package in $allowed; do
    rebuilt=$("$1" rebuild "$package" --no-audit --no-fund --loglevel=error 2>&1) && continue
    printf '%s\n' "$rebuilt" >&2
    return 1
  done
}

# npm keeps its cache and its log in the home folder. Where it may not write there it gets a folder
# for this once.
use_writable_cache() {
  own_cache=
  cache=$("$1" config get cache 2>/dev/null) || cache=
  kept=$cache/_cacache/tmp
  [ -n "$cache" ] && mkdir -p "$kept" 2>/dev/null && [ -w "$kept" ] && return
  own_cache=$(mktemp -d) || return
  npm_config_cache=$own_cache
  export npm_config_cache
}

# Asked first, since npm tries for minutes what it cannot reach. A registry that refuses the
# question is reached.
reaches_registry() {
  pinged=$(node -e '
    const { spawnSync } = require("node:child_process");
    const quickly = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--loglevel=error"];
    const options = { encoding: "utf8", timeout: 20000 };
    const { status, stdout, stderr } = spawnSync(process.argv[1], ["ping", ...quickly], options);
    console.log(stdout, stderr);
    process.exit(status ?? 1);' "$1") && return
  case $pinged in *"code E4"* | *"code E5"*) return 0 ;; esac
  registry=$("$1" config get registry 2>/dev/null)
  unreachable="npm cannot reach ${registry:-its registry}: check the network, or the registry and \
the proxy that \`npm config list\` shows"
  return 1
}
