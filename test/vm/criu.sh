# Runs in the guest ($1: the build directory): corten-runtime checkpoint and restore with the real criu, on a
# kernel that it knows. Prints what fails, and "all is well" when nothing does.
set -u
bundle=/mnt/bundle state=/run/state images=/mnt/images
runtime=/mnt/corten-runtime
cp "$1/bin/corten-runtime" "$runtime"
mkdir -p $bundle/rootfs/bin $bundle/data $images
cp "$(readlink -f "$(command -v busybox)")" $bundle/rootfs/bin/busybox
for name in sh sleep cat; do ln -s busybox $bundle/rootfs/bin/$name; done
cr() { "$runtime" --root $state "$@"; }
fail() {
    echo "FAILED: $*"
    grep -hE 'Error|Warn' $images/*/*.log 2>/dev/null | tail -20
    exit 1
}
same() { [ "$1" = "$2" ] || fail "got '$1', want '$2'"; }
config() { # script, cgroup
    rm -f $bundle/config.json
    (cd $bundle && cr spec) || fail spec
    perl -pi -e 'BEGIN { ($a, $p) = splice @ARGV, 0, 2 } s/"terminal":true/"terminal":false/; s/"args":\["sh"\]/"args":["sh","-c","$a"]/;
        s/"linux":\{/"linux":{"cgroupsPath":"$p",/' "$1" "$2" $bundle/config.json
}
count='i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done'
grown() { # the output has grown beyond this line, one number after the other
    local i
    for i in $(seq 100); do
        [ "$(tail -1 $bundle/out)" -gt "$1" ] 2>/dev/null && break
        sleep 0.1
    done
    [ "$(tail -1 $bundle/out)" -gt "$1" ] || fail "it does not count: $(tail -2 $bundle/out)"
    same "$(awk '$1 != last + 1 { print "gap at " NR } { last = $1 }' $bundle/out)" ""
}
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
criu --version | head -1

echo "-- dump, delete, restore: it counts on"
config "$count" /box
perl -pi -e 's/"resources":\{"devices"/"resources":{"memory":{"limit":67108864},"pids":{"limit":50},"devices"/;
    s/"mounts":\[/"mounts":[{"destination":"\/data","source":"data","options":["bind"]},/' $bundle/config.json
cr run -d -b $bundle box </dev/null >$bundle/out 2>&1 || fail run
grown 3
cr checkpoint --image-path $images/one box || fail checkpoint
same "$(cr list -q)" ""
[ ! -e /sys/fs/cgroup/box ] || fail "the cgroup is left"
last=$(tail -1 $bundle/out)
mounts=$(wc -l </proc/self/mountinfo)
cr restore -d -b $bundle --image-path $images/one --pid-file /mnt/pid box </dev/null >>$bundle/out 2>>$bundle/err || fail restore
grown "$((last + 3))"
same "$(cr state box | perl -ne 'print "$1 $2" if /"pid": ?(\d+).*"status": ?"(\w+)"/')" "$(cat /mnt/pid) running"
same "$(cat /sys/fs/cgroup/box/cgroup.procs | sort -n | head -1)" "$(cat /mnt/pid)"
same "$(cat /sys/fs/cgroup/box/memory.max /sys/fs/cgroup/box/pids.max | tr '\n' ' ')" "67108864 50 "
same "$(cr exec box sh -c 'echo yes >/data/x; cat /proc/1/comm /proc/self/cgroup')" $'sh\n0::/'
same "$(cat $bundle/data/x)" yes
same "$(wc -l </proc/self/mountinfo)" "$mounts"
cr delete -f box || fail delete
[ ! -e /sys/fs/cgroup/box ] || fail "the cgroup is left"

echo "-- it goes on after a dump, also when it was paused; and the restored one has another name and cgroup"
config "$count" /box
cr run -d -b $bundle box </dev/null >$bundle/out 2>&1 || fail run
grown 1
cr checkpoint --pre-dump --image-path $images/pre box || fail pre-dump
grown "$(tail -1 $bundle/out)"
cr checkpoint --leave-running --parent-path ../pre --image-path $images/two box || fail checkpoint --leave-running
[ -L $images/two/parent ] || fail "the dump does not build on the first"
grown "$(tail -1 $bundle/out)"
cr pause box || fail pause
cr checkpoint --leave-running --image-path $images/three box || fail checkpoint of a paused one
cr state box | grep -qE '"status": ?"paused"' || fail "it is paused no longer"
last=$(tail -1 $bundle/out)
cr delete -f box || fail delete
config "$count" /other/place
perl -pi -e 's/"root":\{/"hooks":{"createRuntime":[{"path":"\/bin\/sh","args":["sh","-c","cat >\/mnt\/created"]}],"poststart":[{"path":"\/bin\/sh","args":["sh","-c","cat >\/mnt\/started"]}],"poststop":[{"path":"\/bin\/sh","args":["sh","-c","cat >\/mnt\/stopped"]}]},"root":{/' $bundle/config.json
cr restore -d -b $bundle --image-path $images/three --work-path /mnt/work next </dev/null >>$bundle/out 2>>$bundle/err || fail restore
[ -s /mnt/work/restore.log ] || fail "nothing in the work directory"
grown "$((last + 3))"
grep -q . /sys/fs/cgroup/other/place/cgroup.procs || fail "not in the other cgroup"
grep -q '"creating"' /mnt/created && grep -q '"running"' /mnt/started || fail "hooks"
cr delete -f next || fail delete
grep -q '"stopped"' /mnt/stopped || fail "poststop"

echo "-- in the foreground, with pipes"
config 'i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo $i; sleep 0.1; done; read x; echo got $x; exit 7' /box
rm $bundle/out
{ timeout 60 "$runtime" --root $state run -b $bundle box < <(exec sleep 30) 2>&1; echo "status $?"; } 2>&1 | cat >$bundle/out &
runner=$!
grown 2
cr checkpoint --image-path $images/four box || fail checkpoint
echo "   written"
wait $runner
same "$(tail -1 $bundle/out)" "status 137"
sed -i '$d' $bundle/out
{ echo word | { timeout 60 "$runtime" --root $state restore -b $bundle --image-path $images/four box; echo "status $?"; } 2>&1; } | cat >>$bundle/out
same "$(tail -2 $bundle/out | tr '\n' ' ')" "got word status 7 "
same "$(cr list -q)" ""

echo "-- with a terminal: the new one's other end goes to the console socket"
cat >/mnt/console.py <<'PY'
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1)
print("ready", flush=True)
c, _ = s.accept()
_, ancillary, _, _ = c.recvmsg(4096, socket.CMSG_SPACE(4))
master = array.array("i", ancillary[0][2])[0]
while True:
    try: text = os.read(master, 4096)
    except OSError: break
    if not text: break
    os.write(1, text.replace(b"\r", b""))
PY
console() { # socket
    python3 /mnt/console.py "$1" >>$bundle/out &
    for i in $(seq 100); do [ -S "$1" ] && return; sleep 0.1; done
    fail "no console socket"
}
: >$bundle/out
config "tty; $count" /box
perl -pi -e 's/"terminal":false/"terminal":true/' $bundle/config.json
console /mnt/console.one
cr run -d -b $bundle --console-socket /mnt/console.one box </dev/null >/mnt/said 2>&1 || fail "run: $(cat /mnt/said)"
sed -i '/ready/d' $bundle/out
for i in $(seq 100); do grep -q '^3$' $bundle/out && break; sleep 0.1; done
cr checkpoint --image-path $images/five box || fail checkpoint with a terminal
last=$(tail -1 $bundle/out)
console /mnt/console.two
cr restore -d -b $bundle --image-path $images/five --console-socket /mnt/console.two box </dev/null >/mnt/said 2>&1 || fail "restore: $(cat /mnt/said)"
for i in $(seq 100); do [ "$(tail -1 $bundle/out)" -gt "$((last + 3))" ] 2>/dev/null && break; sleep 0.1; done
[ "$(tail -1 $bundle/out)" -gt "$last" ] || fail "the terminal says nothing: $(tail -3 $bundle/out)"
grep -q '^/dev/\(console\|pts/0\)$' $bundle/out || fail "tty: $(head -2 $bundle/out)"
cr delete -f box || fail delete
cr restore -d -b $bundle --image-path $images/five box </dev/null 2>/mnt/said && fail "a terminal without a socket"
grep -q 'console-socket' /mnt/said || fail "$(cat /mnt/said)"

echo "-- what it cannot restore leaves nothing"
mkdir $images/empty
cr restore -b $bundle --image-path $images/empty box 2>/mnt/said && fail "restore of nothing"
grep -q 'restore container .box.: ' /mnt/said || fail "$(cat /mnt/said)"
echo '["","",""]' >$images/empty/descriptors.json
cr restore -b $bundle --image-path $images/empty box 2>/mnt/said && fail "restore of nothing"
grep -q 'criu: ' /mnt/said || fail "$(cat /mnt/said)"
same "$(cr list -q)" ""
[ ! -e /sys/fs/cgroup/box ] || fail "the cgroup is left"
echo all is well
