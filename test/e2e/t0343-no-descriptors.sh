#!/bin/bash
# A daemon that has no descriptors left: connections wait without costing time, each call is answered with the reason,
# the daemon lives, and with descriptors again everything works and nothing is left over.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
dk volume create vol > /dev/null
dk run -d --name keeps -v vol:/vol busybox sh -c 'echo said; exec sleep 1000' > /dev/null
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
sys.stdin.read()' "$SOCKET" < <(sleep 20) > held &
holder=$!
eventually 5 grep -q held held
ticks() { awk '{print $14 + $15}' "/proc/$daemon_pid/stat"; }
before=$(ticks)
sleep 0.5
[ $(($(ticks) - before)) -lt 20 ] || fail "waiting for descriptors takes processor time"
kill "$holder"
wait "$holder" || true
expect_eq "$(curl -s --max-time 5 --unix-socket "$SOCKET" http://d/_ping)" OK

step "calls, with one to a dozen to spare"
cat > calls.py << 'END'
import os, resource, socket, sys
path, pid = sys.argv[1], int(sys.argv[2])
refused = {}
upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
calls = [("GET", "/containers/keeps/logs?stdout=1", ""), ("GET", "/containers/keeps/logs?stdout=1&follow=1&until=1", ""),
         ("POST", "/containers/create?name=more", '{"Image":"busybox"}'), ("POST", "/containers/more/start", ""),
         ("DELETE", "/containers/more?force=1", ""), ("POST", "/networks/create", '{"Name":"n"}'), ("DELETE", "/networks/n", ""),
         ("GET", "/containers/keeps/archive?path=/etc/passwd", ""), ("GET", "/corten/volumes/vol/archive?path=/", ""),
         ("GET", "/containers/keeps/attach/ws?stream=1&stdout=1", "")]
def call(method, target, body):
    c = socket.socket(socket.AF_UNIX)
    c.settimeout(20)
    c.connect(path)
    extra = upgrade if "/ws?" in target else "Connection: close\r\n"
    head = f"{method} {target} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    c.sendall((head + body).encode())
    got = b""
    while not got.startswith(b"HTTP/1.1 101"):
        piece = c.recv(65536)
        if not piece:
            break
        got += piece
    c.close()
    return got
for spare in 1, 2, 3, 4, 5, 6, 8, 10, 12:
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + spare, 4096))
    for method, target, body in calls:
        got = call(method, target, body)
        status = got[9:12].decode() or "no answer"
        if status[0] == "5" and b"Too many open files" in got:
            refused[target] = refused.get(target, 0) + 1
        elif status[0] != "2" and status not in ("101", "304", "404", "409"):
            sys.exit(f"{method} {target} with {spare} to spare: {got[:300]}")
        os.kill(pid, 0)
for target in "logs?stdout=1", "more/start", "keeps/archive", "vol/archive", "/ws":
    if not any(target in r for r in refused):
        sys.exit(f"{target} was never refused: the test shows nothing: {refused}")
END
python3 calls.py "$SOCKET" "$daemon_pid" || fail "see above"

step "descriptors again"
limit 4096
expect_eq "$(dk logs keeps)" said
expect_eq "$(dk run --rm busybox echo well)" well
expect_match "$(ct system check 2>&1)" "all is well"
dk rm -f keeps > /dev/null
dk volume rm vol > /dev/null
restart_daemon # with it go the workers that wait for followers
expect_eq "$(dk ps -aq)" ""
expect_nothing_left
pass
