#!/bin/sh
# Runs every check and test from a fresh clone and ends with "N passed, N failed". The checks count
# as one.
cd "$(dirname "$0")/.." || exit 1
. deploy/local/install/install.sh
prepare_clone

# The recipe of SIGNING §12.1 needs curl and openssl, and is walked in shells of every kind; export
# and completion are tested through shells too. A test whose program cannot be had is skipped and
# says so.
for program in curl openssl dash bash busybox zsh fish chromium; do
  command -v "$program" >/dev/null 2>&1 && continue
  if may_install; then
    say "installing $program by the distribution's package, for the tests"
    install_package "$program" "$program" "$program" || say "$program cannot be installed here: its tests are skipped"
  elif [ "$program" = curl ] && can_unpack; then
    uses_unpacked curl && continue
    say "unpacking the distribution's curl in $unpacked, for the tests"
    unpack_program curl || say "curl cannot be unpacked here: its tests are skipped"
  else
    say "$program is not here, and only root may install it: its tests are skipped"
  fi
done

# Tests use what the caller has, such as Go and Python.
PATH="$PWD/node_modules/.bin:$caller_path"
if [ "$(id -u)" -ne 0 ]; then PATH="$PATH:$PWD/$unpacked/bin"; fi
export PATH

results=$(mktemp -d) || die "no temporary directory can be made"
trap 'rm -rf "$results"' EXIT

say "checks: drift, contracts, format, lint, types, boundaries"
npm run --silent check && check=passed || check=failed

for project in unit live system alone; do
  say "$project tests"
  vitest run --project "$project" --passWithNoTests --reporter=default --reporter=json \
    --outputFile.json="$results/$project.json" || true
done

node test/sum.ts "$check" "$results/unit.json" "$results/live.json" "$results/system.json" "$results/alone.json"
