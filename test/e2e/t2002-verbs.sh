#!/bin/bash
# ps, inspect, stop, kill, wait, restart, rename, pause, rm: states and answers; 100 containers leave nothing.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

id=$(dk run -d --name web -l tier=front busybox sleep 1000)
expect_eq "${#id}" "64"
expect_eq "$(dk ps --format '{{.Names}} {{.Image}} {{.State}}')" "web busybox running"
expect_eq "$(dk ps -q --no-trunc)" "$id"
expect_eq "$(dk ps -q --filter label=tier=front | wc -l)" "1"
expect_eq "$(dk ps -q --filter label=tier=back | wc -l)" "0"
expect_eq "$(dk ps -q --filter name=we | wc -l)" "1"
expect_match "$(dk ps 2>&1)" "Up .* second"
expect_eq "$(dk inspect -f '{{.Name}} {{.State.Running}} {{.Config.Image}}' "${id:0:12}")" "/web true busybox"
pid=$(dk inspect -f '{{.State.Pid}}' web)
[ -d /proc/"$pid" ] || fail "pid $pid does not live"

# A shell that ignores SIGTERM is killed after the grace time; one that handles it is not.
dk run -d --name polite busybox sh -c 'trap "exit 7" TERM; echo up; while :; do sleep 0.1; done' > /dev/null
eventually 5 eval 'dk logs polite | grep -q up'
dk stop -t 5 polite > /dev/null
expect_eq "$(dk inspect -f '{{.State.ExitCode}}' polite)" "7"
before=$(date +%s)
dk stop -t 1 web > /dev/null
[ $(($(date +%s) - before)) -lt 5 ] || fail "stop took too long"
expect_eq "$(dk inspect -f '{{.State.Status}} {{.State.ExitCode}}' web)" "exited 137"
expect_eq "$(dk stop web)" "web"
expect_eq "$(dk start web)" "web"
expect_eq "$(dk start web)" "web"
dk restart -t 0 web > /dev/null
expect_eq "$(dk inspect -f '{{.State.Running}}' web)" "true"
dk pause web > /dev/null
expect_match "$(dk ps)" "Paused"
expect_status 1 dk exec web true
dk unpause web > /dev/null
expect_status 0 dk exec web true
dk rename web site
expect_status 1 dk inspect web
expect_eq "$(dk inspect -f '{{.Name}}' site)" "/site"
expect_status 1 dk rm site
expect_match "$(dk rm site 2>&1)" "cannot remove .*running"
(sleep 0.3; dk kill -s USR1 site; dk kill site) > /dev/null &
expect_eq "$(dk wait site)" "137" # USR1 has no handler, and PID 1 is deaf to it
wait
expect_status 1 dk kill site
dk rm site polite > /dev/null
expect_eq "$(dk ps -aq)" ""
expect_status 1 dk rm site
expect_match "$(dk rm site 2>&1)" "No such container: site"

# Many at once; nothing is left of them.
for i in $(seq 30); do dk run -d --name c$i busybox sleep 1000 > /dev/null & [ $((i % 6)) = 0 ] && wait; done
wait
expect_eq "$(dk ps -q | wc -l)" "30"
dk rm -f $(dk ps -q) > /dev/null
expect_eq "$(dk ps -aq)" ""

# A directory that the disk would not let go goes with the next one that it does.
id=$(dk create --name stuck busybox true)
: > "$DATA_ROOT/container/$id/stuck"
if chattr +i "$DATA_ROOT/container/$id/stuck" 2> /dev/null; then
    dk rm stuck > /dev/null
    dk create --name next busybox true > /dev/null
    [ -d "$DATA_ROOT/container/$id" ] || fail "it could be removed"
    chattr -i "$DATA_ROOT/container/$id/stuck"
    dk rm next > /dev/null
    swept() { [ ! -d "$DATA_ROOT/container/$id" ]; }
    eventually 5 swept
fi
expect_nothing_left
pass
