#!/bin/bash
# After a boot containers start in the order of what they need: links, volumes-from and a joined network, and not before what
# they need is healthy; one that never is holds nobody for ever.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
always="--restart always"
# shellcheck disable=SC2086
{
    dk run -d --name base $always -v /shared --health-cmd 'test -e /tmp/ready' --health-interval 200ms --health-start-period 30s \
        busybox sh -c 'rm -f /tmp/ready; sleep 1; touch /tmp/ready; exec sleep 1000' > /dev/null
    dk run -d --name linked $always --link base:db busybox sh -c 'cat /etc/hosts; exec sleep 1000' > /dev/null
    dk run -d --name joined $always --network container:linked busybox sleep 1000 > /dev/null
    dk run -d --name shares $always --volumes-from base busybox sleep 1000 > /dev/null
    dk run -d --name free $always busybox sleep 1000 > /dev/null
}
reboot_world
all_run() { [ "$(dk ps -q | wc -l)" = 5 ]; }
eventually 20 all_run
started() { date -d "$(dk inspect -f '{{.State.StartedAt}}' "$1")" +%s%N; }
base=$(started base)
healthy=$(date -d "$(dk inspect -f '{{range .State.Health.Log}}{{if eq .ExitCode 0}}{{.End.Format "2006-01-02T15:04:05.999999999Z07:00"}} {{end}}{{end}}' base | cut -d' ' -f1)" +%s%N)
expect_eq "$(dk inspect -f '{{.State.Health.Status}}' base)" healthy
for name in linked shares; do
    [ "$(started $name)" -gt "$base" ] || fail "$name started before what it needs"
    [ "$(started $name)" -ge "$healthy" ] || fail "$name started before what it needs was healthy"
done
[ "$(started joined)" -gt "$(started linked)" ] || fail "joined started before whose network it has"
[ "$(started free)" -lt "$healthy" ] || fail "who needs nobody waited"
ip=$(dk inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' base)
expect_match "$(dk exec linked cat /etc/hosts)" "^$ip[[:space:]].*db"
expect_eq "$(dk exec joined readlink /proc/1/ns/net)" "$(dk exec linked readlink /proc/1/ns/net)"
dk rm -fv free shares joined linked base > /dev/null
expect_nothing_left
pass
