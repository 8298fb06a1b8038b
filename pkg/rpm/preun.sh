# shellcheck shell=sh
# Before this version goes: $1 is 0 when none comes after it. Nothing is stopped and nothing is
# changed. Without the kit each action of a registered resource fails, and LifeKeeper halts the node
# where it is in service: so the kit stays then, unless a file says that it may go.
[ "$1" = 0 ] || exit 0
consent=/etc/dovecot-ark/erase
lkroot=$(sed -n "s/^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}LKROOT=[\"']\{0,1\}\(\/[^\"'[:space:];#\$]*\).*/\2/p" /etc/default/LifeKeeper 2>/dev/null | tail -n 1)
tag=
if [ -e "$consent" ]; then how="erased because there is $consent"; else how="not erased"; fi
# Both, for a value that is not understood, or not LifeKeeper's any more.
[ "$lkroot" = /opt/LifeKeeper ] && lkroot=
for copy in ${lkroot:+"$lkroot"/subsys/gen/[Rr]esources/app/actions/!quickCheck/*} \
	/opt/LifeKeeper/subsys/gen/[Rr]esources/app/actions/!quickCheck/*; do
	grep -qs '^exec /usr/sbin/dovecot-ark ' "$copy" || continue
	tag=${copy##*/}
	cat >&2 <<-END
		dovecot-ark: $how: the resource "$tag" is still registered with LifeKeeper on this node.
		Without the package each action of the resource fails. Where it is in service, LifeKeeper takes
		the next quickCheck for a fault, fails over and halts this node, because remove fails too.
	END
done
if [ -n "$tag" ] && [ -e "$consent" ]; then
	cat >&2 <<-END
		To go on, install the package again at once: nothing has changed then.
	END
elif [ -n "$tag" ]; then
	cat >&2 <<-END
		Run "dovecot-ark uninstall --tag $tag" first. To erase the package all the same, create the file
		$consent
	END
	exit 1
elif [ -e /var/lib/dovecot-ark/install.toml ]; then
	cat >&2 <<-END
		dovecot-ark: warning: what "dovecot-ark install" changed on this node is not given back.
		It is noted in /var/lib/dovecot-ark/install.toml, which stays. To go on, either leave it so, or
		install the package again, run "dovecot-ark uninstall", and erase it then.
	END
fi
exit 0
