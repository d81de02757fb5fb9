#!/bin/bash
# Mounts that appear later: they reach a container with rslave and rshared, come back to the host with rshared, and
# go nowhere with rprivate; sources that are not shared are refused in the peer's words. Owner and mode of volumes.
# In a mount namespace of its own: neighbours count the host's mounts.
[ -n "${OWN_MOUNTS:-}" ] || exec unshare --mount --propagation private env OWN_MOUNTS=1 bash "$0" "$@"
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
shared=$TEST_TMP/shared
mkdir -p "$shared" "$TEST_TMP/plain"
at_end 'for m in $(awk -v t="$TEST_TMP/" "index(\$5, t) == 1 {print \$5}" /proc/self/mountinfo | sort -r); do umount -l "$m"; done'
mount -t tmpfs tmpfs "$shared" || skip "mounts cannot be made here"
mount --make-private "$shared"

step "a source that is private"
for p in shared rshared; do
    expect_fails "path $shared is mounted on $shared but it is not a shared mount" dk run --rm -v "$shared:/s:$p" busybox true
done
for p in slave rslave; do
    expect_fails "path $shared/?[a-z]* is mounted on $shared but it is not a shared or slave mount" \
        dk run --rm --mount "type=bind,src=$shared,dst=/s,bind-propagation=$p" busybox true
done
expect_status 0 dk run --rm -v "$shared:/s:rprivate" busybox true

step "a source that is shared"
mount --make-shared "$shared"
mkdir "$shared/host" "$shared/inside"
for p in private rprivate slave rslave shared rshared; do
    dk run -d --name "in-$p" --cap-add SYS_ADMIN -v "$shared:/s:$p" busybox sleep 1000 > /dev/null
    expect_eq "$(dk inspect -f '{{(index .Mounts 0).Propagation}}' "in-$p")" "$p"
done
mount -t tmpfs tmpfs "$shared/host"
echo new > "$shared/host/f"
for p in slave rslave shared rshared; do expect_eq "$(dk exec "in-$p" cat /s/host/f)" new; done
for p in private rprivate; do expect_status 1 dk exec "in-$p" cat /s/host/f; done
umount "$shared/host"
for p in slave rslave shared rshared; do expect_status 1 dk exec "in-$p" cat /s/host/f; done

step "out of the container"
own() { dk exec "$1" sh -c 'mount -t tmpfs tmpfs /s/inside && echo mine > /s/inside/f'; }
own in-rslave
[ ! -e "$shared/inside/f" ] || fail "a mount in a slave reached the host"
expect_status 1 dk exec in-rshared cat /s/inside/f
own in-rshared
expect_eq "$(cat "$shared/inside/f")" mine
expect_eq "$(dk exec in-shared cat /s/inside/f)" mine
expect_status 1 dk exec in-private cat /s/inside/f
umount "$shared/inside"
# what is left at the end of the containers: nothing of theirs on the host
dk rm -f in-private in-rprivate in-slave in-rslave in-shared in-rshared > /dev/null
expect_eq "$(grep -c " $shared/" /proc/self/mountinfo)" 0

step "owner and mode of a volume"
dk volume create -o uid=1000 -o gid=2000 -o mode=2750 owned > /dev/null
expect_eq "$(dk run --rm -v owned:/tmp -u 1000:7 busybox sh -c 'touch /tmp/x && stat -c "%u:%g %a" /tmp')" "1000:2000 2750"
expect_eq "$(dk run --rm -v plain:/tmp busybox stat -c "%u:%g %a" /tmp)" "0:0 1777"
expect_fails "permission|Permission" dk run --rm -v owned:/tmp -u 5:5 busybox touch /tmp/y
expect_eq "$(dk run --rm --mount 'type=volume,src=inline,dst=/data,volume-opt=uid=1000' -u 1000 busybox sh -c 'touch /data/x; ls /data')" x
expect_fails "'rwx' is no octal mode" dk volume create -o mode=rwx bad
expect_fails "option uid" dk volume create -o uid=-1 bad
expect_fails "are for volumes that are directories" dk volume create -o type=tmpfs -o device=tmpfs -o uid=1 bad
dk volume rm owned plain inline > /dev/null
umount "$shared"
expect_nothing_left
pass
