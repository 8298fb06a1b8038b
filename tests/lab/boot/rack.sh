# shellcheck shell=sh
# Sets up a rack: what of a cluster outlives the power cut of a node. Run by the rack's pid 1, whose end
# is the end of all nodes in it. It holds the nodes' disks and the shared storage on one tmpfs, and its
# network is that of the clients, whose bridge the nodes are plugged into.
# Arguments: the lab's directory, the image's name in it, the clients' address, then a name and an
# address for each node.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd "$1"
image=$2
address=$3
shift 3
mount -t tmpfs -o mode=755 tmpfs mnt
# The nodes find this network again under this name.
: >mnt/net
mount --bind /proc/self/ns/net mnt/net
ip link set lo up
# Its own hardware address: else it changes with the nodes that come and go.
ip link add br0 address 02:00:00:00:00:64 type bridge forward_delay 0
ip addr add "$address/24" dev br0
ip link set br0 up
mkdir mnt/shared mnt/shared/block
chown 5000:5000 mnt/shared/block
chmod 0750 mnt/shared/block
hosts='127.0.0.1 localhost\n::1 localhost\n'
nodes=
while [ $# -ge 2 ]; do
	hosts="$hosts$2 $1.example.com $1\n"
	nodes="$nodes $1"
	shift 2
done
for node in $nodes; do
	mkdir "mnt/$node.disk" "mnt/$node.disk/upper" "mnt/$node.disk/work" "mnt/$node"
	# The rack holds the mount, so that a node that comes back finds its disk free.
	mount -t overlay \
		-o "lowerdir=$image,upperdir=mnt/$node.disk/upper,workdir=mnt/$node.disk/work" \
		overlay "mnt/$node"
	mkdir "mnt/$node/mnt/shared"
	mount --bind mnt/shared "mnt/$node/mnt/shared"
	echo "$node" >"mnt/$node/etc/hostname"
	printf "%b" "$hosts" >"mnt/$node/etc/hosts"
done
# Not exec'd: a shell buries the orphans that come to pid 1. The child tells that the rack is ready.
sleep infinity
exit 1
