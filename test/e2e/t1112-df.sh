#!/bin/bash
# system df adds up to what du says, within a hundredth (and the state database); info counts the images that lists show.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image box
mkdir -p "$TEST_TMP/tree/d"
for i in $(seq 500); do echo "$i" >"$TEST_TMP/tree/d/$i"; done
head -c 20000000 /dev/urandom >"$TEST_TMP/tree/random"
tar -C "$TEST_TMP/tree" -c . | dk import - big >/dev/null
printf 'FROM box\nRUN head -c 9000000 /dev/urandom >/a\nRUN head -c 3000000 /dev/urandom >/b\n' >"$TEST_TMP/cwd/Dockerfile"
DOCKER_BUILDKIT=0 dk build -q -t built . >/dev/null 2>&1 || ct build -q -t built . >/dev/null || fail build
dk run --name wrote -v vol:/v box sh -c 'head -c 7000000 /dev/urandom >/w; head -c 5000000 /dev/urandom >/v/x' || fail run

agrees() {
    sync -f "$DATA_ROOT"
    api GET /v1.41/system/df
    local said had
    said=$(jq '.LayersSize + ([.Containers[].SizeRw] | add) + ([.Volumes[].UsageData.Size] | add)
        + ([.BuildCache[] | select(.Shared | not) | .Size] | add // 0)' <<<"$output")
    had=$(du -sB1 "$DATA_ROOT" | cut -f1)
    [ $((said > had ? said - had : had - said)) -lt $((had / 100 + 1048576)) ] || { echo "df says $said, du $had"; return 1; }
}
step "with everything"
agrees || fail "no"
step "without a container"
dk rm wrote >/dev/null
dk run --name w2 box true
agrees || fail "no"
step "after rmi"
dk rmi big >/dev/null
eventually 5 agrees
step "counts"
expect_eq "$(dk info -f '{{.Images}}')" "$(dk images -qa | sort -u | wc -l)"
expect_match "$(dk system df -v)" 'wrote|w2'
pass
