#!/bin/bash
# Every network test with bridge-nf-call-iptables 0 and with 1 (CORTEN_FULL; t3600 has both in each run).
# limit: 1800
. "$(dirname "$0")/lib.sh"
make_net
[ -e /proc/sys/net/bridge ] || skip "this kernel has no br_netfilter"
usual=$(in_net cat /proc/sys/net/bridge/bridge-nf-call-iptables)
if [ -z "${CORTEN_FULL:-}" ]; then
    # The tests of this run had one; one of them with the other.
    CORTEN_BRIDGE_NF=$((1 - usual)) bash "$here/t3120-republish.sh" > "$TEST_TMP/out" 2>&1 || fail "$(cat "$TEST_TMP/out")"
    pass
fi
unset CORTEN_FULL
for mode in 0 1; do
    for test in "$here"/t3[0-57-9][0-9][0-9]-*.sh "$here"/t361*.sh; do
        case $test in *-bridge-nf.sh | *-vm-*) continue ;; esac
        status=0
        CORTEN_BRIDGE_NF=$mode bash "$test" > "$TEST_TMP/out" 2>&1 || status=$?
        case $status in
        0) step "mode $mode: ${test##*/}" ;;
        77) step "mode $mode: ${test##*/}: $(tail -1 "$TEST_TMP/out")" ;;
        *) fail "mode $mode: $test: $(cat "$TEST_TMP/out")" ;;
        esac
    done
done
pass
