#!/bin/bash
# limit: 300
# 1,000 short execs while the daemon is killed again and again, its listener held open as a service manager does: each
# exec that was under way has its output and its code, and no client ever finds nobody listening.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
dk run -d --name box busybox sleep 1000 > /dev/null || fail "no container"
stop_daemon

mkdir "$TEST_TMP/holder"
perl "$here/hold-listener.pl" "$TEST_TMP/holder" "$SOCKET" nsenter --net="/proc/$net_pid/ns/net" -- \
    env --default-signal "$bin/cortend" --host "unix://$SOCKET" --data-root "$DATA_ROOT" --run-root "$RUN_ROOT" \
    >> "$daemon_log" 2>&1 < /dev/null & holder=$!
eventually 10 dk version

# A call that the kill cuts off before the exec was taken is told so (EOF, reset; 404 when only its create was) and tried
# again; an answer that comes
# must be right.
worker() {
    local i out code bad=0 err=$TEST_TMP/err.$1
    for i in $(seq "$1" "$2"); do
        for _ in $(seq 100); do
            out=$(dk exec box sh -c "echo o$i; exit $((i % 100))" 2> "$err")
            code=$?
            [ -z "$out" ] && grep -qiE 'error during connect|EOF|connection re|broken pipe|received 404|no such exec' "$err" || break
            sleep 0.05
        done
        grep -qi 'daemon running' "$err" && { echo "exec $i: nobody was listening"; bad=1; }
        [ "$out $code" = "o$i $((i % 100))" ] || { echo "exec $i: '$out' $code $(cat "$err")"; bad=1; }
    done
    return $bad
}
worker 1 250 > "$TEST_TMP/w1" & a=$!
worker 251 500 > "$TEST_TMP/w2" & b=$!
worker 501 750 > "$TEST_TMP/w3" & c=$!
worker 751 1000 > "$TEST_TMP/w4" & d=$!
for _ in $(seq 12); do
    sleep 0.7
    kill -KILL "$(cat "$TEST_TMP/holder/pid")"
done
for p in $a $b $c $d; do wait $p || fail "wrong answers: $(cat "$TEST_TMP"/w?)"; done

touch "$TEST_TMP/holder/stop"
kill -TERM "$(cat "$TEST_TMP/holder/pid")"
wait $holder
restart_daemon
dk rm -f box > /dev/null
expect_nothing_left
pass
