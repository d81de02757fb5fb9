#!/bin/bash
# Inspect and list of a container with 40,000 published ports: whole and right, and the loop is not held for them.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
dk network create --subnet 10.99.0.0/24 side > /dev/null
dk run -d --name small -p 8080:80 --expose 90 busybox sleep 1000 > /dev/null
ct run -d --name long --network side -p 20000-39999:20000-39999 -p 20000-39999:20000-39999/udp -p 8081:80,from=10.0.0.0/8 --expose 91 --label a=b busybox sleep 1000 > /dev/null
held() { grep -E 'held the loop for (2[5-9]|[3-9][0-9]|[0-9]{3,}) ms' "$daemon_log"; } # the copying of 6 MB may take 10
before=$(held)

step "inspect, in two versions, with sizes; the parts around the ports are there"
for v in v1.51 v1.40; do
    api GET "/$v/containers/long/json?size=1"
    expect_eq "$(jq -r '[.Name, (.HostConfig.PortBindings | length), (.NetworkSettings.Ports | length), (.Config.ExposedPorts | length), .Config.Labels.a, .NetworkSettings.Networks.side.IPPrefixLen, (.SizeRw != null)] | join(" ")' <<< "$output")" \
        "/long 40001 40002 40002 b 24 true"
    expect_eq "$(jq -c '.NetworkSettings.Ports | [.["91/tcp"], .["20000/udp"][0].HostPort, .["39999/tcp"][0].HostPort, .["80/tcp"][0].From]' <<< "$output")" '[null,"20000","39999",["10.0.0.0/8"]]'
    expect_eq "$(jq -c '.HostConfig.PortBindings["30000/udp"][0].HostPort, .Config.ExposedPorts["30000/tcp"]' <<< "$output" | tr '\n' ' ')" '"30000" {} '
done

step "it has its name, and its ports there"
expect_match "$(dk run --rm --network side busybox nslookup -type=a long 2>&1)" '10\.99\.0\.2'
expect_match "$(dk run --rm --network side busybox nslookup -type=srv _31234._udp.long 2>&1)" 'service = 0 0 31234 long'
expect_no_match "$(cat "$daemon_log")" 'document is too long'

step "list: it and the small one beside it"
api GET /v1.51/containers/json
expect_eq "$(jq -c '[.[] | select(.Names[0] == "/long") | [.Names[0], ([.Ports[] | .PublicPort] | unique | length), (.Ports[] | select(.PrivatePort == 91) | .Type)]] | sort' <<< "$output")" '[["/long",20002,"tcp"]]'
expect_eq "$(jq -c '[.[] | select(.Names[0] == "/small").Ports[] | .PrivatePort] | unique' <<< "$output")" '[80,90]'
expect_match "$(ct ps)" '0.0.0.0:20000-39999->20000-39999/tcp'
expect_eq "$(held)" "$before"

step "asked for while it changes and goes"
for _ in 1 2 3 4 5 6; do
    curl -s -o /dev/null --max-time 20 --unix-socket "$SOCKET" http://d/containers/long/json &
    curl -s -o /dev/null --max-time 20 --unix-socket "$SOCKET" http://d/containers/json &
    asked+=($!)
done
dk update --cpu-shares 500 long > /dev/null
curl -s --max-time 20 --unix-socket "$SOCKET" http://d/containers/long/json | jq -e '.HostConfig.CpuShares == 500' > /dev/null || fail "update"
dk rm -f long > /dev/null &
asked+=($!)
for _ in 1 2 3; do curl -s -o /dev/null --max-time 20 --unix-socket "$SOCKET" http://d/containers/long/json; done
wait "${asked[@]}"
expect_eq "$(jq -r '.[].Names[0]' <<< "$(curl -s --unix-socket "$SOCKET" http://d/containers/json)")" /small
dk rm -f small > /dev/null
dk network rm side > /dev/null
expect_nothing_left
pass
