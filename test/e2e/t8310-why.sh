#!/bin/bash
# `corten why`: each subject names the cause that was made, not only some words.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

step "dead: every way to end"
ct create --name fresh busybox true >/dev/null
expect_match "$(ct why dead fresh)" '^fresh was created, and never started$'
ct run -d --name alive busybox sleep 1000 >/dev/null
expect_match "$(ct why dead alive)" '^alive is not dead: it is running'
ct run -d --name shell busybox >/dev/null
ct run --name seven busybox sh -c 'echo last words >&2; exit 7' 2>/dev/null
ct run --name nothing busybox no-such-program 2>/dev/null
ct run --init --name crashed busybox sh -c 'kill -SEGV $$' 2>/dev/null
ct run --name inner busybox sh -c 'no-such-thing' 2>/dev/null
ct run -d --name stopped --restart always busybox sleep 1000 >/dev/null
ct stop -t 0 stopped >/dev/null
ct run -d --name struck busybox sleep 1000 >/dev/null
ct kill -s KILL struck >/dev/null
ct run -d --name hit busybox sleep 1000 >/dev/null
kill -KILL "$(ct inspect -f '{{.State.Pid}}' hit)"
ct wait hit shell >/dev/null
expect_match "$(ct why dead shell)" 'a shell without input has nothing to do$'
expect_match "$(ct why dead seven)" "^seven has ended because 'sh' failed with status 7$"
expect_match "$(ct why dead seven)" 'log: last words$'
expect_match "$(ct why dead nothing)" '^nothing could not be started: .*no-such-program'
expect_match "$(ct why dead crashed)" '^crashed crashed: .*SIGSEGV'
expect_match "$(ct why dead inner)" 'status 127: a command that .sh. called was not found$'
expect_match "$(ct why dead stopped)" '^stopped was stopped by a command'
expect_match "$(ct why dead stopped)" "does not start what was stopped by a command"
expect_match "$(ct why dead struck)" '^struck was sent signal .* by a command'
expect_match "$(ct why dead hit)" '^hit was killed .SIGKILL., and not by a command'
ct run --name eater -m 8m --memory-swap 8m busybox sh -c 'x=a; while :; do x=$x$x$x; done' 2>/dev/null
[ "$(ct inspect -f '{{.State.OOMKilled}}' eater)" != true ] || {
    expect_match "$(ct why dead eater)" '^eater was out of memory: .* limit of 8MiB'
    expect_match "$(ct why dead eater)" 'update -m 16m eater'
}
expect_eq "$(ct why dead --json fresh)" '{"subject":"dead","of":"fresh","cause":"fresh was created, and never started","facts":[],"next":["corten start fresh"]}'
expect_fails 'No such container: nobody' ct why dead nobody
ct rm -f fresh alive shell seven nothing crashed inner stopped struck hit eater >/dev/null
pass
