#!/bin/bash
# 400 open connections through a published port, over the bridge and by 127.0.0.1, outlive the daemon and its
# restart; cycles of create and remove on two networks leave no interface, rule, address or process.
# CORTEN_FULL: 1,000 cycles.
# limit: 900
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
cat > "$TEST_TMP/hold.pl" <<'END'
use strict; use warnings; use IO::Socket::INET;
my ($n, $address, $port, $go) = @ARGV;
my @all = map { IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port, Timeout => 5) || die "connect: $!" } 1 .. $n;
$| = 1;
print "open\n";
select undef, undef, undef, 0.1 until -e $go;
my $lost = 0;
for my $s (@all) {
    my $got = '';
    syswrite($s, "x") or ++$lost && next;
    my $ready = ''; vec($ready, fileno $s, 1) = 1;
    select($ready, undef, undef, 5) && sysread($s, $got, 1) && $got eq 'x' or ++$lost;
}
print "lost $lost\n";
END
cat > "$TEST_TMP/echo.pl" <<'END'
use strict; use warnings; use IO::Socket::INET; use IO::Select;
my $l = IO::Socket::INET->new(LocalPort => 7000, Listen => 512, ReuseAddr => 1) or die;
my $w = IO::Select->new($l);
while (my @r = $w->can_read) { for my $s (@r) { if ($s == $l) { $w->add($l->accept) } elsif (sysread $s, my $b, 100) { syswrite $s, $b } else { $w->remove($s); close $s } } }
END
downloads=()
elements() { in_net nft -j list ruleset | grep -o '"elem": \[[^]]*' | tr ',' '\n' | wc -l; }
links() { in_net ip -o link | wc -l; }

step "a download goes on while the daemon is killed and comes back"
dd if=/dev/urandom of="$TEST_TMP/big" bs=1M count=24 2> /dev/null
mkdir "$TEST_TMP/www"
mv "$TEST_TMP/big" "$TEST_TMP/www/big"
dk run -d --name files -p 7002:80 -v "$TEST_TMP/www:/w" busybox httpd -f -p 80 -h /w > /dev/null
gateway=$(dk inspect -f '{{.NetworkSettings.Gateway}}' files)
for at in 127.0.0.1 "$gateway" "[::1]"; do
    in_net curl -s --limit-rate 8M -o "$TEST_TMP/got.$at" "http://$at:7002/big" &
    downloads+=($!)
done
begun() { [ -s "$TEST_TMP/got.127.0.0.1" ] && [ -s "$TEST_TMP/got.$gateway" ] && [ -s "$TEST_TMP/got.[::1]" ]; }
eventually 5 begun
kill_daemon
restart_daemon
wait "${downloads[@]}"
for at in 127.0.0.1 "$gateway" "[::1]"; do cmp "$TEST_TMP/got.$at" "$TEST_TMP/www/big" || fail "the download by $at is not whole"; done
rm -f "$TEST_TMP"/got.*
dk rm -f files > /dev/null

step "connections outlive the daemon"
# The server runs in the container's network with this machine's perl.
dk run -d --name web -p 7000:7000 busybox sleep 1000 > /dev/null
nsenter --net="/proc/$(dk inspect -f '{{.State.Pid}}' web)/ns/net" perl "$TEST_TMP/echo.pl" "$TEST_TMP" &
server=$!
address=$(dk inspect -f '{{.NetworkSettings.Gateway}}' web)
sleep 0.3
for at in 127.0.0.1 "$address"; do
    in_net perl "$TEST_TMP/hold.pl" 200 "$at" 7000 "$TEST_TMP/go" > "$TEST_TMP/held.$at" &
done
both() { [ "$(cat "$TEST_TMP"/held.* | grep -c '^open$')" = 2 ]; }
eventually 20 both
kill_daemon
restart_daemon
dk run --rm -p 7001:7001 busybox true
touch "$TEST_TMP/go"
done_both() { [ "$(cat "$TEST_TMP"/held.* | grep -c '^lost')" = 2 ]; }
eventually 30 done_both
expect_eq "$(cat "$TEST_TMP"/held.* | grep '^lost' | sort -u)" "lost 0"
dk rm -f web > /dev/null
kill "$server"

step "cycles leave nothing"
dk network create one > /dev/null
dk network create --ipv6 two > /dev/null
dk run --rm --network one busybox true
dk run --rm --network two busybox true
before=$(links) rules=$(elements)
cycles=${CORTEN_FULL:+1000}
for ((i = 0; i < ${cycles:-15}; i++)); do
    api POST /v1.51/containers/create '{"Image":"busybox","Cmd":["true"],"HostConfig":{"NetworkMode":"one","AutoRemove":true,
        "PortBindings":{"80/tcp":[{"HostPort":""}]}},"NetworkingConfig":{"EndpointsConfig":{"one":{"Aliases":["a"]},"two":{}}}}'
    expect_eq "$api_status" 201
    id=$(printf '%s' "$output" | grep -o '[0-9a-f]\{64\}')
    api POST "/v1.51/containers/$id/start"
    expect_eq "$api_status" 204
    api POST "/v1.51/containers/$id/wait?condition=removed"
done
# The first two containers may still have been leaving when they were counted.
gone() { [ "$(links)" -le "$before" ] && [ "$(elements)" -le "$rules" ]; }
eventually 10 gone
expect_eq "$(dk network inspect -f '{{len .Containers}}' one two | tr '\n' ' ')" "0 0 "
dk network rm one two > /dev/null
expect_eq "$(in_net ip -o link show type bridge | wc -l)" 1
expect_nothing_left
pass
