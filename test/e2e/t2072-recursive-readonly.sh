#!/bin/bash
# A read-only bind mount is read-only with what is mounted below it, unless that is said not to be.
. "$(dirname "$0")/lib.sh"
mkdir -p "$TEST_TMP/tree/sub"
mount -t tmpfs tmpfs "$TEST_TMP/tree/sub" || skip "no mount"
at_end 'umount -l "$TEST_TMP/tree/sub"'
start_daemon
make_busybox_image
try() { # HostConfig.Mounts[0].BindOptions
    api POST "/containers/create?name=try" "{\"Image\":\"busybox\",\"Cmd\":[\"sh\",\"-c\",\"touch /d/top 2>&1; touch /d/sub/below 2>&1; echo end\"],
        \"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"$TEST_TMP/tree\",\"Target\":\"/d\",\"ReadOnly\":true,\"BindOptions\":$1}]}}"
    expect_eq "$api_status" 201
    dk start -a try
    dk rm try > /dev/null
}
top="touch: /d/top: Read-only file system" below="touch: /d/sub/below: Read-only file system"
expect_eq "$(try '{}')" "$top
$below
end"
expect_eq "$(try '{"ReadOnlyForceRecursive":true,"Propagation":"rprivate"}')" "$top
$below
end"
expect_eq "$(try '{"ReadOnlyNonRecursive":true}')" "$top
end"
rm -f "$TEST_TMP/tree/sub/below"
expect_eq "$(try '{"NonRecursive":true}')" "$top
touch: /d/sub/below: Read-only file system
end"
expect_eq "$(dk run --rm -v "$TEST_TMP/tree:/d:ro" busybox sh -c 'touch /d/sub/below 2>&1')" "$below"
umount "$TEST_TMP/tree/sub" || umount -l "$TEST_TMP/tree/sub"
expect_nothing_left
pass
