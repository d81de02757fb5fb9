#!/bin/bash
# checkpoint and restore of corten-runtime: refused by name without criu, and what criu is told and answers. The real
# criu works in the virtual machine (test/vm/criu.sh), with CORTEN_FULL: Debian's does not know newer kernels.
# limit: 400
. "$(dirname "$0")/lib.sh"

bundle=$TEST_TMP/bundle
state=$TEST_TMP/state
mkdir -p "$bundle"/rootfs/bin "$bundle/data" "$TEST_TMP/tools"
cp "$(command -v busybox || echo /bin/busybox)" "$bundle/rootfs/bin/busybox" || skip needs busybox
for name in sh sleep true; do ln -s busybox "$bundle/rootfs/bin/$name"; done
cr() { PATH=$TEST_TMP/tools corten-runtime --root "$state" "$@"; }
corten-runtime() { "$bin/corten-runtime" "$@"; }
(cd "$bundle" && cr spec) || fail spec
perl -pi -e 's/"terminal":true/"terminal":false/; s/"args":\["sh"\]/"args":["sleep","1000"]/;
    s/,\{"destination":"\/sys\/fs\/cgroup"[^}]*\}//; s/"mounts":\[/"mounts":[{"destination":"\/data","source":"data","options":["bind"]},/;
    s/"linux":\{/"linux":{"cgroupsPath":"\/corten-e2e-'$$'\/box",/' "$bundle/config.json"
at_end 'find /sys/fs/cgroup -depth -type d -name "corten-e2e-$$" -exec rmdir {} +'
at_end 'cr delete -f box'
at_end 'cr delete -f other'
cr run -d -b "$bundle" box </dev/null >"$TEST_TMP/said" 2>&1 || fail "run: $(cat "$TEST_TMP/said" "$bundle/config.json")"

step without criu
expect_fails 'checkpoint is not supported: criu is not installed' cr checkpoint --image-path "$TEST_TMP/images" box
expect_fails 'restore is not supported: criu is not installed' cr restore -b "$bundle" --image-path "$TEST_TMP/images" other
[ ! -e "$TEST_TMP/images" ] || fail a directory is left
expect_eq "$(cr list -q)" box

step a criu that remembers what it is asked, and answers as the test says
cat >"$TEST_TMP/tools/criu" <<PERL
#!$(command -v perl)
open(S, "+<&=", 3) or die; sysread(S, my \$request, 1 << 20); open(O, ">", "$TEST_TMP/request"); print O \$request; close O;
open(A, "<", "$TEST_TMP/answer") or exit 1; my \$n = sysread(A, my \$answer, 1 << 20); syswrite(S, \$answer) if \$n; exit 0;
PERL
chmod 755 "$TEST_TMP/tools/criu"
asked() { perl -ne 'print join("\n", /[\x20-\x7e]{4,}/g), "\n"' "$TEST_TMP/request"; }
answer() { perl -e 'print pack("H*", $ARGV[0])' "$1" >"$TEST_TMP/answer"; }
said() { printf '%s' "$1" | od -An -tx1 | tr -d ' \n'; }
text='Error (criu/x.c:1): not today'
answer "08011000""4a$(printf %02x ${#text})$(said "$text")" # DUMP, no success, that message
expect_fails "checkpoint container 'box': criu: not today" cr checkpoint --image-path "$TEST_TMP/images" --work-path "$TEST_TMP/work" box
expect_match "$(asked)" 'mnt\[/data\]:/data'
expect_match "$(asked)" 'dump.log'
expect_match "$(cr state box)" '"status": ?"running"'
answer ""
expect_fails 'criu ended without an answer' cr checkpoint --image-path "$TEST_TMP/images" box
for bytes in ff 0a ffffffffffffffffffffff 08ffffffffffffffffff7f 4affffffff0f 0801; do
    answer $bytes
    expect_fails 'criu: failed' cr checkpoint --image-path "$TEST_TMP/images" box
done
answer 08011001
cr checkpoint --leave-running --image-path "$TEST_TMP/images" box || fail checkpoint
expect_match "$(cat "$TEST_TMP/images/descriptors.json")" '^\["file\[[0-9a-f]+:[0-9a-f]+\]",'
expect_match "$(asked)" '^file\['

step a restore that criu refuses leaves nothing
sed "s#/box#/other#" "$bundle/config.json" >"$bundle/other.json"
answer 08021000
expect_fails "restore container 'other': criu: failed" cr restore -b "$bundle" -f other.json --image-path "$TEST_TMP/images" other </dev/null
expect_match "$(asked)" "mnt\[/data\]:$bundle/data"
expect_match "$(asked)" "$state/other/root"
mkdir "$TEST_TMP/empty"
expect_fails 'descriptors.json' cr restore -b "$bundle" -f other.json --image-path "$TEST_TMP/empty" other </dev/null
expect_eq "$(cr list -q)" box
answer 08021001
expect_fails 'does not say what it restored' cr restore -b "$bundle" -f other.json --image-path "$TEST_TMP/images" other </dev/null
expect_eq "$(cr list -q)" box
grep -q "$state" /proc/self/mountinfo && fail a mount is left

step what is not supported is refused by name
expect_fails '--lazy-pages is not supported' cr checkpoint --lazy-pages box
expect_fails '--page-server is not supported' cr checkpoint --page-server 1:2 box
expect_fails '--empty-ns .network. is not supported' cr checkpoint --empty-ns network box
expect_fails '--status-fd' cr checkpoint --status-fd 3 box
expect_fails "--network-lock 'dance'" cr checkpoint --network-lock dance box
expect_fails "--manage-cgroups-mode 'dance'" cr checkpoint --manage-cgroups-mode dance box
expect_fails '--no-pivot' cr restore --no-pivot -b "$bundle" other
expect_fails 'does not exist' cr checkpoint nobody
answer 08011001
cr checkpoint --image-path "$TEST_TMP/images" box || fail checkpoint # it ends the container, whatever criu has left of it
expect_eq "$(cr list -q)" ""
perl -pi -e 's/\{"type":"uts"\}/{"type":"uts","path":"\/proc\/self\/ns\/uts"}/' "$bundle/config.json"
cr run -d -b "$bundle" box </dev/null >"$TEST_TMP/said" 2>&1 || fail "run: $(cat "$TEST_TMP/said" "$bundle/config.json")"
expect_fails 'a joined uts namespace cannot be carried over' cr checkpoint --image-path "$TEST_TMP/images" box

if [ -n "${CORTEN_FULL:-}" ] && command -v criu >/dev/null; then
    step the real one, in a virtual machine
    vm=$(dirname "$0")/../vm
    "$vm/vmrun.sh" -t 340 "$vm/criu.sh" "$(dirname "$(readlink -f "$bin/corten-runtime")")/../.." >"$TEST_TMP/vm" 2>&1
    status=$?
    [ $status = 0 ] || [ $status = 77 ] || { tail -30 "$TEST_TMP/vm"; fail the real criu; }
fi
pass
