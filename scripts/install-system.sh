#!/bin/sh
# Installs what the system tests need, on Debian 12 as root. You can run it again: it skips what is installed already.
#
#   - from the machine's own suite: docker.io (20.10), podman, buildah, skopeo, umoci, docker-registry, zstd, pigz, gzip; git, rsync and
#     docker-compose for pipelines; zip, unzip, time and openssl for the benchmarks
#   - from sid, unpacked into $DRAYAGE_TEST_ROOT/docker-28 but not installed: a newer docker with its containerd, libc and
#     libraries
#   - from sid, unpacked into $DRAYAGE_TEST_ROOT/compose-sid: docker compose, the plugin of a newer client
#   - from trixie and from sid, unpacked into $DRAYAGE_TEST_ROOT/cosign-trixie and cosign-sid: two generations of cosign
#   - from sid, unpacked into $DRAYAGE_TEST_ROOT/musl-sid: musl and busybox, for a root without glibc
#
# DRAYAGE_TEST_ROOT  the folder of everything that is unpacked; default /var/lib/drayage-test
#
# It starts no service: the tests start their own daemons (test/system/support/daemons.ts).
set -eu

test_root=${DRAYAGE_TEST_ROOT:-/var/lib/drayage-test}
docker_root=$test_root/docker-28
packages='docker.io podman buildah skopeo umoci docker-registry zstd pigz gzip util-linux tar'
# For gitlab-ci-local and its jobs.
pipeline_packages='git rsync docker-compose'
# For the benchmarks: what the runner does to artifacts, and a stopwatch.
bench_packages='zip unzip time openssl'
unpacked='docker.io docker-cli docker-buildx containerd runc busybox-static'

export DEBIAN_FRONTEND=noninteractive LC_ALL=C
# Set while installing docker.io, so that an interrupted run can put things back.
policy=/usr/sbin/policy-rc.d
policy_saved=
work=

say() { echo "install-system: $*"; }
fail() { echo "install-system: $*" >&2; exit 1; }

cleanup() {
  code=$?
  trap - EXIT
  restore_policy
  [ -z "$work" ] || rm -rf "$work"
  exit "$code"
}

check_machine() {
  [ "$(id -u)" = 0 ] || fail 'must run as root'
  [ -r /etc/os-release ] || fail 'no /etc/os-release: this script is for Debian 12'
  # shellcheck source=/dev/null
  os=$(. /etc/os-release && echo "${ID:-} ${VERSION_ID:-}")
  [ "$os" = 'debian 12' ] || fail "made for Debian 12, this is '$os'"
}

installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_packages() {
  for package in $packages $pipeline_packages $bench_packages; do
    installed "$package" || printf '%s ' "$package"
  done
}

apt_update() {
  apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 update
}

# While apt installs a package, invoke-rc.d asks policy-rc.d; exit code 101 forbids starting services.
forbid_services() {
  policy_saved=none
  if [ -e "$policy" ]; then
    policy_saved=$policy.drayage-saved
    [ -e "$policy_saved" ] || mv "$policy" "$policy_saved"
  fi
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
}

restore_policy() {
  case $policy_saved in
    '') return ;;
    none) rm -f "$policy" ;;
    *) mv -f "$policy_saved" "$policy" ;;
  esac
  policy_saved=
}

install_packages() {
  missing=$(missing_packages)
  if [ -z "$missing" ]; then
    say 'packages: already installed'
    return
  fi
  say "packages: installing $missing"
  apt_update
  forbid_services
  # --no-remove: stop instead of removing a docker that somebody else installed.
  # shellcheck disable=SC2086
  apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 \
    install --no-remove --no-install-recommends $missing
  restore_policy
}

# Prints the URI of Debian's main archive in the machine's own sources, in either format that apt reads.
mirror() {
  # shellcheck disable=SC2016 # apt fills these in
  apt-get indextargets --format '$(LABEL)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' |
    awk -F'|' '$1 == "Debian" && $2 == "main" && $3 !~ /^cdrom:/ { print $3; exit }'
}

# Configures a separate apt: it neither reads nor writes the machine's lists, caches, pins or installed packages.
write_apt_config() {
  uri=$1 suite=$2
  mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/empty"
  : >"$work/state/status"
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  signed_by=
  [ ! -r "$keyring" ] || signed_by="[signed-by=$keyring] "
  echo "deb ${signed_by}$uri $suite main" >"$work/sources.list"
  cat >"$work/apt.conf" <<CONF
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "$work/empty";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "$work/empty";
Dir::State "$work/state";
Dir::State::status "$work/state/status";
Dir::Cache "$work/cache";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Retries "3";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled "false";
CONF
}

# Downloads packages of a suite with their dependencies, and unpacks them into a folder. A complete folder is not changed.
#   $1 folder  $2 suite  $3 the package whose version is printed  $4 all packages
unpack() {
  folder=$1 suite=$2 main=$3 wanted=$4
  if [ -e "$folder/.complete" ]; then
    say "$folder: already unpacked ($(cat "$folder/.complete"))"
    return
  fi
  uri=$(mirror)
  if [ -z "$uri" ]; then
    # Before the first `apt-get update` apt lists no targets.
    apt_update
    uri=$(mirror)
  fi
  [ -n "$uri" ] || fail "found no Debian archive in this machine's apt sources"

  mkdir -p "$test_root"
  work=$(mktemp -d "$test_root/.install.XXXXXX")
  write_apt_config "$uri" "$suite"
  APT_CONFIG=$work/apt.conf
  export APT_CONFIG
  say "$folder: downloading $wanted"
  apt-get -q update
  # The status file is empty, so that libc and all other libraries are included.
  # shellcheck disable=SC2086
  apt-get -q -y --download-only install $wanted
  unset APT_CONFIG

  for deb in "$work"/cache/archives/*.deb; do
    dpkg -x "$deb" "$work/root"
  done
  dpkg-deb -f "$work/cache/archives/$main"_*.deb Version >"$work/root/.complete"
  rm -rf "$work/root/usr/share" "$folder"
  mv "$work/root" "$folder"
  rm -rf "$work"
  work=
  say "$folder: $main $(cat "$folder/.complete")"
}

trap cleanup EXIT
trap 'exit 130' INT TERM
check_machine
install_packages
unpack "$docker_root" sid docker.io "$unpacked"
unpack "$test_root/compose-sid" sid docker-compose docker-compose
unpack "$test_root/cosign-trixie" trixie cosign cosign
unpack "$test_root/cosign-sid" sid cosign cosign
unpack "$test_root/musl-sid" sid musl 'musl busybox-static'
say 'done'
