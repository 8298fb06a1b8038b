#!/usr/bin/perl
# Calls quickCheck again and again, and prints one line for each: microseconds, exit status, the most
# memory that it had in KiB. It runs on the node, so that entering it is not measured.
#
# checks.pl ROUNDS PAUSE    PAUSE: seconds between the end of one and the beginning of the next
use strict;
use warnings;

# Debian's smallest perl has neither a fine clock nor wait4(2); these are their numbers on x86_64.
my ($WAIT4, $CLOCK_GETTIME, $MONOTONIC) = (61, 228, 1);

my ($rounds, $pause) = @ARGV;
$| = 1;

# Microseconds since some moment.
sub now {
	my $time = "\0" x 16;
	syscall($CLOCK_GETTIME, $MONOTONIC, $time) == 0 or die "clock_gettime: $!";
	my ($seconds, $nanoseconds) = unpack 'qq', $time;
	return $seconds * 1_000_000 + int($nanoseconds / 1000);
}

for (1 .. $rounds) {
	my $begun = now();
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', '/dev/null';
		exec '/usr/lib/dovecot-ark/quickCheck', '-t', 'dovecot', '-i', 'dovecot';
		exit 127;
	}
	my ($status, $usage) = ("\0" x 4, "\0" x 144);
	syscall($WAIT4, $pid, $status, 0, $usage) == $pid or die "wait4: $!";
	my $took = now() - $begun;
	$status = unpack 'i', $status;
	# The lower bits are the signal that ended it, if one did.
	my $code = $status & 127 ? 128 + ($status & 127) : $status >> 8;
	my $peak = unpack 'x32 q', $usage;
	print "$took $code $peak\n";
	select undef, undef, undef, $pause if $pause > 0;
}
