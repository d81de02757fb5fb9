#!/bin/bash
# Networks with IPv6 only, networks that hold settings for others, gateway modes, --ip6tables=false, and ports asked for
# on networks that publish none: with real traffic from another host.
. "$(dirname "$0")/lib.sh"
[ -e /proc/sys/net/ipv6 ] || skip "no IPv6 in this kernel"
start_daemon
make_busybox_image
make_far_host
far ip route add 10.91.0.0/16 via 198.51.100.1
far ip -6 route add fd91::/16 via 2001:db8:1::1
box() { dk run -d "$@" > /dev/null; }
web() { box "$@" busybox sh -c 'mkdir /w; echo here > /w/index.html; httpd -p 81 -h /w; httpd -f -p 80 -h /w'; }
get() { "$1" curl -gs --max-time "${3:-2}" "http://$2/"; }
six() { dk inspect -f '{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}' "$1"; }
four() { dk inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1"; }

step "IPv6 only"
expect_fails "IPv4 or IPv6 must be enabled" dk network create --ipv4=false only
expect_fails "subnet 10.91.9.0/24 cannot be given" dk network create --ipv4=false --ipv6 --subnet 10.91.9.0/24 only
dk network create --ipv4=false --ipv6 --subnet fd91:1::/64 only > /dev/null
expect_eq "$(dk network inspect -f '{{.EnableIPv4}} {{.EnableIPv6}} {{len .IPAM.Config}}' only)" "false true 1"
expect_fails "has no IPv4" dk run --rm --network only --ip 10.91.9.9 busybox true
web --name lone --network only -p 8080:80 -p 127.0.0.1:8081:80
box --name near --network only busybox sleep 1000
expect_eq "$(four lone)" ""
expect_eq "$(dk inspect -f '{{range .NetworkSettings.Networks}}{{.Gateway}}{{.IPPrefixLen}} {{.IPv6Gateway}}{{end}}' lone)" "0 fd91:1::1"
expect_no_match "$(dk exec lone ip -4 addr)" "eth0"
expect_match "$(dk exec lone cat /etc/hosts)" "^fd91:1::[0-9a-f]+.*$(dk inspect -f '{{.Config.Hostname}}' lone)"
expect_eq "$(dk exec near wget -qO- "http://[$(six lone)]/")" here
expect_eq "$(dk exec near nslookup -type=aaaa lone 2> /dev/null | grep -c "Address: fd91:1::")" 1
expect_no_match "$(dk exec near nslookup -type=a lone 2>&1)" 'Address: (0\.|fd91)'
eventually 5 get in_net '[2001:db8:1::1]:8080'
for at in 'in_net [::1]:8080' 'in_net 127.0.0.1:8080' 'in_net 127.0.0.1:8081' 'far 198.51.100.1:8080' 'far [2001:db8:1::1]:8080'; do
    # shellcheck disable=SC2086
    expect_eq "$at $(get $at)" "$at here"
done
expect_status 28 get far "[$(six lone)]:80" 1 # not published there
expect_match "$(in_net corten why unreachable lone:80)" 'fd91:1::[0-9a-f]+:80: connects'
expect_fails "has IPv6 only" dk run --rm --network only -p 127.0.0.1:20000-20500:20000-20500 busybox true
kill_daemon
restart_daemon
expect_eq "$(get far '[2001:db8:1::1]:8080')" here
expect_eq "$(get far 198.51.100.1:8080)" here
dk network connect only "$(dk run -d busybox sleep 1000)"
dk rm -f lone > /dev/null
expect_eq "$(dk run --rm --network only --ip6 fd91:1::50 --add-host h:host-gateway busybox sh -c 'grep h$ /etc/hosts; ip -6 route | grep -c default')" $'fd91:1::1\th\n1'

step "link-local addresses beside the others"
dk network create --ipv6 --subnet 10.91.7.0/24 --subnet fd91:7::/64 near7 > /dev/null
expect_fails "invalid link-local IP address: 10.1.2.3" dk run --rm --network near7 --link-local-ip 10.1.2.3 busybox true
expect_fails "invalid link-local IP address: fd91::1" dk run --rm --network near7 --link-local-ip fd91::1 busybox true
expect_fails "has no IPv6" dk run --rm --link-local-ip fe80::9 busybox true
box --name ll --network near7 --link-local-ip 169.254.7.7 --link-local-ip fe80::7 busybox sh -c 'mkdir /w; echo here > /w/index.html; httpd -f -h /w'
expect_match "$(dk exec ll ip addr show eth0)" 'inet 169\.254\.7\.7/16 '
expect_match "$(dk exec ll ip addr show eth0)" 'inet6 fe80::7/64'
expect_match "$(dk exec ll ip route)" 'default via 10\.91\.7\.1'
expect_match "$(dk inspect -f '{{json .NetworkSettings.Networks.near7.IPAMConfig.LinkLocalIPs}}' ll)" '"169.254.7.7","fe80::7"'
expect_eq "$(dk run --rm --network near7 --link-local-ip 169.254.7.8 busybox wget -qO- http://169.254.7.7/)" here
box --name later busybox sleep 1000
dk network connect --link-local-ip 169.254.7.9 near7 later
expect_eq "$(dk exec later ping -c 1 -W 2 169.254.7.7 | grep -c ' 0% packet loss')" 1
dk restart -t 0 ll > /dev/null
expect_match "$(dk exec ll ip addr show eth0)" '169\.254\.7\.7/16'
dk rm -f ll later > /dev/null

step "ranges that are not bound, on addresses of IPv6"
for at in '--network near7 -p [::1]' '-p [::1]' '-p [::]'; do
    # shellcheck disable=SC2086
    expect_fails "port 20000 is to be published on an IPv6 address" dk run --rm $at:20000-20300:20000-20300 busybox true
done
box --name wide --network near7 -p '[::]:20000-20300:20000-20300' busybox sh -c 'mkdir /w; echo here > /w/index.html; httpd -f -p 20300 -h /w'
eventually 5 get in_net '[2001:db8:1::1]:20300'
expect_eq "$(get far '[2001:db8:1::1]:20300')" here
expect_status 7 get in_net 127.0.0.1:20300
dk rm -f wide > /dev/null

step "pools and drivers of addresses that are refused"
expect_fails "second pool of the same family" dk network create --subnet 10.91.8.0/24 --subnet 10.91.9.0/24 two
expect_fails "IPAM.Driver: 'other' is not supported" dk network create --ipam-driver other two
expect_fails "IPAM.Options: 'a' is not supported" dk network create --ipam-opt a=b two

step "settings for other networks"
expect_fails "has no driver" dk network create --config-only -d macvlan base
expect_fails "none" dk network create --config-only --internal base
dk network create --config-only --subnet 10.91.2.0/24 --gateway 10.91.2.7 --label a=1 --label b=1 -o com.docker.network.driver.mtu=1400 base > /dev/null
expect_eq "$(dk network inspect -f '{{.ConfigOnly}} {{.Driver}} {{(index .IPAM.Config 0).Subnet}}' base)" "true null 10.91.2.0/24"
expect_fails "settings for other networks" dk run --rm --network base busybox true
expect_fails "user supplied configurations" dk network create --config-from base --subnet 10.91.3.0/24 user
api POST /v1.51/networks/create '{"Name":"user","ConfigFrom":{"Network":"base"},"IPAM":{"Config":[{"IPRange":"10.91.2.128/25"}]}}'
expect_eq "$api_status" 403
expect_fails "not a configuration network" dk network create --config-from only user
dk network create --config-from base --label b=2 user > /dev/null
restart_daemon
expect_eq "$(dk network inspect -f '{{.ConfigFrom.Network}} {{.Driver}} {{(index .IPAM.Config 0).Gateway}} {{.Labels.a}}{{.Labels.b}}' user)" "base bridge 10.91.2.7 12"
expect_match "$(dk run --rm --network user busybox sh -c 'ip link; ip route')" 'mtu 1400'
expect_match "$(dk network inspect base)" '"10.91.2.7"'
expect_fails "in use" dk network rm base
dk network rm user > /dev/null
dk network prune -f > /dev/null
dk network rm base > /dev/null

step "gateway modes"
mode=com.docker.network.bridge.gateway_mode_ipv
expect_fails "not nat" dk network create -o ${mode}4=odd odd
expect_fails "internal networks only" dk network create -o ${mode}4=isolated odd
dk network create --subnet 10.91.4.0/24 --ipv6 --subnet fd91:4::/64 -o ${mode}4=nat-unprotected -o ${mode}6=routed mixed > /dev/null
dk network create --subnet 10.91.5.0/24 --ipv6 --subnet fd91:5::/64 -o ${mode}4=routed -o ${mode}6=nat routed > /dev/null
expect_fails "needs translation" ct run --rm --network routed -p 8080:80,from=10.0.0.0/8 busybox true
web --name mixed1 --network mixed -p 8080:80
web --name routed1 --network routed -p 8090:80 -p 8100-8110:8100-8110
expect_eq "$(dk inspect -f '{{range (index .NetworkSettings.Ports "80/tcp")}}{{.HostIp}}={{.HostPort}} {{end}}' mixed1)" "::= 0.0.0.0=8080 "
eventually 5 get far 198.51.100.1:8080
expect_eq "$(get far "$(four mixed1):81")" here
expect_eq "$(get far "[$(six mixed1)]:80")" here
expect_status 28 get far "[$(six mixed1)]:81" 1
expect_status 7 get far '[2001:db8:1::1]:8080'
expect_eq "$(get far "$(four routed1):80")" here
expect_status 28 get far "$(four routed1):81" 1
expect_status 7 get far "$(four routed1):8105" # it is let through, and nobody listens
expect_status 7 get far 198.51.100.1:8090
expect_eq "$(get far '[2001:db8:1::1]:8090')" here
expect_status 28 get far "[$(six routed1)]:80" 1
far busybox ping -c 1 -W 2 "$(four routed1)" > /dev/null || fail "a routed container does not answer ping"
expect_match "$(in_net corten why unreachable routed1:80)" "container's own address \(IPv4\)"
# From inside a routed network nothing is translated: the other host sees the container itself.
far perl -MIO::Socket::INET -e 'alarm 20; my $s = IO::Socket::INET->new(LocalPort => 7070, Listen => 5, ReuseAddr => 1); while (my $c = $s->accept) { print $c $c->peerhost }' &
listener=$!
at_end "kill $listener 2> /dev/null"
eventually 5 eval 'far ss -ltn | grep -q :7070'
expect_eq "$(dk exec routed1 sh -c 'nc -w 2 198.51.100.2 7070 < /dev/null')" "$(four routed1)"
expect_eq "$(dk exec mixed1 sh -c 'nc -w 2 198.51.100.2 7070 < /dev/null')" 198.51.100.1
in_net ip addr add 198.51.100.9/24 dev ext0
dk network create --subnet 10.91.10.0/24 -o com.docker.network.host_ipv4=198.51.100.9 -o com.docker.network.container_iface_prefix=wan opts > /dev/null
sysctls=driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME
expect_fails "is not net.FAMILY.KIND.IFNAME" dk run --rm --network "name=opts,${sysctls%.IFNAME}.all.forwarding=1" busybox true
expect_fails "set net.ipv4.conf.(IFNAME|ifname).nothing=1" dk run --rm --network "name=opts,$sysctls.nothing=1" busybox true
expect_eq "$(dk run --rm --network "name=opts,$sysctls.log_martians=1" busybox sh -c 'cat /proc/sys/net/ipv4/conf/wan0/log_martians; nc -w 2 198.51.100.2 7070 < /dev/null')" $'1\n198.51.100.9'
dk network create --subnet 10.91.11.0/24 -o com.docker.network.bridge.inhibit_ipv4=true bare > /dev/null
expect_match "$(dk run --rm --network bare busybox ip route)" 'default via 10.91.11.1'
expect_eq "$(in_net ip -4 -o addr show to 10.91.11.0/24)" ""
kill $listener
kill_daemon
in_net nft flush set ip "corten-${instance#corten-}" opened
restart_daemon
eventually 5 get far "$(four routed1):80"
expect_eq "$(get far "[$(six mixed1)]:80")" here
ct update --publish-rm 80/tcp --publish-add 8091:81 routed1 > /dev/null
expect_eq "$(get far "$(four routed1):81")" here
expect_status 28 get far "$(four routed1):80" 1

step "isolated, and ports where none are published"
dk network create --internal --subnet 10.91.6.0/24 -o ${mode}4=isolated apart > /dev/null
expect_match "$(dk run -d --name apart1 --network apart -p 8120:80 busybox sleep 1000 2>&1)" 'discarded on network apart'
expect_eq "$(in_net ip -4 -o addr show to 10.91.6.0/24)" ""
expect_eq "$(dk run --rm --network apart busybox sh -c "ping -c 1 -W 2 $(four apart1) > /dev/null && ip route | grep -c default")" 0
expect_eq "$(dk port apart1)" ""
dk run -d --rm --name other -p 8120:80 busybox sleep 100 > /dev/null # nobody has it
dk rm -f other > /dev/null
dk network connect bridge apart1
expect_match "$(dk port apart1)" '80/tcp -> 0.0.0.0:8120'
expect_fails "already allocated" dk run --rm -p 8120:80 busybox true
dk rm -f apart1 mixed1 routed1 > /dev/null

step "--ip6tables=false"
stop_daemon
in_net nft flush ruleset
start_daemon --ip6tables=false
dk network create --ipv6 --subnet fd91:7::/64 open > /dev/null
web --name open1 --network open -p 8080:80
eventually 5 get far '[2001:db8:1::1]:8080'
expect_eq "$(get far 198.51.100.1:8080)" here
expect_eq "$(get in_net '[::1]:8080')" here
expect_eq "$(get far "[$(six open1)]:81")" here # nothing is filtered
expect_no_match "$(in_net nft list tables)" ip6
expect_fails "ip6tables is off" dk run --rm --network "$(dk network create --internal --ipv6 kept)" busybox true

step "--ipv6 of the default bridge, options of new networks"
dk rm -f open1 > /dev/null
stop_daemon
expect_status 1 "$bin/cortend" --data-root "$TEST_TMP/x" --run-root "$TEST_TMP/y" -H "unix://$TEST_TMP/s" --fixed-cidr-v6 fd91:8::/64
expect_match "$output" "needs ipv6"
start_daemon --ipv6 --fixed-cidr-v6 fd91:8::/64 --default-network-opt bridge=com.docker.network.driver.mtu=1420
expect_eq "$(dk network inspect -f '{{.EnableIPv6}} {{(index .IPAM.Config 1).Subnet}}' bridge)" "true fd91:8::/64"
web --name def -p 8080:80
expect_match "$(six def)" "^fd91:8::"
eventually 5 get far '[2001:db8:1::1]:8080'
expect_eq "$(dk run --rm busybox wget -qO- "http://[$(six def)]/")" here
expect_match "$(dk run --rm --network "$(dk network create tuned)" busybox ip link)" 'mtu 1420'
expect_eq "$(dk network inspect -f '{{index .Options "com.docker.network.driver.mtu"}}' tuned)" 1420
stop_daemon
start_daemon --ipv6 --bip6 fd91:9::7/64
expect_eq "$(dk network inspect -f '{{(index .IPAM.Config 1).Gateway}}' bridge)" fd91:9::7
expect_match "$(dk run --rm busybox ip -6 route)" 'default via fd91:9::7'

# shellcheck disable=SC2046
dk rm -f $(dk ps -aq) > /dev/null
dk network rm only mixed routed apart open kept tuned opts bare > /dev/null
in_net ip link del ext0
expect_nothing_left
pass
