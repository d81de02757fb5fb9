#!/bin/bash
# corten system check: finds planted damage of every kind while containers run, and mends it.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image box
image=$DATA_ROOT/image

step "a whole store is whole"
mkdir -p "$TEST_TMP/other/bin"
cp "$(readlink -f "$(command -v busybox)")" "$TEST_TMP/other/bin/sleep"
ln "$TEST_TMP/other/bin/sleep" "$TEST_TMP/other/bin/echo"
tar -C "$TEST_TMP/other" -c . | dk import - other >/dev/null
dk run -d --name up other sleep 1000 >/dev/null
dk run --name wrote box sh -c 'mkdir /d; echo hello >/d/f; chmod 4755 /d/f; ln /d/f /d/g; rm /etc/group' || fail run
dk commit wrote two >/dev/null
output=$(ct system check) || fail "check: $output"
expect_match "$output" '2 blobs and 3 layers looked at, .* read: all is well'

layer_of() { # IMAGE INDEX
    sqlite3 -readonly "$DATA_ROOT/store/corten.db" \
        "SELECT id FROM layer WHERE lower(hex(diff_id)) = '$(dk inspect -f "{{index .RootFS.Layers $2}}" "$1" | cut -d: -f2)'"
}
command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
name_of() { # ROW → base 36
    local n=$1 d=0123456789abcdefghijklmnopqrstuvwxyz out=
    while [ "$n" -gt 0 ]; do out=${d:n%36:1}$out n=$((n / 36)); done
    echo "$out"
}
base=$image/layer/$(name_of "$(layer_of box 0)")
top=$image/layer/$(name_of "$(layer_of two 1)")
[ -d "$base" ] && [ -d "$top" ] || fail "layers: $base $top"
blob=$(sqlite3 -readonly "$DATA_ROOT/store/corten.db" "SELECT lower(hex(digest)) FROM blob WHERE lower(hex(diff_id)) = '$(
    dk inspect -f "{{index .RootFS.Layers 0}}" box | cut -d: -f2)'")
blob=$image/blob/sha256/${blob:0:2}/$blob
cp "$blob" "$TEST_TMP/blob"

damage() { # WHAT COMMAND… : planted, found, mended, well again
    step "$1"
    local what=$1 pattern=$2
    shift 2
    eval "$@" || fail "planting"
    expect_status 1 ct system check
    expect_match "$output" "$pattern"
    expect_status 0 ct system check --repair
    expect_match "$output" "$pattern.*; (unpacked again|removed)"
    expect_match "$output" '1 problems, 1 of them repaired'
    expect_status 0 ct system check
    expect_eq "$(dk exec up echo alive)" alive
    expect_eq "$(dk run --rm two sh -c 'cat /d/g; ls -l /bin/busybox | cut -c1-10')" "$(printf 'hello\n-rwxr-xr-x')"
}
damage "a byte of a layer" 'layer-damaged sha256:' "printf X | dd of=$base/etc/passwd conv=notrunc status=none"
damage "a mode in a layer" 'layer-damaged sha256:' "chmod 4755 $base/bin/busybox"
damage "a time in a layer" 'layer-damaged sha256:' "touch $base/etc"
damage "an attribute in a layer" 'layer-damaged sha256:' "setfattr -n user.x -v y $base/etc/passwd 2>/dev/null || chown 1 $base/etc/passwd"
damage "a file too many" 'layer-damaged sha256:' "echo >$base/tmp/new"
damage "a missing layer" 'layer-missing sha256:.*not there' "rm -rf $base"
damage "an orphan directory" 'orphan layer/zzz' "mkdir -p $image/layer/zzz/a && echo >$image/layer/zzz/a/b"
damage "an orphan blob" 'orphan blob/sha256/00/0' "mkdir -p $image/blob/sha256/00 && echo >$image/blob/sha256/00/$(printf '0%.0s' {1..64})"
damage "a stranger beside it" 'orphan stranger: ' "mkdir $image/stranger && echo >$image/stranger/x"
damage "a stranger among the blobs" 'orphan blob/sha256/note: ' "echo >$image/blob/sha256/note"
if [ "${CORTEN_STORAGE_DRIVER:-}" = btrfs ]; then
    damage "a byte of a base" 'base-damaged base/' "printf X | dd of=\$(find $image/base -path '*etc/passwd' | head -1) conv=notrunc status=none"
    damage "bases of no layer" 'orphan base/zz: ' "mkdir -p $image/base/zz/x"
fi
damage "an orphan of a job" 'orphan ingest/x1' "mkdir $image/ingest/x1"

step "below a running container nothing is pulled away"
dk run -d --name user box sleep 1000 >/dev/null
printf X | dd of="$base/etc/passwd" conv=notrunc status=none
expect_status 1 ct system check --repair
expect_match "$output" 'stop the containers that use it'
expect_eq "$(dk exec user echo alive)" alive
dk rm -f user >/dev/null
expect_status 0 ct system check --repair

step "a truncated blob, a flipped byte, a missing blob"
truncate -s -1 "$blob"
expect_status 1 ct system check --json
expect_eq "$(jq -r '.Problems[0].Kind' <<<"$output")" blob-truncated
cp "$TEST_TMP/blob" "$blob"
perl -e 'open my $f, "+<", $ARGV[0] or die; seek $f, 1000, 0; read $f, my $c, 1; seek $f, 1000, 0; print $f ~$c' "$blob"
expect_status 1 ct system check
expect_match "$output" 'blob-damaged sha256:.*another digest'
expect_no_match "$output" layer-
rm "$blob"
expect_status 1 ct system check
expect_match "$output" 'blob-missing sha256:'
expect_status 0 ct system check --repair
expect_match "$output" 'blob-missing .*pull the image again'
expect_status 0 ct system check
expect_match "$output" '1 blobs and 3 layers'
restart_daemon
expect_status 0 ct system check
expect_eq "$(dk run --rm two cat /d/g)" hello

step "a layer that is lost takes its images with it"
dk rm -f wrote >/dev/null
echo x >>"$top/d/f"
expect_status 1 ct system check
expect_match "$output" 'layer-damaged .*no blob to restore it from'
expect_status 0 ct system check --repair
expect_match "$output" 'its images are removed'
expect_fails 'No such image' dk inspect --type image two
eventually 5 test ! -e "$top"
expect_status 0 ct system check
expect_eq "$(dk exec up echo alive)" alive
dk rm -f up >/dev/null
pass
