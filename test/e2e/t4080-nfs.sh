#!/bin/bash
# A volume on a real NFS server: mounted by a worker, shared, written, filled from the image, unmounted with the last. The
# server is the kernel's, so this needs a machine of its own (test/vm/network.sh).
. "$(dirname "$0")/lib.sh"
[ -n "${CORTEN_GUEST:-}" ] || skip "needs a machine of its own"
tools=$root/.cache/borrowed/nfs-kernel-server/usr/sbin
[ -x "$tools/rpc.mountd" ] || skip "no $tools/rpc.mountd"
start_daemon
make_busybox_image

step "a server in the daemon's network"
export=$TEST_TMP/export
mkdir -p "$export/data" /var/lib/nfs/v4recovery
: >> /etc/exports
: > /var/lib/nfs/etab
: > /var/lib/nfs/rmtab
chmod 755 "$TEST_TMP"
in_net mount -t nfsd nfsd /proc/fs/nfsd || skip "no nfsd in this kernel"
at_end "umount /proc/fs/nfsd"
at_end "in_net '$tools/rpc.nfsd' 0"
echo 10 > /proc/fs/nfsd/nfsv4leasetime
echo 10 > /proc/fs/nfsd/nfsv4gracetime 2> /dev/null # it follows the lease where it cannot be set
(exec nsenter --net="/proc/$net_pid/ns/net" -- "$tools/rpc.mountd" --foreground -N 2 -N 3) > "$TEST_TMP/mountd" 2>&1 &
mountd=$!
at_end "kill $mountd 2> /dev/null"
in_net "$tools/exportfs" -o rw,no_root_squash,insecure,no_subtree_check,fsid=0 "127.0.0.1:$export" || fail "exportfs"
in_net "$tools/rpc.nfsd" -N 3 2 || fail "nfsd: $(cat "$TEST_TMP/mountd")"
echo Y > /proc/fs/nfsd/v4_end_grace 2> /dev/null # nobody is to come back

step "one mount for all"
dk volume create -o type=nfs -o o=addr=localhost,vers=4.2,soft,timeo=50 -o device=:/data shared > /dev/null
dk run -d --name one -v shared:/d busybox sleep 1000 > /dev/null || fail "run"
dk run -d --name two -v shared:/d busybox sleep 1000 > /dev/null || fail "run"
dk exec one sh -c 'echo hello > /d/file; chown 1000:1000 /d/file' || fail "write"
expect_eq "$(cat "$export/data/file")" hello
expect_eq "$(dk exec two stat -c %u /d/file)" 1000
expect_eq "$(dk exec two stat -f -c %T /d)" nfs
expect_eq "$(grep -c ' nfs4 ' /proc/self/mountinfo)" 0
kill_daemon
restart_daemon
dk exec one sh -c 'echo more >> /d/file' || fail "after the daemon's restart"
dk rm -f one two > /dev/null

step "nfs by its older name, read-only; a path that is not there"
dk volume create -o type=nfs4 -o o=addr=127.0.0.1,vers=4.2,ro -o device=:/data old > /dev/null
expect_eq "$(dk run --rm -v old:/d busybox sh -c 'cat /d/file; touch /d/x 2>&1')" "hello
more
touch: /d/x: Read-only file system"
dk volume create -o type=nfs -o o=addr=127.0.0.1,vers=4.2 -o device=:/nowhere lost > /dev/null
expect_fails "failed to mount local volume: mount :/nowhere" dk run --rm -v lost:/d busybox true

step "an empty one shows what the image has"
mkdir "$export/empty"
dk volume create -o type=nfs -o o=addr=127.0.0.1,vers=4.2 -o device=:/empty fresh > /dev/null
expect_eq "$(dk run --rm -v fresh:/etc busybox sh -c 'ls /etc | sort | tr "\n" " "')" "group passwd "
expect_match "$(cat "$export/empty/passwd")" '^web:'
kill $mountd # it lives in the daemon's network
in_net "$tools/rpc.nfsd" 0
expect_nothing_left
pass
