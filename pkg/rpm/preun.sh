# shellcheck shell=sh
# Before this version goes: $1 is 0 when none comes after it. Nothing is stopped and nothing is
# changed; who erases the kit under a resource is told what that means, and how to go on.
[ "$1" = 0 ] || exit 0
lkroot=$(sed -n "s/^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}LKROOT=[\"']\{0,1\}\([^\"']*\).*/\2/p" /etc/default/LifeKeeper 2>/dev/null | tail -n 1)
tag=
for copy in "${lkroot:-/opt/LifeKeeper}"/subsys/gen/[Rr]esources/app/actions/!quickCheck/*; do
	grep -qs '^exec /usr/sbin/dovecot-ark ' "$copy" || continue
	tag=${copy##*/}
	cat >&2 <<-END
		dovecot-ark: warning: the resource "$tag" is still registered with LifeKeeper on this node.
		Dovecot itself is left as it is, but from now on each action of the resource fails. Where it is
		in service LifeKeeper takes the next quickCheck for a fault, fails over and halts this node,
		because remove fails too. To go on, install the package again at once: nothing has changed then.
		To take the kit out, run "dovecot-ark uninstall --tag $tag" after that, and erase it then.
		What the uninstall needs stays in /var/lib/dovecot-ark.
	END
done
if [ -z "$tag" ] && [ -e /var/lib/dovecot-ark/install.toml ]; then
	cat >&2 <<-END
		dovecot-ark: warning: what "dovecot-ark install" changed on this node is not given back.
		It is noted in /var/lib/dovecot-ark/install.toml, which stays. To go on, either leave it so, or
		install the package again, run "dovecot-ark uninstall", and erase it then.
	END
fi
exit 0
