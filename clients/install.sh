#!/bin/sh
# Makes the sallyport command of this clone run on this computer; starts nothing.
set -eu
cd "$(dirname "$0")/.."
. deploy/local/install/install.sh
prepare_client
say "ready: put the command on the PATH of this shell with"
printf '  export PATH="%s/node_modules/.bin:$PATH"\n' "$PWD"
