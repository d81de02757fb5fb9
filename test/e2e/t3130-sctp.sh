#!/bin/bash
# Published sctp ports, with real associations from another host, from the host, and hairpin; refused by name where the
# kernel has no sctp (test/vm/network.sh runs this where it has).
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
if ! perl -MSocket -e 'socket(my $s, AF_INET, SOCK_STREAM, 132) or exit 1'; then
    expect_fails "publish port 7000/sctp: this kernel has no sctp" dk run --rm -p 7000:7000/sctp busybox true
    pass
fi
make_far_host
far ip route add default via 198.51.100.1
cat > "$TEST_TMP/sctp.pl" <<'END'
use strict; use warnings; use Socket qw(:all);
my ($what, $address, $port) = @ARGV;
my ($e, $i) = getaddrinfo($address, $port, {flags => AI_NUMERICHOST, socktype => SOCK_STREAM});
socket(my $s, $i->{family}, SOCK_STREAM, 132) or die "socket: $!";
if ($what eq 'serve') {
    bind($s, $i->{addr}) && listen($s, 10) or die "bind: $!";
    $| = 1; print "ready\n";
    while (accept(my $c, $s)) { sysread($c, my $x, 100); syswrite($c, "got $x"); close $c }
} else {
    alarm 5;
    connect($s, $i->{addr}) or die "connect: $!"; syswrite($s, "hello"); sysread($s, my $x, 100) or die "nothing: $!"; print "$x\n";
}
END
pid_of() { dk inspect -f '{{.State.Pid}}' "$1"; }
dk run -d --name web -p 7000:7000/sctp busybox sleep 1000 > /dev/null || fail "run"
dk run -d --name other busybox sleep 1000 > /dev/null
expect_match "$(dk port web)" '^7000/sctp -> 0\.0\.0\.0:7000$'
nsenter --net="/proc/$(pid_of web)/ns/net" perl "$TEST_TMP/sctp.pl" serve 0.0.0.0 7000 > "$TEST_TMP/served" &
server=$!
at_end "kill $server 2> /dev/null"
eventually 10 grep -q ready "$TEST_TMP/served"
step "from the host"
expect_eq "$(in_net perl "$TEST_TMP/sctp.pl" ask 127.0.0.1 7000)" "got hello"
expect_eq "$(in_net perl "$TEST_TMP/sctp.pl" ask 198.51.100.1 7000)" "got hello"
step "from another host, and another container"
expect_eq "$(far perl "$TEST_TMP/sctp.pl" ask 198.51.100.1 7000)" "got hello"
expect_eq "$(nsenter --net="/proc/$(pid_of other)/ns/net" perl "$TEST_TMP/sctp.pl" ask 198.51.100.1 7000)" "got hello"
step "the port is held, and given back"
expect_fails "port is already allocated|address already in use" dk run --rm -p 7000:7000/sctp busybox true
kill $server
dk rm -f web other > /dev/null
if far perl "$TEST_TMP/sctp.pl" ask 198.51.100.1 7000 2> /dev/null; then fail "still published"; fi
dk run --rm -p 7000:7000/sctp busybox true || fail "not given back"
in_net ip link del ext0
expect_nothing_left
pass
