#!/bin/bash
# A statement of how the image was built goes with it as BuildKit's does: an index with the image's manifest
# and an attestation manifest, in pushes and archives, and back.
. "$(dirname "$0")/lib.sh"
for p in docker-registry skopeo jq; do command -v $p >/dev/null || skip "$p is not installed"; done
start_daemon
make_busybox_image
cat >registry.yml <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $PWD/registry}}
http: {addr: '127.0.0.1:5000'}
END
in_net docker-registry serve registry.yml >registry.log 2>&1 &
at_end "kill $! 2>/dev/null"
r=127.0.0.1:5000
eventually 10 in_net curl -sf -o /dev/null http://$r/v2/
mkdir ctx
printf 'FROM busybox\nARG WORD\nRUN echo $WORD >/word\n' >ctx/Dockerfile
raw() { in_net skopeo inspect --raw --tls-verify=false "docker://$r/$1"; }
sha() { sha256sum | cut -d' ' -f1; }
whole() { # INDEX: a file; blob DIGEST prints one
    expect_eq "$(jq -r '[.mediaType, (.manifests | length), .manifests[0].platform.os, .manifests[1].platform.architecture,
        .manifests[1].platform.os, .manifests[1].annotations["vnd.docker.reference.type"]] | join(" ")' "$1")" \
        "application/vnd.oci.image.index.v1+json 2 linux unknown unknown attestation-manifest"
    expect_eq "$(jq -r '.manifests[1].annotations["vnd.docker.reference.digest"]' "$1")" "$(jq -r '.manifests[0].digest' "$1")"
    blob "$(jq -r '.manifests[1].digest' "$1")" >attestation
    expect_eq "$(jq -r '.layers[0] | .mediaType + " " + .annotations["in-toto.io/predicate-type"]' attestation)" \
        "application/vnd.in-toto+json https://slsa.dev/provenance/v1"
    blob "$(jq -r '.layers[0].digest' attestation)" >statement
    expect_eq "sha256:$(jq -r '.subject[0].digest.sha256' statement)" "$(jq -r '.manifests[0].digest' "$1")"
    expect_eq "$(blob "$(jq -r '.config.digest' attestation)" | jq -r '.os + " " + .rootfs.diff_ids[0]')" \
        "unknown $(jq -r '.layers[0].digest' attestation)"
}

step "what is refused, and what buildx takes"
expect_fails "there is no SBOM generator" ct build --sbom=true ctx
expect_fails "there is no SBOM generator" ct build --attest type=sbom ctx
expect_fails "'version=v0.2' is not supported" ct build --attest type=provenance,version=v0.2 ctx
expect_fails "'mode=all' is not supported" ct build --provenance=mode=all ctx
expect_fails "index annotations not supported for single platform" ct build --annotation index:a=b ctx
expect_fails "'index-descriptor' is not supported" ct build --annotation index-descriptor:a=b --provenance=true ctx
expect_status 0 ct build -q --sbom=false --attest type=provenance,disabled=true -t plain ctx
expect_eq "$(dk inspect -f '{{json .Config.Labels}}' plain)" null

step "pushed: the index, the attestation about the manifest, the statement; min says no arguments"
expect_status 0 ct build -q --build-arg WORD=hello -t $r/app:plain --push ctx
expect_eq "$(raw app:plain | jq -r '.manifests')" null
expect_status 0 ct build -q --build-arg WORD=hello -t $r/app:1 --provenance=true --annotation index:by=me \
    --annotation index,manifest:both=yes --push ctx
raw app:1 >index
blob() { case $1 in $(jq -r '.manifests[1].digest' index)) raw "app@$1" ;; *) in_net curl -sfL "http://$r/v2/app/blobs/$1" ;; esac; }
whole index
expect_eq "$(jq -c .annotations index)" '{"by":"me","both":"yes"}'
expect_eq "$(raw "app@$(jq -r '.manifests[0].digest' index)" | jq -c .annotations)" '{"both":"yes"}'
expect_no_match "$(<statement)" hello
expect_eq "$(ct image attestation --json $r/app:1 | jq -r '.[0].subject[0].digest.sha256')" \
    "$(jq -r '.manifests[0].digest' index | cut -d: -f2)"

step "the image that the registry has without one gets it: mode=max says the arguments"
expect_status 0 ct build -q --build-arg WORD=hello -t $r/app:plain --attest type=provenance,mode=max,builder-id=https://ci/7 --push ctx
raw app:plain >index
whole index
expect_eq "$(jq -r '.predicate | .buildDefinition.externalParameters.args.WORD + " " + .runDetails.builder.id' statement)" "hello https://ci/7"

step "in an archive it is the same index; loaded or pulled it is there again"
digest=sha256:$(raw app:1 | sha)
dk save -o app.tar $r/app:1
mkdir layout && tar -C layout -xf app.tar
expect_eq "$(jq -r '.manifests[0].digest' layout/index.json)" "$digest"
blob() { cat "layout/blobs/sha256/${1#*:}"; }
whole "layout/blobs/sha256/${digest#*:}"
kept() { ct image attestation --json "$1" | jq -r '.[0].subject[0].digest.sha256'; }
subject=$(kept $r/app:1)
kill_daemon
restart_daemon
expect_eq "$(kept $r/app:1)" "$subject"
dk rmi -f "$(dk inspect -f '{{.Id}}' $r/app:1)" >/dev/null
expect_status 0 dk pull -q $r/app:1
expect_eq "$(kept $r/app:1)" "$subject"
expect_eq "$(dk run --rm --network none $r/app:1 cat /word)" hello
dk rmi -f $r/app:1 >/dev/null
dk load -q -i app.tar >/dev/null || fail load
expect_eq "$(kept $r/app:1)" "$subject"
expect_status 0 dk push -q $r/app:1
expect_eq "sha256:$(raw app:1 | sha)" "$digest"
expect_status 0 ct system check
pass
