#!/bin/bash
# Independent stages run side by side, their output keeps one order, a failure ends the others.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
export DOCKER_BUILDKIT=0
mkdir ctx
cat >ctx/Dockerfile <<'END'
FROM busybox AS a
RUN echo begin-a; sleep 1.5; echo end-a; echo a > /a
FROM busybox AS b
RUN echo begin-b; sleep 1.5; echo end-b; echo b > /b
FROM busybox AS c
RUN echo begin-c; sleep 1.5; echo end-c; echo c > /c
FROM busybox
RUN echo own; sleep 1
COPY --from=a /a /
COPY --from=b /b /
COPY --from=c /c /
END
step "as long as the longest stage"
begin=$(date +%s%N)
out=$(dk build -t p ctx 2>&1) || fail "$out"
took=$((($(date +%s%N) - begin) / 1000000))
[ $took -lt 4000 ] || fail "took $took ms"
expect_eq "$(dk run --rm p cat /a /b /c | xargs)" "a b c"
expect_eq "$(grep -oE '^(Step [0-9]+/|(begin|end)-.|own$)' <<<"$out" | xargs)" \
    "Step 1/ Step 2/ own Step 3/ Step 4/ begin-a end-a Step 5/ Step 6/ Step 7/ begin-b end-b Step 8/ Step 9/ Step 10/ begin-c end-c Step 11/"
out2=$(dk build -t p ctx 2>&1) || fail "$out2"
expect_eq "$(tail -2 <<<"$out2")" "$(tail -2 <<<"$out")"

step "a failure ends the others, and is what is said"
sed -i 's/echo begin-b; sleep 1.5/echo broken; exit 7/; s/begin-a; sleep 1.5/begin-a; sleep 30/' ctx/Dockerfile
begin=$(date +%s%N)
out=$(dk build --no-cache ctx 2>&1) && fail "built"
took=$((($(date +%s%N) - begin) / 1000000))
[ $took -lt 8000 ] || fail "took $took ms"
expect_match "$out" '^broken$'
expect_match "$out" "returned a non-zero code: 7"
eventually 5 eval '[ -z "$(dk ps -aq)" ]'
pass
