# shellcheck shell=sh
# After this version is gone: $1 is 0 when none came after it. Directories that the kit made go, unless
# they hold something: a record of what an installation changed is still needed to give it back.
[ "$1" = 0 ] || exit 0
rm -rf /run/dovecot-ark /run/dovecot-ark.command
rmdir /usr/share/dovecot-ark/schema /usr/share/dovecot-ark /usr/lib/dovecot-ark \
	/usr/share/doc/dovecot-ark /usr/share/licenses/dovecot-ark \
	/usr/lib/ocf/resource.d/dovecot-ark /var/lib/dovecot-ark 2>/dev/null
exit 0
