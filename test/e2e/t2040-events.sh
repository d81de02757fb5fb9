#!/bin/bash
# Events: since and until are exact and survive kill -9 of the daemon; every filter; attributes as the peer's.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
begin=$(date +%s.%N)
events() { dk events --since "$begin" --until "$(date +%s.%N)" --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}' "$@"; }
count() { events "$@" | wc -l; }

step "actions and attributes"
dk run -d --name one --label color=red -v vol:/v busybox sleep 1000 > /dev/null
dk exec one true
dk rename one uno
dk pause uno > /dev/null
dk unpause uno > /dev/null
dk kill -s USR1 uno > /dev/null
dk stop -t 0 uno > /dev/null
expect_eq "$(events --filter type=container | sort | uniq -c | awk '{$1=$1};1' | tr '\n' ',')" \
    "1 container create one,1 container die uno,1 container exec_create: true one,1 container exec_die one,1 container exec_start: true one,2 container kill uno,1 container pause uno,1 container rename uno,1 container start one,1 container stop uno,1 container unpause uno,"
all() { dk events --since "$begin" --until "$(date +%s.%N)" --format '{{json .}}' "$@"; }
expect_match "$(all --filter event=rename)" '"oldName":"/one"'
expect_match "$(all --filter event=die)" '"execDuration":"[0-9]+".*"exitCode":"137"'
expect_match "$(all --filter event=exec_die)" '"execID":"[0-9a-f]{64}".*"exitCode":"0"'
expect_match "$(all --filter event=kill)" '"signal":"10"'
expect_match "$(all --filter event=create --filter type=container)" '"color":"red".*"image":"busybox"'

step "filters"
dk run --rm --name two busybox true
expect_eq "$(count --filter container=two --filter event=start)" 1
expect_eq "$(count --filter event=start)" 2
expect_eq "$(count --filter label=color=red --filter event=start)" 1
expect_eq "$(count --filter label=color=blue)" 0
expect_eq "$(count --filter type=volume --filter event=create)" 1
expect_eq "$(count --filter volume=vol --filter event=create)" 1
expect_eq "$(count --filter type=network --filter event=connect)" 2
expect_eq "$(count --filter image=busybox --filter event=start)" 2
expect_eq "$(count --filter event=exec_create)" 1
expect_eq "$(count --filter scope=swarm)" 0
expect_eq "$(count --filter daemon=x)" 0
expect_fails "invalid filter" dk events --until 1s --filter nosuch=1

step "since and until cut exactly, also after a kill -9"
times() { dk events --since "$1" --until "$2" --format '{{.TimeNano}}'; }
now=$(date +%s.%N)
mapfile -t t < <(times "$begin" "$now")
expect_eq "$(printf '%s\n' "${t[@]}" | sort -n | uniq | wc -l)" "${#t[@]}"
at() { printf '%d.%09d' $((t[$1] / 1000000000)) $((t[$1] % 1000000000)); }
expect_eq "$(times "$(at 3)" "$(at 7)" | wc -l)" 5
sleep 0.2
kill_daemon
restart_daemon
expect_eq "$(times "$begin" "$now" | md5sum)" "$(printf '%s\n' "${t[@]}" | md5sum)"
expect_eq "$(times "$(at 3)" "$(at 7)" | wc -l)" 5

step "what ends while no daemon is there is told by the next"
dk run -d --name away busybox sh -c 'sleep 1; exit 7' > /dev/null
kill_daemon
sleep 1.5
restart_daemon
expect_eq "$(all --filter event=die --filter container=away | grep -c '"exitCode":"7"')" 1
dk run -d --name lives busybox sleep 1000 > /dev/null
dk rm -f lives > /dev/null
expect_eq "$(count --filter container=lives --filter event=die)" 1

step "a follower sees what comes, until its time"
timeout 5 "$docker" -H "$DOCKER_HOST" events --since "$begin" --until "$(date +%s -d '+2 sec')" --filter container=live2 --format '{{.Action}}' > follow.txt &
follower=$!
sleep 0.3
dk run --rm --name live2 busybox true
wait $follower
expect_eq "$(tr '\n' ' ' < follow.txt)" "create attach start die destroy "
pass
