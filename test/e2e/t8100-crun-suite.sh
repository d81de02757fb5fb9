#!/bin/bash
# crun's own test suite, unmodified, run against corten-runtime: what crun itself passes on this machine,
# corten-runtime passes too. A part of it by default; all of it, beside crun, with CORTEN_FULL.
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip needs python3
cache=$root/.cache/crun-source
if [ ! -d "$cache/tests" ]; then
    command -v apt-get >/dev/null || skip needs apt-get to have the source of crun
    mkdir -p "$TEST_TMP/apt/lists/partial" "$TEST_TMP/apt/cache/archives/partial" "$cache"
    # Where this machine's own packages come from, and of the same release.
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' | sort -u |
        awk -v suite="$suite" '$2 == suite { print "deb-src " $1 " " suite " main" }' >"$TEST_TMP/apt/sources"
    [ -s "$TEST_TMP/apt/sources" ] || skip no source of packages is configured
    options=(-q -o Dir::Etc::SourceList="$TEST_TMP/apt/sources" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::State::Lists="$TEST_TMP/apt/lists" -o Dir::Cache="$TEST_TMP/apt/cache")
    (cd "$TEST_TMP" && apt-get "${options[@]}" update && apt-get "${options[@]}" --download-only source crun) \
        >"$TEST_TMP/apt.log" 2>&1 || skip the source of crun cannot be had
    tar -C "$cache" --strip-components=1 -xf "$TEST_TMP"/crun_*.orig.tar.?z || fail unpack crun
fi
cp -r "$cache/tests" "$TEST_TMP/suite"
mkdir "$TEST_TMP/include"
: >"$TEST_TMP/include/config.h"
gcc -w -static -D_GNU_SOURCE -I"$TEST_TMP/include" "$TEST_TMP/suite/init.c" -o "$TEST_TMP/suite/init" || skip cannot build the suite

# Left out, in both: needs criu; and one that freezes a process in a cgroup of its own and leaves it there.
cat >"$TEST_TMP/one.sh" <<'EOF'
mount --make-rprivate /
[ -z "$COVER" ] || [ ! -d /sys/fs/cgroup/unified ] || mount -t tmpfs none /sys/fs/cgroup/unified
cd "$SUITE" || exit 1
for name in $TESTS; do
    RUN_TESTS=$([ "$name" != test_delete ] || echo test_multiple_containers_delete)
    export RUN_TESTS
    [ -n "$RUN_TESTS" ] || unset RUN_TESTS
    echo "== $name"
    timeout 120 python3 "$name.py"
done
EOF
cgroups() { find /sys/fs/cgroup -path '*/corten/test-tmp*' -type d | sort; }
before=$(cgroups)
run_suite() { # RUNTIME OUTPUT COVER
    OCI_RUNTIME=$1 INIT=$TEST_TMP/suite/init SUITE=$TEST_TMP/suite COVER=$3 TESTS=$tests \
        unshare -m bash "$TEST_TMP/one.sh" >"$2" 2>&1 </dev/null
    perl -ne '$t = $1 if /^== (\w+)/; print "$t $2\n" if /^ok (\d+) - (\S+)(?!.*#SKIP)/' "$2" | sort -u >"$2.passed"
}
all=$(cd "$TEST_TMP/suite" && ls test_*.py | sed 's/\.py$//' | grep -v checkpoint)
if [ -n "${CORTEN_FULL:-}" ] && command -v crun >/dev/null; then
    tests=$all
    step crun itself
    # crun 1.8 refuses a hybrid host: it gets one without the cgroup2 tree.
    run_suite "$(command -v crun)" "$TEST_TMP/crun.out" cover
else
    tests="test_capabilities test_cwd test_detach test_hostname test_hooks test_limits test_paths test_pid
        test_preserve_fds test_rlimits test_uid_gid test_exec"
fi
step corten-runtime
run_suite "$bin/corten-runtime" "$TEST_TMP/corten.out" ""
passed=$(wc -l <"$TEST_TMP/corten.out.passed")
echo "$passed passed"
if [ -f "$TEST_TMP/crun.out.passed" ]; then
    echo "$(wc -l <"$TEST_TMP/crun.out.passed") passed by crun itself"
    missing=$(comm -23 "$TEST_TMP/crun.out.passed" "$TEST_TMP/corten.out.passed" | grep -v ' exec_write_pid_file') # where a pid has five digits
    [ -z "$missing" ] || { cat "$TEST_TMP/corten.out"; fail "crun passes, corten-runtime does not: $missing"; }
else
    # What crun fails as well: where a sandbox hides /proc/1, and where a pid has less than five digits.
    wrong=$(grep '^not ok' "$TEST_TMP/corten.out" | grep -vE 'exec-root-netns-with-userns|exec_write_pid_file')
    [ -z "$wrong" ] || { cat "$TEST_TMP/corten.out"; fail "$wrong"; }
    [ "$passed" -ge 30 ] || fail "only $passed tests passed"
fi
left=$(comm -13 <(echo "$before") <(cgroups))
[ -z "$left" ] || fail "cgroups are left: $left"
pass
