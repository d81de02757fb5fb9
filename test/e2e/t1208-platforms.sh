#!/bin/bash
# --platform: what create, run, pull, push, load, import, save and rmi do with images for other machines.
. "$(dirname "$0")/lib.sh"
. "$here/trap.sh"
start_daemon
start_trap
r=127.0.0.1:$trap
make_busybox_image
host=$(dk version -f '{{.Server.Arch}}') other=arm64 machine='\xb7\x00'
[ "$host" = amd64 ] || skip "written for amd64"

# The same files, their programs for another machine (ELF e_machine).
mkdir "$TEST_TMP/foreign"
dk create --name files busybox >/dev/null && dk export files | tar -C "$TEST_TMP/foreign" -x || fail "export"
printf "$machine" | dd of="$TEST_TMP/foreign/bin/busybox" bs=1 seek=18 conv=notrunc status=none

step "import makes an image of the platform that was named"
tar -C "$TEST_TMP/foreign" -c . | dk import --platform linux/$other -c 'CMD ["/bin/busybox","true"]' - $r/team/other:1 >/dev/null || fail "import"
expect_eq "$(dk image inspect -f '{{.Os}}/{{.Architecture}}' $r/team/other:1)" linux/$other
expect_fails 'cannot be used on this platform' dk import --platform windows/amd64 - x:1 < <(head -c 8000000 /dev/zero)
expect_fails 'invalid platform|invalid component|unknown operating system' dk import --platform linux/a/b/c - x:1 </dev/null

step "create says that it is for another machine, and fails only where the platform was named"
expect_status 0 dk create --name foreign $r/team/other:1
expect_match "$output" "^WARNING: The requested image's platform \(linux/$other\) does not match the detected host platform \(linux/$host[/v0-9]*\) and no specific platform was requested"
expect_status 0 ct create --platform linux/$other $r/team/other:1
expect_no_match "$output" WARNING
api POST "/v1.41/containers/create?platform=linux%2Famd64" '{"Image":"'$r/team/other:1'"}'
expect_eq "$api_status $(jq -r .message <<<"$output")" \
    "404 image with reference $r/team/other:1 was found but does not match the specified platform: wanted linux/amd64, actual: linux/$other"
api POST "/v1.41/containers/create?platform=linux%2F" '{"Image":"busybox"}'
expect_eq "$api_status" 400
api POST "/v1.40/containers/create?platform=linux%2Fs390x" '{"Image":"busybox"}'
expect_eq "$api_status" 201

step "it starts as far as the kernel can"
# Where binfmt_misc has something for that machine it runs; here the kernel says no.
if [ -z "$(grep -l "$other\|aarch64" /proc/sys/fs/binfmt_misc/* 2>/dev/null)" ]; then
    expect_fails 'exec format error' dk run --rm $r/team/other:1
    expect_fails 'exec format error' ct run --rm $r/team/other:1
fi

if command -v qemu-aarch64-static >/dev/null && [ -z "$(grep -l aarch64 /proc/sys/fs/binfmt_misc/* 2>/dev/null)" ]; then
    step "and with an interpreter in binfmt_misc it runs"
    # A program that writes and exits with 7. Its e_flags are only this test's, and so are the interpreter's: no other is run by it.
    mkdir "$TEST_TMP/arm"
    magic=$(python3 - "$TEST_TMP/arm/hello" "$$" <<'END'
import os, struct, sys
text = b"hello from arm64\n"
code = struct.pack("<8I", 0xD2800020, 0x100000E1, 0xD2800002 | len(text) << 5, 0xD2800808, 0xD4000001, 0xD28000E0, 0xD2800BA8, 0xD4000001) + text
head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, 0x400078, 64, 0, 0xC0000000 | int(sys.argv[2]), 64, 56, 1, 0, 0, 0)
load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 120 + len(code), 120 + len(code), 4096)
open(sys.argv[1], "wb").write(head + load + code)
os.chmod(sys.argv[1], 0o755)
print("".join("\\x%02x" % c for c in head[:52]))
END
    )
    tar -C "$TEST_TMP/arm" -c . | dk import --platform linux/arm64 -c 'CMD ["/hello"]' - $r/team/arm:1 >/dev/null || fail "import"
    expect_fails 'exec format error' dk run --rm --platform linux/arm64 $r/team/arm:1
    mkdir "$TEST_TMP/misc"
    # The kernel forgets what was registered with the last mount of binfmt_misc, so one is held.
    unshare --mount --propagation private sh -c 'mount -t binfmt_misc none "$1" && printf %s "$2" >"$1/register" && echo yes >"$3" && exec sleep 1000' \
        sh "$TEST_TMP/misc" ":corten-test-$$:M:0:$magic::$(command -v qemu-aarch64-static):F" "$TEST_TMP/registered" 2>/dev/null &
    misc=$!
    forget() { nsenter --mount="/proc/$misc/ns/mnt" sh -c "echo -1 >$TEST_TMP/misc/corten-test-$$" 2>/dev/null; kill "$misc" 2>/dev/null; }
    at_end forget
    settled() { [ -e "$TEST_TMP/registered" ] || ! kill -0 "$misc" 2>/dev/null; }
    eventually 5 settled
    if [ -e "$TEST_TMP/registered" ]; then
        expect_status 7 dk run --rm --platform linux/arm64 $r/team/arm:1
        expect_eq "$output" 'hello from arm64'
        expect_status 7 ct run --rm $r/team/arm:1
        expect_match "$output" 'does not match the detected host platform'
        expect_match "$output" '^hello from arm64$'
        forget
        expect_fails 'exec format error' dk run --rm --platform linux/arm64 $r/team/arm:1
    fi
fi

step "an index: each machine gets its own, whatever is under the name here"
ct tag busybox $r/team/own:1
ct push -q $r/team/own:1 >/dev/null && ct push -q $r/team/other:1 >/dev/null || fail "push"
ct manifest create $r/team/all:1 $r/team/own:1 $r/team/other:1 >/dev/null && ct manifest push $r/team/all:1 >/dev/null || fail "manifest"
dk rm -f foreign >/dev/null
platform_of() { dk image inspect -f '{{.Architecture}}' $r/team/all:1; }
expect_status 0 dk pull -q $r/team/all:1
expect_eq "$(platform_of)" $host
expect_status 0 dk pull -q --platform linux/$other $r/team/all:1
expect_eq "$(platform_of)" $other
for cli in dk ct; do
    expect_eq "$($cli run --rm --platform linux/$host $r/team/all:1 echo mine 2>/dev/null)" mine
    expect_eq "$(platform_of)" $host
    expect_status 0 $cli create --platform linux/$other/v8 $r/team/all:1 true
    expect_eq "$(platform_of)" $other
    expect_fails 'does not match|No such image|pull access|not found' $cli create --pull never --platform linux/$host $r/team/all:1 true
done
expect_fails 'no matching manifest for linux/s390x in the manifest list' dk pull --platform linux/s390x $r/team/all:1
expect_fails 'no matching manifest for linux/riscv64' dk pull --platform riscv64 $r/team/all:1

step "load: one of several, of an archive and of a layout; what is alone in it whatever it is for"
dk pull -q $r/team/all:1 >/dev/null
ct save -o "$TEST_TMP/both.tar" $r/team/own:1 $r/team/other:1 || fail "save"
gone() { dk rm -f $(dk ps -aq) >/dev/null; dk rmi -f $(dk images -q | sort -u) >/dev/null; }
names() { dk images --format '{{.Repository}}' | sort -u | tr '\n' ' '; }
gone
expect_status 0 ct load -q --platform linux/$other -i "$TEST_TMP/both.tar"
expect_eq "$(names)" "$r/team/other "
gone
expect_fails 'the archive has no image for linux/s390x' ct load --platform linux/s390x -i "$TEST_TMP/both.tar"
expect_eq "$(names)" ''
mkdir "$TEST_TMP/layout" && tar -C "$TEST_TMP/layout" -xf "$TEST_TMP/both.tar" && rm "$TEST_TMP/layout/manifest.json"
# Both under one name, each with its platform, as an index of a build for several platforms is.
jq '.manifests[] |= (.platform = {os: "linux", architecture: (if .annotations["io.containerd.image.name"] | test("other") then "'$other'" else "'$host'" end)}
    | .annotations = {"io.containerd.image.name": "one:1"})' "$TEST_TMP/layout/index.json" >"$TEST_TMP/index" || fail "jq"
layout() { cp "$TEST_TMP/index" "$TEST_TMP/layout/index.json"; tar -C "$TEST_TMP/layout" -c .; }
expect_status 0 ct load -q < <(layout)
expect_eq "$(dk images -a --format '{{.Repository}}'; dk image inspect -f '{{.Architecture}}' one:1)" "one
$host"
expect_status 0 ct load -q --platform linux/$other < <(layout)
expect_eq "$(dk image inspect -f '{{.Architecture}}' one:1)" $other
gone
jq '.manifests |= map(select(.platform.architecture == "'$other'"))' "$TEST_TMP/index" >"$TEST_TMP/alone" && mv "$TEST_TMP/alone" "$TEST_TMP/index"
expect_status 0 ct load -q < <(layout)
expect_eq "$(dk image inspect -f '{{.Architecture}}' one:1)" $other

step "save, push, rmi take the platform that is there"
expect_fails "wanted linux/$host, actual: linux/$other" ct save --platform linux/$host -o /dev/null one:1
expect_status 0 ct save --platform linux/$other -o /dev/null one:1
ct tag one:1 $r/team/one:1
expect_fails "wanted linux/$host, actual: linux/$other" ct push --platform linux/$host $r/team/one:1
expect_status 0 ct push --platform linux/$other $r/team/one:1
expect_fails "wanted linux/$host, actual: linux/$other" ct rmi --platform linux/$host one:1
expect_status 0 ct rmi --platform linux/$host,linux/$other one:1
expect_eq "$(names)" "$r/team/one "
pass
