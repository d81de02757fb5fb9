#!/bin/bash
# Calls that meet: one name for many, a removal while starting, a stop while restarting, a kill during exec; subscribers that do not read.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
body='{"Image":"busybox","Cmd":["sleep","1000"],"StopTimeout":0}'
call() { curl -s -o /dev/null -w '%{http_code}\n' --max-time 30 --unix-socket "$SOCKET" -X "$1" "http://d$2" ${3:+-H 'Content-Type: application/json' -d "$3"}; }

step "one name: exactly one wins"
for _ in $(seq 20); do call POST '/containers/create?name=one' "$body" & done > codes
wait
expect_eq "$(sort codes | uniq -c | awk '{print $1 "x" $2}' | tr '\n' ' ')" "1x201 19x409 "
expect_eq "$(dk ps -aq | wc -l)" 1
# What lost left nothing behind.
expect_eq "$(ls "$DATA_ROOT/container" | wc -l)" 1

step "remove while it starts: gone, or running; never between"
for i in $(seq 8); do
    call POST "/containers/create?name=r$i" "$body" > /dev/null
    call POST "/containers/r$i/start" & call DELETE "/containers/r$i?force=1" & call POST "/containers/r$i/start" &
done > codes
wait
expect_no_match "$(cat codes)" '^(000|500)$'
expect_eq "$(dk ps -aq --filter name=^r | wc -l)" 0

step "start, stop, restart, pause, rename of one at a time"
for _ in $(seq 6); do
    for verb in start 'stop?t=0' 'restart?t=0' pause unpause kill start; do call POST "/containers/one/$verb" & done
done > codes
wait
expect_no_match "$(cat codes)" '^(000|500)$'
dk unpause one > /dev/null 2>&1 || true
dk start one > /dev/null
expect_eq "$(dk exec one echo lives)" lives

step "stop while it restarts"
dk run -d --name loop --restart always busybox false > /dev/null
eventually 5 eval '[ "$(dk inspect -f "{{.State.Restarting}}" loop)" = true ]'
dk stop -t 0 loop > /dev/null
expect_eq "$(dk inspect -f '{{.State.Status}} {{.State.Restarting}}' loop)" "exited false"
sleep 1.5
expect_eq "$(dk inspect -f '{{.State.Status}}' loop)" "exited"

step "kill during exec: the exec ends, its code can be asked for"
dk exec one sleep 1000 &
exec_pid=$!
eventually 5 eval '[ "$(dk top one -o pid,args | grep -c "sleep 1000")" = 2 ]'
dk kill one > /dev/null
wait $exec_pid
expect_eq "$?" 137
expect_eq "$(dk inspect -f '{{.State.Status}}' one)" exited

step "an exec that was made, not started, is there after the daemon's death"
dk start one > /dev/null
api POST /containers/one/exec '{"Cmd":["sh","-c","echo late; exit 3"],"AttachStdout":true}'
exec_id=$(echo "$output" | sed -n 's/.*"Id":"\([0-9a-f]*\)".*/\1/p')
kill_daemon
restart_daemon
api GET "/exec/$exec_id/json"
expect_eq "$api_status" 200
expect_match "$(curl -s --max-time 10 --unix-socket "$SOCKET" -X POST -H 'Content-Type: application/json' -d '{"Tty":true}' "http://d/exec/$exec_id/start")" late
api GET "/exec/$exec_id/json"
expect_match "$output" '"ExitCode":3'

step "24 subscribers of which one never reads"
python3 - "$SOCKET" > deaf.out 2>&1 <<'P' &
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.connect(sys.argv[1])
s.sendall(b"GET /events HTTP/1.1\r\nHost: d\r\n\r\n")
time.sleep(1000)
P
deaf=$!
at_end "kill $deaf 2>/dev/null"
for i in $(seq 23); do
    (curl -sN --unix-socket "$SOCKET" 'http://d/events?filters=%7B%22event%22%3A%5B%22rename%22%5D%7D' > "ev$i" & echo $! > "ev$i.pid"; wait)&
done
eventually 5 eval '[ "$(curl -s --unix-socket "$SOCKET" http://d/corten/metrics | sed -n "s/^engine_daemon_events_subscribers_total //p")" -ge 24 ]'
long=$(printf 'x%.0s' $(seq 4000))
dk create --name loud --label "l=$long" busybox true > /dev/null
for i in $(seq 350); do printf 'url = "http://d/containers/%s/rename?name=%s"\n' "loud$((i % 2 ? 0 : 1))" "loud$((i % 2))"; done | sed '1s/loud0/loud/' > renames
curl -s -o /dev/null -X POST --unix-socket "$SOCKET" -K renames
eventually 10 grep -q 'a listener to events does not read: cut' "$daemon_log"
full() { local i; for i in $(seq 23); do [ "$(wc -l < "ev$i")" -ge 350 ] || return 1; done; }
eventually 10 full
expect_eq "$(cat ev*.pid | while read -r p; do kill "$p" && echo x; done | wc -l)" 23
kill $deaf
dk rm -f $(dk ps -aq) > /dev/null
expect_nothing_left
pass
