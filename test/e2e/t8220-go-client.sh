#!/bin/bash
# Docker's Go client, as Debian packages it (API 1.41): sdk.go, against this daemon and, where there is one, against dockerd.
# limit: 400
. "$(dirname "$0")/lib.sh"
. "$here/peer.sh"
[ -n "${CORTEN_FULL:-}" ] || skip "a full run only (CORTEN_FULL)"
library=/usr/share/gocode
[ -d $library/src/github.com/docker/docker/client ] || skip "golang-github-docker-docker-dev is not installed"
command -v go > /dev/null || skip "golang-go is not installed"
GO111MODULE=off GOPATH=$library GOCACHE=$TEST_TMP/go-cache GOFLAGS=-mod= go build -o "$TEST_TMP/sdk" "$here/sdk.go" > "$TEST_TMP/go.log" 2>&1 ||
    fail "go: $(cat "$TEST_TMP/go.log")"
start_daemon
make_busybox_image
step "against corten"
DOCKER_BUILDKIT=0 in_net "$TEST_TMP/sdk" | tee "$TEST_TMP/ours" || failed=1
step "against dockerd"
if run_dockerd && dk save busybox | peer load > /dev/null; then
    DOCKER_HOST=$peer "$TEST_TMP/sdk" | tee "$TEST_TMP/theirs"
    echo "# dockerd: $(grep -c '^ok ' "$TEST_TMP/theirs") of $(wc -l < "$TEST_TMP/theirs")"
fi
echo "# corten: $(grep -c '^ok ' "$TEST_TMP/ours") of $(wc -l < "$TEST_TMP/ours")"
[ -z "${failed:-}" ] || fail "a check against corten"
expect_eq "$(grep -c '^ok ' "$TEST_TMP/ours")" 24
pass
