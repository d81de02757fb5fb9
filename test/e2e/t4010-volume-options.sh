#!/bin/bash
# Volumes that are mounts: tmpfs, bind and others by the options of driver local; shared by all who run with
# them, gone with the last, kept over a kill of the daemon; never in the host's mount table.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
mounts=$(grep -cF "$TEST_TMP" /proc/self/mountinfo)

step "options are shown and judged"
expect_eq "$(dk volume create -o type=tmpfs -o device=tmpfs -o o=size=4m,mode=1770,uid=7 mem)" mem
expect_eq "$(dk volume inspect -f '{{json .Options}}' mem)" '{"device":"tmpfs","o":"size=4m,mode=1770,uid=7","type":"tmpfs"}'
expect_fails 'invalid option: "nonsense"' dk volume create -o nonsense=1 bad
expect_fails 'missing required option: "device"' dk volume create -o type=tmpfs bad
expect_fails 'missing required option: "type"' dk volume create -o device=tmpfs bad
expect_fails 'quota size requested but no quota support' dk volume create -o size=10g bad
expect_fails "mount option 'remount' of a volume is not supported" dk volume create -o type=tmpfs -o device=t -o o=remount bad
expect_no_match "$(dk volume ls -q)" bad

step "one tmpfs for all, gone with the last"
dk run -d --name one -v mem:/mem busybox sleep 1000 > /dev/null
dk run -d --name two --mount type=volume,src=mem,dst=/other,ro busybox sleep 1000 > /dev/null
dk exec one sh -c 'echo shared > /mem/f; mkdir -p /mem/sub/dir; echo below > /mem/sub/dir/g'
expect_eq "$(dk exec two cat /other/f)" shared
expect_match "$(dk exec two sh -c 'echo x > /other/x' 2>&1)" 'Read-only file system'
expect_match "$(dk exec one grep ' /mem ' /proc/self/mounts)" 'tmpfs /mem tmpfs rw.*size=4096k,mode=1770,uid=7'
expect_fails 'in use' dk volume rm mem
dk rm -f one > /dev/null
expect_eq "$(dk exec two cat /other/f)" shared

step "a killed daemon finds it again at the monitors"
kill_daemon
restart_daemon
dk run --rm -v mem:/mem busybox sh -c 'cat /mem/f; echo more > /mem/h' > "$TEST_TMP/out"
expect_eq "$(cat "$TEST_TMP/out")" shared
expect_eq "$(dk exec two cat /other/h)" more

step "a part of it; links do not lead out"
expect_eq "$(ct run --rm --mount type=volume,src=mem,dst=/m,volume-subpath=sub/dir busybox cat /m/g)" below
ct run --rm -v mem:/mem busybox ln -s /etc /mem/out
expect_fails 'cannot access path out|No such file' ct run --rm --mount type=volume,src=mem,dst=/m,volume-subpath=out/passwd busybox true
expect_fails 'cannot access path none' ct run --rm --mount type=volume,src=mem,dst=/m,volume-subpath=none busybox true
expect_fails 'subpath must be a relative path within the volume' ct run --rm --mount type=volume,src=mem,dst=/m,volume-subpath=a/../../b busybox true

step "cp sees it, running or not, used or not"
dk create --name still -v mem:/mem busybox true > /dev/null
dk cp still:/mem/f "$TEST_TMP/f"
expect_eq "$(cat "$TEST_TMP/f")" shared
dk rm -f two > /dev/null
expect_fails 'No such file|Could not find|No such container:path' dk cp still:/mem/f "$TEST_TMP/f2"
expect_eq "$(dk run --rm -v mem:/mem busybox ls /mem)" ""
dk rm still > /dev/null

step "bind: a directory of the host"
mkdir -p "$TEST_TMP/there"
echo host > "$TEST_TMP/there/f"
dk volume create -o type=none -o o=bind,ro -o device="$TEST_TMP/there" bound > /dev/null
expect_eq "$(dk run --rm -v bound:/b busybox cat /b/f)" host
expect_fails 'Read-only' dk run --rm -v bound:/b busybox touch /b/x
dk volume create -o type=none -o o=bind -o device="$TEST_TMP/nowhere" lost > /dev/null
expect_fails "error while mounting volume .*failed to mount local volume: mount $TEST_TMP/nowhere:.*No such file" \
    dk run --rm -v lost:/b busybox true
mkdir "$TEST_TMP/nowhere"
dk run --rm -v lost:/bin busybox true
expect_match "$(ls "$TEST_TMP/nowhere")" busybox

step "others are mounted by a worker; what the kernel lacks is named"
dk volume create -o type=nfs -o o=addr=no-such-host.invalid,rw -o device=:/x nfs1 > /dev/null
expect_fails 'error resolving passed in network volume address: lookup no-such-host.invalid' dk run --rm -v nfs1:/n busybox true
dk volume create -o type=nosuchfs -o device=none odd > /dev/null
expect_fails 'mount nosuchfs: not offered by this kernel' dk run --rm -v odd:/n busybox true
if grep -qw ramfs /proc/filesystems; then
    dk volume create -o type=ramfs -o device=ramfs ram > /dev/null
    expect_match "$(dk run --rm -v ram:/r busybox cat /proc/mounts)" '^ramfs /r ramfs'
fi

step "inline options of a mount"
dk run -d --name inline --mount 'type=volume,src=made,dst=/m,volume-opt=type=tmpfs,volume-opt=device=tmpfs,"volume-opt=o=size=1m,mode=0700",volume-label=a=b' busybox sleep 1000 > /dev/null
expect_eq "$(dk volume inspect -f '{{.Labels.a}} {{.Options.type}}' made)" "b tmpfs"
expect_match "$(dk exec inline cat /proc/mounts)" 'tmpfs /m tmpfs .*size=1024k,mode=700'
dk restart -t 0 inline > /dev/null
expect_match "$(dk exec inline cat /proc/mounts)" 'tmpfs /m tmpfs .*size=1024k,mode=700'
kill_daemon
kill_containers
restart_daemon
dk start inline > /dev/null
expect_match "$(dk exec inline cat /proc/mounts)" 'tmpfs /m tmpfs .*size=1024k'
dk rm -f inline > /dev/null

step "filters"
dk volume create --label k=v plain > /dev/null
expect_eq "$(dk volume ls -q -f label=k=v)" plain
expect_eq "$(dk volume ls -q -f name=pla -f driver=local)" plain
expect_eq "$(dk volume ls -q -f driver=other)" ""
dk create --name holds -v plain:/p busybox true > /dev/null
expect_eq "$(dk volume ls -q -f dangling=false)" plain
expect_match "$(dk volume ls -q -f dangling=true)" mem
expect_eq "$(grep -cF "$TEST_TMP" /proc/self/mountinfo)" "$mounts"
dk rm holds > /dev/null
for v in $(dk volume ls -q); do dk volume rm "$v" > /dev/null; done
expect_nothing_left
pass
