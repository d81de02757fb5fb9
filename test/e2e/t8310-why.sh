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

step "name: on the wrong network, not running, not there, nearly there"
ct network create back >/dev/null
ct run -d --name web --network back busybox sleep 1000 >/dev/null
ct run -d --name base --network back --network-alias store busybox sleep 1000 >/dev/null
ct run -d --name other busybox sleep 1000 >/dev/null
ct create --name later --network back busybox true >/dev/null
expect_match "$(ct why name web base)" "^'base' should be found from web: both run on network 'back'$"
expect_match "$(ct why name web other)" '^web and other share no network$'
expect_match "$(ct why name alive other)" "^alive and other share only 'bridge', where containers have no names$"
expect_match "$(ct why name web later)" '^later does not run'
expect_match "$(ct why name web bse)" "^there is no container 'bse'; is 'base' meant\?$"
expect_match "$(ct why name other store)" "^'store' is another name of base, but on network 'back'"
expect_match "$(ct why name web www.example.com)" "^'www.example.com' is no container: the name servers of web"
ct network connect --alias store back other && expect_match "$(ct why name other base)" '^.base. should be found'

step "disk: the largest first, and what gives it back"
ct volume create heap >/dev/null && dd if=/dev/zero of="$(ct volume inspect -f '{{.Mountpoint}}' heap)/x" bs=1M count=9 status=none
expect_match "$(ct why disk)" '^  volume heap: 9[.0-9]*MB, unused$'
expect_match "$(ct why disk)" '^  corten volume rm heap$'
expect_match "$(ct why disk --json)" '"subject":"disk"'
ct volume rm heap >/dev/null
ct rm -f web base other later >/dev/null
ct rm -f fresh alive shell seven nothing crashed inner stopped struck hit eater >/dev/null
pass
