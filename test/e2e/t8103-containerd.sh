#!/bin/bash
# ctr, containerd's own client, runs containers with corten-runtime through the runc v2 shim and its BinaryName option.
# limit: 120
. "$(dirname "$0")/lib.sh"

busybox=$(command -v busybox) || skip needs busybox
for name in containerd ctr containerd-shim-runc-v2; do
    command -v $name >/dev/null || skip "needs $name (package containerd)"
done
mkdir -p "$TEST_TMP/rootfs/bin" "$TEST_TMP/rootfs/etc" "$TEST_TMP/rootfs/proc" "$TEST_TMP/rootfs/sys" "$TEST_TMP/rootfs/dev"
cp "$(readlink -f "$busybox")" "$TEST_TMP/rootfs/bin/busybox"
for name in sh cat id sleep echo true ls tty; do ln -s busybox "$TEST_TMP/rootfs/bin/$name"; done

cat >"$TEST_TMP/config.toml" <<EOF
version = 2
root = "$TEST_TMP/cd/root"
state = "$TEST_TMP/cd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "$TEST_TMP/cd.sock"
[debug]
  level = "warn"
EOF
cat >"$TEST_TMP/containerd.sh" <<'EOF'
mount --make-rprivate /
containerd -c "$TEST_TMP/config.toml" >"$TEST_TMP/containerd.log" 2>&1 &
trap 'kill $!; wait $!' EXIT
c() { timeout 60 ctr -a "$TEST_TMP/cd.sock" "$@"; }
for i in $(seq 200); do c version >/dev/null 2>&1 && break; sleep 0.1; done
c version >/dev/null 2>&1 || { echo skip; exit; }
run() { c run --runtime io.containerd.runc.v2 --runc-binary "$bin/corten-runtime" --rootfs "$@"; }
echo "run $(run --rm "$TEST_TMP/rootfs" c1 echo hello)"
run --rm "$TEST_TMP/rootfs" c2 sh -c 'exit 7'
echo "status $?"
run --rm "$TEST_TMP/rootfs" c3 nowhere 2>"$TEST_TMP/missing"
echo "missing $? $(grep -c '"nowhere": executable file not found in $PATH' "$TEST_TMP/missing")"
run -d "$TEST_TMP/rootfs" c4 sleep 100
echo "exec $(c task exec --exec-id e1 c4 id -u)"
c task exec --exec-id e2 c4 sh -c 'exit 5'
echo "exec status $?"
c task pause c4 && c task ls | grep -c PAUSED && c task resume c4 && c task ls | grep -c RUNNING
c task ps c4 | tail -n +2 | wc -l
c task metrics c4 >"$TEST_TMP/metrics" && echo "metrics $(awk '/^(memory.usage_in_bytes|memory.usage)/ && $2 > 4096 || /^pids.current/ && $2 == 1 {n++} END {print n}' "$TEST_TMP/metrics")"
c task kill -s KILL c4
for i in $(seq 100); do c task ls | grep -q STOPPED && break; sleep 0.1; done
c task rm c4 >/dev/null 2>&1
c container rm c4 && echo removed
echo "limits $(run --rm --memory-limit 67108864 --read-only "$TEST_TMP/rootfs" c5 sh -c "touch /x 2>/dev/null || echo ro")"
EOF
# A namespace of our own: state and cgroups lie at places that all containerds of a machine share.
export CONTAINERD_NAMESPACE=corten-e2e-$$
at_end 'find /sys/fs/cgroup -depth -type d -path "*/$CONTAINERD_NAMESPACE*" -exec rmdir {} +'
at_end 'rm -rf "/run/containerd/runc/$CONTAINERD_NAMESPACE"'
step ctr with the runc v2 shim
out=$(TEST_TMP=$TEST_TMP bin=$bin unshare -m bash "$TEST_TMP/containerd.sh" 2>"$TEST_TMP/ctr.err")
[ "${out#skip}" = "$out" ] || skip "containerd does not run here: $(tail -1 "$TEST_TMP/containerd.log")"
cat "$TEST_TMP/ctr.err"
expect_eq "$out" "run hello
status 7
missing 1 1
exec 0
exec status 5
1
1
1
metrics 2
removed
limits ro"
pass
