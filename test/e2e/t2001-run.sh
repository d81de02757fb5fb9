#!/bin/bash
# run: exit codes, environment, user, working directory, entrypoint, stdin, read-only, --rm.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

expect_eq "$(dk run --rm busybox echo hello)" "hello"
expect_status 3 dk run --rm busybox sh -c 'exit 3'
expect_status 127 dk run --rm busybox no-such-program
expect_status 126 dk run --rm busybox /etc/passwd
expect_status 125 dk run --rm --memory 1k busybox true
# PID 1 is deaf to its own SIGKILL; a child's death by signal is 128 + 9.
expect_status 0 dk run --rm busybox sh -c 'kill -9 $$'
expect_status 137 dk run --rm busybox sh -c 'sh -c "kill -9 \$\$"; exit $?'

expect_eq "$(dk run --rm -e A=1 -e B=two busybox sh -c 'echo $A-$B')" "1-two"
expect_eq "$(dk run --rm -w /tmp busybox pwd)" "/tmp"
expect_eq "$(dk run --rm -w /made/by/run busybox pwd)" "/made/by/run"
expect_eq "$(dk run --rm -u 1000:1001 busybox sh -c 'id -u; id -g' | tr '\n' ' ')" "1000 1001 "
expect_eq "$(dk run --rm -u root busybox id -u)" "0"
expect_status 125 dk run --rm -u nobody-here busybox true
expect_status 125 dk run --rm -u 4294967296 busybox true
expect_eq "$(dk run --rm --entrypoint echo busybox over)" "over"
expect_eq "$(echo data | dk run --rm -i busybox cat)" "data"
expect_eq "$(dk run --rm busybox sh -c 'echo out; echo err >&2' 2> /dev/null)" "out"
expect_eq "$(dk run --rm busybox sh -c 'echo out; echo err >&2' 2>&1 > /dev/null)" "err"
expect_status 1 dk run --rm --read-only busybox touch /x
expect_eq "$(dk run --rm --read-only --tmpfs /scratch busybox sh -c 'touch /scratch/x && echo ok')" "ok"
expect_eq "$(dk run --rm --hostname box busybox hostname)" "box"
expect_match "$(dk run --rm -t busybox tty)" "/dev/"

# 8 MB through stdin and back, whole.
head -c 8000000 /dev/urandom > "$TEST_TMP/data"
dk run --rm -i busybox cat < "$TEST_TMP/data" | cmp - "$TEST_TMP/data" || fail "stdin and stdout differ"

# --rm leaves nothing; without it the container stays with its code.
expect_eq "$(dk ps -aq)" ""
expect_status 4 dk run --name kept busybox sh -c 'exit 4'
expect_eq "$(dk inspect -f '{{.State.Status}} {{.State.ExitCode}}' kept)" "exited 4"
expect_status 125 dk run --name kept busybox true
dk rm kept > /dev/null

# Isolation from the first day.
expect_eq "$(dk run --rm busybox sh -c 'echo $$')" "1"
expect_match "$(dk run --rm busybox cat /proc/self/status)" "CapInh:	0000000000000000"
expect_match "$(dk run --rm busybox cat /proc/self/status)" "CapEff:	00000000a80425fb"
expect_match "$(dk run --rm busybox cat /proc/self/status)" "Seccomp:	2"
expect_status 1 dk run --rm busybox mount -t tmpfs none /mnt
expect_status 1 dk run --rm busybox sh -c 'echo 1 > /proc/sys/kernel/printk'
for f in kcore keys timer_list sched_debug; do
    [ ! -e /proc/$f ] || expect_eq "$(dk run --rm busybox cat /proc/$f)" ""
done
expect_eq "$(dk run --rm busybox ls /sys/firmware)" ""
expect_match "$(dk run --rm --security-opt no-new-privileges busybox cat /proc/self/status)" "NoNewPrivs:	1"
expect_eq "$(dk run --rm busybox ls /proc/self/fd | tr '\n' ' ')" "0 1 2 3 "
pass
