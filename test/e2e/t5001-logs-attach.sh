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

attach_log() { # NAME: its stdout from the beginning, answering a question with joe
    perl -MIO::Socket::UNIX -e '
    my $s = IO::Socket::UNIX->new($ARGV[0]) or die;
    print $s "POST /containers/$ARGV[1]/attach?logs=1&stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    $s->flush;
    my ($all, $said) = ("", 0);
    while (sysread($s, my $b, 65536)) {
        $all .= $b;
        if (!$said && $all =~ /name\? $/) { print $s "joe\n"; $s->flush; $said = 1 }
    }
    $all =~ s/^HTTP.*?\r\n\r\n//s;
    while (length $all) { my ($k, $n) = unpack("Cx3N", $all); print substr($all, 8, $n); substr($all, 0, 8 + $n) = "" }
    ' "$SOCKET" "$1"
}
# attach with the log first: nothing is missing or twice at the seam, the unfinished line included; stdin works.
dk run -d -i --name seam busybox sh -c 'seq 1 20000; printf "name? "; read x; echo hello $x; seq 20001 40000; exit 3' > /dev/null
eventually 5 eval 'dk logs --tail 1 seam | grep -q 20000'
attach_log seam > "$TEST_TMP/seam"
{ seq 1 20000; echo "name? hello joe"; seq 20001 40000; } | cmp - "$TEST_TMP/seam" || fail "the seam shows: $(diff <(seq 1 20000; echo "name? hello joe"; seq 20001 40000) "$TEST_TMP/seam" | head -3)"
expect_eq "$(dk wait seam)" 3
dk rm seam > /dev/null
for n in 1 2 3; do # while it speaks; it does not end before somebody has seen it (who comes too late waits for the next start)
    dk run -d -i --name seam$n busybox sh -c 'i=0; while [ $i -lt 40000 ]; do i=$((i+1)); echo $i; done; printf "name? "; read x' > /dev/null
    attach_log seam$n > "$TEST_TMP/seam"
    { seq 1 40000; printf 'name? '; } | cmp - "$TEST_TMP/seam" || fail "the seam shows: $(diff <(seq 1 40000) "$TEST_TMP/seam" | head -3)"
    dk rm -f seam$n > /dev/null
done

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
