#!/bin/bash
# corten builder: the cache as a list, pruned by use, type, age and amount; cache mounts as archives; --squash.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
mkdir ctx
cat >ctx/Dockerfile <<'END'
FROM busybox
RUN --mount=type=cache,target=/c,id=deps echo kept >/c/f; head -c 300000 /dev/zero >/one
RUN head -c 200000 /dev/zero >/two; rm /one /etc/group
RUN head -c 100000 /dev/zero >/three
END
types() { ct builder ls --format '{{.Type}}' | sort | uniq -c | awk '{print $2 $1}' | xargs; }
ct build -q -t a ctx >/dev/null || fail build

step "ls"
expect_eq "$(types)" "mount1 step3"
expect_match "$(ct builder ls)" '^deps +mount +'
expect_match "$(ct builder ls --json | head -c 200)" '"ID":"deps"|"ID": "deps"'

step "a cache mount is taken along, and put into another"
ct builder export deps -o deps.tar || fail export
expect_match "$(tar tf deps.tar)" '^(\./)?f$'
echo new >f && tar cf new.tar f
ct builder import other new.tar >/dev/null || fail import
printf 'FROM busybox\nRUN --mount=type=cache,target=/c,id=other cat /c/f >/out\n' | ct build -q -t b - >/dev/null
expect_eq "$(dk run --rm b cat /out)" new
expect_fails 'no such cache mount: nothing' ct builder export nothing

step "pruned by type, age, id and amount"
expect_fails 'type=x' ct builder prune -f --filter type=x
expect_status 0 ct builder prune -f --filter type=exec.cachemount --filter id=other
expect_eq "$(types)" "mount1 step4"
expect_status 0 ct builder prune -f --filter until=1h
expect_status 0 ct builder prune -f --filter unused-for=1h
expect_status 0 ct builder prune -f --filter inuse=true
expect_status 0 ct builder prune -f --filter id=fedcba9876543210f
expect_status 0 ct builder prune -f --filter parent=none --filter description=none
expect_status 0 ct builder prune -f --min-free-space 1
expect_status 0 ct builder prune -f --min-free-space 100TB --reserved-space 100TB
expect_eq "$(types)" "mount1 step4"
expect_status 0 ct builder prune -f --filter label=x # entries have none
expect_fails 'invalid filter .inuse' ct builder prune -f --filter inuse=maybe
dk rmi -f a b >/dev/null
expect_status 0 ct builder prune -f --keep-storage 350kB
expect_eq "$(types)" "mount1 step2"
expect_status 0 ct builder prune -f --min-free-space 100TB
expect_eq "$(types)" "mount1"
expect_status 0 dk builder prune -af
expect_eq "$(types)" ""

step "a very large layer is pointed out"
printf 'FROM busybox\nRUN truncate -s 300000000 /big\nRUN rm /big\n' >ctx/Big
out=$(ct build --progress plain -f ctx/Big ctx 2>&1)
expect_match "$out" '^advice: OversizedLayer: 300 MB are made by: RUN /bin/sh -c truncate'
expect_eq "$(grep -c OversizedLayer <<<"$out")" 1
expect_no_match "$(ct build --progress plain --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=OversizedLayer -f ctx/Big ctx 2>&1)" Oversized

step "--squash: one layer over the base, the history stays"
ct build -q -t s --squash ctx >/dev/null || fail squash
expect_eq "$(dk inspect -f '{{len .RootFS.Layers}}' s)" 2
expect_eq "$(dk run --rm s ls /three /two /one /etc/group 2>&1 | grep -c '^/')" 2
ct build -q -t plain ctx >/dev/null
expect_eq "$(dk inspect -f '{{json .Config.Env}} {{.Config.WorkingDir}}' s)" "$(dk inspect -f '{{json .Config.Env}} {{.Config.WorkingDir}}' plain)"
expect_match "$(dk history --no-trunc s)" 'RUN .*three'
id=$(dk inspect -f '{{.Id}}' s)
ct build -q -t s --squash ctx >/dev/null
expect_eq "$(dk inspect -f '{{.Id}}' s)" "$id"
DOCKER_BUILDKIT=0 dk build -q --squash -t s2 ctx >/dev/null 2>err || grep -q 'experimental' err || fail "$(cat err)"
pass
