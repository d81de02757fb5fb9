#!/bin/bash
# The tour of README.md, line by line, as a reader would paste it.
. "$(dirname "$0")/lib.sh"
[ -x /bin/busybox ] || skip "busybox-static is not installed"
make_net
# Code blocks of the tour; the reader's /tmp/corten is this test's own, and the programs are built already.
awk '/^## Five minutes/ { on = 1 } /^## What to read/ { on = 0 } on && /^```/ { code = !code; if (!code) print "#end"; next } on && code' \
    "$root/README.md" | sed "s#/tmp/corten#$TEST_TMP/tour#g" >"$TEST_TMP/tour.sh"
[ "$(grep -c '^#end' "$TEST_TMP/tour.sh")" -ge 4 ] || fail "the tour has fewer blocks than there were"
sed -i -e 's#^\./dev build$##' -e "s#^export PATH=.*#export PATH=$bin:\$PATH#" "$TEST_TMP/tour.sh"
# What a reader does between the first block and the next takes longer than the daemon's start.
awk '{ print } /^#end/ && !n++ { print "for i in $(seq 100); do corten version >/dev/null 2>&1 && break; sleep 0.05; done; daemon=$!" }' \
    "$TEST_TMP/tour.sh" >"$TEST_TMP/paste.sh"
grep -q '^corten run' "$TEST_TMP/paste.sh" && grep -q '^cortend ' "$TEST_TMP/paste.sh" || fail "the tour is not what this test expects"
echo 'corten images; kill $daemon; wait $daemon' >>"$TEST_TMP/paste.sh"
mkdir "$TEST_TMP/reader" && cd "$TEST_TMP/reader" || exit 2
in_net bash -e -x "$TEST_TMP/paste.sh" >"$TEST_TMP/out" 2>&1 </dev/null || fail "$(tail -30 "$TEST_TMP/out")"
expect_match "$(<"$TEST_TMP/out")" '^hello from [0-9a-f]{12}$'
expect_match "$(<"$TEST_TMP/out")" '^site  *latest'
expect_match "$(<"$TEST_TMP/out")" '^checked: validate: ok$'
expect_match "$(<"$TEST_TMP/out")" '^ancestor site$'
pass
