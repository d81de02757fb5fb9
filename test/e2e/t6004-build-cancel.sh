#!/bin/bash
# A client that goes away ends its build: the running step, its container and its files are gone at once.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
export DOCKER_BUILDKIT=0
mkdir ctx
printf 'FROM busybox\nRUN echo on && sleep 1000\n' >ctx/Dockerfile
quiet() { [ -z "$(dk ps -aq)" ] && [ -z "$(ls -A "$DATA_ROOT/tmp")" ]; }

for signal in TERM KILL; do
    step "client ended by SIG$signal"
    : >out
    "$docker" build ctx >out 2>&1 & # the program itself: the signal must reach it
    client=$!
    eventually 20 grep -q '^on$' out
    expect_eq "$(dk ps -q | wc -l)" 1
    kill -$signal $client
    wait $client 2>/dev/null
    eventually 2 quiet
done

step "the builder is killed"
: >out
"$docker" build ctx >out 2>&1 &
client=$!
eventually 20 grep -q '^on$' out
for p in $(our_pids); do
    [ "$(cat "/proc/$p/comm")" = corten-build ] && kill -KILL "$p"
done
wait $client && fail "the client did not notice"
eventually 5 quiet

step "and the daemon goes on"
printf 'FROM busybox\nRUN echo fine\n' >ctx/Dockerfile
expect_match "$(dk build ctx)" '^fine$'
pass
