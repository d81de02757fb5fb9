# shellcheck shell=bash
# store-rounds.sh - rounds of load, commit, rmi and prune that something cuts at a random moment, for t1120 (kill -9) and
# t1122 (the power). After each cut what was answered is there, nothing else is, and the next try works.
#
# The test gives interrupt DELAY COMMAND…: runs it for so many seconds, cuts, has the daemon answer again; what the command
# had said by the time of the cut is in $TEST_TMP/said. $rounds: of each kind.
image=$DATA_ROOT/image

# Images box and (in big.tar) big:1; the container `wrote`.
rounds_prepare() {
    make_busybox_image box
    mkdir -p "$TEST_TMP/tree/d"
    local i
    for i in $(seq 300); do echo "$i" >"$TEST_TMP/tree/d/$i"; done
    head -c 4000000 /dev/urandom >"$TEST_TMP/tree/random"
    tar -C "$TEST_TMP/tree" -cf "$TEST_TMP/tree.tar" .
    dk import "$TEST_TMP/tree.tar" big:1 >/dev/null
    dk run --name wrote box sh -c 'for i in $(seq 200); do echo $i >/f$i; done; head -c 3000000 /dev/urandom >/r' || fail run
    dk save -o "$TEST_TMP/big.tar" big:1
    dk rmi big:1 >/dev/null
}

random() { printf '0.%03d' $((RANDOM % $1)); } # seconds, up to MILLISECONDS

no_layer_too_many() {
    [ "$(find "$image/layer" -mindepth 1 -maxdepth 1 | wc -l)" = \
        "$(dk images -qa | sort -u | xargs "$docker" inspect -f '{{range .RootFS.Layers}}{{println .}}{{end}}' | sort -u | grep -c sha256)" ]
}
# The store is whole, and no file is there that it does not need.
expect_whole() {
    local i
    for i in $(seq 75); do # an instrumented worker takes its time to end
        [ -z "$(ls -A "$image/ingest")" ] && output=$(ct system check 2>&1) && break
        sleep 0.2
    done
    expect_match "$output" 'all is well'
    eventually 5 eval '[ -z "$(ls -A "$image/ingest")" ]' # the check's own directory goes after its answer
    eventually 10 no_layer_too_many # they go in the background
}

rounds_load() {
    local i
    step "load"
    for i in $(seq "$rounds"); do
        interrupt "$(random 400)" dk load -i "$TEST_TMP/big.tar"
        grep -q 'Loaded image: big:1' "$TEST_TMP/said" && { dk inspect big:1 >/dev/null || fail "a loaded image is gone"; }
        expect_whole
        dk rmi big:1 >/dev/null 2>&1
    done
    dk load -i "$TEST_TMP/big.tar" >/dev/null || fail "the next load"
}

rounds_commit() {
    local i
    step "commit"
    for i in $(seq "$rounds"); do
        interrupt "$(random 300)" dk commit wrote "c:$i"
        grep -q ^sha256 "$TEST_TMP/said" && { dk inspect "c:$i" >/dev/null || fail "a committed image is gone"; }
        expect_whole
    done
    dk commit wrote c:last >/dev/null || fail "the next commit"
}

rounds_remove() {
    local i
    step "rmi and prune"
    for i in $(seq "$rounds"); do
        dk load -i "$TEST_TMP/big.tar" >/dev/null || fail "load"
        if [ $((i % 2)) = 0 ]; then
            interrupt "$(random 60)" dk rmi big:1
        else
            dk rmi big:1 >/dev/null
            dk import "$TEST_TMP/tree.tar" >/dev/null
            interrupt "$(random 60)" dk image prune -f
        fi
        grep -q 'Untagged: big:1' "$TEST_TMP/said" && dk inspect --type image big:1 >/dev/null 2>&1 && fail "a removed image is back"
        expect_whole
        dk image prune -f >/dev/null
    done
    dk rm -f wrote >/dev/null
}
