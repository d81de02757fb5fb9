#!/bin/bash
# What a create call may say about confinement, devices, namespaces, links and mounts: done, or refused by name.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

step "privileged: everything that this host can give, and nothing hidden"
expect_eq "$(dk run --rm --privileged busybox sh -c 'ls -d /dev/mem /dev/kmsg 2>/dev/null | head -1; grep -c "^Seccomp:.0" /proc/self/status; touch /sys/fs/cgroup/x 2>&1 | grep -c Read-only; mount -t tmpfs x /mnt 2>/dev/null || mkdir /mnt && mount -t tmpfs x /mnt && echo mounted' | tail -3 | tr '\n' ' ')" "1 0 mounted "
all=$(grep ^CapBnd /proc/self/status | awk '{print $2}')
expect_eq "$(dk run --rm --privileged busybox grep ^CapEff /proc/self/status | awk '{print $2}')" "$all"
expect_eq "$(dk run --rm --cap-add ALL busybox grep ^CapEff /proc/self/status | awk '{print $2}')" "$all"
expect_eq "$(dk run --rm --cap-drop ALL --cap-add NET_RAW busybox grep ^CapEff /proc/self/status | awk '{print $2}')" "0000000000002000"
dk run -d --name plain busybox sleep 1000 > /dev/null
expect_eq "$(dk exec --privileged plain grep ^CapEff /proc/self/status | awk '{print $2}')" "$all"
expect_eq "$(dk exec plain grep ^CapEff /proc/self/status | awk '{print $2}')" "00000000a80425fb"

step "devices and rules"
expect_match "$(dk run --rm --device /dev/full:/dev/mine:r busybox ls -l /dev/mine)" '^crw.* 1, +7 .*/dev/mine'
expect_fails "error gathering device information" dk run --rm --device /dev/nosuch busybox true
expect_eq "$(dk run --rm busybox sh -c 'mknod /tmp/f c 240 77; cat < /tmp/f' 2>&1 | grep -c -i 'not permitted')" "1"
expect_eq "$(dk run --rm --device-cgroup-rule 'c 240:* rwm' busybox sh -c 'mknod /tmp/f c 240 77; cat < /tmp/f' 2>&1 | grep -c -i 'no such device')" "1"
api POST /containers/create '{"Image":"busybox","HostConfig":{"DeviceCgroupRules":["c 1 rwm"]}}'
expect_eq "$api_status" 400

step "security options"
expect_eq "$(dk run --rm --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status | awk '{print $2}')" "1"
expect_eq "$(dk run --rm --security-opt seccomp=unconfined busybox grep ^Seccomp: /proc/self/status | awk '{print $2}')" "0"
cat > profile.json <<'J'
{"defaultAction":"SCMP_ACT_ALLOW","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}],
 "syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":1,"excludes":{"caps":["CAP_SYS_ADMIN"]}},
             {"names":["rmdir","unlinkat"],"action":"SCMP_ACT_ERRNO","errnoRet":1,"includes":{"minKernel":"99.0"}}]}
J
expect_eq "$(dk run --rm --security-opt seccomp=profile.json busybox sh -c 'mkdir /x 2>&1 | grep -c permitted; mkdir -p /tmp; echo > /tmp/y; rm /tmp/y && echo removed' | tr '\n' ' ')" "1 removed "
expect_eq "$(dk run --rm --security-opt seccomp=profile.json --cap-add SYS_ADMIN busybox sh -c 'mkdir /x && echo made')" "made"
echo '{"defaultAction":"SCMP_ACT_ALLOW","unknownKey":1}' > bad.json
expect_fails "unknownKey" dk run --rm --security-opt seccomp=bad.json busybox true
expect_fails "AppArmor is not enabled" dk run --rm --security-opt apparmor=some busybox true
expect_fails "needs SELinux" dk run --rm --security-opt label=level:s0 busybox true
expect_fails "invalid --security-opt" dk run --rm --security-opt nonsense=1 busybox true
expect_eq "$(dk run --rm --security-opt systempaths=unconfined busybox sh -c 'grep -c " /proc/" /proc/self/mounts')" "0"

step "another container's process namespace"
dk exec -d plain sleep 4321
expect_match "$(dk run --rm --pid container:plain busybox ps -o args)" "sleep 4321"
dk create --name idle busybox true > /dev/null
expect_fails "non running container" dk run --rm --pid container:idle busybox true
expect_eq "$(dk run --rm --cgroup-parent /corten-e2e-parent busybox sh -c 'cat /proc/self/cgroup' > /dev/null; echo $?)" "0"
find /sys/fs/cgroup -depth -type d -name corten-e2e-parent -exec rmdir {} + 2> /dev/null

step "another container's IPC namespace and /dev/shm; an init"
dk run -d --name donor --ipc shareable busybox sh -c 'echo shared > /dev/shm/f; exec sleep 1000' > /dev/null
eventually 5 docker exec donor test -e /dev/shm/f
expect_eq "$(dk run --rm --ipc container:donor busybox sh -c 'cat /dev/shm/f; readlink /proc/self/ns/ipc')" "shared
$(dk exec donor readlink /proc/self/ns/ipc)"
expect_fails "non-shareable IPC" dk run --rm --ipc container:plain busybox true
expect_eq "$(dk run --rm --init busybox cat /proc/1/comm)" "corten-init"
expect_eq "$(dk run --rm --label corten.init=auto busybox cat /proc/1/comm)" "corten-init"
expect_eq "$(dk run --rm --label corten.init=auto --init=false busybox cat /proc/1/comm)" "cat"
expect_eq "$(dk run --rm --label corten.init=auto --pid host busybox sh -c 'cat /proc/$$/comm; grep PPid /proc/$$/status' | head -1)" "sh"
dk create --name choice --label corten.init=auto --entrypoint /sbin/tini busybox -- sh > /dev/null
expect_eq "$(dk inspect -f '{{.HostConfig.Init}}' choice)" "false"
dk commit -c 'LABEL corten.init=true' -c 'ENTRYPOINT []' choice asks > /dev/null
dk rm choice > /dev/null
expect_eq "$(dk run --rm asks cat /proc/1/comm)" "corten-init"
expect_eq "$(dk run --rm --label corten.init=false asks cat /proc/1/comm)" "cat"
expect_fails "label corten.init: 'maybe' is none of true, false and auto" dk run --rm --label corten.init=maybe busybox true
dk rmi asks > /dev/null
expect_status 7 dk run --rm --init busybox sh -c 'exit 7'
expect_status 127 dk run --rm --init busybox no-such-program
dk rm -f donor > /dev/null

step "links: names, variables, and not without the other"
dk run -d --name db --expose 5432 -e SECRET=x busybox sleep 1000 > /dev/null
address=$(dk inspect -f '{{.NetworkSettings.IPAddress}}' db)
expect_match "$(dk run --rm --link db:sql-1 busybox cat /etc/hosts)" "^$address[[:space:]]+sql-1"
expect_eq "$(dk run --rm --name web --link db:sql-1 busybox env | grep ^SQL | sort | tr '\n' ' ')" \
    "SQL_1_ENV_SECRET=x SQL_1_NAME=/web/sql-1 SQL_1_PORT=tcp://$address:5432 SQL_1_PORT_5432_TCP=tcp://$address:5432 SQL_1_PORT_5432_TCP_ADDR=$address SQL_1_PORT_5432_TCP_PORT=5432 SQL_1_PORT_5432_TCP_PROTO=tcp "
expect_eq "$(dk run --rm --link db busybox ping -c 1 -W 2 db > /dev/null && echo up)" "up"
expect_fails "could not get container for nosuch" dk run --rm --link nosuch:x busybox true
expect_fails "Cannot link to a non running container" dk run --rm --link idle:x busybox true
dk create --name linked --link db:sql busybox true > /dev/null
expect_eq "$(dk inspect -f '{{.HostConfig.Links}}' linked)" "[/db:/linked/sql]"

dk rm --link linked/sql > /dev/null
expect_eq "$(dk inspect -f '{{.HostConfig.Links}}' linked)" "[]"
expect_fails "Cannot get parent|No such container: linked/sql" dk rm --link linked/sql

step "mounts: from others, tmpfs words, annotations"
dk run --name source -v named:/n -v /anonymous busybox sh -c 'echo n > /n/f; echo a > /anonymous/f'
expect_eq "$(dk run --rm --volumes-from source busybox cat /n/f /anonymous/f | tr '\n' ' ')" "n a "
expect_fails "Read-only" dk run --rm --volumes-from source:ro busybox touch /n/g
expect_fails "No such container" dk run --rm --volumes-from nosuch busybox true
expect_match "$(dk run --rm --tmpfs /t:size=1m,mode=700,exec busybox grep ' /t ' /proc/mounts)" "size=1024k,mode=700"
expect_fails "Invalid tmpfs option" dk run --rm --tmpfs /t:nosuch busybox true
ct create --name noted --annotation a.b=c busybox true > /dev/null
expect_eq "$(ct inspect -f '{{index .HostConfig.Annotations "a.b"}}' noted)" "c"
dk create --name env -e A -e B=2 busybox env > /dev/null
expect_eq "$(dk start -a env | grep -c '^B=2$')" "1"

step "refused by name"
refused() { # JSON of HostConfig, WORD
    api POST /containers/create "{\"Image\":\"busybox\",\"HostConfig\":$1}"
    expect_match "$api_status $output" "^(501|400) .*$2"
}
refused '{"DeviceRequests":[{"Count":-1,"Capabilities":[["gpu"]]}]}' DeviceRequests
refused '{"Runtime":"kata"}' "unknown or invalid runtime name"
refused '{"StorageOpt":{"size":"1g"}}' StorageOpt
refused '{"UsernsMode":"private"}' UsernsMode
refused '{"CpuRealtimeRuntime":2000,"CpuRealtimePeriod":1000}' 'cpu real-time runtime cannot be higher'
refused '{"Isolation":"hyperv"}' Isolation
refused '{"Mounts":[{"Type":"npipe","Target":"/x"}]}' npipe
refused '{"CapAdd":["NOSUCH"]}' 'unknown capability'
refused '{"CgroupParent":"/../../x\u0001"}' 'cgroup parent'
dk rm -f plain idle db linked source noted env > /dev/null
expect_nothing_left
pass
