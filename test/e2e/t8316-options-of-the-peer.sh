#!/bin/bash
# No option of the peer's command line is accepted without effect: each shows in the container, or is refused by name, and
# docs/compatibility.md says so. (test/unit/cli/parity.c: each is there.)
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
page=$root/docs/compatibility.md
ct run -d --name other busybox sleep 1000 >/dev/null
ct network create --subnet 10.77.0.0/24 n1 >/dev/null
echo A=1 >env
disk=$(lsblk -ndo PATH 2>/dev/null | grep -m1 /dev/) || disk=/dev/null
# What it is, but for what differs between any two.
facts() { ct inspect "$1" | sed -E "s/$2//g; s/[0-9a-f]{64}//g; /\"(Created|StartedAt|FinishedAt|Id|Hostname|[A-Za-z]*Path|(Upper|Work|Lower|Merged)Dir)\"|\"Name\": \"\\//d"; }
base=$(ct create busybox)
facts "$base" "${base:0:12}" >"$TEST_TMP/base"
base=$(ct create busybox)
facts "$base" "${base:0:12}" | cmp -s - "$TEST_TMP/base" || fail "two containers differ"
wrong=
told() { # OPTION…: the page names what is refused
    local option=${1%%=*}
    grep -q -- "$option\\b" "$page" || wrong+="$* is refused ($(head -1 "$TEST_TMP/err")), the page does not say so"$'\n'
    expect_match "$(cat "$TEST_TMP/err")" 'not supported|unknown|invalid|not enabled|needs|does not|are not|cannot be|want '
}
has_effect() { # OPTION…
    local out
    if out=$(eval "ct create $* busybox" 2>"$TEST_TMP/err"); then
        facts "$out" "${out:0:12}" | cmp -s - "$TEST_TMP/base" && [ ! -s "$TEST_TMP/err" ] && wrong+="$* is ignored"$'\n'
        ct rm "$out" >/dev/null
    else
        told "$@"
    fi
}

step "options of create"
while read -r line; do
    has_effect $line
done <<LINES
--add-host a:1.2.3.4
--annotation a=b
-a stdout
--blkio-weight 500
--blkio-weight-device $disk:500
--cap-add NET_ADMIN
--cap-drop CHOWN
--cgroup-parent /x
--cgroupns host
--cpu-count 2
--cpu-percent 50
--cpu-period 100000
--cpu-quota 50000
--cpu-rt-period 1000000
--cpu-rt-runtime 1000
--cpu-shares 512
--cpus 0.5
--cpuset-cpus 0
--cpuset-mems 0
--device /dev/null:/dev/x
--device-cgroup-rule 'c 1:3 rwm'
--device-read-bps $disk:1mb
--device-read-iops $disk:100
--device-write-bps $disk:1mb
--device-write-iops $disk:100
--disable-content-trust=false
--dns 1.1.1.1
--dns-option x
--dns-search y
--domainname d
--entrypoint sh
-e A=1
--env-file env
--expose 80
--gpus all
--group-add 5
--health-cmd true
--health-interval 5s
--health-retries 3
--health-start-interval 1s
--health-start-period 5s
--health-timeout 5s
--init
-i
--io-maxbandwidth 10
--io-maxiops 10
--network n1 --ip 10.77.0.9
--network n1 --ip6 fd00::9
--ipc host
--isolation hyperv
--kernel-memory 64m
-l a=b
--link other:o
--link-local-ip 169.254.1.1
--log-driver syslog
--log-driver none
--log-opt max-size=1m
-m 64m
--memory-reservation 32m
--memory-swappiness 10
--mount type=tmpfs,target=/t
--mount type=npipe,source=a,target=/t
--network none
--network n1 --network-alias al
--no-healthcheck
--oom-kill-disable
--oom-score-adj 5
--pid host
--pids-limit 50
--privileged
-p 80
-P
--read-only
--restart always
--rm
--runtime nope
--security-opt no-new-privileges
--security-opt nope
--shm-size 1m
--stop-signal 9
--stop-timeout 3
--storage-opt x=y
--sysctl net.ipv4.ip_forward=1
--tmpfs /t
-t
--ulimit nofile=10
--use-api-socket
-u 5
--userns remap
--uts host
-v /v
--volumes-from other
-w /tmp
LINES

step "options of other commands"
printf 'FROM busybox\n' >Dockerfile
while read -r option line; do
    ct $line >/dev/null 2>"$TEST_TMP/err" </dev/null && wrong+="$line is accepted"$'\n'
    told "$option"
done <<'LINES'
--kernel-memory update --kernel-memory 64m other
--checkpoint-dir start --checkpoint-dir /x --checkpoint y other
--link rm --link other/x
--rm build --rm=false .
--isolation build --isolation hyperv .
--disable-content-trust build --disable-content-trust=false .
--disable-content-trust pull --disable-content-trust=false busybox
--disable-content-trust push --disable-content-trust=false x
--scope network create --scope swarm x
--ingress network create --ingress x
--ipam-driver network create --ipam-driver nope x
--ipam-opt network create --ipam-opt a=b x
--driver-opt network connect --driver-opt a=b n1 other
--scope volume create --scope multi x
--group volume create --group g x
--availability volume create --availability drain x
--secret volume create --secret a=b x
--limit-bytes volume create --limit-bytes 5m x
--tree images --tree
LINES
[ -z "$wrong" ] || fail "$wrong"
pass
