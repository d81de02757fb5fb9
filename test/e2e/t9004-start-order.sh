#!/bin/bash
# After a boot containers start in the order of what they need: links, volumes-from and a joined network, and not before what
# they need is healthy; one that never is holds nobody for ever: it turns unhealthy, or two minutes have gone (CORTEN_FULL).
# limit: 300
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
always="--restart always"
# shellcheck disable=SC2086
{
    dk run -d --name base $always -v /shared --health-cmd 'test -e /tmp/ready' --health-interval 200ms --health-start-period 30s \
        busybox sh -c 'rm -f /tmp/ready; sleep 0.5; touch /tmp/ready; exec sleep 1000' > /dev/null
    dk run -d --name linked $always --link base:db busybox sh -c 'cat /etc/hosts; exec sleep 1000' > /dev/null
    dk run -d --name joined $always --network container:linked busybox sleep 1000 > /dev/null
    dk run -d --name shares $always --volumes-from base busybox sleep 1000 > /dev/null
    dk run -d --name sick $always --health-cmd false --health-interval 200ms --health-retries 4 busybox sleep 1000 > /dev/null
    dk run -d --name patient $always --link sick busybox sleep 1000 > /dev/null
    n=7
    if [ -n "${CORTEN_FULL:-}" ]; then
        dk run -d --name slow $always --health-cmd false --health-start-period 1h busybox sleep 1000 > /dev/null
        dk run -d --name stuck $always --link slow busybox sleep 1000 > /dev/null
    fi
    dk run -d --name free $always busybox sleep 1000 > /dev/null
}
reboot_world
all_run() { [ "$(dk ps --format '{{.Names}}' | grep -vcE 'slow|stuck')" = $n ]; }
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
# Four checks, 200 ms apart, say that sick is: patient waited for that, and no longer.
expect_eq "$(dk inspect -f '{{.State.Health.Status}} {{.State.Running}}' sick)" "unhealthy true"
[ $((($(started patient) - $(started sick)) / 1000000)) -ge 600 ] || fail "patient did not wait for the verdict on sick"
ip=$(dk inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' base)
expect_match "$(dk exec linked cat /etc/hosts)" "^$ip[[:space:]].*db"
expect_eq "$(dk exec joined readlink /proc/1/ns/net)" "$(dk exec linked readlink /proc/1/ns/net)"
if [ -n "${CORTEN_FULL:-}" ]; then
    expect_eq "$(dk inspect -f '{{.State.Running}}' slow stuck | tr '\n' ' ')" "true false "
    eventually 150 eval '[ "$(dk inspect -f "{{.State.Running}}" stuck)" = true ]'
    [ $((($(started stuck) - $(started slow)) / 1000000000)) -ge 110 ] || fail "stuck did not wait for slow"
    dk rm -f stuck slow > /dev/null
fi
dk rm -fv patient sick free shares joined linked base > /dev/null
expect_nothing_left
pass
