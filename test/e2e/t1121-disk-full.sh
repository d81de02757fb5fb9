#!/bin/bash
# A full disk at any moment of load, import, commit, rmi and prune: a clear error (removing needs
# none: it works), nothing half-visible, nothing leaks; once there is room the same command works.
. "$(dirname "$0")/lib.sh"
mkdir -p "$DATA_ROOT"
truncate -s 64M "$TEST_TMP/disk"
mkfs.ext4 -q -F -m 0 "$TEST_TMP/disk" || skip "mkfs.ext4 is missing"
mount -o loop "$TEST_TMP/disk" "$DATA_ROOT" || skip "no loop devices"
at_end 'sleep 0.2; umount -l "$DATA_ROOT"'
start_daemon --gc-min-free 1
make_busybox_image box
image=$DATA_ROOT/image
mkdir -p "$TEST_TMP/tree"
for i in $(seq 500); do head -c 8000 /dev/urandom >"$TEST_TMP/tree/$i"; done
tar -C "$TEST_TMP/tree" -cf "$TEST_TMP/tree.tar" .
free() { df --output=avail -k "$DATA_ROOT" | tail -1 | tr -d ' '; }
fill() { # all but KIBIBYTES
    local n=$(($(free) - $1))
    [ "$n" -gt 0 ] && head -c "${n}K" /dev/zero >"$DATA_ROOT/ballast"
    sync -f "$DATA_ROOT"
}
whole() {
    eventually 5 eval '[ -z "$(ls -A "$image/ingest")" ]'
    rm -f "$DATA_ROOT/ballast"
    expect_match "$(ct system check 2>&1)" 'all is well'
}

step "import"
start=$(free)
for left in 100 1500 3000; do
    fill $left
    expect_fails 'No space left on device|disk is full' dk import "$TEST_TMP/tree.tar" "x:$left"
    whole
    expect_eq "$(dk images -q | wc -l)" 1
done
eventually 5 eval '[ $(($(free) + 600)) -ge $start ]'
dk import "$TEST_TMP/tree.tar" x:ok >/dev/null || fail "with room again"
dk save -o "$TEST_TMP/x.tar" x:ok
dk rmi x:ok >/dev/null

step "load"
eventually 5 eval '[ $(($(free) + 600)) -ge $start ]'
for left in 1000 3000; do
    fill $left
    expect_fails 'No space left on device|disk is full' dk load -i "$TEST_TMP/x.tar"
    whole
    expect_eq "$(dk images -q | wc -l)" 1
done
dk load -i "$TEST_TMP/x.tar" >/dev/null || fail "with room again"
dk rmi x:ok >/dev/null

step "commit"
dk run --name wrote box sh -c 'for i in $(seq 300); do head -c 8000 /dev/urandom >/f$i; done' || fail run
eventually 5 eval '[ "$(ls "$image/layer" | wc -l)" = 1 ] && [ "$(find "$image/blob" -type f | wc -l)" = 1 ]'
for left in 50 1500; do
    fill $left
    expect_fails 'No space left on device|disk is full' dk commit wrote "c:$left"
    whole
done
dk commit wrote c:ok >/dev/null || fail "with room again"
expect_eq "$(dk run --rm c:ok sh -c 'ls / | grep -c ^f')" 300
dk rm -f wrote >/dev/null

step "rmi and prune where nothing at all is left"
for left in 0 16; do
    for what in rmi prune; do
        dk load -i "$TEST_TMP/x.tar" >/dev/null || fail "load"
        [ $what = rmi ] || dk import "$TEST_TMP/tree.tar" >/dev/null || fail "import"
        fill $left 2>/dev/null
        if [ $what = rmi ]; then dk rmi x:ok; else dk image prune -f; fi >"$TEST_TMP/out" 2>&1 || fail "$what: $(<"$TEST_TMP/out")"
        whole
        dk rmi x:ok >/dev/null 2>&1
        eventually 5 eval '[ "$(find "$image/layer" -mindepth 1 -maxdepth 1 | wc -l)" = 2 ]'
    done
done
pass
