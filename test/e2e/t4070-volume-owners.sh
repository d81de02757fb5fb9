#!/bin/bash
# Who owns what in a volume: mode idmap; and a subpath or a mount's source that somebody swaps for a link meanwhile
# never leads out.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

step "idmap: words"
for mode in idmap=uids=1-2 idmap=uids=1-2-0 idmap=uids=1-2-3-4 idmap=1-2-3 'idmap=gids=1-2-3' 'idmap=uids=1-2-3#2-9-1' \
    'idmap=uids=1-2-3;uids=1-2-3' idmap=uids=4294967295-0-1; do
    expect_fails "invalid mode: idmap=.*it should be idmap=uids=FROM-TO-COUNT" dk create -v "data:/d:$mode" busybox true
done
expect_fails "no user namespace of their own" dk create -v data:/d:idmap busybox true

step "idmap: a volume of user 1000 is root's inside, and stays 1000's outside"
dk volume create -o uid=1000 -o gid=1000 data > /dev/null
at=$(dk volume inspect -f '{{.Mountpoint}}' data)
echo old > "$at/old"
chown 1000:1000 "$at/old"
echo other > "$at/other"
chown 7:7 "$at/other"
if ! dk run --rm -v data:/d:idmap=uids=1000-0-1 busybox true 2> "$TEST_TMP/why"; then
    grep -q 'idmapped mount: ' "$TEST_TMP/why" || fail "$(cat "$TEST_TMP/why")"
    echo "this file system has no idmapped mounts"
else
    expect_eq "$(dk run --rm -v data:/d:idmap=uids=1000-0-1 busybox sh -c 'echo new > /d/new; chmod 600 /d/new; cd /d; stat -c "%n %u:%g" new old other' | tr '\n' ' ')" \
        "new 0:0 old 0:0 other 65534:65534 "
    expect_eq "$(stat -c %u:%g "$at/new")" 1000:1000
    dk create --name from -v "data:/d:ro,idmap=uids=1000-5-1;gids=1000-6-1" busybox true > /dev/null
    expect_eq "$(dk run --rm --volumes-from from busybox sh -c 'stat -c %u:%g /d/old; touch /d/x 2>&1')" "5:6
touch: /d/x: Read-only file system"
    mkdir "$TEST_TMP/dir"
    chown 33:33 "$TEST_TMP/dir"
    kill_daemon
    restart_daemon
    dk rm from > /dev/null
    dk run --rm -u 1234:1234 -v "$TEST_TMP/dir:/b:idmap=uids=33-1234-1" busybox touch /b/made || fail "a bind"
    expect_eq "$(stat -c %u:%g "$TEST_TMP/dir/made")" 33:33
    expect_fails "" dk run --rm -u 99:99 -v "$TEST_TMP/dir:/b:idmap=uids=33-1234-1" busybox touch /b/never
fi

step "subpaths while somebody swaps them for links"
at=$(dk volume inspect -f '{{.Mountpoint}}' data)
mkdir -p "$at/sub/dir" "$TEST_TMP/secret/dir"
echo inside > "$at/sub/dir/file"
echo SECRET > "$TEST_TMP/secret/dir/file"
ln -s "$TEST_TMP/secret" "$at/link"
cat > "$TEST_TMP/swap.pl" <<'END'
use strict; use warnings;
my ($at, $until) = (shift, time + shift);
while (time < $until) { for (1 .. 200) { syscall(316, -100, my $a = "$at/sub", -100, my $b = "$at/link", 2) } } # renameat2, RENAME_EXCHANGE
END
perl "$TEST_TMP/swap.pl" "$at" $((${CORTEN_FULL:+40} + 5)) &
swapper=$!
at_end "kill $swapper 2> /dev/null"
inside=0 refused=0
for ((i = 0; i < ${CORTEN_FULL:+150} + 12; i++)); do
    out=$(dk run --rm --mount type=volume,src=data,dst=/s,volume-subpath=sub/dir busybox cat /s/file 2>&1)
    case $out in
    *inside*) inside=$((inside + 1)) ;;
    *SECRET*) fail "a link led out of the volume" ;;
    *"cannot access path"* | *"No such file"* | *"Invalid cross-device"* | *"outside"*) refused=$((refused + 1)) ;;
    *) fail "$out" ;;
    esac
done
[ $inside -gt 0 ] && [ $refused -gt 0 ] || fail "no race: $inside inside, $refused refused"
kill $swapper
wait $swapper 2> /dev/null

step "a mount point that the container swaps for a link: what is mounted there lands in the container, or nowhere"
# The volume's own content is the container's to change; the second mount goes onto a path inside the first.
rm -rf "$at/sub" "$at/link"
mkdir -p "$at/sub" "$TEST_TMP/target" "$TEST_TMP/bound"
ln -s "$TEST_TMP/target" "$at/link"
echo bound > "$TEST_TMP/bound/file"
perl "$TEST_TMP/swap.pl" "$at" $((${CORTEN_FULL:+40} + 5)) &
swapper=$!
for ((i = 0; i < ${CORTEN_FULL:+150} + 8; i++)); do
    dk run --rm -v data:/v -v "$TEST_TMP/bound:/v/sub" busybox true > /dev/null 2>&1
    grep -q " $TEST_TMP/target" /proc/self/mountinfo && fail "mounted on the host"
    [ -z "$(ls -A "$TEST_TMP/target")" ] || fail "something was made on the host: $(ls -A "$TEST_TMP/target")"
done
kill $swapper
wait $swapper 2> /dev/null
expect_nothing_left
pass
