#!/bin/bash
# RUN --mount, --network and --security; COPY and ADD with all flags; by the stock CLI and by corten.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
export DOCKER_BUILDKIT=0
mkdir -p ctx/a/b ctx/c
echo one >ctx/a/one.txt; echo two >ctx/a/b/two.txt; echo three >ctx/c/three.md; echo x >ctx/c/left.out
chmod 750 ctx/a/b
echo top-secret >secret.txt

step "bind, cache, tmpfs"
cat >ctx/Dockerfile <<'END'
FROM busybox AS base
RUN mkdir /made && echo made > /made/f
FROM busybox
ARG WHERE=/in
RUN --mount=target=$WHERE --mount=from=base,source=/made,target=/stage \
    --mount=type=tmpfs,target=/t,size=1m --mount=type=cache,id=k,target=/cache,uid=7,mode=0711 \
    cat /in/a/one.txt /stage/f > /got && stat -c '%u %a' /cache >> /got && df /t | grep -q ' 1024 ' && \
    echo kept > /cache/file && ! touch /in/x 2>/dev/null
RUN --mount=type=cache,id=k,target=/elsewhere/deep cat /elsewhere/deep/file >> /got
RUN --mount=target=/rw,rw echo no > /rw/a/one.txt
RUN --network=none ! ip route | grep -q default && ip a > /net
END
out=$(dk build -t m ctx 2>&1) || fail "$out"
expect_eq "$(dk run --rm m cat /got)" "one
made
7 711
kept"
expect_eq "$(cat ctx/a/one.txt)" one
expect_eq "$(dk run --rm m ls -d /in /stage /t /cache /elsewhere /rw 2>/dev/null)" ""
expect_eq "$(dk volume ls -q --filter label=corten.build.cache | wc -l)" 1

step "a bind mount counts by content"
out=$(dk build -t m ctx 2>&1) || fail "$out"
expect_no_match "$out" 'Running in'
echo changed >ctx/a/one.txt
out=$(dk build -t m ctx 2>&1) || fail "$out"
expect_match "$out" 'Running in'
expect_match "$(dk run --rm m cat /got)" '^changed$'

step "what goes beyond the sandbox is refused"
printf 'FROM busybox\nRUN --security=insecure true\n' >ctx/D2
expect_fails 'security.insecure' dk build -f ctx/D2 ctx
printf 'FROM busybox\nRUN --network=host true\n' >ctx/D2
expect_fails 'network.host' dk build -f ctx/D2 ctx
printf 'FROM busybox\nRUN --mount=type=secret,id=s,required true\n' >ctx/D2
expect_fails "secret 's' was not given" dk build -f ctx/D2 ctx
printf 'FROM busybox\nRUN --mount=from=late,target=/x true\nFROM busybox AS late\n' >ctx/D2
expect_fails 'D2:2' dk build -f ctx/D2 --target 0 ctx

step "COPY --parents --exclude --link"
cat >ctx/Dockerfile <<'END'
FROM busybox
COPY --parents a/b/two.txt ./c/*.md /p/
COPY --parents a/./b /q/
COPY --parents **/two.txt /all/
COPY --exclude=*.out c /e/
RUN mkdir /real && ln -s /real /link
COPY --link a/one.txt /link/one.txt
COPY --link --chown=3:4 c /owned/
END
out=$(dk build -t c ctx 2>&1) || fail "$out"
look() { dk run --rm c sh -c "$1"; }
expect_eq "$(look 'find /p /q /all /e -type f | sort | xargs')" \
    "/all/a/b/two.txt /e/three.md /p/a/b/two.txt /p/c/three.md /q/b/two.txt"
expect_eq "$(look 'stat -c %a /p/a/b')" 750
expect_eq "$(look 'ls /real; cat /link/one.txt')" "changed"
expect_eq "$(look 'stat -c %u:%g /owned/three.md')" "3:4"

step "secrets by corten build"
cat >ctx/Dockerfile <<'END'
FROM busybox
RUN --mount=type=secret,id=s,target=/run/it,mode=0440,uid=9 cat /run/it > /seen; stat -c '%u %a' /run/it >> /seen
RUN --mount=type=secret,id=v,env=VALUE test "$VALUE" = from-env
RUN --mount=type=secret,id=none true
END
export NAME_OF=from-env
out=$(ct build -t s --secret id=s,src=secret.txt --secret id=v,env=NAME_OF ctx 2>&1) || fail "$out"
expect_eq "$(dk run --rm s cat /seen)" "top-secret
9 440"
expect_eq "$(dk run --rm s find /run -type f)" ""
# Other daemons, of tests beside this one, may have theirs there.
expect_eq "$(grep -rl top-secret /dev/shm/corten-build-* 2>/dev/null)" ""
grep -rq from-env "$DATA_ROOT/layer" 2>/dev/null && fail "the value is in a layer"
pass
