# Runs in the guest ($1: the directory with the packages): the Debian packages under a real systemd, the first process of
# a pid namespace. Install, restart, limits of the service, upgrade, docker's name and socket, purge. Prints what fails,
# and "all is well" when nothing does.
limit=900
if [ "${2:-}" != inside ]; then
    # shellcheck source=test/vm/under-systemd.sh
    . "$(dirname "$(readlink -f "$0")")/under-systemd.sh"
fi

set -u
unset CORTEN_HOST DOCKER_HOST DOCKER_CONTEXT
export HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C
began=$SECONDS
step() { echo "-- $* ($((SECONDS - began)) s)"; }
fail() {
    echo "FAILED at line ${BASH_LINENO[0]}: $*"
    systemctl status --no-pager -n 0 corten.service corten.socket 2>&1 | head -30
    tail -20 /run/cortend.log
    exit 1
}
same() { [ "$1" = "$2" ] || fail "got '$1', want '$2'"; }
shown() { systemctl show "$1" -p "$2" --value; }
soon() { # COMMAND: within 30 s
    local i
    for i in $(seq 150); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.2
    done
    fail "$*: not within the time"
}
mine() { cut -d: -f3 "/proc/$1/cgroup"; }
# What the image at hand holds back: that services are started.
rm -f /usr/sbin/policy-rc.d
# The journal is not there: what the daemon says lands in a file.
mkdir -p /run/systemd/system/corten.service.d
printf '[Service]\nStandardError=append:/run/cortend.log\n' >/run/systemd/system/corten.service.d/log.conf
mkdir -p /mnt/data /var/lib/corten && mount --bind /mnt/data /var/lib/corten # no overlay on the overlay that the root is
modprobe overlay

rm -f /var/lib/man-db/auto-update # the index of all manual pages takes an emulated processor a quarter of an hour
dpkg() { timeout 200 /usr/bin/dpkg --force-unsafe-io "$@"; }

step "without the peers"
for peer in docker.io docker-cli podman-docker; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' $peer 2>/dev/null)" != installed ] || dpkg -r --force-depends $peer >/dev/null 2>&1
done
deb=$(ls "$1"/corten_*.deb) name_deb=$(ls "$1"/corten-docker_*.deb)
step install
dpkg -i "$deb" >/run/dpkg.log 2>&1 || fail "install: $(cat /run/dpkg.log)"
same "$(shown corten.service ActiveState) $(shown corten.socket ActiveState)" "active active"
same "$(systemctl is-enabled corten.service corten.socket | tr '\n' ' ')" "enabled enabled "
same "$(stat -c '%U %G %a' /run/corten/corten.sock)" "root corten 660"
same "$(getent group corten | cut -d: -f4)" ""
version=$(corten version --format '{{.Server.Version}}') || fail "the daemon does not answer"

step "a container, and where everybody lives"
mkdir -p /run/root/bin
cp "$(readlink -f "$(command -v busybox)")" /run/root/bin/busybox
for name in sh sleep cat; do ln -s busybox /run/root/bin/$name; done
tar -C /run/root -c . | corten import - box >/dev/null || fail import
corten run -d --name one --restart always box sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done' >/dev/null || fail run
pid=$(corten inspect -f '{{.State.Pid}}' one)
monitor=$(awk '/^PPid/ { print $2 }' "/proc/$pid/status")
daemon=$(shown corten.service MainPID)
same "$(mine "$daemon")" /system.slice/corten.service
instance=$(mine "$monitor")
case $instance in /corten*/monitors) ;; *) fail "the monitor lives in $instance" ;; esac
same "$(cat /sys/fs/cgroup/system.slice/corten.service/cgroup.procs)" "$daemon"
same "$(cat "/proc/$daemon/oom_score_adj" "/proc/$monitor/oom_score_adj" "/proc/$pid/oom_score_adj" | tr '\n' ' ')" "-500 -500 0 "
lives() { # it is the same one, and it counts
    local before
    [ -e "/proc/$monitor" ] && [ "$(awk '/^PPid/ { print $2 }' "/proc/$pid/status")" = "$monitor" ] || fail "the container has ended: $*"
    before=$(stat -c %s /mnt/data/container/*/*-json.log | tail -1)
    soon eval '[ "$(stat -c %s /mnt/data/container/*/*-json.log | tail -1)" -gt '"$before"' ]'
}
lives at first

step "stop, and a client that waits meanwhile"
systemctl stop corten.service || fail stop
lives after the stop
[ ! -e "/proc/$daemon" ] || fail "the daemon lives"
same "$(corten inspect -f '{{.State.Pid}} {{.RestartCount}}' one)" "$pid 0" # by the socket, which starts the service
systemctl restart corten.service || fail restart
same "$(corten exec one cat /proc/1/comm)" sh
lives after the restart
systemctl reload corten.service || fail reload
same "$(shown corten.service ActiveState)" active

step "the service's memory ends"
systemctl set-property --runtime corten.service MemoryMax=1M MemorySwapMax=0 || fail set-property
soon eval '[ "$(systemctl show corten.service -p MainPID --value)" != '"$(shown corten.service MainPID)"' ]'
lives without the memory of the service
systemctl set-property --runtime corten.service MemoryMax=infinity || fail set-property
systemctl reset-failed corten.service corten.socket
systemctl start corten.socket corten.service || fail start
soon corten version
same "$(corten inspect -f '{{.State.Pid}} {{.RestartCount}}' one)" "$pid 0"
same "$(corten logs one | awk '$1 != last + 1 { print "gap at line " NR } { last = $1 }' | head -1)" ""

step upgrade
dpkg-deb -R "$deb" /run/next && sed -i 's/^Version: .*/&+next/' /run/next/DEBIAN/control &&
    dpkg-deb --root-owner-group -Znone -b /run/next /run/next.deb >/dev/null || fail "the next version"
daemon=$(shown corten.service MainPID)
dpkg -i /run/next.deb >/run/dpkg.log 2>&1 || fail "upgrade: $(cat /run/dpkg.log)"
[ "$(shown corten.service MainPID)" != "$daemon" ] || fail "the service was not restarted"
same "$(corten inspect -f '{{.State.Pid}} {{.RestartCount}}' one)" "$pid 0"
lives after the upgrade
same "$(corten exec one cat /proc/1/comm)" sh

step "docker's name and socket"
dpkg -i "$name_deb" >/run/dpkg.log 2>&1 || fail "corten-docker: $(cat /run/dpkg.log)"
same "$(stat -c '%U %G %a' /run/docker.sock)" "root docker 660"
same "$(/usr/bin/docker version --format '{{.Server.Version}}')" "$version"
same "$(curl -s --unix-socket /var/run/docker.sock http://d/_ping)" OK
same "$(/usr/bin/docker exec one cat /proc/1/comm)" sh
same "$(printf 'GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n' | /usr/bin/docker system dial-stdio | tail -1)" OK
lives under the other name
# A member of the group, and one who is none.
same "$(setpriv --reuid 4242 --regid 4242 --groups "$(getent group docker | cut -d: -f3)" curl -s --unix-socket /run/docker.sock http://d/_ping)" OK
setpriv --reuid 4242 --regid 4242 --clear-groups curl -s --unix-socket /run/docker.sock http://d/_ping && fail "anybody may use it"
# Bind-mounted into a container, as dashboards and proxies have it.
same "$(corten run --rm -v /var/run/docker.sock:/var/run/docker.sock -v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro \
    box /usr/bin/curl -s --unix-socket /var/run/docker.sock http://d/_ping)" OK
dpkg -P corten-docker >/run/dpkg.log 2>&1 || fail "purge of corten-docker: $(cat /run/dpkg.log)"
[ ! -e /usr/bin/docker ] && [ ! -S /run/docker.sock ] || fail "docker's name or socket is left"
lives after it

step "remove and purge"
dpkg -r corten >/run/dpkg.log 2>&1 || fail "remove: $(cat /run/dpkg.log)"
[ ! -e "/proc/$pid" ] || fail "the container runs without anybody to look after it"
soon eval '[ ! -e /proc/'"$monitor"' ]'
dpkg -P corten >/run/dpkg.log 2>&1 || fail "purge: $(cat /run/dpkg.log)"
grep -q '/var/lib/corten' /run/dpkg.log || fail "the purge does not say what stays"
[ ! -e /etc/corten ] && [ ! -e /run/corten ] || fail "/etc/corten or /run/corten is left"
[ -d /mnt/data/container ] || fail "the data is gone"
soon eval '! ls -d /sys/fs/cgroup/corten*'
same "$(ip -o link show type bridge)" ""
same "$(nft list tables | grep corten)" ""
same "$(systemctl list-units --all --no-legend 'corten*' | grep -v corten-test)" ""
step end
echo all is well
