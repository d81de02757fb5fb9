#!/bin/bash
# Images: import with changes, list and its filters, tag, inspect, history, rmi and its conflicts, prune.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image box

step "import with changes"
tar -C "$TEST_TMP" -cf "$TEST_TMP/empty.tar" --files-from /dev/null
dk import -m 'from nothing' -c 'CMD ["a", "b"]' -c 'ENV X=1 Y="two words"' -c 'EXPOSE 80 53/udp' -c 'LABEL l=m' \
    -c 'USER 7' -c 'WORKDIR /w' -c 'VOLUME /v' "$TEST_TMP/empty.tar" empty:1 >/dev/null || fail "import"
expect_eq "$(dk inspect -f '{{json .Config.Cmd}}' empty:1)" '["a","b"]'
expect_eq "$(dk inspect -f '{{json .Config.Env}}' empty:1)" '["X=1","Y=two words"]'
expect_eq "$(dk inspect -f '{{json .Config.ExposedPorts}}' empty:1)" '{"53/udp":{},"80/tcp":{}}'
expect_eq "$(dk inspect -f '{{.Config.User}} {{.Config.WorkingDir}} {{.Config.Labels.l}}' empty:1)" '7 /w m'
expect_eq "$(dk inspect -f '{{.Comment}}' empty:1)" 'from nothing'
expect_fails 'RUN is not a valid change' dk import -c 'RUN true' "$TEST_TMP/empty.tar" no

step "list"
expect_eq "$(dk images --format '{{.Repository}}:{{.Tag}}' | sort)" "$(printf 'box:latest\nempty:1')"
expect_eq "$(dk images --filter label=l=m --format '{{.Repository}}:{{.Tag}}')" 'empty:1'
expect_eq "$(dk images 'b*' --format '{{.Repository}}:{{.Tag}}')" 'box:latest'
expect_fails "invalid filter" dk images --filter nonsense=1
expect_fails "No such image: nothing:latest" dk images --filter before=nothing
id=$(dk images -q --no-trunc box)
[[ $id =~ ^sha256:[0-9a-f]{64}$ ]] || fail "id: $id"
api GET /v1.42/images/json
[ "$(jq 'map(.VirtualSize) | max > 0' <<<"$output")" = true ] || fail "VirtualSize of 1.42: $output"
api GET /v1.51/images/json
[ "$(jq '.[0] | has("VirtualSize")' <<<"$output")" = false ] || fail "VirtualSize of 1.51: $output"

for p in '[' 'box[' '[^' 'box\'; do expect_fails 'syntax error in pattern' dk images --filter "reference=$p"; done
expect_eq "$(dk images -q --filter 'reference=[^a]ox' | wc -l)" 1

step "tag"
expect_eq "$(dk tag box localhost:5000/team/box:v1)" ''
expect_eq "$(dk inspect -f '{{json .RepoTags}}' "$id")" '["box:latest","localhost:5000/team/box:v1"]'
expect_eq "$(dk inspect -f '{{.Id}}' localhost:5000/team/box:v1)" "$id"
expect_eq "$(dk inspect -f '{{.Id}}' "${id:7:12}")" "$id"
expect_fails 'No such image: nothing' dk tag nothing x
expect_fails 'invalid reference format' dk tag box 'UPPER CASE'
expect_fails 'No such image' dk inspect --type image nothing

step "storage driver"
expect_eq "$(dk info -f '{{.Driver}}')" overlay2
for driver in aufs devicemapper zfs fuse-overlayfs; do
    expect_fails "storage-driver: '$driver' is not supported: " "$bin/cortend" --validate --storage-driver $driver
done
expect_fails "'nonsense' is not a storage driver" "$bin/cortend" --validate -s nonsense
expect_eq "$("$bin/cortend" --validate -s overlay2)" "$("$bin/cortend" --validate)"
directory=$(dk inspect -f '{{.GraphDriver.Name}} {{.GraphDriver.Data.UpperDir}}' box)
[ -x "${directory#overlay2 }/bin/busybox" ] || fail "the image's directory: $directory"
cid=$(dk create box true)
expect_eq "$(dk inspect -f '{{.GraphDriver.Data.LowerDir}}' "$cid")" "${directory#overlay2 }"
dk rm "$cid" >/dev/null

step "history"
expect_match "$(dk history empty:1 2>&1)" 'from nothing'
expect_eq "$(dk history --no-trunc -q box)" "$id"

step "rmi"
expect_match "$(bash -c "'$docker' rmi '$id' 2>&1; true" 2>&1)" 'must be forced|must force'
expect_eq "$(dk rmi localhost:5000/team/box:v1)" 'Untagged: localhost:5000/team/box:v1'
cid=$(dk run -d box sleep 1000)
expect_fails 'being used by running container' dk rmi -f "$id"
dk rm -f "$cid" >/dev/null
expect_fails 'No such image: nothing' dk rmi nothing

step "prune"
dk tag empty:1 keep:1
dk import "$TEST_TMP/empty.tar" >/dev/null
expect_eq "$(dk images -q --filter dangling=true | wc -l)" 1
expect_match "$(dk image prune -f 2>&1)" 'deleted: sha256'
expect_eq "$(dk images -q --filter dangling=true | wc -l)" 0
expect_eq "$(dk images -q | wc -l)" 3

step "save and load"
dk save -o "$TEST_TMP/box.tar" box || fail "save"
tar -tf "$TEST_TMP/box.tar" >"$TEST_TMP/names" || fail "not a tar"
grep -qx manifest.json "$TEST_TMP/names" || fail "no manifest.json"
grep -qx index.json "$TEST_TMP/names" || fail "no index.json"
dk rmi box >/dev/null
expect_match "$(dk load -i "$TEST_TMP/box.tar" 2>&1)" 'Loaded image: box:latest'
expect_eq "$(dk images -q --no-trunc box)" "$id"
expect_eq "$(dk run --rm box echo hello)" hello
expect_fails 'No such image' dk save nothing -o "$TEST_TMP/none.tar"

step "all of it is there after a kill -9"
kill_daemon
restart_daemon
expect_eq "$(dk images -q --no-trunc box)" "$id"
expect_eq "$(dk run --rm box echo hello)" hello

step "prune -a takes a family in one call, and of it only what the filter means"
dk create --name holder box >/dev/null
born() { # NAME PARENT LABEL
    local c
    c=$(dk create "$2" true)
    dk commit -c "LABEL $3" "$c" "$1" >/dev/null && dk rm "$c" >/dev/null || fail "commit of $1"
}
born mother:1 box family=a
born middle:1 mother:1 family=b
born child:1 middle:1 family=c
born other:1 mother:1 family=d
dk tag middle:1 middle:2
dk image prune -af --filter label=family=c >/dev/null || fail "prune"
expect_eq "$(dk images -q child:1 | wc -l) $(dk images -q middle:1 | wc -l)" "0 1"
expect_status 0 dk image prune -af
expect_eq "$(grep -c '^untagged: ' <<<"$output")" 6 # with empty:1, keep:1
expect_eq "$(dk images -a --format '{{.Repository}}:{{.Tag}}')" box:latest
dk rm holder >/dev/null
expect_eq "$(dk image prune -af >/dev/null; dk images -aq)" ''
pass
