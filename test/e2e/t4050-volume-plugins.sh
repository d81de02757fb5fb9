#!/bin/bash
# Volume plugins: found by socket, .spec and .json; made, mounted once for all who run with it, kept over a killed
# daemon, unmounted with the last, removed; what a plugin refuses is told, one that is gone or no plugin is named.
. "$(dirname "$0")/lib.sh"
command -v python3 > /dev/null || skip "no python3"
plugins=$TEST_TMP/plugins
mkdir -p "$plugins/deep" "$TEST_TMP/store"
servers=()
plug() { # SOCKET
    python3 "$here/volume-plugin.py" "$1" "$TEST_TMP/store" "$TEST_TMP/calls" 2> "$TEST_TMP/plugin.err" &
    servers+=($!)
    at_end "kill $! 2> /dev/null"
    eventually 10 test -S "$1"
}
plug_all() {
    local s
    for s in "$plugins/box.sock" "$plugins/deep/deep.sock" "$TEST_TMP/elsewhere.sock" "$TEST_TMP/other.sock"; do
        rm -f "$s"
        plug "$s"
    done
}
plug_all
echo "unix://$TEST_TMP/elsewhere.sock" > "$plugins/spec.spec"
echo "{\"Name\":\"json\",\"Addr\":\"unix://$TEST_TMP/elsewhere.sock\"}" > "$plugins/json.json"
echo "unix://$TEST_TMP/other.sock" > "$plugins/other.spec"
echo "tcp://127.0.0.1:1" > "$plugins/far.spec"
echo "unix://$TEST_TMP/nobody.sock" > "$plugins/gone.spec"
calls() { sed 's/ [0-9a-f]\{64\}$/ ID/' "$TEST_TMP/calls" | grep -v Activate; : > "$TEST_TMP/calls"; }
start_daemon --plugin-dir "$TEST_TMP/no-such" --plugin-dir "$plugins"
make_busybox_image

step "made and shown"
expect_eq "$(dk volume create -d box -o size=1g --label a=b data)" data
expect_eq "$(dk volume inspect -f '{{.Driver}} {{.Mountpoint}} {{.Options.size}} {{.Labels.a}}' data)" "box  1g b"
expect_eq "$(calls)" "VolumeDriver.Create data "
for d in deep spec json; do dk volume create -d $d "v-$d" > /dev/null; done
expect_eq "$(dk volume ls -q -f driver=json)" v-json
: > "$TEST_TMP/calls"

step "what a plugin has and was not made here"
mkdir "$TEST_TMP/store/elsewhere"
expect_eq "$(dk volume ls -f driver=box --format '{{.Driver}} {{.Name}}' | tr '\n' ';')" "box data;box elsewhere;box v-deep;box v-json;box v-spec;"
expect_eq "$(dk volume ls -q -f label=a=b)" data
expect_eq "$(dk volume inspect -f '{{.Driver}} {{.Name}}' elsewhere)" "box elsewhere"
api GET /v1.51/volumes
expect_match "$output" '"Warnings":\[[^]]*nobody answers on unix'
expect_no_match "$output" 'other'
expect_fails "no such volume" dk volume inspect nowhere
rmdir "$TEST_TMP/store/elsewhere"
: > "$TEST_TMP/calls"

step "used by two, over a kill of the daemon"
dk run -d --name one -v data:/bin/sub/data busybox sleep 1000 > /dev/null
dk exec one sh -c 'echo hello > /bin/sub/data/f'
expect_eq "$(cat "$TEST_TMP/store/data/f")" hello
expect_eq "$(dk volume inspect -f '{{.Mountpoint}}' data)" "$TEST_TMP/store/data"
dk run -d --name two -v data:/d:ro busybox sleep 1000 > /dev/null
expect_eq "$(dk exec two cat /d/f)" hello
expect_fails 'Read-only' dk exec two touch /d/x
dk cp two:/d/f "$TEST_TMP/f"
expect_eq "$(cat "$TEST_TMP/f")" hello
expect_eq "$(calls)" "VolumeDriver.Mount data ID"
kill_daemon
restart_daemon
expect_eq "$(dk exec two cat /d/f)" hello
dk rm -f one > /dev/null
expect_eq "$(calls)" ""
dk rm -f two > /dev/null
unmounted() { grep -q '^VolumeDriver.Unmount data [0-9a-f]\{64\}$' "$TEST_TMP/calls"; }
eventually 5 unmounted
calls > /dev/null
expect_fails "409 Conflict" ct cp volume:data/f .

step "a daemon that finds nobody running gives the mount back"
dk run -d --name three -v data:/d busybox sleep 1000 > /dev/null
mounted=$(awk '/Mount data/ {print $3}' "$TEST_TMP/calls")
kill_daemon
kill_containers
plug_all # they are among the processes that just died
restart_daemon
eventually 5 grep -q "^VolumeDriver.Unmount data $mounted$" "$TEST_TMP/calls"
dk rm -f three > /dev/null

step "what the image has fills an empty one; inline drivers"
dk run --rm --mount type=volume,src=filled,dst=/etc,volume-driver=box busybox test -e /etc/group
[ -e "$TEST_TMP/store/filled/group" ] || fail "it was not filled"
dk run --rm --volume-driver box -v third:/x busybox touch /x/y
[ -e "$TEST_TMP/store/third/y" ] || fail "--volume-driver was not taken"

step "removed"
: > "$TEST_TMP/calls"
dk volume rm data > /dev/null
expect_match "$(calls)" "^VolumeDriver.Remove data"
[ -d "$TEST_TMP/store/data.removed" ] || fail "the plugin was not asked"
expect_no_match "$(dk volume prune -af)" "filled|third"

step "a daemon killed when the plugin had removed its volume: the next one forgets it"
dk volume create -d box half > /dev/null
stop_daemon
mv "$TEST_TMP/store/half" "$TEST_TMP/store/half.removed"
python3 - "$DATA_ROOT/store/corten.db" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE volume SET data = json_set(data, '$.removing', json('true')) WHERE name = 'half'")
assert db.total_changes == 1
db.commit()
END
spawn_daemon
no_half() { ! dk volume ls -q | grep -q '^half$'; }
eventually 5 no_half

step "what goes wrong is told"
expect_fails 'plugin "none" not found' dk volume create -d none bad
expect_fails 'plugin ".*passwd" not found' dk volume create -d ../../etc/passwd bad
expect_fails 'it is not a volume driver' dk volume create -d other bad
expect_fails 'only unix sockets' dk volume create -d far bad
expect_fails 'nobody answers on unix:///.*nobody.sock' dk volume create -d gone bad
expect_fails 'VolumeDriver.Create: it does not want to' dk volume create -d box -o fail=Create bad
expect_no_match "$(dk volume ls -q)" bad
dk volume create -d box -o fail=Mount unwilling > /dev/null
expect_fails "error while mounting volume 'unwilling': .*VolumeDriver.Mount: it does not want to" dk run --rm -v unwilling:/x busybox true
dk volume create -d box -o fail=Remove stays > /dev/null
expect_fails 'VolumeDriver.Remove: it does not want to' dk volume rm stays
expect_fails 'VolumeDriver.Remove: it does not want to' dk volume rm -f stays
expect_match "$(dk volume ls -q)" '^stays$'
expect_fails 'renames nothing' ct volume rename filled other
kill "${servers[@]}" 2> /dev/null
wait "${servers[@]}" 2> /dev/null
expect_nothing_left
pass
