#!/usr/bin/perl
# hold-listener.pl DIRECTORY SOCKET COMMAND... - what a service manager does for a socket unit: makes the listening
# socket, keeps it open, starts COMMAND with it (LISTEN_FDS, descriptor 3), and starts it again when it ends, until
# DIRECTORY/stop exists. DIRECTORY/pid holds the process that runs now.
use strict;
use warnings;
use POSIX ();
use Socket;

my ($dir, $path, @command) = @ARGV;
$^F = 255; # descriptors stay open across exec
socket(my $listener, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
unlink $path;
bind($listener, sockaddr_un($path)) or die "bind: $!";
listen($listener, 1024) or die "listen: $!";
until (-e "$dir/stop") {
    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        POSIX::dup2(fileno($listener), 3);
        POSIX::close(fileno($listener)) if fileno($listener) != 3;
        @ENV{qw(LISTEN_PID LISTEN_FDS)} = ($$, 1);
        exec @command or POSIX::_exit(127);
    }
    open my $f, '>', "$dir/pid.new" or die "pid: $!";
    print $f "$pid\n";
    close $f;
    rename "$dir/pid.new", "$dir/pid";
    waitpid $pid, 0;
}
