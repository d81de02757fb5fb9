#!/bin/bash
# Images: import with changes, list and its filters, tag, inspect, history, rmi and its conflicts, prune.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image box

step "import with changes"
tar -C "$work" -cf "$work/empty.tar" --files-from /dev/null
dk import -m 'from nothing' -c 'CMD ["a", "b"]' -c 'ENV X=1 Y="two words"' -c 'EXPOSE 80 53/udp' -c 'LABEL l=m' \
    -c 'USER 7' -c 'WORKDIR /w' -c 'VOLUME /v' "$work/empty.tar" empty:1 >/dev/null || fail "import"
expect_eq '["a","b"]' dk inspect -f '{{json .Config.Cmd}}' empty:1
expect_eq '["X=1","Y=two words"]' dk inspect -f '{{json .Config.Env}}' empty:1
expect_eq '{"53/udp":{},"80/tcp":{}}' dk inspect -f '{{json .Config.ExposedPorts}}' empty:1
expect_eq '7 /w m' dk inspect -f '{{.Config.User}} {{.Config.WorkingDir}} {{.Config.Labels.l}}' empty:1
expect_eq 'from nothing' dk inspect -f '{{.Comment}}' empty:1
expect_fails 'RUN is not a valid change' dk import -c 'RUN true' "$work/empty.tar" no

step "list"
expect_eq "$(printf 'box:latest\nempty:1')" eval "dk images --format '{{.Repository}}:{{.Tag}}' | sort"
expect_eq 'empty:1' dk images --filter label=l=m --format '{{.Repository}}:{{.Tag}}'
expect_eq 'box:latest' dk images 'b*' --format '{{.Repository}}:{{.Tag}}'
expect_fails "invalid filter" dk images --filter nonsense=1
expect_fails "No such image: nothing:latest" dk images --filter before=nothing
id=$(dk images -q --no-trunc box)
[[ $id =~ ^sha256:[0-9a-f]{64}$ ]] || fail "id: $id"
api GET /v1.42/images/json
[ "$(jq 'map(.VirtualSize) | max > 0' <<<"$output")" = true ] || fail "VirtualSize of 1.42: $output"
api GET /v1.51/images/json
[ "$(jq '.[0] | has("VirtualSize")' <<<"$output")" = false ] || fail "VirtualSize of 1.51: $output"

step "tag"
expect_eq '' dk tag box localhost:5000/team/box:v1
expect_eq '["box:latest","localhost:5000/team/box:v1"]' dk inspect -f '{{json .RepoTags}}' "$id"
expect_eq "$id" dk inspect -f '{{.Id}}' localhost:5000/team/box:v1
expect_eq "$id" dk inspect -f '{{.Id}}' "${id:7:12}"
expect_fails 'No such image: nothing' dk tag nothing x
expect_fails 'invalid reference format' dk tag box 'UPPER CASE'
expect_fails 'No such image' dk inspect --type image nothing

step "history"
expect_match 'from nothing' dk history empty:1
expect_eq "$id" dk history --no-trunc -q box

step "rmi"
expect_match 'must be forced|must force' bash -c "'$docker' rmi '$id' 2>&1; true"
expect_eq 'Untagged: localhost:5000/team/box:v1' dk rmi localhost:5000/team/box:v1
cid=$(dk run -d box sleep 1000)
expect_fails 'being used by running container' dk rmi -f "$id"
dk rm -f "$cid" >/dev/null
expect_fails 'No such image: nothing' dk rmi nothing

step "prune"
dk tag empty:1 keep:1
dk import "$work/empty.tar" >/dev/null
expect_eq 1 eval 'dk images -q --filter dangling=true | wc -l'
expect_match 'deleted: sha256' dk image prune -f
expect_eq 0 eval 'dk images -q --filter dangling=true | wc -l'
expect_eq 3 eval 'dk images -q | wc -l'

step "save and load"
dk save -o "$work/box.tar" box || fail "save"
tar -tf "$work/box.tar" | grep -qx manifest.json || fail "no manifest.json"
tar -tf "$work/box.tar" | grep -qx index.json || fail "no index.json"
dk rmi box >/dev/null
expect_match 'Loaded image: box:latest' dk load -i "$work/box.tar"
expect_eq "$id" dk images -q --no-trunc box
expect_eq hello dk run --rm box echo hello
expect_fails 'No such image' dk save nothing -o "$work/none.tar"

step "all of it is there after a kill -9"
restart_daemon -9
expect_eq "$id" dk images -q --no-trunc box
expect_eq hello dk run --rm box echo hello
