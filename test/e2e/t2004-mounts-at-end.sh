#!/bin/bash
# What a container has mounted: gone with its end where the host could notice, a moment later where nobody can; and a
# container that is started again at once, or built upon, finds all that it wrote.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
mkdir "$TEST_TMP/disk"
mount -t tmpfs -o size=1m disk "$TEST_TMP/disk"
at_end 'umount -l "$TEST_TMP/disk" 2> /dev/null'

step "a file system of the host's is free when the end has been told"
for i in $(seq 10); do
    dk run --rm -v "$TEST_TMP/disk:/disk" busybox sh -c "echo $i > /disk/n"
    expect_eq "$(cat "$TEST_TMP/disk/n")" "$i"
    umount "$TEST_TMP/disk" || fail "still in use after the end"
    mount -t tmpfs -o size=1m disk "$TEST_TMP/disk"
done

step "a container without one is started again and again"
dk create --name again busybox sh -c 'echo x >> /lines; cat /lines | wc -l' > /dev/null
for i in $(seq 20); do
    expect_eq "$(dk start -a again | tr -d ' ')" "$i"
done
dk commit again lines > /dev/null
expect_eq "$(dk run --rm lines cat /lines | wc -l)" "20"

step "nothing holds a mount once it is quiet"
dk rm again > /dev/null
no_mounts() { ! grep -l "$TEST_TMP" $(ls -d /proc/[0-9]*/mountinfo) 2> /dev/null | grep -q .; }
umount "$TEST_TMP/disk"
eventually 5 no_mounts
pass
