# shellcheck shell=bash
# trap.sh - for tests that want a registry which misbehaves: test/e2e/trap-registry.py on 127.0.0.1:$trap.
#
#   start_trap            in the daemon's network; $trap_log has a line for each request
#   faults JSON           what it does from now on; the log starts anew
#   asked REGEX [N]       a request like that was made (N times)
#   not_asked REGEX
#   fresh                 the store has no image any more
trap=5070
trap_dir=$TEST_TMP/trap
trap_log=$trap_dir/requests.log

start_trap() {
    python3 -c '' 2>/dev/null || skip "python3 is not installed"
    mkdir -p "$trap_dir"
    in_net python3 "$here/trap-registry.py" "$trap_dir" $trap >"$trap_dir/log" 2>&1 &
    at_end "kill $! 2>/dev/null"
    eventually 10 in_net curl -sf -o /dev/null http://127.0.0.1:$trap/v2/
    faults '{}'
}

faults() {
    printf '%s' "$1" >"$trap_dir/faults.new"
    mv "$trap_dir/faults.new" "$trap_dir/faults.json"
    : >"$trap_log"
}

asked() {
    local n
    n=$(grep -cE -- "$1" "$trap_log")
    [ "$n" = "${2:-$n}" ] && [ "$n" -gt 0 ] || fail "'$1' was asked $n times, want ${2:-some}: $(cat "$trap_log")"
}

not_asked() { ! grep -qE -- "$1" "$trap_log" || fail "'$1' was asked: $(cat "$trap_log")"; }

fresh() {
    local all
    all=$(dk images -aq --no-trunc | sort -u)
    # shellcheck disable=SC2086
    [ -z "$all" ] || dk rmi -f $all >/dev/null || fail "rmi"
    expect_eq "$(dk images -aq)" ''
}
