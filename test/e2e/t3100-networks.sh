#!/bin/bash
# The noun network: predefined ones, create, list and its filters, inspect, what is refused, rm, prune.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image box

step "predefined"
expect_eq "$(dk network ls --format '{{.Name}} {{.Driver}}' | sort)" "$(printf 'bridge bridge\nhost host\nnone null')"
expect_fails 'predefined|pre-defined' dk network rm bridge
expect_fails 'not found|No such network' dk network inspect nothing

step "create and inspect"
nid=$(dk network create --subnet 10.201.0.0/24 --gateway 10.201.0.1 --label a=b mine) || fail "create"
[[ $nid =~ ^[0-9a-f]{64}$ ]] || fail "id: $nid"
expect_eq "$(dk network inspect -f '{{with index .IPAM.Config 0}}{{.Subnet}} {{.Gateway}}{{end}}' mine)" '10.201.0.0/24 10.201.0.1'
expect_eq "$(dk network inspect -f '{{.Id}}' "${nid:0:12}")" "$nid"
expect_eq "$(dk network ls --filter label=a=b --format '{{.Name}}')" mine
expect_eq "$(dk network ls --filter type=custom --format '{{.Name}}')" mine
expect_eq "$(dk network ls --filter name=^min --format '{{.Name}}')" mine
expect_eq "$(dk network ls --filter dangling=true --format '{{.Name}}')" mine
expect_fails 'already exists' dk network create mine
expect_eq "$(dk network create 'two words' > /dev/null && dk network rm 'two words')" "two words"
expect_fails 'invalid name' dk network create 'ends '
expect_fails "overlay" dk network create -d overlay far
expect_fails 'invalid filter' dk network ls --filter nonsense=1
api POST /v1.51/networks/create '{"Name": 5}'
[ "$api_status" = 400 ] && [[ $output == *"Name: expected string, got integer"* ]] || fail "type: $api_status $output"

step "a container on it"
cid=$(dk run -d --network mine --name on box sleep 1000) || fail "run"
expect_eq "$(dk network inspect -f '{{range .Containers}}{{.IPv4Address}} {{.Name}}{{end}}' mine)" '10.201.0.2/24 on'
expect_match "$(dk exec on ip addr 2>&1)" 'inet 10\.201\.0\.2/24'
expect_fails 'active endpoints' dk network rm mine
dk network create idle >/dev/null
expect_match "$(dk network prune -f 2>&1)" '^idle$'
expect_eq "$(dk network ls --filter type=custom --format '{{.Name}}')" mine

step "it survives the daemon"
kill_daemon
restart_daemon
expect_eq "$(dk network inspect -f '{{.Id}}' mine)" "$nid"
expect_eq "$(dk network inspect -f '{{range $k, $v := .Containers}}{{$k}}{{end}}' mine)" "$cid"
dk rm -f on >/dev/null
expect_eq "$(dk network rm mine)" mine
pass
