# shellcheck shell=bash disable=SC2034
# Distribution packages that the project needs, how to install them, and how scripts report. Sourced
# by ./quickstart and ./check after `set -euo pipefail`.

build_packages=(g++ cmake ninja-build ccache libstb-dev libjpeg-dev nlohmann-json3-dev libcli11-dev
  libzip-dev libssl-dev zlib1g-dev libboost-context-dev)
test_packages=(libgtest-dev libbenchmark-dev python3)

step() { printf '\n==> %s\n' "$*"; }

fail() {
  printf '\nerror: %s\n' "$*" >&2
  exit 1
}

# run DESCRIPTION COMMAND...: prints the description, runs the command, stops with a message that
# names both if it fails.
run() {
  local description=$1
  shift
  step "$description: $*"
  "$@" || fail "failed: $description ($*)"
}

# missing_packages NAME...: the packages of those named that are not installed, one a line.
missing_packages() {
  local name
  for name in "$@"; do
    dpkg-query --show --showformat '${db:Status-Status}\n' "$name" 2>/dev/null |
      grep -x installed >/dev/null || printf '%s\n' "$name"
  done
}

# as_root COMMAND...: through sudo where this is not root.
as_root() {
  if ((EUID == 0)); then
    "$@"
  else
    sudo "$@"
  fi
}

# install_packages NAME...: does nothing where all are there. Where packages are not Debian's, says
# what is needed and goes on: cmake then names whatever it does not find.
install_packages() {
  step "packages: $*"
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "This is not Debian or Ubuntu: install what these packages hold, if it is not there yet."
    return
  fi
  local -a missing
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} == 0)); then
    echo "all are installed"
    return
  fi
  echo "missing: ${missing[*]}"
  if ((EUID != 0)) && ! command -v sudo >/dev/null; then
    fail "installing needs root or sudo; as root: apt-get install ${missing[*]}"
  fi
  local -a apt=(as_root env DEBIAN_FRONTEND=noninteractive apt-get)
  step "apt-get update"
  "${apt[@]}" update || echo "apt-get update failed; trying with the lists that are there"
  step "apt-get install ${missing[*]}"
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" ||
    fail "could not install ${missing[*]}"
}

# Compilers at once.
job_count() { nproc 2>/dev/null || echo 2; }
