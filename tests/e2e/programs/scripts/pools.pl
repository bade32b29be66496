# A pool of children, a pipe from many, commands.
use strict;
use POSIX ":sys_wait_h";
$| = 1;
my (%expected, $done);
$SIG{CHLD} = sub { };
my $reap = sub {
    my $pid = waitpid(-1, 0);
    return 0 if $pid <= 0;
    die "status $?" if ($? >> 8) != delete $expected{$pid};
    return ++$done;
};
for my $number (1 .. 40) {
    $reap->() while keys %expected >= 5;
    my $pid = fork() // die "fork: $!";
    if (!$pid) { my $sum = 0; $sum += $_ for 1 .. 10000; exit($number % 7); }
    $expected{$pid} = $number % 7;
}
1 while $reap->();
print "done $done\n";
pipe(my $read, my $write);
for my $number (1 .. 8) {
    if (!fork()) { close $read; syswrite($write, "worker $number\n"); exit 0; }
}
close $write;
print sort <$read>;
1 while wait() > 0;
open(my $from, "-|", "echo from a shell; exit 3") or die;
print <$from>;
close $from;
print $? >> 8, "\n";
system("exit 4");
print $? >> 8, "\n";
print `echo back; true`;
