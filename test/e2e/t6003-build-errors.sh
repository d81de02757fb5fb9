#!/bin/bash
# Builds that fail: status and words, nothing left behind; parameters and features that are refused.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
export DOCKER_BUILDKIT=0
mkdir ctx
echo x >ctx/file
refused() { # WORDS DOCKERFILE [OPTION…]
    local words=$1
    printf '%b' "$2" >ctx/Dockerfile
    shift 2
    expect_fails "$words" dk build "$@" ctx
}

step "errors have a place and say what was meant"
refused 'Dockerfile:2:1: unknown instruction: RUNN \(did you mean RUN\?\)' 'FROM busybox\nRUNN x\n'
refused 'Dockerfile:2:6: unknown flag: --form \(did you mean --from\?\)' 'FROM busybox\nCOPY --form=x . .\n'
refused 'ENV must have two arguments' 'FROM busybox\nENV x\n'
refused 'no build stage' 'RUN x\n'
refused 'cannot be empty' ' \n'
refused 'target stage "nope" could not be found' 'FROM busybox\n' --target nope
refused 'B: is not allowed to be unset' 'FROM busybox\nENV A=${B?}\n'

step "checks that shall be errors, languages that are not spoken"
refused 'warning: StageNameCasing' '# check=error=true\nFROM busybox AS Up\n'
refused '1 finding with check=error=true' 'FROM busybox AS Up\n' --build-arg BUILDKIT_DOCKERFILE_CHECK=error=true
refused "unknown option 'eror'" '# check=eror=true\nFROM busybox\n'
refused "syntax 'x/y:1' is not supported" '# syntax=x/y:1\nFROM busybox\n'
printf '# syntax=mirror.example/docker/dockerfile:1.7-labs@sha256:00\n# check=skip=StageNameCasing;error=true\nFROM busybox AS Up\n' >ctx/Dockerfile
dk build -q ctx >/dev/null || fail "checks that are skipped, a frontend that is built in"

step "steps that fail"
refused "The command '/bin/sh -c exit 3' returned a non-zero code: 3" 'FROM busybox\nRUN exit 3\n'
refused 'excluded by .dockerignore: nope' 'FROM busybox\nCOPY nope /\n'
refused 'not found' 'FROM busybox AS a\nFROM busybox\nCOPY --from=a /nope /\n'
refused 'cannot copy to non-directory: /bin/busybox' 'FROM busybox\nCOPY . /bin/sh\n'
refused "user 'nope' is not in the image" 'FROM busybox\nCOPY --chown=nope file /\n'
refused 'invalid chmod parameter' 'FROM busybox\nCOPY --chmod=9 file /\n'

step "what is not there yet is refused by name"
refused 'RUN --device is not supported' 'FROM busybox\nRUN --device=x true\n'
printf 'FROM busybox\n' >ctx/Dockerfile
tar c -C ctx . >ctx.tar
post() { curl -s -o answer -w '%{http_code}' --unix-socket "$SOCKET" -X POST -H 'Content-Type: application/x-tar' --data-binary @ctx.tar "http://d/v1.45/build?$1"; }
expect_eq "$(post version=2)" 501
expect_match "$(cat answer)" "version=2"
expect_eq "$(post 'remote=ftp%3A%2F%2Fx%2Fy')" 400
expect_match "$(cat answer)" 'neither a URL nor a git repository'
expect_eq "$(post 'outputs=%5B%7B%7D%5D')" 501
expect_match "$(cat answer)" "'outputs' is not supported"
expect_eq "$(post 'buildargs=%7B')" 400
expect_match "$(cat answer)" "build parameter 'buildargs'"
expect_eq "$(post 'dockerfile=nope')" 400
expect_match "$(cat answer)" "Cannot locate specified Dockerfile: nope"
expect_eq "$(post 't=UPPER%20x')" 400
expect_eq "$(post '')" 200
expect_match "$(cat answer)" '^\{"aux":\{"ID":"sha256:[0-9a-f]{64}"\}\}'

step "hostile contexts"
make() { tar --format=ustar -P -f "$@"; }
mkdir h && cd h || exit 2
printf 'FROM busybox\nCOPY . /c\nRUN ls /c && ! test -e /c/etc/shadow\n' >Dockerfile
echo x >x
cp x y && ln y hard
ln -s /etc out
make ../h1.tar -c Dockerfile --transform 's|^x$|../../../../tmp/corten-escaped|' x
make ../h2.tar -c Dockerfile out && make ../h2.tar -r --transform 's|^x$|out/corten-escaped|' x
printf 'FROM busybox\nCOPY out/hostname /h\n' >Dockerfile && make ../h3.tar -c Dockerfile out
rm Dockerfile && ln -s /etc/passwd Dockerfile && make ../h4.tar -c Dockerfile
rm Dockerfile && printf 'FROM busybox\nCOPY . /c\n' >Dockerfile
make ../h5.tar -c --transform 's|^y$|/etc/shadow|RS' Dockerfile y hard
ln -s /etc/passwd .dockerignore && make ../h6.tar -c Dockerfile .dockerignore
cd .. && printf '\037\213\010\000garbage' >h7.tar
# The second is harmless: its link leads to the context's own /etc.
cp h2.tar ctx.tar && post '' >/dev/null
for n in 1 3 4 5 7; do
    cp h$n.tar ctx.tar
    code=$(post '')
    [ "$code" != 200 ] || grep -q errorDetail answer || fail "hostile context $n was built: $(cat answer)"
done
[ ! -e /tmp/corten-escaped ] && [ ! -e /etc/corten-escaped ] || fail "a context wrote outside"
cp h6.tar ctx.tar
expect_eq "$(post '')" 200

step "nothing is left behind"
expect_eq "$(dk ps -aq)" ""
empty() { [ -d "$DATA_ROOT/tmp" ] && [ -z "$(ls -A "$DATA_ROOT/tmp")" ]; }
eventually 5 empty
expect_eq "$(dk images -q busybox | wc -l)" 1
pass
