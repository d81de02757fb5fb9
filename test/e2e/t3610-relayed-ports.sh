#!/bin/bash
# Ports that corten-relay alone publishes: the host's input policy decides about them (--publish-by-relay); and without
# any packet filter of ours (--iptables=false). From the host, from another host, between containers, TCP and UDP.
. "$(dirname "$0")/lib.sh"
[ -e /proc/sys/net/ipv6 ] || skip "no IPv6 in this kernel"
command -v perl > /dev/null || skip "no perl"
start_daemon --publish-by-relay
make_busybox_image
make_far_host
serve='while :; do echo tcp | nc -l -p 80 > /dev/null; done'
ask() { "$1" busybox nc -w 2 "${@:2}" < /dev/null; }
says() { [ "$(ask "${@:1:3}")" = "$4" ]; }
from() { # SOURCE ADDRESS PORT
    far perl -MIO::Socket::INET -e 'alarm 2; my $s = IO::Socket::INET->new(LocalAddr => $ARGV[0], PeerAddr => $ARGV[1],
        PeerPort => $ARGV[2]) or exit; print scalar <$s> // ""' "$@"
}
datagram() { # WHERE ADDRESS PORT
    [ "$("$1" perl -MIO::Socket::INET -e 'alarm 2; my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1], Proto => "udp");
        $s->send("x"); $s->recv(my $got, 100); print $got' "$2" "$3")" = udp ]
}

for mode in --publish-by-relay --iptables=false; do
    step "$mode"
    [ $mode = --publish-by-relay ] || { stop_daemon; start_daemon $mode; }
    ct run -d --name web -p 8080:80 -p 127.0.0.1:8081:80 -p 5353:53/udp -p 8082:80,from=198.51.100.3 busybox sh -c "$serve" > /dev/null
    nsenter --net="/proc/$(dk inspect -f '{{.State.Pid}}' web)/ns/net" perl -MIO::Socket::INET -e '
        my $s = IO::Socket::INET->new(LocalPort => 53, Proto => "udp") or die; while (defined $s->recv(my $x, 100)) { $s->send("udp") }' "$TEST_TMP" &
    server=$!
    at_end "kill $server 2> /dev/null"
    expect_eq "$(dk port web 80/tcp | sort | tr '\n' ' ')" "0.0.0.0:8080 0.0.0.0:8082 127.0.0.1:8081 [::]:8080 [::]:8082 "
    eventually 5 says in_net 127.0.0.1 8080 tcp
    for a in 198.51.100.1 ::1; do eventually 5 says in_net $a 8080 tcp; done
    eventually 5 says in_net 127.0.0.1 8081 tcp
    eventually 5 says far 198.51.100.1 8080 tcp
    expect_status 1 ask far 198.51.100.1 8081
    eventually 10 datagram far 198.51.100.1 5353
    eventually 5 says in_net 127.0.0.1 8082 tcp
    # the server is away for a moment between two clients
    eventually 5 eval '[ "$(from 198.51.100.3 198.51.100.1 8082)" = tcp ]'
    expect_eq "$(from 198.51.100.2 198.51.100.1 8082)" ""
    dk run -d --name near busybox sleep 1000 > /dev/null
    near_says() { [ "$(dk exec near sh -c 'nc -w 2 198.51.100.1 8080 < /dev/null')" = tcp ]; }
    eventually 5 near_says
    expect_fails 'already allocated \(by container web\)' dk run --rm -p 8080:80 busybox true
    expect_fails 'needs translation' dk run --rm -p 20000-20999:20000-20999 busybox true
    [ $mode = --publish-by-relay ] || expect_eq "$(in_net nft list tables)" ""

    step "the host's input policy decides"
    in_net nft -f - <<'END'
table ip mine { chain input { type filter hook input priority 0; iifname "ext0" tcp dport 8080 drop; }; }
END
    expect_status 1 ask far 198.51.100.1 8080
    eventually 5 says in_net 198.51.100.1 8080 tcp
    in_net nft delete table ip mine

    step "over a restart; changed while it runs"
    restart_daemon
    eventually 5 says far 198.51.100.1 8080 tcp
    ct update --publish-rm 80/tcp --publish-add 8083:80 web > /dev/null
    eventually 5 says far 198.51.100.1 8083 tcp
    expect_status 1 ask far 198.51.100.1 8080
    dk run --rm -p 8080:80 busybox true
    kill $server
    dk rm -f web near > /dev/null
    [ $mode = --publish-by-relay ] && in_net nft list tables | awk '{print $2, $3}' | while read -r t; do
        in_net nft list table $t | grep -q '8080\|8083' && fail "a rule is left"
    done
    in_net ip link show type bridge | awk -F: '/corten/ {print $2}' | while read -r b; do in_net ip link del "$b"; done
    in_net nft flush ruleset
done

step "what cannot be"
dk network create --internal in > /dev/null
expect_fails 'internal, which needs the packet filter' dk run --rm --network in busybox true
dk network create -o com.docker.network.bridge.enable_icc=false closed > /dev/null
expect_fails 'without icc, which needs the packet filter' dk run --rm --network closed busybox true
dk network rm in closed > /dev/null
stop_daemon
for wrong in "--iptables=false --icc=false" "--publish-by-relay --userland-proxy=false"; do
    # shellcheck disable=SC2086
    if "$bin/cortend" --data-root "$TEST_TMP/w" --run-root "$TEST_TMP/wr" $wrong > "$TEST_TMP/out" 2>&1; then
        fail "accepted: $wrong"
    fi
done
restart_daemon
in_net ip link del ext0
expect_nothing_left
pass
