#!/bin/bash
# `corten top` without a container: columns, pressure and health, sorting, filter, graphs, logs, a shell; on a terminal.
. "$(dirname "$0")/lib.sh"
command -v tmux >/dev/null || skip "tmux is not installed"
command -v dash >/dev/null || skip "dash is not installed" # a shell that leaves the terminal alone
start_daemon
make_busybox_image
ct run -d --name alpha busybox sh -c 'echo beat; sleep 1000' >/dev/null
ct run -d --name omega busybox sh -c 'while :; do :; done' >/dev/null
ct run -d --name sick --health-cmd false --health-interval 1s --health-retries 1 busybox sleep 1000 >/dev/null
eventually 10 eval 'ct ps | grep -q "(unhealthy)"'

step "once, as a table and as objects"
expect_eq "$(ct top | head -1 | tr -s ' ')" "NAME CPU % MEM MEM % NET I/O BLOCK I/O PIDS PRESSURE HEALTH STATUS"
expect_match "$(ct top)" '^sick .* unhealthy +Up'
expect_eq "$(ct top --json | perl -ne 'print "$1 " if /"name":"(\w+)".*"health":"unhealthy"/')" "sick "
keys='[^"]*"id":"[0-9a-f]{64}","name":"alpha","cpu_percent":[0-9.e-]+,"memory":[0-9]+,"memory_limit":[0-9]+,"net_rx":[0-9]+,"net_tx":[0-9]+,"block_read":[0-9]+,"block_written":[0-9]+,"pids":1,"pressure":\{"cpu":[^,]+,"memory":[^,]+,"io":[^,]+\},"health":null,"status":"Up [^"]*"'
expect_match "$(ct top --json)" "^$keys\}$"

step "pressure: the kernel's numbers, or that it has none"
pid=$(ct inspect -f '{{.State.Pid}}' omega)
told=
for dir in /sys/fs/cgroup /sys/fs/cgroup/unified; do
    cat "$dir$(sed -n 's/^0:://p' "/proc/$pid/cgroup")/cpu.pressure" >/dev/null 2>&1 && told=1
done
api GET "/containers/omega/stats?stream=false&one-shot=1"
if [ -n "$told" ]; then
    expect_match "$output" '"pressure_stats":\{"cpu":\{"some":\{"avg10":[0-9.]+,"avg60":[0-9.]+,"avg300":[0-9.]+,"total":[0-9]+\},"full":'
    expect_no_match "$(ct top --json)" '"cpu":null'
else
    expect_no_match "$output" pressure_stats
    expect_match "$(ct top --json)" '"cpu":null,"memory":null,"io":null'
fi

mux() { tmux -S "$TEST_TMP/mux" "$@"; }
mux -f /dev/null new-session -d -x 120 -y 30 "env PS1='pane> ' LC_ALL=C.UTF-8 dash" || fail "tmux"
at_end 'tmux -S "$TEST_TMP/mux" kill-server 2>/dev/null'
screen() { mux capture-pane -p; }
shows() { screen | grep -q -- "$1"; }
# The names of the list, from top to bottom.
order() { screen | sed -n 's/^>\{0,1\}\(alpha\|omega\|sick\) .*/\1/p' | tr '\n' ' '; }
key() { mux send-keys "$@"; }
key "corten top" Enter
eventually 10 shows "^3 containers"

step "sorting: by name, by health, by CPU, reversed"
key a
eventually 5 eval '[ "$(order)" = "alpha omega sick " ]'
key r
eventually 5 eval '[ "$(order)" = "sick omega alpha " ]'
key r
key h
eventually 5 eval '[ "$(order)" = "sick alpha omega " ]'
key c
eventually 5 eval '[ "$(order | cut -d" " -f1)" = omega ]'
shows ', 1 unhealthy' || fail "the title does not count the sick"
if [ -n "$told" ]; then
    key u
    eventually 15 eval 'shows "^omega .* [0-9.]* cpu "'
else
    shows 'no pressure: this kernel does not tell' || fail "nothing said about pressure"
fi

step "a wide terminal has room for the trend"
mux resize-window -x 150
eventually 5 shows 'CPU TREND'
mux resize-window -x 120

step "a filter: by name, by health"
key a
key / 
key om Enter
eventually 5 eval '[ "$(order)" = "omega " ]'
key / BSpace BSpace
key unhealthy Enter
eventually 5 eval '[ "$(order)" = "sick " ]'
key /
for _ in 1 2 3 4 5 6 7 8 9; do key BSpace; done
key Enter
eventually 5 eval '[ "$(order)" = "alpha omega sick " ]'

step "graphs of the one that is chosen: all five, moving on, other keys of the list asleep"
key j s
eventually 5 eval 'shows "^omega  Up"'
for title in CPU MEMORY NET DISK PRESSURE; do
    shows "^$title " || fail "no graph $title"
done
eventually 5 eval 'shows "█"'
key j
eventually 5 eval 'shows "^sick  Up"'
key m
key s
eventually 5 eval '[ "$(order)" = "alpha omega sick " ]'

step "logs, processes and a shell of the chosen one"
key k k
key l
eventually 5 shows '^beat'
eventually 5 shows 'any key'
key x
eventually 5 shows '^3 containers'
key t
eventually 5 shows 'sleep 1000'
key x
eventually 5 shows '^3 containers'
key e
eventually 5 shows '/ #'
key 'exit' Enter
eventually 5 shows '^3 containers'

step "a container that goes is gone; q ends"
ct rm -f sick >/dev/null
eventually 5 shows '^2 containers'
key q
eventually 5 shows 'pane>'
pass
