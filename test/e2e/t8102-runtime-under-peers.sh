#!/bin/bash
# podman and dockerd run containers with corten-runtime as their OCI runtime: start, exec, terminal, limits,
# pause, update, user namespace, privileged.
# limit: 150
. "$(dirname "$0")/lib.sh"

busybox=$(command -v busybox) || skip needs busybox
mkdir -p "$TEST_TMP/image/bin" "$TEST_TMP/image/etc"
cp "$(readlink -f "$busybox")" "$TEST_TMP/image/bin/busybox"
for name in sh cat id sleep echo true ls touch tty; do ln -s busybox "$TEST_TMP/image/bin/$name"; done
tar -C "$TEST_TMP/image" -cf "$TEST_TMP/image.tar" .
mkdir -p "$DOCKER_CONFIG"
echo "{}" >"$DOCKER_CONFIG/config.json"
ran=

if command -v podman >/dev/null && command -v conmon >/dev/null; then
    cat >"$TEST_TMP/podman.sh" <<'EOF'
mount --make-rprivate /
pod() {
    timeout 60 podman --root "$TEST_TMP/pod/root" --runroot "$TEST_TMP/pod/run" --tmpdir "$TEST_TMP/pod/tmp" \
        --cgroup-manager cgroupfs --storage-driver vfs --events-backend file --runtime "$bin/corten-runtime" "$@"
}
pod import "$TEST_TMP/image.tar" box >/dev/null 2>&1 || { echo skip; exit; }
echo "run $(pod run --rm --network none box echo hello)"
pod run --rm --network none box sh -c 'exit 7'
echo "status $?"
pod run -d --name c1 --network none box sleep 100 >/dev/null
echo "exec $(pod exec c1 id -u)"
echo "tty $(pod exec -t c1 echo yes | tr -d '\r')"
pod pause c1 >/dev/null && pod unpause c1 >/dev/null && echo paused
pod stop -t 0 c1 >/dev/null && pod rm c1 >/dev/null && echo removed
echo "limits $(pod run --rm --network none --memory 64m --pids-limit 50 --tmpfs /x --read-only \
    -v "$TEST_TMP/image:/image:ro" --user 5:6 --cap-drop all box sh -c 'id -u; ls /image; touch /x/y && ls /x' | tr '\n' ' ')"
echo "userns $(pod run --rm --network none --uidmap 0:100000:1000 --gidmap 0:100000:1000 box cat /proc/self/uid_map | tr -s ' ')"
echo "privileged $(pod run --rm --network none --privileged box id -u)"
EOF
    step podman
    out=$(TEST_TMP=$TEST_TMP bin=$bin unshare -m bash "$TEST_TMP/podman.sh" 2>"$TEST_TMP/podman.err")
    if [ "${out#skip}" = "$out" ]; then
        ran=1
        expect_eq "$out" "run hello
status 7
exec 0
tty yes
paused
removed
limits 5 bin etc y 
userns  0 100000 1000
privileged 0"
    fi
fi

if command -v dockerd >/dev/null && command -v containerd >/dev/null && [ -x "$docker" ]; then
    cat >"$TEST_TMP/dockerd.sh" <<'EOF'
mount --make-rprivate /
ip link set lo up
d=$TEST_TMP/dockerd
mkdir -p "$d"
dockerd --data-root "$d/root" --exec-root "$d/exec" -H "unix://$d/sock" --pidfile "$d/pid" --bridge none \
    --iptables=false --ip6tables=false --storage-driver vfs --add-runtime "corten=$bin/corten-runtime" >"$d/log" 2>&1 &
trap 'kill $!; wait $!' EXIT
dk() { timeout 60 "$docker" -H "unix://$d/sock" "$@"; }
for i in $(seq 200); do dk version >/dev/null 2>&1 && break; sleep 0.1; done
dk import "$TEST_TMP/image.tar" box >/dev/null || { echo skip; exit; }
run="run --runtime corten --network none"
echo "run $(dk $run --rm box echo hello)"
dk $run --rm box sh -c 'exit 7'
echo "status $?"
dk $run --rm box nowhere 2>/dev/null
echo "missing $?"
dk $run -d --name c1 box sleep 100 >/dev/null
echo "exec $(dk exec c1 id -u)"
dk pause c1 >/dev/null && dk unpause c1 >/dev/null && echo paused
dk update --memory 100m --memory-swap 200m --pids-limit 77 c1 >/dev/null && echo updated
dk rm -f c1 >/dev/null && echo removed
echo "privileged $(dk $run --rm --privileged box id -u)"
EOF
    step dockerd
    out=$(TEST_TMP=$TEST_TMP bin=$bin docker=$docker unshare -mn bash "$TEST_TMP/dockerd.sh" 2>"$TEST_TMP/dockerd.err")
    if [ "${out#skip}" = "$out" ]; then
        ran=1
        expect_eq "$out" "run hello
status 7
missing 127
exec 0
paused
updated
removed
privileged 0"
    fi
fi
[ -n "$ran" ] || skip neither podman nor dockerd runs here
pass
