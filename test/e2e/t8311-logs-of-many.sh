#!/bin/bash
# Logs of several containers: in the order of time, with names and colours, followed, searched, as JSON.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
ct run --name one busybox sh -c 'echo one-a; sleep 0.2; echo one-b >&2; sleep 0.2; echo one-c' >/dev/null 2>&1 &
ct run --name two busybox sh -c 'sleep 0.1; echo two-a; sleep 0.2; echo two-b' >/dev/null
wait

step "what was, in the order of time"
ct logs -t one two | sed 's/[^|]*| //' >"$TEST_TMP/lines"
sort -c "$TEST_TMP/lines" || fail "not in the order of time: $(cat "$TEST_TMP/lines")"
expect_eq "$(ct logs one two | sort | tr '\n' ' ')" "one | one-a one | one-b one | one-c two | two-a two | two-b "
expect_eq "$(ct logs --grep 'B$' --ignore-case one two | sort | tr '\n' ' ')" "one | one-b two | two-b "
expect_eq "$(ct logs --grep '^one-[ab]' one 2>/dev/null)" one-a
expect_eq "$(ct logs --grep '^one-[ab]' one 2>&1 >/dev/null)" one-b
expect_fails "^corten: --grep '\[': " ct logs --grep '[' one
expect_eq "$(ct logs --json one | sed 's/"time":"[^"]*"/T/' | head -1)" '{"container":"one","stream":"stdout",T,"line":"one-a"}'
expect_eq "$(ct logs --tail 1 one two | wc -l)" 2
expect_fails 'No such container: nobody' ct logs one nobody

step "colours only on a terminal"
expect_eq "$(ct logs one two | grep -c $'\033')" 0
expect_match "$(TERM=xterm script -qec "$bin/corten logs one two" /dev/null </dev/null)" $'\033\\[3[0-9]m'
expect_eq "$(NO_COLOR=1 TERM=xterm script -qec "$bin/corten logs one two" /dev/null </dev/null | grep -c $'\033')" 0

step "followed: what was first, then what comes, until all have ended"
ct run -d --name ping busybox sh -c 'echo ping-old; while [ ! -e /go ]; do sleep 0.05; done; echo ping-new' >/dev/null
ct run -d --name pong busybox sh -c 'echo pong-old; while [ ! -e /go ]; do sleep 0.05; done; echo pong-new' >/dev/null
eventually 5 eval 'ct logs pong | grep -q pong-old'
ct logs -f ping pong >"$TEST_TMP/followed" &
follower=$!
eventually 5 eval 'grep -q pong-old "$TEST_TMP/followed"'
ct exec ping touch /go
eventually 5 eval 'grep -q "^ping | ping-new" "$TEST_TMP/followed"'
kill -0 $follower || fail "the follower has ended with the first container"
ct exec pong touch /go
wait $follower || fail "the follower failed"
expect_eq "$(sort "$TEST_TMP/followed" | tr '\n' ' ')" "ping | ping-new ping | ping-old pong | pong-new pong | pong-old "

step "nobody reads"
ct run -d --name chatty busybox sh -c 'while :; do echo x; done' >/dev/null
ct logs -f chatty 2>"$TEST_TMP/err" | head -1 >/dev/null
status=${PIPESTATUS[0]}
expect_eq "$status" 141
expect_eq "$(cat "$TEST_TMP/err")" "corten: write: Broken pipe"
ct ps -a 2>"$TEST_TMP/err" >/dev/full && fail "/dev/full took it"
expect_eq "$(cat "$TEST_TMP/err")" "corten: write to standard output: No space left on device"
ct rm -f one two ping pong chatty >/dev/null
pass
