#!/bin/bash
# Terminals: raw mode is put back whatever happens, detach keys, sizes, signals handed on or not.
. "$(dirname "$0")/lib.sh"
command -v tmux >/dev/null || skip "tmux is not installed"
command -v dash >/dev/null || skip "dash is not installed" # a shell that leaves the terminal alone
start_daemon
make_busybox_image
mux() { tmux -S "$TEST_TMP/mux" "$@"; }
mux -f /dev/null new-session -d -x 100 -y 30 "env PS1='pane> ' dash" || fail "tmux"
at_end 'tmux -S "$TEST_TMP/mux" kill-server 2>/dev/null'
tty=$(mux display -p '#{pane_tty}')
shell=$(mux display -p '#{pane_pid}')
shows() { mux capture-pane -p | grep -q -- "$1"; }
is_raw() { stty -a -F "$tty" | grep -q -- '-icanon'; }
is_cooked() { stty -a -F "$tty" | grep -q ' icanon' && stty -a -F "$tty" | grep -q ' echo '; }
client() { pgrep -P "$shell" -x corten; }
say() { mux send-keys "$1" Enter; }
begin() { # ARGUMENTS: a shell in a container, on the pane
    mux send-keys "clear; corten $1" Enter
    eventually 10 is_raw
    eventually 10 eval 'shows "/ #"'
}

step "a session: raw, sized, ended"
begin "run -it --rm --name first busybox"
say 'stty size'
eventually 5 eval 'shows "^30 100"'
mux resize-window -x 77 -y 22
eventually 5 eval 'say "stty size"; sleep 0.2; shows "^22 77"'
say 'exit 6'
eventually 5 is_cooked
say 'echo status=$?'
eventually 5 eval 'shows "^status=6"'

step "signals end the client, not the terminal"
for sig in TERM HUP QUIT INT; do
    begin "run -it --rm --name gone-$sig busybox"
    kill -$sig "$(client)"
    eventually 5 eval '! client'
    is_cooked || fail "SIG$sig leaves the terminal raw"
    expect_eq "$(ct inspect -f '{{.State.Running}}' gone-$sig)" true
    ct rm -f gone-$sig >/dev/null
done

step "detach keys, those of the option too; what begins them is handed on"
begin "run -it --name keys busybox"
mux send-keys C-p C-p C-q
eventually 5 eval 'shows "read escape sequence"'
is_cooked || fail "raw after detaching"
expect_eq "$(ct inspect -f '{{.State.Running}}' keys)" true
mux send-keys "clear; corten attach --detach-keys ctrl-x,y keys" Enter
eventually 5 is_raw
mux send-keys C-x z C-x y
eventually 5 eval 'shows "read escape sequence"'
mux send-keys "clear; corten exec -it keys sh" Enter
eventually 5 is_raw
mux send-keys C-p C-q
eventually 5 eval 'shows "read escape sequence"'
is_cooked || fail "raw after detaching from an exec"
expect_fails "invalid detach keys: 'nonsense'" ct attach --detach-keys nonsense keys
ct rm -f keys >/dev/null

step "the daemon dies: the session does not"
begin "run -it --name lasting busybox"
kill_daemon
say 'echo still-$((40 + 2))'
eventually 5 eval 'shows "^still-42"'
spawn_daemon
say 'exit 3'
eventually 5 is_cooked
say 'echo status=$?'
eventually 5 eval 'shows "^status=3"'

step "the container's monitor dies: the terminal is put back"
begin "run -it --name orphan busybox"
pid=$(ct inspect -f '{{.State.Pid}}' orphan)
kill -KILL "$(awk '{print $4}' "/proc/$pid/stat")"
eventually 5 is_cooked
eventually 5 eval '! client'
ct rm -f lasting orphan >/dev/null

step "signals are handed on without a terminal, unless that is not wanted"
"$bin/corten" run --name proxied busybox sh -c 'trap "echo got; exit 5" USR1; echo up; while :; do sleep 0.05; done' >"$TEST_TMP/out" &
pid=$!
eventually 5 eval 'grep -q up "$TEST_TMP/out"'
kill -USR1 $pid
wait $pid
status=$?
expect_eq "$status $(tail -1 "$TEST_TMP/out")" "5 got"
"$bin/corten" run --sig-proxy=false --name alone busybox sh -c 'trap "exit 5" TERM; echo up; while :; do sleep 0.05; done' >"$TEST_TMP/out" &
pid=$!
eventually 5 eval 'grep -q up "$TEST_TMP/out"'
kill -TERM $pid
wait $pid 2>/dev/null
status=$?
expect_eq "$status" 143
expect_eq "$(ct inspect -f '{{.State.Running}}' alone)" true
expect_fails 'the input device is not a TTY' ct exec -it alone sh </dev/null
ct rm -f proxied alone >/dev/null

pass
