#!/bin/bash
# Archives that want to harm: each gets a clear error, and nothing of it is left; what can be done without harm is done.
# limit: 240
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "python3 is not installed"
start_daemon
mkdir "$TEST_TMP/hostile"
echo alive >"$TEST_TMP/hostile/canary"
python3 "$here/hostile-images.py" "$TEST_TMP/hostile" >"$TEST_TMP/list" || fail "archives"

nothing_left() { # of images, layers, blobs and what jobs write
    [ -z "$(find "$DATA_ROOT/image/layer" "$DATA_ROOT/image/ingest" "$DATA_ROOT/image/blob/sha256" -mindepth 1 ! -path '*/sha256/??')" ] &&
        [ -z "$(dk images -aq)" ]
}
unharmed() { [ "$(cat "$TEST_TMP/hostile/canary")" = alive ] && [ ! -e "$TEST_TMP/hostile/evil" ] && [ ! -e /evil ]; }

step "each alone"
while IFS=$'\t' read -r name wanted; do
    if [ "$wanted" = = ]; then
        said=$(dk load -q -i "$TEST_TMP/hostile/$name.tar" 2>&1) || fail "$name: $said"
        dk rmi -f "$(dk images -q)" >/dev/null 2>&1 || fail "$name: rmi"
    else
        said=$(dk load -q -i "$TEST_TMP/hostile/$name.tar" 2>&1) && fail "$name was loaded: $said"
        grep -qE -- "$wanted" <<<"$said" || fail "$name: it says '$said', not '$wanted'"
    fi
    unharmed || fail "$name did harm"
done <"$TEST_TMP/list"
[ "$(wc -l <"$TEST_TMP/list")" -ge 60 ] || fail "archives are missing"

step "nothing is left"
eventually 10 nothing_left || fail "left: $(find "$DATA_ROOT/image" -mindepth 2 | head; dk images -a)"
output=$(ct system check 2>&1) || fail "system check: $output"

step "several at a time, the daemon answers meanwhile"
loads=()
for name in bomb climb0 diff-id size-lies; do
    (dk load -q -i "$TEST_TMP/hostile/$name.tar" >/dev/null 2>&1; [ $? -ne 0 ]) & loads+=($!)
done
api GET /_ping
expect_eq "$api_status" 200
for p in "${loads[@]}"; do wait "$p" || fail "one was loaded"; done
eventually 10 nothing_left || fail "left after several"
make_busybox_image box
expect_eq "$(dk run --rm --network none box echo hello)" hello
pass
