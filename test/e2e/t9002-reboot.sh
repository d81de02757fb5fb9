#!/bin/bash
# A start as after a reboot: run root wiped, no monitors. Containers are exited; names, images and volumes stay; restart
# policies act.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

dk run -d --name plain -v keep:/k busybox sh -c 'echo v > /k/f; sleep 1000' > /dev/null
dk run -d --name always --restart always busybox sleep 1000 > /dev/null
dk run -d --name unless --restart unless-stopped busybox sleep 1000 > /dev/null
dk run -d --name stopped --restart unless-stopped busybox sleep 1000 > /dev/null
dk run -d --rm --name fleeting busybox sleep 1000 > /dev/null
sleep 0.3
dk stop -t 0 stopped > /dev/null

kill_daemon
kill_containers
rm -rf "$RUN_ROOT"
restart_daemon

sleep 1
expect_eq "$(dk inspect -f '{{.State.Status}} {{.State.ExitCode}}' plain)" "exited 255"
expect_eq "$(dk inspect -f '{{.State.Running}}' always)" "true"
expect_eq "$(dk inspect -f '{{.State.Running}}' unless)" "true"
expect_eq "$(dk inspect -f '{{.State.Running}}' stopped)" "false"
expect_status 1 dk inspect fleeting
expect_eq "$(dk run --rm -v keep:/k busybox cat /k/f)" "v"
dk start plain > /dev/null
expect_eq "$(dk inspect -f '{{.State.Running}}' plain)" "true"
dk rm -f $(dk ps -aq) > /dev/null
expect_nothing_left

# on-failure gives up after its count; always comes back after a crash.
dk run -d --name tries --restart on-failure:2 busybox sh -c 'exit 1' > /dev/null
sleep 3
expect_eq "$(dk inspect -f '{{.RestartCount}} {{.State.Status}}' tries)" "2 exited"
pass
