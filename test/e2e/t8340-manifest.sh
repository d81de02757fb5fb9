#!/bin/bash
# manifest create, annotate, inspect, push, rm: a list for two machines goes to a registry, blobs mounted from elsewhere.
. "$(dirname "$0")/lib.sh"
command -v docker-registry >/dev/null || skip "docker-registry is not installed"
start_daemon
make_busybox_image
printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:5000"}\n' \
    "$TEST_TMP/registry" >"$TEST_TMP/registry.yml"
in_net docker-registry serve "$TEST_TMP/registry.yml" >"$TEST_TMP/registry.log" 2>&1 &
at_end "kill $! 2>/dev/null"
eventually 10 in_net curl -sf -o /dev/null http://127.0.0.1:5000/v2/
r=127.0.0.1:5000
printf 'FROM busybox\nRUN echo other >/other\n' | ct build -q -t $r/team/arm:1 - >/dev/null || fail "build"
ct tag busybox $r/team/amd:1
ct push -q $r/team/amd:1 >/dev/null && ct push -q $r/team/arm:1 >/dev/null || fail "push"

step "create, annotate, inspect"
expect_eq "$(ct manifest create $r/app/all:1 $r/team/amd:1 $r/team/arm:1)" "Created manifest list $r/app/all:1"
expect_fails 'refusing to amend' ct manifest create $r/app/all:1 $r/team/amd:1
ct manifest create --amend $r/app/all:1 $r/team/amd:1 >/dev/null || fail "amend"
expect_fails 'different registry' ct manifest create $r/app/x:1 busybox
expect_fails 'does not exist in' ct manifest annotate $r/app/all:1 $r/team/none:1 --arch arm64
ct manifest annotate --os linux --arch arm64 --variant v8 $r/app/all:1 $r/team/arm:1 || fail "annotate"
expect_eq "$(ct manifest inspect $r/app/all:1 | grep -c '"digest"')" 2
expect_match "$(ct manifest inspect --json $r/app/all:1)" '"architecture":"arm64","os":"linux","variant":"v8"'
expect_match "$(ct manifest inspect $r/app/all:1 $r/team/arm:1)" '"layers": \['
expect_match "$(ct manifest inspect -v --json $r/team/amd:1)" '^."Ref":"127.0.0.1:5000/team/amd:1","Descriptor":.*"SchemaV2Manifest":|"OCIManifest":'

step "push: into a repository that has none of it yet"
digest=$(ct manifest push $r/app/all:1) || fail "push of the list"
expect_match "$digest" '^sha256:[0-9a-f]{64}$'
in_net curl -sf -H 'Accept: application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.index.v1+json' \
    http://$r/v2/app/all/manifests/1 >"$TEST_TMP/list" || fail "the registry has no list"
expect_eq "sha256:$(sha256sum "$TEST_TMP/list" | cut -d' ' -f1)" "$digest"
grep -oE '"digest":"sha256:[0-9a-f]+' "$TEST_TMP/list" | cut -d'"' -f4 | while read -r one; do
    in_net curl -sf -o /dev/null -H 'Accept: */*' -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
        -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$r/v2/app/all/manifests/$one" || exit 1
done || fail "a manifest of the list is not there"
ct rmi -f $r/team/amd:1 >/dev/null
expect_match "$(ct pull $r/app/all:1)" "$r/app/all:1"
expect_eq "$(ct run --rm $r/app/all:1 echo from the list)" "from the list"
expect_fails 'No such manifest|manifest unknown|not found' ct manifest inspect $r/app/none:1
expect_fails 'is a manifest list' ct manifest create $r/app/more:1 $r/app/all:1

step "rm, purge"
ct manifest rm $r/app/all:1 || fail "rm"
expect_fails 'No such manifest' ct manifest rm $r/app/all:1
ct manifest create $r/app/all:2 $r/team/arm:1 >/dev/null && ct manifest push --purge $r/app/all:2 >/dev/null || fail "purge"
expect_fails 'No such manifest' ct manifest push $r/app/all:2
pass
