# install_modules NPM: installs what package-lock.json pins. Sourced; runs in the folder of package.json.
# shellcheck shell=sh
#
# Security: a package's install script runs as whoever installs, often root. None runs but those that package.json names
# in allowScripts, one by one.
install_modules() {
  "$1" ci --ignore-scripts --no-audit --no-fund --loglevel=error || return 1
  allowed=$(node -p '
    const { existsSync, readFileSync } = require("node:fs");
    const { allowScripts = {} } = JSON.parse(readFileSync("package.json", "utf8"));
    const names = Object.keys(allowScripts).filter((name) => allowScripts[name] === true);
    names.filter((name) => existsSync(`node_modules/${name}/package.json`)).join(" ")') || return 1
  for package in $allowed; do
    "$1" rebuild "$package" --no-audit --no-fund --loglevel=error >/dev/null || return 1
  done
}
