#!/bin/bash
# The power fails at any moment of load, import, commit, rmi and prune: what had been answered is there after the boot, layers
# that had not reached the disk are made again, nothing is half-visible, nothing leaks. The data root is an ext4 that
# forgets what it had not written (FS_IOC_SHUTDOWN without its log); every boot has an id of its own.
# limit: 900
# In a mount namespace of its own: the boot's id is a file that is mounted over the kernel's.
[ -n "${CORTEN_OWN_MOUNTS-}" ] || exec env CORTEN_OWN_MOUNTS=1 unshare -m bash "$0" "$@"
. "$(dirname "$0")/lib.sh"
command -v xfs_io >/dev/null || skip "xfs_io (xfsprogs) is not installed"
rounds=3
[ -n "${CORTEN_FULL-}" ] && rounds=60
truncate -s 300M "$TEST_TMP/disk"
mkfs.ext4 -q -F "$TEST_TMP/disk" || skip "mkfs.ext4 is missing"
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
make_busybox_image box
image=$DATA_ROOT/image
mkdir -p "$TEST_TMP/tree/d"
for i in $(seq 300); do echo "$i" >"$TEST_TMP/tree/d/$i"; done
head -c 4000000 /dev/urandom >"$TEST_TMP/tree/random"
tar -C "$TEST_TMP/tree" -cf "$TEST_TMP/tree.tar" .
dk import "$TEST_TMP/tree.tar" big:1 >/dev/null
dk run --name wrote box sh -c 'for i in $(seq 200); do echo $i >/f$i; done; head -c 3000000 /dev/urandom >/r' || fail run
dk save -o "$TEST_TMP/big.tar" big:1
dk rmi big:1 >/dev/null
sync -f "$DATA_ROOT"

# The command runs for so long, then the power fails; afterwards the machine has booted again.
cut_during() { # DELAY COMMAND…
    local delay=$1
    shift
    "$@" >"$TEST_TMP/out" 2>&1 &
    local pid=$!
    sleep "$delay"
    cp "$TEST_TMP/out" "$TEST_TMP/said" # what it had said by then
    xfs_io -x -c shutdown "$DATA_ROOT" || fail "the file system cannot be shut down"
    kill_daemon
    kill_ours
    wait "$pid" 2>/dev/null
    umount "$DATA_ROOT" 2>/dev/null || umount -l "$DATA_ROOT"
    eventually 10 mount -o loop,commit=300 "$TEST_TMP/disk" "$DATA_ROOT"
    rm -rf "$RUN_ROOT"
    net_pid=
    make_net
    new_boot
    spawn_daemon
}
expect_whole() {
    local i
    for i in $(seq 75); do
        [ -z "$(ls -A "$image/ingest")" ] && output=$(ct system check 2>&1) && break
        sleep 0.2
    done
    expect_match "$output" 'all is well'
    expect_eq "$(find "$image/layer" -mindepth 1 -maxdepth 1 | wc -l)" \
        "$(dk images -qa | sort -u | xargs "$docker" inspect -f '{{range .RootFS.Layers}}{{println .}}{{end}}' | sort -u | grep -c sha256)"
}
random() { printf '0.%03d' $((RANDOM % $1)); } # seconds, up to MILLISECONDS

step "load"
for i in $(seq $rounds); do
    cut_during "$(random 400)" dk load -i "$TEST_TMP/big.tar"
    grep -q 'Loaded image: big:1' "$TEST_TMP/said" && { dk inspect big:1 >/dev/null || fail "a loaded image is gone"; }
    expect_whole
    dk rmi big:1 >/dev/null 2>&1
done
dk load -i "$TEST_TMP/big.tar" >/dev/null || fail "the next load"
sleep 0.3

step "right after the answer: a layer that the disk does not have yet"
cut_during 0.01 true
dk inspect big:1 >/dev/null || fail "a loaded image is gone"
expect_whole
expect_eq "$(dk create --name look big:1 x >/dev/null && dk cp look:/random - | tar -xO | sha256sum)" "$(sha256sum <"$TEST_TMP/tree/random")"
dk rm look >/dev/null
dk rmi big:1 >/dev/null

step "commit"
for i in $(seq $rounds); do
    cut_during "$(random 300)" dk commit wrote "c:$i"
    grep -q ^sha256 "$TEST_TMP/said" && { dk inspect "c:$i" >/dev/null || fail "a committed image is gone"; }
    expect_whole
done
dk commit wrote c:last >/dev/null || fail "the next commit"
cut_during 0 true
expect_whole # and what had to be made again is
expect_eq "$(dk run --rm c:last sh -c 'ls / | grep -c ^f')" 200

step "rmi and prune"
for i in $(seq $rounds); do
    dk load -i "$TEST_TMP/big.tar" >/dev/null || fail "load"
    if [ $((i % 2)) = 0 ]; then
        cut_during "$(random 60)" dk rmi big:1
    else
        dk rmi big:1 >/dev/null
        dk import "$TEST_TMP/tree.tar" >/dev/null
        cut_during "$(random 60)" dk image prune -f
    fi
    grep -q 'Untagged: big:1' "$TEST_TMP/said" && dk inspect --type image big:1 >/dev/null 2>&1 && fail "a removed image is back"
    expect_whole
    dk image prune -f >/dev/null
done
dk rm -f wrote >/dev/null
pass
