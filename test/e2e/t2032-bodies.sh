#!/bin/bash
# Every field of the bodies of update, exec, network and volume calls, one at a time: honoured, discarded with a warning that
# names it, or refused by name; none is dropped in silence.
. "$(dirname "$0")/lib.sh"
command -v python3 > /dev/null || skip "python3 is not installed"
start_daemon
make_busybox_image
python3 "$here/body-fields.py" "$SOCKET" > fields 2>&1 || { grep '^not ok' fields; fail "$(tail -1 fields)"; }
tail -1 fields
[ -z "${CORTEN_FIELDS_OUT:-}" ] || cp fields "$CORTEN_FIELDS_OUT"
pass
