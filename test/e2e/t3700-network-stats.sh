#!/bin/bash
# What goes through networks: by container, in the right direction, and by the host's interface; in the API,
# the command line and the metrics. Counts grow by what was sent.
. "$(dirname "$0")/lib.sh"
start_daemon --metrics-addr 127.0.0.1:9323
make_busybox_image
size=1048576 slack=262144 # acknowledgements, ARP, multicast
serve="mkdir /w; head -c $size /dev/zero > /w/big; exec httpd -f -p 80 -h /w"
dk network create --subnet 10.97.0.0/24 back > /dev/null
dk run -d --name server --network back --ip 10.97.0.5 busybox sh -c "$serve" > /dev/null
dk run -d --name client --network back busybox sleep 1000 > /dev/null
get() { ct network stats --no-stream --format "{{if eq .Container \"$2\"}}{{.$3}}{{end}}" "$1" | grep .; }
series() { in_net curl -sS http://127.0.0.1:9323/metrics | sed -n "s/^corten_network_$1{network=\"back\",[^}]*} //p"; }
about() { # WHAT GROWTH EXPECTED
    [ "$2" -ge "$3" ] && [ "$2" -le $(($3 + slack)) ] || fail "$1: grew by $2, not by some more than $3"
}
serves() { dk exec client wget -q -O /dev/null http://10.97.0.5/big; }
eventually 5 serves

step "from container to container: both ends, each in its direction, and nothing at the bridge"
take() {
    server_rx=$(get back server RxBytes) server_tx=$(get back server TxBytes)
    client_rx=$(get back client RxBytes) client_tx=$(get back client TxBytes)
    bridge_rx=$(get back - RxBytes) bridge_tx=$(get back - TxBytes)
}
take
old=("$server_rx" "$server_tx" "$client_rx" "$client_tx" "$bridge_rx" "$bridge_tx")
serves || fail "fetch"
take
about "server rx" $((server_rx - old[0])) 0
about "server tx" $((server_tx - old[1])) $size
about "client rx" $((client_rx - old[2])) $size
about "client tx" $((client_tx - old[3])) 0
about "bridge rx" $((bridge_rx - old[4])) 0
about "bridge tx" $((bridge_tx - old[5])) 0

step "to the host: the bridge has received it, and the metrics say so"
old=("$(series receive_bytes_total)" "$(series transmit_bytes_total)" "$bridge_rx")
in_net busybox wget -q -O /dev/null http://10.97.0.5/big || fail "fetch from the host"
about "metric received" $(($(series receive_bytes_total) - old[0])) $size
about "metric sent" $(($(series transmit_bytes_total) - old[1])) 0
about "bridge rx" $(($(get back - RxBytes) - old[2])) $size
expect_eq "$(in_net curl -sS http://127.0.0.1:9323/metrics | grep '^corten_network_endpoints{network="back"')" \
    'corten_network_endpoints{network="back",driver="bridge"} 2'
api GET /corten/metrics
expect_match "$output" '^corten_network_receive_packets_total\{network="back",interface="corten-[0-9a-f]{8}"\} [1-9]'

step "packets: ten are ten"
before=$(get back client TxPackets)
dk exec client ping -q -c 10 -i 0.1 10.97.0.5 > /dev/null || fail "ping"
packets=$(($(get back client TxPackets) - before))
[ "$packets" -ge 10 ] && [ "$packets" -le 30 ] || fail "$packets packets for ten"

step "forms: table, --json, the API once and as a stream, all networks"
expect_match "$(ct network stats --no-stream back | head -n 1)" '^NETWORK +CONTAINER +INTERFACE +NET I/O +PACKETS +ERRORS +DROPS'
expect_match "$(ct network stats --no-stream)" '^back +client +eth0 '
output=$(ct network stats --no-stream --json back)
expect_eq "$(jq -r 'select(.Container == "server") | .Network, (.TxBytes | tonumber) > 1000000' <<< "$output" | tr '\n' ' ')" "back true "
api GET "/v1.51/networks/back/stats?stream=0"
expect_eq "$(jq -r '[.name, .driver, .containers[].name] | sort | join(" ")' <<< "$output")" "back bridge client server"
expect_eq "$(in_net curl -sS -N --max-time 4 --unix-socket "$SOCKET" http://d/networks/back/stats 2> /dev/null | head -n 2 | jq -s 'length')" 2
api GET "/v1.51/networks/none/stats?stream=0"
expect_eq "$(jq -c '[.name, has("interface"), .containers]' <<< "$output")" '["none",false,{}]'
api GET "/v1.51/networks/nosuch/stats"
expect_eq "$api_status" 404
expect_fails "nosuch" ct network stats --no-stream nosuch

step "who is disconnected is gone, who runs is known after the daemon's restart"
dk network disconnect back client
kill_daemon
restart_daemon
expect_eq "$(ct network stats --no-stream --format '{{.Container}}' back | sort | tr '\n' ' ')" "- server "

step "macvlan: counted in the container"
in_net ip link add par0 type veth peer name par1
in_net ip link set par0 up
in_net ip link set par1 up
in_net ip addr add 10.98.0.1/24 dev par1
if in_net ip link add link par0 name probe type macvlan mode bridge 2> /dev/null; then
    in_net ip link del probe
    dk network create -d macvlan --subnet 10.98.0.0/24 --gateway 10.98.0.1 -o parent=par0 lan > /dev/null
    dk run -d --name wide --network lan --ip 10.98.0.7 busybox sh -c "$serve" > /dev/null
    there() { in_net busybox wget -q -O /dev/null http://10.98.0.7/big; }
    eventually 5 there
    old=("$(get lan wide RxBytes)" "$(get lan wide TxBytes)" "$(get lan - TxBytes)")
    there || fail "fetch"
    about "macvlan rx" $(($(get lan wide RxBytes) - old[0])) 0
    about "macvlan tx" $(($(get lan wide TxBytes) - old[1])) $size
    about "parent tx" $(($(get lan - TxBytes) - old[2])) $size
    expect_match "$(ct network stats --no-stream lan)" '^lan +- +par0 '
    dk rm -f wide > /dev/null
    dk network rm lan > /dev/null
fi
in_net ip link del par0
dk rm -f server client > /dev/null
dk network rm back > /dev/null
expect_nothing_left
pass
