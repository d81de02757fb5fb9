#!/bin/bash
# ipvlan in its three modes, VLANs of a parent and networks without one, macvlan's other modes: with real traffic where
# the kernel has them (the VM's does: test/vm/network), refused by name where it has not.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
in_net ip link add par0 type veth peer name par1
in_net ip link set par0 up
unshare -n sleep 600 &
router=$!
at_end "kill $router"
eventually 5 eval '[ "$(readlink /proc/$router/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
in_net ip link set par1 netns "$router"
out() { nsenter --net="/proc/$router/ns/net" "$@"; }
out ip link set par1 up
out ip addr add 10.96.0.1/24 dev par1
# Whether the kernel knows a kind: it complains of what is missing, not of the kind.
knows() { [[ $(in_net ip link add probe0 type "$@" 2>&1) != *@(not supported|Unknown device type)* ]]; }
drop_probe() { in_net ip link del probe0 2> /dev/null; }
reaches() { dk exec "$1" ping -c 1 -W 2 "$2" > /dev/null; }
box() { dk run -d "$@" busybox sleep 1000 > /dev/null; }
net() { dk network create --subnet 10.96.0.0/24 --gateway 10.96.0.1 --ip-range 10.96.0.64/26 "$@" > /dev/null; }

step "macvlan: private and passthru"
if knows macvlan; then
    net -d macvlan -o parent=par0 -o macvlan_mode=private alone
    box --name one --network alone
    box --name two --network alone
    reaches one 10.96.0.1 || fail "private: the outside is not reached"
    if reaches one "$(dk inspect -f '{{.NetworkSettings.Networks.alone.IPAddress}}' two)"; then fail "private: neighbours reach each other"; fi
    expect_fails "network alone is already using parent interface par0" \
        dk network create -d macvlan -o parent=par0 -o macvlan_mode=passthru through
    dk rm -f one two > /dev/null
    dk network rm alone > /dev/null
    net -d macvlan -o parent=par0 -o macvlan_mode=passthru through
    box --name one --network through --mac-address 02:42:0a:60:00:99
    reaches one 10.96.0.1 || fail "passthru: the outside is not reached"
    expect_match "$(out ip neigh show 10.96.0.64)" '02:42:0a:60:00:99'
    expect_fails "interface par0 is used by another container" dk run --rm --network through busybox true
    dk rm -f one > /dev/null
    dk network rm through > /dev/null
fi

step "a VLAN of the parent, made and taken away"
drop_probe
if knows vlan; then
    out ip link add link par1 name par1.10 type vlan id 10
    out ip link set par1.10 up
    out ip addr add 10.97.0.1/24 dev par1.10
    dk network create -d macvlan --subnet 10.97.0.0/24 --gateway 10.97.0.1 -o parent=par0.10 tagged > /dev/null
    dk network create -d macvlan --subnet 10.98.0.0/24 -o parent=par0.10 beside > /dev/null
    in_net ip link show par0.10 > /dev/null || fail "the VLAN was not made"
    box --name one --network tagged
    reaches one 10.97.0.1 || fail "the VLAN's gateway is not reached"
    dk rm -f one > /dev/null
    in_net ip link del par0.10
    box --name one --network tagged
    reaches one 10.97.0.1 || fail "the VLAN was not made again"
    dk rm -f one > /dev/null
    dk network rm tagged > /dev/null
    in_net ip link show par0.10 > /dev/null || fail "the VLAN went while another network has it"
    kill_daemon
    restart_daemon
    in_net ip link show par0.10 > /dev/null || fail "the VLAN went with the daemon"
    dk network rm beside > /dev/null
    expect_status 1 in_net ip link show par0.10
    in_net ip link add link par0 name par0.20 type vlan id 20
    in_net ip link set par0.20 up
    dk network create -d macvlan -o parent=par0.20 theirs > /dev/null
    dk network rm theirs > /dev/null
    in_net ip link show par0.20 > /dev/null || fail "an interface that is not ours was removed"
    in_net ip link del par0.20
    # As a daemon leaves it that dies between making it and writing the network down.
    dk network create -d macvlan -o parent=par0.10 stray > /dev/null
    kill_daemon
    sqlite3 "$DATA_ROOT/store/corten.db" "DELETE FROM network WHERE name = 'stray'"
    restart_daemon
    no_vlan() { ! in_net ip link show par0.10; }
    eventually 5 no_vlan
else
    expect_fails "this kernel has no vlan interfaces" dk network create -d macvlan -o parent=par0.10 tagged
fi
expect_fails "parent interface par9.10 does not exist, nor is it a VLAN" dk network create -d macvlan -o parent=par9.10 none1
expect_fails "parent interface par0.4095 does not exist" dk network create -d macvlan -o parent=par0.4095 none1
expect_fails "option parent: 'lo'" dk network create -d macvlan -o parent=lo none1

step "no parent: containers alone"
drop_probe
if knows dummy; then
    drop_probe
    dk network create -d macvlan --subnet 10.99.0.0/24 island > /dev/null
    expect_eq "$(dk network inspect -f '{{.Internal}}' island)" true
    box --name one --network island
    box --name two --network island --ip 10.99.0.9
    reaches one 10.99.0.9 || fail "neighbours do not reach each other"
    expect_eq "$(dk exec one ip route | grep -c default)" 0
    dk rm -f one two > /dev/null
    dk network rm island > /dev/null
    expect_eq "$(in_net ip -o link show type dummy | wc -l)" 0
else
    expect_fails "this kernel has no dummy interfaces" dk network create -d macvlan island
fi

step "ipvlan"
if ! knows ipvlan; then
    expect_fails "network driver ipvlan is not supported: this kernel has no ipvlan" dk network create -d ipvlan -o parent=par0 lan
    expect_fails "ipvlan_mode: 'l4' is none of l2, l3, l3s" dk network create -d ipvlan -o parent=par0 -o ipvlan_mode=l4 lan
    expect_eq "$(in_net ip -o link | grep -cE 'dm-|di-|par0\.')" 0
    in_net ip link del par0
    expect_nothing_left
    pass
fi
net -d ipvlan -o parent=par0 lan
expect_eq "$(dk network inspect -f '{{.Driver}}' lan)" ipvlan
box --name one --network lan
box --name two --network lan
reaches one 10.96.0.1 || fail "l2: the outside is not reached"
reaches one "$(dk inspect -f '{{.NetworkSettings.Networks.lan.IPAddress}}' two)" || fail "l2: the neighbour is not reached"
out busybox ping -c 1 -W 2 10.96.0.64 > /dev/null || fail "l2: not reached from outside"
expect_match "$(dk exec one nslookup two 2>&1)" '10\.96\.0\.65'
expect_eq "$(dk inspect -f '{{.NetworkSettings.Networks.lan.MacAddress}}' one)" ""
expect_eq "$(dk exec one cat /sys/class/net/eth0/address)" "$(in_net ip -o link show par0 | sed 's/.*ether \([0-9a-f:]*\).*/\1/')"
kill_daemon
restart_daemon
expect_match "$(dk network inspect -f '{{range .Containers}}{{.Name}} {{end}}' lan)" 'one|two'
expect_fails "no other" dk run --rm --network lan --mac-address 02:42:0a:60:00:98 busybox true
expect_match "$(dk run --rm --network lan -p 80:80 busybox true 2>&1)" "Published ports are discarded on network lan"
expect_fails "already using parent interface par0" dk network create -d ipvlan -o parent=par0 -o ipvlan_mode=l3 other
dk rm -f one two > /dev/null
dk network rm lan > /dev/null

for mode in l3 l3s; do
    step "ipvlan $mode: the host routes between its networks"
    dk network create -d ipvlan -o parent=par0 -o ipvlan_mode=$mode --subnet 10.101.0.0/24 --ipv6 --subnet fd65::/64 left > /dev/null
    dk network create -d ipvlan -o parent=par0 -o ipvlan_mode=$mode --subnet 10.102.0.0/24 right > /dev/null
    box --name one --network left
    box --name two --network right --ip 10.102.0.7
    box --name six --network left
    expect_match "$(dk exec one ip route)" '^default dev eth0'
    expect_match "$(dk exec one ip -6 route)" '^default dev eth0'
    reaches one 10.102.0.7 || fail "$mode: from one network to the other"
    reaches two 10.101.0.2 || fail "$mode: and back"
    dk exec one ping -6 -c 1 -W 2 "$(dk inspect -f '{{.NetworkSettings.Networks.left.GlobalIPv6Address}}' six)" > /dev/null || fail "$mode: IPv6"
    in_net ip addr add 10.96.0.2/24 dev par0
    out ip route add 10.101.0.0/24 via 10.96.0.2
    out busybox ping -c 1 -W 2 10.101.0.2 > /dev/null || fail "$mode: not reached by a route outside"
    out ip route del 10.101.0.0/24
    in_net ip addr del 10.96.0.2/24 dev par0
    dk rm -f one two six > /dev/null
    dk network rm left right > /dev/null
done

step "ipvlan: private"
net -d ipvlan -o parent=par0 -o ipvlan_flag=private alone
box --name one --network alone
box --name two --network alone
reaches one 10.96.0.1 || fail "private: the outside is not reached"
if reaches one 10.96.0.65; then fail "private: neighbours reach each other"; fi
dk rm -f one two > /dev/null
dk network rm alone > /dev/null
in_net ip link del par0
expect_nothing_left
pass
