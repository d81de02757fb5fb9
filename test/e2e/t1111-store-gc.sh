#!/bin/bash
# corten system gc: a policy chooses what goes, says why, and the daemon applies its own before the disk fills.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image box
make() { # NAME KIBIBYTES
    mkdir -p "$TEST_TMP/tree" && head -c "$(($2 * 1024))" /dev/urandom >"$TEST_TMP/tree/$1"
    tar -C "$TEST_TMP/tree" -c "$1" | dk import - ${3-"$1:1"} >/dev/null || fail "import $1"
    rm "$TEST_TMP/tree/$1"
    sleep 0.02
}
names() { dk images --format '{{.Repository}}:{{.Tag}}' | sort | tr '\n' ' '; }
used() { du -sk "$DATA_ROOT/image" | cut -f1; }

make first 2048
make second 2048
make nameless 2048 ''
dk run -d --name up first:1 x >/dev/null 2>&1
dk create --name holds second:1 x >/dev/null

step "without limits nothing goes"
output=$(ct system gc) || fail "gc: $output"
expect_eq "$output" 'Total reclaimed space: 0B'

step "a dry run tells, and does nothing"
output=$(ct system gc --max-size 1k -n -a) || fail "gc: $output"
expect_match "$output" 'would remove dangling .* \(4\.[0-9]*MB\): unused for .* take more than 1024 bytes'
expect_match "$output" 'kept image .* second:1 .*: container [0-9a-f]{12} uses it'
expect_match "$output" 'kept image .* box:latest .*the policy keeps such images'
expect_match "$output" '^Total reclaimable: 4\.'
expect_eq "$(dk images -q --filter dangling=true | wc -l)" 1

step "dangling ones go, named ones stay"
before=$(used)
expect_match "$(ct system gc --max-size 1k)" '^removed dangling '
expect_eq "$(dk images -q --filter dangling=true | wc -l)" 0
eventually 5 eval "[ \$((before - \$(used))) -ge 4096 ]"

step "with --images, the least recently used first, but for what is kept"
make third 2048
output=$(ct system gc --images --keep 'bo*' --max-size 18m) || fail "gc: $output"
expect_eq "$(names)" "box:latest first:1 second:1 third:1 "
dk rm -f up >/dev/null
ct system gc --images --keep 'box' --max-age 1h >/dev/null || fail gc
expect_eq "$(names)" "box:latest first:1 second:1 third:1 "
output=$(ct system gc --images --keep 'box' --max-size 14m) || fail "gc: $output"
expect_eq "$(names)" "box:latest first:1 second:1 "
output=$(ct system gc --images --keep 'box' --max-age 1ms) || fail "gc: $output"
expect_match "$output" 'removed image .* first:1 .*unused for .*, more than '
expect_eq "$(names)" "box:latest second:1 "
expect_fails 'MaxBytes: must not be negative|max-size' ct system gc --max-size -1

step "the daemon's own policy, by itself"
stop_daemon
start_daemon --gc-max-age 1 --gc-keep 'box' --gc-images
make fourth 64
ct system gc -n >/dev/null
sleep 1
expect_match "$(ct system gc -n)" 'would remove image .* fourth:1 .*more than 1 seconds'
expect_eq "$(names)" "box:latest fourth:1 second:1 "

step "the store is whole, and it stays so"
expect_status 0 ct system check
restart_daemon
expect_status 0 ct system check
expect_eq "$(names)" "box:latest fourth:1 second:1 "
pass
