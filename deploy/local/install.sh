# Prepares a fresh clone; sourced, from the repository's root, by deploy/start.sh and test/run.sh. Needs Node 20 or
# newer to install from; everything then runs on the Node that package-lock.json pins.
# shellcheck shell=sh

. deploy/local/install-modules.sh

# Security: programs of the system come from its own folders, whatever the caller's PATH says. Only git, node and npm,
# which people install where they like, are found through it.
caller_path=$PATH
system_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

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

# agree QUESTION: asks on a terminal; elsewhere nobody is there to ask, and it is agreed.
agree() {
  [ -t 0 ] && [ -t 1 ] || return 0
  printf '%s' "sallyport: $* [y/N] "
  read -r answer
  case $answer in y | Y | yes) return 0 ;; *) return 1 ;; esac
}

# install_server APT DNF APK: installs a package whose own service must not run. Debian starts services of what it
# installs, unless /usr/sbin/policy-rc.d forbids it; a policy that is there already is left alone.
install_server() {
  policy=/usr/sbin/policy-rc.d
  made=
  if command -v apt-get >/dev/null 2>&1 && [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod 755 "$policy" && made=yes
  fi
  installed=0
  install_package "$@" || installed=$?
  [ -z "$made" ] || as_root rm -f "$policy"
  [ "$installed" -eq 0 ] || return "$installed"
  # Nor at the next boot.
  if command -v systemctl >/dev/null 2>&1; then as_root systemctl disable --now "$1" >/dev/null 2>&1 || true; fi
  if command -v update-rc.d >/dev/null 2>&1; then as_root update-rc.d "$1" disable >/dev/null 2>&1 || true; fi
}

check_tools() {
  command -v git >/dev/null 2>&1 || die "git is not on the PATH: install it first"
  command -v node >/dev/null 2>&1 || die "node is not on the PATH: install Node 20 or newer first"
  npm=$(command -v npm) || die "npm is not on the PATH: install it first"
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
check_modules() {
  stamp=node_modules/.installed-lock
  cmp -s package-lock.json "$stamp" && return
  say "installing packages (about 30 s)"
  install_modules "$npm" || die "npm failed: its output above says why"
  cp package-lock.json "$stamp"
}

check_redis() {
  command -v redis-server >/dev/null 2>&1 && return
  command -v valkey-server >/dev/null 2>&1 && return
  [ "$(uname -s)" != Darwin ] || [ ! -x /opt/homebrew/bin/redis-server ] || return 0
  missing="neither redis-server nor valkey-server is installed"
  agree "$missing: install redis-server by the distribution's package, its own service off?" || die "$missing"
  say "installing redis-server by the distribution's package; its own service stays off"
  install_server redis-server redis redis || install_server valkey-server valkey valkey ||
    die "$missing: install one of them first"
}

check_tools
check_modules
PATH=$system_path
export PATH
check_libatomic
node_modules/.bin/node -e 0 || die "the pinned Node does not run here: its error above says why"
check_redis
