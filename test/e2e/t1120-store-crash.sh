#!/bin/bash
# kill -9 of the daemon and its workers, and a full disk, at any moment of load, import, commit, rmi and prune: what was
# answered is there, nothing else is, nothing leaks, and the next try works. `corten system check` is the judge.
# limit: 900
. "$(dirname "$0")/lib.sh"
rounds=8
[ -n "${CORTEN_FULL-}" ] && rounds=50
start_daemon
make_busybox_image box
image=$DATA_ROOT/image
mkdir -p "$TEST_TMP/tree/d"
for i in $(seq 300); do echo "$i" >"$TEST_TMP/tree/d/$i"; done
head -c 4000000 /dev/urandom >"$TEST_TMP/tree/random"
tar -C "$TEST_TMP/tree" -cf "$TEST_TMP/tree.tar" .
dk import "$TEST_TMP/tree.tar" big:1 >/dev/null
dk run --name wrote -v /nothing big:1 x >/dev/null 2>&1
dk rm wrote >/dev/null 2>&1
dk run --name wrote box sh -c 'for i in $(seq 200); do echo $i >/f$i; done; head -c 3000000 /dev/urandom >/r' || fail run
dk save -o "$TEST_TMP/big.tar" big:1 box
dk rmi big:1 >/dev/null

workers() {
    local p
    for p in $(our_pids); do [ "$(cat "/proc/$p/comm" 2>/dev/null)" = corten-worker ] && echo "$p"; done
}
nothing_ingested() { [ -z "$(ls -A "$image/ingest")" ]; }
# The store is whole, and no file is there that it does not need.
expect_whole() {
    local i
    for i in $(seq 75); do # an instrumented worker takes its time to end
        [ -z "$(ls -A "$image/ingest")" ] && output=$(ct system check 2>&1) && break
        sleep 0.2
    done
    expect_match "$output" 'all is well'
    eventually 5 nothing_ingested # the check's own directory goes after its answer
    expect_eq "$(find "$image/layer" -mindepth 1 -maxdepth 1 | wc -l)" \
        "$(dk images -qa | sort -u | xargs "$docker" inspect -f '{{range .RootFS.Layers}}{{println .}}{{end}}' | sort -u | grep -c sha256)"
}
# What the command said it did is there after the crash.
crash_during() { # DELAY COMMAND…
    local delay=$1 status
    shift
    "$@" >"$TEST_TMP/out" 2>&1 &
    local pid=$!
    sleep "$delay"
    kill_daemon
    # shellcheck disable=SC2046
    [ "$((RANDOM % 2))" = 0 ] && kill -KILL $(workers) 2>/dev/null
    wait "$pid"
    status=$?
    spawn_daemon
    return $status
}

step "load"
for i in $(seq $rounds); do
    crash_during "0.$(printf '%03d' $((RANDOM % 300)))" dk load -i "$TEST_TMP/big.tar"
    grep -q 'Loaded image: big:1' "$TEST_TMP/out" && { dk inspect big:1 >/dev/null || fail "a loaded image is gone"; }
    expect_whole
    dk rmi big:1 >/dev/null 2>&1
done
dk load -i "$TEST_TMP/big.tar" >/dev/null || fail "the next load"
dk rmi big:1 >/dev/null

step "commit"
for i in $(seq $rounds); do
    crash_during "0.$(printf '%03d' $((RANDOM % 200)))" dk commit wrote "c:$i"
    grep -q ^sha256 "$TEST_TMP/out" && { dk inspect "c:$i" >/dev/null || fail "a committed image is gone"; }
    expect_whole
done
dk commit wrote c:last >/dev/null || fail "the next commit"
expect_eq "$(dk run --rm c:last sh -c 'ls / | grep -c ^f; wc -c </r')" "$(printf '200\n3000000')"

step "rmi and prune"
for i in $(seq $rounds); do
    dk load -i "$TEST_TMP/big.tar" >/dev/null || fail "load"
    if [ $((i % 2)) = 0 ]; then
        crash_during "0.0$(printf '%02d' $((RANDOM % 60)))" dk rmi big:1
    else
        dk rmi big:1 >/dev/null
        dk import "$TEST_TMP/tree.tar" >/dev/null
        crash_during "0.0$(printf '%02d' $((RANDOM % 60)))" dk image prune -f
    fi
    grep -q 'Untagged: big:1' "$TEST_TMP/out" && dk inspect --type image big:1 >/dev/null 2>&1 && fail "a removed image is back"
    expect_whole
    dk image prune -f >/dev/null
done
dk rm -f wrote >/dev/null
pass
