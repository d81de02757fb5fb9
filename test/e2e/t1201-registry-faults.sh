#!/bin/bash
# A pull survives a network and a registry that fail, and takes nothing that is wrong.
. "$(dirname "$0")/lib.sh"
. "$here/trap.sh"
start_daemon
start_trap
r=127.0.0.1:$trap
make_busybox_image box
dk tag box $r/team/box:1
expect_status 0 dk push $r/team/box:1
digest=$(grep -oE 'sha256:[0-9a-f]{64}' <<<"$output" | tail -1)
id=$(dk inspect -f '{{.Id}}' box)

step "a connection that breaks twice in a layer is resumed where it stopped"
fresh
faults '{"cut": [300000, 2]}'
expect_status 0 dk pull $r/team/box:1
asked 'GET /v2/team/box/blobs/.* range=bytes=300000- '
asked 'GET /v2/team/box/blobs/.* range=bytes=600000- '
expect_eq "$(dk inspect -f '{{.Id}}' $r/team/box:1)" "$id"

step "a server without ranges sends all again; one that begins elsewhere is not believed"
fresh
faults '{"cut": [300000, 1], "no_range": true}'
expect_status 0 dk pull $r/team/box:1
fresh
faults '{"cut": [300000, 1], "bad_range": true}'
expect_fails 'range|digest' dk pull $r/team/box:1
expect_eq "$(dk images -aq)" ''

step "5xx and 429 are tried again; Retry-After is kept; what asks for more is told at once"
faults '{"status": [["GET /v2/team/box/manifests/", 503, 2]]}'
expect_status 0 dk pull $r/team/box:1
asked 'GET /v2/team/box/manifests/1 .*' 3
fresh
faults '{"status": [["GET /v2/team/box/blobs/", 429, 1, 1]]}'
expect_status 0 dk pull $r/team/box:1
fresh
faults '{"status": [["GET /v2/team/box/manifests/", 429, 99, 3600]]}'
begun=$SECONDS
expect_fails 'toomanyrequests: You have reached your pull rate limit. .*3600 s' dk pull $r/team/box:1
[ $((SECONDS - begun)) -lt 5 ] || fail "waited for a server that wants an hour"

step "wrong bytes, lengths, types and digests"
faults '{"corrupt": true}'
expect_fails 'digest' dk pull $r/team/box:1
faults '{"manifest_type": "text/html"}'
expect_fails 'was sent as text/html' dk pull $r/team/box:1
faults "{\"digest_header\": \"sha256:$(printf '%064d' 1)\"}"
expect_fails 'has the digest' dk pull $r/team/box:1
faults '{"manifest": "{\"schemaVersion\": 2}"}'
expect_fails 'not a manifest|manifest' dk pull "$r/team/box:1"
expect_fails 'digest' dk pull "$r/team/box@$digest"
faults '{"manifest": "{\"schemaVersion\": 1, \"name\": \"x\", \"fsLayers\": []}", "manifest_type": "application/vnd.docker.distribution.manifest.v1+prettyjws"}'
expect_fails 'schema 1 is not supported' dk pull $r/team/box:1
faults '{"huge": 9000000}'
expect_fails 'larger than' dk pull $r/team/box:1
faults "{\"manifest\": \"{\\\"schemaVersion\\\": 2, \\\"mediaType\\\": \\\"application/vnd.oci.image.manifest.v1+json\\\", \\\"config\\\": {\\\"mediaType\\\": \\\"application/vnd.oci.image.config.v1+json\\\", \\\"size\\\": 99999999, \\\"digest\\\": \\\"$digest\\\"}, \\\"layers\\\": []}\"}"
expect_fails 'config is larger' dk pull $r/team/box:1
expect_eq "$(dk images -aq)" ''
eventually 5 eval '[ -z "$(find "$DATA_ROOT/image/layer" "$DATA_ROOT/image/ingest" -mindepth 1 -maxdepth 1)" ]'

step "storage elsewhere gets no password; what leads inside is refused"
auth='{"auths":{"'$r'":{"auth":"'$(printf u:p | base64)'"}}}'
printf '%s' "$auth" >"$DOCKER_CONFIG/config.json"
faults '{"auth": "basic", "redirect": "http://127.0.0.2:'$((trap + 1))'"}'
expect_status 0 dk pull $r/team/box:1
asked '^5070 GET /v2/team/box/blobs/.* auth=basic:u '
asked '^5071 GET /storage/sha256:.* auth=none '
not_asked '^5071 .* auth=(basic|bearer)'
fresh
faults '{"auth": "basic", "redirect": "http://169.254.169.254"}'
expect_fails 'redirects to where it may not' dk pull $r/team/box:1
faults '{"auth": "basic", "redirect": "https://10.255.255.1"}'
expect_fails 'private address' dk pull $r/team/box:1
rm "$DOCKER_CONFIG/config.json"

step "all tags, page by page"
faults '{}'
for t in a b c d e; do
    dk import --change "LABEL t=$t" - $r/many:$t </dev/null >/dev/null 2>&1 || dk build -q -t $r/many:$t - >/dev/null <<<"FROM scratch
LABEL t=$t"
    expect_status 0 dk push $r/many:$t
done
fresh
faults '{"page": 2}'
expect_status 0 dk pull -a $r/many
asked 'GET /v2/many/tags/list' 3
expect_eq "$(dk images -q $r/many | wc -l)" 5
pass
