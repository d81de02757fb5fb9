#!/bin/bash
# A long list of command lines with the stock docker CLI and with corten: stdout, exit status, and whether stderr speaks.
. "$(dirname "$0")/lib.sh"
# corten follows the client of today; those before 25 print addresses, warnings and refusals in their own way.
case $("$docker" --version) in
*' version 1'?.* | *' version 2'[0-4].*) skip "the stock docker CLI here is older than what corten is compared with" ;;
esac
start_daemon
make_busybox_image

# Lines of which each prints what was left, so that both start from the same state. "!" in front: only the exit
# status and whether stderr has words are compared (ids, times, help).
run_lines() { # CLI TRANSCRIPT
    local cli=$1 out=$2 line status words loose
    : >"$out"
    : >"$out.err"
    while IFS= read -r line; do
        [ -z "$line" ] && continue
        loose=
        [ "${line:0:1}" = '!' ] && { loose=1; line=${line:1}; }
        eval "$cli $line" >"$TEST_TMP/out" 2>"$TEST_TMP/err" </dev/null
        status=$?
        words=quiet
        [ -s "$TEST_TMP/err" ] && words=speaks
        awk -v line="$line" '{ print line ": " $0 }' "$TEST_TMP/err" >>"$out.err"
        { echo "\$ $line"; [ -z "$loose" ] && cat "$TEST_TMP/out"; echo "= $status $words"; } >>"$out"
    done <"$TEST_TMP/lines"
}

compare() { # WORDS
    step "$@"
    cat >"$TEST_TMP/lines"
    run_lines dk "$TEST_TMP/docker.txt"
    [ -n "${between-}" ] && eval "$between"
    run_lines ct "$TEST_TMP/corten.txt"
    diff -U2 "$TEST_TMP/docker.txt" "$TEST_TMP/corten.txt" || { differs=1; cat "$TEST_TMP/corten.txt.err"; }
}

dk run -d --name web --label a=b --label com.example.some-name=x -p 127.0.0.1:8099:80 -p 90-92:90-92/udp -v vol:/data -e A=1 \
    busybox sh -c 'echo line one; echo line two >&2; sleep 1000' >/dev/null || fail "web"
dk create --name "quiet" busybox true >/dev/null
sleep 0.3

compare "lists" <<'LINES'
ps -q
ps -aq --no-trunc
ps -a --format '{{.Names}}'
ps -a --format '{{.ID}} {{.Image}} {{.Command}} {{.State}} {{.Ports}} {{.Mounts}} {{.LocalVolumes}} {{.Networks}}'
ps -a --no-trunc --format '{{.Command}}|{{.Image}}'
ps --format '{{.Labels}}|{{.Label "a"}}|{{.Label "none"}}'
ps --format 'table {{.Names}}\t{{.Label "com.example.some-name"}}\t{{.Ports}}'
ps --format '{{.CreatedAt}}'
ps -a --format '{{json .Names}}{{upper .Names}}{{truncate .Names 2}}{{pad .Names 1 1}}|{{join (split .Names "e") "/"}}'
ps -a --format '{{if eq .Names "web"}}W{{else}}O{{end}}'
ps --format '{{range $i, $x := split .Ports ","}}{{$i}}={{$x}};{{end}}'
ps --filter name=web -q
ps --filter status=created -aq
ps -f status=nonsense
ps -f x
ps -n 1 -q
ps -l --format '{{.Names}}'
ps --format '{{.Nope}}'
ps --format '{{'
ps --nope
ps extra
images -q
images --format '{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}} {{.Digest}}'
images --no-trunc -q
images --format 'table {{.Repository}}\t{{.Tag}}\t{{.ID}}'
images busybox --format '{{json .Repository}}'
images none -q
image ls -q
history -q busybox
history --format '{{.CreatedBy}}|{{.Size}}|{{.Comment}}' busybox
history --no-trunc --format '{{.ID}} {{.CreatedAt}}' busybox
volume ls
volume ls -q
volume ls --format '{{.Name}} {{.Driver}} {{.Scope}} {{.Mountpoint}} {{.Labels}} {{.Links}} {{.Size}}'
volume ls --format json
network ls
network ls -q --no-trunc
network ls --format '{{.Name}} {{.Driver}} {{.Scope}} {{.Internal}} {{.IPv6}} {{.CreatedAt}}'
network ls -f name=none -q
container ls -aq
container list -q
LINES

compare "inspect" <<'LINES'
inspect -f '{{.State.Status}} {{.Config.Image}} {{.Id}}' web
inspect -f '{{.ID}}' web
inspect -f '{{json .Config.Env}} {{json .State.Running}} {{.HostConfig.Memory}}' web
inspect -f '{{if .State.Health}}yes{{else}}no{{end}} {{.State.Health}}' web
inspect -f '{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}' web
inspect -f '{{index .Config.Labels "a"}}|{{index .Config.Labels "none"}}|' web
inspect -f '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' web
inspect -f '{{range $p, $c := .NetworkSettings.Ports}}{{$p}}:{{range $c}}{{.HostIP}}{{.HostPort}}{{end}} {{end}}' web
inspect -f '{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}' web
inspect -f '{{range .NetworkSettings.Networks}}{{.NetworkID}} {{.IPPrefixLen}}{{end}}' web
inspect -f '{{.Config.Cmd}} {{len .Config.Cmd}} {{.HostConfig.CPUShares}} {{.HostConfig.NanoCPUs}} {{.HostConfig.DNS}}' web
inspect -f '{{printf "%.12s" .Id}} {{printf "%q" .Name}}' web quiet
inspect -f '{{.Nope}}' web
inspect -f '{{.State.Nope}}' web
inspect -f '{{' web
inspect nobody
inspect web nobody -f '{{.Name}}'
inspect --type image web
inspect --type nonsense web
container inspect quiet -f '{{.State.Status}}'
image inspect -f '{{.Os}}/{{.Architecture}} {{.RepoTags}} {{len .RootFS.Layers}}' busybox
network inspect bridge -f '{{.Name}} {{.Driver}} {{.EnableIPv6}} {{(index .IPAM.Config 0).Subnet}}'
volume inspect vol -f '{{.Name}} {{.Driver}} {{.Scope}}'
volume inspect none
network inspect none-such
inspect web
inspect
LINES

compare "run, exec, logs" <<'LINES'
run --rm busybox echo hello
run --rm busybox sh -c 'exit 7'
run --rm busybox no-such
run --rm busybox /etc
run --rm --nope busybox
run
run --rm -a stdout busybox sh -c 'echo o; echo e >&2'
run --rm -a nonsense busybox true
run -d --rm --restart always busybox true
run --rm --restart nonsense busybox true
run --rm -m 1x busybox true
run --rm -e A=b -e C --env-file /nonsense busybox true
run --rm --network none --hostname box --add-host a:1.2.3.4 busybox sh -c 'hostname; grep 1.2.3.4 /etc/hosts'
run --rm --mount type=tmpfs,target=/t busybox sh -c 'grep -c " /t " /proc/mounts'
run --rm --mount type=volume,source=vol,target=/v,readonly busybox touch /v/x
run --rm --mount type=nonsense,target=/t busybox true
run --rm --mount target busybox true
run --rm --ulimit nofile=64:128 busybox sh -c 'ulimit -n; ulimit -Hn'
run --rm --ulimit nofile=128:64 busybox true
run --rm -u 5:6 -w /tmp busybox sh -c 'id -u; id -g; pwd'
run --rm --entrypoint "" busybox echo x
run --rm --init busybox true
run --rm --cidfile /nonsense/x busybox true
run --rm --pull nonsense busybox true
run --rm --pull never none-such true
run --rm -p 1-2:1 busybox true
run --rm --health-cmd x --no-healthcheck busybox true
run --rm --label a=b --label c --stop-timeout 0 --stop-signal INT busybox true
run --rm -it busybox true
run --rm -h name --dns 1.2.3.4 --dns-search a.b busybox sh -c 'hostname; grep -c 1.2.3.4 /etc/resolv.conf'
!run -d --name web busybox true
exec web echo x
exec web sh -c 'exit 3'
exec web nothing-such
exec -e X=y -w /tmp -u 9 web sh -c 'echo $X $(pwd) $(id -u)'
exec nobody true
exec quiet true
exec web
logs web
logs --tail 1 web
logs -n 0 web
logs --tail x web
logs nobody
port web
port web 80
port web 80/tcp
port web 81
top nobody
top quiet
LINES

compare "what changes things" <<'LINES'
tag busybox other:1
rmi other:1
rmi other:1
rmi -f none-such
pause web
exec web true
unpause web
unpause web
restart -t 0 web
kill -s nonsense web
kill web
!wait web
kill web
start web
start nobody
stop -t 0 web
stop -t 0 web quiet nobody
rename web site
rename web x
rename site web
start web
rm web
rm nobody
rm -f nobody
update
update --cpu-shares 512 web
update --nope web
volume create kept
volume create --label x=y -d local kept2
volume rm kept kept2
volume rm kept
volume rm -f kept
!network create --subnet 10.77.0.0/24 --label l=1 net1
network inspect -f '{{(index .IPAM.Config 0).Subnet}} {{.Labels}} {{.Internal}}' net1
network connect --alias ali net1 web
network inspect -f '{{len .Containers}}' net1
network disconnect net1 web
network rm net1
network rm net1
!network create --subnet nonsense net2
container prune -f --filter label=none
volume prune -f --filter label=none
network prune -f --filter label=none
image prune -f --filter label=none
!system df
system df --format '{{.Type}} {{.TotalCount}} {{.Active}}'
!system info
!info -f '{{.ServerVersion}} {{.OSType}}'
info -f '{{.Driver}} {{.Containers}} {{.NCPU}} {{.Name}}'
info -f '{{.Nope}}'
version -f '{{.Server.Os}} {{.Server.Version}} {{.Client.Os}}'
!version
diff nobody
commit nobody
export nobody
cp nobody:/x -
cp web:/none -
cp a b
cp
LINES

compare "wrong use" <<'LINES'
!no-such-command
!container nonsense
!volume nonsense
stop
rm
kill
tag one
pull
!--nope ps
!-H unix:///nowhere.sock ps
!-H nonsense://x ps
!--context none-such ps
!context use none-such
context show
context ls -q
!context rm none-such
attach nobody
attach quiet
start -a nobody
wait nobody
save nobody
load -i /none-such
import /none-such
logout nowhere.example
login -u a --password-stdin -p b
LINES

step "copies"
for cli in dk ct; do
    w=$TEST_TMP/copy-$cli
    mkdir -p "$w/tree/sub" && echo one >"$w/file" && echo two >"$w/tree/sub/two"
    {
        $cli cp "$w/file" quiet:/tmp/ && $cli cp "$w/file" quiet:/tmp/renamed && $cli cp "$w/tree" quiet:/tmp/newtree &&
            $cli cp "$w/tree/." quiet:/tmp && $cli cp "$w/tree" quiet:/tmp
    } >/dev/null || fail "$cli: cp in"
    $cli cp quiet:/tmp - | tar -t | sort >"$w/list"
    $cli cp quiet:/tmp/file "$w/back" && cmp "$w/file" "$w/back" || fail "$cli: cp of a file"
    $cli cp quiet:/tmp/newtree "$w/out" && [ "$(cat "$w/out/sub/two")" = two ] || fail "$cli: cp of a tree"
    mkdir "$w/there" && $cli cp quiet:/tmp/newtree "$w/there" && [ -f "$w/there/newtree/sub/two" ] || fail "$cli: cp into"
    dk rm quiet >/dev/null && dk create --name quiet busybox true >/dev/null
done
diff "$TEST_TMP/copy-dk/list" "$TEST_TMP/copy-ct/list" || fail "cp makes something else"

step "broken pipes, config.json"
ct ps -a | true
case ${PIPESTATUS[0]} in 0 | 141) ;; *) fail "a broken pipe" ;; esac
echo '{"psFormat":"table {{.Names}}","imagesFormat":"{{.Repository}}","HttpHeaders":{"X-Test":"1"}}' >"$DOCKER_CONFIG/config.json"
compare "formats of config.json" <<'LINES'
ps -a
images
ps -aq
LINES
dk rm -f web quiet >/dev/null
[ -z "${differs-}" ] || fail "the two command lines differ"
pass
