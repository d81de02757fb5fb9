#!/bin/bash
# corten-runtime --systemd-cgroup, against a bus that records what it is asked and makes cgroups as systemd does.
# (The real one, with CORTEN_FULL: test/vm/systemd.sh.)
# limit: 330
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip needs python3
bundle=$TEST_TMP/bundle state=$TEST_TMP/state log=$TEST_TMP/log slice=cortene2e$$.slice
mkdir -p "$bundle"/rootfs/bin
cp "$(command -v busybox || echo /bin/busybox)" "$bundle/rootfs/bin/busybox" || skip needs busybox
for name in sh sleep cat true; do ln -s busybox "$bundle/rootfs/bin/$name"; done
core=$(grep ' - cgroup2 ' /proc/self/mountinfo | head -1 | cut -d' ' -f5)
named=$(grep 'name=systemd' /proc/self/mountinfo | head -1 | cut -d' ' -f5)
[ -n "$core" ] || skip needs cgroup2
at_end 'find /sys/fs/cgroup -depth -type d -path "*/$slice*" -exec rmdir {} +'
at_end 'for id in $(corten-runtime --root "$state" list -q); do DBUS_SYSTEM_BUS_ADDRESS=unix:path=$TEST_TMP/bus corten-runtime --root "$state" delete -f "$id"; done'
python3 "$(dirname "$0")/t8104-systemd-cgroup.py" "$TEST_TMP/bus" "$log" "$core" $named 2>"$TEST_TMP/bus.err" &
bus=$!
at_end 'kill $bus'
eventually 5 test -S "$TEST_TMP/bus"
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$TEST_TMP/bus
cr() { corten-runtime --root "$state" --systemd-cgroup "$@"; }
config() { # arguments, cgroupsPath, resources
    rm -f "$bundle/config.json"
    (cd "$bundle" && cr spec) || fail spec
    perl -pi -e 'BEGIN { ($a, $p, $r) = splice @ARGV, 0, 3 } s/"terminal":true/"terminal":false/; s/"args":\["sh"\]/"args":$a/;
        s/"linux":\{"resources":\{.*?\]\}/"linux":{"cgroupsPath":"$p","resources":{$r}/' "$@" "$bundle/config.json"
}
no_cgroups() { ! find /sys/fs/cgroup -type d -path "*/$slice/*" | grep -q .; }

step a scope with its limits
config '["sleep","100"]' "$slice:pre:box" '"memory":{"limit":67108864},"cpu":{"shares":512,"quota":25000,"period":50000},"pids":{"limit":50}'
cr run -d -b "$bundle" box || { cat "$log" "$TEST_TMP/bus.err"; fail run; }
cat "$log"
grep -q WRONG "$log" && fail the bus understands us not
expect_match "$(cat "$log")" "^start pre-box.scope fail"
for line in "Slice=$slice" Delegate=1 DefaultDependencies=0 CollectMode=inactive-or-failed PIDs=PIDS TasksMax=50 \
    CPUQuotaPerSecUSec=500000 CPUQuotaPeriodUSec=50000; do
    grep -qxF "  $line" "$log" || fail "no property $line"
done
grep -qE '^  Memory(Limit|Max)=67108864$' "$log" || fail no limit of memory
grep -qE '^  CPU(Shares=512|Weight=20)$' "$log" || fail no share of CPU
pid=$(cr state box | perl -ne 'print $1 if /"pid": ?(\d+)/')
expect_eq "$(grep -vc "/$slice/pre-box.scope\$" "/proc/$pid/cgroup")" "$(grep -cE ':(freezer|perf_event|net_cls.*|net_prio|hugetlb|misc):' "/proc/$pid/cgroup")"
expect_eq "$(cat "$core/$slice/pre-box.scope/cgroup.procs")" "$pid" # the stand-in is gone
limit=$(cat /sys/fs/cgroup/memory/$slice/pre-box.scope/memory.limit_in_bytes 2>/dev/null || cat "$core/$slice/pre-box.scope/memory.max")
expect_eq "$limit" 67108864

step exec, pause, update find the same cgroup
expect_match "$(cr exec box cat /proc/self/cgroup | tail -1)" '^0::/$'
cr pause box || fail pause
expect_match "$(cr state box)" '"status": ?"paused"'
cr resume box || fail resume
cr update --memory 33554432 --pids-limit 40 box || fail update
expect_match "$(tail -1 "$log")" '^set pre-box.scope 1 Memory(Limit|Max)=33554432 TasksMax=40$'
limit=$(cat /sys/fs/cgroup/memory/$slice/pre-box.scope/memory.limit_in_bytes 2>/dev/null || cat "$core/$slice/pre-box.scope/memory.max")
expect_eq "$limit" 33554432

step delete stops the unit
cr delete -f box || fail delete
expect_eq "$(tail -1 "$log")" "stop pre-box.scope replace"
no_cgroups || fail a cgroup is left

step without a path, in the foreground
config '["sh","-c","exit 3"]' "$slice::alone" ''
expect_status 3 corten-runtime --root "$state" --cgroup-manager systemd run -b "$bundle" box
expect_match "$(cat "$log")" "start alone.scope fail"
expect_eq "$(tail -1 "$log")" "stop alone.scope replace"
no_cgroups || fail a cgroup is left

step what systemd refuses, or fails to do
config '["true"]' "$slice:refused:box" ''
expect_fails 'was already loaded' cr run -b "$bundle" box
config '["true"]' "$slice:broken:box" ''
expect_fails "unit 'broken-box.scope': failed" cr run -b "$bundle" box
expect_eq "$(cr list -q)" ""
config '["true"]' "/not/systemd" ''
expect_fails 'slice:prefix:name' cr run -b "$bundle" box
config '["true"]' "$slice:a b:box" ''
expect_fails 'names of units' cr run -b "$bundle" box
config '["/nowhere"]' "$slice:pre:gone" ''
expect_status 127 cr run -b "$bundle" box
expect_eq "$(tail -1 "$log")" "stop pre-gone.scope replace"
expect_eq "$(cr list -q)" ""
DBUS_SYSTEM_BUS_ADDRESS=unix:path=$TEST_TMP/nobody expect_fails 'systemd' cr run -b "$bundle" box
grep -q WRONG "$log" && fail the bus understands us not

if [ -n "${CORTEN_FULL:-}" ]; then
    step a real systemd, in a virtual machine
    vm=$(dirname "$0")/../vm
    "$vm/vmrun.sh" -t 280 "$vm/systemd.sh" "$(dirname "$(readlink -f "$bin/corten-runtime")")/../.." >"$TEST_TMP/vm" 2>&1
    status=$?
    [ $status = 0 ] || [ $status = 77 ] || { tail -20 "$TEST_TMP/vm"; fail a real systemd; }
fi
pass
