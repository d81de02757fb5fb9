#!/bin/bash
# IPv6: networks with a subnet of their own and with one that is given, fixed addresses, names, the outside,
# icc off and internal networks, connect and disconnect, by real traffic.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
[ -e /proc/sys/net/ipv6 ] || skip "no IPv6 in this kernel"
in_net ip link add ext0 type veth peer name ext1
in_net ip addr add 2001:db8:1::1/64 dev ext0 nodad
in_net ip link set ext0 up
in_net ip link set ext1 up
in_net sysctl -q -w net.ipv6.conf.ext0.accept_ra=1
six() { dk inspect -f "{{.NetworkSettings.Networks.$2.GlobalIPv6Address}}" "$1"; }
reaches() { dk exec "$1" ping -6 -c 1 -W 2 "$2" > /dev/null; }
run() { dk run -d "$@" busybox sleep 1000 > /dev/null; }

step "a given subnet"
dk network create --ipv6 --subnet 10.81.0.0/24 --subnet fd81::/64 one > /dev/null
expect_match "$(dk network inspect -f '{{json .IPAM.Config}}' one)" '"Subnet":"fd81::/64","Gateway":"fd81::1"'
expect_eq "$(dk network inspect -f '{{.EnableIPv6}}' one)" true
run --name aa --network one
run --name bb --network one --ip6 fd81::77
expect_eq "$(six aa one)" "fd81::2"
expect_eq "$(six bb one)" "fd81::77"
expect_match "$(dk network inspect -f '{{range .Containers}}{{.IPv6Address}} {{end}}' one)" 'fd81::77/64'
expect_match "$(dk exec aa ip -6 route)" '^default via fd81::1 '
reaches aa fd81::77 || fail "a does not reach b"
expect_match "$(dk exec bb cat /etc/hosts)" "^fd81::77.$(dk inspect -f '{{.Config.Hostname}}' bb)$"
reaches aa fd81::1 || fail "a does not reach its gateway"
reaches aa 2001:db8:1::1 || fail "a does not reach the host"
expect_match "$(dk exec aa nslookup -type=aaaa bb 2>&1)" 'fd81::77'
expect_fails "no configured subnet contains" dk run --rm --network one --ip6 fd99::1 busybox true
expect_fails "Address already in use" dk run --rm --network one --ip6 fd81::77 busybox true
expect_fails "overlaps" dk network create --ipv6 --subnet fd81::/48 other

step "a range and reserved addresses of a subnet; a pool that is not used"
dk network create --ipv6 --subnet fd84::/64 --ip-range fd84::1:0/112 --gateway fd84::ffff \
    --aux-address kept=fd84::1:0002 ranged > /dev/null
dk network create --subnet fd85::/64 idle > /dev/null
restart_daemon
expect_match "$(dk network inspect -f '{{json .IPAM.Config}}' ranged)" \
    '"Subnet":"fd84::/64","IPRange":"fd84::1:0/112","Gateway":"fd84::ffff","AuxiliaryAddresses":\{"kept":"fd84::1:0002"\}'
run --name gg --network ranged
run --name hh --network ranged --ip6 fd84::77
expect_eq "$(six gg ranged) $(six hh ranged)" "fd84::1:1 fd84::77"
expect_fails "Address already in use" dk run --rm --network ranged --ip6 fd84::1:2 busybox true
reaches gg fd84::77 || fail "a container of the range does not reach one outside"
expect_fails "invalid subnet fd86::1/64: it should be fd86::/64" dk network create --ipv6 --subnet fd86::1/64 no
expect_fails "not in the IPv6 subnet|no matching subnet" dk network create --ipv6 --subnet fd86::/64 --ip-range fd87::/80 no
expect_fails "not in|no matching subnet" dk network create --ipv6 --subnet fd86::/64 --aux-address x=fd87::1 no
api POST /networks/create '{"Name":"other","IPAM":{"Config":[{"Subnet":"fd88::1/64","IPRange":"fd88::9/96"}]}}'
expect_match "$api_status $output" '^201 .*"Warning":"EnableIPv6 is not set'
expect_eq "$(dk network inspect -f '{{.EnableIPv6}} {{(index .IPAM.Config 1).Subnet}}' idle)" "false fd85::/64"
run --name ii --network idle --ip6 fd85::77
expect_eq "$(dk inspect -f '{{.NetworkSettings.Networks.idle.IPAMConfig.IPv6Address}}|{{.NetworkSettings.Networks.idle.GlobalIPv6Address}}' ii)" "fd85::77|"
expect_fails "no configured subnet contains" dk run --rm --network idle --ip6 fd99::1 busybox true
dk rm -f gg hh ii > /dev/null

step "the host keeps its routes"
expect_eq "$(in_net sysctl -n net.ipv6.conf.all.forwarding)" 1
expect_eq "$(in_net sysctl -n net.ipv6.conf.ext0.accept_ra)" 2

step "a subnet of its own, and networks apart"
dk network create --ipv6 two > /dev/null
run --name cc --network two
expect_match "$(six cc two)" '^fd[0-9a-f:]+::2$'
expect_status 1 reaches cc fd81::77
dk network create --ipv6 --internal --subnet fd82::/64 in > /dev/null
run --name dd --network in
expect_status 1 reaches dd 2001:db8:1::1
dk network create --ipv6 -o com.docker.network.bridge.enable_icc=false --subnet fd83::/64 apart > /dev/null
run --name ee --network apart
run --name ff --network apart
expect_status 1 reaches ee "$(six ff apart)"
reaches ee 2001:db8:1::1 || fail "icc off must not close the outside"

step "IPv4 networks stay without"
run --name plain
expect_eq "$(dk exec plain ip -6 -o addr show eth0)" ""

step "connect, and the daemon's restart"
dk network connect --ip6 fd81::88 one cc
reaches bb fd81::88 || fail "b does not reach c"
expect_match "$(dk exec cc cat /etc/hosts)" '^fd81::88.'
kill_daemon
restart_daemon
expect_eq "$(six cc one)" "fd81::88"
reaches bb fd81::88 || fail "after the restart"
dk network disconnect one cc
expect_status 1 reaches bb fd81::88
expect_no_match "$(dk exec cc cat /etc/hosts)" '^fd81::88.'
dk rm -f aa bb cc dd ee ff plain > /dev/null
dk network rm one two in apart > /dev/null
in_net ip link del ext0
expect_nothing_left
pass
