#!/bin/bash
# Times the actions and what they are held against, alternately, and prints one line for each
# run: name, microseconds, exit status. It runs on the node, so that entering it is not measured.
#
# bench.sh checks ROUNDS         Dovecot runs: the status command, and quickCheck
# bench.sh recover ROUNDS EVERY  up to the first greeting: stop and start, recover, and, in every
#                                EVERY-th round, the original kit's recover

# A descriptor on which nothing ever comes: reading it with a limit is a sleep without a process.
exec 9<> <(:)

# Runs "$2"... and prints its time under the name $1.
timed() {
	local name=$1 start end status
	shift
	start=${EPOCHREALTIME/./}
	"$@" </dev/null >/dev/null 2>&1
	status=$?
	end=${EPOCHREALTIME/./}
	echo "$name $((end - start)) $status"
}

# Connects to the IMAP port as soon as it accepts, and waits for a ready server's greeting.
greeted() {
	local tries=0 line
	until { exec 3<>/dev/tcp/127.0.0.1/143; } 2>/dev/null; do
		((++tries < 2000)) || return 1
		read -rt 0.005 -u 9
	done
	read -rt 10 -u 3 line && [[ $line == '* OK'* ]]
}

# Ends the greeted connection and lets Dovecot's login process go: a connection that is open
# while Dovecot stops would make the next stop longer.
part() {
	printf 'a LOGOUT\r\n' >&3
	cat <&3 >/dev/null
	exec 3>&-
	sleep 0.5
}

quick_check() { dovecot-ark quickCheck -t dovecot -i dovecot; }
bare() { service dovecot stop && service dovecot start && greeted; }
kit() { dovecot-ark recover -t dovecot -i dovecot && greeted; }
original() { /usr/local/lib/original/recover -t dovecot -i dovecot && greeted; }

# Runs the functions or commands named, in turn from the front and from the back.
round=0
alternate() {
	if ((round % 2)); then
		"$1" && "$2"
	else
		"$2" && "$1"
	fi
}

# Each check leaves Dovecot something to do (a login process): the pause keeps it out of the next.
time_status() { timed status service dovecot status && sleep 0.05; }
time_quick_check() { timed quickCheck quick_check && sleep 0.05; }
time_bare() { timed bare bare && part; }
time_kit() { timed recover kit && part; }

service dovecot status >/dev/null || service dovecot start >/dev/null 2>&1
greeted && part
case $1 in
checks)
	for ((round = 1; round <= $2; round++)); do
		alternate time_status time_quick_check
	done
	;;
recover)
	for ((round = 1; round <= $2; round++)); do
		alternate time_bare time_kit
		if ((round % $3 == 0)); then
			timed original original && part
		fi
	done
	;;
esac
