#!/bin/bash
# Copies that follow each other are made side by side, and give what they give one after the other.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
mkdir -p ctx/a ctx/b ctx/c
for i in 1 2 3; do echo "a$i" >ctx/a/f$i; echo "b$i" >ctx/b/g$i; echo "c$i" >ctx/c/h$i; done
export SOURCE_DATE_EPOCH=1000000000
layers() { dk image inspect -f '{{json .RootFS.Layers}}' "$1"; }
# The same steps with something between the copies: nothing is made ahead then.
both() { # NAME: the Dockerfile on stdin
    cat >ctx/Dockerfile
    awk '{print} /^(COPY|ADD)/{print "ENV BETWEEN=" NR}' ctx/Dockerfile >apart
    out=$(ct build --no-cache -t "$1" ctx 2>&1) || fail "$out"
    out=$(ct build --no-cache -t "$1-apart" -f apart ctx 2>&1) || fail "$out"
    expect_eq "$(layers "$1")" "$(layers "$1-apart")"
}
steps() { ct builder ls --json | grep -c '"Type":"step"'; }

step "side by side"
before=$(steps)
both plain <<'END'
FROM busybox
COPY a /a
COPY b /b
COPY --chown=5 c /c
END
# The three steps, which are the same of both builds, and two that were made ahead, on the first one's parent.
expect_eq "$(($(steps) - before))" 5
expect_eq "$(dk run --rm plain sh -c 'cat /a/f1 /b/g2 /c/h3; stat -c %u /c/h1')" "$(printf 'a1\nb2\nc3\n5')"
[ "$(layers plain | tr ',' '\n' | sort -u | wc -l)" = 4 ] || fail "not four layers"

step "directories that a copy before makes"
both nested <<'END'
FROM busybox
COPY --chown=7 --chmod=750 a /x/y
COPY b /x/y/z
COPY c /x
COPY a/f1 /x/y/f2
COPY --parents b/g1 c/h1 /x/
END
expect_eq "$(dk run --rm nested sh -c 'cd /x; cat y/f2; stat -c "%n %u %a" y y/z h1 b/g1')" "a1
y 7 755
y/z 0 755
h1 0 644
b/g1 0 644"

step "what fails is said by the step itself"
printf 'FROM busybox\nCOPY a /a\nCOPY none /b\nCOPY c /a/f1/\n' >ctx/Dockerfile
out=$(ct build --no-cache ctx 2>&1) && fail "it was built"
expect_match "$out" 'Dockerfile:3'
expect_match "$out" 'none'
printf 'FROM busybox\nCOPY a /a\nCOPY c /a/f1/\n' >ctx/Dockerfile
out=$(ct build --no-cache ctx 2>&1) && fail "it was built"
expect_match "$out" 'Dockerfile:3.*non-directory'

step "from the cache, and after a change"
printf 'FROM busybox\nCOPY a /a\nCOPY b /b\nRUN cat /a/f1 /b/g1 > /seen\n' >ctx/Dockerfile
ct build -t c1 ctx >/dev/null 2>&1 || fail "build"
echo changed >ctx/a/f1
echo changed >ctx/b/g1
out=$(ct build --progress plain -t c2 ctx 2>&1) || fail "$out"
expect_eq "$(dk run --rm c2 cat /seen)" "$(printf 'changed\nchanged')"
out=$(ct build --progress plain -t c3 ctx 2>&1) || fail "$out"
expect_eq "$(grep -c CACHED <<<"$out")" 3
pass
