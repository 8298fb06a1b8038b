# shellcheck shell=sh
# Boots a node without systemd: `service` finds no /run/systemd/system and runs the init scripts.
# The devices are the node's own; the machine's /dev is never bound, because what a node does to
# its console or its null device would happen to the whole machine. The fourth argument is pid 1.
node=$3
cd "$root" || exit 1
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs run
mkdir -m 1777 run/lock
mount -t tmpfs -o mode=755 tmpfs dev
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
echo "$node" >etc/hostname
hostname "$node" 2>/dev/null || echo "$node" >/proc/sys/kernel/hostname
pivot_root . mnt
umount -l mnt
cd /
case $4 in
reaping) exec tini -- sleep infinity ;;
*) exec sleep infinity ;;
esac
