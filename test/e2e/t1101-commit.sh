#!/bin/bash
# commit: what a container wrote becomes an image, with every change that a Dockerfile allows; a container that runs is
# frozen meanwhile, unless told otherwise.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image box

step "of a container that ended"
dk run --name one -e A=1 -w /tmp box sh -c 'echo hi >/made; rm /etc/group; mkdir -p /d; ln -s x /d/l' || fail "run"
id=$(dk commit -a 'A. Uthor' -m 'a comment' one made:1) || fail "commit"
expect_match "$id" '^sha256:[0-9a-f]{64}$'
expect_eq "$(dk images -q --no-trunc made:1)" "$id"
expect_eq "$(dk run --rm made:1 sh -c 'cat /made; readlink /d/l; pwd; echo $A; ls /etc/group 2>&1 | grep -c "No such"')" \
    "$(printf 'hi\nx\n/tmp\n1\n1')"
expect_eq "$(dk inspect -f '{{.Author}}|{{.Comment}}|{{.Parent}}' made:1)" "A. Uthor|a comment|$(dk images -q --no-trunc box)"
expect_eq "$(dk inspect -f '{{len .RootFS.Layers}}' made:1)" 2
expect_match "$(dk history --no-trunc made:1 | sed -n 2p)" 'sh -c echo hi .*a comment'
expect_eq "$(dk inspect -f '{{index .Config.Cmd 0}} {{len .Config.Cmd}}' made:1)" 'sh 3'
expect_match "$(dk diff one)" '^D /etc/group'

step "changes"
dk commit -c 'CMD ["a", "$A"]' -c 'ENV B=x$A' -c 'EXPOSE 80' -c 'LABEL l=${A:-no}' -c 'USER 7:8' -c 'WORKDIR w' \
    -c 'VOLUME /v' -c 'STOPSIGNAL SIGQUIT' -c 'ENTRYPOINT ["/e"]' -c 'CMD b' -c 'ONBUILD RUN true' \
    -c 'HEALTHCHECK --interval=9s CMD true' one made:2 >/dev/null || fail "commit --change"
expect_eq "$(dk inspect -f '{{json .Config.Cmd}}{{json .Config.Entrypoint}}{{json .Config.Env}}' made:2)" \
    '["/bin/sh","-c","b"]["/e"]["A=1","B=x1"]'
expect_eq "$(dk inspect -f '{{json .Config.ExposedPorts}}{{json .Config.Volumes}}{{.Config.Labels.l}}' made:2)" \
    '{"80/tcp":{}}{"/v":{}}1'
expect_eq "$(dk inspect -f '{{.Config.User}} {{.Config.WorkingDir}} {{.Config.StopSignal}} {{.Config.OnBuild}}' made:2)" \
    '7:8 /tmp/w SIGQUIT [RUN true]'
expect_eq "$(dk inspect -f '{{.Config.Healthcheck.Interval}} {{.Config.Healthcheck.Test}}' made:2)" '9s [CMD-SHELL true]'
expect_fails 'RUN is not a valid change' dk commit -c 'RUN true' one no
expect_fails 'No such container: nothing' dk commit nothing no
expect_fails 'invalid reference format|repository name must be lowercase' dk commit one UPPER

step "a body's config wins over the container's"
api POST '/v1.41/commit?container=one&repo=body&comment=x' '{"Cmd":["z"],"Env":["A=2"],"Labels":{"k":"v"}}'
expect_eq "$api_status" 201
expect_eq "$(dk inspect -f '{{json .Config.Cmd}}{{json .Config.Env}}{{.Config.Labels.k}}{{.Config.WorkingDir}}' body)" '["z"]["A=2"]v/tmp'
api POST '/v1.41/commit?container=one' '[]'
expect_eq "$api_status" 400

step "of a container that runs: frozen meanwhile, and it goes on"
dk run -d --name two box sh -c 'while :; do echo x >>/a; echo x >>/b; done' >/dev/null
eventually 5 dk exec two test -s /b
for i in 1 2 3; do
    dk commit two "live:$i" >/dev/null || fail "commit of a running one"
    expect_match "$(dk run --rm --entrypoint sh "live:$i" -c 'echo $(($(wc -l </a) - $(wc -l </b)))')" '^(0|1)$'
done
expect_eq "$(dk inspect -f '{{.State.Status}}' two)" running
before=$(dk exec two wc -l /a)
eventually 5 eval "[ \"\$(dk exec two wc -l /a)\" != '$before' ]"
dk commit -p=false two live:4 >/dev/null || fail "commit --pause=false"
dk pause two >/dev/null
dk commit two live:5 >/dev/null || fail "commit of a paused one"
expect_eq "$(dk inspect -f '{{.State.Status}}' two)" paused
dk unpause two >/dev/null

step "events"
expect_match "$(dk events --since 0 --until "$(date +%s)" --filter event=commit)" "container commit .*comment=a comment.*imageID=$id.*imageRef=made:1"
expect_match "$(dk events --since 0 --until "$(date +%s)" --filter type=image --filter event=tag)" 'image tag sha256:.*name=made:1'

step "durable"
kill_daemon
restart_daemon
expect_eq "$(dk run --rm --entrypoint cat made:1 /made)" hi
dk rm -f one two >/dev/null
pass
