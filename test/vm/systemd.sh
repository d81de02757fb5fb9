# Runs in the guest ($1: the build directory): a real systemd, as the first process of a pid namespace, and
# corten-runtime with its cgroup driver under it. Prints what fails; exit 0: nothing.
if [ "${2:-}" != inside ]; then
    # shellcheck source=test/vm/under-systemd.sh
    . "$(dirname "$(readlink -f "$0")")/under-systemd.sh"
fi

set -u
bundle=/mnt/bundle state=/run/state
runtime=/mnt/corten-runtime
cp "$1/bin/corten-runtime" "$runtime"
mkdir -p $bundle/rootfs/bin
cp "$(readlink -f "$(command -v busybox)")" $bundle/rootfs/bin/busybox
for name in sh sleep cat; do ln -s busybox $bundle/rootfs/bin/$name; done
cr() { "$runtime" --root $state --systemd-cgroup "$@"; }
fail() { echo "FAILED: $*"; exit 1; }
config() { # arguments, cgroupsPath, resources
    rm -f $bundle/config.json
    (cd $bundle && cr spec) || fail spec
    perl -pi -e 'BEGIN { ($a, $p, $r) = splice @ARGV, 0, 3 } s/"terminal":true/"terminal":false/; s/"args":\["sh"\]/"args":$a/;
        s/"linux":\{"resources":\{.*?\]\}/"linux":{"cgroupsPath":"$p","resources":{$r}/' "$@" $bundle/config.json
}
shown() { systemctl show "$1" -p "$2" --value; }
same() { [ "$1" = "$2" ] || fail "got '$1', want '$2'"; }
systemctl --version | head -1

config '["sleep","1000"]' corten.slice:pre:box '"memory":{"limit":67108864},"cpu":{"shares":512,"quota":25000,"period":50000},"pids":{"limit":50}'
cr run -d -b $bundle box || fail run -d
scope=/sys/fs/cgroup/corten.slice/pre-box.scope
same "$(shown pre-box.scope ActiveState)" active
same "$(shown pre-box.scope MemoryMax)" 67108864
same "$(shown pre-box.scope TasksMax)" 50
same "$(shown pre-box.scope CPUWeight)" 20
same "$(shown pre-box.scope CPUQuotaPerSecUSec)" 500ms
same "$(shown pre-box.scope Delegate)" yes
same "$(cat $scope/memory.max) $(cat $scope/pids.max) $(cat $scope/cpu.max)" "67108864 50 25000 50000"
same "$(cat $scope/cgroup.procs)" "$(cr state box | perl -ne 'print $1 if /"pid": ?(\d+)/')"
same "$(cr exec box cat /proc/self/cgroup)" 0::/

cr update --memory 33554432 box || fail update
same "$(shown pre-box.scope MemoryMax) $(cat $scope/memory.max)" "33554432 33554432"
systemctl daemon-reload
same "$(cat $scope/memory.max) $(cat $scope/pids.max)" "33554432 50"
cr exec box cat /dev/null || fail a device after a reload
cr pause box || fail pause
cr resume box || fail resume
cr delete -f box || fail delete
same "$(shown pre-box.scope ActiveState)" inactive
[ ! -e $scope ] || fail the cgroup is left

config '["sh","-c","exit 3"]' '' ''
cr run -b $bundle box
same $? 3
config '["sh","-c","exit 3"]' corten.slice::twice ''
cr run -b $bundle box
same $? 3
same "$(systemctl list-units --all --no-legend '*.scope' | grep -cE 'corten-box|twice')" 0

# A user's own manager: the client has to be below it, else it may not move its process there.
mine=/run/user/1000
mkdir -p $mine && chown 1000:1000 $mine && chmod 700 $mine
cat >/run/systemd/system/corten-user.service <<UNIT
[Unit]
DefaultDependencies=no
[Service]
User=1000
Group=1000
Delegate=yes
Environment=XDG_RUNTIME_DIR=$mine HOME=$mine
ExecStart=/lib/systemd/systemd --user --unit=basic.target --log-level=err
UNIT
systemctl daemon-reload
systemctl start corten-user.service || fail a manager for a user
for i in $(seq 100); do [ -S $mine/systemd/private ] && break; sleep 0.1; done
cp -r $bundle $mine/bundle && cp "$runtime" $mine/runtime && chown -R 1000:1000 $mine/bundle $mine/runtime
cat >$mine/client <<'CLIENT'
cd $XDG_RUNTIME_DIR/bundle || exit 1
rm -f config.json
cr() { $XDG_RUNTIME_DIR/runtime --systemd-cgroup "$@"; }
cr spec --rootless || exit 2
perl -pi -e 's/"terminal":true/"terminal":false/; s/"args":\["sh"\]/"args":["sleep","1000"]/; s/"linux":\{/"linux":{"cgroupsPath":":pre:mine","resources":{"pids":{"limit":20}},/' config.json
cr run -d mine </dev/null || exit 3
pid=$(cr state mine | perl -ne 'print $1 if /"pid": ?(\d+)/')
place=/sys/fs/cgroup$(cut -d: -f3 /proc/$pid/cgroup)
echo "${place##*/corten-user.service} $(cat $place/pids.max) $(systemctl --user show pre-mine.scope -p ActiveState --value)"
cr exec mine sleep 0 || exit 4
cr pause mine && cr resume mine || exit 5
cr delete -f mine || exit 6
[ ! -e $place ] || exit 7
echo done
CLIENT
as_user() { setpriv --reuid 1000 --regid 1000 --clear-groups env XDG_RUNTIME_DIR=$mine HOME=$mine "$@"; }
as_user systemd-run --user --pipe --wait --collect --quiet bash $mine/client >/run/said 2>&1
same "$? $(cat /run/said)" "0 /user.slice/pre-mine.scope 20 active
done"
systemctl stop corten-user.service
! grep -q warn /run/told || fail a warning
echo all is well
