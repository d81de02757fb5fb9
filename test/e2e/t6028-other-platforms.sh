#!/bin/bash
# Images for another machine: what only copies is built, what runs is refused with its place where nothing can run it.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
arch=s390x
[ "$(uname -m)" = s390x ] && arch=riscv64
mkdir ctx && echo data >ctx/f && cd ctx || fail "no directory"
export DOCKER_BUILDKIT=0

step "copies alone"
cat >Dockerfile <<'END'
FROM --platform=$BUILDPLATFORM busybox AS make
ARG TARGETPLATFORM TARGETARCH
RUN echo "$TARGETPLATFORM $TARGETARCH $(uname -m)" > /made
FROM scratch
COPY f /f
COPY --from=make /made /made
CMD ["/f"]
END
out=$(ct build --platform linux/$arch -t far . 2>&1) || fail "$out"
expect_eq "$(dk image inspect -f '{{.Os}}/{{.Architecture}}' far)" linux/$arch
c=$(dk create --platform linux/$arch far) || fail "create"
expect_eq "$(dk cp "$c:/made" - | tar -xO)" "linux/$arch $arch $(uname -m)"
dk rm "$c" >/dev/null
out=$(dk build --platform linux/$arch -t far2 . 2>&1) || fail "$out"
expect_eq "$(dk image inspect -f '{{.Architecture}}' far2)" $arch
out=$(ct build -t near . 2>&1) || fail "$out"
expect_eq "$(dk image inspect -f '{{.Architecture}}' near)" "$(dk image inspect -f '{{.Architecture}}' busybox)"

step "on top of what was built so"
printf 'FROM far\nCOPY f /g\nENV A=1\n' >Dockerfile
out=$(ct build --platform linux/$arch --pull=false -t farther . 2>&1) || fail "$out"
expect_eq "$(dk image inspect -f '{{.Architecture}}' farther)" $arch

step "what would run"
if [ ! -e /proc/sys/fs/binfmt_misc/qemu-$arch ]; then
    printf 'FROM scratch\nCOPY f /f\nRUN ["/f"]\n' >Dockerfile
    out=$(ct build --platform linux/$arch . 2>&1) && fail "it ran"
    expect_match "$out" 'Dockerfile:3'
    expect_match "$out" "RUN for linux/$arch needs such a machine"
fi
expect_fails 'unknown architecture' ct build --platform linux/z80 .
expect_fails 'only linux' ct build --platform windows/amd64 .
pass
