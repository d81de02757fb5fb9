#!/bin/bash
# macvlan: a container with an interface of its own on the host's network; names, connect and disconnect.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
in_net ip link add par0 type veth peer name par1
in_net ip link set par0 up
in_net ip link set par1 up
in_net ip addr add 10.95.0.1/24 dev par1
if ! in_net ip link add link par0 name probe type macvlan mode bridge 2> /dev/null; then skip "no macvlan in this kernel"; fi
in_net ip link del probe

step "traffic, names, the gateway out there"
dk network create -d macvlan --subnet 10.95.0.0/24 --gateway 10.95.0.1 --ip-range 10.95.0.64/26 -o parent=par0 lan > /dev/null
expect_eq "$(dk network inspect -f '{{.Driver}} {{(index .IPAM.Config 0).Gateway}}' lan)" "macvlan 10.95.0.1"
dk run -d --name one --network lan busybox sleep 1000 > /dev/null
dk run -d --name two --network lan --ip 10.95.0.100 busybox sleep 1000 > /dev/null
expect_match "$(dk exec one ip -4 -o addr show eth0)" 'inet 10\.95\.0\.64/24'
expect_eq "$(dk exec one ip route | awk '/^default/ {print $3}')" 10.95.0.1
dk exec one ping -c 1 -W 2 10.95.0.1 > /dev/null || fail "the gateway is not reached"
dk exec one ping -c 1 -W 2 10.95.0.100 > /dev/null || fail "the other is not reached"
in_net busybox ping -c 1 -W 2 10.95.0.100 > /dev/null || fail "not reached from the network"
expect_match "$(dk exec one nslookup two 2>&1)" '10\.95\.0\.100'

step "connect, the daemon's restart, disconnect"
dk run -d --name plain busybox sleep 1000 > /dev/null
dk network connect lan plain
dk exec plain ping -c 1 -W 2 10.95.0.100 > /dev/null || fail "connected, but not reached"
kill_daemon
restart_daemon
expect_match "$(dk network inspect -f '{{range .Containers}}{{.Name}} {{end}}' lan)" plain
dk network disconnect lan plain
expect_eq "$(dk exec plain sh -c 'ls /sys/class/net' | tr '\n' ' ')" "eth0 lo "

step "what is refused"

expect_fails "macvlan_mode" dk network create -d macvlan -o parent=par0 -o macvlan_mode=odd lan2
expect_fails "not supported by macvlan" dk network create -d macvlan -o parent=par0 -o com.docker.network.bridge.name=x lan2
expect_match "$(dk run --rm --network lan -p 80:80 busybox true 2>&1)" "Published ports are discarded on network lan"

dk rm -f one two plain > /dev/null
dk network rm lan > /dev/null
in_net ip link del par0
expect_nothing_left
pass
