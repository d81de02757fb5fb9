#!/bin/bash
# A daemon that has no descriptors left: connections wait without costing time, each call is answered with the reason,
# the daemon lives, and with descriptors again everything works and nothing is left over.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
dk run -d --name keeps busybox sh -c 'echo said; exec sleep 1000' > /dev/null
limit() { prlimit --pid "$daemon_pid" --nofile="$1:4096" || skip "limits cannot be set here"; }
used() { ls "/proc/$daemon_pid/fd" | wc -l; }

step "a hundred connections that say nothing"
limit $(($(used) + 9))
python3 -c '
import socket, sys
held = []
for _ in range(100):
    c = socket.socket(socket.AF_UNIX)
    c.setblocking(False)
    c.connect(sys.argv[1])
    held.append(c)
print("held", flush=True)
sys.stdin.read()' "$SOCKET" < <(sleep 1.5) > held &
holder=$!
eventually 5 grep -q held held
ticks() { awk '{print $14 + $15}' "/proc/$daemon_pid/stat"; }
before=$(ticks)
sleep 0.5
[ $(($(ticks) - before)) -lt 20 ] || fail "waiting for descriptors takes processor time"
wait "$holder"
expect_eq "$(curl -s --max-time 5 --unix-socket "$SOCKET" http://d/_ping)" OK

step "calls, with one to a dozen to spare"
refused=0
for spare in 1 2 3 4 5 6 8 10 12; do
    limit $(($(used) + spare))
    for c in "GET /containers/keeps/logs?stdout=1" "GET /containers/keeps/logs?stdout=1&follow=1&until=1" "POST /containers/create?name=more {\"Image\":\"busybox\"}" \
        "POST /containers/more/start" "DELETE /containers/more?force=1" "POST /networks/create {\"Name\":\"n\"}" "DELETE /networks/n" "GET /containers/keeps/archive?path=/etc/passwd"; do
        read -r method path body <<< "$c"
        status=$(curl -s --max-time 20 -o answer -w '%{http_code}' -X "$method" --unix-socket "$SOCKET" ${body:+-H "Content-Type: application/json" -d "$body"} "http://d$path")
        case $status in
        2* | 304 | 404 | 409) ;;
        5*) grep -q 'Too many open files' answer || fail "$c with $spare to spare: $status $(head -c 300 answer)" && refused=$((refused + 1)) ;;
        *) fail "$c with $spare to spare: $status $(head -c 300 answer)" ;;
        esac
        kill -0 "$daemon_pid" || fail "the daemon has died"
    done
done
[ "$refused" -gt 5 ] || fail "only $refused calls were refused: the test shows nothing"

step "descriptors again"
limit 4096
expect_eq "$(dk logs keeps)" said
expect_eq "$(dk run --rm busybox echo well)" well
expect_match "$(ct system check 2>&1)" "all is well"
dk rm -f keeps > /dev/null
restart_daemon # with it go the workers that wait for followers
expect_eq "$(dk ps -aq)" ""
expect_nothing_left
pass
