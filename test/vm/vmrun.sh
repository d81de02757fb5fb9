#!/bin/bash
# vmrun.sh - run one shell script on Debian's own kernel in a virtual machine: pure cgroup v2, AppArmor,
# and nothing of it can reach this host.
#
#   vmrun.sh [-c CACHE] [-m MEGABYTES] [-t SECONDS] SCRIPT [ARGUMENT...]
#
# The guest's root is an overlay of a tmpfs over this host's / (exported read-only over 9p): every program and
# every build product is at its usual path. No network device. Interpreted (TCG), so nothing measured in it
# says anything about speed. Console output goes to stdout; the exit status is the script's.
# Exit 77: it cannot be done here, the reason is on stderr. Exit 125: the guest did not get to the end.
set -u
cache=${CORTEN_VM_CACHE:-/var/cache/corten-vm} memory=1024 limit=280
while getopts c:m:t: option; do
    case $option in
    c) cache=$OPTARG ;;
    m) memory=$OPTARG ;;
    t) limit=$OPTARG ;;
    *) exit 64 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || { echo "vmrun: no script" >&2; exit 64; }
script=$(readlink -f "$1"); shift
arguments=$(printf '%q ' "$@")

cannot() { echo "vmrun: $*" >&2; exit 77; }

[ "$(uname -m)" = x86_64 ] || cannot "only on x86_64"
missing=
for tool in qemu-system-x86_64 busybox cpio depmod dpkg-deb; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
if [ -n "$missing" ]; then
    apt-get install -y --no-install-recommends qemu-system-x86 busybox-static cpio kmod >/dev/null 2>&1 ||
        cannot "missing:$missing"
fi
mkdir -p "$cache" 2>/dev/null || cannot "cannot write $cache"
cache=$(readlink -f "$cache")

# One at a time makes the cache; the others wait for it.
exec 9>"$cache/lock"
flock 9

fetch_kernel() {
    local package
    package=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
    [ -n "$package" ] || return 1
    rm -rf "$cache/unpack" && mkdir -p "$cache/unpack" || return 1
    (cd "$cache/unpack" && apt-get -qq download "$package" && dpkg-deb -x ./*.deb root) >/dev/null 2>&1 || return 1
    depmod -b "$cache/unpack/root" "$(ls "$cache/unpack/root/lib/modules")" || return 1
    rm -rf "$cache/kernel" && mv "$cache/unpack/root" "$cache/kernel" && rm -rf "$cache/unpack"
}
ls "$cache"/kernel/boot/vmlinuz-* >/dev/null 2>&1 || fetch_kernel || cannot "Debian's kernel package cannot be had"
version=$(ls "$cache/kernel/lib/modules")

# The first program in the guest: loads what 9p needs and moves into the overlay.
write_first_init() {
    cat >"$1" <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod "/modules/$module" 2>/dev/null; done
give_up() { echo "GUEST-GIVES-UP: $*"; poweroff -f; }
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=524288,cache=loose host /host || give_up 9p
mount -t tmpfs -o size=60% over /over && mkdir /over/upper /over/work || give_up tmpfs
mount -t overlay -o lowerdir=/host,upperdir=/over/upper,workdir=/over/work root /root || give_up overlay
cache=; for word in $(cat /proc/cmdline); do case $word in vm.cache=*) cache=${word#vm.cache=} ;; esac; done
mkdir -p /root/proc /root/sys /root/dev /root/run /root/tmp /root/mnt /root/lib/modules
mount -t tmpfs run /root/run; mount -t tmpfs tmp /root/tmp; mount -t tmpfs mnt /root/mnt
# What the tests need and would be hidden by these: the tree and the cache, when they lie below /tmp.
for word in $(cat /proc/cmdline); do
    case $word in vm.keep=/tmp/*) mkdir -p "/root${word#vm.keep=}"; mount --bind "/host${word#vm.keep=}" "/root${word#vm.keep=}" ;; esac
done
mount --bind "/root$cache/kernel/lib/modules" /root/lib/modules
for dir in proc sys dev; do mount --move /$dir /root/$dir; done
cp /second /root/run/second
exec switch_root /root /bin/bash /run/second
INIT
}
write_second_init() {
    cat >"$1" <<'INIT'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts; mount -t tmpfs shm /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup; mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
ip link set lo up 2>/dev/null
eval "set -- $(sed -n 's/.*vm\.script=\([^ ]*\).*/\1/p' /proc/cmdline | base64 -d)"
cd /tmp && bash "$@"
echo "GUEST-STATUS=$?"
sync; echo o >/proc/sysrq-trigger; sleep 60
INIT
}

build_initramfs() {
    local dir module path
    dir=$(mktemp -d) || return 1
    mkdir -p "$dir"/{bin,proc,sys,dev,host,over,root,modules}
    cp "$(readlink -f "$(command -v busybox)")" "$dir/bin/busybox"
    for path in sh mount mkdir insmod poweroff cat cp switch_root echo; do ln -s busybox "$dir/bin/$path"; done
    for module in virtio_pci 9p 9pnet_virtio overlay; do
        modprobe -d "$cache/kernel" -S "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
    done | awk '!seen[$0]++' | while read -r path; do
        cp "$path" "$dir/modules/" && basename "$path" >>"$dir/modules/order"
    done
    write_first_init "$dir/init"; write_second_init "$dir/second"; chmod 755 "$dir/init"
    (cd "$dir" && find . | cpio -o -H newc --quiet | gzip -1) >"$cache/initramfs.new" && mv "$cache/initramfs.new" "$cache/initramfs"
    rm -rf "$dir"
}
if [ ! -s "$cache/initramfs" ] || [ "$0" -nt "$cache/initramfs" ] || [ "$cache/kernel" -nt "$cache/initramfs" ]; then
    build_initramfs || cannot "the initramfs cannot be built"
fi
flock -u 9

tree=$(readlink -f "$(dirname "$script")/../..")
words=$(printf '%q %s' "$script" "$arguments" | base64 -w0)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
timeout "$limit" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -M q35 -m "$memory" -smp 2 \
    -nodefaults -no-user-config -nographic -no-reboot -serial stdio \
    -kernel "$cache/kernel/boot/vmlinuz-$version" -initrd "$cache/initramfs" \
    -append "console=ttyS0 quiet panic=-1 rdinit=/init vm.cache=$cache vm.keep=$tree vm.keep=$cache vm.script=$words" \
    -fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap \
    -device virtio-9p-pci,fsdev=host,mount_tag=host </dev/null 2>&1 9>&- |
    stdbuf -o0 tr -d '\r' | sed -u 's/\x1b\[[0-9;?]*[a-zA-Z]//g; s/\x1bc//g' | tee "$log"
status=$(sed -n 's/^GUEST-STATUS=//p' "$log" | tail -1)
[ -n "$status" ] || { echo "vmrun: the guest did not get to the end within $limit s" >&2; exit 125; }
exit "$status"
