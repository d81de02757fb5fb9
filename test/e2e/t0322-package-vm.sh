#!/bin/bash
# The Debian packages under a real systemd in a virtual machine: install, restart, limits of the service, upgrade, docker's
# name and socket, purge. CORTEN_FULL only, which makes the packages first (./dev package).
# limit: 1200
. "$(dirname "$0")/lib.sh"
[ -n "${CORTEN_FULL:-}" ] || skip "only in the full run"
packages=$root/.cache/package
[ -n "$(ls "$packages"/corten-docker_*.deb 2> /dev/null)" ] || skip "no packages: ./dev package"
command -v systemctl > /dev/null || [ -x /lib/systemd/systemd ] || skip "no systemd to be started in the machine"
status=0
"$root/test/vm/vmrun.sh" -m 1536 -t 1100 "$root/test/vm/package.sh" "$packages" > "$TEST_TMP/guest" 2>&1 || status=$?
[ $status != 77 ] || skip "$(tail -1 "$TEST_TMP/guest")"
tail -60 "$TEST_TMP/guest"
expect_eq "$status $(grep -c '^all is well$' "$TEST_TMP/guest")" "0 1"
pass
