#!/bin/bash
# A newer daemon over containers that an older version started: their monitors are the old ones, and every verb works.
# CORTEN_OLD_BUILD names the build directory of that version (a commit that is checked out and built elsewhere).
. "$(dirname "$0")/lib.sh"
[ -x "${CORTEN_OLD_BUILD:-}/bin/cortend" ] || skip "no older build (CORTEN_OLD_BUILD)"
new=$bin
bin=$CORTEN_OLD_BUILD/bin
start_daemon
make_busybox_image
dk network create one > /dev/null
dk network create --ipv6 --subnet fd70::/64 two > /dev/null
dk run -d --name web --network one -p 8080:80 -v data:/data --restart always busybox sh -c 'mkdir -p /w; echo page > /w/x; httpd -p 80 -h /w; exec sleep 1000' > /dev/null
dk run -d --name talk busybox sh -c 'i=0; while sleep 0.2; do i=$((i+1)); echo n$i; done' > /dev/null
dk run -d -t --name term busybox sh -c 'while sleep 1; do :; done' > /dev/null
dk run -d --name well --health-cmd true --health-interval 1s busybox sleep 1000 > /dev/null
dk run -d --name paused busybox sleep 1000 > /dev/null
dk pause paused > /dev/null
docker=("$docker" -H "$DOCKER_HOST")
"${docker[@]}" run --name under busybox sh -c 'sleep 4; echo end; exit 21' > "$TEST_TMP/under" & under=$!
"${docker[@]}" exec talk sh -c 'sleep 4; echo end; exit 22' > "$TEST_TMP/exec" & exec=$!
"${docker[@]}" logs -f talk > "$TEST_TMP/follow" 2>&1 & follow=$!
docker=${docker[0]}
eventually 5 eval '[ "$(dk ps -q | wc -l)" = 6 ]'
sleep 1
pids=$(dk inspect -f '{{.Name}} {{.State.Pid}}' web talk term well paused under)
version=$(dk version -f '{{.Server.Version}}')

stop_daemon
bin=$new
spawn_daemon
step "nothing has happened to them ($version, $(dk version -f '{{.Server.Version}}'))"
expect_eq "$(dk inspect -f '{{.Name}} {{.State.Pid}}' web talk term well paused under)" "$pids"
expect_eq "$(in_net curl -s http://127.0.0.1:8080/x)" page
wait $exec
expect_eq "$? $(cat "$TEST_TMP/exec")" "22 end"
wait $under
expect_eq "$? $(cat "$TEST_TMP/under")" "21 end"
step "every verb"
expect_eq "$(dk exec talk echo in)" in
expect_eq "$(timeout 20 "$docker" logs --tail 1 -f talk | head -1 | tr -d 0-9)" n
dk exec -d talk sleep 100
expect_match "$(dk top talk)" 'sleep 100'
expect_match "$(dk stats --no-stream --format '{{.Name}}' talk)" talk
expect_eq "$(dk inspect -f '{{.State.Health.Status}}' well)" healthy
expect_eq "$(dk inspect -f '{{.State.Status}}' paused)" paused
dk unpause paused > /dev/null || fail unpause
dk update -m 64m talk > /dev/null || fail update
dk rename talk said > /dev/null || fail rename
dk network connect two web || fail connect
expect_match "$(dk exec web ip -6 addr)" 'fd70::'
dk network disconnect one web || fail disconnect
echo x | dk cp - web:/data/ 2> /dev/null
echo file > file
dk cp file web:/data/file || fail cp
expect_eq "$(dk exec web cat /data/file)" file
expect_match "$(timeout 20 "$docker" diff web)" 'A /w'
dk commit web made > /dev/null || fail commit
expect_status 0 dk wait under
kill -9 "$(dk inspect -f '{{.State.Pid}}' web)"
restarted() { [ "$(dk inspect -f '{{.RestartCount}} {{.State.Running}}' web)" = "1 true" ]; }
eventually 10 restarted
eventually 5 in_net curl -s http://127.0.0.1:8080/x
dk restart -t 0 term > /dev/null || fail restart
dk stop -t 0 said > /dev/null || fail stop
wait $follow
expect_match "$(cat "$TEST_TMP/follow")" '^n[1-9][0-9]$'
# shellcheck disable=SC2046
dk rm -f -v $(dk ps -aq) > /dev/null
dk network rm one two > /dev/null
expect_nothing_left
pass
