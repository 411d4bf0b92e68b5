#!/bin/sh
# Starts Sallyport on this machine from a fresh clone; --help shows the options.
set -eu
cd "$(dirname "$0")/.."
for argument; do
  if [ "$argument" = --help ]; then exec cat deploy/local/start/usage.txt; fi
done
# --data is meant from where the caller stands.
caller=$OLDPWD
. deploy/local/install/install.sh
prepare_clone
exec node_modules/.bin/node deploy/local/start.ts --caller "$caller" "$@"
