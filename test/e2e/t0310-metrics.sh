#!/bin/bash
# Metrics: the page that Prometheus reads, on a listener of its own and in the API.
. "$(dirname "$0")/lib.sh"
start_daemon --metrics-addr 127.0.0.1:9323
make_busybox_image
page() { in_net curl -sS -D "$TEST_TMP/head" http://127.0.0.1:9323/metrics; }
value() { page | sed -n "s/^$1 //p"; } # NAME[{LABELS}]

step "form"
page >"$TEST_TMP/page"
grep -q -i '^content-type: text/plain; version=0.0.4' "$TEST_TMP/head" || fail "content type: $(cat "$TEST_TMP/head")"
bad=$(grep -v -E '^# (HELP|TYPE) [a-z_]+ .+$|^[a-z_]+(\{([a-z_]+="([^"\\]|\\.)*",?)*\})? [0-9.e+-]+$' "$TEST_TMP/page") && fail "not the format: $bad"
expect_eq "$(grep '^# TYPE' "$TEST_TMP/page" | sort | uniq -d)" ""
if command -v promtool >/dev/null; then promtool check metrics <"$TEST_TMP/page" || fail "promtool"; fi
expect_eq "$(in_net curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9323/containers/json)" 404
api GET /corten/metrics
expect_match "$output" '^engine_daemon_engine_info\{.*\} 1$'

step "figures follow what happens"
expect_eq "$(value 'engine_daemon_container_states_containers{state="running"}')" 0
before=$(value 'engine_daemon_container_actions_seconds_count{action="create"}')
dk run -d --name 'a-b.c' busybox sleep 1000 >/dev/null || fail "run"
dk run --name done busybox true || fail "run"
expect_eq "$(value 'engine_daemon_container_states_containers{state="running"}')" 1
expect_eq "$(value 'engine_daemon_container_states_containers{state="stopped"}')" 1
expect_eq "$(value 'engine_daemon_container_actions_seconds_count{action="create"}')" $((before + 2))
expect_eq "$(value 'engine_daemon_container_actions_seconds_bucket{action="create",le="+Inf"}')" $((before + 2))
expect_match "$(page)" '^corten_container_up\{name="a-b.c",id="[0-9a-f]{12}",image="busybox",health="none"\} 1$'
[ "$(value engine_daemon_events_total)" -gt 3 ] || fail "events: $(value engine_daemon_events_total)"
dk events --since 0s >/dev/null &
events_pid=$!
at_end "kill $events_pid 2>/dev/null"
subscribed() { [ "$(value engine_daemon_events_subscribers_total)" = 1 ]; }
eventually 3 subscribed
rss=$(value process_resident_memory_bytes)
[ "$rss" -gt 1000000 ] && [ "$rss" -lt 200000000 ] || fail "rss $rss"

step "SIGUSR1: what it is at"
kill -USR1 "$daemon_pid"
dumped() { ls "$RUN_ROOT"/dump-*.txt; }
eventually 5 dumped
dump=$(cat "$RUN_ROOT"/dump-*.txt)
expect_eq "$(stat -c %a "$RUN_ROOT"/dump-*.txt)" 600
expect_match "$dump" "^cortend .*, pid $daemon_pid, at "
expect_match "$dump" '^  [0-9a-f]{12} a-b.c running pid=[1-9][0-9]* operations=0 monitor=connected restarts=0$'
expect_match "$dump" 'comm=cortend wchan='
expect_match "$dump" '^  [0-9]+ socket:'
expect_match "$dump" '^engine_daemon_engine_info'
dk rm -f a-b.c done >/dev/null
pass
