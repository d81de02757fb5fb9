#!/bin/bash
# A daemon that a manager keeps in a cgroup of its own: monitors and corten-dns are born elsewhere, containers too, so that
# neither the manager's limits nor the end of that cgroup reaches them; who is the first victim when memory is short.
. "$(dirname "$0")/lib.sh"
score() { cat "/proc/$1/oom_score_adj"; }
cgroups_of() { cut -d: -f3 "/proc/$1/cgroup" | sort -u; }
make_net

# The service: memory on v1, and the cgroup2 tree where there is one.
trees=$(awk '($3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/) || $3 == "cgroup2" { print $2 }' /proc/mounts)
service=corten-test-service-$$
for tree in $trees; do
    mkdir "$tree/$service" || skip "no cgroup can be made in $tree"
    at_end "rmdir '$tree/$service'"
    echo $BASHPID > "$tree/$service/cgroup.procs" || skip "$tree/$service cannot be entered"
done
start_daemon
for tree in $trees; do echo $BASHPID > "$tree/cgroup.procs"; done
expect_match "$(cgroups_of "$daemon_pid")" "/$service$"
make_busybox_image
dk network create net > /dev/null
id=$(dk run -d --name box --network net busybox sleep 1000)

step "where they are born"
monitor=$(awk '/^PPid/ { print $2 }' "/proc/$(dk inspect -f '{{.State.Pid}}' box)/status")
expect_eq "$(tr '\0' ' ' < "/proc/$monitor/cmdline")" "corten-monitor $id "
dns=$(for pid in $(our_pids); do [ "$(cat "/proc/$pid/comm")" != corten-dns ] || echo "$pid"; done)
for pid in "$monitor" "$dns"; do
    expect_no_match "$(cgroups_of "$pid")" "$service"
    expect_match "$(cgroups_of "$pid")" "^/$instance/monitors$"
done

step "scores"
if [ "$(score "$daemon_pid")" = -500 ]; then # it takes CAP_SYS_RESOURCE
    expect_eq "$(score "$monitor") $(score "$dns")" "-500 -500"
fi
expect_eq "$(dk exec box cat /proc/1/oom_score_adj /proc/self/oom_score_adj | tr '\n' ' ')" "0 0 "
"$docker" logs -f box > /dev/null & follower=$!
worker() { for pid in $(our_pids); do [ "$(cat "/proc/$pid/comm")" != corten-worker ] || echo "$pid"; done; }
eventually 5 eval '[ -n "$(worker)" ]'
eventually 5 eval '[ "$(score $(worker))" = 0 ]'
expect_match "$(cgroups_of "$(worker)")" "/$service$"
kill $follower

step "the manager's cgroup ends, with all that is in it"
for tree in $trees; do
    for pid in $(cat "$tree/$service/cgroup.procs"); do kill -9 "$pid" 2> /dev/null; done
done
eventually 5 eval '[ ! -e /proc/$daemon_pid ]'
expect_eq "$(cut -d' ' -f2 "/proc/$monitor/stat")" "(corten-monitor)"
spawn_daemon
expect_eq "$(dk exec box echo in)" in
expect_eq "$(dk inspect -f '{{.State.Running}}' box)" true

step "it goes with the last of them"
dk rm -f box > /dev/null
kill "$dns"
eventually 3 eval '[ ! -e /proc/$dns ]'
stop_daemon
expect_eq "$(our_cgroups)" ""
pass
