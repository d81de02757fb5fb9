#!/bin/bash
# The daemon tells what it is: ping, version, info, df, events; versions and paths that it does not know.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image box

step "ping"
expect_eq OK curl -s --unix-socket "$socket" http://d/_ping
head=$(curl -sI --unix-socket "$socket" http://d/_ping)
for line in 'HTTP/1.1 200' 'Api-Version: 1.51' 'Ostype: linux' 'Docker-Experimental: false' 'Swarm: inactive' \
    'Builder-Version: 1'; do
    grep -qi "^$line" <<<"$head" || fail "HEAD /_ping has no '$line': $head"
done

step "version and info"
expect_match 'API version: +1\.51 \(minimum version 1\.24\)' dk version
expect_eq linux dk version -f '{{.Server.Os}}'
expect_eq "$(uname -r)" dk info -f '{{.KernelVersion}}'
expect_eq "$(nproc)" dk info -f '{{.NCPU}}'
expect_eq "$data_root" dk info -f '{{.DockerRootDir}}'
expect_eq "0 1" dk info -f '{{.Containers}} {{.Images}}'
expect_match 'name=seccomp' dk info -f '{{.SecurityOptions}}'
expect_eq inactive dk info -f '{{.Swarm.LocalNodeState}}'
id=$(dk info -f '{{.ID}}')
dk run -d --name sleeper box sleep 1000 >/dev/null || fail "run"
expect_eq "1 0 0" dk info -f '{{.ContainersRunning}} {{.ContainersPaused}} {{.ContainersStopped}}'

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
dk events --since 0 --until "$(date +%s)" --format '{{.Type}} {{.Action}}' >"$work/old"
grep -qx 'container start' "$work/old" || fail "no start in $(cat "$work/old")"
grep -qx 'image import' "$work/old" || fail "no import in $(cat "$work/old")"
"$docker" events --filter type=container --filter event=die --format '{{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}' \
    >"$work/new" &
listener=$!
eventually 5 eval '[ "$(dk info -f "{{.NEventsListener}}")" = 1 ]'
dk run --rm --name quick box sh -c 'exit 3'
eventually 5 grep -qx 'quick 3' "$work/new"
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
expect_match '^Images +1 +1 ' dk system df

step "the id stays"
restart_daemon
expect_eq "$id" dk info -f '{{.ID}}'
