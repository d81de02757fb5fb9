#!/bin/bash
# A push survives what a network and a registry do to it: resumed uploads, pieces, mounts.
. "$(dirname "$0")/lib.sh"
. "$here/trap.sh"
start_daemon
start_trap
r=127.0.0.1:$trap
# 12 MB that do not compress: larger than what goes in one PUT.
mkdir "$TEST_TMP/big"
dd if=/dev/urandom of="$TEST_TMP/big/file" bs=1M count=12 status=none
tar -C "$TEST_TMP/big" -c . | dk import - $r/big:1 >/dev/null || fail "import"
id=$(dk inspect -f '{{.Id}}' $r/big:1)

back() { # what the registry has is what was pushed
    fresh
    faults '{}'
    expect_status 0 dk pull "$1"
    expect_eq "$(dk inspect -f '{{.Id}}' "$1")" "$id"
}

step "an upload that breaks is resumed where the registry says"
faults '{"cut_upload": [3000000, 2]}'
expect_status 0 dk push $r/big:1
expect_match "$output" 'Pushed$'
asked 'GET /v2/big/blobs/uploads/.* status=204' 2
asked 'PATCH /v2/big/blobs/uploads/.* status=202 .* range=6000000-'
asked 'PUT /v2/big/manifests/1 status=201'
back $r/big:1

step "an upload goes on over the death of its worker, and of the daemon"
workers() {
    local p
    for p in $(our_pids); do [ "$(cat "/proc/$p/comm" 2>/dev/null)" = corten-worker ] && echo "$p"; done
}
remembered() { [ "$(ls "$DATA_ROOT/image/upload" 2>/dev/null | wc -l)" = "$1" ]; }
for victim in worker daemon; do
    dk tag $r/big:1 "$r/$victim:1"
    # Three megabytes come, then the registry is busy for longer than the worker lives.
    faults '{"no_mount": true, "cut_upload": [3000000, 1], "status": [["GET /v2/'$victim'/blobs/uploads/", 503, 9, 20]]}'
    dk push "$r/$victim:1" >"$TEST_TMP/out" 2>&1 &
    push=$!
    eventually 10 grep -q "GET /v2/$victim/blobs/uploads/.*status=503" "$trap_log"
    if [ $victim = worker ]; then
        # shellcheck disable=SC2046
        kill -KILL $(workers)
    else
        kill_daemon
        spawn_daemon
    fi
    wait $push && fail "a push whose $victim died has worked"
    remembered 1 || fail "nothing is remembered"
    faults '{"no_mount": true}'
    expect_status 0 dk push "$r/$victim:1"
    asked "GET /v2/$victim/blobs/uploads/.* status=204" 1
    asked "PATCH /v2/$victim/blobs/uploads/.* status=202 .* range=3000000-" 1
    eventually 5 remembered 0
    dk rmi "$r/$victim:1" >/dev/null
done

step "a registry that has forgotten the upload gets it anew"
dk tag $r/big:1 $r/again:1
faults '{"no_mount": true, "cut_upload": [3000000, 1], "status": [["GET /v2/again/blobs/uploads/", 404, 1]]}'
expect_status 0 dk push $r/again:1
asked 'POST /v2/again/blobs/uploads/' 3
back $r/again:1

step "small pieces for those who want them"
dk tag $r/again:1 $r/pieces:1
faults '{"no_mount": true, "max_upload": 3000000}'
expect_status 0 dk push $r/pieces:1
asked 'PATCH /v2/pieces/blobs/uploads/.* status=202'
asked 'PUT /v2/pieces/blobs/uploads/.* status=201'
back $r/pieces:1

step "every tag of a repository, and none"
for t in a b c; do dk tag $r/pieces:1 "$r/every:$t"; done
faults '{}'
expect_status 0 dk push -a $r/every
for t in a b c; do
    expect_match "$output" "^$t: digest: sha256:[0-9a-f]{64} size: [0-9]+\$"
    asked "PUT /v2/every/manifests/$t status=201"
done
dk rmi $r/every:b >/dev/null
expect_fails "tag does not exist: $r/every:b" dk push $r/every:b
expect_match "$output" "^The push refers to repository \[$r/every\]"
expect_fails "An image does not exist locally with the tag: $r/nothing" dk push $r/nothing:b

step "mounted from another repository; there already; busy; refused"
dk tag $r/pieces:1 $r/mounted:1
faults '{"status": [["POST /v2/mounted/", 503, 1], ["PUT /v2/mounted/manifests", 500, 1]]}'
expect_status 0 dk push $r/mounted:1
expect_match "$output" 'Mounted from every$'
expect_status 0 dk push $r/mounted:1
expect_match "$output" 'Layer already exists$'
dk tag $r/mounted:1 $r/no:1
faults '{"status": [["POST /v2/no/blobs", 403, 9]]}'
expect_fails 'begin an upload: unknown: trap' dk push $r/no:1
pass
