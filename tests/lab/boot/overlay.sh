# shellcheck shell=sh
# Lays a clean node over the cached image: first part of both launchers, run by the node's outer pid 1.
# Every mount is made in a private mount namespace on a tmpfs, so the node leaves no file and no mount
# behind however it ends. Arguments: the lab's directory, the image's name in it, the node's own name.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd "$1"
image=$2
mount -t tmpfs -o mode=755 tmpfs mnt
root=mnt/root
mkdir mnt/upper mnt/work "$root"
# Relative paths: a colon or comma in the checkout's path would end an overlay option.
mount -t overlay -o "lowerdir=$image,upperdir=mnt/upper,workdir=mnt/work" overlay "$root"
ip link set lo up
