#!/bin/bash
# corten image explain: what each layer adds, what later layers hide of it, and which line made it.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
mkdir "$TEST_TMP/context" && cd "$TEST_TMP/context" || exit 1
head -c 700000 /dev/zero >big
cat >Dockerfile <<'END'
# a comment
FROM busybox

RUN head -c 1000000 /dev/zero >/cache && \
    echo one >/kept
COPY big /opt/big
RUN rm /cache && echo two >/kept
RUN mkdir -p /d/sub && head -c 300000 /dev/zero >/d/sub/x && ln /d/sub/x /d/sub/y
RUN rm -r /d && mkdir /d
END
ct build -q -t waste . >/dev/null || fail "build"
text=$(ct image explain -f Dockerfile waste) || fail "explain"
echo "$text"
expect_match "$text" '^LAYER +SIZE +FILES +WASTED +HIDES +LINE +MADE BY'
expect_match "$text" '^2 +1MB +2 +1MB +0B +4 +RUN head -c 1000000'
expect_match "$text" '^3 +700kB +1 +0B +0B +6 +COPY .*big'
expect_match "$text" '^4 +4B +1 +0B +1MB +7 +RUN rm /cache'
expect_match "$text" '^5 +300kB +2 +300kB +0B +8 +RUN mkdir'
expect_match "$text" '^6 +0B +0 +0B +300kB +9 +RUN rm -r /d'
expect_match "$text" '6 layers, 1.3MB of it wasted'
expect_match "$text" '^ +1MB +/cache   .layer 2; layer 4 '
expect_match "$text" '^ +300kB +/d/sub/[xy]   .layer 5; layer 6 '
expect_match "$text" 'What helps'
expect_no_match "$(ct image explain busybox)" 'What helps|LINE'
json=$(ct image explain --json waste)
expect_match "$json" '"Wasted":1000004,"Largest":.*"WastedFiles":\[{"Path":"/cache","Bytes":1000000,"By":4}'
expect_fails 'No such image: nothing' ct image explain nothing
expect_fails "No such file" ct image explain -f none waste
pass
