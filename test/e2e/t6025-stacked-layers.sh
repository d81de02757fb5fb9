#!/bin/bash
# A copy of many files of which few have changed is stacked on the layer before it, and nobody can tell: same files, same
# digests, check, save, push form, squash, explain, removal in either order, crash and reboot.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
export SOURCE_DATE_EPOCH=1000000000
mkdir -p ctx/src
for d in a b c d e f; do
    mkdir "ctx/src/$d"
    for i in $(seq 100); do echo "$d $i" >"ctx/src/$d/$i"; done
done
printf 'FROM busybox\nRUN mkdir -p /x/src/a && echo below >/x/src/a/only-below && echo old >/x/src/b1\nCOPY src /x/src\n' >ctx/Dockerfile
layers() { ls "$DATA_ROOT/image/layer" | wc -l; }
streams() { ls "$DATA_ROOT/image/stream" | wc -l; }
no_streams() { [ "$(streams)" = 0 ]; }
one_layer() { [ "$(layers)" = 1 ]; }
newest() { ls -td "$DATA_ROOT"/image/layer/* | head -1; }
own_files() { find "$(newest)" -type f | wc -l; }
tree() { dk run --rm "$1" sh -c 'cd /x/src && find . | sort | while read f; do stat -c "%n %a %u %Y" "$f"; [ -d "$f" ] || cat "$f"; done' | md5sum; }
top() { dk inspect -f '{{json .RootFS.Layers}}' "$1" | jq -r '.[-1]'; }
build() { ct build -q -t "$@" ctx >/dev/null || fail "build $*"; }
clean() { out=$(ct system check 2>&1) || fail "$out"; expect_match "$out" 'all is well'; }

step "the first one is whole, and its tar is kept"
build one
expect_eq "$(streams)" 1
expect_eq "$(own_files)" 600

step "a changed file, another mode, a new file in a new directory: few files on disk, all to be seen"
echo changed >ctx/src/c/50
chmod 755 ctx/src/d/1
mkdir -p ctx/src/new/deep && echo new >ctx/src/new/deep/f
ln -s ../a/1 ctx/src/e/link
build two
expect_eq "$(own_files)" 3
expect_eq "$(streams)" 1
expect_eq "$(dk run --rm two cat /x/src/c/50 /x/src/new/deep/f /x/src/a/only-below /x/src/e/link)" "changed
new
below
a 1"
expect_eq "$(dk inspect -f '{{.Size}}' two)" "$(($(dk inspect -f '{{.Size}}' one) + 7))"

step "the same as a whole has the same digests"
clean
two=$(dk inspect -f '{{.Id}}' two) tree=$(tree two)
dk save two -o two.tar || fail save
mkdir w && tar xf two.tar -C w
blob=$(jq -r '.[0].Layers[-1]' w/manifest.json)
expect_eq "sha256:$({ gzip -dc "w/$blob" 2>/dev/null || cat "w/$blob"; } | sha256sum | cut -d' ' -f1)" "$(top two)"
rm -r w
expect_match "$(ct image explain two)" ' 602 '
ct image squash two flat >/dev/null 2>&1 || ct image squash -t flat two >/dev/null || fail squash
expect_eq "$(tree flat)" "$tree"
dk rmi flat >/dev/null

step "the next one lies on the same layer, not on the second; a deleted file makes a whole one"
echo again >ctx/src/c/51
build three
expect_eq "$(own_files)" 4
rm ctx/src/f/100
build four
expect_eq "$(own_files)" 600
expect_eq "$(streams)" 2
dk rmi three four >/dev/null
ct builder prune -af >/dev/null || fail prune

step "the first image and the cache go: the second stays whole; kill -9 and a reboot change nothing"
dk rmi one >/dev/null
ct builder prune -af >/dev/null || fail prune
eventually 5 no_streams # nobody can ask for it any more
expect_eq "$(tree two)" "$tree"
left=$DATA_ROOT/image/stream/$(basename "$(newest)") # as when the power fails between its row and its file
echo left >"$left"
expect_status 1 ct system check
expect_match "$output" 'orphan stream/'
expect_status 0 ct system check --repair
[ ! -e "$left" ] || fail "the check leaves $left"
echo left >"$left"
kill_daemon
start_daemon
[ ! -e "$left" ] || fail "the start leaves $left"
expect_eq "$(tree two)" "$tree"
clean
dk tag two keep
build two
reboot_world
eventually 20 dk run --rm keep true
expect_eq "$(tree keep)" "$tree"
eventually 10 clean

step "nothing is left of it after the last one"
dk rmi -f two keep >/dev/null
ct builder prune -af >/dev/null || fail prune
eventually 5 no_streams
eventually 5 one_layer
clean

step "what was saved is the image"
dk load -i two.tar >/dev/null || fail load
expect_eq "$(dk inspect -f '{{.Id}}' two)" "$two"
expect_eq "$(tree two)" "$tree"
dk rmi two >/dev/null

step "a tar that was damaged is not believed; the layer comes whole"
ct builder prune -af >/dev/null
build five
printf x | dd of="$(ls "$DATA_ROOT"/image/stream/*)" bs=1 seek=700 conv=notrunc 2>/dev/null || fail dd
echo other >ctx/src/a/1
build six
expect_eq "$(own_files)" 600
expect_eq "$(dk run --rm six cat /x/src/a/1)" other

step "the base is removed first, then the other; and the other way round"
echo other2 >ctx/src/a/2
build seven
expect_eq "$(own_files)" 1
dk rmi six >/dev/null && dk run --rm seven cat /x/src/a/2 >/dev/null || fail "without its base's name"
dk rmi seven >/dev/null
clean
pass
