#!/bin/bash
# Devices by name: --device vendor.com/class=name, specifications in JSON, by both clients and after a restart.
. "$(dirname "$0")/lib.sh"
mkdir -p "$TEST_TMP/cdi" "$TEST_TMP/vendor"
echo library > "$TEST_TMP/vendor/lib"
start_daemon --cdi-spec-dir "$TEST_TMP/cdi"
make_busybox_image
cat > "$TEST_TMP/cdi/acme.json" << END
{"cdiVersion": "0.6.0", "kind": "acme.com/gpu",
 "containerEdits": {"env": ["ACME_DRIVER=7"]},
 "devices": [{"name": "zero", "containerEdits": {
    "env": ["ACME_GPU=zero"],
    "deviceNodes": [{"path": "/dev/acme0", "hostPath": "/dev/zero", "permissions": "r"}],
    "mounts": [{"hostPath": "$TEST_TMP/vendor", "containerPath": "/opt/acme", "options": ["ro", "nosuid", "rbind"]}],
    "hooks": [{"hookName": "createRuntime", "path": "/bin/sh", "args": ["sh", "-c", "cat > $TEST_TMP/hook"]}],
    "additionalGids": [4711]}}]}
END

step "its edits are done, by both clients"
expect_match "$(dk info -f '{{json .CDISpecDirs}}' 2> /dev/null; api GET /info; echo "$output")" "$TEST_TMP/cdi"
look='echo $ACME_DRIVER $ACME_GPU; head -c 4 /dev/acme0 | od -An -tx1; cat /opt/acme/lib; id -G; touch /opt/acme/x 2>&1; echo end'
want="7 zero
 00 00 00 00
library"
ct run -d --name c1 --device acme.com/gpu=zero busybox sh -c "$look; sleep 1000" > /dev/null
eventually 5 grep -q '"id"' "$TEST_TMP/hook"
said() { ct logs c1 2>&1; }
eventually 5 bash -c '"$1" logs c1 2>&1 | grep -q end' - "$bin/corten"
expect_eq "$(said | head -3)" "$want"
expect_match "$(said)" " 4711"
expect_match "$(said)" "Read-only file system"
ct rm -f c1 > /dev/null
body='{"Image":"busybox","Cmd":["sh","-c","echo $ACME_GPU; exec sleep 1000"],"HostConfig":{"DeviceRequests":[{"Driver":"cdi","DeviceIDs":["acme.com/gpu=zero"]}]}}'
api POST "/containers/create?name=c2" "$body"
expect_eq "$api_status" 201
kill_daemon
restart_daemon --cdi-spec-dir "$TEST_TMP/cdi"
dk start c2 > /dev/null
eventually 5 bash -c '[ "$("$1" logs c2)" = zero ]' - "$docker"
dk rm -f c2 > /dev/null

step "what is not there, not understood or not CDI is said"
expect_fails "unresolvable CDI devices acme.com/gpu=one" ct run --rm --device acme.com/gpu=one busybox true
echo "cdiVersion: 0.6.0" > "$TEST_TMP/cdi/other.yaml"
expect_fails "other.yaml' is not read: it is YAML; corten reads JSON" ct run --rm --device acme.com/gpu=one busybox true
expect_fails "driver '' is not supported" ct run --rm --gpus all busybox true
api POST /containers/create '{"Image":"busybox","HostConfig":{"DeviceRequests":[{"Driver":"cdi","DeviceIDs":["nonsense"]}]}}'
expect_eq "$api_status" 400
expect_nothing_left
pass
