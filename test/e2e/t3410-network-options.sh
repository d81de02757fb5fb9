#!/bin/bash
# The daemon's network options with real traffic: --bip, --fixed-cidr, --icc, --default-address-pool; and rules
# of another version are replaced under running containers.
. "$(dirname "$0")/lib.sh"
start_daemon --bip 10.91.0.1/24 --fixed-cidr 10.91.0.128/25 --icc=false --userland-proxy=false \
    --default-address-pool base=10.92.0.0/16,size=24
make_busybox_image
serve='mkdir -p /w; hostname > /w/index.html; exec httpd -f -p 80 -h /w'
fetch() { in_net timeout 5 busybox wget -q -O - "http://$1/"; }
address() { dk inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1"; }

step "the default bridge"
dk run -d --name web --hostname web -p 8080:80 busybox sh -c "$serve" > /dev/null
dk run -d --name other busybox sleep 1000 > /dev/null
expect_eq "$(address web)" 10.91.0.128
expect_eq "$(dk exec web ip route | awk '/^default/ {print $3}')" 10.91.0.1
eventually 5 fetch 127.0.0.1:8080
expect_status 1 dk exec other ping -c 1 -W 1 10.91.0.128

step "pools"
dk network create one > /dev/null
dk network create two > /dev/null
expect_eq "$(dk network inspect -f '{{(index .IPAM.Config 0).Subnet}}' one two | tr '\n' ' ')" "10.92.0.0/24 10.92.1.0/24 "

step "rules of another version"
table=$(in_net nft list tables ip | awk '/corten/ {print $3}')
version=$(in_net nft list table ip "$table" | awk '/set version_/ {print $2}')
[ -n "$version" ] || fail "no version in the rules"
kill_daemon
in_net nft delete set ip "$table" "$version"
in_net nft flush chain ip "$table" forward
restart_daemon
renewed() { in_net nft list table ip "$table" | grep -q "set $version"; }
eventually 5 renewed
eventually 5 fetch 127.0.0.1:8080
expect_status 1 dk exec other ping -c 1 -W 1 10.91.0.128
expect_eq "$(dk exec other ping -c 1 -W 2 10.91.0.1 | grep -c ' 0% packet loss')" 1

step "what cannot be"
stop_daemon
for wrong in "--fixed-cidr 10.99.0.0/24" "--default-address-pool base=10.0.0.0/8,size=4"; do
    # shellcheck disable=SC2086
    if "$bin/cortend" --data-root "$TEST_TMP/w" --run-root "$TEST_TMP/wr" --bip 10.91.0.1/24 $wrong > "$TEST_TMP/out" 2>&1; then
        fail "accepted: $wrong"
    fi
done
restart_daemon
dk rm -f web other > /dev/null
dk network rm one two > /dev/null
expect_nothing_left
pass
