#!/bin/bash
# Attach over a WebSocket: both ways, with the log, without the daemon; what breaks the protocol is cut.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
ws() { timeout 20 python3 "$here/websocket.py" "$SOCKET" "$@"; }
both='stream=1&stdin=1&stdout=1&stderr=1'

step "both ways, fragments and pings; the end of the container closes"
dk run -di --name echo busybox sh -c 'while read l; do echo "got $l"; echo "err $l" >&2; [ "$l" = end ] && exit; done' > /dev/null
expect_eq "$(ws "/v1.51/containers/echo/attach/ws?$both" one @ping @half end | sort | tr '\n' ' ')" \
    "-- closed 1000 <pong are you there> err end err half err one got end got half got one "
expect_eq "$(dk wait echo)" 0

step "a terminal, many bytes, a client that leaves"
dk run -dit --name term busybox cat > /dev/null
expect_match "$(ws "/containers/term/attach/ws?$both" word @close | tr -d '\r')" '^word$'
expect_eq "$(dk inspect -f '{{.State.Running}}' term)" true
dk run -di --name many busybox sh -c 'read l; seq 200000' > /dev/null
expect_eq "$(ws "/containers/many/attach/ws?$both" go | grep -v '^--' | md5sum)" "$(seq 200000 | md5sum)"

step "the log first"
dk start many > /dev/null
expect_eq "$(ws '/containers/echo/attach/ws?logs=1&stdout=1' | head -2 | tr '\n' ' ')" "got one got half "

step "the daemon may die meanwhile"
dk run -di --name lives busybox sh -c 'read a; read b; echo "$a $b"' > /dev/null

(ws "/containers/lives/attach/ws?stream=1&stdout=1" > lives.out) &
ws_pid=$!
eventually 5 eval '[ "$(dk events --since 1m --until 0s --filter container=lives --filter event=attach --format x | wc -l)" = 1 ]'
sleep 0.3
kill_daemon
restart_daemon
printf 'b\nc\n' | timeout 10 docker attach lives > /dev/null
wait $ws_pid
expect_eq "$(cat lives.out)" "b c
-- closed 1000"

step "refused, cut"
expect_match "$(ws '/containers/nosuch/attach/ws?stream=1')" '^HTTP/1.1 404 .*No such container'
expect_match "$(ws '/containers/term/attach/ws?stream=1' @origin=http://evil)" '^HTTP/1.1 403 .*origin'
expect_eq "$(ws "/containers/term/attach/ws?$both" @origin=http://d @bad | tail -1)" "-- closed 1002"
api GET /containers/term/attach/ws
expect_match "$api_status $output" '^400 .*upgrade'
dk rm -f echo term many lives > /dev/null
expect_nothing_left
pass
