#!/bin/bash
# 300 followers of logs at once: every one sees every line, one process serves them, its memory is flat, others are not held.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
n=300
[ -n "${CORTEN_FULL-}" ] && n=1000

for c in aa bb; do
    dk run -d --name $c --log-opt max-size=20k --log-opt max-file=1000 busybox \
        sh -c 'mkfifo /tmp/go /tmp/end; read x < /tmp/go; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; done; read x < /tmp/end' > /dev/null
done

step "followers come"
cat > "$TEST_TMP/follow.pl" << 'PL'
use IO::Socket::UNIX; use IO::Poll qw(POLLIN);
my ($path, $n, $out) = @ARGV;
my $poll = IO::Poll->new;
my (%text, %end);
for my $i (0 .. $n - 1) {
    my $s = IO::Socket::UNIX->new($path) or die "connect $i: $!";
    print $s "GET /containers/" . ($i % 2 ? "aa" : "bb") . "/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n";
    $s->flush; $s->blocking(0); $text{$s} = ""; $poll->mask($s => POLLIN);
}
open my $f, ">", "$out.up"; close $f;
my $left = $n;
while ($left) {
    $poll->poll(30) or die "nothing comes: $left left";
    for my $s ($poll->handles(POLLIN)) {
        my $r = sysread $s, my $b, 65536;
        next unless defined $r;
        if ($r) { $text{$s} .= $b; next }
        $poll->remove($s); $left--;
    }
}
my %seen;
for (values %text) {
    s/^HTTP.*?\r\n\r\n//s or die "no head";
    my $body = "";
    while (/\G([0-9a-f]+)\r\n/gc) { my $k = hex $1; last unless $k; $body .= substr $_, pos, $k; pos() += $k + 2 }
    my $plain = "";
    while (length $body) { my ($k, $l) = unpack "Cx3N", $body; $plain .= substr $body, 8, $l; substr($body, 0, 8 + $l) = "" }
    $seen{$plain}++;
}
print join(" ", map { "$seen{$_}:" . length } keys %seen), "\n";
PL
perl "$TEST_TMP/follow.pl" "$SOCKET" $n "$TEST_TMP/out" > "$TEST_TMP/out" 2>&1 &
follower=$!
eventually 20 test -e "$TEST_TMP/out.up"
sleep 1
workers() { for p in $(our_pids); do grep -qxs corten-worker "/proc/$p/comm" && echo "$p"; done; }
expect_eq "$(workers | wc -l)" 1
before=$(awk '/^Rss:/ {print $2}' "/proc/$(workers)/smaps_rollup")
dk logs aa > /dev/null # a plain reader is not held
step "the flood, through many rotations"
for c in aa bb; do dk exec -d $c sh -c 'echo > /tmp/go'; done
eventually 20 eval 'dk logs --tail 1 aa | grep -q "line 3000"'
kill_daemon # is not noticed
restart_daemon
for c in aa bb; do dk exec -d $c sh -c 'echo > /tmp/end'; done
wait $follower || fail "$(cat "$TEST_TMP/out")"
want=$(for i in $(seq 1 3000); do echo line "$i"; done | wc -c)
expect_eq "$(cat "$TEST_TMP/out")" "$n:$want"
case $CORTEN_BUILD in
*asan* | *tsan*) ;; # shadow memory is not the workers'
*) [ "$before" -lt 60000 ] || fail "$n idle followers take $before kB" ;;
esac
step "it ends when nobody is left"
eventually 15 eval '[ -z "$(workers)" ]'
pass
