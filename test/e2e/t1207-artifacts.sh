#!/bin/bash
# Artifacts (signatures, SBOMs, charts, models: manifests of anything but an image): pulled, listed, tagged, pushed, saved
# and loaded with the bytes they have; refused by name where files are wanted; what they refer to finds them.
. "$(dirname "$0")/lib.sh"
. "$here/trap.sh"
start_daemon
start_trap
make_busybox_image box
r=127.0.0.1:$trap
image=$DATA_ROOT/image
oci=application/vnd.oci.image.manifest.v1+json
sha() { sha256sum "$1" | sed 's/^\([0-9a-f]*\).*/sha256:\1/'; }
blob() { # FILE REPOSITORY
    in_net curl -sf -o /dev/null -X POST "http://$r/v2/$2/blobs/uploads/" -D "$TEST_TMP/head" || fail "upload"
    in_net curl -sf -o /dev/null -X PUT --data-binary "@$1" "http://$r$(tr -d '\r' <"$TEST_TMP/head" | sed -n 's/^Location: //p')?digest=$(sha "$1")" || fail "blob"
}
put() { # REPOSITORY TAG FILE
    in_net curl -sf -o /dev/null -X PUT -H "Content-Type: $oci" --data-binary "@$3" "http://$r/v2/$1/manifests/$2" || fail "put $2"
}
descriptor() { printf '{"mediaType":"%s","digest":"%s","size":%d}' "$2" "$(sha "$1")" "$(stat -c %s "$1")"; } # FILE TYPE

step "made by another tool: an SBOM that speaks about an image, and a large model beside it"
dk tag box $r/team/box:1
expect_status 0 dk push $r/team/box:1
subject=$(grep -oE 'sha256:[0-9a-f]{64}' <<<"$output" | tail -1)
size=$(grep -oE 'size: [0-9]+' <<<"$output" | tail -1 | tr -dc 0-9)
cd "$TEST_TMP" || exit 2
printf '{}' >empty
head -c 300000 /dev/urandom >sbom.blob
tar -cf - empty sbom.blob | gzip -n >chart.tgz
head -c 9000000 /dev/urandom >model.blob
for f in empty sbom.blob; do blob $f team/box; done
for f in empty chart.tgz model.blob; do blob $f team/model; done
printf '{"schemaVersion":2,"mediaType":"%s","artifactType":"application/sbom","config":%s,"layers":[%s],"subject":{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","digest":"%s","size":%d},"annotations":{"org.opencontainers.image.created":"2020-01-02T03:04:05Z","name":"ä"}}\n' \
    $oci "$(descriptor empty application/vnd.oci.empty.v1+json)" "$(descriptor sbom.blob text/spdx)" "$subject" "$size" >sbom
printf '{"schemaVersion": 2, "mediaType":"%s","config":%s,"layers":[%s,%s,%s]}' $oci \
    "$(descriptor empty application/vnd.model.config)" "$(descriptor chart.tgz application/tar+gzip)" \
    "$(descriptor model.blob application/x-model)" "$(descriptor chart.tgz application/tar+gzip)" >model
put team/box sbom sbom
put team/model 1 model
sbom=$(sha sbom) model=$(sha model)

step "pull"
expect_match "$(dk pull $r/team/box:sbom)" "Digest: $sbom"
expect_match "$(dk pull $r/team/box:sbom)" 'Image is up to date'
expect_eq "$(dk images --no-trunc -q $r/team/box:sbom)" "$sbom"
api GET "/images/$r/team/box:sbom/json"
expect_eq "$(jq -r '.Id, .RepoDigests[0], .Created, .Size' <<<"$output")" "$(printf '%s\n%s/team/box@%s\n2020-01-02T03:04:05Z\n%d' \
    "$sbom" $r "$sbom" $((2 + 300000 + $(stat -c %s sbom))))"
notes=$(jq -cS .Annotations <<<"$output")
expect_eq "$notes" '{"name":"ä","org.opencontainers.image.created":"2020-01-02T03:04:05Z"}'
api GET "/v1.51/images/json?manifests=1"
expect_eq "$(jq -r --arg i "$sbom" '.[] | select(.Id == $i) | .Descriptor.digest, .Descriptor.artifactType, .Manifests[0].Kind' <<<"$output")" \
    "$(printf '%s\napplication/sbom\nunknown' "$sbom")"
expect_match "$(dk pull "$r/team/box@$sbom")" "Digest: $sbom"

step "no image"
for c in "create $r/team/box:sbom" "run --rm $sbom" "run --rm --mount type=image,source=$r/team/box:sbom,target=/x box" \
    "run --rm ${sbom:7:12} true"; do
    # shellcheck disable=SC2086
    expect_fails 'is an artifact \(application/sbom\), not an image' dk $c
done
printf 'FROM %s/team/box:sbom\n' $r >Dockerfile
expect_fails 'is an artifact' ct build .
expect_fails 'is an artifact' ct image explain $r/team/box:sbom
expect_fails 'is an artifact' ct image squash $r/team/box:sbom

step "a cut pull goes on where it stopped, through a restart of the daemon"
faults '{"slow": 0.02}'
dk pull $r/team/model:1 >/dev/null 2>&1 &
pid=$!
part=$image/blob/partial/$(sha model.blob | cut -d: -f2)
eventually 10 eval '[ "$(stat -c %s "$part" 2>/dev/null || echo 0)" -gt 1000000 ]'
kill_daemon
wait $pid
spawn_daemon
eventually 10 eval '[ -z "$(ls "$image/ingest")" ]'
faults '{}'
expect_match "$(dk pull $r/team/model:1)" "Digest: $model"
asked "GET .*$(sha model.blob) status=206"
eventually 5 test ! -e "$part"
expect_match "$(ct system check)" 'all is well'

step "push elsewhere: the very bytes; the registry lists it, or the tag of the subject does"
expect_eq "$(ct image referrers "$r/team/box@$subject")" ''
dk tag $r/team/box:sbom $r/other/box:sbom
faults '{"referrers": true}'
expect_match "$(dk push $r/other/box:sbom)" "digest: $sbom"
asked 'POST .*mount=' # the blobs were in the other repository
expect_eq "$(in_net curl -sf "http://$r/v2/other/box/manifests/sbom" | sha256sum)" "$(sha256sum <sbom)"
expect_eq "$(ct image referrers "$r/other/box@$subject")" "$sbom  application/sbom"
faults '{}'
for i in 1 2; do expect_match "$(dk push $r/other/box:sbom)" "digest: $sbom"; done
expect_eq "$(ct image referrers "$r/other/box@$subject")" "$sbom  application/sbom"
dk tag $r/team/model:1 $r/third/model:2
expect_match "$(dk push $r/third/model:2)" "digest: $model"

step "save and load, alone and with images"
dk save -o all.tar $r/team/model:1 box $r/team/box:sbom || fail "save"
mkdir layout && tar -C layout -xf all.tar
expect_eq "$(jq -r '[.manifests[] | select(.artifactType) | .artifactType] | sort | join(" ")' layout/index.json)" 'application/sbom application/vnd.model.config'
expect_eq "$(jq length layout/manifest.json)" 1
dk save $r/team/model:1 | gzip >one.tar.gz
rm layout/manifest.json
tar -C layout -cf oci.tar .
fresh
eventually 5 eval '[ -z "$(find "$image/blob" -type f)" ]'
dk load -qi oci.tar >/dev/null && api GET "/images/$r/team/box:sbom/json"
expect_eq "$(jq -cS .Annotations <<<"$output")" "$notes"
for f in one.tar.gz all.tar oci.tar; do
    expect_status 0 dk load -i $f
    expect_match "$output" "Loaded image: $r/team/model:1"
    expect_eq "$(dk images --no-trunc -q $r/team/model:1)" "$model"
    expect_match "$(ct system check)" 'all is well'
done
restart_daemon
expect_eq "$(dk images --no-trunc -q $r/team/box:sbom)" "$sbom"
api GET "/images/$r/team/model:1/json"
expect_eq "$(jq .Size <<<"$output")" $((2 + $(stat -c %s chart.tgz) + 9000000 + $(stat -c %s model)))
dk tag $r/team/model:1 $r/team/model:again
expect_match "$(dk push $r/team/model:again)" "digest: $model"

step "a blob that is lost comes back with the next pull"
lost=$(sha sbom.blob | cut -d: -f2)
rm "$image/blob/sha256/${lost:0:2}/$lost"
expect_status 0 ct system check --repair
expect_match "$output" 'blob-missing .*pull the image again'
expect_fails 'is not here: pull it again' dk save -o lost.tar $r/team/box:sbom
dk pull $r/team/box:sbom >/dev/null || fail "pull"
dk save -o again.tar $r/team/box:sbom || fail "save"
expect_eq "$(tar -xOf again.tar "blobs/sha256/$lost" | sha256sum)" "$(sha256sum <sbom.blob)"

step "rmi"
dk rmi box $r/team/model:1 $r/team/model:again >/dev/null || fail "rmi"
expect_eq "$(dk images -q --no-trunc | sort -u)" "$sbom"
eventually 5 eval '[ "$(find "$image/blob" -type f | wc -l)" = 2 ]'
dk image prune -af >/dev/null
eventually 5 eval '[ -z "$(find "$image/blob" -type f)" ]'
expect_match "$(ct system check)" 'all is well'
pass
