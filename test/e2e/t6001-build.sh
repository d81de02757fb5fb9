#!/bin/bash
# build by the stock CLI: every instruction of the slice, the resulting files, config and history.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
export DOCKER_BUILDKIT=0
mkdir -p ctx/dir/sub
echo one >ctx/one.txt
echo two >ctx/dir/two.txt
printf '#!/bin/sh\necho tool\n' >ctx/dir/sub/tool
chmod 755 ctx/dir/sub/tool
ln -s two.txt ctx/dir/link
mkdir tarred && echo inside >tarred/file && chmod 640 tarred/file
tar czf ctx/some.tgz --owner=7 --group=8 -C tarred .
echo hidden >ctx/secret
printf 'secret\n*.tmp\n' >ctx/.dockerignore
touch ctx/x.tmp

cat >ctx/Dockerfile <<'END'
# syntax=docker/dockerfile:1
ARG BASE=busybox
FROM $BASE AS base
LABEL who="me and you"
ENV A=1 B="two words"
ENV C=${A}-${NONE:-none}
ARG WHAT=default
RUN echo "$A|$B|$C|$WHAT" > /env && echo said
WORKDIR /work
WORKDIR sub
RUN pwd > /pwd
COPY one.txt dir /copied/
COPY --chown=web:extra --chmod=600 one.txt /owned/as
ADD some.tgz /added
COPY <<TEXT <<"RAW" /docs/
A is $A
TEXT
A is $A
RAW
RUN <<SCRIPT
set -e
echo first
echo second > /second
SCRIPT
USER web
RUN id -u > /tmp/uid
EXPOSE 80 90-91/udp
VOLUME /data
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5s CMD true
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["echo started in $PWD"]

FROM busybox AS unneeded
RUN false

FROM base
USER root
COPY --from=base /work /env /from/
COPY --from=0 /docs/* /pick/
END

step "the build"
out=$(dk build -t made:1 -t made --build-arg WHAT=given --label extra=yes --build-arg LOST=1 ctx 2>&1) || fail "$out"
expect_match "$out" '^Step 1/[0-9]+ : ARG BASE=busybox$'
expect_match "$out" '^said$'
expect_match "$out" '^first$'
expect_match "$out" '^ ---> Running in [0-9a-f]{12}$'
expect_match "$out" '^ ---> Removed intermediate container [0-9a-f]{12}$'
expect_match "$out" '^\[Warning\] One or more build-args \[LOST\] were not consumed$'
expect_match "$out" '^Successfully built [0-9a-f]{12}$'
expect_match "$out" '^Successfully tagged made:1$'
expect_match "$out" '^Successfully tagged made:latest$'
expect_no_match "$out" 'unneeded'

step "the files"
look() { dk run --rm --entrypoint /bin/sh made:1 -c "$1"; }
expect_eq "$(look 'cat /env')" "1|two words|1-none|given"
expect_eq "$(look 'cat /pwd')" "/work/sub"
expect_eq "$(look 'cd /copied && find . | sort | xargs')" ". ./link ./one.txt ./sub ./sub/tool ./two.txt"
expect_eq "$(look 'readlink /copied/link; /copied/sub/tool' | xargs)" "two.txt tool"
expect_eq "$(look 'stat -c "%a %u:%g" /owned /owned/as' | xargs)" "755 1000:2000 600 1000:2000"
expect_eq "$(look 'stat -c "%a %u:%g" /added/file; cat /added/file' | xargs)" "640 7:8 inside"
expect_eq "$(look 'cat /docs/TEXT /docs/RAW')" 'A is 1
A is $A'
expect_eq "$(look 'cat /second /tmp/uid' | xargs)" "second 1000"
expect_eq "$(look 'cat /from/env; ls /from /pick' | xargs)" "1|two words|1-none|given /from: env sub /pick: RAW TEXT"
expect_eq "$(look 'stat -c %a /tmp')" "1777"
expect_eq "$(look 'ls /proc/self/root/dev/pipes 2>&1 | wc -l; ls -A /etc/resolv.conf' | head -1)" "1"

step "what must not be there"
expect_fails 'excluded by .dockerignore: secret' bash -c "printf 'FROM busybox\nCOPY secret /\n' | tee ctx/D2 && '$docker' build -f ctx/D2 ctx"
expect_eq "$(printf 'FROM busybox\nCOPY . /all\nRUN ls -A /all | xargs\n' >ctx/D3; dk build -q -f ctx/D3 -t d3 ctx >/dev/null; dk run --rm d3 ls -A /all | xargs)" ".dockerignore D2 D3 Dockerfile dir one.txt some.tgz"

step "config and history"
i() { dk image inspect -f "$1" made:1; }
expect_eq "$(i '{{json .Config.Env}}' | grep -o '"[ABC]=[^"]*"' | xargs)" "A=1 B=two words C=1-none"
expect_eq "$(i '{{json .Config.Cmd}} {{json .Config.Entrypoint}}')" '["echo started in $PWD"] ["/bin/sh","-c"]'
expect_eq "$(i '{{.Config.WorkingDir}} {{.Config.User}} {{.Config.StopSignal}}')" "/work/sub root SIGQUIT"
expect_eq "$(i '{{json .Config.ExposedPorts}}')" '{"80/tcp":{},"90/udp":{},"91/udp":{}}'
expect_eq "$(i '{{json .Config.Volumes}}')" '{"/data":{}}'
expect_eq "$(i '{{.Config.Labels.who}}, {{.Config.Labels.extra}}')" "me and you, yes"
expect_eq "$(i '{{json .Config.Healthcheck.Test}}')" '["CMD-SHELL","true"]'
expect_eq "$(dk run --rm made)" "started in /work/sub"
h=$(dk history --no-trunc --format '{{.CreatedBy}}' made:1)
expect_match "$h" '^ENV A=1 B=two words$'
expect_match "$h" '^RUN \|1 WHAT=given /bin/sh -c echo "\$A\|\$B\|\$C\|\$WHAT" > /env && echo said # buildkit$'
expect_match "$h" '^COPY --chown=web:extra --chmod=600 one.txt /owned/as # buildkit$'
expect_match "$h" '^WORKDIR /work/sub$'
expect_match "$h" '^HEALTHCHECK \{Test:\[CMD-SHELL true\] Interval:5s Timeout:0s'
expect_eq "$(i '{{len .RootFS.Layers}}')" "$(dk history --format '{{.CreatedBy}} {{.Size}}' made:1 | grep -c -E '^(RUN|COPY|ADD|WORKDIR)|[1-9][0-9.]*MB')"

step "nothing is left behind"
expect_eq "$(dk ps -aq)" ""
empty() { [ -d "$DATA_ROOT/tmp" ] && [ -z "$(ls -A "$DATA_ROOT/tmp")" ]; }
eventually 5 empty
pass
