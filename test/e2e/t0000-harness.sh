#!/bin/bash
# The harness itself: its world is its own, what it starts is found and ended, expectations can fail.
. "$(dirname "$0")/lib.sh"

step "a network namespace of its own"
make_net
expect_no_match "$(in_net readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net | tr -d '[]')"
expect_match "$(in_net ip link show lo)" 'LOOPBACK,UP'

step "expectations fail when they should"
for wrong in 'expect_eq b a' 'expect_eq a' 'expect_match y x' 'expect_no_match x x' 'expect_match x' \
    'expect_status 0 false' 'expect_status 1 true' 'expect_fails x true' 'expect_fails x false' \
    'eventually 1 false'; do
    (
        trap - EXIT
        eval "$wrong"
    ) >/dev/null && fail "'$wrong' does not fail"
done
expect_eq "$(echo a)" a
expect_match "$(printf 'a\nb\n')" '^b$'
expect_status 3 sh -c 'exit 3'
expect_fails 'no such' sh -c 'echo no such thing >&2; exit 1'

step "processes in the namespace and their children are ours, nobody else's"
setsid nsenter --net="/proc/$net_pid/ns/net" -- sh -c 'unshare --net sleep 1000; true' &
disown $!
eventually 5 eval '[ "$(our_pids | wc -l)" -ge 2 ]'
expect_match "$(remains)" 'process .*sleep'
sleep 1000 &
other=$!
kill_ours
expect_eq "$(our_pids)" ""
kill -0 "$other" || fail "kill_ours ended a process of somebody else"
kill "$other"
wait # neither the namespace's holder nor a daemon is waited for
pass
