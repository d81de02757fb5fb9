#!/bin/bash
# corten against dockerd: the same command lines with the stock docker CLI and with corten, both to another engine.
# limit: 240
. "$(dirname "$0")/lib.sh"
. "$here/peer.sh"
. "$here/transcript.sh"
case $("$docker" --version) in
*' version 1'?.* | *' version 2'[0-4].*) skip "the stock docker CLI here is older than what corten is compared with" ;;
esac
run_dockerd || skip "$peer_why"
export DOCKER_HOST=$peer CORTEN_HOST=$peer
make_busybox_image
cd "$TEST_TMP" || exit 1
dk run -d --name web --label a=b -v vol:/data busybox sh -c 'echo out; echo err >&2; sleep 1000' >/dev/null || skip "dockerd starts no container here"
dk create --name idle busybox true >/dev/null
dk run --name ended busybox sh -c 'echo gone; exit 5' >/dev/null
echo file >file

compare "what is there" <<'LINES'
ps -q
ps -aq --no-trunc
ps -a --format '{{.Names}} {{.Image}} {{.Command}} {{.State}} {{.Ports}} {{.Mounts}} {{.Networks}} {{.Labels}} {{.Size}}'
ps -a --format json | tr , '\n' | grep -v 'RunningFor\|Status'
ps -a --filter status=exited --format '{{.Names}}'
ps -a --filter nope=x
images --format '{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}} {{.Digest}}'
images -q --no-trunc
history -q busybox
volume ls
volume inspect vol -f '{{.Name}} {{.Driver}} {{.Mountpoint}} {{.Labels}}'
network ls --format '{{.Name}} {{.Driver}} {{.Scope}}'
network inspect bridge -f '{{.Name}} {{(index .IPAM.Config 0).Subnet}} {{.Options}}'
inspect web
inspect -f '{{.State.Status}} {{json .Config.Env}} {{.HostConfig.NetworkMode}} {{len .NetworkSettings.Networks}}' web
inspect busybox
inspect nobody
image inspect busybox
system df --format '{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}}'
version -f '{{.Server.Version}} {{.Server.APIVersion}} {{.Server.Os}}'
info -f '{{.ServerVersion}} {{.Driver}} {{.Containers}} {{.ContainersRunning}} {{.NCPU}}'
!info
!version
port web
top nobody
logs web
logs --tail 1 ended
diff idle
events --since 0 --until 1
plugin ls
search
LINES

compare "what is done" <<'LINES'
run --rm busybox echo hello
run --rm busybox sh -c 'exit 7'
run --rm busybox no-such
run --rm busybox /etc
run --rm -a stdout busybox sh -c 'echo o; echo e >&2'
run --rm -e A=1 -u 5:6 -w /tmp busybox sh -c 'echo $A $(id -u) $(pwd)'
run --rm -m 64m --cpus 0.5 --pids-limit 50 busybox true
run --rm --mount type=tmpfs,target=/t busybox sh -c 'grep -c " /t " /proc/mounts'
run --rm --network none --add-host a:1.2.3.4 busybox grep -c 1.2.3.4 /etc/hosts
run --rm --ulimit nofile=64:128 busybox sh -c 'ulimit -n'
run --rm --name web busybox true
run --rm --pull never none true
run --rm --nope busybox
exec web echo x
exec web sh -c 'exit 3'
exec -e X=y -w /tmp web sh -c 'echo $X $(pwd)'
exec web nope
exec ended true
pause web
exec web true
unpause web
unpause web
kill -s nope web
stop -t 0 web
start web
wait ended
rename web site
rename site web
rename web ended
restart -t 0 web
update --cpu-shares 512 web
tag busybox other:1
rmi other:1
rmi none
volume create --label x=y v1
volume rm v1 v1
network create --label l=1 n1 >/dev/null
network connect --alias al n1 idle
network disconnect n1 idle
network rm n1
cp file idle:/tmp/file
cp idle:/tmp/file copied
@ D cp idle:/tmp - | tar -t | sort
cp idle:/nope x
@ D export idle | tar -t | grep -c bin/busybox
@ D save busybox | tar -t | grep -c manifest.json
commit idle c1 >/dev/null
rmi c1 >/dev/null
rm web
rm -f nobody
container prune -f --filter label=none
image prune -f --filter label=none
+ --name box2 -e A=1 -l a=b -p 8080:80 --restart on-failure:2 busybox sh -c 'echo x'
+ --cpus 1.5 -m 64m --cap-add NET_ADMIN --device /dev/null --tmpfs /t --dns 1.2.3.4 --ulimit core=0 busybox
+ --mount type=volume,src=vol,dst=/v,readonly --network none busybox true
+ -v /tmp:/host:ro --network none busybox true
LINES
[ -z "${differs-}" ] || fail "the two command lines differ"
dk rm -f web idle ended >/dev/null
pass
