#!/bin/bash
# --link of old: hosts entries and variables on the default network, names on a user-defined one.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

step "on the default network"
dk run -d --name db --hostname dbhost --expose 5432 --expose 53/udp -e COLOR=red busybox sleep 1000 > /dev/null
ip=$(dk inspect -f '{{.NetworkSettings.IPAddress}}' db)
dk run -d --name web --link db:my-db --link db busybox sleep 1000 > /dev/null
expect_match "$(dk exec web cat /etc/hosts)" "^$ip.my-db$"
expect_match "$(dk exec web cat /etc/hosts)" "^$ip.dbhost$"
variables=$(dk exec web env)
for v in "MY_DB_NAME=/web/my-db" "MY_DB_PORT=udp://$ip:53" "MY_DB_PORT_5432_TCP=tcp://$ip:5432" "MY_DB_PORT_5432_TCP_ADDR=$ip" \
    "MY_DB_PORT_5432_TCP_PORT=5432" "MY_DB_PORT_5432_TCP_PROTO=tcp" "MY_DB_ENV_COLOR=red" "DB_PORT_53_UDP=udp://$ip:53"; do
    expect_match "$variables" "^$v$"
done
expect_no_match "$variables" "ENV_PATH"
expect_eq "$(dk inspect -f '{{.HostConfig.Links}}' web)" "[/db:/web/my-db /db:/web/db]"

step "a new address of the target reaches the file"
dk restart -t 0 db > /dev/null
new=$(dk inspect -f '{{.NetworkSettings.IPAddress}}' db)
[ "$new" != "$ip" ] || fail "the address is the same: nothing is shown"
has_new() { [[ $(dk exec web cat /etc/hosts) == *"$new"$'\t'"my-db"* ]]; }
eventually 5 has_new
expect_no_match "$(dk exec web cat /etc/hosts)" "^$ip"

step "what cannot be"
expect_fails "could not get container for nobody" dk run --rm --link nobody busybox true
dk stop -t 0 db > /dev/null
expect_fails "Cannot link to a non running container: /db AS /w2/db" dk run --name w2 --link db busybox true
expect_fails "host type networking|only supported for user-defined networks" dk run --rm --network host --link db busybox true
dk start db > /dev/null

step "on a user-defined network"
dk network create back > /dev/null
dk network connect back db
dk run -d --name user --network back --link db:store busybox sleep 1000 > /dev/null
expect_match "$(dk exec user nslookup store 2>&1)" "$(dk inspect -f '{{.NetworkSettings.Networks.back.IPAddress}}' db)"
expect_no_match "$(dk exec user env)" "STORE"
dk run -d --name other --network back busybox sleep 1000 > /dev/null
expect_status 1 dk exec other nslookup store
dk rm -f db web w2 user other > /dev/null
dk network rm back > /dev/null

step "where containers may not talk to each other: only links, and only to exposed ports"
stop_daemon
start_daemon --icc=false
answer() { dk exec "$1" sh -c "nc -w 2 $2 $3 < /dev/null"; }
says() { [ "$(answer "$1" "$2" "$3")" = "$4" ]; }
for mode in 0 1; do
    [ -e /proc/sys/net/bridge ] && in_net sh -c "echo $mode > /proc/sys/net/bridge/bridge-nf-call-iptables"
    serve='while :; do echo $0 | nc -l -p $1 > /dev/null; done'
    dk run -d --name db --expose 5432 -p 7000:7000 busybox sh -c "(sh -c '$serve' db 5432 & sh -c '$serve' hidden 7000 & sh -c '$serve' other 80); wait" > /dev/null
    dk run -d --name web --link db:store busybox sleep 1000 > /dev/null
    dk run -d --name alone busybox sleep 1000 > /dev/null
    db=$(dk inspect -f '{{.NetworkSettings.IPAddress}}' db)
    eventually 5 says web store 5432 db
    expect_status 1 answer web store 80
    expect_status 1 answer alone "$db" 5432
    # published ports are for everybody, neighbours too
    gateway=$(dk inspect -f '{{.NetworkSettings.Gateway}}' db)
    eventually 5 says alone "$gateway" 7000 hidden
    expect_status 1 dk exec db ping -c 1 -W 1 "$(dk inspect -f '{{.NetworkSettings.IPAddress}}' web)"
    dk restart -t 0 db > /dev/null
    eventually 10 says web store 5432 db
    kill_daemon
    in_net nft flush set ip "corten-${instance#corten-}" linked
    restart_daemon
    eventually 10 says web store 5432 db
    dk stop -t 0 db > /dev/null
    expect_eq "$(in_net nft list set ip "corten-${instance#corten-}" linked | grep -c 5432)" 0
    dk rm -f web alone db > /dev/null
done
expect_nothing_left
pass
