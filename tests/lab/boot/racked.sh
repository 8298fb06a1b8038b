# shellcheck shell=sh
# Plugs a node into its rack: first part of the launcher of a node with a disk that outlives it, run in
# the node's network and in a copy of the rack's mounts. Arguments: the lab's directory, the node's
# number, the name of its cgroup, its own name, its address.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd "$1"
root=mnt/$4
ip link set lo up
ip link add eth0 address "02:00:00:00:00:0$2" type veth peer name "$4" netns mnt/net
nsenter --net=mnt/net ip link set "$4" master br0 up
ip addr add "$5/24" dev eth0
ip link set eth0 up
