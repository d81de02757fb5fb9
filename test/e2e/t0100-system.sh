#!/bin/bash
# The daemon tells what it is: ping, version, info, df, events; versions and paths that it does not know.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image box

step "what parses or moves foreign bytes is in the worker: the daemon does not even load it"
expect_no_match "$(ldd "$bin/cortend")" 'libcurl|libzstd|libisal|libarchive'

step "ping"
expect_eq "$(curl -s --unix-socket "$SOCKET" http://d/_ping)" OK
head=$(curl -sI --unix-socket "$SOCKET" http://d/_ping)
for line in 'HTTP/1.1 200' 'Api-Version: 1.51' 'Ostype: linux' 'Docker-Experimental: false' 'Swarm: inactive' \
    'Builder-Version: 1'; do
    grep -qi "^$line" <<<"$head" || fail "HEAD /_ping has no '$line': $head"
done

step "version and info"
expect_match "$(dk version 2>&1)" 'API version: +1\.51 \(minimum version 1\.24\)'
expect_eq "$(dk version -f '{{.Server.Os}}')" linux
expect_eq "$(dk info -f '{{.KernelVersion}}')" "$(uname -r)"
expect_eq "$(dk info -f '{{.NCPU}}')" "$(nproc)"
expect_eq "$(dk info -f '{{.DockerRootDir}}')" "$DATA_ROOT"
expect_eq "$(dk info -f '{{.Containers}} {{.Images}}')" "0 1"
expect_match "$(dk info -f '{{.SecurityOptions}}' 2>&1)" 'name=seccomp'
expect_eq "$(dk info -f '{{.Swarm.LocalNodeState}}')" inactive
id=$(dk info -f '{{.ID}}')
dk run -d --name sleeper box sleep 1000 >/dev/null || fail "run"
expect_eq "$(dk info -f '{{.ContainersRunning}} {{.ContainersPaused}} {{.ContainersStopped}}')" "1 0 0"

step "versions of the API"
api GET /v1.24/version
[ "$api_status" = 200 ] || fail "1.24: $api_status"
api GET /v1.52/version
[ "$api_status" = 400 ] && [[ $output == *"too new"* ]] || fail "1.52: $api_status $output"
api GET /v1.23/version
[ "$api_status" = 400 ] && [[ $output == *"too old"* ]] || fail "1.23: $api_status $output"
api GET /v1.51/nowhere
[ "$api_status" = 404 ] && [ "$output" = '{"message":"page not found"}' ] || fail "404: $api_status $output"
api GET /v1.49/info
[ "$(jq .BridgeNfIptables <<<"$output")" = false ] || fail "info of 1.49 misses an old member"
api GET /v1.51/info
[ "$(jq 'has("BridgeNfIptables")' <<<"$output")" = false ] || fail "info of 1.51 has an old member"

step "events: kept ones and new ones"
sleep 1
dk events --since 0 --until "$(date +%s)" --format '{{.Type}} {{.Action}}' >"$TEST_TMP/old"
grep -qx 'container start' "$TEST_TMP/old" || fail "no start in $(cat "$TEST_TMP/old")"
grep -qx 'image import' "$TEST_TMP/old" || fail "no import in $(cat "$TEST_TMP/old")"
"$docker" events --filter type=container --filter event=die --format '{{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}' \
    >"$TEST_TMP/new" &
listener=$!
eventually 5 eval '[ "$(dk info -f "{{.NEventsListener}}")" = 1 ]'
dk run --rm --name quick box sh -c 'exit 3'
eventually 5 grep -qx 'quick 3' "$TEST_TMP/new"
kill $listener
eventually 5 eval '[ "$(dk info -f "{{.NEventsListener}}")" = 0 ]'
expect_fails 'invalid filter' dk events --filter nonsense=1 --until 1s

step "system df"
dk run --rm -v big:/d box dd if=/dev/zero of=/d/f bs=1M count=5 2>/dev/null
api GET '/v1.51/system/df'
[ "$(jq '.Volumes[0].UsageData.Size >= 5242880' <<<"$output")" = true ] || fail "volume size: $output"
[ "$(jq '.Images | length' <<<"$output")" = 1 ] || fail "images: $output"
[ "$(jq '.LayersSize > 500000' <<<"$output")" = true ] || fail "layers: $output"
[ "$(jq '.Containers[0].SizeRootFs > .Containers[0].SizeRw' <<<"$output")" = true ] || fail "containers: $output"
api GET '/v1.51/system/df?type=volume'
[ "$(jq -c '[.Images, (.Volumes | length)]' <<<"$output")" = '[null,1]' ] || fail "type=volume: $output"
api GET '/v1.51/system/df?type=nonsense'
[ "$api_status" = 400 ] || fail "unknown type: $api_status"
expect_match "$(dk system df 2>&1)" '^Images +1 +1 '

step "the id stays"
restart_daemon
expect_eq "$(dk info -f '{{.ID}}')" "$id"

step "a daemon without containers that run leaves no cgroup behind"
dk ps -q | xargs -r "$docker" rm -f >/dev/null
dk run -d --name last box sleep 1000 >/dev/null
stop_daemon
[ -n "$(our_cgroups)" ] || fail "the cgroup of a running container is gone"
spawn_daemon
dk kill last >/dev/null || fail "kill"
expect_eq "$(dk wait last)" 137
stop_daemon
expect_eq "$(our_cgroups)" ""
pass
