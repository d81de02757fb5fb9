#!/bin/bash
# Settings for containers that leave things open: taken at create, overridden one by one; what dockerd knows and is not here is refused with the reason.
. "$(dirname "$0")/lib.sh"
cat > deny.json <<'J'
{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]}
J
cat > daemon.json <<J
{"default-ulimits": {"nofile": {"Name": "nofile", "Soft": 300, "Hard": 400}}, "default-shm-size": "16M",
 "dns": ["192.0.2.53"], "dns-opts": ["ndots:3"], "dns-search": ["corp.example"],
 "log-opts": {"max-size": "5m", "max-file": "2"}, "no-new-privileges": true, "init": true,
 "default-ipc-mode": "shareable", "seccomp-profile": "$PWD/deny.json",
 "storage-driver": "overlay2", "exec-opts": ["native.cgroupdriver=cgroupfs"], "features": {"buildkit": true},
 "experimental": false, "userns-remap": "", "runtimes": {}, "default-runtime": "runc", "authorization-plugins": []}
J
start_daemon --config "$PWD/daemon.json" --default-ulimit nproc=500
make_busybox_image

step "what the settings say"
expect_eq "$(dk run --rm busybox sh -c 'ulimit -Sn; ulimit -Hn; ulimit -u' | tr '\n' ' ')" "300 400 500 "
expect_match "$(dk run --rm busybox grep ' /dev/shm ' /proc/mounts)" "size=16384k"
expect_eq "$(dk run --rm busybox cat /etc/resolv.conf | grep -v '^#' | sort | tr '\n' ' ')" "nameserver 192.0.2.53 options ndots:3 search corp.example "
expect_eq "$(dk run --rm busybox grep NoNewPrivs /proc/self/status | awk '{print $2}')" "1"
expect_eq "$(dk run --rm busybox cat /proc/1/comm)" "corten-init"
expect_eq "$(dk run --rm busybox sh -c 'mkdir /x 2>&1 | grep -c permitted')" "1"
dk run -d --name plain busybox sleep 1000 > /dev/null
expect_eq "$(dk inspect -f '{{index .HostConfig.LogConfig.Config "max-size"}} {{index .HostConfig.LogConfig.Config "max-file"}} {{.HostConfig.IpcMode}} {{.HostConfig.ShmSize}}' plain)" "5m 2 shareable 16777216"
expect_eq "$(dk run --rm --ipc container:plain busybox echo joined)" "joined"

step "what a container says itself"
expect_eq "$(dk run --rm --ulimit nofile=100:200 busybox sh -c 'ulimit -Sn; ulimit -u' | tr '\n' ' ')" "100 500 "
expect_match "$(dk run --rm --shm-size 8m busybox grep ' /dev/shm ' /proc/mounts)" "size=8192k"
expect_eq "$(dk run --rm --dns 192.0.2.1 busybox grep -c 192.0.2.53 /etc/resolv.conf)" "0"
expect_eq "$(dk run --rm --init=false busybox cat /proc/1/comm)" "cat"
expect_eq "$(ct run --rm --security-opt seccomp=builtin busybox sh -c 'mkdir /x && echo made')" "made"
expect_eq "$(dk run --rm --security-opt no-new-privileges=false busybox grep NoNewPrivs /proc/self/status | awk '{print $2}')" "0"
expect_eq "$(dk run --rm --log-driver none busybox echo none)" "none"
expect_eq "$(dk run --rm --privileged busybox sh -c 'mkdir /x && echo made')" "made"

step "an id file, the filters of the list"
expect_eq "$(dk run --rm --cidfile "$PWD/id" busybox echo ran)" "ran"
expect_match "$(cat id)" '^[0-9a-f]{64}$'
expect_eq "$(dk ps -q --filter health=none | wc -l)" 1
expect_eq "$(dk ps -q --filter health=healthy | wc -l)" 0
expect_fails "invalid filter 'health=bogus'" dk ps --filter health=bogus
expect_fails "invalid filter 'is-task=x'" dk ps --filter is-task=x
expect_eq "$(dk ps -q --filter is-task=true --filter isolation=default | wc -l)" 0
expect_eq "$(dk ps -q --filter isolation=default | wc -l)" 1

step "refused, with the reason"
refused() { # JSON, WORDS
    echo "$1" > bad.json
    expect_fails "$2" "$bin/cortend" --validate --config "$PWD/bad.json"
}
refused '{"storage-driver":"zfs"}' "storage-driver: 'zfs' is not supported: overlay2 works on zfs from 2.2 on"
refused '{"runtimes":{"kata":{"path":"/bin/kata"}}}' "runtimes: 'kata=.*one runtime"
refused '{"exec-opts":["native.cgroupdriver=systemd"]}' "cgroups are made without a manager"
refused '{"userns-remap":"default"}' "userns-remap: 'default' is not supported"
refused '{"shutdown-timeout":30}' "containers outlive the daemon"
refused '{"nonsense":1}' "'nonsense' is not a supported setting"
refused '{"default-ulimits":{"nofile":{"Soft":9,"Hard":1}}}' "soft limit"
refused '{"default-ulimits":{"nosuch":{"Soft":1,"Hard":1}}}' "invalid ulimit type: nosuch"
refused '{"default-shm-size":"much"}' "default-shm-size"
refused '{"default-ipc-mode":"host"}' "neither private nor shareable"
refused '{"log-driver":"nosuch"}' "nosuch"
refused '{"seccomp-profile":"/no/such"}' "seccomp-profile: .*No such file"
echo '{"defaultAction":"SCMP_ACT_ALLOW","unknownKey":1}' > profile.json
refused "{\"seccomp-profile\":\"$PWD/profile.json\"}" "unknownKey"
expect_fails "add-runtime: .*one runtime" "$bin/cortend" --validate --add-runtime x=/y

step "the settings' end changes no container"
stop_daemon
start_daemon
expect_eq "$(dk inspect -f '{{.HostConfig.ShmSize}} {{(index .HostConfig.Ulimits 0).Name}}' plain)" "16777216 nofile"
dk rm -f plain > /dev/null
expect_nothing_left
pass
