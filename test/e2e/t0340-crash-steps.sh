#!/bin/bash
# kill -9 of the daemon at a step of an operation, then the next daemon: what was told is true, and the facts
# are the kernel's. A full run takes every step of every operation.
# limit: 1800
. "$(dirname "$0")/lib.sh"
for program in strace python3 nft; do
    command -v $program > /dev/null || skip "$program is not installed"
done
start_daemon
make_busybox_image
stop_daemon
rounds=14
[ -n "${CORTEN_FULL-}" ] && rounds=0
SOCKET=$SOCKET DATA_ROOT=$DATA_ROOT RUN_ROOT=$RUN_ROOT TEST_TMP=$TEST_TMP net_pid=$net_pid instance=$instance bin=$bin \
    python3 "$here/steps.py" kill $rounds 2>&1 || fail "a crash is not survived"
spawn_daemon
expect_match "$(ct system check 2>&1)" 'all is well'
expect_nothing_left
pass
