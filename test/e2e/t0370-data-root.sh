#!/bin/bash
# A data root is copied while its daemon works, and moved: everything works under the other path.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
dk network create --subnet 10.78.0.0/24 --label a=b own > /dev/null
dk volume create --label c=d vol > /dev/null
dk run --name wrote --network own -v vol:/data -v "$TEST_TMP:/host" busybox sh -c 'echo data > /data/f; echo layer > /written; rm /bin/vi; echo said' > /dev/null
dk run -d --name busy busybox sh -c 'i=0; while :; do i=$((i + 1)); echo $i > /counter; echo $i; usleep 1000; done' > /dev/null
check_all() {
    expect_eq "$(dk inspect -f '{{.State.ExitCode}} {{.State.Status}}' wrote)" "0 exited"
    expect_eq "$(dk logs wrote)" said
    expect_eq "$(dk network inspect -f '{{(index .IPAM.Config 0).Subnet}} {{.Labels.a}}' own)" "10.78.0.0/24 b"
    expect_eq "$(dk run --rm -v vol:/data busybox cat /data/f) $(dk volume inspect -f '{{.Labels.c}} {{.Mountpoint}}' vol)" "data d $1/volume/vol/_data"
    dk export wrote | tar -tf - > "$TEST_TMP/list"
    expect_match "$(cat "$TEST_TMP/list")" '^written$'
    grep -q '^bin/vi$' "$TEST_TMP/list" && fail "a removed file is back"
    dk start -a wrote | grep -q said || fail "it does not start"
    expect_match "$(ct system check 2>&1)" "all is well"
    expect_eq "$(dk logs wrote | wc -l)" 2
}

step "a copy, while containers write and images come and go"
(for i in $(seq 10); do dk tag busybox "t:$i"; dk rmi "t:$i"; dk run --rm busybox true; done > /dev/null 2>&1) &
load=$!
expect_eq "$(ct system backup "$TEST_TMP/copy")" "$TEST_TMP/copy"
wait "$load"
expect_fails "must not be there yet" ct system backup "$TEST_TMP/copy"
dk rm -f busy > /dev/null
first=$DATA_ROOT
live_at() { # another data root, as after a boot
    stop_daemon
    DATA_ROOT=$1 instance=$(instance_of "$1")
    reboot_world
}
live_at "$TEST_TMP/copy"
expect_eq "$(dk ps -a --format '{{.Names}}' | sort | tr '\n' ' ')" "busy wrote "
check_all "$TEST_TMP/copy"
dk start busy > /dev/null || fail "what wrote meanwhile does not start"
eventually 5 eval 'dk exec busy grep -qE "^[0-9]+$" /counter'
dk rm -f busy > /dev/null

step "the first one, moved"
mv "$first" "$TEST_TMP/moved"
live_at "$TEST_TMP/moved"
check_all "$TEST_TMP/moved"
dk rm -f wrote > /dev/null
dk volume rm vol > /dev/null
dk network rm own > /dev/null
expect_nothing_left
pass
