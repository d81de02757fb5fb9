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

step "unreachable: every thing that can stand between"
reach() { in_net "$bin/corten" why unreachable "$@"; }
server() { ct run -d --name "$@"; }
expect_match "$(reach seven)" '^seven does not run .exited.$'
server deaf busybox sleep 1000 >/dev/null
expect_match "$(reach deaf)" '^deaf publishes no port, and nothing in it listens$'
expect_match "$(reach deaf 80)" '^nothing in deaf listens on any port$'
server inside -p 8190:80 busybox httpd -f -p 127.0.0.1:80 >/dev/null
server wrong -p 8191:80 busybox httpd -f -p 8080 >/dev/null
server hidden busybox httpd -f -p 80 >/dev/null
server open -p 8192:80 busybox httpd -f -p 80 >/dev/null
server local -p 127.0.0.1:8193:80 busybox httpd -f -p 80 >/dev/null
server alone --network none busybox sleep 1000 >/dev/null
for name in inside wrong hidden open local; do eventually 5 eval "reach $name | grep -q 'listening inside: [0-9]'"; done
expect_match "$(reach inside)" '^inside listens on port 80 of 127.0.0.1 only'
expect_match "$(reach wrong)" '^nothing in wrong listens on port 80/tcp$'
expect_match "$(reach wrong 8191)" '-p HOST_PORT:8080$'
expect_match "$(reach hidden 80)" '^port 80 of hidden is not published'
expect_match "$(reach hidden)" 'corten update --publish-add HOST_PORT:80 hidden$'
expect_match "$(reach open)" '^open is reached: port 80 answers at 127.0.0.1:8192$'
expect_match "$(reach local 80)" '^local is reached, but only from this machine'
expect_match "$(reach alone)" '^alone has no network .--network none.$'
in_net nft -f - <<'END'
table ip strict {
    chain guard {
        type filter hook output priority 10; policy drop;
        ct state established accept
    }
}
END
expect_match "$(reach open)" '^no answer from open at port 80'
expect_match "$(reach open)" 'firewall: chain guard of table ip strict drops'
in_net nft delete table ip strict
ct pause open >/dev/null
expect_match "$(reach open)" '^open is paused'
ct unpause open >/dev/null
expect_match "$(reach open --json)" '^."subject":"unreachable","of":"open","cause":"open is reached'
expect_match "$(reach open:80/tcp)" '^open is reached: port 80 answers at 127.0.0.1:8192$'
expect_fails 'want PORT' ct why unreachable open 80/x
expect_fails 'not a number' ct why unreachable open:http
expect_fails 'names a port, and' ct why unreachable open:80 81
ct rm -f inside wrong hidden open local alone deaf >/dev/null

step "cache: which file it was"
mkdir "$TEST_TMP/ctx"
printf 'FROM busybox\nCOPY one two /\nRUN echo built\n' >"$TEST_TMP/ctx/Dockerfile"
echo 1 >"$TEST_TMP/ctx/one"
echo 2 >"$TEST_TMP/ctx/two"
ct why cache --progress plain -t cached "$TEST_TMP/ctx" >/dev/null 2>&1 || fail "build"
echo 3 >"$TEST_TMP/ctx/two"
expect_match "$(ct why cache --progress plain -t cached "$TEST_TMP/ctx" 2>&1)" 'not cached: .*two'
ct rmi cached >/dev/null

step "disk: the largest first, and what gives it back"
ct volume create heap >/dev/null && dd if=/dev/zero of="$(ct volume inspect -f '{{.Mountpoint}}' heap)/x" bs=1M count=9 status=none
expect_match "$(ct why disk)" '^  volume heap: 9[.0-9]*MB, unused$'
expect_match "$(ct why disk)" '^  corten volume rm heap$'
expect_match "$(ct why disk --json)" '"subject":"disk"'
ct volume rm heap >/dev/null
ct rm -f web base other later >/dev/null
ct rm -f fresh alive shell seven nothing crashed inner stopped struck hit eater >/dev/null
pass
