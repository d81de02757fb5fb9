#!/bin/bash
# A stopped dockerd's data root, taken over: images with their digests, networks, volumes with their data, containers with
# what they wrote; nothing is done without --apply, the old root is only read, twice is once.
# limit: 240
. "$(dirname "$0")/lib.sh"
. "$here/peer.sh"
make_net
peer_net=$net_pid
engine=$peer_dir
run_dockerd || skip "$peer_why"
old() { peer "$@"; }

step "what dockerd has"
mkdir -p "$engine/ctx/bin"
cp /bin/busybox "$engine/ctx/bin/"
for name in sh ls cat echo sleep rm touch ln; do ln -s busybox "$engine/ctx/bin/$name"; done
cat > "$engine/ctx/Dockerfile" << 'END'
FROM scratch
COPY bin /bin
RUN echo hi > /hello && touch /gone && ln /hello /linked
RUN rm /gone
LABEL a=b
CMD ["sh"]
END
DOCKER_BUILDKIT=0 old build -t app:1 "$engine/ctx" > "$engine/built" 2>&1 || skip "dockerd does not build here: $(tail -1 "$engine/built")"
old tag app:1 reg.example/app:2
old network create --label x=y --subnet 10.77.0.0/24 net1 > /dev/null
old network create --internal net2 > /dev/null
old volume create --label vl=1 vol1 > /dev/null
old run --name c1 --network net1 --network-alias first --label l=1 -e A=b -v vol1:/data -v /anon app:1 \
    sh -c 'echo data > /data/f; ln -s f /data/link; echo anon > /anon/f; echo changed > /hello; rm /bin/ls' || skip "dockerd starts no container here"
old create --name c2 --restart on-failure:3 --memory 64m -p 18080:80 app:1 sleep 100 > /dev/null
id=$(old inspect -f '{{.Id}}' app:1)
subnet=$(old network inspect -f '{{(index .IPAM.Config 0).Subnet}}' net2)
start_daemon
expect_fails "a dockerd runs on" ct system import-docker --data-root "$engine/data"
stop_dockerd
before=$(cd "$engine/data" && find . -type f -newermt '1970-01-01' -printf '%p %s %T@\n' | sort | sha256sum)

step "without --apply it is only said"
expect_match "$(ct system import-docker --json --data-root "$engine/data")" '^\{"kind":"container","name":"[^"]+","result":"would be taken"\}$'
said=$(ct system import-docker --data-root "$engine/data")
expect_match "$said" "^image +app:1 +${id:7:12}, 3 layers"
expect_match "$said" "^image +reg.example/app:2 "
expect_match "$said" "^network +net1 +would be taken"
expect_match "$said" "^volume +vol1 +would be taken"
expect_match "$said" "^container +c2 +would be taken"
expect_eq "$(ct ps -aq; ct images -q; ct volume ls -q)" ""

step "with --apply it is done"
expect_match "$(ct system import-docker --data-root "$engine/data" --apply)" " 0 not taken"
expect_eq "$(dk inspect -f '{{.Id}} {{.Config.Labels.a}}' app:1 reg.example/app:2)" "$id b
$id b"
expect_eq "$(ct run --rm app:1 sh -c 'cat /hello /linked; ls /gone 2>&1')" "hi
hi
ls: /gone: No such file or directory"
expect_eq "$(dk network inspect -f '{{(index .IPAM.Config 0).Subnet}} {{.Internal}} {{.Labels.x}}' net1 net2)" "10.77.0.0/24 false y
$subnet true <no value>"
expect_eq "$(dk volume inspect -f '{{.Labels.vl}}' vol1)" 1
expect_eq "$(ct run --rm -v vol1:/v app:1 cat /v/link)" data
expect_eq "$(dk inspect -f '{{.Config.Labels.l}} {{.HostConfig.NetworkMode}} {{.State.Status}} {{len .Mounts}}' c1)" "1 net1 created 2"
expect_eq "$(dk inspect -f '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.Memory}} {{.HostConfig.PortBindings}} {{.Config.Image}}' c2)" \
    "on-failure 67108864 map[80/tcp:[{ 18080}]] app:1"
expect_eq "$(dk start -a c1 2>&1)" "ln: /data/link: File exists
rm: can't remove '/bin/ls': No such file or directory"
expect_eq "$(ct run --rm --volumes-from c1 corten-import/c1 sh -c 'cat /hello /anon/f; [ -e /bin/ls ] && echo back' 2>&1)" "changed
anon"

step "the old root is as it was, and twice is once"
expect_eq "$(cd "$engine/data" && find . -type f -newermt '1970-01-01' -printf '%p %s %T@\n' | sort | sha256sum)" "$before"
expect_match "$(ct system import-docker --data-root "$engine/data" --apply)" "1 images;.* 0 taken, 6 were there, 0 not taken"
expect_fails "has no images of the storage driver overlay2" ct system import-docker --data-root "$TEST_TMP"
dk rm c1 c2 > /dev/null
expect_nothing_left
pass
