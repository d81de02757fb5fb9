#!/bin/bash
# Verbs, filters and formats with the stock docker CLI and with corten: the same words, the same ends.
. "$(dirname "$0")/lib.sh"
. "$here/transcript.sh"
begin_transcript
printf 'FROM busybox\nENV A=1 NOT_SET=image\nLABEL l=1\nEXPOSE 80\nVOLUME /v\nCMD ["sleep","9"]\n' >"$TEST_TMP/Dockerfile"
ct build -q -t labelled:1 - <"$TEST_TMP/Dockerfile" >/dev/null || fail "build"
ct tag labelled:1 registry.example:5000/some/labelled:2
ct run -d --name web --label a=b --stop-timeout 1 -p 127.0.0.1:8099:80 -v vol:/data busybox sh -c 'trap "exit 3" TERM; echo out; echo err >&2; while :; do sleep 0.1; done' >/dev/null || fail "web"
ct create --name idle --stop-timeout 1 --network none --read-only labelled:1 >/dev/null
ct run --name ended busybox sh -c 'echo gone; exit 5' >/dev/null
ct network create --label n=1 --internal --subnet 10.88.0.0/24 net1 >/dev/null
ct volume create --label v=1 vol1 >/dev/null
ct volume create vol10 >/dev/null
ct volume create vol2 >/dev/null
cd "$TEST_TMP" || exit 1
echo file >file

thin=2 compare "filters and formats of containers" <<'LINES'
ps -a --filter ancestor=busybox --format '{{.Names}}'
ps -a --filter ancestor=labelled:1 --format '{{.Names}}'
ps -a --filter before=ended --format '{{.Names}}'
ps -a --filter since=web --format '{{.Names}}'
ps -a --filter exited=5 --format '{{.Names}}'
ps -a --filter exited=x
ps -a --filter expose=80/tcp --format '{{.Names}}'
ps -a --filter health=none --format '{{.Names}}'
ps -a --filter health=nope
ps -a --filter id=x -q
ps -a --filter is-task=true -q
ps -a --filter is-task=x -q
ps -a --filter label=a --format '{{.Names}}'
ps -a --filter label=a=b --format '{{.Names}}'
ps -a --filter label=a=c --format '{{.Names}}'
ps -a --filter label=l --filter label=a --format '{{.Names}}'
ps -a --filter name=^/web$ --format '{{.Names}}'
ps -a --filter name='e' --filter name=idle --format '{{.Names}}'
ps -a --filter name='[' -q
ps -a --filter network=none --format '{{.Names}}'
ps -a --filter network=bridge --format '{{.Names}}'
ps -a --filter publish=8099 --format '{{.Names}}'
ps -a --filter publish=80 --format '{{.Names}}'
ps -a --filter publish=x
ps -a --filter status=exited --filter status=running --format '{{.Names}}'
ps -a --filter volume=vol --format '{{.Names}}'
ps -a --filter volume=/data --format '{{.Names}}'
ps -a --filter nope=x
ps -a --filter NAME=web --format '{{.Names}}'
ps -a --filter 'name = web' --format '{{.Names}}'
ps --filter '' --format '{{.Names}}'
ps -aqn 2 --no-trunc=false
ps -an 2 -q
ps -n -1 --format '{{.Names}}'
ps -n x
ps -aql
ps -a --format '{{.Names}}\t{{.Status}}' --filter status=created
ps --format json | tr , '\n' | grep Ports
ps -a --format json --filter name=idle --no-trunc | tr , '\n' | grep -v 'RunningFor\|CreatedAt'
ps -a --format '{{json .}}' --filter name=idle | tr , '\n' | grep -v 'RunningFor\|CreatedAt'
ps -a --format 'table' --filter name=none-such
ps -a --format 'table {{.Names}}' --filter name=none-such
ps -a --format 'table {{.Names}} {{.Image}}'
ps -a --format 'table {{upper .Names}}\t{{.Label "a"}}\t{{.Mounts}}'
ps -a --format 'x'
ps -a --format '{{.Names}}{{"\n"}}'
ps -a --format '{{range .Names}}{{.}}{{end}}'
ps -a --format '{{len .Names}} {{printf "%5s|%-5s|%q" .State .State .State}}'
ps -a --format '{{print .Names .State}} {{println .State}}'
ps -a --format '{{with .Label "a"}}{{.}}{{else}}-{{end}}'
ps -a --format '{{with $x := .Names}}{{$x}}{{end}}'
ps -a --format '{{if and (eq .State "running") (ne .Names "x")}}r{{else if eq .State "created"}}c{{else}}e{{end}}'
ps -a --format '{{title .Names}} {{lower "ABC"}} {{join (split "a,b" ",") "-"}}'
ps -a --format '{{- .Names -}}   '
ps -a --format '{{/* a comment */}}{{.Names}}'
ps -a --format '{{.Names.Nope}}'
ps -a --format '{{nope .Names}}'
ps -a --format '{{.Names | nope}}'
ps -a --format '{{template "x"}}'
ps -a --format '{{define "x"}}[{{.}}]{{end}}{{template "x" .Names}}'
ps -a --format '{{block "b" .Names}}<{{.}}>{{end}}'
ps -a --format '{{break}}'
ps -a --format '{{end}}'
ps -a --format '{{if}}x{{end}}'
ps -a --format '{{if .Names}}'
ps -a --format '{{.Names | printf "%s-%s" "a"}}'
ps -a --format '{{eq 1 2}} {{lt 1 2}} {{ge "b" "a"}} {{not true}} {{or "" "x"}} {{and 1 0}}'
ps -a --format '{{html "<a>"}} {{js "a\"b"}} {{urlquery "a b"}}'
ps -a --format '{{"quoted"}} {{`raw`}} {{1.5}} {{0x10}} {{true}} {{nil}}'
ps -a --format '{{printf "%d %x %t %v %c" 10 255 true "s" 65}}'
ps -as --format '{{.Names}}'
container ls -a --filter status=paused
container ps -q --filter name=none
LINES

thin=2 compare "filters and formats of images, volumes, networks" <<'LINES'
images --filter reference=labelled --format '{{.Repository}}:{{.Tag}}'
images --filter reference='*:latest' --format '{{.Repository}}:{{.Tag}}'
images --filter reference='registry.example:5000/*/*' --format '{{.Repository}}:{{.Tag}}'
@ D images --filter label=l --format "{{.Repository}}:{{.Tag}}" | sort
images --filter label=l=2 --format '{{.Repository}}:{{.Tag}}'
images --filter dangling=true -q
images --filter dangling=x -q
images --filter before=labelled:1 --format '{{.Repository}}:{{.Tag}}'
@ D images --filter since=busybox --format '{{.Repository}}:{{.Tag}}' | sort
images --filter since=none
images --filter nope=1
images labelled --format 'table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.Size}}'
images labelled:1 --format '{{.Repository}}:{{.Tag}} {{.SharedSize}} {{.UniqueSize}} {{.VirtualSize}}'
images busy* -q
images a b
images -a --digests --format '{{.Repository}} {{.Digest}}'
images --format json busybox | tr , '\n' | grep -v 'Created\|Containers'
images --tree --format x
image ls --no-trunc --format '{{.ID}}' labelled
history --format '{{.CreatedBy}}' labelled:1
history --format '{{.ID}} {{.Size}} {{.Comment}}' --human=false labelled:1
history --no-trunc -q labelled:1
history nope
history --format json labelled:1 | head -1 | tr , '\n' | grep -v Created
image inspect -f '{{.Config.Env}} {{.Config.Labels}} {{json .Config.Volumes}} {{.Config.ExposedPorts}} {{.Config.Cmd}}' labelled:1
image inspect -f '{{.Id}} {{len .RepoDigests}} {{.Size}} {{.GraphDriver.Name}}' labelled:1
image inspect none labelled:1 -f '{{.Architecture}}'
image inspect --platform linux/amd64 -f '{{.Os}}' labelled:1
!image inspect --platform linux/arm64 -f '{{.Os}}' labelled:1
volume ls -q
volume ls --filter dangling=true -q
volume ls --filter dangling=nope -q
volume ls --filter driver=local --format '{{.Name}}'
volume ls --filter label=v -q
volume ls --filter label=v=2 -q
volume ls --filter name=vol1 --format 'table {{.Name}}\t{{.Driver}}\t{{.Labels}}'
volume ls --filter nope=1
volume ls --format '{{.Label "v"}}'
volume inspect -f '{{.Labels}} {{.Options}} {{json .Labels}}' vol1
volume inspect vol1 nope -f '{{.Name}}'
network ls --filter driver=bridge --format '{{.Name}}'
network ls --filter id=x -q
network ls --filter label=n --format '{{.Name}} {{.Internal}} {{.IPv4}} {{.IPv6}}'
network ls --filter type=custom --format '{{.Name}}'
network ls --filter type=builtin --format '{{.Name}}'
network ls --filter type=nope
network ls --filter scope=local --format '{{.Name}}'
network ls --filter dangling=true --format '{{.Name}}'
network ls --filter nope=1
network ls --format json --filter name=net1 --no-trunc | tr , '\n' | grep -v CreatedAt
network inspect net1 -f '{{.Name}} {{.Internal}} {{.Labels}} {{range .IPAM.Config}}{{.Subnet}}{{end}} {{.Options}} {{len .Containers}}'
network inspect --verbose net1 -f '{{.Name}}'
network inspect net1 nope
system df --format '{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}'
system df -v --format '{{.Type}}'
system df --format json | head -2
version -f '{{.Client.Os}} {{.Client.Arch}} {{.Server.APIVersion}} {{.Server.MinAPIVersion}}'
version -f '{{.Nope}}'
version -f '{{'
info -f '{{json .Plugins}} {{.Swarm.LocalNodeState}} {{.Warnings}}'
info -f '{{'
LINES

compare "verbs and states" <<'LINES'
start idle nobody
start ended
@ ct wait ended >/dev/null; D start -a ended
@ D start -a ended
@ D start -ai ended
start -a web idle
stop idle
stop ended
stop -t x web
stop -t -5 ended
stop --signal KILL ended
restart nobody
restart -s KILL -t 0 web
kill ended
kill -s 0 web
kill -s 99 web
kill -s SIGUSR1 nobody
kill --signal=HUP ended
pause idle
pause nobody
unpause web
pause web nobody
ps --filter name=web --format '{{.Names}} {{.State}}'
stop -t 0 web
start web
wait ended idle nobody
rename web
rename web web
rename web ended
rename web 'a b'
rename nobody x1
rename web ''
exec web sh -c 'echo $A; exit 9'
exec -e A=5 -e B web sh -c 'echo $A $B'
exec -e "" web true
exec --env-file none web true
exec -w /nope web true
exec -u nobody web id -u
exec -u nope web id
exec -d web true
exec -dit web true
exec -t web true
exec --privileged web true
exec web /etc
exec --detach-keys nonsense web true
exec --detach-keys ctrl-a,b web true
exec idle true
exec ended true
exec -i web cat
run --rm -e NOT_SET --entrypoint sh labelled:1 -c 'echo ${NOT_SET-none} $A'
run --rm -e NOT_SET=x --entrypoint sh labelled:1 -c 'echo ${NOT_SET-none} $A'
run --rm -i busybox cat
run --rm -a stderr busybox sh -c 'echo o; echo e >&2'
run --rm -a stdin -a stdout -i busybox cat
run -d -a stdout busybox true
run --rm --name web busybox true
run --rm busybox sh -c 'kill -9 $$'
run --rm busybox sh -c 'kill -TERM $$'
run --rm --stop-signal nope busybox true
run --rm -v /nope/x:/y:nope busybox true
run --rm --link nobody busybox true
run --rm --network nope busybox true
run --rm --ip 1.2.3.4 busybox true
run --rm -u nobody busybox id -un
run --rm -u nope busybox true
run --rm -w /x/y busybox pwd
run --rm --read-only busybox touch /x
run --rm --tmpfs /t --read-only busybox touch /t/x
run --rm --memory 1m busybox true
run --rm --pids-limit 5 busybox sh -c 'ulimit -a >/dev/null; echo ok'
run --rm -l a=b --annotation x=y busybox true
run --rm --platform linux/arm64 busybox true
run --rm --pull never busybox echo pulled
run --rm --detach-keys nonsense busybox true
run --rm --health-cmd true --health-interval 1s busybox echo healthy
run --rm --no-healthcheck busybox echo h
run --rm --log-driver none busybox echo l
run --rm --init busybox sh -c 'echo $$'
run --rm --cap-drop ALL busybox chown 1 /tmp
run --rm --cap-drop ALL --cap-add CHOWN busybox chown 1 /tmp
run --rm --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status
run --rm --ulimit core=0 busybox sh -c 'ulimit -c'
run --rm --sysctl net.ipv4.ip_forward=1 busybox cat /proc/sys/net/ipv4/ip_forward
run --rm --shm-size 1m busybox sh -c 'df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2'
run --rm --expose 1 -P busybox true
run --rm -h a.b.c busybox hostname
run --rm --dns 9.9.9.9 --dns-option ndots:2 --dns-search q.r busybox cat /etc/resolv.conf
run --rm --add-host h:1.1.1.1 busybox sh -c 'tail -1 /etc/hosts >/dev/null; grep -c 1.1.1.1 /etc/hosts'
update --memory 64m --memory-swap 128m idle
inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}' idle
update --cpus 0.5 --cpuset-cpus 0 --restart always --pids-limit 9 idle
inspect -f '{{.HostConfig.NanoCpus}} {{.HostConfig.CpusetCpus}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.PidsLimit}}' idle
update --restart nope idle
update --memory 1k idle
update -m 64m nobody
update --cpu-period x idle
port web 80/udp
port web 80/nope
port idle
port ended
port nobody
@ D logs ended | sort -u
@ D logs --tail all ended | sort -u
@ D logs --tail -1 ended | sort -u
@ D logs --since 1h ended | sort -u
@ D logs --since 1970-01-01 --until 1970-01-02 ended | sort -u
@ D logs --since nope ended | sort -u
@ D logs --details ended | sort -u
@ D logs -f ended | sort -u
@ D logs --tail=1 --timestamps=false ended | sort -u
diff idle
diff ended
top ended
!top web -o pid
top web nonsense
top web -o nonsense
commit -m words -a me -c 'ENV Z=1' ended committed:1 >/dev/null
image inspect -f '{{.Comment}} {{.Author}} {{.Config.Env}}' committed:1
commit -c nonsense ended
commit --pause=false ended UPPER
commit ended a b
rmi committed:1 >/dev/null
tag labelled:1 UPPER
tag labelled:1 a:b:c
tag none x
rmi busybox
rmi -f none
rmi none
rmi --no-prune none
image rm none none2
save none
save -o /nope/x busybox
@ D save busybox | tar -t | grep -c manifest.json
@ D save -o s.tar labelled:1 busybox && ct load -q -i s.tar | sort
load -i file
@ D load -q <s.tar | sort
@ D load --platform linux/arm64 -q <s.tar
@ D import -m note -c 'CMD x' - imp:1 <s.tar | cut -c1-7; D image inspect -f '{{.Config.Cmd}} {{.Comment}}' imp:1
import none x
import file a:b:c
import http://127.0.0.1:1/x x
export -o x.tar idle
@ D export idle | tar -t | grep -c '^bin/busybox'
cp idle:/etc/passwd -
cp idle:/nope x
cp file idle:/nope/x
cp file nobody:/x
cp nope idle:/x
cp idle:/etc/passwd idle:/x
cp -q file idle:/tmp/
cp - idle:/tmp
volume create --label a=b vol3
volume create vol3
volume create --driver nope vol5
volume create 'bad name'
volume create -o nope=1 vol4
volume create a b
volume rm vol3 nope
volume rm vol
volume rm -f nope
network create --driver nope net9
network create net1
network create --subnet 10.88.0.0/24 net9
network create --gateway 1.2.3.4 net9
network create --subnet 10.89.0.0/24 --gateway 1.2.3.4 net9
network create --subnet 10.89.0.0/24 --ip-range 10.99.0.0/24 net9
network create --opt nope=1 net9
network create --ipv6 --subnet nope net9
network connect nope web
network connect net1 nobody
network connect --ip 10.88.0.77 --alias q net1 idle
network connect net1 idle
inspect -f '{{(index .NetworkSettings.Networks "net1").Aliases}}' idle
network disconnect net1 idle
network disconnect net1 idle
network disconnect -f nope idle
network rm nope net1 bridge
network create --label n=1 --internal --subnet 10.88.0.0/24 net1 >/dev/null
rm web
rm -v nobody
rm -l web
container prune --filter nope=1 -f
image prune --filter nope=1 -f
volume prune --filter nope=1 -f
network prune --filter nope=1 -f
system prune --filter nope=1 -f
builder prune -f --filter nope=1
container prune -f --filter label!=l --filter label=none
image prune -af --filter label=none
volume prune -af --filter label=none
events --since 0 --until 1 --format '{{.Type}}'
events --until nope --since 0
events --since 0 --until 1s --filter nope=1
@ D events --since 0 --until 0s --filter container=ended --filter event=create --format '{{.Type}} {{.Action}} {{.Actor.Attributes.image}} {{.Status}} {{.From}}' | head -1
@ D events --since 0 --until 0s 2>/dev/null | head -1 >/dev/null
stats --no-stream --format '{{.Name}}' web
stats --no-stream nobody
stats --no-stream --format '{{.Nope}}' web
stats --no-stream idle --format '{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}'
search
plugin ls
plugin ls --format '{{.Name}}'
plugin inspect nope
plugin enable nope
plugin disable -f nope
plugin rm nope
plugin set nope a=b
plugin push nope
plugin create nope /nope
checkpoint ls web
checkpoint create web c1
node ls
swarm leave
service ls
secret ls
config ls
stack ls
trust key generate
LINES
[ -z "${differs-}" ] || fail "the two command lines differ"
pass
