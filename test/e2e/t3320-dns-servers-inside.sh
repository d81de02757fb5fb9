#!/bin/bash
# dnsmasq and bind9 in containers: each has port 53 of all addresses, answers neighbours and, published, the host, while
# corten-dns goes on answering inside the same container.
. "$(dirname "$0")/lib.sh"
command -v dnsmasq > /dev/null || skip "dnsmasq is not installed"
start_daemon
make_busybox_image
dk network create --subnet 10.72.0.0/24 names > /dev/null
dk run -d --name db --network names --ip 10.72.0.50 busybox sleep 1000 > /dev/null
dk run -d --name client --network names busybox sleep 1000 > /dev/null
# This machine's programs, in containers of busybox.
here_mounts=(-v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro)
address() { dk inspect -f '{{.NetworkSettings.Networks.names.IPAddress}}' "$1"; }
ask() { dk exec "$1" nslookup -type=a "$2" ${3:+"$3"} 2>&1; } # WHERE NAME [SERVER]
check() { # NAME PORT
    local at
    at=$(address "$1")
    answers() { ask client own.test "$at" | grep -q '10\.9\.9\.9'; }
    eventually 10 answers
    expect_match "$(dk exec "$1" netstat -lnu)" '(0\.0\.0\.0|127\.0\.0\.1|10\.72\.0\.[0-9]+):53 '
    expect_match "$(ask "$1" db)" '10\.72\.0\.50'              # corten-dns, inside the server's own container
    expect_match "$(ask "$1" own.test 127.0.0.1)" '10\.9\.9\.9' # the server itself, by its loopback
    expect_match "$(ask client "$1")" "$at"
    expect_match "$(in_net busybox nslookup -type=a own.test "127.0.0.1:$2" 2>&1)" '10\.9\.9\.9'
}

step "dnsmasq"
dk run -d --name masq --network names -p 5301:53/udp -p 5301:53/tcp "${here_mounts[@]}" busybox \
    /usr/sbin/dnsmasq -k -C /dev/null -u root --pid-file=/tmp/pid --no-hosts --no-resolv --server=127.0.0.11 \
    --address=/own.test/10.9.9.9 > /dev/null
check masq 5301
expect_match "$(dk exec masq netstat -lnu)" '0\.0\.0\.0:53 '
expect_match "$(ask client db "$(address masq)")" '10\.72\.0\.50' # dnsmasq asks corten-dns
kill_daemon
restart_daemon
check masq 5301

step "bind9"
cache=$root/.cache/bind9-debs
if [ ! -e "$cache/complete" ]; then
    rm -rf "$cache.$$" && mkdir -p "$cache.$$"
    (cd "$cache.$$" && apt-get -qq download bind9 bind9-libs libjemalloc2 liblmdb0 libmaxminddb0 libprotobuf-c1 libfstrm0 libuv1 libxml2 libnghttp2-14 libjson-c5 libcap2) > /dev/null 2>&1 &&
        for deb in "$cache.$$"/*.deb; do dpkg-deb -x "$deb" "$cache.$$"; done && touch "$cache.$$/complete"
    rm -rf "$cache" && mv "$cache.$$" "$cache"
fi
if [ -e "$cache/complete" ]; then
    mkdir "$TEST_TMP/conf"
    printf 'options { directory "/tmp"; listen-on { any; }; listen-on-v6 { any; }; recursion no; pid-file none; };\nzone "own.test" { type master; file "/conf/zone"; };\n' > "$TEST_TMP/conf/named.conf"
    printf '$TTL 60\n@ SOA ns hostmaster 1 60 60 60 60\n@ NS ns\n@ A 10.9.9.9\nns A 127.0.0.1\n' > "$TEST_TMP/conf/zone"
    dk run -d --name bind --network names -p 5302:53/udp -p 5302:53/tcp "${here_mounts[@]}" -v "$cache:/bind:ro" \
        -v "$TEST_TMP/conf:/conf:ro" -e LD_LIBRARY_PATH=/bind/usr/lib/x86_64-linux-gnu:/bind/lib/x86_64-linux-gnu busybox \
        /bind/usr/sbin/named -g -c /conf/named.conf > /dev/null
    check bind 5302
    dk rm -f bind > /dev/null
else
    echo "bind9's packages cannot be had"
fi
dk rm -f masq db client > /dev/null
dk network rm names > /dev/null
expect_nothing_left
pass
