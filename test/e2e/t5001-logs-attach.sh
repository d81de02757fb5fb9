#!/bin/bash
# logs (-f, --tail, -t), attach, exec with streams, terminals; nothing lost.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

dk run -d --name talk busybox sh -c 'for i in 1 2 3 4; do echo out$i; echo err$i >&2; done; sleep 0.3; echo out5; sleep 0.3; echo err5 >&2; sleep 1000' > /dev/null
eventually 5 eval "dk logs talk 2>&1 | grep err5"
expect_eq "$(dk logs talk 2> /dev/null | tr '\n' ' ')" "out1 out2 out3 out4 out5 "
expect_eq "$(dk logs talk 2>&1 > /dev/null | tr '\n' ' ')" "err1 err2 err3 err4 err5 "
expect_eq "$(dk logs --tail 2 talk 2>&1 | tr '\n' ' ')" "out5 err5 "
expect_eq "$(dk logs --tail 0 talk 2>&1)" ""
expect_match "$(dk logs -t --tail 1 talk 2>&1)" "^20[0-9-]*T.*Z err5"
dk rm -f talk > /dev/null

# -f follows to the end and ends with the container.
dk run -d --name count busybox sh -c 'i=0; while [ $i -lt 20 ]; do echo n$i; i=$((i+1)); sleep 0.05; done' > /dev/null
expect_eq "$(timeout 20 docker -H "$DOCKER_HOST" logs -f count | wc -l)" "20"
dk rm count > /dev/null

# A million lines: all of them, in order.
dk run --name flood busybox seq 1 300000 > "$TEST_TMP/seen"
seq 1 300000 | cmp - "$TEST_TMP/seen" || fail "attached output differs"
dk logs flood | cmp - "$TEST_TMP/seen" || fail "logs differ"
dk rm flood > /dev/null

# attach sees what comes after it; its exit code is the container's. (As with the peer, a stdin that ends takes the output
# along when the container was not started with StdinOnce: so it is kept open here.)
dk run -d -i --name att busybox sh -c 'read x; echo got $x; exit 9' > /dev/null
expect_eq "$({ echo word; sleep 1; } | timeout 20 docker -H "$DOCKER_HOST" attach att; echo $?)" "got word
9"
dk rm att > /dev/null

# exec: streams, codes, user, environment, working directory, detached.
dk run -d --name box busybox sleep 1000 > /dev/null
expect_eq "$(dk exec box echo hi)" "hi"
expect_status 5 dk exec box sh -c 'exit 5'
expect_status 127 dk exec box no-such-program
expect_eq "$(echo in | dk exec -i box cat)" "in"
expect_eq "$(dk exec -e V=1 -w /tmp -u 7 box sh -c 'echo $V $(pwd) $(id -u)')" "1 /tmp 7"
dk exec -d box sh -c 'echo yes > /tmp/detached'
sleep 0.3
expect_eq "$(dk exec box cat /tmp/detached)" "yes"
expect_match "$(dk exec -t box tty)" "/dev/pts/"
head -c 3000000 /dev/urandom > "$TEST_TMP/data"
dk exec -i box cat < "$TEST_TMP/data" | cmp - "$TEST_TMP/data" || fail "exec streams differ"
expect_status 1 dk exec nobody true
# A paused container refuses at once.
dk pause box > /dev/null
expect_fails "is paused, unpause the container before exec" timeout 2 docker -H "$DOCKER_HOST" exec box true
dk unpause box > /dev/null
# An exec outlives its client, unless it is asked not to.
timeout 1 docker -H "$DOCKER_HOST" exec box sleep 777
expect_match "$(dk exec box ps)" "sleep 777"
dk run -d --name dies --label corten.exec.kill-with-client=true busybox sleep 1000 > /dev/null
timeout 1 docker -H "$DOCKER_HOST" exec dies sh -c '(sleep 777 &); sleep 778'
eventually 3 eval '! dk exec dies ps | grep "sleep 77[78]"'
dk rm -f dies > /dev/null
# The container's end is the exec's end.
(sleep 0.5; dk kill box > /dev/null) &
expect_status 137 dk exec box sleep 1000
wait
pass
