#!/bin/bash
# --build-context: directories and OCI layouts as bases, sources of COPY and of mounts.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
mkdir -p base/bin data empty
cp "$(command -v busybox)" base/bin/busybox && ln -s busybox base/bin/sh && ln -s busybox base/bin/cat
echo skip >base/left-out && echo left-out >base/.dockerignore
echo hello >data/f

step "a directory as a base"
printf 'FROM mine\nRUN --mount=type=bind,from=data,target=/d cat /d/f >/g\nCOPY --from=data f /f\n' >empty/Dockerfile
build() { ct build -q -t t --build-context mine=base --build-context data=data "$@" empty; }
build >/dev/null || fail "$(build 2>&1)"
expect_eq "$(dk run --rm t cat /f /g | xargs)" "hello hello"
expect_eq "$(dk run --rm t sh -c 'echo /*')" "/bin /dev /etc /f /g /proc /sys"
id=$(dk inspect -f '{{.Id}}' t)
build >/dev/null && expect_eq "$(dk inspect -f '{{.Id}}' t)" "$id"
echo other >data/f
build >/dev/null && expect_eq "$(dk run --rm t cat /f /g | xargs)" "other other"
touch base/bin/new
build >/dev/null && expect_eq "$(dk run --rm t cat /bin/new)" ""
expect_fails "build context '.*/gone'" ct build --build-context mine=gone --build-context data=data empty

step "a layout as a base, whole or one of several"
printf 'FROM busybox\nENV WHO=one\nRUN true >/one\n' | ct build -q -t one - >/dev/null
printf 'FROM busybox\nENV WHO=two\n' | ct build -q -t two - >/dev/null
mkdir l1 l2 && dk save one | tar x -C l1 && dk save one two | tar x -C l2
one=$(dk inspect -f '{{.Id}}' one)
dk rmi one two >/dev/null
printf 'FROM lay\nRUN echo $WHO >/who\n' >empty/L
printf 'FROM busybox\nCOPY --from=lay /one /copied\n' >empty/C
ct build -q -t u -f empty/L --build-context lay=oci-layout://l1 empty >/dev/null || fail layout
expect_eq "$(dk run --rm u cat /who)" one
expect_eq "$(dk inspect -f '{{index .Config.Labels "corten.build.base.id"}}' u)" "$one"
expect_eq "$(dk inspect -f '{{index .Config.Labels "org.opencontainers.image.base.name"}}' u)" lay
ct build -q -t c -f empty/C --build-context lay=oci-layout://$PWD/l1 empty >/dev/null || fail copy
expect_fails 'images in the layout: name one' ct build -f empty/L --build-context lay=oci-layout://l2 empty
names=$(python3 -c 'import json; print(*[m["digest"] for m in json.load(open("l2/index.json"))["manifests"]])')
ct build -q -t v -f empty/L --build-context "lay=oci-layout://l2@${names##* }" empty >/dev/null || fail digest
expect_match "$(dk run --rm v cat /who)" '^(one|two)$'
expect_fails 'no such image in the layout' ct build -f empty/L --build-context lay=oci-layout://l2:nothing empty
echo x >>"l1/blobs/sha256/$(python3 -c 'import json; print(json.load(open("l1/index.json"))["manifests"][0]["digest"][7:])')"
expect_fails 'has another digest' ct build -f empty/L --build-context lay=oci-layout://l1 empty
expect_fails 'only directories, docker-image:// and oci-layout:// are supported' ct build --build-context x=http://e/ empty
pass
