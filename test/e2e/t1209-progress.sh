#!/bin/bash
# What the stock docker CLI draws on a terminal while images are loaded, pushed and pulled: line by line what it draws with
# dockerd, the same ids in the same order, each with statuses in the same order.
. "$(dirname "$0")/lib.sh"
. "$here/peer.sh"
command -v docker-registry >/dev/null && command -v python3 >/dev/null || skip "docker-registry or python3 is not installed"
start_daemon
printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:5000"}\n' \
    "$TEST_TMP/registry" >"$TEST_TMP/registry.yml"
in_net docker-registry serve "$TEST_TMP/registry.yml" >"$TEST_TMP/registry.log" 2>&1 &
at_end "kill $! 2>/dev/null"
peer_net=$net_pid
run_dockerd --iptables=false --bridge=none || skip "$peer_why"
make_busybox_image
r=127.0.0.1:5000
for i in 1 2 3 4 5 6; do
    mkdir -p "layers/$i/$i"
    head -c $((i * 300000)) /dev/urandom >"layers/$i/$i/data"
done
{ echo FROM busybox; for i in 1 2 3 4 5 6; do echo COPY "$i" /; done; } >layers/Dockerfile
ct build -q -t $r/app:1 layers >/dev/null && dk save -o app.tar $r/app:1 || fail "build"
dk rmi -f $r/app:1 busybox >/dev/null && ct builder prune -af >/dev/null || fail "rmi"

# A status that is over before it can be drawn is left out by either; the manifests that they push are not the same.
plain() {
    sed -e '1,/^--$/s/\(\[=*>\? *\]\).*/\1/' -e 's/, \(Waiting\|Verifying\|Verifying Checksum\|Downloading\|Download complete\|Extracting\|Pushing\)\b//g' \
        -e 's/digest: sha256:[0-9a-f]* size: [0-9]*/digest/' -e 's/ *$//'
}
same() { # WORDS… the same terminal from both
    local status
    python3 "$here/terminal.py" "$docker" -H "$peer" "$@" >peer.all
    status=$?
    expect_status $status python3 "$here/terminal.py" "$docker" -H "unix://$SOCKET" "$@"
    printf '%s\n' "$output" >ours.all
    plain <peer.all >peer.plain
    plain <ours.all >ours.plain
    diff peer.plain ours.plain || fail "docker $*: $(cat peer.all ours.all)"
}
drawn() { grep -qE "$1" ours.all || fail "'$1' was not drawn: $(cat ours.all)"; }

step "load"
same load -i app.tar
drawn '^[0-9a-f]{12}: Loading layer \[=+>\] '
expect_eq "$(grep -c '^[0-9a-f]*: Loading layer$' ours.all)" 7
same load -i app.tar
same load -q -i app.tar

step "push"
same push $r/app:1
drawn '^[0-9a-f]{12}: Preparing, (Waiting, )?(Pushing, )?Pushed'
same push $r/app:1
drawn '^[0-9a-f]{12}: Layer already exists'
for cli in peer dk; do $cli tag $r/app:1 $r/other:1; done
same push $r/other:1
drawn '^[0-9a-f]{12}: Mounted from app'
same push -a $r/app
same push $r/none:1
dk push -q $r/app:1 >/dev/null

step "pull"
for cli in peer dk; do $cli rmi -f $r/app:1 $r/other:1 >/dev/null; done
same pull $r/app:1
drawn '^[0-9a-f]{12}: Pull complete'
drawn '^[0-9a-f]{12}: Pulling fs layer, (Waiting, )?(Downloading, )?(Verifying( Checksum)?, )?(Download complete, )?(Extracting, )?Pull complete'
same pull $r/app:1
drawn 'Status: Image is up to date'
same pull -a $r/app
dk tag $r/app:1 $r/app:2 && dk push -q $r/app:2 >/dev/null
for cli in peer dk; do $cli tag $r/app:1 $r/more:1; $cli rmi $r/app:1 >/dev/null; done
dk rmi $r/app:2 >/dev/null
same pull -a $r/app
drawn 'Status: Downloaded newer image for 127.0.0.1:5000/app$'
same pull $r/app:none
pass
