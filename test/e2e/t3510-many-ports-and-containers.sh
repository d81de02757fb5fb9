#!/bin/bash
# Many published ports of one container, none next to another, and many containers on two networks each: all reached, all
# gone without a trace. CORTEN_FULL: 1,000 of both.
# limit: 900
. "$(dirname "$0")/lib.sh"
ulimit -n 65536 2> /dev/null || ulimit -n "$(ulimit -Hn)"
start_daemon
make_busybox_image
n=${CORTEN_FULL:+1000}
n=${n:-25}
sum() { in_net nft -j list ruleset | grep -o '"elem": \[[^]]*' | tr ',' '\n' | wc -l; }
dk run --rm busybox true

step "$n published ports"
before=$(sum)
body=$(perl -e 'print join ",", map { my $p = 20000 + 2 * $_; "\"$p/tcp\":[{\"HostPort\":\"$p\"}]" } 0 .. $ARGV[0] - 1' "$n")
api POST '/v1.51/containers/create?name=wide' "{\"Image\":\"busybox\",\"Cmd\":[\"sh\",\"-c\",\"mkdir /w; echo here > /w/index.html; httpd -p 20000 -h /w; httpd -f -p $((20000 + 2 * (n - 1))) -h /w\"],\"HostConfig\":{\"PortBindings\":{$body}}}"
expect_eq "$api_status" 201
from=$(date +%s%N)
api POST /v1.51/containers/wide/start
expect_eq "$api_status" 204
echo "started in $((($(date +%s%N) - from) / 1000000)) ms"
get() { in_net curl -s --max-time 5 "http://$1/"; }
eventually 10 get 127.0.0.1:$((20000 + 2 * (n - 1)))
expect_eq "$(get 127.0.0.1:20000)" here
expect_eq "$(get "[::1]:$((20000 + 2 * (n - 1)))")" here
expect_status 7 in_net curl -s --max-time 5 http://127.0.0.1:20001/
expect_eq "$(dk port wide | wc -l)" $((2 * n))
kill_daemon
restart_daemon
expect_eq "$(get "127.0.0.1:$((20000 + 2 * (n - 1)))")" here
dk rm -f wide > /dev/null
expect_eq "$(sum)" "$before"

step "$n containers on two networks"
dk network create --subnet 10.32.0.0/16 left > /dev/null
dk network create --subnet 10.33.0.0/16 right > /dev/null
cat > "$TEST_TMP/many.pl" <<'END'
# many.pl SOCKET FIRST LAST: creates and starts these.
use strict; use warnings; use IO::Socket::UNIX;
my ($socket, $first, $last) = @ARGV;
my $c = IO::Socket::UNIX->new(Peer => $socket) or die "dial: $!";
sub call { my ($target, $body) = @_;
    print $c "POST $target HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: ", length $body, "\r\n\r\n$body";
    my ($status) = <$c> =~ / (\d+) / or die; my $len = 0;
    while (my $l = <$c>) { $len = $1 if $l =~ /^content-length: (\d+)/i; last if $l eq "\r\n" }
    read $c, my $got, $len if $len;
    $status < 300 or die "$target: $status $got" }
for ($first .. $last) {
    call "/v1.51/containers/create?name=many$_", '{"Image":"busybox","Cmd":["sleep","1000"],"HostConfig":{"NetworkMode":"left"},"NetworkingConfig":{"EndpointsConfig":{"left":{},"right":{}}}}';
    call "/v1.51/containers/many$_/start", '' }
END
from=$(date +%s%N)
half=$((n / 2))
perl "$TEST_TMP/many.pl" "$SOCKET" 1 $half &
one=$!
perl "$TEST_TMP/many.pl" "$SOCKET" $((half + 1)) "$n" || fail "second half"
wait $one || fail "first half"
echo "$n containers in $((($(date +%s%N) - from) / 1000000)) ms"
expect_eq "$(dk network inspect -f '{{len .Containers}}' left right | tr '\n' ' ')" "$n $n "
for net in left right; do
    dk exec many1 ping -c 1 -W 3 "$(dk inspect -f "{{.NetworkSettings.Networks.$net.IPAddress}}" "many$n")" > /dev/null || fail "the last is not reached over $net"
done
expect_match "$(dk exec many1 nslookup -type=a "many$n" 2>&1)" "10\.3[23]\."
kill_daemon
restart_daemon
expect_match "$(dk exec "many$n" nslookup -type=a many1 2>&1)" "10\.3[23]\."
for ((i = 1; i <= n; i += 100)); do
    # shellcheck disable=SC2046
    dk rm -f $(seq -f 'many%g' $i $((i + 99 < n ? i + 99 : n))) > /dev/null || fail "rm"
done
dk network rm left right > /dev/null
expect_nothing_left
pass
