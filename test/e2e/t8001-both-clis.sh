#!/bin/bash
# The same command lines with the stock docker CLI and with corten: the same output, the same exit status.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

# Both speak the version that the stock client speaks.
api=$(dk version -f '{{.Client.APIVersion}}')
own() { DOCKER_API_VERSION=$api ct "$@"; }
same() { # ARGS...: both print the same and end alike
    local a b ca cb
    a=$(dk "$@" 2> /dev/null < /dev/null); ca=$?
    b=$(own "$@" 2> /dev/null < /dev/null); cb=$?
    [ "$ca" = "$cb" ] || fail "$*: docker ends with $ca, corten with $cb"
    [ "$a" = "$b" ] || fail "$*: docker says '$a', corten '$b'"
}
alike() { # as same, but only the number of lines counts (ids and times differ)
    local a b ca cb
    a=$(dk "$@" 2> /dev/null < /dev/null | wc -l); ca=${PIPESTATUS[0]}
    b=$(own "$@" 2> /dev/null < /dev/null | wc -l); cb=${PIPESTATUS[0]}
    [ "$a $ca" = "$b $cb" ] || fail "$*: docker $a lines, $ca; corten $b lines, $cb"
}

same run --rm busybox echo hello
same run --rm busybox sh -c 'exit 5'
same run --rm busybox no-such-program
same run --rm busybox /etc/passwd
same run --rm --memory 1k busybox true
same run --rm -e A=1 -w /tmp -u 7:8 busybox sh -c 'echo $A $(pwd) $(id -u) $(id -g)'
same run --rm --entrypoint echo busybox x y
same run --rm --read-only busybox touch /x
same run --rm --network none busybox sh -c 'ls /sys/class/net'
same run --rm -v "$TEST_TMP:/host:ro" busybox touch /host/f
same run --rm --restart always busybox true
same run --rm --gpus all busybox true

dk run -d --name web --label a=b busybox sh -c 'echo line; sleep 1000' > /dev/null
sleep 0.3
same ps -q
same ps -q --no-trunc
same ps -q --filter label=a=b
same ps -q --filter nonsense=1
alike ps
alike images
same images -q
alike history busybox
same logs web
same logs --tail 0 web
same exec web echo from-exec
same exec web sh -c 'exit 9'
same exec nobody true
same exec -u 5 -e X=y web sh -c 'echo $X $(id -u)'
same inspect web
same inspect busybox
same inspect --type image web
same rm nobody
same rm -f nobody
same network ls --nonsense

# What changes things is done by each in turn, from the same state.
changes() {
    local cli=$1 c
    while read -r c; do
        echo "\$ $c"
        # shellcheck disable=SC2086
        $cli $c 2> /dev/null < /dev/null
        echo "= $?"
    done << 'LIST'
tag busybox other:1
rmi other:1
rmi other:1
pause web
exec web true
unpause web
restart -t 0 web
kill web
wait web
kill web
start web
start web
stop -t 0 web
stop -t 0 web
rename web site
rename web site
rename site web
start web
rm web
volume create kept
volume ls
volume rm kept
volume rm kept
LIST
}
changes dk > "$TEST_TMP/changes.dk"
changes ct > "$TEST_TMP/changes.ct"
diff -U4 "$TEST_TMP/changes.dk" "$TEST_TMP/changes.ct" || fail "the two command lines differ"

for cli in dk ct; do
    expect_eq "$(echo data | $cli run --rm -i busybox cat)" "data"
    expect_eq "$($cli save busybox | tar -t | grep -c '^manifest.json$')" "1"
    $cli save -o "$TEST_TMP/$cli.tar" busybox
    expect_match "$($cli load -i "$TEST_TMP/$cli.tar")" "Loaded image: busybox:latest"
    id=$($cli create busybox sh -c 'echo created; exit 6')
    expect_eq "$($cli start -a "$id"; echo $?)" "created
6"
    $cli rm "$id" > /dev/null
done
cmp "$TEST_TMP/dk.tar" "$TEST_TMP/ct.tar" || fail "archives differ"
expect_status 1 ct no-such-command
expect_status 125 ct ps --no-such-flag
expect_match "$(ct rnu 2>&1)" "Did you mean 'corten run'"
expect_status 1 env CORTEN_HOST=unix:///nowhere.sock corten ps
dk rm -f web > /dev/null
expect_nothing_left
pass
