#!/bin/sh
# Runs every check and test from a fresh clone and ends with "N passed, N failed". The checks count as one.
cd "$(dirname "$0")/.." || exit 1
. deploy/local/install.sh

# The recipe of SIGNING §11.1 runs in each of these; a test whose program is missing is skipped and says so.
for program in curl openssl dash bash busybox; do
  command -v "$program" >/dev/null 2>&1 || install_package "$program" "$program" "$program" ||
    say "$program is missing and cannot be installed here"
done

results=$(mktemp -d) || die "no temporary directory can be made"
trap 'rm -rf "$results"' EXIT

# The shells that export and completion are tested through. The tests of one that cannot be had are skipped and say so.
for shell in dash busybox zsh fish; do
  command -v "$shell" >/dev/null 2>&1 && continue
  say "installing $shell by the distribution's package, for the tests"
  install_package "$shell" "$shell" "$shell" || say "$shell cannot be installed here: its tests are skipped"
done

say "checks: drift, contracts, format, lint, types, boundaries"
npm run --silent check && check=passed || check=failed

for project in unit live system alone; do
  say "$project tests"
  vitest run --project "$project" --passWithNoTests --reporter=default --reporter=json \
    --outputFile.json="$results/$project.json" || true
done

node test/sum.ts "$check" "$results/unit.json" "$results/live.json" "$results/system.json" "$results/alone.json"
