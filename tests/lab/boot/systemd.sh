# shellcheck shell=sh
# Boots the node in $root with systemd as pid 1, in a cgroup of its own: with --keep-unit two launchers in one
# cgroup would share the directory that systemd-nspawn makes for the payload. The cgroup2 tree is
# mounted here, so the machine may have it anywhere or nowhere. /run is hidden, so that
# systemd-nspawn leaves nothing in the machine's.
node=$3
mount -t tmpfs -o mode=755 tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "/sys/fs/cgroup/$node"
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
# Makes /proc/sys/net writable; the network namespace is the node's own.
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
# So is CAP_NET_ADMIN, given below: in a cluster the node itself takes and gives up an address.
# Corosync locks its memory.
# Not exec'd: this shell stays pid 1 of the outer namespace, and what ends it ends all of the node.
sh -c 'echo $$ >"/sys/fs/cgroup/$1/cgroup.procs"
exec systemd-nspawn --quiet --directory="$3" --boot --register=no --keep-unit \
	--machine="$2" --hostname="$2" --resolv-conf=off --timezone=off --link-journal=no \
	--network-namespace-path=/proc/self/ns/net --capability=CAP_NET_ADMIN,CAP_IPC_LOCK \
	--console=pipe' launcher "$node" "$4" "$root"
exit 1
