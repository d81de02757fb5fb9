# shellcheck shell=bash
# lib.sh - what an end-to-end test may use. A test is one script:
#
#     #!/bin/bash
#     # What it shows, in one sentence.
#     . "$(dirname "$0")/lib.sh"
#     start_daemon
#     make_busybox_image
#     expect_eq "$(dk run --rm busybox echo hello)" "hello"
#     pass
#
# It runs alone as well: bash test/e2e/t2001-run.sh. It stops at the first expectation that fails; one
# that ends without `pass` has failed.
#
# A world of its own: $TEST_TMP (a temporary directory) holds $DATA_ROOT, $RUN_ROOT and everything else;
# a network namespace of its own holds bridges and published ports, so that tests run side by side and
# the host's interfaces and rules are never touched. At the end, however it ends, what it started is
# ended by pid and what it made is removed; the daemon's log is shown when the test failed.
#
#   start_daemon [OPTION…]   cortend on $SOCKET, waits until it answers; DOCKER_HOST and CORTEN_HOST are set
#   stop_daemon              SIGTERM, waits for its end; containers go on running
#   kill_daemon              kill -9
#   restart_daemon           stops it when it runs, starts it with the same options
#   kill_containers          kill -9 of all monitors and containers, by pid
#   reboot_world             all dead, run root empty, a fresh network namespace, the daemon started again
#   dk …  ct …               the stock docker CLI, and corten, against the daemon
#   api METHOD PATH [JSON]   one API call by curl: the body in $output, the status in $api_status
#   in_net COMMAND…          runs in the daemon's network namespace (127.0.0.1 is the "host" there)
#   make_busybox_image [NAME]  imports a static busybox with all applets, /etc/passwd, /etc/group, /tmp
#   expect_eq ACTUAL WANTED
#   expect_match TEXT REGEX          a line of TEXT matches (grep -E)
#   expect_no_match TEXT REGEX
#   expect_status CODE COMMAND…      its exit status; its output in $output
#   expect_fails REGEX COMMAND…      it fails, and says what matches
#   eventually SECONDS COMMAND…      it succeeds within that time
#   expect_nothing_left      within 5 s: no monitor, container, cgroup, mount or veth of this daemon
#   step WORDS…              what follows, for whoever reads a failure
#   skip REASON…             this machine lacks something; ends the test
#   fail WORDS…  pass
#   at_end COMMAND           evaluated at the end of the test, last first
set -u
set -o pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${CORTEN_BUILD:-$root/build}
bin=$build/bin
TEST_TMP=$(mktemp -d "${TMPDIR:-/tmp}/corten-e2e.XXXXXX") || exit 2
DATA_ROOT=$TEST_TMP/data-root
RUN_ROOT=$TEST_TMP/run-root
SOCKET=$RUN_ROOT/corten.sock
daemon_log=$TEST_TMP/daemon.log
daemon_pid=
daemon_status=
daemon_options=()
net_pid=
output=
api_status=
ends=()
export DOCKER_CONFIG=$TEST_TMP/docker HOME=$TEST_TMP/home LC_ALL=C TZ=UTC
# What a sanitizer has to say about any of our programs lands here, and fails the test.
reports=$TEST_TMP/reports
mkdir -p "$reports"
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0:abort_on_error=0}:log_path=$reports/asan
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}:log_path=$reports/ubsan
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=0:exitcode=0}:log_path=$reports/tsan
export PATH=$bin:$PATH
unset DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_API_VERSION
mkdir -p "$DOCKER_CONFIG" "$HOME" "$TEST_TMP/cwd" "$TEST_TMP/bin"
cd "$TEST_TMP/cwd" || exit 2
docker=${DOCKER:-$(command -v docker || echo "$root/.cache/borrowed/docker.io/usr/bin/docker")}

[ -x "$docker" ] && ln -s "$docker" "$TEST_TMP/bin/docker"
export PATH=$TEST_TMP/bin:$PATH

step() { printf -- '-- %s\n' "$*"; }
fail() { printf 'FAILED at line %s: %s\n' "${BASH_LINENO[*]}" "$*"; exit 1; }
passed=
pass() { passed=1; exit 0; }
skip() { printf 'skip: %s\n' "$*"; exit 77; }
at_end() { ends+=("$1"); }

# --- the end ----------------------------------------------------------------------------------

# Our processes: those in the daemon's network namespace (daemon, monitors, host-network containers),
# those whose command line names $TEST_TMP, and all their descendants (containers have namespaces of
# their own).
our_pids() {
    perl -e '
        my ($work, $holder, @not) = @ARGV;
        my $net = $holder ? readlink("/proc/$holder/ns/net") // "" : "";
        # Never the namespace that the test itself lives in: that would be the whole machine.
        $net = "" if $net eq readlink("/proc/self/ns/net");
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
        delete @ours{@not, $$, $holder || 0, 1};
        print "$_\n" for sort keys %ours;
    ' "$TEST_TMP" "${net_pid:-0}" $$ "$BASHPID"
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

# The daemon's cgroups lie in a directory named after a hash (FNV-1a) of its data root, in each hierarchy.
instance_of() { # PATH
    local hash=2166136261 i
    for ((i = 0; i < ${#1}; i++)); do
        hash=$((((hash ^ $(printf '%d' "'${1:i:1}")) * 16777619) & 0xffffffff))
    done
    printf 'corten-%04x' $(((hash ^ hash >> 16) & 0xffff))
}
instance=$(instance_of "$DATA_ROOT")

our_cgroups() { # deepest first
    find /sys/fs/cgroup -depth -type d \( -name "$instance" -o -path "*/$instance/*" \) 2>/dev/null
}

finish() {
    local status=$? e
    trap '' TERM INT
    trap - EXIT
    set +e
    if [ $status = 0 ] && [ -z "$passed" ]; then
        status=1
        echo "FAILED: the script ended without 'pass'"
    fi
    if [ $status != 0 ] && [ $status != 77 ] && [ -f "$daemon_log" ]; then
        echo "-- daemon's log:"
        tail -100 "$daemon_log"
    fi
    for ((e = ${#ends[@]} - 1; e >= 0; e--)); do eval "${ends[$e]}"; done
    if daemon_runs && [ -S "$SOCKET" ]; then
        # The ordinary way first: it leaves no cgroup and no address behind.
        local all
        all=$(timeout 10 "$docker" -H "unix://$SOCKET" ps -aq --no-trunc 2>/dev/null)
        # shellcheck disable=SC2086
        [ -n "$all" ] && timeout 20 "$docker" -H "unix://$SOCKET" rm -f $all >/dev/null 2>&1
        kill -TERM "$daemon_pid" 2>/dev/null
        daemon_wait
    fi
    kill_ours
    if [ -n "$(ls -A "$reports")" ] || grep -q -E 'ERROR: (Address|Leak|Undefined)|runtime error:' "$daemon_log" 2>/dev/null; then
        status=1
        echo "FAILED: a sanitizer spoke:"
        head -n 60 "$reports"/* 2>/dev/null
        grep -A30 -m1 -E 'ERROR: |runtime error:' "$daemon_log"
    fi
    our_cgroups | xargs -r rmdir 2>/dev/null
    [ -n "$net_pid" ] && kill "$net_pid" 2>/dev/null
    cd /
    rm -rf --one-file-system "$TEST_TMP"
    exit $status
}
trap finish EXIT
trap 'echo "FAILED: ended by a signal (timed out?)"; exit 1' TERM INT HUP

# --- the daemon -------------------------------------------------------------------------------

make_net() {
    [ -n "$net_pid" ] && return
    # Not a job of this shell: a bare `wait` in a test must not wait for it.
    unshare --net sleep infinity &
    net_pid=$!
    disown "$net_pid"
    eventually 5 eval '[ "$(readlink /proc/$net_pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
    in_net ip link set lo up || fail "a network namespace cannot be made"
    # The same test under the other value of what corten never sets (t3650).
    if [ -n "${CORTEN_BRIDGE_NF:-}" ]; then
        in_net sh -c 'for f in iptables ip6tables; do echo "$1" > /proc/sys/net/bridge/bridge-nf-call-$f; done' - "$CORTEN_BRIDGE_NF" ||
            skip "no br_netfilter"
    fi
}

# As after a boot: no bridge, no rule, no address is left.
new_net() {
    [ -n "$net_pid" ] && kill "$net_pid"
    net_pid=
    make_net
}

in_net() { nsenter --net="/proc/$net_pid/ns/net" -- "$@"; }

# Another host beside the daemon's: 198.51.100.2, .3 and 2001:db8:1::2 behind the daemon's ext0 (.1, ::1). `far CMD…`
# runs there; $other is a process of it.
make_far_host() {
    unshare -n sleep 600 &
    other=$!
    at_end "kill $other"
    eventually 5 eval '[ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ]' || fail "no other host"
    in_net ip link add ext0 type veth peer name ext1
    in_net ip link set ext1 netns "$other"
    in_net ip addr add 198.51.100.1/24 dev ext0
    in_net ip addr add 2001:db8:1::1/64 dev ext0 nodad
    in_net ip link set ext0 up
    far ip link set lo up
    far ip addr add 198.51.100.2/24 dev ext1
    far ip addr add 198.51.100.3/24 dev ext1
    far ip addr add 2001:db8:1::2/64 dev ext1 nodad
    far ip link set ext1 up
}
far() { nsenter --net="/proc/$other/ns/net" "$@"; }

daemon_runs() { [ -n "$daemon_pid" ] && kill -0 "$daemon_pid" 2>/dev/null; }

# Waits for the daemon's end; its exit status in $daemon_status.
daemon_wait() {
    local i
    for ((i = 0; i < 400; i++)); do
        [ -s "$TEST_TMP/daemon.status" ] && break
        sleep 0.025
    done
    [ -s "$TEST_TMP/daemon.status" ] || return 1
    daemon_status=$(<"$TEST_TMP/daemon.status")
    daemon_pid=
}

spawn_daemon() {
    rm -f "$TEST_TMP/daemon.pid" "$TEST_TMP/daemon.status"
    # In a session of its own: signals to the test's process group do not reach it. The subshell
    # around it keeps the exit status and, disowned, keeps a bare `wait` from waiting for it.
    (
        trap - EXIT
        trap '' TERM INT
        setsid nsenter --net="/proc/$net_pid/ns/net" -- env --default-signal "$bin/cortend" \
            --host "unix://$SOCKET" --data-root "$DATA_ROOT" --run-root "$RUN_ROOT" \
            "${daemon_options[@]}" >>"$daemon_log" 2>&1 </dev/null &
        echo $! >"$TEST_TMP/daemon.pid"
        wait $! 2>/dev/null
        echo $? >"$TEST_TMP/daemon.status"
    ) 2>/dev/null &
    disown $!
    eventually 5 test -s "$TEST_TMP/daemon.pid"
    daemon_pid=$(<"$TEST_TMP/daemon.pid")
    local i
    for ((i = 0; i < 400; i++)); do
        curl -s -o /dev/null --unix-socket "$SOCKET" http://d/_ping 2>/dev/null && return 0
        [ -s "$TEST_TMP/daemon.status" ] && fail "cortend ended with $(<"$TEST_TMP/daemon.status") at start"
        sleep 0.02
    done
    fail "cortend does not answer"
}

start_daemon() {
    [ -x "$bin/cortend" ] || fail "$bin/cortend is not built"
    [ -x "$docker" ] || skip "no docker CLI on this machine"
    make_net
    daemon_options=("$@")
    # The same test on another driver of root file systems (t1140 does that).
    if [ -n "${CORTEN_STORAGE_DRIVER:-}" ]; then
        daemon_options+=(--storage-driver "$CORTEN_STORAGE_DRIVER")
        [ "$CORTEN_STORAGE_DRIVER" != btrfs ] || mountpoint -q "$DATA_ROOT" || mount_btrfs "$DATA_ROOT"
    fi
    export DOCKER_HOST=unix://$SOCKET CORTEN_HOST=unix://$SOCKET
    spawn_daemon
}

# An empty btrfs of 1 GiB in a file, until the end of the test.
mount_btrfs() { # DIRECTORY
    mkdir -p "$1"
    command -v mkfs.btrfs >/dev/null || skip "mkfs.btrfs is not installed"
    truncate -s 1G "$TEST_TMP/btrfs"
    mkfs.btrfs -q "$TEST_TMP/btrfs" >/dev/null 2>&1 || skip "mkfs.btrfs fails"
    mount -o loop "$TEST_TMP/btrfs" "$1" || skip "btrfs or loop devices are missing"
    at_end "sleep 0.2; umount -l '$1'"
}

stop_daemon() {
    daemon_runs || fail "the daemon is not running"
    kill -TERM "$daemon_pid"
    daemon_wait || fail "cortend does not end"
    [ "$daemon_status" = 0 ] || fail "cortend ended with status $daemon_status"
}

kill_daemon() {
    daemon_runs || fail "the daemon is not running"
    kill -KILL "$daemon_pid"
    daemon_wait || fail "cortend does not die"
}

restart_daemon() {
    daemon_runs && stop_daemon
    spawn_daemon
}

kill_containers() { kill_ours; }

reboot_world() {
    daemon_runs && kill_daemon
    kill_ours
    rm -rf --one-file-system "$RUN_ROOT"
    new_net
    spawn_daemon
}

dk() { "$docker" "$@"; }
ct() { "$bin/corten" "$@"; }

api() {
    local method=$1 path=$2 body=$TEST_TMP/api.body options=()
    [ $# -gt 2 ] && options=(-H 'Content-Type: application/json' --data-binary "$3")
    api_status=$(curl -sS --max-time 30 -o "$body" -w '%{http_code}' -X "$method" --unix-socket "$SOCKET" \
        "${options[@]}" "http://d$path") || fail "$method $path: no answer"
    output=$(cat "$body" 2>/dev/null)
    rm -f "$body"
}

make_busybox_image() {
    local name=${1:-busybox} busybox dir
    dir=$TEST_TMP/image-$name
    busybox=$(command -v busybox) || skip "busybox-static is not installed"
    mkdir -p "$dir"/{bin,etc,tmp,root,proc,sys,dev,var}
    cp "$(readlink -f "$busybox")" "$dir/bin/busybox"
    "$dir/bin/busybox" --list | while read -r applet; do
        [ "$applet" = busybox ] || ln -s busybox "$dir/bin/$applet"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n' >"$dir/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\nweb:x:1000:\nextra:x:2000:web\n' >"$dir/etc/group"
    chmod 1777 "$dir/tmp"
    tar -C "$dir" -c . | dk import --change 'CMD ["/bin/sh"]' - "$name" >/dev/null || fail "import of $name"
    rm -rf "$dir"
}

# --- expectations -----------------------------------------------------------------------------

show_command() { printf '%q ' "$@"; }

expect_eq() {
    [ $# = 2 ] || fail "expect_eq ACTUAL WANTED, got $# words"
    [ "$1" = "$2" ] || fail "got '$1', want '$2'"
}

expect_match() {
    [ $# = 2 ] || fail "expect_match TEXT REGEX, got $# words"
    grep -qE -- "$2" <<<"$1" || fail "no line matches '$2': $1"
}

expect_no_match() {
    [ $# = 2 ] || fail "expect_no_match TEXT REGEX, got $# words"
    grep -qE -- "$2" <<<"$1" && fail "a line matches '$2': $1"
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
        sleep 0.05
    done
    fail "$(show_command "$@"): not within the time"
}

# What of containers is still there, one line for each thing.
remains() {
    local pid name
    for pid in $(our_pids); do
        name=$(cat "/proc/$pid/comm" 2>/dev/null)
        grep -qs -- '-----' "/proc/$pid/cmdline" && continue # a monitor made for the next start
        case $name in
        cortend | corten-dns | corten-relay | "") ;;
        *) [ "$pid" != "$daemon_pid" ] && echo "process $pid ($name)" ;;
        esac
    done
    in_net ip -o link show type veth 2>/dev/null | sed 's/^/interface /'
    # The data root itself may be a file system that the test made.
    grep -F "$TEST_TMP" "/proc/${daemon_pid:-self}/mountinfo" | grep -vF " $DATA_ROOT " | sed 's/^/mount /'
    # Monitors' own, where this machine has us in a cgroup, lives as long as the daemon.
    our_cgroups | grep "/$instance/" | grep -v "/$instance/monitors$" | sed 's/^/cgroup /'
}

expect_nothing_left() {
    local left='' i
    for ((i = 0; i < 50; i++)); do
        left=$(remains)
        [ -z "$left" ] && return 0
        sleep 0.1
    done
    fail "left over: $left"
}
