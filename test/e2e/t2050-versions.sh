#!/bin/bash
# Older clients get older shapes: golden answers at the versions where something changed.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
get() { curl -s --max-time 20 --unix-socket "$SOCKET" "http://x/v1.$1$2"; }
# has VERSION PATH PYTHON-EXPRESSION over d: its value
val() { get "$1" "$2" | python3 -c "import json,sys; d=json.load(sys.stdin); print($3)"; }
post() { # VERSION PATH JSON: the status, body in $output
    output=$(curl -s --max-time 20 -w '\n%{http_code}' --unix-socket "$SOCKET" -H 'Content-Type: application/json' -d "$3" "http://x/v1.$1$2")
    api_status=${output##*$'\n'}
    output=${output%$'\n'*}
}

step "the range of versions"
expect_eq "$(get 24 /_ping)" "OK"
expect_match "$(get 23 /info)" "client version 1.23 is too old"
expect_match "$(get 52 /info)" "client version 1.52 is too new"
expect_match "$(get 'x' /info)" '"message"'
for v in 24 30 40 44 51; do
    expect_eq "$(val $v /version 'd["ApiVersion"], d["MinAPIVersion"]')" "1.51 1.24"
    expect_eq "$(val $v '/containers/json?all=1' 'd')" "[]"
done

step "info: every member of the peer's answer, at each version"
expect_eq "$(val 51 /info '" ".join(sorted(d))')" "$(tr '\n' ' ' < "$here/t2050-info.golden" | sed 's/ $//')"
expect_eq "$(val 49 /info '[k in d for k in ("BridgeNfIptables","FirewallBackend")]')" "[True, True]"
expect_eq "$(val 50 /info '[k in d for k in ("BridgeNfIptables","FirewallBackend")]')" "[False, True]"
expect_eq "$(val 46 /info '"AllowNondistributableArtifactsCIDRs" in d["RegistryConfig"]')" "True"
expect_eq "$(val 47 /info '"AllowNondistributableArtifactsCIDRs" in d["RegistryConfig"]')" "False"
expect_eq "$(val 48 /info '"Expected" in d["RuncCommit"]')" "True"
expect_eq "$(val 49 /info '"Expected" in d["RuncCommit"]')" "False"

step "create: defaults and members of the client's version"
post 24 '/containers/create?name=v24' '{"Image":"busybox","Cmd":["sleep","1000"],"HostConfig":{"AutoRemove":true}}'
expect_eq "$api_status $(val 51 /containers/v24/json 'd["HostConfig"]["AutoRemove"], d["HostConfig"]["IpcMode"]')" "201 False shareable"
post 39 '/containers/create?name=v39&platform=plan9/mips' '{"Image":"busybox","Cmd":["true"],"HostConfig":{"CgroupnsMode":"host","Annotations":{"a":"b"}}}'
expect_eq "$api_status $(val 51 /containers/v39/json 'd["HostConfig"]["CgroupnsMode"], d["HostConfig"]["IpcMode"], "Annotations" in d["HostConfig"]')" "201 private shareable False"
post 43 '/containers/create?name=v43' '{"Image":"busybox","NetworkingConfig":{"EndpointsConfig":{"bridge":{},"other":{}}}}'
expect_match "$api_status $output" "^400 .*Container cannot be connected to network endpoints: bridge, other"
post 45 '/containers/create?name=v45' '{"Image":"busybox","HostConfig":{"Mounts":[{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"Options":[["noexec"]]}}]}}'
expect_match "$api_status $output" "^400 .*needs API version 1.46"
post 46 '/containers/create?name=v46' '{"Image":"busybox","Cmd":["sleep","1000"],"HostConfig":{"Mounts":[{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"Options":[["noexec"],["size","1m"]]}}],"Annotations":{"a":"b"}}}'
expect_eq "$api_status" 201

step "types of streams"
dk run -d --name plain busybox sleep 1000 > /dev/null
dk run -dt --name term busybox sleep 1000 > /dev/null
type_of() { # VERSION METHOD PATH [HEADER]
    curl -s -i --max-time 0.5 --unix-socket "$SOCKET" -X "$2" ${4:+-H "Connection: Upgrade" -H "Upgrade: tcp"} "http://x/v1.$1$3" | tr -d '\r' | awk -F': ' '/^Content-Type/ {print $2}'
}
raw=application/vnd.docker.raw-stream frames=application/vnd.docker.multiplexed-stream
for path in '/containers/%s/logs?stdout=1' '/containers/%s/attach?stream=1&stdout=1'; do
    method=GET; [[ $path == *attach* ]] && method=POST
    upgrade=; [[ $path == *attach* ]] && upgrade=1
    # shellcheck disable=SC2059
    expect_eq "$(for v in 41 42; do for name in plain term; do type_of $v $method "$(printf "$path" $name)" $upgrade; done; done | tr '\n' ' ')" "$raw $raw $frames $raw "
done
expect_eq "$(type_of 51 POST '/containers/plain/attach?stream=1&stdout=1')" "$raw"
dk rm -f plain term > /dev/null

step "images"
expect_eq "$(val 44 /images/busybox/json '"Container" in d, d["ContainerConfig"]["Volumes"]')" "True None"
expect_eq "$(val 45 /images/busybox/json '"Container" in d, "ContainerConfig" in d')" "False False"

step "inspect and list"
dk start v24 > /dev/null
expect_eq "$(val 43 /containers/v24/json 'd["Config"]["MacAddress"] == d["NetworkSettings"]["Networks"]["bridge"]["MacAddress"] != ""')" "True"
expect_eq "$(val 44 /containers/v24/json '"MacAddress" in d["Config"]')" "False"
dk network create user > /dev/null
dk run -d --name alias --network user busybox sleep 1000 > /dev/null
expect_eq "$(val 44 /containers/alias/json 'd["Id"][:12] in d["NetworkSettings"]["Networks"]["user"]["Aliases"]')" "True"
expect_eq "$(val 45 /containers/alias/json 'd["Id"][:12] in (d["NetworkSettings"]["Networks"]["user"]["Aliases"] or [])')" "False"
expect_eq "$(val 45 '/containers/json?all=1' '["Annotations" in c["HostConfig"] for c in d if c["Names"]==["/v46"]]')" "[False]"
expect_eq "$(val 46 '/containers/json?all=1' '["Annotations" in c["HostConfig"] for c in d if c["Names"]==["/v46"]]')" "[True]"
expect_eq "$(val 40 '/containers/v24/stats?one-shot=1&stream=0' 'd["precpu_stats"].get("system_cpu_usage",0) > 0')" "True"
expect_eq "$(val 41 '/containers/v24/stats?one-shot=1&stream=0' 'd["precpu_stats"].get("system_cpu_usage",0) > 0')" "False"
expect_match "$(api DELETE /v1.43/containers/v24; echo "$output")" 'You cannot remove a running container [0-9a-f]{64}. Stop the container before'
expect_match "$(api DELETE /v1.44/containers/v24; echo "$output")" 'cannot remove container ."/v24.": container is running: stop the'
post 41 '/containers/v24/stop?signal=NOSUCH&t=0' ''
expect_eq "$api_status" 204
post 42 '/containers/v24/stop?signal=NOSUCH&t=0' ''
expect_eq "$api_status" 400
pass
