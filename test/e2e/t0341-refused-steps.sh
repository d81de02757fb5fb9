#!/bin/bash
# A system call of the daemon that fails (I/O error, full disk, no descriptors) at a step of an operation: a clear
# error, the daemon lives, facts and kernel agree, and the next try works. A full run takes every step.
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
    python3 "$here/steps.py" EIO,ENOSPC,EMFILE $rounds 2>&1 || fail "a refusal of the kernel is not survived"
spawn_daemon
eventually 5 eval '[ -z "$(ls -A "$DATA_ROOT/image/ingest")" ]'
expect_match "$(ct system check 2>&1)" 'all is well'
expect_nothing_left
pass
