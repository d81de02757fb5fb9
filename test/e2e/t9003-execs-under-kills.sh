#!/bin/bash
# limit: 300
# 1,000 short execs while the daemon is killed again and again: each exec that was under way has its output and its code.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
dk run -d --name box busybox sleep 1000 > /dev/null || fail "no container"

# Clients that the kill finds without an accepted exec are told so ("Cannot connect", EOF) and try again; an answer that
# comes must be right.
worker() {
    local i out code bad=0
    for i in $(seq "$1" "$2"); do
        for _ in $(seq 100); do
            out=$(docker -H "$DOCKER_HOST" exec box sh -c "echo o$i; exit $((i % 100))" 2> "$TEST_TMP/err.$1")
            code=$?
            [ -z "$out" ] && grep -qiE 'cannot connect|error during connect|EOF|connection re|broken pipe|daemon running' "$TEST_TMP/err.$1" || break
            sleep 0.05
        done
        [ "$out $code" = "o$i $((i % 100))" ] || { [ $bad = 0 ] && echo "exec $i: '$out' $code $(cat "$TEST_TMP/err.$1")"; bad=1; }
    done
    return $bad
}
worker 1 250 > "$TEST_TMP/w1" & a=$!
worker 251 500 > "$TEST_TMP/w2" & b=$!
worker 501 750 > "$TEST_TMP/w3" & c=$!
worker 751 1000 > "$TEST_TMP/w4" & d=$!
for _ in $(seq 10); do sleep 0.7; kill_daemon; restart_daemon; done
for p in $a $b $c $d; do wait $p || fail "wrong answers: $(cat "$TEST_TMP"/w?)"; done
dk rm -f box > /dev/null
expect_nothing_left
pass
