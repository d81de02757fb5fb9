#!/bin/bash
# corten in a privileged container of corten: its containers start, stop, talk, build; the outer engine sees one container.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
libs=$(for p in "$bin"/cortend "$bin"/corten "$bin"/corten-worker "$bin"/corten-build "$bin"/corten-dns "$bin"/corten-relay "$(command -v nft)"; do
    ldd "$p" 2> /dev/null
done | grep -o '/[^ ]*' | sort -u)
mkdir -p "$TEST_TMP/root/bin" "$TEST_TMP/root/lib64" "$TEST_TMP/root/etc" "$TEST_TMP/root/tmp" "$TEST_TMP/root/usr/sbin" "$TEST_TMP/root/var" "$TEST_TMP/root/root"
cp -L /bin/busybox "$TEST_TMP/root/bin/"
for name in $(/bin/busybox --list); do [ -e "$TEST_TMP/root/bin/$name" ] || ln -s busybox "$TEST_TMP/root/bin/$name"; done
for lib in $libs; do mkdir -p "$TEST_TMP/root${lib%/*}" && cp -L "$lib" "$TEST_TMP/root$lib"; done
cp -L "$(command -v nft)" "$TEST_TMP/root/usr/sbin/nft"
mkdir -p "$TEST_TMP/root/opt/corten"
cp -L "$bin"/corten* "$TEST_TMP/root/opt/corten/" 2> /dev/null
rm -f "$TEST_TMP"/root/opt/corten/*.p
echo 'root:x:0:0:root:/root:/bin/sh' > "$TEST_TMP/root/etc/passwd"
tar -C "$TEST_TMP/root" -cf - . | dk import - engine > /dev/null || fail import
dk save -o "$TEST_TMP/busybox.tar" busybox
dk run -d --name inner --privileged --init -v data:/var/lib/corten -v "$TEST_TMP/busybox.tar:/busybox.tar:ro" -p 18091:18091 engine \
    /opt/corten/cortend --host unix:///tmp/sock > /dev/null
in_it() { dk exec -e CORTEN_HOST=unix:///tmp/sock -e PATH=/opt/corten:/usr/sbin:/bin inner "$@"; }
for i in $(seq 100); do in_it corten ps > /dev/null 2>&1 && break; sleep 0.1; done
in_it corten ps > /dev/null 2>&1 || fail "it does not answer: $(dk logs inner 2>&1 | tail -5)"
in_it corten load -i /busybox.tar > /dev/null || fail load

step "containers in it"
expect_eq "$(in_it corten run --rm busybox echo deep)" deep
in_it corten run -d --name web -p 18091:80 --memory 64m busybox sh -c 'while :; do echo -e "HTTP/1.0 200 OK\r\n\r\ndeep" | nc -l -p 80; done' > /dev/null || fail web
in_it corten network create own > /dev/null || fail network
in_it corten run -d --name named --network own busybox sleep 1000 > /dev/null
expect_match "$(in_it corten run --rm --network own busybox ping -c1 -W2 named)" "1 packets received"
expect_eq "$(in_it corten exec named cat /proc/1/comm)" sleep
eventually 5 bash -c '[ "$(nsenter --net="/proc/$1/ns/net" curl -s -m 2 http://127.0.0.1:18091/)" = deep ]' - "$net_pid"
expect_eq "$(dk ps --format '{{.Names}}')" inner
in_it corten stop -t 1 web named > /dev/null || fail stop

step "its end leaves nothing, and its data are there for the next one"
dk rm -f inner > /dev/null
if [ -n "${CORTEN_FULL:-}" ]; then
    dk run -d --name inner --privileged --init -v data:/var/lib/corten engine /opt/corten/cortend --host unix:///tmp/sock > /dev/null
    for i in $(seq 100); do in_it corten ps > /dev/null 2>&1 && break; sleep 0.1; done
    expect_eq "$(in_it corten ps -a --format '{{.Names}}' | sort | tr '\n' ' ')" "named web "
    in_it corten start named > /dev/null || fail "start again"
    dk rm -f inner > /dev/null
fi
dk volume rm data > /dev/null
expect_nothing_left
pass
