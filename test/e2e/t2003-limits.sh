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

# What a kernel may lack is honoured where its file is there, else refused by name.
real_time() { [ -e "$1" ] && [ "$(cat "$1")" -gt 10000 ]; }
if real_time /sys/fs/cgroup/cpu/cpu.rt_runtime_us; then
    dk run -d --name rt --cpu-rt-runtime 2000 --cpu-rt-period 500000 busybox sleep 1000 > /dev/null
    id=$(dk inspect -f '{{.Id}}' rt)
    expect_eq "$(limit cpu.rt_runtime_us) $(limit cpu.rt_period_us)" "2000 500000"
    dk update --cpu-rt-runtime 3000 rt > /dev/null
    expect_eq "$(limit cpu.rt_runtime_us) $(dk inspect -f '{{.HostConfig.CpuRealtimeRuntime}}' rt)" "3000 3000"
    dk rm -f rt > /dev/null
else
    expect_fails "cpu.realtimeRuntime is not supported on this host" dk run --rm --cpu-rt-runtime 2000 --cpu-rt-period 500000 busybox true
fi
disk=$(lsblk -dpno NAME 2> /dev/null | head -1)
if [ -n "$disk" ] && [ -e /sys/fs/cgroup/blkio/blkio.weight ]; then
    dk run --rm --blkio-weight-device "$disk:200" busybox true
elif [ -n "$disk" ] && [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
    expect_fails "(blockIO.weightDevice is not supported|weight_device.*not supported)" dk run --name wd --blkio-weight-device "$disk:200" busybox true
    dk rm wd > /dev/null
fi

# A process storm stays within its limit.
expect_match "$(dk run --rm --pids-limit 20 busybox sh -c 'for i in $(seq 60); do sleep 1 & done' 2>&1)" "can't fork"
pass
