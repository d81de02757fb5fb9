#!/bin/bash
# Options of create and run for the process and its limits, with the stock docker CLI and with corten: the same container comes of it.
. "$(dirname "$0")/lib.sh"
. "$here/transcript.sh"
begin_transcript
make_create_files
thin=3
cd "$TEST_TMP" || exit 1

compare "the container" <<'LINES'
+ busybox
+ busybox true
+ busybox:latest sh -c 'echo "$X"'
+ --name some.Name_1-x busybox
+ --name /slash busybox
+ --name 'a b' busybox
+ --name "" busybox
+ -it busybox sh
+ -i busybox
+ -t busybox
+ -ti=false busybox
+ -a stdout busybox
+ -a stdin -a STDOUT busybox
+ -a stdin,stdout busybox
+ --attach=nonsense busybox
+ -e A=1 -e A=3 busybox
+ -e HOME= busybox
+ -e HOME busybox
+ -e NOT_SET busybox
+ -e "" busybox
+ -e "A B=1" busybox
+ -e =x busybox
+ -e A= busybox
+ --env-file env busybox
+ --env-file env -e A=9 busybox
+ --env-file env-bad busybox
+ --env-file none busybox
+ -l a=b -l c -l d= busybox
+ --label x=1,y=2 busybox
+ --label-file labels -l L=9 busybox
+ --label-file none busybox
+ --annotation a=b --annotation c busybox
+ -u 1000 busybox
+ --user web:extra busybox
+ -w /tmp busybox
+ --workdir relative busybox
+ -h box busybox
+ -h box.example.org --domainname d busybox
+ -h 'bad host' busybox
+ --entrypoint sh busybox -c true
+ --entrypoint "" busybox true
+ --entrypoint "/bin/echo x" busybox
+ --stop-signal INT --stop-timeout 7 busybox
+ --stop-signal NOPE busybox
+ --stop-timeout x busybox
+ --rm busybox
+ --read-only --privileged --init busybox
+ --init=false --privileged=false busybox
+ --tty=nonsense busybox
+ --restart no busybox
+ --restart always busybox
+ --restart on-failure busybox
+ --restart on-failure:3 busybox
+ --restart on-failure:x busybox
+ --restart always:3 busybox
+ --restart unless-stopped busybox
+ --restart nope busybox
+ --restart :1 busybox
+ --restart "" busybox
+ --restart on-failure: busybox
+ --runtime nope busybox
+ --isolation default busybox
+ --platform linux/amd64 busybox
+ --platform linux/arm64 busybox
+ --platform x/y/z/w busybox
+ --pull missing busybox
+ --pull never none
+ --pull nope busybox
+ --pull=always -q none.invalid:5/x
+ --quiet busybox
+ --disable-content-trust busybox
+ --disable-content-trust=true busybox
+ --use-api-socket=false busybox
+ --cidfile /nonsense/x busybox
@ D create --cidfile cid busybox >/dev/null && [ "$(cat cid)" = "$(ct ps -lq --no-trunc)" ] && wc -c <cid; D create --cidfile cid busybox; D create --cidfile cid none; rm cid; ct rm $(ct ps -lq) >/dev/null
+ --nope
+
+ nope-no-such --pull=never
LINES

compare "processors, memory, devices" <<'LINES'
+ --cpus 1.5 busybox
+ --cpus .5 busybox
+ --cpus 1/2 busybox
+ --cpus 0.123456789 busybox
+ --cpus 0.1234567891 busybox
+ --cpus "" busybox
+ --cpus 0 busybox
+ --cpus x busybox
+ --cpus -1 busybox
+ --cpus 1e-3 busybox
+ --cpus 0.0000000001 busybox
+ --cpus 1000 busybox
+ -c 512 busybox
+ --cpu-shares -5 busybox
+ --cpu-shares 1 busybox
+ --cpu-period 50000 --cpu-quota 25000 busybox
+ --cpu-period 1 busybox
+ --cpu-quota 1 busybox
+ --cpu-quota x busybox
+ --cpus 1 --cpu-quota 5000 busybox
+ --cpuset-cpus 0 --cpuset-mems 0 busybox
+ --cpuset-cpus 0-99999 busybox
+ --cpuset-cpus x busybox
+ --cpu-rt-period 1000 busybox
+ --cpu-rt-runtime 1000 busybox
+ --cpu-count 1 busybox
+ --cpu-percent 1 busybox
+ -m 64m busybox
+ -m 64M --memory-swap 128m busybox
+ -m 64m --memory-swap -1 busybox
+ -m 64m --memory-swap 1m busybox
+ --memory-swap 64m busybox
+ -m 1k busybox
+ -m 6.5m busybox
+ -m 64mb busybox
+ -m 64MiB busybox
+ -m 64mib busybox
+ -m '64 m' busybox
+ -m 64q busybox
+ -m -1 busybox
+ -m "" busybox
+ -m 64m --memory-reservation 32m busybox
+ -m 64m --memory-reservation 128m busybox
+ --memory-swappiness 50 busybox
+ --memory-swappiness 101 busybox
+ --memory-swappiness -1 busybox
+ --oom-kill-disable -m 64m busybox
+ --oom-score-adj 100 busybox
+ --oom-score-adj 1001 busybox
+ --pids-limit 10 busybox
+ --pids-limit -1 busybox
+ --pids-limit 0 busybox
+ --pids-limit x busybox
+ --blkio-weight 300 busybox
+ --blkio-weight 5 busybox
+ --blkio-weight 5000 busybox
+ --blkio-weight-device nonsense busybox
+ --blkio-weight-device /dev/null:5 busybox
+ --blkio-weight-device x:300 busybox
+ --device-read-bps /dev/loop0:1mb busybox
+ --device-write-bps /dev/loop0:1 busybox
+ --device-read-bps nonsense busybox
+ --device-read-bps x:1 busybox
+ --device-read-bps /dev/loop0:x busybox
+ --device-read-iops /dev/loop0:100 --device-write-iops /dev/loop0:200 busybox
+ --device-read-iops /dev/loop0:x busybox
+ --device /dev/null busybox
+ --device /dev/null:/dev/x busybox
+ --device /dev/null:/dev/x:r busybox
+ --device /dev/null:rw busybox
+ --device /dev/null:/dev/x:q busybox
+ --device nonsense busybox
+ --device /dev/null:/x:r:y busybox
+ --device-cgroup-rule 'c 1:3 rwm' busybox
+ --device-cgroup-rule 'nonsense' busybox
+ --device vendor.com/class=x busybox
+ --gpus all busybox
+ --gpus nonsense=x busybox
+ --gpus device=0,driver=x busybox
+ --shm-size 128m busybox
+ --shm-size x busybox
+ --shm-size 0 busybox
+ --ulimit nofile=64 --ulimit core=0:0 busybox
+ --ulimit nofile=64:32 busybox
+ --ulimit nope=1 busybox
+ --ulimit nofile busybox
+ --ulimit nofile=x busybox
+ --ulimit nproc=-1 busybox
+ --sysctl net.ipv4.ip_forward=1 busybox
+ --sysctl kernel.shmmax=1 --sysctl net.core.somaxconn=9 busybox
+ --sysctl nonsense busybox
+ --storage-opt size=1G busybox
+ --io-maxbandwidth 1m busybox
+ --io-maxiops 1 busybox
+ --cgroup-parent /some busybox
+ --cgroupns private busybox
+ --cgroupns nope busybox
LINES
[ -z "${differs-}" ] || fail "the two command lines differ"
pass
