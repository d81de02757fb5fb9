#!/bin/bash
# Publishing in every form: IPv6 addresses of the host and ::1 to containers with and without IPv6, ranges of
# 20,000 ports as one element, shifted ranges, udp, lists of sources, conflicts that name the holder, sockets that
# outlive daemon and relay.
. "$(dirname "$0")/lib.sh"
[ -e /proc/sys/net/ipv6 ] || skip "no IPv6 in this kernel"
command -v perl > /dev/null || skip "no perl"
start_daemon
make_busybox_image
make_far_host

cat > "$TEST_TMP/ask.pl" <<'END'
# ask.pl PROTO ADDRESS PORT [FROM]: what the server there says to "x", or nothing.
use strict; use warnings; use Socket qw(:all);
my ($proto, $address, $port, $from) = @ARGV;
my ($e, $a) = getaddrinfo($address, $port, {flags => AI_NUMERICHOST, socktype => $proto eq 'udp' ? SOCK_DGRAM : SOCK_STREAM});
die $e if $e;
socket(my $s, $a->{family}, $a->{socktype}, 0) or die;
if ($from) { my ($f, $b) = getaddrinfo($from, 0, {flags => AI_NUMERICHOST, socktype => $a->{socktype}}); bind($s, $b->{addr}) or die "bind: $!" }
$SIG{ALRM} = sub { exit 1 }; alarm 3;
connect($s, $a->{addr}) or exit 1;
send($s, "x\n", 0); recv($s, my $got, 1000, 0); exit 1 unless length($got // ''); print $got;
END
cat > "$TEST_TMP/serve.pl" <<'END'
# serve.pl PORT…: on each, TCP and UDP: answers with its port and whom it sees.
use strict; use warnings; use IO::Select; use Socket qw(:all);
my $w = IO::Select->new; my %port;
for my $p (grep { /^\d+$/ } @ARGV) { for my $t (SOCK_STREAM, SOCK_DGRAM) {
    socket(my $s, AF_INET6, $t, 0) or die; setsockopt($s, IPPROTO_IPV6, IPV6_V6ONLY, 0); setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
    unless (bind($s, pack_sockaddr_in6($p, inet_pton(AF_INET6, '::')))) {
        socket($s, AF_INET, $t, 0); setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1); bind($s, pack_sockaddr_in($p, INADDR_ANY)) or die "bind $p: $!" }
    listen($s, 100) if $t == SOCK_STREAM;
    $w->add($s); $port{fileno $s} = [$p, $t];
} }
sub name { my ($e, $h) = getnameinfo($_[0], NI_NUMERICHOST, NIx_NOSERV); $h =~ s/^::ffff://; $h }
while (my @r = $w->can_read) { for my $s (@r) { my ($p, $t) = @{$port{fileno $s}};
    if ($t == SOCK_STREAM) { my $from = accept(my $c, $s) or next; sysread($c, my $x, 10); syswrite($c, "$p tcp " . name($from) . "\n") }
    else { my $from = recv($s, my $x, 10, 0); send($s, "$p udp " . name($from) . "\n", 0, $from) } } }
END
ask() { perl "$TEST_TMP/ask.pl" "$@"; }
say() { in_net perl "$TEST_TMP/ask.pl" "$@"; }
far_ask() { far perl "$TEST_TMP/ask.pl" "$@"; }
serve() { # CONTAINER PORT…: this machine's perl in the container's network
    local name=$1; shift
    nsenter --net="/proc/$(dk inspect -f '{{.State.Pid}}' "$name")/ns/net" perl "$TEST_TMP/serve.pl" "$@" "$TEST_TMP" 2> /dev/null &
    servers+=($!)
    at_end "kill $! 2> /dev/null"
}
servers=()
box() { dk run -d "$@" busybox sleep 1000 > /dev/null; }
table=$(in_net true; echo "corten-${instance#corten-}")
elements() { in_net nft -j list map "$1" "$table" "$2" | grep -o '"elem": \[.*' | grep -o '\[\["concat\|{"concat' | wc -l; }

step "an IPv4 container: translated by IPv4, carried by IPv6"
box --name plain -p 8080:80 -p 8080:80/udp
serve plain 80
expect_eq "$(ct port plain 80/tcp | tr '\n' ' ')" "0.0.0.0:8080 [::]:8080 "
eventually 5 say tcp 127.0.0.1 8080
expect_eq "$(say tcp ::1 8080)" "80 tcp 172.17.0.1"
expect_eq "$(say udp ::1 8080)" "80 udp 172.17.0.1"
expect_eq "$(say tcp 2001:db8:1::1 8080)" "80 tcp 172.17.0.1"
expect_eq "$(far_ask tcp 2001:db8:1::1 8080)" "80 tcp 172.17.0.1"
expect_eq "$(far_ask udp 2001:db8:1::1 8080)" "80 udp 172.17.0.1"
expect_eq "$(far_ask tcp 198.51.100.1 8080)" "80 tcp 198.51.100.2"
expect_eq "$(far_ask udp 198.51.100.1 8080)" "80 udp 198.51.100.2"
expect_eq "$(say udp 127.0.0.1 8080)" "80 udp 172.17.0.1"

step "the relay goes and comes back; so does the daemon"
relay=$(in_net true; pgrep -f -x corten-relay | while read -r p; do
    [ "$(readlink "/proc/$p/ns/net")" = "$(readlink "/proc/$net_pid/ns/net")" ] && echo "$p"; done)
[ -n "$relay" ] || fail "no relay"
expect_eq "$(awk '/^Uid/ {print $2}' "/proc/$relay/status")" 61183
# it lets go of a port late, because it is late in hearing that the container has ended
kill -STOP "$relay"
dk rm -f plain > /dev/null
{ sleep 0.3; kill -CONT "$relay"; } &
box --name plain -p 8080:80 -p 8080:80/udp
serve plain 80
eventually 5 say tcp ::1 8080
kill -9 "$relay"
eventually 10 say tcp ::1 8080
kill_daemon
expect_eq "$(say tcp ::1 8080)" "80 tcp 172.17.0.1"
restart_daemon
expect_eq "$(say tcp ::1 8080)" "80 tcp 172.17.0.1"
expect_eq "$(ct port plain 80/tcp | tr '\n' ' ')" "0.0.0.0:8080 [::]:8080 "

step "a container with IPv6: translated by both"
dk network create --ipv6 --subnet 10.83.0.0/24 --subnet fd83::/64 six > /dev/null
box --name six --network six -p 8081:80 -p '[2001:db8:1::1]:8082:80' -p '[::1]:8083:80'
serve six 80
expect_eq "$(ct port six 80/tcp | sort | tr '\n' ' ')" "0.0.0.0:8081 [2001:db8:1::1]:8082 [::1]:8083 [::]:8081 "
eventually 5 say tcp 127.0.0.1 8081
expect_eq "$(far_ask tcp 2001:db8:1::1 8081)" "80 tcp 2001:db8:1::2"
expect_eq "$(say tcp 2001:db8:1::1 8081)" "80 tcp 2001:db8:1::1"
expect_eq "$(far_ask tcp 2001:db8:1::1 8082)" "80 tcp 2001:db8:1::2"
expect_eq "$(say tcp ::1 8081)" "80 tcp 10.83.0.1"
expect_eq "$(say tcp ::1 8083)" "80 tcp 10.83.0.1"
expect_status 1 far_ask tcp 2001:db8:1::1 8083
# hairpin: its own port by the host's address
expect_match "$(nsenter --net="/proc/$(dk inspect -f '{{.State.Pid}}' six)/ns/net" perl "$TEST_TMP/ask.pl" tcp 2001:db8:1::1 8081)" "^80 tcp"

step "who may use a port"
box --name few --network six --label x=y busybox true 2> /dev/null; dk rm -f few > /dev/null
ct run -d --name few --network six -p 8090:80,from=198.51.100.3,from=2001:db8:1::/64 -p 8091-8092:81-82,from=10.0.0.0/8 busybox sleep 1000 > /dev/null
serve few 80 81
eventually 5 say tcp 127.0.0.1 8090
expect_status 1 far_ask tcp 198.51.100.1 8090 198.51.100.2
expect_eq "$(far_ask tcp 198.51.100.1 8090 198.51.100.3)" "80 tcp 198.51.100.3"
expect_match "$(far_ask tcp 2001:db8:1::1 8090)" "^80 tcp 2001:db8:1::2"
expect_status 1 far_ask tcp 198.51.100.1 8091
expect_eq "$(say tcp 127.0.0.1 8091)" "81 tcp 10.83.0.1"
expect_match "$(ct port few)" '^80/tcp -> 0.0.0.0:8090 from 198.51.100.3/32, 2001:db8:1::/64$'
expect_match "$(dk inspect few)" '"198.51.100.3/32"'
expect_fails "source 'nowhere'" ct run --rm -p 8099:80,from=nowhere busybox true
kill_daemon
in_net nft flush set ip "$table" allowed
in_net nft flush map ip "$table" published
restart_daemon
eventually 5 far_ask tcp 198.51.100.1 8090 198.51.100.3
expect_status 1 far_ask tcp 198.51.100.1 8090 198.51.100.2
dk rm -f few > /dev/null
box --name all -p 8090:80
serve all 80
eventually 5 far_ask tcp 198.51.100.1 8090 198.51.100.2
dk rm -f all six plain > /dev/null

step "ranges"
before=$(in_net nft list ruleset | wc -l)
ct run -d --name long -p 20000-39999:20000-39999 -p 20000-39999:20000-39999/udp -p 10000-10009:80-89 busybox sleep 1000 > /dev/null
expect_match "$(in_net nft list map ip "$table" ranges)" 'tcp . 20000-39999 : 172.17.0.[0-9]+'
expect_eq "$(in_net nft list map ip "$table" published | grep -o 'tcp \. 100' | wc -l)" 10
serve long 20000 31234 39999 85
eventually 5 say tcp 127.0.0.1 31234
expect_eq "$(far_ask tcp 198.51.100.1 20000)" "20000 tcp 198.51.100.2"
expect_eq "$(far_ask udp 198.51.100.1 39999)" "39999 udp 198.51.100.2"
expect_eq "$(far_ask tcp 198.51.100.1 10005)" "85 tcp 198.51.100.2"
expect_eq "$(say tcp ::1 10005)" "85 tcp 172.17.0.1"
expect_eq "$(dk port long | wc -l)" 40020
expect_match "$(ct ps)" '0.0.0.0:20000-39999->20000-39999/tcp'
expect_fails "Bind for 0.0.0.0:31234 failed: port is already allocated \(by container long\)" dk run --rm -p 31234:80 busybox true
ct update --publish-rm 31235 --publish-add 9999:31234 long > /dev/null
expect_match "$(in_net nft list map ip "$table" ranges)" 'tcp . 31236-39999 : 172.17.0.[0-9]+'
eventually 5 say tcp 127.0.0.1 9999
expect_no_match "$(cat "$daemon_log")" 'held the loop for [0-9]{4,} ms' # 40,000 ports are no reason
restart_daemon
expect_eq "$(say tcp 127.0.0.1 31234)" "31234 tcp 172.17.0.1"
expect_fails "by container long" dk run --rm -p 31234:80 busybox true
dk rm -f long > /dev/null
expect_eq "$(in_net nft list ruleset | wc -l)" "$before"

step "others that have the port"
nsenter --net="/proc/$net_pid/ns/net" perl "$TEST_TMP/serve.pl" 41000 "$TEST_TMP" 2> /dev/null &
foreign=$!
at_end "kill $foreign 2> /dev/null"
listens() { in_net ss -ltn | grep -q :41000; }
eventually 5 listens
expect_fails "0.0.0.0:41000: bind: address already in use \(by perl, pid [0-9]+\)" dk run --rm -p 41000:80 busybox true
expect_fails "41000: bind: address already in use \(by perl, pid [0-9]+\)" dk run --rm -p 40900-41300:40900-41300 busybox true
if ! perl -e 'use Socket; socket(my $s, AF_INET, SOCK_STREAM, 132) or exit 1'; then
    expect_fails "this kernel has no sctp" dk run --rm -p 41001:80/sctp busybox true
fi

kill "$foreign" "${servers[@]}" 2> /dev/null # they hold the network of a container that is gone
wait "$foreign" "${servers[@]}" 2> /dev/null
dk network rm six > /dev/null
in_net ip link del ext0
expect_nothing_left
pass
