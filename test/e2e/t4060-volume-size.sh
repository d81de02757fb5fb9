#!/bin/bash
# Volumes with a size: by quota groups of btrfs and project quota of ext4 and xfs (where kernel and tools have them);
# refused by name where nothing would count.
. "$(dirname "$0")/lib.sh"
start_daemon

step "words"
expect_fails "option size: invalid size: 'much'" dk volume create -o size=much no
expect_fails "option size: invalid size: '0'" dk volume create -o size=0 no
expect_fails "for volumes that are directories" dk volume create -o size=1m -o type=tmpfs -o device=tmpfs no
if dk volume create -o size=10m first > /dev/null 2>&1; then
    dk volume rm first > /dev/null # somebody's data root has quota
else
    expect_fails "quota size requested but no quota support" dk volume create -o size=10m no
fi
expect_eq "$(dk volume ls -q)" ""
stop_daemon
rm -rf "$DATA_ROOT"

# A file system in a loop device of its own.
mount_disk() { # TYPE OPTIONS MKFS…
    local type=$1 options=$2
    shift 2
    command -v "$1" > /dev/null || return 1
    rm -f "$TEST_TMP/disk"
    truncate -s 600M "$TEST_TMP/disk"
    mkdir -p "$DATA_ROOT"
    "$@" "$TEST_TMP/disk" > /dev/null 2>&1 && mount -t "$type" -o "loop$options" "$TEST_TMP/disk" "$DATA_ROOT" 2> /dev/null
}
write() { dk exec "$1" dd if=/dev/zero of="$2" bs=1M count="$3" conv=fsync; }
check() {
    make_busybox_image
    dk volume create -o size=10MiB -o uid=1000 small > /dev/null || fail "no volume"
    dk volume create wide > /dev/null
    dk run -d --name box -v small:/small -v wide:/wide -v /empty busybox sleep 1000 > /dev/null
    expect_eq "$(dk volume inspect -f '{{.Options.size}}' small)" 10MiB
    expect_eq "$(dk exec box stat -c '%u %a' /small)" "1000 755"
    expect_fails 'Disk quota exceeded|No space left' write box /small/big 20
    write box /wide/big 20 > /dev/null 2>&1 || fail "the limit of another volume"
    dk exec box sh -c 'rm /small/big; sync'
    write box /small/fits 5 > /dev/null 2>&1 || fail "room again"
    # As after a power cut between row and directory: the limit is there again.
    dk rm -f box > /dev/null
    kill_daemon
    rm -rf "$DATA_ROOT/volume/small"
    restart_daemon
    limited() { [ -d "$DATA_ROOT/volume/small/_data" ]; }
    eventually 5 limited
    dk run -d --name box -v small:/small busybox sleep 1000 > /dev/null
    expect_fails 'Disk quota exceeded|No space left' write box /small/big 20
    dk rm -f box > /dev/null
    ct volume rename small other > /dev/null || fail "rename"
    dk run -d --name box -v other:/small busybox sleep 1000 > /dev/null
    expect_fails 'Disk quota exceeded|No space left' write box /small/more 20
    dk rm -f box > /dev/null
    dk volume rm other wide > /dev/null
    expect_eq "$(ls "$DATA_ROOT/volume")" "$(dk volume ls -q)"
}
leave() {
    stop_daemon
    eventually 5 umount "$DATA_ROOT"
}
at_end "umount -l '$DATA_ROOT' 2> /dev/null"
checked=0

step "btrfs"
if mount_disk btrfs "" mkfs.btrfs -q; then
    start_daemon
    expect_fails "no quota support" dk volume create -o size=10m no
    btrfs quota enable "$DATA_ROOT"
    check
    expect_eq "$(btrfs subvolume list "$DATA_ROOT" | grep -c volume/)" 0
    leave
    checked=1
fi
step "ext4"
if mount_disk ext4 ",prjquota" mkfs.ext4 -q -F -O quota,project -E quotatype=prjquota; then
    start_daemon
    check
    leave
    checked=1
fi
step "xfs"
if mount_disk xfs ",prjquota" mkfs.xfs -q; then
    start_daemon
    check
    leave
    checked=1
fi
[ $checked = 1 ] || skip "neither btrfs nor ext4 or xfs with project quota can be mounted here"
pass
