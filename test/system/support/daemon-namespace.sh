#!/bin/sh
# Runs a daemon as process 1 of the fresh PID, mount and network namespaces that `unshare` has just made, so
# that its mounts, its children and its runtime folders are gone when it is.
#
#   daemon-namespace.sh STATE ROOT COMMAND [ARG...]
#
# STATE  the daemon's folder; visible inside at the same path. Gets a file `pid`: process 1 as the outside sees it.
# ROOT   `/`, or a folder with an unpacked system (only its usr/ is used, read-only). A chroot would not do:
#        docker's own chroot for unpacking layers wants to remount `/`, which must be a mount point.
set -eu

state=$1
root=$2
shift 2

# /proc is still the outside one here. A redirection, since a subshell would write down its own id.
read -r pid _ </proc/self/stat
echo "$pid" >"$state/pid"

enter_unpacked_root() {
  new=$state/root
  mkdir -p "$new"
  mount -t tmpfs tmpfs "$new"
  cd "$new"
  mkdir usr etc proc sys dev run tmp var .old
  mount --bind -o ro "$root/usr" usr
  for name in bin sbin lib lib64; do ln -s "usr/$name" "$name"; done
  echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
  echo 'root:x:0:' >etc/group
  ln -s ../run var/run
  mkdir -p ".$state"
  mount --bind "$state" ".$state"
  mount -t proc proc proc
  mount --rbind /sys sys
  mount --rbind /dev dev
  pivot_root . .old
  cd /
  PATH=/usr/sbin:/usr/bin busybox umount -l /.old
}

if [ "$root" = / ]; then
  mount -t proc proc /proc
  # No containerd, plugin or lock of the machine's own is seen.
  mount -t tmpfs tmpfs /run
  mount -t tmpfs tmpfs /dev/shm
  # docker 20.10 always writes a key there.
  mkdir -p /etc/docker
  mount -t tmpfs tmpfs /etc/docker
else
  enter_unpacked_root
fi
exec "$@"
