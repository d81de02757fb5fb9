#!/bin/bash
# The build cache: what hits, what misses and why; the same build gives the same image.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
export DOCKER_BUILDKIT=0
mkdir -p ctx/d
echo 1 >ctx/d/a
echo 1 >ctx/b
cat >ctx/Dockerfile <<'END'
FROM busybox AS one
LABEL version=1
RUN head -c8 /dev/urandom | base64 > /run1
COPY d /d
RUN head -c8 /dev/urandom | base64 > /run2
COPY b /b
ARG X
RUN head -c8 /dev/urandom | base64 > /run3
FROM busybox
COPY --from=one /run2 /
END
build() { dk build -q "$@" ctx; }
files() { dk run --rm "$1" cat /run1 /run2 /run3 | xargs; }
hits() { dk build "$@" ctx 2>/dev/null | grep -c 'Using cache'; }
pick() { echo "$1" | cut -d' ' -f"$2"; }

first=$(build --target one -t a)
step "the same again"
expect_eq "$(build --target one)" "$first"
expect_eq "$(hits --target one)" 5

step "times do not count, neither does a label"
touch -d '2001-01-01' ctx/d/a ctx/b
expect_eq "$(build --target one)" "$first"
sed -i 's/version=1/version=2/' ctx/Dockerfile
build --target one -t b >/dev/null
expect_eq "$(files b)" "$(files a)"
expect_eq "$(dk image inspect -f '{{.Config.Labels.version}}' b)" 2

step "a changed file, a changed mode, a changed argument: from there on"
echo 2 >ctx/b
build --target one -t c >/dev/null
expect_eq "$(pick "$(files c)" 1,2)" "$(pick "$(files a)" 1,2)"
[ "$(pick "$(files c)" 3)" != "$(pick "$(files a)" 3)" ] || fail "RUN after a changed COPY came from the cache"
chmod 700 ctx/d/a
build --target one -t d >/dev/null
expect_eq "$(pick "$(files d)" 1)" "$(pick "$(files a)" 1)"
[ "$(pick "$(files d)" 2)" != "$(pick "$(files a)" 2)" ] || fail "RUN after a changed mode came from the cache"
build --target one -t e --build-arg X=1 >/dev/null
expect_eq "$(pick "$(files e)" 1,2)" "$(pick "$(files d)" 1,2)"
[ "$(pick "$(files e)" 3)" != "$(pick "$(files d)" 3)" ] || fail "RUN with another ARG came from the cache"
echo 1 >ctx/b
chmod 644 ctx/d/a
build --target one -t f >/dev/null
expect_eq "$(files f)" "$(files a)"

step "across stages, and over a restart of the daemon"
build -t g >/dev/null
expect_eq "$(dk run --rm g cat /run2)" "$(pick "$(files a)" 2)"
id=$(build)
restart_daemon
expect_eq "$(build)" "$id"

step "--no-cache"
build --no-cache --target one -t h >/dev/null
[ "$(files h)" != "$(files a)" ] || fail "--no-cache used the cache"

step "a base image of the same name and history, with other files, is another base"
mkdir -p other/bin && cp "$(command -v busybox)" other/bin/
for a in sh cat base64 head xargs; do ln -s busybox other/bin/$a; done
tar c -C other . | dk import - busybox >/dev/null
build --target one -t i >/dev/null
[ "$(pick "$(files i)" 1)" != "$(pick "$(files h)" 1)" ] || fail "the cache of another base was used"

step "the cache is shown, and pruned"
api GET /v1.45/system/df
steps=$(grep -oE '"Type":"regular"' <<<"$output" | wc -l)
[ "$steps" -gt 2 ] || fail "df shows $steps steps: $output"
for t in a b c d e f g h i; do dk rmi -f $t >/dev/null 2>&1; done
dk image prune -f >/dev/null
out=$(dk builder prune -f 2>&1) || fail "$out"
expect_match "$out" 'Total.*: *[1-9]'
api GET /v1.45/system/df
expect_no_match "$output" '"Type":"regular"'
step "a layer of the same content is taken on another parent"
mkdir -p again/one again/two
echo 1 >again/one/f
head -c 300000 /dev/urandom >again/two/g
printf 'FROM busybox\nCOPY one /o/\nCOPY --chown=3:4 two /t/\nRUN cat /o/f /t/g | sha256sum >/sum\n' >again/Dockerfile
layer() { dk inspect -f '{{index .RootFS.Layers 2}}' "$1"; }
corten build -q -t again:1 again >/dev/null || fail "first"
echo 2 >again/one/f
corten build -q -t again:2 again >/dev/null || fail "second"
expect_eq "$(layer again:1)" "$(layer again:2)"
expect_eq "$(dk run --rm again:2 sh -c 'cat /o/f; stat -c "%u %g" /t/g')" "2
3 4"
expect_eq "$(dk run --rm again:2 sh -c '[ "$(cat /o/f /t/g | sha256sum)" = "$(cat /sum)" ] && echo same')" same
printf 'FROM busybox\nRUN mkdir -m 700 /t\nCOPY --chown=3:4 two /t/\n' >again/Dockerfile
corten build -q -t again:3 again >/dev/null || fail "another destination"
expect_eq "$(dk run --rm again:3 sh -c "stat -c %a /t")" 700
expect_eq "$(dk run --rm again:1 sh -c "stat -c %a /t")" 755
step "a RUN that writes nothing gives its step the image that it stands on, also after a kill -9"
printf 'FROM busybox\nRUN true 1\nRUN touch /a && rm /a\nRUN mkdir /b\nRUN true 2\n' >Nothing
corten build --progress plain -t nothing -f Nothing . >/dev/null 2>&1 || fail "nothing"
id=$(dk inspect -f '{{.Id}}' nothing)
expect_eq "$(dk inspect -f '{{len .RootFS.Layers}}' nothing)" "$(($(dk inspect -f '{{len .RootFS.Layers}}' busybox) + 1))"
expect_eq "$(dk history --format '{{.CreatedBy}} {{.Size}}' nothing | grep -c 'true [12] .*0B$')" 2
kill_daemon
restart_daemon
expect_eq "$(corten build --progress plain -t nothing -f Nothing . 2>&1 | grep -ci cached)" 4
expect_eq "$(dk inspect -f '{{.Id}}' nothing)" "$id"
step "the image that a build ended in goes as any other"
printf 'FROM busybox\nRUN echo x > /y\nCMD ["true"]\n' > Goes
DOCKER_BUILDKIT=0 dk build -q -t goes -f Goes . > /dev/null 2>&1 || fail build
id=$(dk images -q --no-trunc goes)
expect_match "$(dk rmi goes)" "^Deleted: $id"
DOCKER_BUILDKIT=0 dk build -q -t goes -f Goes . > /dev/null 2>&1 || fail build
expect_match "$(dk image prune -af)" '^untagged: goes:latest'
pass
