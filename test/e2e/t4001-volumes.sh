#!/bin/bash
# -v: binds, named and anonymous volumes, ro, copy-up, in use.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

mkdir "$TEST_TMP/host" && echo from-host > "$TEST_TMP/host/f"
expect_eq "$(dk run --rm -v "$TEST_TMP/host:/data" busybox cat /data/f)" "from-host"
dk run --rm -v "$TEST_TMP/host:/data" busybox sh -c 'echo back > /data/g'
expect_eq "$(cat "$TEST_TMP/host/g")" "back"
expect_status 1 dk run --rm -v "$TEST_TMP/host:/data:ro" busybox touch /data/h
expect_eq "$(dk run --rm -v "$TEST_TMP/host/f:/one" busybox cat /one)" "from-host"

dk run --rm -v store:/keep busybox sh -c 'echo kept > /keep/x'
expect_eq "$(dk run --rm -v store:/keep busybox cat /keep/x)" "kept"
expect_match "$(dk volume ls)" "store"
# A new named volume over a path of the image starts with what is there.
expect_eq "$(dk run --rm -v etc:/etc busybox head -1 /etc/passwd)" "root:x:0:0:root:/root:/bin/sh"
dk run -d --name user -v store:/keep busybox sleep 1000 > /dev/null
expect_status 1 dk volume rm store
dk rm -f user > /dev/null
expect_eq "$(dk volume rm store)" "store"
# Anonymous volumes go with --rm.
before=$(dk volume ls -q | wc -l)
dk run --rm -v /anon busybox touch /anon/x
expect_eq "$(dk volume ls -q | wc -l)" "$before"
expect_status 125 dk run --rm -v relative/path:/x busybox true
expect_status 125 dk run --rm -v "$TEST_TMP/host:relative" busybox true
pass
