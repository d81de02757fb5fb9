#!/bin/bash
# The power fails at any moment of pull, load, import, commit, rmi and prune: what had been answered is there after the boot, layers
# that had not reached the disk are made again (also when there is no room for them at first), nothing is half-visible, nothing
# leaks. The data root is an ext4 that forgets what it had not written (FS_IOC_SHUTDOWN without its log); every boot has an id
# of its own.
# limit: 900
# In a mount namespace of its own: the boot's id is a file that is mounted over the kernel's.
[ -n "${CORTEN_OWN_MOUNTS-}" ] || exec env CORTEN_OWN_MOUNTS=1 unshare -m bash "$0" "$@"
. "$(dirname "$0")/lib.sh"
. "$here/store-rounds.sh"
command -v xfs_io >/dev/null || skip "xfs_io (xfsprogs) is not installed"
rounds=3
[ -n "${CORTEN_FULL-}" ] && rounds=60
truncate -s 300M "$TEST_TMP/disk"
mkfs.ext4 -q -F -m 0 "$TEST_TMP/disk" || skip "mkfs.ext4 is missing"
mkdir -p "$DATA_ROOT"
mount -o loop,commit=300 "$TEST_TMP/disk" "$DATA_ROOT" || skip "no loop devices"
at_end 'sleep 0.2; umount -l "$DATA_ROOT"'
new_boot() {
    cat /proc/sys/kernel/random/uuid >"$TEST_TMP/boot_id"
    umount /proc/sys/kernel/random/boot_id 2>/dev/null
    mount --bind "$TEST_TMP/boot_id" /proc/sys/kernel/random/boot_id || skip "the boot's id cannot be covered"
}
new_boot
start_daemon --gc-min-free 1
rounds_prepare
sync -f "$DATA_ROOT"

# $at_boot: what happens before the daemon is there again.
at_boot=:
interrupt() { # DELAY COMMAND…
    local delay=$1
    shift
    "$@" >"$TEST_TMP/out" 2>&1 &
    local pid=$!
    sleep "$delay"
    cp "$TEST_TMP/out" "$TEST_TMP/said"
    xfs_io -x -c shutdown "$DATA_ROOT" || fail "the file system cannot be shut down"
    kill_daemon
    kill_ours
    wait "$pid" 2>/dev/null
    umount "$DATA_ROOT" 2>/dev/null || umount -l "$DATA_ROOT"
    eventually 10 mount -o loop,commit=300 "$TEST_TMP/disk" "$DATA_ROOT"
    rm -rf "$RUN_ROOT"
    new_net
    new_boot
    $at_boot
    spawn_daemon
}

rounds_load
sleep 0.3

step "right after the answer: a layer that the disk does not have yet, and no room for it"
fill() {
    head -c $(($(df --output=avail -k "$DATA_ROOT" | tail -1) - 600))K /dev/zero >"$DATA_ROOT/ballast"
    sync -f "$DATA_ROOT"
}
at_boot=fill
interrupt 0.01 true
at_boot=:
dk inspect big:1 >/dev/null || fail "a loaded image is gone"
eventually 5 grep -q 'restore layer .*No space left on device' "$daemon_log"
expect_fails 'is being restored after an unclean shutdown' dk run --rm big:1 x
dk inspect big:1 >/dev/null || fail "a loaded image is gone"
rm "$DATA_ROOT/ballast"
restored() {
    output=$(dk create --name look big:1 x 2>&1)
    ! grep -q 'being restored' <<<"$output"
}
eventually 15 restored
expect_whole
expect_eq "$(dk cp look:/random - | tar -xO | sha256sum)" "$(sha256sum <"$TEST_TMP/tree/random")"
dk rm look >/dev/null
dk rmi big:1 >/dev/null

rounds_commit
interrupt 0 true
expect_whole # and what had to be made again is
expect_eq "$(dk run --rm c:last sh -c 'ls / | grep -c ^f')" 200
rounds_remove

# The registry is not on the disk that forgets; it ends with the power, too.
start_registry() {
    in_net docker-registry serve "$TEST_TMP/registry.yml" >"$TEST_TMP/registry.log" 2>&1 &
    eventually 10 in_net curl -sf -o /dev/null http://127.0.0.1:5000/v2/
}
if command -v docker-registry >/dev/null; then
    step "pull"
    printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s/registry}}\nhttp: {addr: 127.0.0.1:5000}\n' \
        "$TEST_TMP" >"$TEST_TMP/registry.yml"
    start_registry
    dk load -i "$TEST_TMP/big.tar" >/dev/null
    dk tag big:1 127.0.0.1:5000/big:1
    dk push -q 127.0.0.1:5000/big:1 >/dev/null || fail push
    dk rmi big:1 127.0.0.1:5000/big:1 >/dev/null
    for i in $(seq $rounds); do
        interrupt "$(random 300)" dk pull 127.0.0.1:5000/big:1
        start_registry
        grep -q 'Downloaded newer image' "$TEST_TMP/said" && { dk inspect 127.0.0.1:5000/big:1 >/dev/null || fail "a pulled image is gone"; }
        dk pull -q 127.0.0.1:5000/big:1 >/dev/null || fail "the next pull"
        expect_whole
        expect_eq "$(dk create --name look 127.0.0.1:5000/big:1 x >/dev/null && dk cp look:/random - | tar -xO | sha256sum)" \
            "$(sha256sum <"$TEST_TMP/tree/random")"
        dk rm look >/dev/null
        dk rmi 127.0.0.1:5000/big:1 >/dev/null
    done
fi
pass
