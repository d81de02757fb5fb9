#!/bin/bash
# update, top, stats, prune, sizes and the filters of the list, by the stock CLI and by the API.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
json() { printf '%s' "$output" | python3 -c "import json,sys; d=json.load(sys.stdin); print($1)"; }

step "update is live, durable and checked"
dk run -d --name uu --memory 64m --cpus 0.5 busybox sleep 1000 > /dev/null
id=$(dk inspect -f '{{.Id}}' uu)
limit() { cat /sys/fs/cgroup/*/*/"$id"/"$1" /sys/fs/cgroup/*/"$id"/"$1" 2> /dev/null | head -1; }
dk update --memory 96m --memory-swap 200m --pids-limit 77 --restart on-failure:3 uu > /dev/null
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    expect_eq "$(limit memory.max)" "100663296"
else
    expect_eq "$(limit memory.limit_in_bytes)" "100663296"
fi
expect_eq "$(limit pids.max)" "77"
kill_daemon
restart_daemon
expect_eq "$(dk inspect -f '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}' uu)" "100663296 77 on-failure 3"
expect_fails "Minimum memory limit allowed is 6MB" dk update --memory 1m uu
expect_fails "cannot be updated as" dk update --cpu-quota 20000 uu
dk create --rm --name auto busybox true > /dev/null
expect_fails "AutoRemove is enabled" dk update --restart always auto
dk rm auto > /dev/null

step "top shows the container's processes and no others"
dk exec -d uu sleep 777
expect_eq "$(dk top uu | wc -l)" "3"
expect_match "$(dk top uu)" "^UID +PID +PPID"
expect_match "$(dk top uu -o pid,args)" "sleep 777"
expect_fails "not allowed" dk top uu -o user=PID
dk create --name idle busybox true > /dev/null
expect_fails "is not running" dk top idle

step "stats: one sample, two samples, a stream"
api GET "/containers/uu/stats?stream=false&one-shot=true"
expect_eq "$api_status" 200
expect_eq "$(json 'd["name"], d["id"]==d["id"], d["precpu_stats"].get("system_cpu_usage",0), d["cpu_stats"]["online_cpus"]>0, d["memory_stats"]["limit"], d["pids_stats"]["current"], "eth0" in d["networks"]')" \
    "/uu True 0 True 100663296 2 True"
api GET "/containers/uu/stats?stream=false"
expect_eq "$(json 'd["precpu_stats"]["system_cpu_usage"]>0, d["cpu_stats"]["system_cpu_usage"]>d["precpu_stats"]["system_cpu_usage"], d["preread"]<d["read"]')" "True True True"
api GET "/containers/idle/stats?stream=false&one-shot=true"
expect_eq "$(json 'd["pids_stats"], d["read"]')" "{} 0001-01-01T00:00:00Z"
expect_match "$(dk stats --no-stream --format '{{.Name}} {{.MemUsage}} {{.PIDs}}' uu)" "^uu .* / 96MiB 2$"
api GET "/containers/uu/stats?stream=true&one-shot=true"
expect_eq "$api_status" 400

step "the list's filters"
dk run --name three --label a=b --expose 81 busybox sh -c 'exit 3'
dk create --name pub -p 127.0.0.1:0:80 -v vol:/data busybox sleep 100 > /dev/null
dk start pub > /dev/null
names() { dk ps --format '{{.Names}}' "$@" | sort | tr '\n' ' '; }
expect_eq "$(names -a)" "idle pub three uu "
expect_eq "$(names -f exited=3)" "three "
expect_eq "$(names -a -f exited=3 -f exited=0)" "three "
expect_eq "$(names -f status=created -f status=exited)" "idle three "
expect_eq "$(names -a -f label=a=b)" "three "
expect_eq "$(names -a -f 'name=^(uu|pub)$')" "pub uu "
expect_eq "$(names -a -f 'name=a{99999999}')" ""
expect_eq "$(names -a -f name=re)" "three "
expect_eq "$(names -f since=three)" "pub "
expect_eq "$(names -f before=three)" "idle uu "
expect_eq "$(names -n 2)" "pub three "
expect_eq "$(names -l)" "pub "
expect_eq "$(names -a -f volume=vol)" "pub "
expect_eq "$(names -a -f volume=/data)" "pub "
expect_eq "$(names -a -f expose=80)" "pub "
expect_eq "$(names -a -f expose=70-90/tcp)" "pub "
expect_eq "$(names -a -f ancestor=busybox -f network=bridge -f status=running)" "pub uu "
expect_eq "$(names -a -f ancestor=nosuch)" ""
expect_fails "invalid filter" dk ps -f nosuch=1
expect_fails "invalid filter" dk ps -f status=nosuch

step "sizes"
dk exec uu dd if=/dev/zero of=/file bs=1024 count=200 2> /dev/null
api GET "/containers/uu/json?size=1"
expect_eq "$(json '200000 < d["SizeRw"] < 300000, d["SizeRootFs"] > d["SizeRw"]')" "True True"
api GET "/containers/json?size=1"
expect_eq "$(json '[200000 < c["SizeRw"] < 300000 for c in d if c["Names"]==["/uu"]]')" "[True]"
api GET "/containers/json"
expect_eq "$(json '["SizeRw" in c for c in d]')" "[False, False]"

step "prune"
dk create --name keep --label keep=1 busybox true > /dev/null
api POST "/containers/prune?filters=%7B%22label%21%22%3A%5B%22keep%22%5D%7D"
expect_eq "$(json 'len(d["ContainersDeleted"]), d["SpaceReclaimed"] >= 0')" "2 True"
expect_eq "$(names -a)" "keep pub uu "
expect_match "$(dk container prune -f)" "Total reclaimed space"
expect_eq "$(names -a)" "pub uu "
api POST /containers/prune
expect_eq "$(json 'd')" "{'ContainersDeleted': None, 'SpaceReclaimed': 0}"

step "what is refused is refused as an engine without swarm and plugins does"
expect_fails "This node is not a swarm manager" dk node ls
for path in /swarm /nodes /services /tasks /secrets /configs; do
    api GET "$path"
    expect_eq "$path $api_status" "$path 503"
done
api POST /swarm/leave
expect_eq "$api_status" 503
expect_eq "$(dk plugin ls -q)" ""
expect_fails "not found|No such plugin" dk plugin inspect a/b:c
for path in /session /grpc /plugins/pull /swarm/init; do
    api POST "$path"
    expect_eq "$path $api_status" "$path 501"
done
pass
