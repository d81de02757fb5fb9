#!/bin/bash
# Names in user-defined networks: containers, aliases, short ids, several addresses, reverse names, SRV and
# TXT; what is forwarded and what never leaves; TCP; restarts of the daemon and of corten-dns.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
log=$TEST_TMP/upstream.log
in_net perl "$here/upstream.pl" 127.0.0.9 "$log" &
eventually 5 in_net busybox nslookup example.org 127.0.0.9 > /dev/null

# A question from inside a container: its network namespace, this machine's tools.
ask() { # CONTAINER NAME [TYPE] [OPTION…]
    local pid
    pid=${down_pid:-$(dk inspect -f '{{.State.Pid}}' "$1")}
    nsenter --net="/proc/$pid/ns/net" perl "$here/ask.pl" 127.0.0.11 "${@:2}"
}
run() { dk run -d --dns 127.0.0.9 "$@" busybox sleep 1000 > /dev/null; }
dk network create --subnet 10.71.0.0/24 one > /dev/null
dk network create --subnet 10.72.0.0/24 two > /dev/null
dk network create --subnet 10.73.0.0/24 --internal in > /dev/null

step "names, aliases, short ids"
dk run -d --name web --network one --network-alias www --expose 80 --expose 53/udp --label tier=front --dns 127.0.0.9 busybox sleep 1000 > "$TEST_TMP/web.id"
short=$(cut -c1-12 "$TEST_TMP/web.id")
run --name db --network one --network-alias WWW --hostname dbhost
run --name far --network two
expect_eq "$(ask web db)" "NOERROR 10.71.0.3"
expect_eq "$(ask db WEB)" "NOERROR 10.71.0.2"
expect_eq "$(ask db web.one)" "NOERROR 10.71.0.2"
expect_eq "$(ask db "$short")" "NOERROR 10.71.0.2"
expect_eq "$(ask web dbhost)" "NOERROR 10.71.0.3"
expect_eq "$(ask web web)" "NOERROR 10.71.0.2"
expect_eq "$(ask web www | tr ' ' '\n' | sort | tr '\n' ' ')" "10.71.0.2 10.71.0.3 NOERROR "
[ "$(ask web www)" != "$(ask web www)" ] || fail "the order does not rotate"
expect_eq "$(dk exec web nslookup db 2>&1 | awk '/^Name/ {n = 1} n && /^Address/ {print $NF}')" "10.71.0.3"
expect_eq "$(dk exec web cat /etc/resolv.conf | head -n 1)" "nameserver 127.0.0.11"
expect_match "$(dk exec web cat /etc/resolv.conf)" "^options ndots:0"

step "other types"
expect_eq "$(ask web db AAAA)" "NOERROR "
expect_eq "$(ask web 3.0.71.10.in-addr.arpa PTR)" "NOERROR db.one"
expect_eq "$(ask web 99.0.71.10.in-addr.arpa PTR)" "NXDOMAIN "
expect_eq "$(ask db _80._tcp.web SRV)" "NOERROR 0:0:80:web.one"
expect_match "$(ask db web SRV)" "0:0:53:web.one"
expect_match "$(ask db web TXT)" "tier=front"
expect_eq "$(ask web db A tcp)" "NOERROR 10.71.0.3"
expect_eq "$(ask web localhost)" "NOERROR 127.0.0.1"

step "what is forwarded, and what never is"
expect_eq "$(ask web example.org)" "NOERROR 192.0.2.1"
expect_eq "$(ask web nothing.example.org)" "NXDOMAIN "
expect_eq "$(ask web example.org A tcp)" "NOERROR 192.0.2.1"
expect_eq "$(ask web big.example.org A | cut -c1-13)" "NOERROR TRUNC"
expect_eq "$(ask web big.example.org A tcp | wc -w)" 101
asked=$(grep -c '^example.org' "$log")
ask web Example.ORG > /dev/null
expect_eq "$(grep -c -i '^example.org' "$log")" "$asked"
expect_eq "$(ask web far)" "NXDOMAIN "
run --name closed --network in
expect_eq "$(ask closed closed)" "NOERROR 10.73.0.2"
expect_eq "$(ask closed leak.example.org)" "SERVFAIL "
expect_eq "$(grep -E -c '^(far|web|db|leak)' "$log")" 0

step "a container may bind port 53 itself"
dk exec -d web sh -c 'nc -l -p 53 > /dev/null'
eventually 5 dk exec web sh -c 'netstat -ltn | grep -q ":53 "'
expect_eq "$(ask web db)" "NOERROR 10.71.0.3"

step "connect, rename, stop"
dk network connect --alias remote one far
expect_eq "$(ask web far)" "NOERROR 10.71.0.4"
expect_eq "$(ask web remote)" "NOERROR 10.71.0.4"
dk run -d --name plain --dns 127.0.0.9 busybox sleep 1000 > /dev/null
dk network connect one plain
eventually 5 sh -c "[ \"\$(docker exec plain head -n 1 /etc/resolv.conf)\" = 'nameserver 127.0.0.11' ]"
expect_eq "$(ask plain db)" "NOERROR 10.71.0.3"
dk network disconnect one plain
dk network connect one plain
expect_eq "$(ask plain db)" "NOERROR 10.71.0.3"
dk rename far near
expect_eq "$(ask web near)" "NOERROR 10.71.0.4"
dk rm -f near plain > /dev/null
expect_eq "$(ask web near)" "NOERROR 192.0.2.1"

step "names of a running container come and go"
ct update --alias-add fresh --alias-add one:newer --alias-rm www web > /dev/null
expect_eq "$(ask db fresh) $(ask db newer)" "NOERROR 10.71.0.2 NOERROR 10.71.0.2"
expect_eq "$(ask web www)" "NOERROR 10.71.0.3" # db alone, as WWW
expect_fails "no alias 'www'" ct update --alias-rm www web
expect_fails "not connected" ct update --alias-add two:x web
expect_eq "$(dk inspect -f '{{.NetworkSettings.Networks.one.Aliases}}' web)" "[fresh newer]"

step "without the daemon, and after corten-dns was killed"
down_pid=$(dk inspect -f '{{.State.Pid}}' web)
kill_daemon
expect_eq "$(ask web db)" "NOERROR 10.71.0.3"
restart_daemon
down_pid=
expect_eq "$(ask db fresh)" "NOERROR 10.71.0.2"
expect_eq "$(ask web db)" "NOERROR 10.71.0.3"
dns=$(for p in $(our_pids); do tr '\0' ' ' < "/proc/$p/cmdline" | grep -q '^corten-dns' && echo "$p"; done)
[ -n "$dns" ] || fail "no corten-dns runs"
expect_eq "$(awk '/^Uid/ {print $2}' "/proc/$dns/status")" 61183
kill -9 "$dns"
eventually 10 sh -c "nsenter --net=/proc/$(dk inspect -f '{{.State.Pid}}' web)/ns/net perl '$here/ask.pl' 127.0.0.11 db | grep -q 'NOERROR 10.71.0.3'"

step "nothing is left"
kill_daemon
kill_containers
restart_daemon
dk rm -f web db closed > /dev/null
dk network rm one two in > /dev/null
expect_nothing_left
pass
