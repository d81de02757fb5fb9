#!/bin/bash
# kill -9 of the daemon: containers, logs, terminals and clients that are under way do not notice.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
docker=(docker -H "$DOCKER_HOST")

dk run -d --name quiet busybox sleep 1000 > /dev/null
pid=$(dk inspect -f '{{.State.Pid}}' quiet)
dk run -d --name flood busybox sh -c 'seq 1 200000; sleep 0.5; seq 200001 250000' > /dev/null
"${docker[@]}" run --name under busybox sh -c 'i=0; while [ $i -lt 30 ]; do echo n$i; i=$((i+1)); sleep 0.1; done; exit 21' > "$TEST_TMP/run.out" & run=$!
"${docker[@]}" run --rm --name gone busybox sh -c 'sleep 3; echo end; exit 22' > "$TEST_TMP/rm.out" & rmrun=$!
dk run -d -i --name att busybox sh -c 'sleep 3; echo attached; exit 23' > /dev/null
"${docker[@]}" attach --no-stdin att > "$TEST_TMP/att.out" & attach=$!
"${docker[@]}" exec quiet sh -c 'sleep 3; echo from-exec; exit 24' > "$TEST_TMP/exec.out" & exec=$!
eventually 10 eval '[ "$(dk inspect -f "{{.State.Running}}" under)" = true ]'
"${docker[@]}" logs -f under > "$TEST_TMP/follow.out" 2> /dev/null & follow=$!
sleep 1

kill_daemon
sleep 0.5
[ -d /proc/"$pid" ] || fail "the container died with the daemon"
restart_daemon

expect_eq "$(dk inspect -f '{{.State.Pid}} {{.State.Running}}' quiet)" "$pid true"
wait $run; expect_eq "$? $(wc -l < "$TEST_TMP/run.out")" "21 30"
wait $rmrun; expect_eq "$? $(cat "$TEST_TMP/rm.out")" "22 end"
wait $attach; expect_eq "$? $(cat "$TEST_TMP/att.out")" "23 attached"
wait $exec; expect_eq "$? $(cat "$TEST_TMP/exec.out")" "24 from-exec"
wait $follow; expect_eq "$(wc -l < "$TEST_TMP/follow.out")" "30"
sleep 0.5
dk logs flood > "$TEST_TMP/flood"
seq 1 250000 | cmp - "$TEST_TMP/flood" || fail "the flood's log lost lines"
expect_eq "$(dk inspect -f '{{.State.ExitCode}}' under)" "21"
expect_eq "$(dk inspect -f '{{.State.ExitCode}}' att)" "23"
expect_status 1 dk inspect gone
expect_eq "$(dk exec quiet echo still)" "still"

# Ends while no daemon is there are recorded.
dk run -d --name later busybox sh -c 'sleep 1; exit 31' > /dev/null
kill_daemon
sleep 2
restart_daemon
expect_eq "$(dk inspect -f '{{.State.Status}} {{.State.ExitCode}}' later)" "exited 31"
dk rm -f $(dk ps -aq) > /dev/null
expect_nothing_left
pass
