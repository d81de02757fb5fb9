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

step "other bytes under the diff id of a layer: refused where it is not here, and where it is they are nobody's"
python3 "$here/hostile-images.py" "$TEST_TMP/hostile" --claims >"$TEST_TMP/claims" || fail "archives"
while IFS=$'\t' read -r name tag; do
    case $name in *-beside) continue ;; esac
    dk load -q -i "$TEST_TMP/hostile/$name.tar" >/dev/null 2>&1 && fail "$name was loaded"
done <"$TEST_TMP/claims"
eventually 10 nothing_left || fail "left: $(find "$DATA_ROOT/image" -mindepth 2 | head; dk images -a)"
of_layers() { # IMAGE: the digests of its layers' bytes as they are saved, unpacked
    local m
    rm -rf "$TEST_TMP/saved" && mkdir "$TEST_TMP/saved" && dk save "$1" | tar -xC "$TEST_TMP/saved" || fail "save $1"
    for m in $(jq -r '.[0].Layers[]' "$TEST_TMP/saved/manifest.json"); do
        { gzip -dc "$TEST_TMP/saved/$m" 2>/dev/null || cat "$TEST_TMP/saved/$m"; } | sha256sum
    done
}
dk load -q -i "$TEST_TMP/hostile/good.tar" >/dev/null || fail "good"
good=$(of_layers good:1) blobs=$(cd "$DATA_ROOT/image/blob/sha256" && find . -type f | sort)
layer=$(dk inspect -f '{{index .RootFS.Layers 0}}' good:1)
expect_eq "sha256:${good%% *}" "$layer"
loaded=0
while IFS=$'\t' read -r name tag; do
    dk load -q -i "$TEST_TMP/hostile/$name.tar" >"$TEST_TMP/said" 2>&1 || continue # what cannot be a layer may be refused
    loaded=$((loaded + 1))
    expect_eq "$(dk inspect -f '{{index .RootFS.Layers 0}}' "$tag")" "$layer"
    expect_eq "$(of_layers "$tag")" "$good"
    c=$(dk create "$tag" x) || fail "create $tag"
    expect_eq "$(dk cp "$c:/word" - | tar -xO)" good
    dk rm "$c" >/dev/null
done <"$TEST_TMP/claims"
[ "$loaded" -ge 6 ] || fail "only $loaded were loaded: $(cat "$TEST_TMP/said")"
output=$(ct system check 2>&1) || fail "system check: $output"
# shellcheck disable=SC2046
dk rmi -f $(dk images -q --filter reference='*:1' | sort -u) >/dev/null || fail rmi
eventually 10 nothing_left || fail "left: $(find "$DATA_ROOT/image" -mindepth 2 | head; dk images -a)"
dk load -q -i "$TEST_TMP/hostile/good.tar" >/dev/null && expect_eq "$(cd "$DATA_ROOT/image/blob/sha256" && find . -type f | sort)" "$blobs"
dk rmi good:1 >/dev/null
eventually 10 nothing_left || fail "left"

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
