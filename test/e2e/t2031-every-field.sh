#!/bin/bash
# Every documented field of a create call, one at a time: honoured and shown by inspect, discarded with a warning that names
# it, or refused by name; none is dropped in silence.
. "$(dirname "$0")/lib.sh"
command -v python3 > /dev/null || skip "python3 is not installed"
start_daemon
make_busybox_image
TEST_TMP=$TEST_TMP python3 "$here/create-fields.py" "$SOCKET" > fields || { grep '^not ok' fields; fail "$(tail -1 fields)"; }
tail -1 fields
pass
