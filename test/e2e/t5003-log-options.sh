#!/bin/bash
# Log drivers and options: attributes as the peer writes them, bounds, what is missing, refusals; attach with the log first.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
log_of() { cat "$DATA_ROOT"/container/"$(dk inspect -f '{{.Id}}' "$1")"/*-json.log; }

step "labels, env and tag are in every record, and logs --details shows them"
dk run --name attrs --label app=web --label com.x.tier=1 -e MODE=fast -e SECRET=no --log-opt labels=app \
    --log-opt labels-regex='^com\.' --log-opt env=MODE --log-opt tag='{{.ImageName}}/{{.Name}}/{{.ID}}' busybox \
    sh -c 'echo out; echo err >&2' > /dev/null 2>&1
id=$(dk inspect -f '{{.Id}}' attrs)
want="\"attrs\":{\"MODE\":\"fast\",\"app\":\"web\",\"com.x.tier\":\"1\",\"tag\":\"busybox/attrs/${id:0:12}\"},\"time\":\"20"
expect_eq "$(log_of attrs | grep -cF "$want")" 2
expect_match "$(log_of attrs)" '^\{"log":"out\\n","stream":"stdout","attrs"'
expect_eq "$(dk logs --details attrs 2> /dev/null)" "MODE=fast,app=web,com.x.tier=1,tag=busybox%2Fattrs%2F${id:0:12} out"
expect_eq "$(dk logs attrs 2> /dev/null)" "out"
dk rm attrs > /dev/null

step "bounds: by default, given, and what rotation removed"
dk run --name bound busybox true
expect_eq "$(dk inspect -f '{{.HostConfig.LogConfig.Type}} {{index .HostConfig.LogConfig.Config "max-size"}} {{index .HostConfig.LogConfig.Config "max-file"}}' bound)" "json-file 100m 10"
dk rm bound > /dev/null
dk run --name rot --log-opt max-size=10k --log-opt max-file=3 busybox seq 1 5000 > /dev/null
[ "$(ls "$DATA_ROOT"/container/*/*-json.log* | wc -l)" = 3 ] || fail "not three files"
removed=$(dk inspect rot | sed -n 's/.*"RemovedBytes": \([0-9]*\).*/\1/p')
expect_match "$(dk logs rot 2>&1 > /dev/null)" "^corten: rotation has removed [0-9]* older files of this log, $removed bytes"
expect_eq "$(dk logs --tail 3 rot 2>&1)" "4998
4999
5000"
expect_eq "$(dk logs rot 2> /dev/null | tail -1)" 5000
restart_daemon
expect_match "$(dk inspect rot)" "\"RemovedBytes\": $removed"
dk rm rot > /dev/null

step "non-blocking: the container does not wait"
dk run --name nb --log-opt mode=non-blocking --log-opt max-buffer-size=64k busybox seq 1 200000 > /dev/null
lines=$(dk logs nb 2> /dev/null | wc -l)
dropped=$(dk inspect nb | sed -n 's/.*"DroppedRecords": \([0-9]*\).*/\1/p')
expect_eq $((lines + ${dropped:-0})) 200000
dk rm nb > /dev/null

step "local: the peer's bounds, and no path that is told"
dk run --name loc --log-driver local busybox seq 3 > /dev/null
expect_eq "$(dk inspect -f '{{json .HostConfig.LogConfig}} {{.LogPath}}|' loc)" '{"Type":"local","Config":{"max-file":"5","max-size":"20m"}} |'
expect_eq "$(dk logs --tail 2 loc)" "2
3"
dk run --name small --log-driver local --log-opt max-size=20k --log-opt max-file=2 busybox seq 1 5000 > /dev/null
expect_eq "$(dk logs small 2> /dev/null | tail -1)" 5000
[ "$(dk logs small 2> /dev/null | wc -l)" -lt 2000 ] || fail "local is not bounded"
dk rm loc small > /dev/null
expect_fails "unknown log opt 'labels' for local log driver" dk run --rm --log-driver local --log-opt labels=a busybox true

step "compress: rotated files are gzip that everybody reads, and logs reads them back in all forms"
for driver in json-file local; do
    dk run -d --name gz --log-driver $driver --log-opt compress=true --log-opt max-size=200k --log-opt max-file=4 busybox \
        sh -c 'seq 1000001 1008000 | sed "s/^1/first /"; sleep 1; seq 1000001 1002000 | sed "s/^1/second /"; exec sleep 1000' > /dev/null
    # shellcheck disable=SC2016 # expands in the child
    eventually 20 bash -c '[ "$("$1" logs --tail 1 gz)" = "second 002000" ]' - "$docker"
    # shellcheck disable=SC2016 # expands in the child
    eventually 20 bash -c '[ "$(ls "$1"/container/"$2"*/*-json.log.?.gz | wc -l)" = 3 ] &&
        [ ! -e "$(echo "$1"/container/"$2"*/)"*.gz.part ]' - "$DATA_ROOT" "$(dk inspect -f '{{.Id}}' gz)"
    dir=$(echo "$DATA_ROOT/container/$(dk inspect -f '{{.Id}}' gz)"*/)
    (cd "$dir" && zcat ./*-json.log.3.gz ./*-json.log.2.gz ./*-json.log.1.gz && cat ./*-json.log) > "$TEST_TMP/raw"
    dk logs gz > "$TEST_TMP/lines" 2> /dev/null
    sed -n 's/^{"log":"\([a-z]* [0-9]*\)\\n".*/\1/p' "$TEST_TMP/raw" | cmp - "$TEST_TMP/lines" || fail "$driver: other lines than in the files"
    expect_eq "$(tail -1 "$TEST_TMP/lines")" "second 002000"
    for n in 1 1999 2001 5000; do
        dk logs --tail $n gz 2> /dev/null | cmp - <(tail -$n "$TEST_TMP/lines") || fail "$driver: tail $n"
    done
    since=$(dk logs -t gz 2> /dev/null | sed -n 's/ second 000001$//p')
    expect_eq "$(dk logs --since "$since" gz | head -1)" "second 000001"
    expect_eq "$(dk logs --since "$since" gz | wc -l)" 2000
    until=$(dk logs -t gz 2> /dev/null | sed -n 's/ first 008000$//p')
    expect_eq "$(dk logs --until "$until" gz 2> /dev/null | tail -1)" "first 008000"
    dk rm -f gz > /dev/null
done
expect_fails "compress cannot be true when max-file is less than 2" dk run --rm --log-opt compress=true --log-opt max-file=1 busybox true
expect_fails "neither true nor false" dk run --rm --log-opt compress=perhaps busybox true

step "none, and what is refused, by name and with the remedy"
dk run --name none --log-driver none busybox echo x > /dev/null
expect_fails "does not support reading" dk logs none
dk rm none > /dev/null
expect_fails "log driver 'syslog' is not supported: run a shipper" dk run --rm --log-driver syslog busybox true
expect_fails "no log driver named 'nonsense' is registered" dk run --rm --log-driver nonsense busybox true
expect_fails "unknown log opt 'colour' for json-file log driver" dk run --rm --log-opt colour=red busybox true
expect_fails "max-buffer-size option is only supported with 'mode=non-blocking'" dk run --rm --log-opt max-buffer-size=1m busybox true
expect_fails "log option max-file" dk run --rm --log-opt max-file=0 busybox true
expect_fails "log option tag" dk run --rm --log-opt tag='{{.Nothing' busybox true
expect_nothing_left
pass
