#!/bin/bash
# --memory, --cpus, --pids-limit: seen in the container's cgroup, and enforced.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

dk run -d --name mem --memory 64m --cpus 0.5 --pids-limit 50 busybox sleep 1000 > /dev/null
id=$(dk inspect -f '{{.Id}}' mem)
limit() { cat /sys/fs/cgroup/*/*/"$id"/"$1" /sys/fs/cgroup/*/"$id"/"$1" 2> /dev/null | head -1; }
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    expect_eq "$(limit memory.max)" "67108864"
    expect_eq "$(limit pids.max)" "50"
    expect_eq "$(limit cpu.max)" "50000 100000"
else
    expect_eq "$(limit memory.limit_in_bytes)" "67108864"
    expect_eq "$(limit pids.max)" "50"
    expect_eq "$(limit cpu.cfs_quota_us)" "50000"
fi
dk rm -f mem > /dev/null

# Too much memory: killed, and the engine knows why.
expect_status 137 dk run --name oom --memory 32m --memory-swap 32m busybox sh -c 'x=$(head -c 200000000 /dev/zero | tr "\0" a); echo ${#x}'
expect_eq "$(dk inspect -f '{{.State.OOMKilled}}' oom)" "true"
dk rm oom > /dev/null
# A process storm stays within its limit.
expect_match "$(dk run --rm --pids-limit 20 busybox sh -c 'for i in $(seq 60); do sleep 1 & done' 2>&1)" "can't fork"
pass
