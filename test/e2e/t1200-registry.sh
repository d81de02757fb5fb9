#!/bin/bash
# Push to and pull from a real registry on loopback: plain HTTP, TLS with an authority of our own and a
# password; what is refused; archives that other tools read.
. "$(dirname "$0")/lib.sh"
command -v docker-registry >/dev/null || skip "docker-registry is not installed"
reg=$TEST_TMP/registry
mkdir -p "$reg"
start_daemon
make_busybox_image box

serve() { # NAME CONFIG: in the daemon's network
    printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n%s\n' "$2" >"$reg/$1.yml"
    in_net docker-registry serve "$reg/$1.yml" >"$reg/$1.log" 2>&1 &
    at_end "kill $! 2>/dev/null"
}
serve http "storage: {filesystem: {rootdirectory: $reg/http}}
http: {addr: '127.0.0.1:5000'}"
eventually 10 in_net curl -sf -o /dev/null http://127.0.0.1:5000/v2/

step "push and pull over HTTP on loopback"
id=$(dk inspect -f '{{.Id}}' box)
dk tag box 127.0.0.1:5000/team/box:v1
expect_status 0 dk push 127.0.0.1:5000/team/box:v1
expect_match "$output" '^The push refers to repository \[127.0.0.1:5000/team/box\]'
expect_match "$output" 'Pushed$'
digest=$(grep -oE 'sha256:[0-9a-f]{64}' <<<"$output" | tail -1)
expect_status 0 dk push 127.0.0.1:5000/team/box:v1
expect_match "$output" 'Layer already exists$'
dk tag box 127.0.0.1:5000/other/box:v1
expect_status 0 dk push 127.0.0.1:5000/other/box:v1
expect_match "$output" 'Mounted from team/box$'
dk rmi -f "$id" >/dev/null || fail "rmi"
expect_eq "$(dk images -q)" ''
expect_status 0 dk pull 127.0.0.1:5000/team/box:v1
expect_match "$output" 'Pull complete$'
expect_match "$output" "^Digest: $digest\$"
expect_match "$output" '^Status: Downloaded newer image for 127.0.0.1:5000/team/box:v1$'
expect_eq "$(dk inspect -f '{{.Id}}' 127.0.0.1:5000/team/box:v1)" "$id"
expect_eq "$(dk inspect -f '{{.Id}}' "127.0.0.1:5000/team/box@$digest")" "$id"
expect_status 0 dk pull "127.0.0.1:5000/team/box@$digest"
expect_match "$output" '^Status: Image is up to date'
expect_eq "$(dk run --rm --network none 127.0.0.1:5000/team/box:v1 echo hello)" 'hello'

step "a manifest without pulling"
manifest=$(ct manifest inspect 127.0.0.1:5000/team/box:v1) || fail "manifest inspect"
expect_eq "$(in_net curl -s -H 'Accept: application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json' \
    http://127.0.0.1:5000/v2/team/box/manifests/v1 | tr -d ' \n\t')" "$(tr -d ' \n\t' <<<"$manifest")"
expect_match "$manifest" $'^\t"config": \\{$'
expect_fails 'manifest unknown' ct manifest inspect 127.0.0.1:5000/team/box:no
expect_fails 'settings of the daemon' ct manifest inspect --insecure 127.0.0.1:5000/team/box:v1
expect_eq "$(ct plugin ls)" "$(dk plugin ls)"

step "what is not there, and what is damaged"
expect_fails 'manifest for 127.0.0.1:5000/team/box:no not found: manifest unknown' dk pull 127.0.0.1:5000/team/box:no
expect_fails 'tag does not exist: 127.0.0.1:5000/team/box:v9' dk push 127.0.0.1:5000/team/box:v9
dk rmi -f "$id" >/dev/null
layer=$(find "$reg/http" -name data -size +100k | head -1)
printf 'x' | dd of="$layer" bs=1 seek=5000 conv=notrunc status=none
expect_fails 'digest|damaged|gzip' dk pull 127.0.0.1:5000/team/box:v1
expect_eq "$(dk images -aq)" ''
store_is_empty() { [ -z "$(find "$DATA_ROOT/image/ingest" "$DATA_ROOT/image/layer" -mindepth 1 -maxdepth 1)" ]; }
eventually 5 store_is_empty

step "TLS"
make_busybox_image box
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout "$reg/ca.key" -out "$reg/ca.crt" -subj /CN=test-ca 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout "$reg/key.pem" -out "$reg/csr" -subj /CN=localhost 2>/dev/null
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$reg/ext"
openssl x509 -req -in "$reg/csr" -CA "$reg/ca.crt" -CAkey "$reg/ca.key" -CAcreateserial -days 2 \
    -extfile "$reg/ext" -out "$reg/cert.pem" 2>/dev/null || fail "certificate"
serve tls "storage: {filesystem: {rootdirectory: $reg/tls}}
http: {addr: '127.0.0.1:5443', tls: {certificate: $reg/cert.pem, key: $reg/key.pem}}"
eventually 10 in_net curl -sf --cacert "$reg/ca.crt" -o /dev/null https://127.0.0.1:5443/v2/
dk tag box 127.0.0.1:5443/box:1
expect_fails 'certificate' dk push 127.0.0.1:5443/box:1
certs=/etc/corten/certs.d/127.0.0.1:5443
[ ! -e "$certs" ] || skip "$certs exists"
mkdir -p "$certs"
at_end "rm -rf '$certs'; rmdir -p /etc/corten/certs.d 2>/dev/null"
cp "$reg/ca.crt" "$certs/"
expect_status 0 dk push 127.0.0.1:5443/box:1
dk rmi -f box 127.0.0.1:5443/box:1 >/dev/null
expect_status 0 dk pull 127.0.0.1:5443/box:1

step "archives for others"
dk save -o "$TEST_TMP/save.tar" 127.0.0.1:5443/box:1 || fail "save"
if command -v skopeo >/dev/null; then
    skopeo inspect "docker-archive:$TEST_TMP/save.tar" >/dev/null || fail "skopeo reads the archive"
    skopeo copy -q "docker-archive:$TEST_TMP/save.tar" "oci-archive:$TEST_TMP/oci.tar:other/name:2" ||
        fail "skopeo copies the archive"
    expect_status 0 dk load -i "$TEST_TMP/oci.tar"
    expect_match "$output" '^Loaded image: other/name:2$'
fi
pass
