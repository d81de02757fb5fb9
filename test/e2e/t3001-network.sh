#!/bin/bash
# Default bridge, published ports, none and host, user-defined networks, with real traffic by the stock
# docker CLI.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
in_net ip link add ext0 type veth peer name ext1
in_net ip addr add 198.51.100.1/24 dev ext0
in_net ip link set ext0 up
in_net ip link set ext1 up

fetch() { in_net timeout 5 busybox wget -q -O - "http://$1/"; }
# busybox linked statically cannot look up service names, so no wget in containers.
get() { echo "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 5 nc $1 $2 | tail -n 1"; }
serve='mkdir -p /w; hostname > /w/index.html; exec httpd -f -p 80 -h /w'
bare_port() { dk port "$1" 80/tcp | sed 's/.*://; q'; }

step "nothing is made before the first container needs it"
dk run --rm --network none busybox true
expect_eq "$(in_net ip -o link | grep -c corten)" "0"

step "what a container sees"
expect_eq "$(dk run --rm busybox ip -4 -o addr show eth0 | awk '{print $4}')" "172.17.0.2/16"
expect_match "$(dk run --rm busybox ip route)" "^default via 172\.17\.0\.1 dev eth0"
expect_match "$(dk run --rm --hostname box busybox cat /etc/hosts)" "^172\.17\.0\.[0-9]+.box$"
expect_match "$(dk run --rm --add-host db:10.1.1.1 busybox cat /etc/hosts)" "^10\.1\.1\.1.db$"
expect_match "$(dk run --rm --dns 9.9.9.9 --dns-search a.org busybox cat /etc/resolv.conf)" "^nameserver 9.9.9.9"
expect_eq "$(dk run --rm --network none busybox sh -c 'ls /sys/class/net')" "lo"
dk run --rm --network none busybox ping -c 1 -W 2 127.0.0.1 > /dev/null
expect_match "$(dk run --rm --network host busybox ip -4 -o addr show ext0)" "198.51.100.1/24"

step "published ports"
dk run -d --name web --hostname web -p 8080:80 busybox sh -c "$serve" > /dev/null
expect_eq "$(dk port web | tr '\n' ' ')" "80/tcp -> 0.0.0.0:8080 80/tcp -> [::]:8080 "
eventually 5 fetch 127.0.0.1:8080
expect_eq "$(fetch 127.0.0.1:8080)" "web"
expect_eq "$(fetch 198.51.100.1:8080)" "web"
address=$(dk inspect -f '{{.NetworkSettings.IPAddress}}' web)
expect_eq "$(fetch "$address:80")" "web"
gateway=$(dk inspect -f '{{.NetworkSettings.Gateway}}' web)
expect_eq "$(dk run --rm busybox sh -c "$(get "$address" 80)")" "web"
expect_eq "$(dk run --rm busybox sh -c "$(get "$gateway" 8080)")" "web"
expect_eq "$(dk exec web sh -c "$(get "$gateway" 8080)")" "web"
expect_match "$(dk ps)" "0.0.0.0:8080->80/tcp"

step "conflicts name the holder, both ways"
expect_fails "Bind for 0.0.0.0:8080 failed: port is already allocated" dk run --rm -p 8080:80 busybox true
expect_fails "address already in use|Address already in use" in_net busybox nc -l -p 8080
dk run -d --name random --hostname random -p 80 busybox sh -c "$serve" > /dev/null
port=$(bare_port random)
eventually 5 fetch "127.0.0.1:$port"
expect_eq "$(fetch "127.0.0.1:$port")" "random"
dk run -d --name local --hostname local -p 127.0.0.1:8081:80 busybox sh -c "$serve" > /dev/null
eventually 5 fetch 127.0.0.1:8081
expect_status 1 fetch 198.51.100.1:8081

step "published ports outlive the daemon"
kill_daemon
expect_eq "$(fetch 127.0.0.1:8080)" "web"
start_daemon
expect_eq "$(fetch 127.0.0.1:8080)" "web"
expect_eq "$(dk port web | tr '\n' ' ')" "80/tcp -> 0.0.0.0:8080 80/tcp -> [::]:8080 "
expect_eq "$(bare_port random)" "$port"
expect_fails "port is already allocated \(by container web\)" dk run --rm -p 8080:80 busybox true

step "stop and start again"
dk restart -t 0 web > /dev/null
eventually 5 fetch 127.0.0.1:8080
dk rm -f web random local > /dev/null
expect_status 1 fetch 127.0.0.1:8080
dk run --rm -p 8080:80 busybox true

step "lists"
expect_eq "$(dk network ls --format '{{.Name}} {{.Driver}}' | sort | tr '\n' ';')" "bridge bridge;host host;none null;"
expect_eq "$(dk network inspect -f '{{(index .IPAM.Config 0).Subnet}}' bridge)" "172.17.0.0/16"
expect_fails "No such network|network nope not found" dk network inspect nope
expect_fails "not found" dk run --rm --network nope busybox true

step "user-defined networks"
dk network create --subnet 10.77.0.0/24 --label tier=db back > /dev/null
expect_fails "already exists" dk network create back
expect_fails "overlaps" dk network create --subnet 10.77.0.0/16 other
expect_fails "not supported" dk network create -d overlay other
dk run -d --name db --hostname db --network back -p 8090:80 busybox sh -c "$serve" > /dev/null
expect_match "$(dk inspect db)" '"IPAddress": "10.77.0.2"'
eventually 5 fetch 127.0.0.1:8090
expect_eq "$(dk run --rm --network back busybox sh -c "$(get 10.77.0.2 80)")" "db"
expect_eq "$(dk run --rm busybox sh -c "$(get 10.77.0.2 80)")" ""
expect_fails "active endpoints" dk network rm back
dk rm -f db > /dev/null
expect_eq "$(dk network rm back)" "back"
expect_eq "$(in_net ip -o link show type bridge | wc -l)" "1"

in_net ip link del ext0
expect_nothing_left
pass
