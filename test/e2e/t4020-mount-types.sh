#!/bin/bash
# Mount objects of every type: bind (propagation, recursion, read-only), volume, tmpfs, image; refused in
# the peer's words when they cannot be meant.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
mkdir -p "$TEST_TMP/host/below"
echo top > "$TEST_TMP/host/f"

create() { # MOUNT-JSON
    api POST /v1.51/containers/create "{\"Image\":\"busybox\",\"Cmd\":[\"true\"],\"HostConfig\":{\"Mounts\":[$1]}}"
}
refused() { # MOUNT-JSON TEXT
    create "$1"
    expect_eq "$api_status" 400
    expect_match "$output" "$2"
}

step "what cannot be meant"
refused '{"Type":"bind","Target":"/x"}' 'invalid mount config for type ..bind..: field Source must not be empty'
refused '{"Type":"bind","Source":"/etc"}' 'field Target must not be empty'
refused '{"Type":"bind","Source":"etc","Target":"/x"}' "invalid mount path: 'etc' mount path must be absolute"
refused '{"Type":"bind","Source":"/etc","Target":"x"}' "invalid mount path: 'x' mount path must be absolute"
refused '{"Type":"bind","Source":"/etc","Target":"/"}' "destination can't be '/'"
refused '{"Type":"bind","Source":"/no/such","Target":"/x"}' 'bind source path does not exist: /no/such'
refused '{"Type":"bind","Source":"/etc","Target":"/x","VolumeOptions":{}}' 'field VolumeOptions must not be specified'
refused '{"Type":"bind","Source":"/etc","Target":"/x","BindOptions":{"Propagation":"odd"}}' 'invalid propagation mode: odd'
refused '{"Type":"bind","Source":"/etc","Target":"/x","BindOptions":{"ReadOnlyForceRecursive":true}}' 'requires ReadOnly'
refused '{"Type":"volume","Source":"v","Target":"/x","BindOptions":{}}' 'field BindOptions must not be specified'
refused '{"Type":"volume","Target":"/x","VolumeOptions":{"Subpath":"a"}}' 'must not set Subpath when using anonymous volumes'
refused '{"Type":"volume","Target":"/x","ReadOnly":true}' 'must not set ReadOnly mode when using anonymous volumes'
refused '{"Type":"volume","Source":"v","Target":"/x","VolumeOptions":{"Subpath":"/a"}}' 'subpath must be a relative path within the volume'
refused '{"Type":"tmpfs","Source":"t","Target":"/x"}' 'field Source must not be specified'
refused '{"Type":"tmpfs","Target":"/x","TmpfsOptions":{"Options":[["odd"]]}}' 'odd'
refused '{"Type":"image","Target":"/x"}' 'field Source must not be empty'
refused '{"Type":"image","Source":"no-such-image","Target":"/x"}' 'No such image'
refused '{"Type":"odd","Target":"/x"}' 'mount type unknown'
refused '{"Type":"tmpfs","Target":"/x"},{"Type":"tmpfs","Target":"/x/"}' 'Duplicate mount point: /x'
create '{"Type":"npipe","Source":"x","Target":"/x"}'
expect_eq "$api_status" 501

step "bind: read-only reaches what is mounted below, unless told otherwise"
# In a mount namespace of the test's own the daemon would have to be as well: a tmpfs below the source is
# made by a first bind instead, inside the container's view.
expect_fails 'Read-only' dk run --rm --mount "type=bind,src=$TEST_TMP/host,dst=/h,readonly" busybox touch /h/below/x
expect_fails 'bind source path does not exist' dk run --rm --mount "type=bind,src=$TEST_TMP/new,dst=/h" busybox true
ct run --rm --mount "type=bind,src=$TEST_TMP/new,dst=/h,bind-create-src" busybox touch /h/made
[ -e "$TEST_TMP/new/made" ] || fail "bind-create-src made nothing"
expect_eq "$(dk run --rm -v "$TEST_TMP/host:/h:ro,z" busybox cat /h/f)" top
expect_eq "$(dk run --rm -v "$TEST_TMP/host:/h:Z" busybox cat /h/f)" top

step "tmpfs"
out=$(dk run --rm --mount type=tmpfs,dst=/t,tmpfs-size=2m,tmpfs-mode=0710 busybox sh -c 'stat -c %a /t; grep " /t " /proc/mounts')
expect_match "$out" '^710$'
expect_match "$out" 'tmpfs /t tmpfs rw,nosuid,nodev,noexec.*size=2048k'
expect_match "$(dk run --rm --tmpfs /t:exec,uid=5,mode=0701 busybox stat -c '%a %u' /t)" '^701 5$'

step "volume: nocopy"
expect_eq "$(dk run --rm --mount type=volume,src=empty,dst=/etc/foo,volume-nocopy busybox ls /etc/foo)" ""
expect_eq "$(dk run --rm --mount type=volume,src=nc,dst=/bin,volume-nocopy -v nc:/look --entrypoint /look/x busybox 2>&1 | grep -c 'no such file\|not found\|No such')" 1
expect_eq "$(dk run --rm -v nc2:/etc busybox cat /etc/group | head -1)" "$(dk run --rm busybox cat /etc/group | head -1)"

step "image: read-only, a part of it, held"
make_busybox_image other
created=$(dk create --name base busybox sh -c 'mkdir -p /data/in; echo inside > /data/in/f; ln -s /etc /data/link')
dk start -a base
dk commit base withdata > /dev/null
if ct run --rm --mount type=image,src=withdata,dst=/img busybox cat /img/data/in/f > "$TEST_TMP/o" 2>&1; then
    expect_eq "$(cat "$TEST_TMP/o")" inside
else
    fail "$(cat "$TEST_TMP/o")"
fi
expect_fails 'Read-only' ct run --rm --mount type=image,src=withdata,dst=/img busybox touch /img/x
expect_eq "$(ct run --rm --mount type=image,src=withdata,dst=/img,image-subpath=data/in busybox cat /img/f)" inside
expect_fails 'cannot access path data/none' ct run --rm --mount type=image,src=withdata,dst=/img,image-subpath=data/none busybox true
expect_fails 'cannot access path data/link/passwd-' ct run --rm --mount type=image,src=withdata,dst=/img,image-subpath=data/link/passwd- busybox true
ct create --name holder --mount type=image,src=withdata,dst=/img busybox cat /img/data/in/f > /dev/null
expect_fails 'conflict|in use|using' dk rmi withdata
kill_daemon
restart_daemon
expect_fails 'conflict|in use|using' dk rmi withdata
expect_eq "$(dk start -a holder)" inside
dk cp holder:/img/data/in/f "$TEST_TMP/copied"
expect_eq "$(cat "$TEST_TMP/copied")" inside
expect_eq "$(dk inspect -f '{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}}{{end}}' holder)" "image /img false"
dk rm holder base > /dev/null
dk rmi withdata > /dev/null
pass
