# Prepares a fresh clone; sourced, from the repository's root, by deploy/start.sh and test/run.sh. Needs Node 20 or
# newer to install from; everything then runs on the Node that package-lock.json pins.
# shellcheck shell=sh

say() { printf '%s\n' "sallyport: $*"; }

die() {
  printf '%s\n' "sallyport: $*" >&2
  exit 1
}

# as_root COMMAND...: runs it as root, by sudo when that asks no password; fails when neither is possible.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    sudo -n "$@"
  else
    return 1
  fi
}

# install_package APT DNF APK: installs the package that this distribution has, by its name there.
install_package() {
  if command -v apt-get >/dev/null 2>&1; then
    as_root apt-get update >/dev/null 2>&1
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1" >/dev/null 2>&1
  elif command -v dnf >/dev/null 2>&1; then
    as_root dnf install -y "$2" >/dev/null 2>&1
  elif command -v apk >/dev/null 2>&1; then
    as_root apk add "$3" >/dev/null 2>&1
  else
    return 1
  fi
}

check_tools() {
  command -v git >/dev/null 2>&1 || die "git is not on the PATH: install it first"
  command -v node >/dev/null 2>&1 || die "node is not on the PATH: install Node 20 or newer first"
  command -v npm >/dev/null 2>&1 || die "npm is not on the PATH: install it first"
  node_major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$node_major" -ge 20 ] || die "node is version $node_major: install Node 20 or newer first"
}

# Node 26 is linked against libatomic, which a minimal Linux lacks.
check_libatomic() {
  [ "$(uname -s)" = Linux ] || return 0
  ldconfig -p 2>/dev/null | grep -q 'libatomic\.so\.1' && return
  for found in /lib/libatomic.so.1 /lib64/libatomic.so.1 /usr/lib/libatomic.so.1 /usr/lib64/libatomic.so.1 \
    /lib/*/libatomic.so.1 /usr/lib/*/libatomic.so.1; do
    [ -e "$found" ] && return
  done
  say "installing libatomic, which Node 26 needs"
  install_package libatomic1 libatomic libatomic || die "libatomic.so.1 is missing: install libatomic1 (libatomic) first"
}

# The stamp is a copy of the lockfile that node_modules was installed from.
install_modules() {
  stamp=node_modules/.installed-lock
  cmp -s package-lock.json "$stamp" && return
  say "installing packages (npm ci, about 30 s)"
  npm ci --no-audit --no-fund --loglevel=error || die "npm ci failed: its output above says why"
  cp package-lock.json "$stamp"
}

check_redis() {
  command -v redis-server >/dev/null 2>&1 && return
  command -v valkey-server >/dev/null 2>&1 && return
  say "installing redis-server by the distribution's package (its own service, if any, is not used)"
  install_package redis-server redis redis || install_package valkey-server valkey valkey ||
    die "neither redis-server nor valkey-server is on the PATH: install one of them first"
}

check_tools
check_libatomic
install_modules
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
node -e 0 || die "the pinned Node does not run here: its error above says why"
check_redis
