# shellcheck shell=bash
# lib.sh - what an end-to-end test may use. A test is one script:
#
#     #!/bin/bash
#     # What it shows, in one sentence.
#     . "$(dirname "$0")/lib.sh"
#     start_daemon
#     make_busybox_image box
#     expect_eq "hello" dk run --rm box echo hello
#
# It runs alone as well: bash test/e2e/t2000-….sh. It stops at the first expectation that fails.
#
# A world of its own: $work (a temporary directory) holds data root, run root and everything else; a
# network namespace of its own holds bridges and published ports, so that tests run side by side and
# the host's interfaces and rules are never touched. At the end, however it ends, what it started is
# ended by pid and what it made is removed; the daemon's log is shown when the test failed.
#
#   start_daemon [OPTION…]   cortend on $socket, waits until it answers; DOCKER_HOST and CORTEN_HOST are set
#   stop_daemon              SIGTERM, waits for its end; containers go on running
#   kill_daemon              kill -9
#   restart_daemon [-9]      stop (or kill -9) and start with the same options
#   reboot_world             as a reboot: nothing runs any more, the run root is empty
#   dk …  ct …               the stock docker CLI, and corten, against the daemon
#   api METHOD PATH [JSON]   one API call by curl: the body on stdout, the status in $api_status
#   in_net COMMAND…          runs in the daemon's network namespace (127.0.0.1 is the "host" there)
#   make_busybox_image NAME  imports an image with a static busybox, all applets, and /etc/passwd
#   expect_eq WANTED COMMAND…        its output (stdout, end of line cut) is WANTED, status 0
#   expect_match PATTERN COMMAND…    its output (stdout and stderr) has a line that matches (grep -E)
#   expect_no_match PATTERN COMMAND…
#   expect_status N COMMAND…         its exit status is N; output in $output
#   expect_fails PATTERN COMMAND…    it fails, and says what matches
#   eventually SECONDS COMMAND…      it succeeds within that time
#   step WORDS…              what follows, for whoever reads a failure
#   skip REASON…             this machine lacks something; ends the test
#   fail WORDS…
#   at_end COMMAND           evaluated at the end of the test, last first
set -u
set -o pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${CORTEN_BUILD:-$root/build}
bin=$build/bin
work=$(mktemp -d "${TMPDIR:-/tmp}/corten-e2e.XXXXXX") || exit 2
data_root=$work/data
run_root=$work/run
socket=$run_root/corten.sock
daemon_log=$work/daemon.log
daemon_pid=
daemon_options=()
net_pid=
output=
api_status=
ends=()
export DOCKER_CONFIG=$work/docker HOME=$work/home LC_ALL=C TZ=UTC
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}
export PATH=$bin:$PATH
unset DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_API_VERSION
mkdir -p "$DOCKER_CONFIG" "$HOME" "$work/cwd"
cd "$work/cwd" || exit 2
docker=${DOCKER:-$(command -v docker || echo "$root/.cache/borrowed/docker.io/usr/bin/docker")}

step() { printf -- '-- %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*"; exit 1; }
skip() { printf 'skip: %s\n' "$*"; exit 77; }
at_end() { ends+=("$1"); }

# --- the end ----------------------------------------------------------------------------------

# Our processes: those in the daemon's network namespace (daemon, monitors, host-network containers),
# those whose command line names $work, and all their descendants (containers have namespaces of
# their own).
our_pids() {
    perl -e '
        my ($work, $holder, @not) = @ARGV;
        my $net = $holder ? readlink("/proc/$holder/ns/net") // "" : "";
        my (%ours, %parent);
        for my $p (map { m{(\d+)$} } glob "/proc/[0-9]*") {
            open my $f, "<", "/proc/$p/stat" or next;
            my ($ppid) = <$f> =~ /.*\) \S (\d+)/ or next;
            $parent{$p} = $ppid;
            $ours{$p} = 1 if $net && (readlink("/proc/$p/ns/net") // "") eq $net;
            open $f, "<", "/proc/$p/cmdline" or next;
            $ours{$p} = 1 if index(<$f> // "", $work) >= 0;
        }
        delete @ours{@not};
        for (my $grew = 1; $grew;) {
            $grew = 0;
            for (keys %parent) { $grew = $ours{$_} = 1 if !$ours{$_} && $ours{$parent{$_}}; }
        }
        delete @ours{@not, $$, $holder || 0};
        print "$_\n" for sort keys %ours;
    ' "$work" "${net_pid:-0}" $$ "$BASHPID"
}

kill_ours() {
    local pids round
    for round in 1 2 3 4 5; do
        pids=$(our_pids)
        [ -z "$pids" ] && return 0
        # shellcheck disable=SC2086
        kill -KILL $pids 2>/dev/null
        sleep 0.05
    done
}

# Cgroups of our containers, deepest first: they carry the containers' ids.
remove_cgroups() {
    local id
    for id in "${container_ids[@]}"; do
        find /sys/fs/cgroup -depth -type d -name "*$id*" -exec rmdir {} + 2>/dev/null
    done
}

finish() {
    local status=$? e
    trap '' TERM INT
    trap - EXIT
    set +e
    if [ $status != 0 ] && [ $status != 77 ] && [ -f "$daemon_log" ]; then
        echo "-- daemon's log:"
        tail -100 "$daemon_log"
    fi
    if grep -q -E 'ERROR: (Address|Leak|Undefined)|runtime error:' "$daemon_log" 2>/dev/null; then
        [ $status = 0 ] && { status=1; echo "FAILED: a sanitizer spoke:"; grep -A30 -m1 -E 'ERROR: |runtime error:' "$daemon_log"; }
    fi
    for ((e = ${#ends[@]} - 1; e >= 0; e--)); do eval "${ends[$e]}"; done
    container_ids=()
    for e in "$data_root"/containers/* "$data_root"/ephemeral/*/*; do
        [[ ${e##*/} =~ ^[0-9a-f]{64}$ ]] && container_ids+=("${e##*/}")
    done
    if [ -n "$daemon_pid" ] && kill -0 "$daemon_pid" 2>/dev/null && [ -S "$socket" ]; then
        # The ordinary way first: it leaves no cgroup and no address behind.
        local all
        all=$(timeout 10 "$docker" -H "unix://$socket" ps -aq --no-trunc 2>/dev/null)
        # shellcheck disable=SC2086
        [ -n "$all" ] && { container_ids+=($all); timeout 20 "$docker" -H "unix://$socket" rm -f $all >/dev/null 2>&1; }
        kill -TERM "$daemon_pid" 2>/dev/null
        for e in {1..50}; do kill -0 "$daemon_pid" 2>/dev/null || break; sleep 0.1; done
    fi
    kill_ours
    remove_cgroups
    [ -n "$net_pid" ] && kill "$net_pid" 2>/dev/null
    cd /
    rm -rf --one-file-system "$work"
    exit $status
}
trap finish EXIT
trap 'echo "FAILED: ended by a signal (timed out?)"; exit 1' TERM INT HUP

# --- the daemon -------------------------------------------------------------------------------

make_net() {
    [ -n "$net_pid" ] && return
    unshare --net sleep infinity &
    net_pid=$!
    eventually 5 eval '[ "$(readlink /proc/$net_pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
    in_net ip link set lo up || fail "a network namespace cannot be made"
}

in_net() { nsenter --net="/proc/$net_pid/ns/net" -- "$@"; }

spawn_daemon() {
    # A session of its own: signals to the test's process group do not reach it.
    setsid nsenter --net="/proc/$net_pid/ns/net" -- "$bin/cortend" --host "unix://$socket" \
        --data-root "$data_root" --run-root "$run_root" "${daemon_options[@]}" >>"$daemon_log" 2>&1 &
    daemon_pid=$!
    local i
    for ((i = 0; i < 300; i++)); do
        curl -s -o /dev/null --unix-socket "$socket" http://d/_ping 2>/dev/null && return 0
        kill -0 "$daemon_pid" 2>/dev/null || { wait "$daemon_pid"; fail "cortend ended with $? at start"; }
        sleep 0.05
    done
    fail "cortend does not answer"
}

start_daemon() {
    [ -x "$bin/cortend" ] || fail "$bin/cortend is not built"
    [ -x "$docker" ] || skip "no docker CLI on this machine"
    make_net
    daemon_options=("$@")
    export DOCKER_HOST=unix://$socket CORTEN_HOST=unix://$socket
    spawn_daemon
}

stop_daemon() {
    kill -TERM "$daemon_pid" || fail "the daemon is not running"
    local i
    for ((i = 0; i < 200; i++)); do
        kill -0 "$daemon_pid" 2>/dev/null || break
        sleep 0.05
    done
    kill -0 "$daemon_pid" 2>/dev/null && fail "cortend does not end"
    wait "$daemon_pid" 2>/dev/null
    local status=$?
    daemon_pid=
    [ $status = 0 ] || fail "cortend ended with status $status"
}

kill_daemon() {
    kill -KILL "$daemon_pid" || fail "the daemon is not running"
    wait "$daemon_pid" 2>/dev/null
    daemon_pid=
}

restart_daemon() {
    if [ "${1:-}" = -9 ]; then kill_daemon; else stop_daemon; fi
    spawn_daemon
}

reboot_world() {
    [ -n "$daemon_pid" ] && kill_daemon
    kill_ours
    rm -rf --one-file-system "$run_root"
    # A new network namespace: no bridge, no rule, no address is left either.
    kill "$net_pid"
    wait "$net_pid" 2>/dev/null
    net_pid=
    make_net
    spawn_daemon
}

dk() { "$docker" "$@"; }
ct() { "$bin/corten" "$@"; }

api() {
    local method=$1 path=$2 body=$work/api.body options=()
    [ $# -gt 2 ] && options=(-H 'Content-Type: application/json' --data-binary "$3")
    api_status=$(curl -sS --max-time 30 -o "$body" -w '%{http_code}' -X "$method" --unix-socket "$socket" \
        "${options[@]}" "http://d$path") || fail "$method $path: no answer"
    output=$(cat "$body" 2>/dev/null)
    rm -f "$body"
}

make_busybox_image() {
    local dir=$work/image-$1 busybox
    busybox=$(command -v busybox) || skip "busybox-static is not installed"
    mkdir -p "$dir"/{bin,etc,tmp,root,proc,sys,dev,var}
    cp "$(readlink -f "$busybox")" "$dir/bin/busybox"
    "$dir/bin/busybox" --list | while read -r applet; do
        [ "$applet" = busybox ] || ln -s busybox "$dir/bin/$applet"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n' >"$dir/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\nweb:x:1000:\nextra:x:2000:web\n' >"$dir/etc/group"
    chmod 1777 "$dir/tmp"
    tar -C "$dir" -c . | dk import --change 'CMD ["/bin/sh"]' - "$1" >/dev/null || fail "import of $1"
    rm -rf "$dir"
}

# --- expectations -----------------------------------------------------------------------------

show_command() { printf '%q ' "$@"; }

expect_eq() {
    local wanted=$1 got status
    shift
    got=$("$@" 2>"$work/stderr")
    status=$?
    [ $status = 0 ] || fail "$(show_command "$@"): status $status: $got $(cat "$work/stderr")"
    [ "$got" = "$wanted" ] || fail "$(show_command "$@"): got '$got', want '$wanted' $(cat "$work/stderr")"
}

expect_match() {
    local pattern=$1
    shift
    output=$("$@" 2>&1) || fail "$(show_command "$@"): status $?: $output"
    grep -qE -- "$pattern" <<<"$output" || fail "$(show_command "$@"): no line matches '$pattern': $output"
}

expect_no_match() {
    local pattern=$1
    shift
    output=$("$@" 2>&1) || fail "$(show_command "$@"): status $?: $output"
    grep -qE -- "$pattern" <<<"$output" && fail "$(show_command "$@"): a line matches '$pattern': $output"
    return 0
}

expect_status() {
    local wanted=$1 status
    shift
    output=$("$@" 2>&1)
    status=$?
    [ $status = "$wanted" ] || fail "$(show_command "$@"): status $status, want $wanted: $output"
}

expect_fails() {
    local pattern=$1
    shift
    output=$("$@" 2>&1) && fail "$(show_command "$@"): succeeds, should not: $output"
    grep -qE -- "$pattern" <<<"$output" || fail "$(show_command "$@"): does not say '$pattern': $output"
}

eventually() {
    local end=$((SECONDS + $1)) first=1
    shift
    while [ $first = 1 ] || [ $SECONDS -lt $end ]; do
        first=0
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    fail "$(show_command "$@"): not within the time"
}
