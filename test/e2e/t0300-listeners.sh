#!/bin/bash
# Listeners: several unix sockets, TCP, TLS with client certificates, policies, reload, validation.
. "$(dirname "$0")/lib.sh"
command -v openssl >/dev/null || skip "openssl is not installed"
make_net

step "keys and certificates"
tls=$TEST_TMP/tls
mkdir -p "$tls" && cd "$tls" || exit 2
{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem
    sign() { # NAME EXTENSIONS
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
        openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out "$1.pem" -extfile <(echo "$2")
    }
    sign server "subjectAltName=IP:127.0.0.1"
    sign client "extendedKeyUsage=clientAuth"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=stranger -keyout stranger.key -out stranger.pem
} >/dev/null 2>&1 || fail "openssl"

step "what is refused before anything is opened"
cortend() { "$bin/cortend" --data-root "$DATA_ROOT" --run-root "$RUN_ROOT" "$@"; }
expect_fails "root here" in_net "$bin/cortend" --data-root "$DATA_ROOT" --run-root "$RUN_ROOT" -H tcp://0.0.0.0:2375
expect_fails "unknown option '--nonsense'" cortend --nonsense
expect_fails "nowhere.pem" cortend --validate --tls --tlscert /nowhere.pem
expect_fails "none of unix" cortend --validate -H npipe://x
expect_match "$(cortend --validate -H tcp://127.0.0.1:1)" 'configuration OK'

cat >"$TEST_TMP/daemon.json" <<EOF
{"labels": ["rack=1"], "log-format": "json", "tlsverify": true,
 "tlscacert": "$tls/ca.pem", "tlscert": "$tls/server.pem", "tlskey": "$tls/server.key",
 "listeners": [
   {"host": "unix://$SOCKET", "mode": "0600"},
   {"host": "tcp://127.0.0.1:2376"},
   {"host": "unix://$TEST_TMP/look.sock", "mode": "0666", "policy": {"read-only": true}},
   {"host": "unix://$TEST_TMP/few.sock", "policy": {"allow": ["GET /containers/*", "POST /containers/*/stop"]}}]}
EOF
# The harness names its socket on the command line; here the file has them all.
spawn_daemon() {
    rm -f "$TEST_TMP/daemon.pid" "$TEST_TMP/daemon.status"
    (
        trap - EXIT
        trap '' TERM INT
        setsid nsenter --net="/proc/$net_pid/ns/net" -- env --default-signal "$bin/cortend" --config "$TEST_TMP/daemon.json" \
            --data-root "$DATA_ROOT" --run-root "$RUN_ROOT" --pidfile "$TEST_TMP/cortend.pid" >>"$daemon_log" 2>&1 </dev/null &
        echo $! >"$TEST_TMP/daemon.pid"
        wait $! 2>/dev/null
        echo $? >"$TEST_TMP/daemon.status"
    ) 2>/dev/null &
    disown $!
    eventually 5 test -s "$TEST_TMP/daemon.pid"
    daemon_pid=$(<"$TEST_TMP/daemon.pid")
    eventually 8 curl -s -o /dev/null --unix-socket "$SOCKET" http://d/_ping
}
start_daemon
make_busybox_image
expect_eq "$(<"$TEST_TMP/cortend.pid")" "$daemon_pid"
expect_eq "$(stat -c %a "$SOCKET" "$TEST_TMP/look.sock" "$TEST_TMP/few.sock" | tr '\n' ' ')" "600 666 660 "

step "the same engine over TLS: run, streams both ways, exec, logs"
over_tls() { in_net "$docker" -H tcp://127.0.0.1:2376 --tlsverify --tlscacert "$tls/ca.pem" --tlscert "$tls/client.pem" --tlskey "$tls/client.key" "$@"; }
expect_eq "$(over_tls run --rm busybox echo over tls)" "over tls"
expect_status 7 over_tls run --rm busybox sh -c 'exit 7'
head -c 3000000 /dev/urandom >"$TEST_TMP/bytes"
expect_eq "$(over_tls run --rm -i busybox sha256sum <"$TEST_TMP/bytes" | cut -d' ' -f1)" "$(sha256sum <"$TEST_TMP/bytes" | cut -d' ' -f1)"
expect_eq "$(over_tls run --rm -i busybox cat <"$TEST_TMP/bytes" | sha256sum)" "$(sha256sum <"$TEST_TMP/bytes")"
over_tls run -d --name web busybox sh -c 'echo from web; exec sleep 1000' >/dev/null || fail "run -d"
expect_eq "$(over_tls exec web echo inside)" inside
eventually 3 eval '[ "$(over_tls logs web)" = "from web" ]'
expect_eq "$(over_tls save busybox | tar -t | grep -c -x manifest.json)" 1

step "who has no certificate of the CA stays outside"
expect_fails . in_net "$docker" -H tcp://127.0.0.1:2376 --tlsverify --tlscacert "$tls/ca.pem" --tlscert "$tls/stranger.pem" --tlskey "$tls/stranger.key" version
expect_fails . in_net curl -sS --max-time 5 --cacert "$tls/ca.pem" https://127.0.0.1:2376/_ping
expect_fails . in_net curl -sS --max-time 5 http://127.0.0.1:2376/_ping
expect_fails . in_net curl -sS --max-time 5 --tls-max 1.1 --cacert "$tls/ca.pem" --cert "$tls/client.pem" --key "$tls/client.key" https://127.0.0.1:2376/_ping
expect_eq "$(in_net curl -s --cacert "$tls/ca.pem" --cert "$tls/client.pem" --key "$tls/client.key" https://127.0.0.1:2376/_ping)" OK

step "policies"
at() { curl -s -o /dev/null -w '%{http_code}' --unix-socket "$TEST_TMP/$1.sock" -X "$2" "http://d/v1.44$3"; }
expect_eq "$(at look GET /containers/json) $(at look GET /info) $(at look POST /containers/web/stop) $(at look DELETE /containers/web)" "200 200 403 403"
expect_eq "$(at look GET '/containers/web/archive?path=/etc') $(at look GET /containers/web/attach/ws)" "403 403"
expect_eq "$(at few GET /containers/json) $(at few GET /info) $(at few POST /containers/create)" "200 403 403"
expect_eq "$(at few POST '/containers/web/stop?t=0')" 204

step "reload"
expect_eq "$(dk info -f '{{.Labels}}')" "[rack=1]"
dk events --since 1m --filter type=daemon --format '{{.Action}}' >"$TEST_TMP/events" &
events_pid=$!
at_end "kill $events_pid 2>/dev/null"
sed -i 's/"rack=1"/"rack=2", "row=b"/; s/"log-format"/"debug": true, "log-format"/' "$TEST_TMP/daemon.json"
kill -HUP "$daemon_pid"
eventually 3 eval '[ "$(dk info -f "{{.Labels}}")" = "[rack=2 row=b]" ]'
eventually 3 grep -q -x reload "$TEST_TMP/events"
sed -i 's/"debug": true/"debug": 7/; s/rack=2/rack=3/' "$TEST_TMP/daemon.json"
kill -HUP "$daemon_pid"
eventually 3 grep -q 'debug: expected' "$daemon_log"
expect_eq "$(dk info -f '{{.Labels}}')" "[rack=2 row=b]"
# Monitors and workers write lines of their own.
expect_eq "$(grep -v '^{.*}$' "$daemon_log" | grep -c ' cortend: ')" 0

step "the end"
dk rm -f web >/dev/null
stop_daemon
[ ! -e "$SOCKET" ] && [ ! -e "$TEST_TMP/cortend.pid" ] || fail "files are left behind"
pass
