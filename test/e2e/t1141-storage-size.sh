#!/bin/bash
# --storage-opt size=: what a container may write, by quota groups of btrfs; refused by name where it would not count.
. "$(dirname "$0")/lib.sh"

step "refused where nothing counts"
start_daemon
make_busybox_image box
expect_fails 'size= needs project quota under overlay2 and vfs' dk create --storage-opt size=10M box true
expect_fails 'unknown option colour, there is size' dk create --storage-opt colour=red box true
expect_fails "invalid size: 'much'" dk create --storage-opt size=much box true
expect_eq "$(dk ps -aq)" ''
stop_daemon
rm -rf "$DATA_ROOT"

step "btrfs without quota"
mount_btrfs "$DATA_ROOT"
start_daemon --storage-driver btrfs
make_busybox_image box
expect_fails 'needs `btrfs quota enable`' dk create --storage-opt size=10M box true

step "btrfs with quota"
btrfs quota enable "$DATA_ROOT"
dk run -d --name small --storage-opt size=10M box sleep 1000 >/dev/null || fail "run"
dk run -d --name large box sleep 1000 >/dev/null || fail "run"
expect_eq "$(dk inspect -f '{{.HostConfig.StorageOpt.size}}' small)" 10M
expect_fails 'Disk quota exceeded|No space left' dk exec small sh -c 'dd if=/dev/zero of=/big bs=1M count=20 conv=fsync'
dk exec large dd if=/dev/zero of=/big bs=1M count=20 conv=fsync >/dev/null 2>&1 || fail "the limit of another"
dk exec small rm /big || fail "room again: rm"
dk exec small sh -c 'sync; dd if=/dev/zero of=/big bs=1M count=5 conv=fsync' >/dev/null 2>&1 || fail "room again"
dk restart -t 0 small >/dev/null
expect_fails 'Disk quota exceeded|No space left' dk exec small sh -c 'dd if=/dev/zero of=/more bs=1M count=20 conv=fsync'
dk rm -f small large >/dev/null
pass
