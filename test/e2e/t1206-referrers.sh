#!/bin/bash
# What refers to an image at its registry (signatures, SBOMs): by the referrers API, in pages, or by the tag that stands
# for it where the registry has no such API.
. "$(dirname "$0")/lib.sh"
. "$here/trap.sh"
start_daemon
start_trap
make_busybox_image box
r=127.0.0.1:$trap
dk tag box $r/team/box:1
expect_status 0 dk push $r/team/box:1
subject=$(grep -oE 'sha256:[0-9a-f]{64}' <<<"$output" | tail -1)
size=$(grep -oE 'size: [0-9]+' <<<"$output" | tail -1 | tr -dc 0-9)

put() { # TAG-OR-DIGEST TEXT TYPE: a manifest as another tool would push it; prints its digest
    in_net curl -sf -o /dev/null -X PUT -H "Content-Type: $3" --data-binary "$2" "http://$r/v2/team/box/manifests/$1" || fail "put $1"
    printf '%s' "$2" | sha256sum | sed 's/^\([0-9a-f]*\).*/sha256:\1/'
}
empty='{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}'
manifest() { # ARTIFACT-TYPE NUMBER
    echo -n '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"'"$1"'","config":'"$empty"',"layers":['"$empty"'],"subject":{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","digest":"'"$subject"'","size":'"$size"'},"annotations":{"n":"'"$2"'"}}'
}
oci=application/vnd.oci.image.manifest.v1+json

step "none"
expect_eq "$(ct image referrers $r/team/box:1)" ''
expect_fails 'manifest unknown' ct image referrers $r/team/box:no

step "where the registry lists them"
digests=()
for i in 1 2 3 4 5; do digests+=("$(put "sbom$i" "$(manifest application/sbom $i)" $oci)"); done
signature=$(put signature "$(manifest application/signature 1)" $oci)
faults '{"referrers": true}'
expect_eq "$(ct image referrers $r/team/box:1 | cut -d' ' -f1 | sort)" "$(printf '%s\n' "${digests[@]}" "$signature" | sort)"
asked 'GET /v2/team/box/referrers/' 3
expect_eq "$(ct image referrers --type application/signature "$r/team/box@$subject")" "$signature  application/signature"
api GET "/corten/referrers?name=$r/team/box:1"
expect_eq "$(jq -r '.Subject, .Listed, (.Referrers | length)' <<<"$output")" "$(printf '%s\ntrue\n6' "$subject")"

step "where it does not: the tag of the subject's digest"
faults '{}'
expect_eq "$(ct image referrers $r/team/box:1)" ''
put "${subject/:/-}" '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"'$oci'","digest":"'"$signature"'","size":100,"artifactType":"application/signature"}]}' application/vnd.oci.image.index.v1+json >/dev/null
expect_eq "$(ct image referrers $r/team/box:1)" "$signature  application/signature"
expect_eq "$(ct --version >/dev/null; ct image referrers --json $r/team/box:1 | jq -r .Listed)" false
faults '{"status": [["GET /v2/team/box/referrers", 403, 9]]}'
expect_fails 'list referrers' ct image referrers $r/team/box:1
pass
