#!/bin/bash
# A pull that was cut, by its client, by kill -9 of worker or daemon, by a full disk, leaves no half image and no orphan,
# and the next one goes on by Range from what had come; parts that are wrong or not wanted go.
# limit: 400
. "$(dirname "$0")/lib.sh"
. "$here/trap.sh"
mkdir -p "$DATA_ROOT"
truncate -s 96M "$TEST_TMP/disk"
mkfs.ext4 -q -F -m 0 "$TEST_TMP/disk" || skip "mkfs.ext4 is missing"
mount -o loop "$TEST_TMP/disk" "$DATA_ROOT" || skip "no loop devices"
at_end 'sleep 0.2; umount -l "$DATA_ROOT"'
start_daemon
start_trap
r=127.0.0.1:$trap
partial=$DATA_ROOT/image/blob/partial
mkdir "$TEST_TMP/big"
head -c 12M /dev/urandom >"$TEST_TMP/big/file"
tar -C "$TEST_TMP/big" -c . | dk import - $r/big:1 >/dev/null || fail "import"
expect_status 0 dk push $r/big:1
id=$(dk inspect -f '{{.Id}}' $r/big:1)
fresh

came() { # BYTES of parts are there
    local n
    n=$(find "$partial" -type f -printf '%s\n' | awk '{ s += $1 } END { print s + 0 }')
    [ "$n" -ge "${1:-1}" ]
}
no_parts() { [ -z "$(ls -A "$partial")" ]; }
cleaned() { [ -z "$(find "$DATA_ROOT/image/layer" "$DATA_ROOT/image/ingest" -mindepth 1 -maxdepth 1)" ]; }
workers() {
    local p
    for p in $(our_pids); do [ "$(cat "/proc/$p/comm" 2>/dev/null)" = corten-worker ] && echo "$p"; done
}
begin_pull() { # slowly, in the background, until two megabytes have come
    faults '{"slow": 0.02}'
    "$docker" -H "unix://$SOCKET" pull $r/big:1 >"$TEST_TMP/out" 2>&1 &
    pull=$!
    eventually 10 came 2000000
}
nothing_half() {
    eventually 10 cleaned
    expect_eq "$(dk images -aq)" ''
    expect_match "$(ct system check 2>&1)" 'all is well'
    came 2000000 || fail "what had come is gone"
}
goes_on() { # the rest is asked for, and the image is right
    faults '{}'
    expect_status 0 dk pull $r/big:1
    asked 'GET /v2/big/blobs/sha256:[0-9a-f]* .*range=bytes=[0-9]{7,8}-'
    expect_eq "$(dk inspect -f '{{.Id}}' $r/big:1)" "$id"
    eventually 5 no_parts
    expect_match "$(ct system check 2>&1)" 'all is well'
    fresh
}

step "the client goes"
begin_pull
kill -9 $pull
wait $pull 2>/dev/null
nothing_half
goes_on

step "the worker is killed; a restart keeps what came"
begin_pull
# shellcheck disable=SC2046
kill -9 $(workers)
wait $pull && fail "a pull without its worker went well"
restart_daemon
nothing_half
goes_on

step "the daemon is killed"
begin_pull
kill_daemon
wait $pull && fail "a pull without its daemon went well"
spawn_daemon
nothing_half
goes_on

step "a part that was damaged costs a second download, not the pull"
begin_pull
kill -9 $pull
wait $pull 2>/dev/null
nothing_half
printf 'damaged here' | dd of="$(find "$partial" -type f)" bs=1 seek=1000000 conv=notrunc status=none
faults '{}'
expect_status 0 dk pull $r/big:1
asked 'GET /v2/big/blobs/sha256:[0-9a-f]* .*range=- ' 2
expect_eq "$(dk inspect -f '{{.Id}}' $r/big:1)" "$id"
eventually 5 no_parts
fresh

step "a server that gives each connection little: several fetch one blob, in spite of cuts"
faults '{"slow": 0.02, "no_range": true}'
begun=$(date +%s%N)
expect_status 0 dk pull $r/big:1
alone=$((($(date +%s%N) - begun) / 1000000))
fresh
faults '{"slow": 0.02, "cut_range": [500000, 2]}'
expect_status 0 dk pull $r/big:1
expect_eq "$(dk inspect -f '{{.Id}}' $r/big:1)" "$id"
asked 'status=206 .*range=bytes=[0-9]+-[0-9]+ '
expect_eq "$(grep -oE 'range=bytes=[0-9]+-[0-9]+ ' "$trap_log" | grep -oE -- '-[0-9]+' | sort | uniq -d | wc -l)" 2 # asked for again
eventually 5 no_parts
fresh
faults '{"slow": 0.02}'
begun=$(date +%s%N)
expect_status 0 dk pull $r/big:1
several=$((($(date +%s%N) - begun) / 1000000))
[ "$(grep -cE 'range=bytes=[0-9]+-[0-9]+ ' "$trap_log")" -ge 4 ] || fail "not in pieces: $(cat "$trap_log")"
expect_match "$(ct system check 2>&1)" 'all is well'
echo "one connection: $alone ms, several: $several ms"
fresh

step "a prune takes parts that nobody fetches"
begin_pull
kill -9 $pull
wait $pull 2>/dev/null
nothing_half
dk image prune -f >/dev/null
eventually 5 no_parts

step "two pulls of one image at once"
faults '{"slow": 0.005}'
"$docker" -H "unix://$SOCKET" pull $r/big:1 >"$TEST_TMP/out" 2>&1 &
pull=$!
expect_status 0 dk pull $r/big:1
wait $pull || fail "the other pull: $(cat "$TEST_TMP/out")"
expect_eq "$(dk inspect -f '{{.Id}}' $r/big:1)" "$id"
eventually 10 no_parts
eventually 10 eval '[ -z "$(ls -A "$DATA_ROOT/image/ingest")" ]'
expect_match "$(ct system check 2>&1)" 'all is well'
fresh

if [ -n "${CORTEN_FULL-}" ]; then
    step "kill -9 at any moment"
    for i in $(seq 30); do
        faults '{"slow": 0.003}'
        "$docker" -H "unix://$SOCKET" pull $r/big:1 >"$TEST_TMP/out" 2>&1 &
        pull=$!
        sleep "0.$(printf '%03d' $((RANDOM % 900)))"
        case $((i % 3)) in
        0) kill -9 $pull ;;
        1) kill_daemon ;;
        2) kill -9 $(workers) 2>/dev/null ;;
        esac
        wait $pull 2>/dev/null
        [ $((i % 3)) = 1 ] && spawn_daemon
        eventually 10 eval '[ -z "$(ls -A "$DATA_ROOT/image/ingest")" ]'
        expect_match "$(ct system check 2>&1)" 'all is well'
        faults '{}'
        expect_status 0 dk pull $r/big:1
        expect_eq "$(dk inspect -f '{{.Id}}' $r/big:1)" "$id"
        fresh
    done
fi

step "a full disk: a clear word, no bytes kept, and with room again it works"
for left in 5000 15000; do
    # What was removed before gives its room back in the background: only then is the rest what is left.
    eventually 10 eval '[ -z "$(find "$DATA_ROOT/image" -name ground -prune -o -type f -print)" ]'
    sync -f "$DATA_ROOT"
    n=$(($(df --output=avail -k "$DATA_ROOT" | tail -1) - left))
    head -c "${n}K" /dev/zero >"$DATA_ROOT/ballast"
    sync -f "$DATA_ROOT"
    faults '{}'
    expect_fails 'No space left on device|disk is full' dk pull $r/big:1
    eventually 10 cleaned
    eventually 5 no_parts
    rm "$DATA_ROOT/ballast"
    expect_match "$(ct system check 2>&1)" 'all is well'
    expect_eq "$(dk images -aq)" ''
done
expect_status 0 dk pull $r/big:1
pass
