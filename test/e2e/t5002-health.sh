#!/bin/bash
# Health checks: commands and the image's, HTTP, TCP and files without exec, events, filters, actions, a daemon that was away.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

health() { dk inspect -f '{{.State.Health.Status}}' "$1"; }
is() { [ "$(health "$1")" = "$2" ]; }
quick="--health-interval 200ms --health-retries 2 --health-timeout 5s"

step "a command, its results, the status column, the filter, events"
since=$(date +%s.%N)
# shellcheck disable=SC2086
dk run -d --name web $quick --health-cmd 'cat /tmp/state' busybox sh -c 'sleep 1000' > /dev/null
expect_match "$(dk ps --format '{{.Status}}' --filter name=web)" 'Up .* \(health: starting\)'
expect_eq "$(dk ps -q --filter health=starting | wc -l)" 1
eventually 5 is web unhealthy
expect_match "$(dk ps --format '{{.Status}}')" '\(unhealthy\)'
dk exec web sh -c 'echo fine > /tmp/state'
eventually 5 is web healthy
expect_match "$(dk ps --format '{{.Status}}')" '\(healthy\)'
expect_eq "$(dk ps -q --filter health=healthy | wc -l)" 1
eventually 5 eval '[ "$(dk inspect -f "{{len .State.Health.Log}}" web)" = 5 ]'
expect_eq "$(dk inspect -f '{{(index .State.Health.Log 4).Output}}{{.State.Health.FailingStreak}} {{(index .State.Health.Log 4).ExitCode}}' web)" "fine
0 0"
expect_eq "$(dk inspect -f '{{.Config.Healthcheck.Test}} {{.Config.Healthcheck.Retries}}' web)" "[CMD-SHELL cat /tmp/state] 2"
expect_eq "$(dk events --since "$since" --until "$(date +%s.%N)" --filter event=health_status --format '{{.Action}}')" \
    "health_status: unhealthy
health_status: healthy"

step "a pause is no failure, and is unhealthy while it lasts"
dk pause web > /dev/null
expect_eq "$(health web)" unhealthy
sleep 0.6
dk unpause web > /dev/null
expect_eq "$(health web)" healthy

step "the clock goes on without a daemon"
dk exec -d web sh -c 'sleep 0.5; rm /tmp/state'
kill_daemon
sleep 1.5
restart_daemon
expect_eq "$(health web)" unhealthy
expect_eq "$(dk inspect -f '{{len .State.Health.Log}}' web)" 5
dk rm -f web > /dev/null

step "the image's HEALTHCHECK, overridden in part, and switched off"
printf 'FROM busybox\nHEALTHCHECK --interval=200ms --retries=1 CMD exit 1\nCMD sleep 1000\n' | dk build -q -t sick - > /dev/null
dk run -d --name sick sick > /dev/null
eventually 5 is sick unhealthy
dk run -d --name well --health-cmd true sick > /dev/null
expect_eq "$(dk inspect -f '{{.Config.Healthcheck.Interval}}' well)" 200ms
eventually 5 is well healthy
dk run -d --name off --no-healthcheck sick > /dev/null
expect_eq "$(dk inspect -f '{{.State.Health}}' off)" "<nil>"
dk rm -f sick well off > /dev/null

step "HTTP, TCP and FILE without a process in the container"
probe() { # NAME TEST-JSON [CMD]
    api POST "/containers/create?name=$1" \
        "{\"Image\":\"busybox\",\"Cmd\":[\"sh\",\"-c\",\"$3\"],\"Healthcheck\":{\"Test\":$2,\"Interval\":200000000,\"Retries\":1}}"
    expect_eq "$api_status" 201
    dk start "$1" > /dev/null
}
probe http '["HTTP","http://127.0.0.1:8080/index.html"]' 'mkdir /w; echo hi > /w/index.html; exec httpd -f -p 8080 -h /w'
probe tcp '["TCP","8080"]' 'exec httpd -f -p 8080 -h /tmp'
probe file '["FILE","/tmp/ready","10s"]' 'touch /tmp/ready; exec sleep 1000'
probe refused '["HTTP",":8081"]' 'exec sleep 1000'
for c in http tcp file; do eventually 5 is $c healthy; done
eventually 5 is refused unhealthy
expect_match "$(dk inspect -f '{{json .State.Health.Log}}' http)" 'HTTP/1.1 200 OK'
expect_match "$(dk inspect -f '{{json .State.Health.Log}}' refused)" 'port 8081: Connection refused'
dk run -d --name label --label corten.health.probe='TCP :8080' --health-interval 200ms busybox httpd -f -p 8080 > /dev/null
eventually 5 is label healthy
dk rm -f http tcp file refused label > /dev/null

step "what cannot be meant is refused by name"
bad() { # JSON MESSAGE
    api POST /containers/create "{\"Image\":\"busybox\",\"Cmd\":[\"true\"],\"Healthcheck\":$1}"
    expect_eq "$api_status" 400
    expect_match "$output" "$2"
}
bad '{"Test":["GRPC",":1"]}' "unknown type 'GRPC'"
bad '{"Test":["CMD"]}' "CMD without a command"
bad '{"Test":["HTTP","example.org:80"]}' "names are not looked up"
bad '{"Test":["TCP","0"]}' "port 0"
bad '{"Test":["FILE","relative"]}' "absolute path"
bad '{"Test":["CMD","true"],"Interval":1}' "Interval in Healthcheck cannot be less than 1ms"
bad '{"Test":["CMD","true"],"Retries":-1}' "Retries in Healthcheck cannot be negative"
bad '{"Test":["CMD","true"],"OnUnhealthy":"shout"}' "on-unhealthy 'shout'"

step "what follows"
act() { # NAME ACTION OPTION...
    local name=$1 action=$2
    shift 2
    # shellcheck disable=SC2086
    dk run -d --name "$name" $quick --health-cmd 'false' --label "corten.health.on-unhealthy=$action" "$@" \
        busybox sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done' > /dev/null
}
act stops stop --restart always
act dies kill
act again restart
eventually 10 eval '[ "$(dk inspect -f "{{.State.Status}} {{.State.ExitCode}}" stops)" = "exited 5" ]'
eventually 10 eval '[ "$(dk inspect -f "{{.State.Status}} {{.State.ExitCode}}" dies)" = "exited 137" ]'
eventually 10 eval '[ "$(dk inspect -f "{{.RestartCount}}" again)" -ge 2 ]'
dk stop again > /dev/null
sleep 1.5
expect_eq "$(dk inspect -f '{{.State.Status}}' again)" exited # a stop by the user is the last word
expect_eq "$(dk inspect -f '{{.State.Status}} {{.RestartCount}}' stops)" "exited 0"
expect_fails "cannot be restarted when unhealthy" dk run --rm --health-cmd true --label corten.health.on-unhealthy=restart busybox true
dk rm -f stops dies again > /dev/null
expect_nothing_left
pass
