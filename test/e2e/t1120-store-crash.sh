#!/bin/bash
# kill -9 of the daemon and its workers at any moment of load, import, commit, rmi and prune: what was answered is there,
# nothing else is, nothing leaks, and the next try works. `corten system check` is the judge.
# limit: 900
. "$(dirname "$0")/lib.sh"
. "$here/store-rounds.sh"
rounds=6
[ -n "${CORTEN_FULL-}" ] && rounds=50
start_daemon
rounds_prepare

workers() {
    local p
    for p in $(our_pids); do [ "$(cat "/proc/$p/comm" 2>/dev/null)" = corten-worker ] && echo "$p"; done
}
interrupt() { # DELAY COMMAND…
    local delay=$1
    shift
    "$@" >"$TEST_TMP/said" 2>&1 &
    local pid=$!
    sleep "$delay"
    kill_daemon
    # shellcheck disable=SC2046
    [ "$((RANDOM % 2))" = 0 ] && kill -KILL $(workers) 2>/dev/null
    wait "$pid"
    spawn_daemon
}

rounds_load
dk rmi big:1 >/dev/null
rounds_commit
expect_eq "$(dk run --rm c:last sh -c 'ls / | grep -c ^f; wc -c </r')" "$(printf '200\n3000000')"
rounds_remove
pass
