# Packages of the distribution: installed by root, else unpacked beside the clone. Sourced by
# install.sh.
# shellcheck shell=sh

# Where packages are unpacked. Root never runs anything of it: system-program.ts.
unpacked=.cache/programs

# may_install: whether packages can be installed, by root or by a sudo that asks no password.
may_install() {
  [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; }
}

# as_root COMMAND...: runs it as root; fails when that is not possible.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# install_command APT DNF APK BREW: what a person has to type here to install a package.
install_command() {
  sudo=
  [ "$(id -u)" -eq 0 ] || sudo="sudo "
  if command -v apt-get >/dev/null 2>&1; then
    echo "${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends $1"
  elif command -v dnf >/dev/null 2>&1; then
    echo "${sudo}dnf install -y $2"
  elif command -v apk >/dev/null 2>&1; then
    echo "${sudo}apk add $3"
  elif [ "$(uname -s)" = Darwin ]; then
    echo "brew install $4"
  else
    echo "the package manager of this system, by a name like $1"
  fi
}

# reported COMMAND...: runs it, and shows its last output when it fails.
reported() {
  reported=$("$@" 2>&1) && return
  printf '%s\n' "$reported" | tail -n 4 >&2
  return 1
}

# Waits a moment for a network that is not there, and not for minutes.
apt_options="-o Acquire::Retries=0 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10"

# install_package APT DNF APK: installs the package that this distribution has, by its name there.
install_package() {
  if command -v apt-get >/dev/null 2>&1; then
    # shellcheck disable=SC2086 # The options are words.
    as_root apt-get $apt_options update >/dev/null 2>&1
    # shellcheck disable=SC2086
    reported as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get $apt_options install -y --no-install-recommends "$1"
  elif command -v dnf >/dev/null 2>&1; then
    reported as_root dnf install -y "$2"
  elif command -v apk >/dev/null 2>&1; then
    reported as_root apk add "$3"
  else
    return 1
  fi
}

# install_server APT DNF APK: installs a package whose own service must not run. Debian starts
# services of what it installs, unless /usr/sbin/policy-rc.d forbids it; a policy that is there
# already is left alone.
install_server() {
  policy=/usr/sbin/policy-rc.d
  made=
  if command -v apt-get >/dev/null 2>&1 && [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null &&
      as_root chmod 755 "$policy" && made=yes
  fi
  installed=0
  install_package "$@" || installed=$?
  [ -z "$made" ] || as_root rm -f "$policy"
  [ "$installed" -eq 0 ] || return "$installed"
  # Nor at the next boot.
  if command -v systemctl >/dev/null 2>&1; then
    as_root systemctl disable --now "$1" >/dev/null 2>&1 || true
  fi
  if command -v update-rc.d >/dev/null 2>&1; then
    as_root update-rc.d "$1" disable >/dev/null 2>&1 || true
  fi
}

can_unpack() {
  command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1
}

# uses_unpacked PROGRAM: whether it was unpacked by an earlier run, and is used.
uses_unpacked() {
  [ "$(id -u)" -ne 0 ] && [ -x "$unpacked/bin/$1" ]
}

# unpack_program NAME: unpacks the package of that name, whose program has it, too.
unpack_program() {
  unpack_package "$1" && make_launcher "$1" "$unpacked/root/usr/bin/$1" &&
    reported "$unpacked/bin/$1" --version
}

# unpack_package NAME: unpacks the package and what it needs that is not installed. apt takes
# nothing that the distribution has not signed; the lists that it checks against are its own, loaded
# to a temporary folder.
unpack_package() {
  work=$(mktemp -d) || return 1
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$unpacked/root"
  unpacking=0
  load_package "$1" && for file in "$work"/debs/*.deb; do
    dpkg-deb -x "$file" "$unpacked/root" || unpacking=1
  done || unpacking=1
  rm -rf "$work"
  return "$unpacking"
}

load_package() {
  updated=$(apt_private update 2>&1) || true
  simulated=$(apt_private -s install --no-install-recommends "$1" 2>/dev/null) || {
    printf '%s\n' "$updated" | grep -E '^(E|W|Err)' | tail -n 4 >&2
    return 1
  }
  # What would only be upgraded stays as it is.
  names=$(printf '%s\n' "$simulated" | sed -n 's/^Inst \([^ ]*\) (.*/\1/p')
  # shellcheck disable=SC2086 # The names are words.
  (cd "$work/debs" && reported apt_private download $names)
}

# An apt of this user's own, which leaves the system's as it is.
apt_private() {
  # shellcheck disable=SC2086 # The options are words.
  LC_ALL=C apt-get $apt_options -o Debug::NoLocking=true -o APT::Get::AllowUnauthenticated=false \
    -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" "$@"
}

# The folders of what was unpacked that hold libraries.
unpacked_libraries() {
  find "$PWD/$unpacked/root" -name '*.so*' -exec dirname {} \; | sort -u | paste -s -d : -
}

# make_launcher NAME PROGRAM: a script that runs a program of this clone with the libraries that
# were unpacked.
make_launcher() {
  mkdir -p "$unpacked/bin"
  cat >"$unpacked/bin/$1" <<END && chmod 755 "$unpacked/bin/$1"
#!/bin/sh
# Runs $1 with libraries that were unpacked and not installed.
clone=\$(dirname "\$(readlink -f "\$0")")/../../..
for folder in "\$clone/$unpacked/root"/lib/*-linux-gnu \\
  "\$clone/$unpacked/root"/usr/lib/*-linux-gnu; do
  [ ! -d "\$folder" ] || LD_LIBRARY_PATH=\$folder\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
done
export LD_LIBRARY_PATH
exec "\$clone"/$2 "\$@"
END
}
