# A file system in user space that is silent when it wants to be: it answers the requests whose kind the
# expression matches, hears all others, and lets who sent them wait. It holds one directory, in which each
# name is an empty file. Arguments: the mount point, its owner, where it writes down the kind of each
# request, the expression, and how often it hears anything before it stops itself: who has not been heard
# can be killed. After SIGUSR1 it is silent to all. Speaks the least of the protocol (linux/fuse.h, 7.19).
use strict;
use warnings;

my ($point, $owner, $kinds, $answered, $hears) = @ARGV;
my ($LOOKUP, $GETATTR, $OPEN, $STATFS, $INIT) = (1, 3, 14, 17, 26);
my $NOT_IMPLEMENTED = -38;
my $NOTHING = '^$';
local $SIG{USR1} = sub { $answered = $NOTHING };

$^F = 9;    # mount(8) inherits the device
sysopen my $device, '/dev/fuse', 2 or die "opening /dev/fuse: $!";
open my $list, '>>', $kinds or die "opening $kinds: $!";
my $options = 'fd=' . fileno($device) . ",rootmode=40000,user_id=$owner,group_id=$owner,allow_other";
# It may wait for the first answers.
if (!fork) {
	exec qw(mount -i -t fuse -o), $options, 'none', $point or die "running mount: $!";
}

# Directory is node 1, every file node 2. Nothing may be remembered: each look asks again.
sub attributes {
	my $node = shift;
	return pack 'Q6L10', $node, (0) x 8, $node == 1 ? 040755 : 0100644, 1, 0, 0, 0, 4096, 0;
}

sub answer {
	my ($kind, $node) = @_;
	return pack 'L4S2L', 7, 19, 0, 0, 0, 0, 4096 if $kind == $INIT;
	return pack('Q4L2', 2, 0, 0, 0, 0, 0) . attributes(2) if $kind == $LOOKUP;
	return pack('QL2', 0, 0, 0) . attributes($node) if $kind == $GETATTR;
	return pack 'QL2', 1, 0, 0 if $kind == $OPEN;
	return pack 'x80' if $kind == $STATFS;
	return;
}

# Before there is a mount there is nothing to read.
while (1) {
	my $length = sysread $device, my $request, 135_168;
	if (!$length) {
		last if defined $length || !($!{EPERM} || $!{EINTR});
		select undef, undef, undef, 0.01;
		next;
	}
	my (undef, $kind, $number, $node) = unpack 'L2Q2', $request;
	syswrite $list, "$kind\n";
	next if $kind != $INIT && $kind !~ /$answered/x;
	my $words = answer($kind, $node);
	my $error = defined $words ? 0 : $NOT_IMPLEMENTED;
	$words //= '';
	syswrite $device, pack('LlQ', 16 + length $words, $error, $number) . $words;
	kill 'STOP', $$ if $hears && !--$hears;
}
