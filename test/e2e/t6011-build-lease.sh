#!/bin/bash
# What a local build owns (containers, secrets, files) goes with its builder, also when the daemon was killed.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
export TMPDIR=$TEST_TMP/tmp
mkdir ctx "$TMPDIR"
echo "the-secret-$$" >secret # another run of this test has another one
cat >ctx/Dockerfile <<'END'
FROM busybox
RUN --mount=type=secret,id=s,mode=0440,gid=7 stat -c '%a %g' /run/secrets/s && cat /run/secrets/s && echo on && sleep 1000
END
kept=/dev/shm/corten-build-$(printf %s "$RUN_ROOT" | sha256sum | cut -c1-16)
memory() { grep -lr "the-secret-$$" /dev/shm 2>/dev/null; }
nothing() { [ -z "$(dk ps -aq)" ] && [ -z "$(memory)" ] && [ -z "$(ls -A "$TMPDIR")" ]; }
begin() {
    : >out
    corten build --progress plain --secret id=s,src=secret ctx >out 2>&1 &
    client=$!
    eventually 20 grep -q ' on$' out
    builder=
    for p in $(our_pids); do
        [ "$(cat "/proc/$p/comm")" = corten-build ] && builder=$p
    done
    for p in $(cat /proc/$client/task/$client/children); do
        [ "$(cat "/proc/$p/comm")" = corten-build ] && builder=$p
    done
    [ -n "$builder" ] || fail "no builder"
    expect_eq "$(dk ps -q | wc -l)" 1
    expect_eq "$(memory | wc -l)" 1
}

step "kill -9 of the builder"
begin
expect_match "$(cat out)" ' 440 7$'
kill -KILL "$builder"
wait $client && fail "the client did not notice"
eventually 3 nothing

step "the client ends, and is killed"
begin
kill -TERM $client
wait $client
eventually 3 nothing
begin
kill -KILL $client
wait $client 2>/dev/null
eventually 3 nothing

step "kill -9 of the daemon: the builder ends, the next daemon clears away"
begin
kill_daemon
wait $client && fail "the client did not notice"
restart_daemon
eventually 5 nothing
begin
kill -KILL "$builder"
kill_daemon
wait $client
restart_daemon
expect_eq "$(ls -A "$TMPDIR" | wc -l)" 1
foreign=$TMPDIR/$(printf %064d 1)
mkdir -m 700 "$foreign"
printf 'FROM scratch\nCOPY Dockerfile /\n' | ct build -q -f - ctx >/dev/null || fail "the next build"
expect_eq "$(ls -A "$TMPDIR" | wc -l)" 2 # it may be a builder's that has just begun
touch -d '2 minutes ago' "$TMPDIR"/*
printf 'FROM scratch\nCOPY Dockerfile /\n' | ct build -q -f - ctx >/dev/null || fail "the one after it"
rmdir "$foreign" || fail "a directory of somebody else"
eventually 5 nothing
expect_no_match "$(dk images -a)" '<none>.*years ago'

step "a step that has ended leaves no secret to the next one"
cat >ctx/Dockerfile <<'END'
FROM busybox
RUN --mount=type=secret,id=s grep -q the-secret /run/secrets/s
RUN echo on && sleep 3
END
corten build --progress plain --secret id=s,src=secret ctx >out 2>&1 &
client=$!
eventually 20 grep -q ' on$' out
expect_eq "$(memory)" ""
wait $client || fail "$(cat out)"
gone() { ! [ -e "$kept" ]; }
eventually 3 gone

step "no lease, no secret"
api POST '/corten/build/secret?id=x&name=y'
expect_eq "$api_status" 400
api POST "/corten/build/secret?id=$(printf '%064d' 1)&name=y"
expect_eq "$api_status" 404
pass
