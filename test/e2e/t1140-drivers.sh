#!/bin/bash
# limit: 900
# Root file systems by btrfs snapshots and by copies (vfs): what container tests show on overlays holds there, too; the
# driver of a data root may change.
. "$(dirname "$0")/lib.sh"

step "the same tests on each driver"
suite=(t2020-files)
[ -z "${CORTEN_FULL:-}" ] || suite+=(t1101-commit t2001-run t1110-store-check t1112-df t2002-verbs t2030-create-fields t4001-volumes t4020-mount-types
    t6001-build t9001-daemon-killed)
for driver in vfs btrfs; do
    for name in "${suite[@]}"; do
        out=$(CORTEN_STORAGE_DRIVER=$driver bash "$here/$name.sh" 2>&1)
        case $? in
        0) ;;
        77) skip "$(tail -1 <<<"$out")" ;;
        *) fail "$name on $driver: $(tail -60 <<<"$out")" ;;
        esac
    done
done

step "btrfs: a base for each image, a snapshot for each container, all of it goes"
mount_btrfs "$DATA_ROOT"
start_daemon --storage-driver btrfs
make_busybox_image box
expect_eq "$(dk info -f '{{.Driver}}')" btrfs
used() { sync -f "$DATA_ROOT"; df --output=used -k "$DATA_ROOT" | tail -1; }
before=$(used)
for i in 1 2 3 4 5 6 7 8; do dk create --name "c$i" box sh -c "echo $i >/mine; rm /bin/vi" >/dev/null || fail "create"; done
dk start -a c1 >/dev/null || fail "start"
[ $(($(used) - before)) -lt 1500 ] || fail "eight containers take $(($(used) - before)) KiB"
expect_eq "$(ls "$DATA_ROOT/image/base" | wc -l)" 1
expect_eq "$(dk inspect -f '{{.GraphDriver.Name}} {{.Driver}}' c1)" 'btrfs btrfs'
expect_eq "$(dk diff c1 | grep -E 'mine|vi$' | sort | tr '\n' ' ')" 'A /mine D /bin/vi '
root=$DATA_ROOT/container/$(dk inspect -f '{{.Id}}' c1)/root
expect_eq "$(cat "$root/mine")" 1
expect_eq "$(stat -c %i "$root")" 256 # the root of a subvolume
dk rm -f $(dk ps -aq) >/dev/null
dk rmi box >/dev/null
eventually 5 eval '[ -z "$(ls "$DATA_ROOT/image/base")$(ls "$DATA_ROOT/container")" ]'

step "a build on snapshots"
make_busybox_image box
mkdir "$TEST_TMP/context"
printf 'FROM box\nRUN echo a >/a && rm /bin/vi\nRUN cat /a >/b && chmod 4711 /b\n' >"$TEST_TMP/context/Dockerfile"
DOCKER_BUILDKIT=0 dk build -q -t built "$TEST_TMP/context" >/dev/null 2>&1 || fail "build"
expect_eq "$(dk run --rm built sh -c 'cat /b; stat -c %a /b; ls /bin/vi 2>&1 | grep -c No')" "$(printf 'a\n4711\n1')"

step "another driver: what is there goes on"
dk run --name old box sh -c 'echo kept >/kept' || fail "run"
stop_daemon
daemon_options=(--storage-driver vfs)
restart_daemon
expect_eq "$(dk info -f '{{.Driver}}')" vfs
dk start -a old || fail "a container of another driver"
expect_eq "$(dk run --name new box cat /etc/passwd | grep -c root)" 1
expect_eq "$(dk cp old:/kept - | tar -xO)" kept
stop_daemon
daemon_options=()
restart_daemon
expect_eq "$(dk inspect -f '{{.Driver}}' new)" vfs
dk start -a new >/dev/null || fail "a container of another driver, under overlay2"
expect_eq "$(dk commit old kept:1 >/dev/null && dk run --rm kept:1 cat /kept)" kept
expect_match "$(ct system check 2>&1)" 'all is well'

step "where it cannot be"
stop_daemon
umount "$DATA_ROOT"
expect_status 1 "$bin/cortend" --host "unix://$SOCKET" --data-root "$DATA_ROOT" --run-root "$RUN_ROOT" --storage-driver btrfs
expect_match "$output" "storage-driver: 'btrfs' needs a data root on a btrfs file system"
pass
