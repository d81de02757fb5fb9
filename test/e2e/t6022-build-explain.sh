#!/bin/bash
# corten build --explain: which part of a step, and which file, is not what it was.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
mkdir -p ctx/d
echo 1 >ctx/d/a
echo 1 >ctx/d/b
cat >ctx/Dockerfile <<'END'
FROM busybox AS tools
ARG T=1
RUN echo $T >/t
FROM busybox
ARG X=1
RUN echo $X >/x
COPY d /d
WORKDIR /w
COPY --from=tools /t /t
RUN --mount=type=bind,source=d,target=/m cat /m/a
END
why() { ct build --explain --progress plain "$@" ctx 2>&1 | sed -n 's/^#\([0-9]*\) not cached: /\1 /p'; }
step "the first time, and nothing to say"
expect_match "$(why)" '^[0-9]+ nothing is known of it'
expect_eq "$(why)" ""

step "a variable, a file, its mode"
expect_match "$(why --build-arg X=2)" '^[0-9]+ the command has changed; variable X has changed$|^[0-9]+ variable X has changed$'
why >/dev/null
echo 2 >ctx/d/b
touch ctx/d/new
out=$(why)
expect_match "$out" "^[0-9]+ 'd/b' has changed; 'd/new' is new\$"
expect_match "$out" '^[0-9]+ the files of --mount source=/d has changed; the step before it was made anew$'
[ "$(grep -c . <<<"$out")" = 4 ] || fail "$out"
chmod 700 ctx/d/a
rm ctx/d/new
expect_match "$(why)" "^[0-9]+ 'd/a' has another mode, owner or type; 'd/new' is gone\$"

step "another stage, the command line, a clean-up"
expect_match "$(why --build-arg T=2)" 'the image or stage that it copies from has changed'
why >/dev/null
expect_match "$(why --no-cache-filter tools)" '^[0-9]+ --no-cache-filter$'
expect_match "$(why --no-cache)" '^[0-9]+ --no-cache$'
sed -i 's,WORKDIR /w,WORKDIR /v,' ctx/Dockerfile
expect_match "$(why)" '^[0-9]+ the path has changed$'
dk image prune -af >/dev/null
dk builder prune -af >/dev/null
make_busybox_image
expect_match "$(why)" '^[0-9]+ the cache has not got it any more$|it stands on another image'
pass
