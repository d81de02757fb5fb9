#!/bin/bash
# State and logs on a real disk that is full: a clear error, the daemon lives, what runs goes on, nothing that was there is
# lost; with room again everything works, and the log says what it misses.
. "$(dirname "$0")/lib.sh"
mkdir -p "$DATA_ROOT"
truncate -s 24M "$TEST_TMP/disk"
mkfs.ext4 -q -F -m 0 -O ^has_journal "$TEST_TMP/disk" || skip "mkfs.ext4 is missing"
mount -o loop "$TEST_TMP/disk" "$DATA_ROOT" || skip "no loop devices"
at_end 'sleep 0.2; umount -l "$DATA_ROOT"'
start_daemon --gc-min-free 1
make_busybox_image
fill() {
    head -c 64M /dev/zero > "$DATA_ROOT/ballast" 2> /dev/null
    head -c 64M /dev/zero > "$DATA_ROOT/more" 2> /dev/null
    sync -f "$DATA_ROOT"
}
room() { rm -f "$DATA_ROOT/ballast" "$DATA_ROOT/more"; }
dk volume create vol > /dev/null
dk run -d --name talks -v "$TEST_TMP:/say" busybox sh -c 'while :; do [ -e /say/go ] && { rm /say/go; seq 1 20000; }; sleep 0.1; done' > /dev/null
dk create --name idle --label a=b busybox true > /dev/null
dk network create --subnet 10.79.0.0/24 n > /dev/null
made=()
facts() { dk ps -a --format '{{.Names}} {{.State}} {{.Labels}}' | sort; dk volume ls -q; dk network ls --format '{{.Name}}' | sort; dk images -q; }
before=$(facts)

for round in 1 2; do
    step "full, round $round"
    fill
    failed=0
    for i in $(seq 40); do # until the last page that the database had left is used up
        output=$(dk create --name "more$i" --label "long=$(printf '%01000d' "$i")" busybox true 2>&1) || { failed=1 && break; }
        made+=("more$i")
    done
    [ $failed = 1 ] || fail "creating goes on on a full disk"
    expect_match "$output" "No space left on device|disk is full"
    expect_eq "$(dk exec talks echo alive)" alive
    touch "$TEST_TMP/go"
    eventually 10 test ! -e "$TEST_TMP/go"
    eventually 20 eval 'dk inspect talks | grep -q "\"DroppedRecords\": [1-9]"'
    output=$(dk rename idle other 2>&1) && dk rename other idle
    kill_daemon
    restart_daemon
    expect_eq "$(dk exec talks echo alive)" alive
    step "room again"
    room
    [ ${#made[@]} -eq 0 ] || dk rm "${made[@]}" > /dev/null || fail "what was made is not there"
    made=()
    expect_eq "$(facts)" "$before"
    touch "$TEST_TMP/go"
    eventually 10 eval '[ "$(dk logs --tail 1 talks 2> /dev/null)" = 20000 ]'
    expect_match "$(dk logs talks 2>&1 > /dev/null)" "log records are missing here: No space left on device"
    dk run --rm busybox true || fail "a container does not run"
done
stop_daemon
restart_daemon
expect_eq "$(facts)" "$before"
expect_match "$(ct system check 2>&1)" "all is well"
dk rm -f talks idle > /dev/null
dk volume rm vol > /dev/null || fail "the volume is gone"
dk network rm n > /dev/null
expect_nothing_left
pass
