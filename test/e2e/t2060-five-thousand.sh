#!/bin/bash
# Five thousand containers are known, some run: `ps` costs the daemon less than 10 ms of CPU time, by id or name a
# container is found at once, and the daemon is up again in no time.
. "$(dirname "$0")/lib.sh"
command -v sqlite3 > /dev/null || skip "sqlite3 is not installed"
start_daemon
make_busybox_image
dk create --name first -p 8080:80 -l a=b -e X=1 busybox sleep 1000 > /dev/null
for i in $(seq 12); do dk run -d --name "up$i" --network none busybox sleep 1000 > /dev/null & done
wait
stop_daemon
sqlite3 "$DATA_ROOT/store/corten.db" "
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4987)
    INSERT INTO container SELECT printf('%064x', i * 1000003), 'c' || i, created + i, image, config, state, auto_remove, boot
    FROM container, n WHERE name = 'first'"
(cd "$DATA_ROOT/container" && for i in $(seq 4987); do printf '%064x\n' $((i * 1000003)); done | xargs mkdir)
spawn_daemon
expect_eq "$(dk ps -aq | wc -l)" 5000
expect_eq "$(dk ps -q | wc -l)" 12

cpu() { cat /proc/"$daemon_pid"/task/*/schedstat | awk '{ n += $1 } END { print int(n / 1000) }'; }
took() { # COUNT PATH: microseconds of the daemon's CPU for one call
    local before i
    before=$(cpu)
    for i in $(seq "$1"); do printf 'url="http://d%s"\noutput=/dev/null\n' "$2"; done |
        curl -s --unix-socket "$SOCKET" -K - || fail "$2"
    echo $((($(cpu) - before) / $1))
}
much=1
case $build in *san*) much=40 ;; esac
step "ps"
us=$(took 100 /v1.51/containers/json)
printf '# ps: %d us of CPU\n' "$us"
[ "$us" -lt $((10000 * much)) ] || fail "ps takes $us us"
step "ps -a, one by name, one by id, a filter"
us=$(took 5 '/v1.51/containers/json?all=1')
printf '# ps -a of 5000: %d us of CPU\n' "$us"
[ "$us" -lt $((150000 * much)) ] || fail "ps -a takes $us us"
us=$(took 100 '/v1.51/containers/c4000/json')
[ "$us" -lt $((5000 * much)) ] || fail "inspect takes $us us"
us=$(took 20 '/v1.51/containers/json?all=1&filters=%7B%22name%22%3A%5B%22c400%22%5D%7D')
printf '# by name: %d us of CPU\n' "$us"
[ "$us" -lt $((50000 * much)) ] || fail "a filter by name takes $us us"

step "the next daemon"
restart_daemon
expect_match "$(tail -1 "$daemon_log")" 'serving the API'
tail -1 "$daemon_log"
expect_eq "$(dk ps -q | wc -l)" 12
dk rm c17 c18 > /dev/null
expect_status 1 dk inspect c17
pass
