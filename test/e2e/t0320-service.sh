#!/bin/bash
# As a service: readiness is told, a held listener is taken over, reload and stop are announced; the unit files name what there is.
. "$(dirname "$0")/lib.sh"
make_net
start_notify() { # a manager's socket: what it is told lands in $TEST_TMP/told
    perl -MSocket -e '
        my ($path, $out) = @ARGV;
        socket my $s, AF_UNIX, SOCK_DGRAM, 0 or die; bind $s, pack_sockaddr_un($path) or die;
        open my $o, ">", $out or die; $o->autoflush(1);
        while (defined recv $s, my $m, 4096, 0) { $m =~ s/\n/ /g; print $o "$m\n"; }
    ' "$TEST_TMP/notify" "$TEST_TMP/told" &
    local pid=$!
    at_end "kill $pid 2>/dev/null"
    eventually 3 test -S "$TEST_TMP/notify"
}

step "readiness, reload, stop"
start_notify
export NOTIFY_SOCKET=$TEST_TMP/notify
start_daemon
told() { grep -q "$1" "$TEST_TMP/told"; }
eventually 3 told '^READY=1$'
kill -HUP "$daemon_pid"
eventually 3 told '^RELOADING=1 MONOTONIC_USEC=[0-9]*$'
eventually 3 eval '[ "$(grep -c READY=1 "$TEST_TMP/told")" = 2 ]'
make_busybox_image
expect_eq "$(dk run --rm busybox sh -c 'echo "[$NOTIFY_SOCKET]"')" "[]"
stop_daemon
eventually 3 told '^STOPPING=1$'
unset NOTIFY_SOCKET

step "units and maintainer scripts"
for unit in "$root"/dist/debian/corten.service "$root"/dist/debian/*.socket; do
    bad=$(grep -v -E '^(\[[A-Z][a-z]+\]|[A-Z][A-Za-z]+=.*|#.*|)$' "$unit") && fail "$unit: $bad"
done
expect_match "$(cat "$root/dist/debian/corten.service")" '^KillMode=process$'
expect_match "$(cat "$root/dist/debian/corten.service")" '^Delegate=yes$'
if command -v systemd-analyze >/dev/null; then
    systemd-analyze verify "$root"/dist/debian/corten.service 2>&1 | grep -v 'not executable' && fail "systemd-analyze"
fi
for script in "$root"/dist/debian/*.{postinst,prerm,postrm}; do sh -n "$script" || fail "$script"; done

step "the package"
deb=$(ls "$root"/.cache/package/corten_*.deb 2>/dev/null | head -1)
if [ -n "$deb" ] && [ "$deb" -nt "$bin/cortend" ]; then
    mkdir "$TEST_TMP/deb" && dpkg-deb -x "$deb" "$TEST_TMP/deb" || fail "dpkg-deb"
    for p in corten cortend corten-monitor corten-worker corten-build corten-runtime corten-init corten-container corten-dns corten-relay corten-compress corten-import corten-backup; do
        [ -x "$TEST_TMP/deb/usr/lib/corten/$p" ] || fail "the package lacks $p"
    done
    expect_eq "$(readlink "$TEST_TMP/deb/usr/bin/corten")" ../lib/corten/corten
    bin=$TEST_TMP/deb/usr/lib/corten
    start_daemon
    expect_eq "$(dk run --rm busybox echo packaged)" packaged
    expect_eq "$("$TEST_TMP/deb/usr/bin/corten" ps -q)" ""
fi
pass
