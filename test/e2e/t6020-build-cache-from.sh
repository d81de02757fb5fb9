#!/bin/bash
# The build cache travels: in the image, in a directory, through a registry; other daemons' steps are used.
. "$(dirname "$0")/lib.sh"
. "$here/trap.sh"
start_daemon
make_busybox_image
export DOCKER_BUILDKIT=0
mkdir ctx
echo 1 >ctx/f
cat >ctx/Dockerfile <<'END'
FROM busybox AS tools
RUN head -c9 /dev/urandom | base64 >/tool
FROM busybox
RUN head -c9 /dev/urandom | base64 >/one
COPY f /f
COPY --from=tools /tool /tool
RUN head -c9 /dev/urandom | base64 >/two
END
files() { dk run --rm "$1" cat /one /tool /two | xargs; }
forget() { # as another machine: the base image alone stays
    dk rmi -f $(dk images -q | grep -v "$(dk images -q busybox)" | sort -u) >/dev/null 2>&1
    dk builder prune -af >/dev/null
    expect_eq "$(dk images -q | sort -u | wc -l)" 1
}
hits() { # OPTION…
    ct build --progress plain -t again "$@" ctx >out 2>&1 || fail "$(cat out)"
    grep -c CACHED out
}

step "in a directory: all stages, or those of the image alone"
ct build -q -t a --cache-to type=local,dest=kept,mode=max ctx >/dev/null || fail "export"
ct build -q -t a --cache-to type=local,dest=least ctx >/dev/null || fail "export"
expect_match "$(cat kept/oci-layout)" imageLayoutVersion
a=$(files a)
expect_eq "$(dk images -q | sort -u | wc -l)" 2
dk save a busybox >a.tar
forget
expect_eq "$(hits --cache-from type=local,src=kept)" 5
expect_match "$(cat out)" '^cache from .*/kept: [0-9]+ steps are new here'
expect_eq "$(files again)" "$a"
expect_eq "$(hits --cache-from type=local,src=kept)" 5
forget
expect_eq "$(hits --cache-from type=local,src=least)" 2 # the other stage is not in it, and random
[ "$(files again | cut -d' ' -f1)" = "$(cut -d' ' -f1 <<<"$a")" ] || fail "another first step"
echo 2 >ctx/f
expect_eq "$(hits)" 2
echo 1 >ctx/f

step "what cannot be had is said, and no error"
hits --cache-from type=local,src=nowhere >/dev/null
expect_match "$(cat out)" 'Warning. cache from .*nowhere: .*'
hits --cache-from busybox >/dev/null
expect_match "$(cat out)" 'Warning. cache from busybox: '
printf 'FROM busybox\nLABEL corten.build.steps=zzz:1\n' | dk build -q -t bad - >/dev/null
dk build --cache-from bad ctx >out 2>&1 || fail "$(cat out)"
expect_match "$(cat out)" 'Warning. cache from bad: a step without a key'
expect_fails 'type .gha. is not supported' ct build --cache-to type=gha ctx
expect_fails 'dest is missing' ct build --cache-to type=local ctx
expect_fails 'compression=zstd. is not supported' ct build --cache-to type=local,dest=x,compression=zstd ctx

step "in the image, with the stock CLI"
forget
dk build -q -t in --build-arg BUILDKIT_INLINE_CACHE=1 ctx >/dev/null || fail "inline"
b=$(files in)
dk save in >in.tar
forget
dk load -qi in.tar >/dev/null
dk build --cache-from in --build-arg BUILDKIT_INLINE_CACHE=1 -t out --target tools ctx >out 2>&1 || fail "$(cat out)"
dk build --cache-from in -t out ctx >out 2>&1 || fail "$(cat out)"
expect_match "$(cat out)" 'Using cache'
expect_eq "$(files out | cut -d' ' -f1)" "$(cut -d' ' -f1 <<<"$b")"

step "through a registry; names that were there keep their owner"
start_trap
r=127.0.0.1:$trap
forget
dk tag busybox $r/c:1
ct build -q -t a --cache-to type=registry,ref=$r/c:1,mode=max ctx >/dev/null || fail "push"
a=$(files a)
expect_eq "$(dk images -q --no-trunc $r/c:1)" "$(dk images -q --no-trunc busybox)"
forget
dk rmi $r/c:1 >/dev/null
expect_eq "$(hits --cache-from $r/c:1)" 5
expect_eq "$(files again)" "$a"
expect_eq "$(dk images -q $r/c:1)" ""

step "a stage that is not there"
expect_fails 'stage "tool" could not be found \(did you mean tools\?\)' ct build --no-cache-filter tool ctx
expect_eq "$(hits --no-cache-filter 0)" 2
expect_eq "$(hits --no-cache-filter TOOLS)" 2
pass
