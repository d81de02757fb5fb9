# Read by a script in the guest with its arguments: runs that script again, with "inside" as its second argument, under a real
# systemd that is the first process of a pid namespace. Exit 0: it has printed "all is well". $limit: seconds, 200.
# shellcheck shell=bash
mkdir -p /run/systemd/system
cat >/run/systemd/system/corten-test.service <<UNIT
[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
TimeoutStartSec=${limit:=200}
StandardOutput=file:/run/told
StandardError=inherit
ExecStart=/bin/bash $(readlink -f "$0") $1 inside
UNIT
: >/run/told
stdbuf -o0 tail -f /run/told & # what it says when it does not come to the end
timeout $((limit + 50)) unshare --pid --fork --mount --mount-proc env -i container=corten SYSTEMD_COLORS=0 PATH="$PATH" \
    /lib/systemd/systemd --system --unit=corten-test.service --log-level=err --show-status=false >/dev/null 2>&1
sleep 1
grep -q '^all is well$' /run/told
exit
