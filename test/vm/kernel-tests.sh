# Runs in the guest: every kernel test that was built, one after the other. $1: directory of the programs.
uname -sr
for program in "$1"/kernel-*; do
    case $program in *.p) continue ;; esac
    [ -x "$program" ] || continue
    echo "GUEST-TEST ${program##*/}"
    timeout 100 "$program" 2>&1
    echo "GUEST-TEST-STATUS $?"
done
