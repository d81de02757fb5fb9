# shellcheck shell=bash
# peer.sh - a dockerd of this machine beside ours, for what is run against both. For tests that have read lib.sh.
#
#   run_dockerd [OPTION…]  $peer (a socket's URL); in a network namespace of its own, or in that of process $peer_net when it is
#                          set; ended with the test. 1: it cannot be had here ($peer_why)
#   stop_dockerd           ends it; what it has stays in $peer_dir/data
#   peer ARGS      the docker CLI against it
peer_dir=$TEST_TMP/dockerd
peer=unix://$peer_dir/sock
peer() { DOCKER_HOST=$peer "$docker" "$@"; }
peer_net=
make_peer_net() {
    unshare --net sleep infinity &
    peer_net=$!
    disown $peer_net
    at_end "kill $peer_net 2>/dev/null"
    eventually 5 eval '[ "$(readlink /proc/'$peer_net'/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
    nsenter --net="/proc/$peer_net/ns/net" ip link set lo up
}
run_dockerd() {
    local i
    peer_why="dockerd is not installed"
    command -v dockerd >/dev/null && command -v containerd >/dev/null || return 1
    mkdir -p "$peer_dir"
    [ -n "$peer_net" ] || make_peer_net
    (cd / && exec setsid nsenter --net="/proc/$peer_net/ns/net" dockerd --data-root "$peer_dir/data" --exec-root "$peer_dir/run" \
        -H "$peer" -p "$peer_dir/pid" "$@" >"$peer_dir/log" 2>&1 </dev/null) &
    dockerd=$!
    at_end end_dockerd
    for i in $(seq 300); do
        peer version >/dev/null 2>&1 && return
        kill -0 "$dockerd" 2>/dev/null || break
        sleep 0.1
    done
    peer_why="dockerd does not run here: $(tail -1 "$peer_dir/log")"
    return 1
}
end_dockerd() {
    # shellcheck disable=SC2046
    peer rm -f $(peer ps -aq 2>/dev/null) >/dev/null 2>&1
    stop_dockerd
}
stop_dockerd() {
    local i
    kill "$dockerd" 2>/dev/null
    for i in $(seq 200); do kill -0 "$dockerd" 2>/dev/null || break; sleep 0.1; done
    grep "$peer_dir" /proc/mounts | awk '{print $2}' | sort -r | while read -r m; do umount -l "$m"; done
}
