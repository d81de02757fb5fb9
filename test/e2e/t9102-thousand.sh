#!/bin/bash
# Many containers with network none: memory of their monitors, the time to start them, every log and exit code.
# limit: 600
. "$(dirname "$0")/lib.sh"
n=40
[ -n "${CORTEN_FULL-}" ] && n=1000
start_daemon
make_busybox_image
cat > "$TEST_TMP/many.pl" << 'PL'
# Creates and starts containers FROM..TO over one connection each, several at a time.
use IO::Socket::UNIX;
my ($path, $from, $to, $jobs) = @ARGV;
sub call {
    my ($method, $url, $body) = @_;
    my $s = IO::Socket::UNIX->new($path) or die "connect: $!";
    print $s "$method $url HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body";
    $s->flush;
    local $/;
    my $answer = <$s>;
    return $answer =~ m{^HTTP/1\.1 (\d+)} ? $1 : 0;
}
for my $j (0 .. $jobs - 1) {
    next if fork;
    for (my $i = $from + $j; $i <= $to; $i += $jobs) {
        my $c = call("POST", "/containers/create?name=many$i", qq({"Image":"busybox","Cmd":["sh","-c","echo line \$0; trap 'exit \$((\$0 % 200))' TERM; while :; do sleep 1000 & wait; done","$i"],"HostConfig":{"NetworkMode":"none"}}));
        my $s = call("POST", "/containers/many$i/start", "");
        die "many$i: $c $s" unless $c == 201 && $s == 204;
    }
    exit 0;
}
my $bad = 0;
while (wait != -1) { $bad ||= $? }
exit($bad ? 1 : 0);
PL
step "start $n"
t0=$(date +%s%N)
perl "$TEST_TMP/many.pl" "$SOCKET" 1 $n 8 || fail "not all were started"
echo "# $n containers created and started in $((($(date +%s%N) - t0) / 1000000)) ms"
expect_eq "$(dk ps -q | wc -l)" $n
sleep 2
total=0 count=0
for p in $(our_pids); do
    [ "$(cat "/proc/$p/comm" 2> /dev/null)" = corten-monitor ] || continue
    ! grep -q -- '----' "/proc/$p/cmdline" || continue # made ahead for the next start
    total=$((total + $(awk '/^Pss:/ {print $2}' "/proc/$p/smaps_rollup")))
    count=$((count + 1))
done
expect_eq "$count" "$n"
echo "# PSS of a monitor: $((total / count)) kB"
case $build in
*asan* | *tsan*) ;; # shadow memory is not the monitor's
*) [ $((total / count)) -le 150 ] || fail "a monitor takes $((total / count)) kB" ;;
esac

step "every log has its line, a new daemon knows all, every code is right"
kill_daemon
restart_daemon
expect_eq "$(dk ps -q | wc -l)" $n
for i in 1 $((n / 2)) $n; do expect_eq "$(dk logs many$i)" "line $i"; done
# shellcheck disable=SC2046
dk stop -t 20 $(seq -f 'many%.0f' 1 $n) > /dev/null
dk inspect -f '{{.Name}} {{.State.ExitCode}}' $(seq -f 'many%.0f' 1 $n) | while read -r name code; do
    i=${name#/many}
    [ "$code" = $((i % 200)) ] || echo "$name $code"
done > "$TEST_TMP/wrong"
expect_eq "$(cat "$TEST_TMP/wrong")" ""
# shellcheck disable=SC2046
dk rm $(dk ps -aq) > /dev/null
expect_nothing_left
pass
