#!/bin/bash
# What this kernel may lack, on Debian's in a virtual machine: ipvlan, VLANs, dummy interfaces (t3430), sctp (t3130),
# project quota (t4060), NFS (t4080). CORTEN_FULL only: the guest takes ten minutes.
# limit: 1500
. "$(dirname "$0")/lib.sh"
[ -n "${CORTEN_FULL:-}" ] || skip "only in the full run"
status=0
env -u CORTEN_FULL "$root/test/vm/vmrun.sh" -t 1400 "$root/test/vm/network.sh" "$build" "$root" t3430 t3130 t4060 t4080 \
    > "$TEST_TMP/guest" 2>&1 || status=$?
[ $status != 77 ] || skip "$(tail -1 "$TEST_TMP/guest")"
grep -v 'held the loop' "$TEST_TMP/guest" | tail -80
expect_eq "$(grep -c '^GUEST-TEST t[0-9]* 0$' "$TEST_TMP/guest")" 4
pass
