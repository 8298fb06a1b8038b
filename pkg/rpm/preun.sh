# shellcheck shell=sh
# Before this version goes: $1 is 0 when none comes after it. Nothing is stopped and nothing is
# changed; who erases the kit under a resource is told what that means, and how to go on.
[ "$1" = 0 ] || exit 0
lkroot=$(sed -n "s/^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}LKROOT=[\"']\{0,1\}\([^\"']*\).*/\2/p" /etc/default/LifeKeeper 2>/dev/null | tail -n 1)
for copy in "${lkroot:-/opt/LifeKeeper}"/subsys/gen/[Rr]esources/app/actions/!quickCheck/*; do
	grep -qs '^exec /usr/sbin/dovecot-ark ' "$copy" || continue
	tag=${copy##*/}
	cat >&2 <<-END
		dovecot-ark: warning: the resource "$tag" is still registered with LifeKeeper on this node.
		Dovecot itself is left as it is, but from now on each action of the resource fails, and
		LifeKeeper takes a failing quickCheck for a fault. To go on, either
		  install the package again, and nothing has changed, or
		  install it again, run "dovecot-ark uninstall --tag $tag", and erase it then.
		What the uninstall needs stays in /var/lib/dovecot-ark.
	END
done
exit 0
