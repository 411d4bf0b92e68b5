# prepare_client makes the sallyport command of a fresh clone run, prepare_clone also what a server
# needs. Sourced, from the repository's root, by clients/install.sh, deploy/start.sh and
# test/run.sh. Needs Node 20 or newer to install from; everything then runs on the Node that
# package-lock.json pins. shellcheck shell=sh

. deploy/local/install/modules.sh
. deploy/local/install/packages.sh

# Security: programs of the system come from its own folders, whatever the caller's PATH says. Only
# git, node and npm, which people install where they like, are found through it.
# The clone's own .bin is not looked into: its Node may lack the library that is installed first.
caller_path=
rest=$PATH:
while [ -n "$rest" ]; do
  folder=${rest%%:*}
  rest=${rest#*:}
  [ "$folder" = "$PWD/node_modules/.bin" ] || caller_path=$caller_path${caller_path:+:}$folder
done
system_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

say() { printf '%s\n' "sallyport: $*"; }

die() {
  printf '%s\n' "sallyport: $*" >&2
  exit 1
}

# agree QUESTION: asks on a terminal; elsewhere nobody is there to ask, and it is agreed.
agree() {
  [ -t 0 ] && [ -t 1 ] || return 0
  printf '%s' "sallyport: $* [y/N] "
  read -r answer
  case $answer in y | Y | yes) return 0 ;; *) return 1 ;; esac
}

newer_node="install Node 20 or newer, for example from https://nodejs.org/en/download"

check_tools() {
  command -v git >/dev/null 2>&1 ||
    die "git is not on the PATH: install it with \`$(install_command git git git git)\`"
  command -v node >/dev/null 2>&1 ||
    die "node is not on the PATH: $newer_node"
  npm=$(command -v npm) ||
    die "npm is not on the PATH: install the one that belongs to $(command -v node)"
  node_major=$(node -p 'process.versions.node.split(".")[0]') ||
    die "node does not run: its error above says why"
  [ "$node_major" -ge 20 ] ||
    die "node is version $node_major: $newer_node"
}

# Node 26 is linked against libatomic, which a minimal Linux lacks.
check_libatomic() {
  [ "$(uname -s)" = Linux ] || return 0
  ldconfig -p 2>/dev/null | grep -q 'libatomic\.so\.1' && return
  for found in /lib/libatomic.so.1 /lib64/libatomic.so.1 /usr/lib/libatomic.so.1 \
    /usr/lib64/libatomic.so.1 /lib/*/libatomic.so.1 /usr/lib/*/libatomic.so.1; do
    [ -e "$found" ] && return
  done
  missing="libatomic.so.1, which Node 26 needs, is missing"
  if may_install; then
    say "installing libatomic, which Node 26 needs"
    install_package libatomic1 libatomic libatomic && return
  elif uses_unpacked node || {
    can_unpack && say "$missing, and only root may install it: unpacking it in $unpacked" &&
      unpack_package libatomic1 && make_launcher node 'node_modules/node-linux-*/bin/node'
  }; then
    # For what npm runs before the script is in its place.
    LD_LIBRARY_PATH=$(unpacked_libraries)
    export LD_LIBRARY_PATH
    return
  fi
  die "$missing: install it with \`$(install_command libatomic1 libatomic libatomic gcc)\`"
}

# The stamp is a copy of the lockfile that node_modules was installed from.
check_modules() {
  stamp=node_modules/.installed-lock
  cmp -s package-lock.json "$stamp" && return
  say "installing packages (about 30 s)"
  install_modules "$npm" || die "npm failed: its output above says why"
  cp package-lock.json "$stamp"
}

check_node() {
  if uses_unpacked node; then ln -sf ../../$unpacked/bin/node node_modules/.bin/node; fi
  node_modules/.bin/node -e 0 || die "the pinned Node does not run here: its error above says why"
}

check_redis() {
  for program in redis-server valkey-server; do
    command -v "$program" >/dev/null 2>&1 && return
    uses_unpacked "$program" && return
  done
  [ "$(uname -s)" != Darwin ] || [ ! -x /opt/homebrew/bin/redis-server ] || return 0
  missing="neither redis-server nor valkey-server is installed"
  advice="$(install_command redis-server redis redis redis)"
  if may_install; then
    agree "$missing: install redis-server by the distribution's package, its own service off?" ||
      die "$missing: install it with \`$advice\`"
    say "installing redis-server by the distribution's package; its own service stays off"
    install_server redis-server redis redis && return
    install_server valkey-server valkey valkey && return
  elif can_unpack; then
    say "$missing, and only root may install it:" \
      "unpacking the distribution's redis-server in $unpacked"
    unpack_program redis-server && return
    unpack_program valkey-server && return
  fi
  die "$missing: install it with \`$advice\`"
}

prepare_client() {
  check_tools
  PATH=$system_path
  check_libatomic
  PATH=$caller_path
  check_modules
  PATH=$system_path
  export PATH
  check_node
}

prepare_clone() {
  prepare_client
  check_redis
}
