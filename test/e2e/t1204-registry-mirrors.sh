#!/bin/bash
# Mirrors by prefix with fallback, insecure registries, proxies, and the certs.d layout.
. "$(dirname "$0")/lib.sh"
. "$here/trap.sh"
cat >"$TEST_TMP/daemon.json" <<EOF2
{"certs-dirs": ["$TEST_TMP/certs.d"],
 "insecure-registries": ["127.0.0.2:5080", "trap.example"],
 "registry-mirrors": ["http://127.0.0.1:$trap/hub"],
 "registries": [
  {"prefix": "far.example", "mirrors": ["http://127.0.0.1:5099", "http://127.0.0.1:$trap/"], "fallback": false},
  {"prefix": "far.example/none", "mirrors": ["http://127.0.0.1:5099"], "fallback": false},
  {"prefix": "127.0.0.1:$trap/near", "mirrors": ["http://127.0.0.1:5099"]}],
 "proxies": {"http-proxy": "http://127.0.0.1:$((trap + 1))", "no-proxy": "*.direct.example,10.0.0.0/8"}}
EOF2
start_daemon --config "$TEST_TMP/daemon.json"
start_trap
r=127.0.0.1:$trap
make_busybox_image box
dk tag box $r/near/box:1
dk tag box $r/team/box:1
expect_status 0 dk push $r/near/box:1
expect_status 0 dk push $r/team/box:1
id=$(dk inspect -f '{{.Id}}' box)

step "a mirror for any registry; the next one when it fails; no fallback where none is wanted"
fresh
faults '{}'
expect_status 0 dk pull far.example/team/box:1
expect_match "$output" 'Downloaded newer image for far.example/team/box:1'
expect_eq "$(dk inspect -f '{{.Id}}' far.example/team/box:1)" "$id"
expect_fails '127.0.0.1:5099' dk pull far.example/none/box:1
fresh
expect_status 0 dk pull $r/near/box:1
fresh

step "a mirror never gets the credentials of the registry it stands for"
printf '{"auths":{"far.example":{"auth":"%s"}}}' "$(printf u:p | base64)" >"$DOCKER_CONFIG/config.json"
faults '{"auth": "basic"}'
expect_fails 'no basic auth credentials' dk pull far.example/team/box:1
not_asked 'auth=basic'
rm "$DOCKER_CONFIG/config.json"

step "docker.io by its mirror"
faults '{"status": [["GET /hub/v2/", 503, 1]]}'
expect_fails 'docker.io|resolve host' dk pull library/none:1
asked 'GET /hub/v2/' 2

step "a proxy, and who goes without"
faults '{}'
expect_status 0 dk pull trap.example/team/box:1
asked '^5071 GET http://trap.example/v2/team/box/manifests/1 status=200'
expect_fails 'resolve host' dk pull x.direct.example/team/box:1
faults '{"redirect": "http://169.254.169.254"}'
fresh
expect_fails 'redirects to where it may not' dk pull trap.example/team/box:1

step "settings that make no sense are refused by name"
refused() { # WORDS JSON
    printf '%s' "$2" >"$TEST_TMP/bad.json"
    expect_fails "$1" "$bin/cortend" --validate --config "$TEST_TMP/bad.json"
}
refused 'invalid mirror' '{"registry-mirrors": ["mirror.example"]}'
refused 'needs a prefix' '{"registries": [{"mirrors": ["https://a"]}]}'
refused "'location' is not supported" '{"registries": [{"prefix": "a.example", "location": "b"}]}'
refused 'without scheme' '{"insecure-registries": ["http://a"]}'
refused 'neither mirrors nor a fallback' '{"registries": [{"prefix": "a.example", "fallback": false}]}'

step "insecure registries: certificates that nobody vouches for; client certificates; HTTP/2"
command -v docker-registry >/dev/null || skip "docker-registry is not installed"
tls=$TEST_TMP/tls
mkdir -p "$tls"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout "$tls/ca.key" -out "$tls/ca.crt" -subj /CN=test-ca 2>/dev/null
printf 'subjectAltName=IP:127.0.0.1,IP:127.0.0.2\n' >"$tls/ext"
for n in server client; do
    openssl req -newkey rsa:2048 -nodes -keyout "$tls/$n.key" -out "$tls/$n.csr" -subj /CN=$n 2>/dev/null
    openssl x509 -req -in "$tls/$n.csr" -CA "$tls/ca.crt" -CAkey "$tls/ca.key" -CAcreateserial -days 2 \
        -extfile "$tls/ext" -out "$tls/$n.cert" 2>/dev/null || fail "certificate"
done
serve() { # NAME ADDRESS MORE
    printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: false}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "%s", tls: {certificate: %s, key: %s%s}}\n' \
        "$tls/data" "$2" "$tls/server.cert" "$tls/server.key" "$3" >"$tls/$1.yml"
    in_net docker-registry serve "$tls/$1.yml" >"$tls/$1.log" 2>&1 &
    at_end "kill $! 2>/dev/null"
    eventually 10 in_net bash -c "exec 3<>/dev/tcp/${2%:*}/${2#*:}"
}
serve plain 127.0.0.2:5080 ''
serve strict 127.0.0.1:5081 ", clientcas: [$tls/ca.crt]"
faults '{}'
expect_status 0 dk pull $r/team/box:1
dk tag $r/team/box:1 127.0.0.2:5080/box:1
expect_status 0 dk push 127.0.0.2:5080/box:1
grep -q 'HTTP/2.0' "$tls/plain.log" || fail "no HTTP/2: $(tail -2 "$tls/plain.log")"
expect_fails 'certificate' dk pull 127.0.0.1:5081/box:1
mkdir -p "$TEST_TMP/certs.d/127.0.0.1:5081"
cp "$tls/ca.crt" "$TEST_TMP/certs.d/127.0.0.1:5081/"
expect_fails 'registry 127.0.0.1:5081: ' dk pull 127.0.0.1:5081/box:1
cp "$tls/client.cert" "$TEST_TMP/certs.d/127.0.0.1:5081/"
expect_fails 'missing key' dk pull 127.0.0.1:5081/box:1
cp "$tls/client.key" "$TEST_TMP/certs.d/127.0.0.1:5081/"
expect_status 0 dk pull 127.0.0.1:5081/box:1
expect_eq "$(dk inspect -f '{{.Id}}' 127.0.0.1:5081/box:1)" "$id"
pass
