# shellcheck shell=bash
# The original kit's three checks and its parameters, sourced by its four actions.
#
# A rendering of the documented behaviour, weaknesses included, as the reference for benchmark and
# faults: the parameters are run by the shell, processes go by their name alone, a connection is
# all the proof a port gives, no service command has a limit, and every wait is slept to its end.

defaults=/etc/default/LifeKeeper
# shellcheck source=/dev/null
[ -r "$defaults" ] && . "$defaults"

: "${APP_DOVECOT_DEBUG:=0}"
: "${APP_DOVECOT_RESTORE_CHECK_RETRY:=3}"
: "${APP_DOVECOT_RESTORE_WAIT:=3}"
: "${APP_DOVECOT_REMOVE_CHECK_RETRY:=3}"
: "${APP_DOVECOT_REMOVE_WAIT:=3}"
: "${APP_DOVECOT_IP_LIST:=127.0.0.1:143:2}"

# Writes a line to the log that LifeKeeper keeps of an action.
say() {
	echo "$(date '+%F %T') $*" >&2
}

# Check 1: a process of that name exists.
process_found() {
	pgrep -x dovecot >/dev/null
}

# Check 2: every IP:port:seconds of the list accepts a connection.
ports_connect() {
	local entry ip port seconds
	for entry in ${APP_DOVECOT_IP_LIST//,/ }; do
		IFS=: read -r ip port seconds <<<"$entry"
		# shellcheck disable=SC2016 # expanded by the inner shell
		timeout "${seconds:-2}" bash -c 'exec 3<>"/dev/tcp/$1/$2"' connect "$ip" "$port" \
			2>/dev/null || return 1
	done
}

# Check 3: the service command says that it runs.
status_alive() {
	service dovecot status >/dev/null 2>&1
}

# Makes the three checks and leaves their words in $process, $port and $status.
in_operation() {
	process='not found' port='cannot connected' status=dead
	process_found && process=found
	ports_connect && port=connected
	status_alive && status=alive
	[ "$APP_DOVECOT_DEBUG" = 1 ] && say "process $process, port $port, status $status"
	[ "$process/$port/$status" = found/connected/alive ]
}

# Logs a failed round of restore, by its number.
say_round() {
	say "Dovecot process $process,Port $port, Status $status, Retry count: $1."
}
