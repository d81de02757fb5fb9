#!/bin/bash
# manifests=1 of lists and inspect: the manifests of an image, with attestations and platforms, and its descriptor.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "no python3"
start_daemon
make_busybox_image box
index=$(python3 "$here/foreign-layout.py" "$TEST_TMP/foreign" "$(readlink -f "$(command -v busybox)")" --attest --tag foreign:1) || fail "layout"
tar -C "$TEST_TMP/foreign" -cf "$TEST_TMP/foreign.tar" .
dk load -qi "$TEST_TMP/foreign.tar" >/dev/null || fail "load"
name=foreign:1
cid=$(dk create "$name" true)

step "the list"
api GET '/v1.51/images/json?manifests=1'
expect_eq "$api_status" 200
one=$(jq --arg n "$name" '.[] | select(.RepoTags == [$n])' <<<"$output")
expect_eq "$(jq -r '.Descriptor.digest, .Descriptor.mediaType' <<<"$one")" "$(printf '%s\napplication/vnd.oci.image.index.v1+json' "$index")"
expect_eq "$(jq -r '[.Manifests[].Kind] | sort | unique | join(" ")' <<<"$one")" 'attestation image'
expect_eq "$(jq -r '.Manifests[] | select(.Kind == "image" and .Available) | .ImageData.Containers[0]' <<<"$one")" "$cid"
expect_eq "$(jq -r '.Manifests[] | select(.Kind == "image" and .Available) | .ImageData.Platform | .os + "/" + .architecture' <<<"$one")" linux/amd64
own=$(jq -r '.Manifests[] | select(.Kind == "image" and .Available) | .ID' <<<"$one")
expect_eq "$(jq -r '.Manifests[] | select(.Kind == "attestation") | .AttestationData.For' <<<"$one")" "$own"
expect_eq "$(jq -r '.Manifests[] | select(.Kind == "attestation") | .Available' <<<"$one")" true
# Bytes of the blobs in the layout that belong to the image.
blob() { echo "$TEST_TMP/foreign/blobs/sha256/${1#sha256:}"; }
content=$(($(stat -c %s "$(blob "$own")") + $(jq '.config.size + ([.layers[].size] | add)' "$(blob "$own")")))
expect_eq "$(jq -r --arg o "$own" '.Manifests[] | select(.ID == $o) | .Size.Content' <<<"$one")" $content
expect_eq "$(jq -r --arg o "$own" '.Manifests[] | select(.ID == $o) | .Size.Total - .Size.Content == .ImageData.Size.Unpacked' <<<"$one")" true
# One that was made here has none; the other members are those of the plain list.
expect_eq "$(jq -c '.[] | select(.RepoTags == ["box:latest"]) | [.Manifests, .Descriptor]' <<<"$output")" '[[],null]'
expect_eq "$(jq -S 'map(del(.Manifests, .Descriptor))' <<<"$output")" "$(api GET /v1.51/images/json; jq -S . <<<"$output")"
api GET '/v1.46/images/json?manifests=1'
expect_eq "$(jq '[.[] | has("Manifests")] | any' <<<"$output")" false

step "inspect"
api GET "/v1.51/images/$name/json?manifests=1"
expect_eq "$(jq -r '.Descriptor.digest, (.Manifests | length > 1)' <<<"$output")" "$(printf '%s\ntrue' "$index")"
expect_eq "$(jq -r .Id <<<"$output")" "$(dk images -q --no-trunc "$name")"
api GET "/v1.51/images/$name/json?manifests=1&platform=%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22amd64%22%7D"
expect_eq "$api_status $(jq -r .message <<<"$output")" '400 conflicting options: manifests and platform options cannot both be set'

step "an image of another platform: kept, told, saved and sent by its own name"
mkdir -p "$TEST_TMP/arm/blobs/sha256" && tar -C "$TEST_TMP/arm" -xf <(dk save box)
config=$(jq -r '.[0].Config' "$TEST_TMP/arm/manifest.json")
jq -c '.architecture = "arm64" | .variant = "v8"' "$TEST_TMP/arm/$config" >"$TEST_TMP/arm/config.json"
jq -c '.[0].Config = "config.json" | .[0].RepoTags = ["arm:1"]' "$TEST_TMP/arm/manifest.json" >"$TEST_TMP/arm/new" && mv "$TEST_TMP/arm/new" "$TEST_TMP/arm/manifest.json"
rm "$TEST_TMP/arm/index.json" "$TEST_TMP/arm/oci-layout"
tar -C "$TEST_TMP/arm" -c . | dk load -q >/dev/null || fail "load"
arm='platform=%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22arm64%22%7D' amd='platform=%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22amd64%22%7D'
for path in images/arm:1/json images/arm:1/history images/arm:1/get; do
    expect_eq "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$SOCKET" "http://d/v1.51/$path?$arm")" 200
    api GET "/v1.51/$path?$amd"
    expect_eq "$api_status $(jq -r .message <<<"$output")" \
        '404 image with reference arm:1 was found but does not match the specified platform: wanted linux/amd64, actual: linux/arm64/v8'
done
dk rmi arm:1 >/dev/null

step "the tree of the command line"
"$docker" version --format '{{.Client.APIVersion}}' | grep -qE '^1\.(4[7-9]|5)' || pass
expect_match "$(dk images --tree 2>&1)" 'linux/amd64'
pass
