# Runs in the guest ($1: the build directory, $2: the source tree): the e2e tests of what this host's kernel lacks and
# Debian's has: ipvlan, VLANs, dummy interfaces, sctp, project quota, NFS.
for module in br_netfilter 8021q ipvlan dummy sctp loop ext4 xfs btrfs quota_v2 nfs nfsd; do modprobe $module; done
ulimit -n 65536
cd "$2" || exit 1
export CORTEN_BUILD=$1 CORTEN_GUEST=1 # a machine of our own: tests may change what belongs to all of it
shift 2
status=0
for test in "$@"; do
    timeout 600 bash test/e2e/"$test"-*.sh
    code=$?
    echo "GUEST-TEST $test $code"
    [ $code = 0 ] || status=1
done
exit $status
