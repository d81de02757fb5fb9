# Runs in the guest: every kernel test that was built, one after the other. $1: the build directory, $2: the
# source tree (tests run in it, as meson runs them).
uname -sr
cd "$2" || exit 1
export CORTEN_BIN="$1/bin"
export CORTEN_GUEST=1 # a machine of our own: tests may change what belongs to all of it
ulimit -n 65536 # the guest gives 1,024; the tests count on what a host gives
for program in "$1"/test/kernel/kernel-*; do
    case $program in *.p) continue ;; esac
    [ -x "$program" ] || continue
    echo "GUEST-TEST ${program##*/}"
    began=$SECONDS
    timeout 200 "$program" 2>&1
    echo "GUEST-TEST-STATUS $? after $((SECONDS - began)) s"
done
