#!/bin/bash
# Several networks a container: connect and disconnect of created and running ones, the way out and the
# published ports follow, fixed addresses, aliases, container:NAME, what is refused; by the stock CLI.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

fetch() { in_net timeout 5 busybox wget -q -O - "http://$1/"; }
serve='mkdir -p /w; hostname > /w/index.html; exec httpd -f -p 80 -h /w'
addresses() { dk exec "$1" ip -4 -o addr | awk '$2 != "lo" {print $2, $4}' | sort | tr '\n' ';'; }
way_out() { dk exec "$1" ip route | awk '$1 == "default" {print $3}'; }
networks() { dk inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}' "$1"; }
dk network create --subnet 10.61.0.0/24 --gateway 10.61.0.9 --ip-range 10.61.0.128/25 --aux-address x=10.61.0.128 one > /dev/null
dk network create --subnet 10.62.0.0/24 two > /dev/null
dk network create --subnet 10.63.0.0/24 --internal in > /dev/null

step "aux addresses and ranges are kept out"
expect_match "$(dk network inspect -f '{{json .IPAM.Config}}' one)" '"x":"10.61.0.128"'
expect_eq "$(dk run --rm --network one busybox ip -4 -o addr show eth0 | awk '{print $4}')" "10.61.0.129/24"
api POST /v1.51/networks/create '{"Name":"bad","IPAM":{"Config":[{"Subnet":"10.64.0.0/24","AuxiliaryAddresses":{"x":"10.65.0.1"}}]}}'
expect_match "$api_status $output" "^400 .*not in the network.s subnet"

step "a running container is connected and disconnected"
dk run -d --name web --hostname web -p 8080:80 --network one --ip 10.61.0.5 --network-alias w busybox sh -c "$serve" > /dev/null
expect_eq "$(addresses web)" "eth0 10.61.0.5/24;"
dk network connect --ip 10.62.0.77 --alias other two web
dk network connect in web
expect_match "$(addresses web)" '^eth0 10\.61\.0\.5/24;eth1 10\.62\.0\.77/24;eth2 10\.63\.0\.2/24;$'
expect_eq "$(way_out web)" 10.61.0.9
expect_match "$(dk exec web cat /etc/hosts)" "^10\.62\.0\.77.web$"
expect_eq "$(networks web)" "in one two "
expect_match "$(dk inspect -f '{{json .NetworkSettings.Networks.two}}' web)" '"Aliases":\["other"'
expect_fails "already exists in network two" dk network connect two web
eventually 5 fetch 127.0.0.1:8080

step "the way out and the published ports follow"
dk network disconnect one web
expect_eq "$(way_out web)" 10.62.0.1
expect_eq "$(fetch 127.0.0.1:8080)" web
expect_eq "$(dk port web | head -n 1)" "80/tcp -> 0.0.0.0:8080"
expect_no_match "$(dk exec web cat /etc/hosts)" "10.61.0.5"
dk network disconnect two web
expect_eq "$(way_out web)" ""
expect_status 1 fetch 127.0.0.1:8080
dk network connect one web
expect_eq "$(way_out web)" 10.61.0.9
expect_eq "$(fetch 127.0.0.1:8080)" web
expect_fails "is not connected to" dk network disconnect two web

step "they survive the daemon and the container's restart"
kill_daemon
restart_daemon
expect_eq "$(networks web)" "in one "
expect_eq "$(fetch 127.0.0.1:8080)" web
before=$(addresses web)
dk restart -t 0 web > /dev/null
expect_eq "$(networks web)" "in one "
expect_match "$(addresses web)" '^eth0 10\.63\.0\.[0-9]+/24;eth1 10\.61\.0\.[0-9]+/24;$'
eventually 5 fetch 127.0.0.1:8080
dk network connect two web
dk rm -f web > /dev/null

step "a created container; several networks in one call"
dk create --name later --network one busybox sleep 1000 > /dev/null
dk network connect two later
dk network disconnect one later
dk start later > /dev/null
expect_match "$(addresses later)" '^eth[0-9] 10\.62\.0\.[0-9]+/24;$'
dk rm -f later > /dev/null
api POST '/v1.51/containers/create?name=both' '{"Image":"busybox","Cmd":["sleep","1000"],"HostConfig":{"NetworkMode":"one"},
  "NetworkingConfig":{"EndpointsConfig":{"one":{"MacAddress":"02:42:00:00:00:07"},"two":{"GwPriority":5}}}}'
expect_eq "$api_status" 201
dk start both > /dev/null
expect_eq "$(way_out both)" 10.62.0.1
expect_match "$(dk exec both ip link show eth0)" "02:42:00:00:00:07"
dk rm -f both > /dev/null

step "container:NAME"
dk run -d --name host --network one busybox sh -c "$serve" > /dev/null
expect_eq "$(dk run --rm --network container:host busybox ip -4 -o addr show eth0)" "$(dk exec host ip -4 -o addr show eth0)"
expect_eq "$(dk run --rm --network container:host busybox hostname)" "$(dk exec host hostname)"
expect_eq "$(dk run --rm --network container:host busybox cat /etc/hosts)" "$(dk exec host cat /etc/hosts)"
expect_fails "conflicting options" dk run --rm --network container:host -p 99:99 busybox true
expect_fails "No such container" dk run --rm --network container:nobody busybox true
dk stop -t 0 host > /dev/null
expect_fails "non running container" dk run --rm --network container:host busybox true
dk rm host > /dev/null

step "what is refused"
dk run -d --name plain --network host busybox sleep 1000 > /dev/null
expect_fails "cannot be connected to any other network" dk network connect one plain
dk rm -f plain > /dev/null
dk run -d --name lonely --network none busybox sleep 1000 > /dev/null
expect_fails "private \(none\) mode" dk network connect one lonely
dk rm -f lonely > /dev/null
expect_fails "user-defined networks|user defined networks" ct run --rm --network-alias x busybox true

expect_eq "$(dk network rm one two in | tr '\n' ' ')" "one two in "
expect_nothing_left
pass
