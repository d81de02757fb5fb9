#!/bin/bash
# What a start finds made: the lowest layer with places to mount on, and a monitor; what it leaves when its network fails.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
upper() { ls -A "$DATA_ROOT/container/$(ct inspect -f '{{.Id}}' "$1")/upper"; }
spares() { local p; for p in $(our_pids); do grep -qs -- '----' "/proc/$p/cmdline" && echo "$p"; done; }
one_spare() { [ "$(spares | wc -l)" = 1 ]; }
no_spare() { [ -z "$(spares)" ]; }

step "an image without any place to mount on: a start writes nothing into the container"
mkdir -p "$TEST_TMP/bare/bin" "$TEST_TMP/own/bin" "$TEST_TMP/own/etc" "$TEST_TMP/own/usr/hosts"
cp "$(readlink -f "$(command -v busybox)")" "$TEST_TMP/bare/bin/busybox"
tar -C "$TEST_TMP/bare" -c . | ct import - bare > /dev/null
ct run --name plain bare /bin/busybox true || fail "run without places"
[ -n "${CORTEN_STORAGE_DRIVER:-}" ] || expect_eq "$(upper plain)" ""
expect_eq "$(ct diff plain)" ""
expect_eq "$(ct run --rm bare /bin/busybox ls / | tr '\n' ' ')" "bin dev etc proc sys "
expect_eq "$(ct run --rm bare /bin/busybox ls /etc | tr '\n' ' ')" "hostname hosts resolv.conf "
expect_eq "$(ct run --rm bare /bin/busybox sh -c 'busybox touch /etc/own && busybox ls /etc' | tr '\n' ' ')" "hostname hosts own resolv.conf "

step "what the image has there is what is seen"
cp "$TEST_TMP/bare/bin/busybox" "$TEST_TMP/own/bin/"
ln -s ../usr/hosts/real "$TEST_TMP/own/etc/hosts"
chmod 711 "$TEST_TMP/own/etc"
tar -C "$TEST_TMP/own" -c . | ct import - own > /dev/null
expect_eq "$(ct run --rm own /bin/busybox stat -c %a /etc)" 711
expect_eq "$(ct run --rm own /bin/busybox readlink /etc/hosts)" "../usr/hosts/real"
expect_match "$(ct run --rm own /bin/busybox cat /usr/hosts/real)" localhost

step "the store's check knows the layer"
expect_no_match "$(ct system check 2>&1)" ground

step "a monitor is made for the next start, which takes it"
eventually 5 one_spare
spare=$(spares)
id=$(ct run -d --name next busybox sleep 1000)
expect_eq "$(tr '\0' ' ' < "/proc/$spare/cmdline")" "corten-monitor $id "
eventually 5 one_spare
spare=$(spares)
kill_daemon
eventually 5 no_spare
spawn_daemon
expect_eq "$(ct exec next echo on)" on
expect_eq "$(ct inspect -f '{{.State.Running}}' next)" true

step "a start whose network cannot be made leaves nothing, and can be repeated"
ct run -d --name holder -p 127.0.0.1:18080:80 busybox sleep 1000 > /dev/null
before=$(our_cgroups | wc -l)
expect_status 125 ct run -d --name late -p 127.0.0.1:18080:80 busybox sleep 1000
expect_eq "$(our_cgroups | wc -l)" "$before"
ct rm -f holder > /dev/null
ct start late > /dev/null || fail "start again"
expect_eq "$(ct exec late echo on)" on
ct rm -f late next plain > /dev/null
kill -9 $(spares) 2> /dev/null
expect_eq "$(ct run --rm busybox echo without)" without

step "a daemon that is stopped takes it along, and leaves no cgroup"
eventually 5 one_spare
stop_daemon
no_spare || fail "a monitor is left"
expect_eq "$(our_cgroups)" ""
expect_nothing_left
pass
