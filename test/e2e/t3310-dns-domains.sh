#!/bin/bash
# Servers of their own for domains, names on the default bridge, search lists and ndots, answers that are lies,
# host-gateway.
. "$(dirname "$0")/lib.sh"
start_daemon --bridge-names --dns-forward corp.example=127.0.0.8 --dns-forward lab.corp.example=127.0.0.7 \
    --dns-forward 10.in-addr.arpa=127.0.0.8 --dns 127.0.0.9 --dns-search corp.example --dns-opt ndots:1 --dns-opt timeout:3 \
    --host-gateway-ip 203.0.113.9
make_busybox_image
upstreams=()
for n in 9:192.0.2.1 8:192.0.2.8 7:192.0.2.7; do
    nsenter --net="/proc/$net_pid/ns/net" perl "$here/upstream.pl" "127.0.0.${n%%:*}" "$TEST_TMP/upstream.${n%%:*}" "${n#*:}" &
    upstreams+=($!)
    eventually 5 in_net busybox nslookup example.org "127.0.0.${n%%:*}"
done
ask() { nsenter "--net=/proc/$(dk inspect -f '{{.State.Pid}}' "$1")/ns/net" perl "$here/ask.pl" 127.0.0.11 "${@:2}"; }

step "names on the default bridge"
dk run -d --name web busybox sleep 1000 > /dev/null
dk run -d --name db busybox sleep 1000 > /dev/null
expect_eq "$(dk exec web cat /etc/resolv.conf | tr '\n' ';')" "nameserver 127.0.0.11;search corp.example;options ndots:1 timeout:3;"
expect_eq "$(ask web db)" "NOERROR $(dk inspect -f '{{.NetworkSettings.IPAddress}}' db)"
dk rename db store
expect_eq "$(ask web store)" "NOERROR $(dk inspect -f '{{.NetworkSettings.IPAddress}}' store)"

step "domains"
expect_eq "$(ask web www.example.org)" "NOERROR 192.0.2.1"
expect_eq "$(ask web CORP.example)" "NOERROR 192.0.2.8"
expect_eq "$(ask web www.corp.example)" "NOERROR 192.0.2.8"
expect_eq "$(ask web a.lab.corp.example)" "NOERROR 192.0.2.7"
expect_eq "$(ask web notcorp.example)" "NXDOMAIN "
expect_match "$(cat "$TEST_TMP/upstream.9")" "^notcorp.example 1$"
ask web 3.2.1.10.in-addr.arpa PTR > /dev/null
expect_match "$(cat "$TEST_TMP/upstream.8")" "^3.2.1.10.in-addr.arpa 12$"
expect_no_match "$(cat "$TEST_TMP/upstream.9")" "(^|\.)corp\.example|^web|^store"
expect_eq "$(dk run --rm --dns 127.0.0.9 busybox nslookup z.corp.example 2>&1 | awk '/^Address/ {a = $NF} END {print a}')" 192.0.2.8
# the resolver's own search: the name as it is has a dot too few
expect_match "$(dk exec web nslookup mail.corp.example. 2>&1)" "192.0.2.8"

step "lies"
expect_eq "$(ask web spoof.example.org)" "NOERROR 192.0.2.1"
expect_eq "$(ask web lies.example.org)" "SERVFAIL "
expect_eq "$(ask web spoof.example.org)" "NOERROR 192.0.2.1"
expect_eq "$(ask web evilevi.example.org)" "NOERROR 192.0.2.1"

step "after a restart of the daemon, and of corten-dns"
restart_daemon
expect_eq "$(ask web x.corp.example)" "NOERROR 192.0.2.8"
dns=$(for p in $(our_pids); do tr '\0' ' ' < "/proc/$p/cmdline" | grep -q '^corten-dns' && echo "$p"; done)
kill -9 "$dns"
again() { [ "$(ask web y.corp.example)" = "NOERROR 192.0.2.8" ]; }
eventually 10 again

step "host-gateway"
expect_match "$(dk run --rm --add-host up:host-gateway busybox cat /etc/hosts)" "^203.0.113.9.up$"
expect_match "$(dk run --rm --network host --add-host up:host-gateway busybox cat /etc/hosts)" "^203.0.113.9.up$"
stop_daemon
start_daemon
expect_match "$(dk run --rm --network host --add-host up:host-gateway busybox cat /etc/hosts)" "^127.0.0.1.up$"
expect_match "$(dk run --rm --add-host up:host-gateway busybox sh -c 'echo $(route -n | awk "/^0/ {print \$2}") up; cat /etc/hosts' | tr '\t' ' ' | sort | uniq -d)" "^172.*up$"
expect_fails "no way to the host" dk run --rm --network none --add-host up:host-gateway busybox true

step "what cannot be"
stop_daemon
for wrong in "--dns-forward corp" "--dns-forward corp=nowhere" "--dns-forward a..b=127.0.0.1" "--host-gateway-ip there" \
    "--dns-forward c=1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4"; do
    # shellcheck disable=SC2086
    if "$bin/cortend" --data-root "$TEST_TMP/w" --run-root "$TEST_TMP/wr" $wrong > "$TEST_TMP/out" 2>&1; then
        fail "accepted: $wrong"
    fi
done
restart_daemon
dk rm -f web store > /dev/null
kill "${upstreams[@]}"
wait "${upstreams[@]}" 2> /dev/null
expect_nothing_left
pass
