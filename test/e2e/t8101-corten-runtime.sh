#!/bin/bash
# corten-runtime's commands, one by one, as containerd, podman and a person at a shell use them.
. "$(dirname "$0")/lib.sh"

bundle=$TEST_TMP/bundle
state=$TEST_TMP/state
mkdir -p "$bundle"/rootfs/{bin,etc}
cp "$(command -v busybox || echo /bin/busybox)" "$bundle/rootfs/bin/busybox" || skip needs busybox
for name in sh cat id sleep echo true false ls kill tty stty test env readlink wc grep touch; do
    ln -s busybox "$bundle/rootfs/bin/$name"
done
printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/var/user:/bin/sh\n' >"$bundle/rootfs/etc/passwd"
cr() { corten-runtime --root "$state" "$@"; }
# A configuration with these arguments and a cgroup of our own; further perl edits the JSON text.
config() {
    rm -f "$bundle/config.json"
    (cd "$bundle" && cr spec) || fail spec
    local args=$1
    shift
    perl -pi -e 'BEGIN { $a = shift } s/"terminal":true/"terminal":false/; s/"args":\["sh"\]/"args":$a/;
        s/"linux":\{/"linux":{"cgroupsPath":"\/corten-e2e-'$$'\/box",/' "$args" "$bundle/config.json"
    [ $# = 0 ] || perl -pi -e "$1" "$bundle/config.json"
}
no_cgroups() { ! find /sys/fs/cgroup -type d -path "*corten-e2e-$$/*" | grep -q .; }
at_end 'find /sys/fs/cgroup -depth -type d -name "corten-e2e-$$" -exec rmdir {} +'
at_end 'for id in $(cr list -q); do cr delete -f "$id"; done'

step run: output, exit status, nothing left
config '["sh","-c","echo out; echo err >&2; exit 3"]'
expect_status 3 cr run -b "$bundle" box
expect_eq "$output" $'out\nerr'
expect_eq "$(cr list -q)" ""
no_cgroups || fail a cgroup is left

step the program is missing, or is none
config '["/nowhere"]'
expect_status 127 cr run -b "$bundle" box
expect_match "$output" 'no such file'
config '["/etc/passwd"]'
expect_status 126 cr run -b "$bundle" box
expect_eq "$(cr list -q)" ""
no_cgroups || fail a failed run leaves a cgroup

step the hooks of the end, when nobody calls delete
config '["true"]' 's/"root":\{/"hooks":{"poststop":[{"path":"\/bin\/sh","args":["sh","-c","cat >'"${TEST_TMP//\//\\/}"'\/poststop"]}]},"root":{/'
cr run -b "$bundle" box || fail run
expect_match "$(cat "$TEST_TMP/poststop")" '"status": ?"stopped"'

step create, state, start, kill, delete
config '["sh","-c","trap \"exit 7\" TERM; echo up; while :; do sleep 0.05; done"]'
cr create -b "$bundle" --pid-file "$TEST_TMP/pid" box >"$TEST_TMP/out" || fail create
expect_match "$(cr state box)" '"status": ?"created"'
expect_eq "$(cr state box | perl -ne 'print $1 if /"pid": ?(\d+)/')" "$(cat "$TEST_TMP/pid")"
expect_eq "$(cat "$TEST_TMP/out")" ""
expect_fails 'exists|File exists' cr create -b "$bundle" box
cr start box || fail start
eventually 5 grep -q up "$TEST_TMP/out"
expect_match "$(cr state box)" '"status": ?"running"'
expect_fails 'running' cr start box
expect_fails 'running' cr delete box
expect_eq "$(cr list -q)" box
expect_eq "$(cr ps --format json box | head -c 1)" "["
expect_match "$(cr ps box)" "^$(cat "$TEST_TMP/pid")\$"
expect_match "$(cr ps box -eo comm,pid | tr -s " ")" "^sh $(cat "$TEST_TMP/pid")\$"
expect_no_match "$(cr ps box -eo comm,pid)" "cortend| $$\$"
expect_match "$(cr ps box -ef)" '^UID +PID'
expect_fails 'without a column PID' cr ps box -eo comm
expect_fails 'ps failed' cr ps box --dance
cr kill box TERM || fail kill
eventually 5 sh -c "corten-runtime --root $state state box | grep -q stopped"
expect_fails 'not running' cr kill box TERM
cr delete box || fail delete
expect_fails 'does not exist' cr state box
no_cgroups || fail a cgroup is left

step exec
config '["sleep","100"]'
cr run -d -b "$bundle" box || fail run -d
expect_eq "$(cr exec box echo hello)" hello
expect_status 5 cr exec box sh -c 'exit 5'
expect_status 127 cr exec box nowhere
expect_eq "$(cr exec -u 1000:1001 box id -u)" 1000
expect_eq "$(cr exec -u 1000:1001 box id -g)" 1001
expect_eq "$(cr exec -e A=b --cwd /etc box sh -c 'echo $A $PWD')" "b /etc"
expect_eq "$(cr exec -u 1000 box sh -c 'echo $HOME')" /var/user
expect_fails '4294967295' cr exec -u 4294967295 box id
expect_fails '4294967296' cr exec -u 4294967296 box id
echo '{"args":["echo","from","a","file"],"cwd":"/","env":["PATH=/bin"],"user":{"uid":0,"gid":0}}' >"$TEST_TMP/process"
expect_eq "$(cr exec --process "$TEST_TMP/process" box)" "from a file"
expect_eq "$(echo piped | cr exec box cat)" piped
cr exec -d --pid-file "$TEST_TMP/pid2" box sleep 50 || fail exec -d
kill -0 "$(cat "$TEST_TMP/pid2")" || fail the detached process is gone

step exec into a cgroup below the containers own
core=$(grep ' - cgroup2 ' /proc/self/mountinfo | head -1 | cut -d' ' -f5)
mkdir "$core/corten-e2e-$$/box/inner" || fail mkdir
expect_match "$(cr exec --cgroup inner box cat /proc/self/cgroup)" '^0::.*/inner$'
expect_match "$(cr exec --cgroup /inner box cat /proc/self/cgroup)" '^0::.*/inner$'
expect_fails 'no such cgroup' cr exec --cgroup nowhere box true
expect_match "$(cr exec --cgroup ../../inner box cat /proc/self/cgroup)" '^0::.*/inner$' # never above its own
expect_fails 'no such cgroup' cr exec --cgroup dance:inner box true
rmdir "$core/corten-e2e-$$/box/inner"

step pause and resume
cr pause box || fail pause
expect_match "$(cr state box)" '"status": ?"paused"'
expect_fails 'paused' cr exec box true
cr resume box || fail resume
expect_match "$(cr state box)" '"status": ?"running"'
cr delete -f box || fail delete -f
kill -0 "$(cat "$TEST_TMP/pid2")" 2>/dev/null && fail a process outlives its container
no_cgroups || fail a cgroup is left

step one in the foreground is deleted by somebody else
config '["sh","-c","echo up; sleep 100"]'
cr run -b "$bundle" box >"$TEST_TMP/out" 2>&1 &
runner=$!
eventually 5 grep -q up "$TEST_TMP/out"
timeout 20 "$bin/corten-runtime" --root "$state" delete -f box || fail delete -f
wait $runner
expect_eq "$? $(cat "$TEST_TMP/out")" "137 up"
expect_eq "$(cr list -q)" ""
no_cgroups || fail a cgroup is left

step descriptors: only those that are asked for
config '["sh","-c","ls /proc/self/fd; cat <&3"]'
echo secret >"$TEST_TMP/secret"
expect_eq "$(cr run -b "$bundle" --preserve-fds 1 box 3<<<kept 7<"$TEST_TMP/secret" | tr '\n' ' ')" "0 1 2 3 4 kept "
config '["sh","-c","ls /proc/self/fd"]'
expect_eq "$(cr run -b "$bundle" --preserve-fds 4 box 3<&- 5</dev/null | tr '\n' ' ')" "0 1 2 3 5 "
expect_eq "$(cr list -q)" ""
config '["sh","-c","echo $LISTEN_FDS $LISTEN_PID; cat <&3"]'
expect_eq "$(LISTEN_FDS=1 cr run -b "$bundle" box 3<<<socket | tr '\n' ' ')" "1 1 socket "

step sd_notify: what the container says reaches our manager, with our number of it
cat >"$TEST_TMP/manager.pl" <<'PERL'
use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; bind(S, sockaddr_un($ARGV[0])) or die; $| = 1;
while (defined recv(S, my $m, 4096, 0)) { $m =~ tr/\n/ /; print "$m\n" }
PERL
cat >"$bundle/rootfs/say" <<'PERL'
use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; connect(S, sockaddr_un($ENV{NOTIFY_SOCKET})) or die "$!"; send(S, join("\n", @ARGV), 0) or die "$!";
PERL
perl "$TEST_TMP/manager.pl" "$TEST_TMP/manager" >"$TEST_TMP/told" &
manager=$!
at_end 'kill $manager'
eventually 5 test -S "$TEST_TMP/manager"
say_config() {
    config "$1" 's/"mounts":\[/"mounts":[{"destination":"\/usr","source":"\/usr","options":["rbind","ro"]},{"destination":"\/lib","source":"\/lib","options":["rbind","ro"]},{"destination":"\/lib64","source":"\/lib64","options":["rbind","ro"]},/; s/"env":\[/"env":["NOTIFY_SOCKET=\/wrong",/'
}
say_config '["sh","-c","echo $NOTIFY_SOCKET; perl /say STATUS=one MAINPID=1 && perl /say READY=1 && perl /say STOPPING=1 FDSTORE=1 && exit 6"]'
expect_status 6 env NOTIFY_SOCKET="$TEST_TMP/manager" corten-runtime --root "$state" run --pid-file "$TEST_TMP/pid" -b "$bundle" box
expect_eq "$output" "$TEST_TMP/manager/notify"
expect_eq "$(sed 's/ *$//' "$TEST_TMP/told")" "STATUS=one
READY=1 MAINPID=$(cat "$TEST_TMP/pid")
STOPPING=1"
say_config '["sh","-c","until test -e /dev/go; do sleep 0.05; done; perl /say READY=1; sleep 100"]'
NOTIFY_SOCKET=$TEST_TMP/manager cr create --pid-file "$TEST_TMP/pid" -b "$bundle" box >"$TEST_TMP/out" 2>&1 || fail create
NOTIFY_SOCKET=$TEST_TMP/manager cr start box &
starter=$!
eventually 5 sh -c "corten-runtime --root $state state box | grep -q running"
sleep 0.3
kill -0 $starter || fail start did not wait for the word
expect_eq "$(grep -c . "$TEST_TMP/told")" 3
cr exec box touch /dev/go || fail exec
wait $starter || fail start
expect_eq "$(tail -1 "$TEST_TMP/told" | sed 's/ *$//')" "READY=1 MAINPID=$(cat "$TEST_TMP/pid")"
cr delete -f box || fail delete
rm -r "$bundle"/rootfs/{say,tmp,usr,lib,lib64}

step a terminal, by console socket
cat >"$TEST_TMP/console.pl" <<'PERL'
use Socket; my ($path) = @ARGV; socket(S, AF_UNIX, SOCK_STREAM, 0) or die; bind(S, sockaddr_un($path)) or die;
listen(S, 1) or die; accept(C, S) or die;
# struct msghdr by hand: x86-64 and arm64 have the same layout and differ in the number of recvmsg.
my $buf = "\0" x 64; my $ctl = "\0" x 24; my $iov = pack("PQ", $buf, 64);
my $msg = pack("Q L x4 P Q P Q L x4", 0, 0, $iov, 1, $ctl, 24, 0);
my $nr = `uname -m` =~ /x86_64/ ? 47 : 212; syscall($nr, fileno(C), $msg, 0) > 0 or die "recvmsg: $!";
my $fd = unpack("x16 l", $ctl); open(M, "+<&=", $fd) or die "fd $fd: $!"; $| = 1;
while (sysread(M, my $b, 4096)) { print $b }
PERL
config '["sh","-c","tty; stty size"]' 's/"terminal":false/"terminal":true,"consoleSize":{"height":30,"width":99}/'
expect_fails 'console-socket' cr create -b "$bundle" box
perl "$TEST_TMP/console.pl" "$TEST_TMP/console" >"$TEST_TMP/tty" &
eventually 5 test -S "$TEST_TMP/console"
cr create -b "$bundle" --console-socket "$TEST_TMP/console" box || fail create with a console socket
cr start box || fail start
eventually 5 grep -q '30 99' "$TEST_TMP/tty"
expect_match "$(tr -d '\r' <"$TEST_TMP/tty")" '^/dev/(pts/0|console)$'
cr delete -f box || fail delete

step errors reach the log in both formats
config '["/nowhere"]'
expect_status 127 cr --log "$TEST_TMP/log" --log-format json run -b "$bundle" box
expect_match "$(cat "$TEST_TMP/log")" '^\{"level":"error","msg":".*nowhere.*","time":"[^"]*"\}$'
expect_status 127 cr --log "$TEST_TMP/log.text" run -b "$bundle" box
expect_match "$(cat "$TEST_TMP/log.text")" '^time="[^"]*" level=error msg=".*nowhere'
expect_fails "command 'dance'" cr dance
expect_fails 'container id' cr create -b "$bundle" ../box

step without pivot_root
config '["sh","-c","ls / | tr \"\\n\" \" \""]'
expect_eq "$(cr run --no-pivot -b "$bundle" box)" "bin dev etc proc sys "

step flags of a seccomp filter
config '["grep","Seccomp:","/proc/self/status"]' 's/"linux":\{/"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_SPEC_ALLOW"]},/'
expect_match "$(cr run -b "$bundle" box)" '2$'
config '["true"]' 's/"linux":\{/"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_DANCE"]},/'
expect_fails 'SECCOMP_FILTER_FLAG_DANCE' cr run -b "$bundle" box

step "a configuration as runc spec writes it: ambient capabilities that are not inheritable"
config '["grep","CapAmb","/proc/self/status"]' 's/"capabilities":\{.*?\]\}/"capabilities":{"bounding":["CAP_KILL"],"effective":["CAP_KILL"],"permitted":["CAP_KILL"],"ambient":["CAP_KILL"]}/'
expect_match "$(cr run -b "$bundle" box 2>"$TEST_TMP/err")" '^CapAmb:[[:space:]]+0000000000000000$'
expect_match "$(cat "$TEST_TMP/err")" 'ambient: what is not'

step a network namespace of its own
ln -sf busybox "$bundle/rootfs/bin/ip"
config '["ip","addr","show","lo"]'
output=$(cr run -b "$bundle" box) || fail run
expect_match "$output" '[<,]UP[,>]'
expect_match "$output" 'inet 127.0.0.1/8 '

step interfaces of the host
netns=corten-e2e-$$
ip netns add "$netns" || fail ip netns
at_end 'ip netns del "$netns"'
in_net() { nsenter --net="/run/netns/$netns" "$@"; }
in_net ip link add outside type veth peer name other
in_net ip addr add 10.9.8.7/24 dev outside
in_net ip addr add fd00:9::7/64 nodad dev outside
config '["ip","addr","show","inside"]' 's/"linux":\{/"linux":{"netDevices":{"outside":{"name":"inside"},"nowhere":{}},/'
expect_fails "netDevices: 'nowhere'" in_net corten-runtime --root "$state" run -b "$bundle" box
expect_match "$(in_net ip addr show outside)" '10.9.8.7/24' # given back
config '["ip","addr","show","inside"]' 's/"linux":\{/"linux":{"netDevices":{"outside":{"name":"inside"}},/; s/"destination":"\/proc"/"destination":"\/proc","x":1/; s/"mounts":\[/"mounts":[{"destination":"\/n","source":"\/not-there-'$$'","options":["bind"]},/'
expect_fails not-there in_net corten-runtime --root "$state" run -b "$bundle" box
expect_match "$(in_net ip addr show outside)" '10.9.8.7/24' # given back
perl -pi -e 's/\{"destination":"\/n","source":"\/not-there-'$$'","options":\["bind"\]\},//' "$bundle/config.json"
output=$(in_net corten-runtime --root "$state" run -b "$bundle" box) || fail run
expect_match "$output" 'inside@.*[<,]UP[,>]'
expect_match "$output" 'inet 10.9.8.7/24 .*scope global'
expect_match "$output" 'inet6 fd00:9::7/64 scope global'
config '["true"]' 's/"linux":\{/"linux":{"netDevices":{"lo":{}},/; s/\{"type":"network"\},?//'
expect_fails 'netDevices' cr run -b "$bundle" box
no_cgroups || fail a cgroup is left

step a mount namespace of another container
config '["sleep","100"]'
cr run -d -b "$bundle" box || fail run -d
cr exec box sh -c 'echo mine >/dev/mine' || fail exec
pid=$(cr state box | perl -ne 'print $1 if /"pid": ?(\d+)/')
join='s/"mounts":\[.*?\],"linux"/"mounts":[],"linux"/; s/"(masked|readonly)Paths":\[[^\]]*\],?//g; s/,\}/}/g; s/"root":\{[^}]*\}/"root":{"path":"\/"}/; s/\/box"/\/box2"/; s/\{"type":"mount"\}/{"type":"mount","path":"\/proc\/'$pid'\/ns\/mnt"}/'
config '["sh","-c","cat /dev/mine; pwd; exit 4"]' "$join"
expect_status 4 cr run -b "$bundle" box2
expect_eq "$output" $'mine\n/'
config '["sleep","100"]' "$join"
cr run -d -b "$bundle" box2 || fail run -d
expect_eq "$(cr exec box2 cat /dev/mine)" mine
pid2=$(cr state box2 | perl -ne 'print $1 if /"pid": ?(\d+)/')
expect_eq "$(readlink "/proc/$pid2/ns/mnt")" "$(readlink "/proc/$pid/ns/mnt")"
cr delete -f box2 || fail delete -f
config '["true"]' 's/\{"type":"mount"\}/{"type":"mount","path":"\/proc\/'$pid'\/ns\/mnt"}/'
expect_fails 'mounts is not supported in a mount namespace' cr run -b "$bundle" box2
cr delete -f box || fail delete -f

step a user namespace of another container
config '["sleep","100"]' 's/"linux":\{/"linux":{"uidMappings":[{"containerID":0,"hostID":100000,"size":1000}],"gidMappings":[{"containerID":0,"hostID":100000,"size":1000}],/; s/\{"type":"mount"\}/{"type":"mount"},{"type":"user"}/'
chown -R 100000:100000 "$bundle/rootfs"
chmod 711 "$TEST_TMP"
cr run -d -b "$bundle" box || fail run -d
pid=$(cr state box | perl -ne 'print $1 if /"pid": ?(\d+)/')
config '["sh","-c","readlink /proc/self/ns/user; cat /proc/self/uid_map"]' 's/\/box"/\/box2"/; s/\{"type":"mount"\}/{"type":"mount"},{"type":"user","path":"\/proc\/'$pid'\/ns\/user"}/'
expect_match "$(cr run -b "$bundle" box2 | tr -s ' \n' ' ')" "^$(readlink "/proc/$pid/ns/user" | sed 's/[][]/\\&/g') 0 100000 1000 \$"
cr delete -f box || fail delete -f
chown -R 0:0 "$bundle/rootfs"

step a user without any rights
user() { (cd "$TEST_TMP/mine" && setpriv --reuid 1000 --regid 1000 --clear-groups env XDG_RUNTIME_DIR="$TEST_TMP/mine" "$TEST_TMP/mine/cr" "$@"); }
if setpriv --reuid 1000 --regid 1000 --clear-groups unshare -U true 2>/dev/null; then
    mkdir "$TEST_TMP/mine"
    cp -r "$bundle/rootfs" "$TEST_TMP/mine/"
    cp "$(readlink -f "$bin/corten-runtime")" "$TEST_TMP/mine/cr"
    chown -R 1000:1000 "$TEST_TMP/mine"
    chmod 711 "$TEST_TMP"
    user spec --rootless || fail spec --rootless
    perl -pi -e 's/"terminal":true/"terminal":false/; s/"args":\["sh"\]/"args":["sh","-c","id -u; touch \/sys\/fs\/cgroup\/x \/sys\/fs\/cgroup\/*\/cgroup.procs 2>\/dev\/null && echo wrote; (echo bad >\/proc\/1\/exe) 2>\/dev\/null && echo overwrote; sleep 0.2; exit 4"]/' "$TEST_TMP/mine/config.json"
    expect_status 4 user run box
    expect_eq "$output" 0
    expect_eq "$(user list -q)" ""
    perl -pi -e 's/"linux":\{/"linux":{"resources":{"pids":{"limit":7}},/' "$TEST_TMP/mine/config.json"
    expect_fails 'cgroup' user run box
    perl -pi -e 's/"resources":\{"pids":\{"limit":7\}\},//; s/sleep 0.2; exit 4/sleep 60/' "$TEST_TMP/mine/config.json"
    user run -d box >/dev/null 2>&1 || fail run -d
    expect_match "$(user state box)" '"status": ?"running"'
    expect_eq "$(user exec box sh -c 'id -u; test "$(readlink /proc/1/ns/user)" = "$(readlink /proc/self/ns/user)" && echo same')" $'0\nsame'
    expect_status 9 user exec --cwd /etc box sh -c 'test "$PWD" = /etc && exit 9'
    expect_status 127 user exec box nowhere
    user delete -f box || fail delete -f

    step a group that keeps its members out cannot be left by a user namespace
    attacker=$build/test/kernel/attacker
    if [ -x "$attacker" ]; then
        cp "$attacker" "$TEST_TMP/mine/rootfs/bin/attacker"
        echo secret >"$TEST_TMP/mine/rootfs/secret"
        chown 0:7777 "$TEST_TMP/mine/rootfs/secret"
        chmod 604 "$TEST_TMP/mine/rootfs/secret"
        member() { (cd "$TEST_TMP/mine" && setpriv --reuid 1000 --regid 1000 --groups 7777 env XDG_RUNTIME_DIR="$TEST_TMP/mine" "$TEST_TMP/mine/cr" "$@"); }
        perl -pi -e 's/"args":\[.*?\],/"args":["attacker","groups","\/secret"],/' "$TEST_TMP/mine/config.json"
        expect_eq "$(member run box)" $'setgroups none: EPERM\nsetgroups other: EPERM\nopen: EACCES'
        perl -pi -e 's/"args":\[.*?\],/"args":["sleep","60"],/' "$TEST_TMP/mine/config.json"
        member run -d box >/dev/null 2>&1 || fail run -d
        expect_eq "$(member exec box attacker groups /secret)" $'setgroups none: EPERM\nsetgroups other: EPERM\nopen: EACCES'
        expect_fails 'additional|group' member exec --additional-gids 5 box true
        member delete -f box || fail delete -f
    fi
fi

step groups of the caller stay outside
config '["id","-G"]'
expect_eq "$(setpriv --groups 0,7777,8888 corten-runtime --root "$state" run -b "$bundle" box)" 0
config '["id","-G"]' 's/"user":\{/"user":{"additionalGids":[5,4294967294],/'
expect_eq "$(setpriv --groups 0,7777,8888 corten-runtime --root "$state" run -b "$bundle" box)" "0 5 4294967294"
config '["id","-G"]' 's/"user":\{/"user":{"additionalGids":[4294967295],/'
expect_fails additionalGids cr run -b "$bundle" box

step the manual page knows every command and global option
page=$root/dist/debian/corten-runtime.8
for word in $(corten-runtime --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    grep -qE "^\.BI? $word( |\$)" "$page" || fail "the manual page lacks $word"
done
for word in $(corten-runtime --help | grep -o -- '--[a-z-]*'); do
    grep -qF -- "${word//-/\\-}" "$page" || fail "the manual page lacks $word"
done
! command -v groff >/dev/null || expect_eq "$(groff -ww -man -z "$page" 2>&1)" ""

step standard streams that are closed
config '["true"]'
expect_status 0 sh -c "exec corten-runtime --root $state run -b $bundle box <&- >&- 2>&-"
pass
