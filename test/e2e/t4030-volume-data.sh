#!/bin/bash
# What is in a volume: export, import, cp, rename, snapshot, labels; system df says what du says; what a kill of
# the daemon cuts short is whole or gone.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

step "export and import"
dk run --rm -v data:/d busybox sh -c 'mkdir -p /d/sub; echo hello > /d/sub/f; ln -s sub/f /d/link; ln /d/sub/f /d/hard; chown 7:8 /d/sub/f; chmod 640 /d/sub/f'
ct volume export data > "$TEST_TMP/data.tar" || fail "export"
expect_match "$(tar -tvf "$TEST_TMP/data.tar")" '^-rw-r----- 7/8 .* sub/f|^hrw.* sub/f'
expect_eq "$(gzip -c "$TEST_TMP/data.tar" | ct volume import copy)" copy
expect_eq "$(dk run --rm -v copy:/d busybox sh -c 'cat /d/link; stat -c "%u %g %a %h" /d/hard')" "$(printf 'hello\n7 8 640 2')"
expect_fails 'no such volume' ct volume export nothing
mkdir "$TEST_TMP/evil"
ln -s /etc "$TEST_TMP/evil/out"
tar -cf "$TEST_TMP/evil.tar" -C "$TEST_TMP/evil" out
mkdir "$TEST_TMP/evil2"
mkdir "$TEST_TMP/evil2/out"
echo broken > "$TEST_TMP/evil2/out/corten-test-evil"
tar -rf "$TEST_TMP/evil.tar" -C "$TEST_TMP/evil2" out/corten-test-evil
ct volume import evil "$TEST_TMP/evil.tar" > /dev/null 2>&1
[ ! -e /etc/corten-test-evil ] || fail "an archive has left its volume"

step "cp: host, containers, volumes"
echo fresh > "$TEST_TMP/fresh"
ct cp "$TEST_TMP/fresh" volume:data/sub/
ct cp volume:data/sub/fresh "$TEST_TMP/back"
expect_eq "$(cat "$TEST_TMP/back")" fresh
dk run -d --name box -v box:/v busybox sleep 1000 > /dev/null
ct cp volume:data/sub box:/tmp
expect_eq "$(dk exec box cat /tmp/sub/fresh)" fresh
dk exec box sh -c 'echo from-box > /tmp/b'
ct cp box:/tmp/b volume:data
expect_eq "$(ct cp volume:data/b - | tar -xO)" from-box
expect_fails 'Could not find the file /none in volume' ct cp volume:data/none "$TEST_TMP/none"
dk exec box ln -s /etc /v/out
expect_fails . ct cp volume:box/out/hostname "$TEST_TMP/none"
dk rm -f box > /dev/null

step "rename: all of it, and never under a container"
dk create --name user -v data:/d busybox true > /dev/null
expect_fails 'volume is in use' ct volume rename data other
dk rm user > /dev/null
expect_fails 'exists already' ct volume rename data copy
expect_fails 'invalid characters|too short' ct volume rename data x/y
expect_eq "$(ct volume rename data other)" other
expect_eq "$(dk run --rm -v other:/d busybox cat /d/sub/f)" hello
expect_fails '[Nn]o such volume' dk volume inspect data
[ ! -e "$DATA_ROOT/volume/data" ] || fail "the old directory is still there"

step "snapshot: what is there now"
dk volume create --label keep=yes base > /dev/null
dk run --rm -v base:/b busybox sh -c 'echo one > /b/f'
expect_eq "$(ct volume snapshot base snap)" snap
dk run --rm -v base:/b busybox sh -c 'echo two > /b/f'
expect_eq "$(dk run --rm -v snap:/b busybox cat /b/f)" one
expect_eq "$(dk volume inspect -f '{{.Labels.keep}}' snap)" yes
expect_fails 'exists already' ct volume snapshot base snap
expect_fails 'no container runs with it' bash -c 'corten volume create -o type=tmpfs -o device=t mem > /dev/null; corten volume snapshot mem m2'
dk run -d --name live -v mem:/m busybox sh -c 'echo in-memory > /m/f; sleep 1000' > /dev/null
eventually 5 dk exec live test -s /m/f
ct volume snapshot mem m2 > /dev/null
dk rm -f live > /dev/null
expect_eq "$(dk run --rm -v m2:/b busybox cat /b/f)" in-memory

step "labels"
ct volume update --label-add a=b --label-rm keep base > /dev/null
expect_eq "$(dk volume inspect -f '{{json .Labels}}' base)" '{"a":"b"}'

step "system df is what du is"
dk run --rm -v base:/b busybox dd if=/dev/urandom of=/b/big bs=1k count=300 2> /dev/null
api GET '/v1.44/system/df?type=volume'
said=$(jq '.Volumes[] | select(.Name == "base") | .UsageData.Size' <<< "$output")
expect_eq "$said" "$(du -s --block-size=1 "$DATA_ROOT/volume/base/_data" | cut -f1)"

step "a daemon killed in the middle: every volume whole or gone, references are facts"
dk run --rm -v big:/b busybox sh -c 'for i in $(seq 300); do mkdir -p /b/$i; echo $i > /b/$i/f; done'
rounds=${CORTEN_FULL:+40}
for ((i = 0; i < ${rounds:-4}; i++)); do
    (ct volume snapshot big "snap$i"; ct volume rename "snap$i" "moved$i"
     dk create --name "c$i" -v /anon -v "named$i:/n" busybox true; dk rm -v "c$i") > /dev/null 2>&1 &
    job=$!
    sleep 0.0$((i * 7 % 10))$((RANDOM % 10))
    kill_daemon
    wait "$job"
    restart_daemon
    for v in $(dk volume ls -q | grep -E "^(snap|moved)$i\$"); do
        expect_eq "$(dk run --rm -v "$v:/b" busybox sh -c 'ls /b | wc -l')" 300
    done
done
# Nobody refers to what is not there; what refers to nothing can go.
held=$(dk ps -aq | xargs -r "$docker" -H "unix://$SOCKET" inspect -f '{{range .Mounts}}{{println .Name}}{{end}}' | sort -u | grep -c .)
expect_eq "$(dk volume ls -q -f dangling=false | wc -l)" "$held"
dk ps -aq | xargs -r "$docker" -H "unix://$SOCKET" rm -f -v > /dev/null
expect_eq "$(dk volume ls -q -f dangling=false)" ""
dk volume prune -f --filter all=true > /dev/null
expect_eq "$(dk volume ls -q)" ""
expect_eq "$(ls "$DATA_ROOT/volume")" ""
expect_nothing_left
pass
