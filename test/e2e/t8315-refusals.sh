#!/bin/bash
# What goes wrong has one clear line and the right exit status; programs of others as commands.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
ct run -d --name web busybox sh -c 'while :; do echo beat; sleep 0.1; done' >/dev/null
# The status, and the lines on stderr.
refused() { # STATUS REGEX COMMAND…: one line that says it, perhaps one that says what to do, how to get help
    local status=$1 regex=$2
    shift 2
    "$@" >"$TEST_TMP/out" 2>"$TEST_TMP/err" </dev/null
    expect_eq "$? $*" "$status $*"
    expect_match "$(head -1 "$TEST_TMP/err")" "$regex"
    grep -q . "$TEST_TMP/out" && fail "$*: words on stdout: $(head -1 "$TEST_TMP/out")"
    [ "$(grep -vc '^$\|^Usage:  \|^Run ' "$TEST_TMP/err")" -le 2 ] || fail "$*: $(cat "$TEST_TMP/err")"
}

step "flags, arguments, words"
for c in ps run exec images "volume ls" "system df" build top logs "context create" why\ dead; do
    refused 125 '^corten: unknown flag: --nope$' ct $c --nope
done
refused 125 "^corten: invalid argument \"x\" for \"-n, --last\" flag" ct ps -n x
refused 125 "^corten: flag needs an argument: --format$" ct ps --format
refused 125 "^corten: unknown shorthand flag: 'Z' in -Z$" ct ps -Z
refused 1 "^corten: 'corten start' requires at least 1 argument$" ct start
refused 1 "^corten: 'corten rename' requires 2 arguments$" ct rename web
refused 1 "^corten: 'corten ps' accepts no arguments$" ct ps web
refused 1 '^corten: unknown command: corten psx$' ct psx
refused 1 '^corten: unknown command: corten volume lx$' ct volume lx
refused 1 "^corten: 'swarm' is not supported: there is no Swarm mode$" ct swarm init
refused 125 '^corten: unknown flag: --nope$' ct --nope ps

step "templates"
refused 1 '^corten: failed to parse template: template: :1:2: unclosed action$' ct ps --format '{{.Names'
refused 1 '^corten: failed to parse template: template: :1:2: function "nope" not defined$' ct images --format '{{nope .ID}}'
refused 1 "template: :1:2: executing .* at <\.Nope>: can't evaluate field Nope in type" ct ps --format '{{.Nope}}'
refused 64 '^corten: template parsing error: template: :1:2: unclosed action$' ct inspect -f '{{.Id' web
refused 1 '^corten: template parsing error: template: :1:2: executing "" at <\.Nope>: ' ct inspect -f '{{.Nope}}' web
refused 64 '^corten: template parsing error' ct version -f '{{end}}'
refused 64 '^corten: template parsing error' ct info -f '{{if}}'

step "no daemon: a socket, a port, ssh"
refused 1 "^Cannot connect to the Docker daemon at unix:///nowhere\. Is the docker daemon running\?$" ct -H unix:///nowhere ps
refused 1 "^Cannot connect to the Docker daemon at tcp://127\.0\.0\.1:1\. Is the docker daemon running\?$" ct -H tcp://127.0.0.1:1 ps
refused 125 "^Cannot connect to the Docker daemon at unix:///nowhere" ct -H unix:///nowhere run busybox true
refused 1 "^host 'ftp://x': want unix:// or tcp://" ct -H ftp://x ps
printf '#!/bin/sh\necho "ssh: no route" >&2; exit 255\n' >"$TEST_TMP/bin/ssh" && chmod +x "$TEST_TMP/bin/ssh"
ct -H ssh://far ps >/dev/null 2>"$TEST_TMP/err" && fail "ssh that fails"
expect_match "$(cat "$TEST_TMP/err")" '^ssh: no route$'
rm "$TEST_TMP/bin/ssh"

step "no permission"
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/ DOCKER_CONFIG=/nowhere)
refused 1 '^permission denied while trying to connect to the Docker daemon socket at unix://' "${nobody[@]}" "$bin/corten" ps
refused 125 '^permission denied while trying to connect' "${nobody[@]}" "$bin/corten" run busybox true

step "nobody reads: 141, as if the signal had ended it; other failures keep their status"
closed() { perl -e 'pipe R, W; close R; open STDOUT, ">&W"; close W; exec @ARGV' "$bin/corten" "$@"; }
for c in "ps -a" images version --help "help run" "inspect web" "save busybox" "export web" "cp web:/etc -" "run --rm busybox echo x" \
    "exec web echo x" "logs web" "logs -f web" "attach web" "events --since 1h --until 0s" "top web" top "stats --no-stream" \
    "history busybox" "system df" "volume ls" "network inspect bridge" "completion bash" "create busybox" "why disk" "builder ls"; do
    refused 141 ': (Broken pipe)$' closed $c
done
refused 1 'No such container: nope$' closed rm nope
refused 127 'not found|no such file' closed run --rm busybox /no/such
[ -z "$(closed run --rm busybox true 2>&1)" ] || fail "a silent container with a closed pipe"

step "a full disk, a closed descriptor"
if [ -c /dev/full ]; then
    "$bin/corten" ps -a >/dev/full 2>"$TEST_TMP/err"
    expect_eq "$? $(cat "$TEST_TMP/err")" "1 corten: write to standard output: No space left on device"
    "$bin/corten" save busybox >/dev/full 2>"$TEST_TMP/err"
    expect_eq "$? $(cat "$TEST_TMP/err")" "1 corten: write: No space left on device"
fi

step "programs named corten-WORD and docker-WORD are commands"
mkdir -p "$DOCKER_CONFIG/cli-plugins" "$TEST_TMP/more"
program() { # PATH WORDS
    printf '#!/bin/sh\n[ "$1" = docker-cli-plugin-metadata ] && { echo %s; exit 0; }\necho "%s $* $DOCKER_HOST"\nexit 5\n' \
        "'{\"SchemaVersion\":\"0.1.0\",\"Vendor\":\"us\",\"Version\":\"1\",\"ShortDescription\":\"x\",\"hooks\":[\"ps\"]}'" "$2" >"$1"
    chmod +x "$1"
}
program "$DOCKER_CONFIG/cli-plugins/docker-hello" one
expect_status 5 ct hello a --flag b
expect_eq "$output" "one hello a --flag b $CORTEN_HOST"
expect_status 5 dk hello a --flag b
expect_match "$output" '^one hello a --flag b'
program "$DOCKER_CONFIG/cli-plugins/corten-hello" two
expect_status 5 ct hello
expect_match "$output" '^two hello '
program "$TEST_TMP/more/docker-far" three
refused 1 'unknown command: corten far$' ct far
printf '{"cliPluginsExtraDirs":["%s"],"plugins":{"far":{"hooks":"ps"}}}' "$TEST_TMP/more" >"$DOCKER_CONFIG/config.json"
expect_status 5 ct far x
expect_match "$output" '^three far x '
# A command of ours is not taken over, whatever its hooks say, and a word with a slash is no program.
program "$DOCKER_CONFIG/cli-plugins/docker-ps" evil
expect_eq "$(ct ps --format '{{.Names}}')" web
refused 1 'unknown command' ct ../more/docker-far
chmod -x "$DOCKER_CONFIG/cli-plugins/docker-hello" "$DOCKER_CONFIG/cli-plugins/corten-hello"
refused 1 'unknown command: corten hello$' ct hello
ct rm -f web >/dev/null

step "copying tells a terminal what came of it, and how far it is"
if command -v script >/dev/null; then
    ct create --name box busybox >/dev/null
    head -c 3000 /dev/zero >"$TEST_TMP/three"
    on_terminal() { script -qec "$*" /dev/null | tr -d '\r'; }
    expect_match "$(on_terminal "$bin/corten" cp "$TEST_TMP/three" box:/tmp/three)" 'Successfully copied [0-9.]+kB to box:/tmp/three$'
    expect_match "$(on_terminal "$bin/corten" cp box:/tmp/three "$TEST_TMP/back")" "Successfully copied [0-9.]+kB to $TEST_TMP/back\$"
    expect_eq "$(on_terminal "$bin/corten" cp -q "$TEST_TMP/three" box:/tmp)" ""
    expect_eq "$(ct cp "$TEST_TMP/three" box:/tmp 2>&1)" ""
    head -c 800000 /dev/zero >"$TEST_TMP/slow"
    slow="tar -C $TEST_TMP -c slow | perl -e '\$| = 1; while (read STDIN, \$b, 100000) { print \$b; select undef, undef, undef, 0.25 }'"
    expect_match "$(on_terminal "$slow | $bin/corten cp - box:/tmp")" 'Copying to container - [0-9.]+kB'
    ct run -d --name slow busybox sh -c 'trap "" TERM; sleep 1000' >/dev/null
    expect_match "$(on_terminal "$bin/corten" stop -t 2 slow | tr '\033' '\n')" '^stop: 1 s$'
fi
pass
