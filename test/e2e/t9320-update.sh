#!/bin/bash
# Update as a transaction: kept when update and validation are good; else what was written is as it
# was, under a service that goes on; in order, up to the first failure; a webhook with a token.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
mkdir ctx
cat >ctx/Dockerfile <<'EOF'
FROM busybox
RUN mkdir -p /site/keep /site/gone /old && echo one > /site/index && echo image > /site/keep/f && echo g > /site/gone/g && ln -s keep /site/link
VOLUME /data
LABEL corten.method.validate="test \"\$(cat /site/index)\" != broken && echo content \$(cat /site/index)"
LABEL corten.method.quiesce="sync"
LABEL corten.method.update="sh /tmp/do"
LABEL corten.method.rollback="echo rolled >> /tmp/calls"
CMD ["sh", "-c", "trap 'exit 0' TERM; while :; do cat /site/index >/dev/null || echo miss >>/tmp/misses; sleep 0.01; done"]
EOF
dk build -q -t app ctx >/dev/null 2>&1 || fail "build"
dk run -d --name web -v data:/data app >/dev/null || fail "run"
started=$(dk inspect -f '{{.State.StartedAt}}' web)
told() { dk exec -i web sh -c 'cat > /tmp/do'; }
tree() { dk exec web sh -c 'cd /site; find . | sort; ls -ld /site /site/keep | awk "{print \$1,\$3,\$4}"; cat index keep/f own/x 2>/dev/null; readlink link; cat /data/d 2>/dev/null'; }

step "a good one is kept"
told <<<'echo two > /site/index; mkdir /site/own; echo mine > /site/own/x; chmod 700 /site/own; echo kept > /data/d'
expect_status 0 ct update web
expect_match "$output" '^web: quiesce: ok'
expect_match "$output" '^web: update: ok'
expect_match "$output" '^web: validate: ok: content two$'
expect_match "$output" '^web: kept$'
expect_eq "$(dk exec web cat /site/index)" two
[ ! -e "$DATA_ROOT/container/$(dk inspect -f '{{.Id}}' web)/update" ] || fail "what was kept is still there"

step "one that validation refuses is taken back: changed, made, removed, replaced, and the chosen volume"
before=$(tree)
told <<<'echo broken > /site/index; rm -r /site/gone /site/own; mkdir /site/own; echo other > /site/own/x; echo n > /site/new; mkdir -p /site/deep/er; echo c > /site/keep/f; chmod 777 /site/keep; rm /site/link; ln -s / /site/link; echo bad > /data/d; mv /old /older; rm -r /site/keep.d 2>/dev/null; echo out; '
expect_status 1 ct update --snapshot-volume data web
expect_match "$output" '^out$'
expect_match "$output" '^web: rolled back: method: validate: failed \(exit status 1\)'
expect_eq "$(tree)" "$before"
expect_eq "$(dk exec web sh -c 'ls -d /old /older 2>/dev/null; ls -A / | grep corten; cat /tmp/calls; cat /tmp/misses 2>/dev/null')" "/old
rolled"
expect_eq "$(dk inspect -f '{{.State.StartedAt}} {{.RestartCount}}' web)" "$started 0"
expect_match "$(ct methods web)" 'transaction +call +failed +1 +1 +rolled back: method: validate: failed'
told <<<'echo x > /data/d; exit 7'
expect_status 1 ct update web
expect_match "$output" '^web: rolled back: method: update: failed \(exit status 7\)'
expect_eq "$(dk exec web cat /data/d)" x

step "what a step says is told while it runs: by both command lines, the API, in the container; once"
told <<<'printf "first\n\303"; until [ -e /tmp/go ]; do sleep 0.05; done; printf "\244\nlast\n"; rm /tmp/go'
for how in 'ct update web' 'ct update --json web' 'dk exec web container --update'; do
    $how >live 2>live.err & other=$!
    eventually 5 grep -q first live
    expect_no_match "$(cat live)" last
    dk exec web touch /tmp/go
    wait $other || fail "$how"
    case $how in
    *json*) expect_eq "$(jq -rj 'select(.Step == "update") | .Output // empty' live)" "$(printf 'first\n\303\244\nlast\n')" ;;
    *) expect_eq "$(sed -n '/first/,/last/p' live)" "$(printf 'first\n\303\244\nlast\n')" ;;
    esac
done

step "said before it is done; only one at a time; who has no such method"
expect_match "$(ct update --dry-run --snapshot-volume '*' web 2>&1)" '^web: snapshot: the writable layer and 1 volumes$'
expect_match "$(ct update --dry-run web 2>&1)" '^web: on failure: roll back$'
expect_fails 'has no writable volume nosuch' ct update --snapshot-volume nosuch web
dk run -d --name plain busybox sleep 1000 >/dev/null
expect_fails 'has no method update' ct update plain
told <<<'sleep 2'
ct update web >/dev/null 2>&1 & other=$!
eventually 5 eval 'dk top web -eo pid,args | grep -q "sleep 2"'
expect_fails 'is being updated' ct update web
wait $other || fail "the slow one"

step "in order, with a stop at the first failure"
dk run -d --name two app >/dev/null
dk run -d --name three app >/dev/null
told <<<true
dk exec -i two sh -c 'echo "exit 1" > /tmp/do'
dk exec -i three sh -c 'echo "echo never > /site/index" > /tmp/do'
expect_status 1 ct update web two three
expect_match "$output" '^web: kept$'
expect_match "$output" '^two: rolled back: '
expect_match "$output" '^not updated: 1 more$'
expect_eq "$(dk exec three cat /site/index)" one

step "a webhook: right token, signature, wrong token, rate"
hook() { # STATUS CURL-OPTIONS…: of the call
    local want=$1 got; shift
    got=$(curl -sS -o "$TEST_TMP/hook" -w '%{http_code}' -X POST --unix-socket "$SOCKET" "$@") || fail "no answer"
    expect_eq "$got" "$want"
}
url=http://d/corten/hook/three
hook 403 "$url"
token=$(ct webhook create three 2>/dev/null)
hook 403 "$url?token=${token%?}0000"
hook 403 "http://d/corten/hook/nosuch?token=$token"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do hook 403 "$url"; done # neither tell of the container nor use its calls up
hook 202 -H "Authorization: Bearer $token" "$url"
eventually 5 eval '[ "$(dk exec three cat /site/index)" = never ]'
eventually 5 eval 'ct methods three | grep -q "transaction  *webhook  *ok"'
signature=$(printf push | openssl dgst -sha256 -hmac "$token" | sed 's/.*= //')
hook 202 -H "X-Hub-Signature-256: sha256=$signature" --data-binary push "$url"
eventually 5 eval '[ "$(ct methods three | grep -c "transaction  *webhook")" = 2 ]'
hook 403 -H "X-Hub-Signature-256: sha256=$signature" --data-binary pull "$url"
restart_daemon
hook 202 -H "X-Gitlab-Token: $token" "$url"
for _ in 1 2 3 4 5 6 7 8 9; do curl -sS -o /dev/null -X POST --unix-socket "$SOCKET" "$url?token=$token"; done
hook 429 "$url?token=$token"
other=$(ct webhook create two 2>/dev/null)
for bad in "X-Hub-Signature-256: sha256=" "X-Hub-Signature-256: sha256=${signature}00" "X-Hub-Signature-256: sha1=$signature" \
    "Authorization: Bearer ${other}0" "Authorization: Bearer ${other%?}" "Authorization: Basic $other" "X-Gitlab-Token;"; do
    hook 403 -H "$bad" "${url%three}two"
done
hook 403 "$url?token=$other" # another container's
head -c 3000000 /dev/zero >large
expect_match "$(curl -sS -o /dev/null -w '%{http_code}' -X POST --unix-socket "$SOCKET" -H "X-Hub-Signature-256: sha256=$signature" --data-binary @large "${url%three}two")" '^4(03|13)$'
for i in $(seq 70); do # wrong ones of all together; who has a token is not kept out by them
    [ "$(curl -sS -o /dev/null -w '%{http_code}' -X POST --unix-socket "$SOCKET" "http://d/corten/hook/no$i")" = 403 ] || break
done
hook 429 http://d/corten/hook/nosuch
dk exec -i two sh -c 'echo "true" > /tmp/do'
hook 202 -H "Authorization: Bearer $other" "${url%three}two"
ct webhook rm three two >/dev/null
hook 429 "$url?token=$token" # a wrong one now, of which there were too many
expect_no_match "$(dk inspect three)" "$token"

step "every interval, as a transaction too"
dk run -d --name often --label corten.method.update.interval=1s app >/dev/null
dk exec -i often sh -c 'echo "echo broken > /site/index" > /tmp/do'
eventually 8 eval 'ct methods often | grep -q "transaction  *interval  *failed .*rolled back: method: validate"'
dk rm -f often >/dev/null

step "the daemon dies in the middle: the next one takes it back"
told <<<'echo half > /data/d; echo half > /site/index; sleep 1000'
before=$(dk exec web cat /data/d)
ct update --snapshot-volume data web >/dev/null 2>&1 &
eventually 5 eval '[ "$(dk exec web cat /site/index)" = half ]'
kill_daemon
restart_daemon
eventually 5 eval '[ "$(dk exec web cat /site/index)" = two ]'
eventually 5 eval 'ct methods web | grep -q "rolled back: the daemon ended"'
expect_eq "$(dk exec web cat /data/d)" "$before" # the chosen volume, which the next daemon was not told
expect_eq "$(dk inspect -f '{{.State.StartedAt}}' web)" "$started"
expect_eq "$(dk top web -eo args,pid | grep -c 'sleep 1000')" 0

step "what is to be kept is kept: after a failure, and after the daemon's death"
dk run -d --name keeps --label corten.method.update.on-failure=keep app >/dev/null
dk exec -i keeps sh -c 'echo "echo broken > /site/index" > /tmp/do'
expect_status 1 ct update keeps
expect_match "$output" '^keeps: failed: method: validate: failed'
expect_eq "$(dk exec keeps cat /site/index)" broken
dk exec -i keeps sh -c 'echo "echo half > /site/index; sleep 1000" > /tmp/do'
ct update keeps >/dev/null 2>&1 &
eventually 5 eval '[ "$(dk exec keeps cat /site/index)" = half ]'
kill_daemon
restart_daemon
eventually 5 eval 'ct methods keeps | grep -q "transaction  *daemon  *failed .*the daemon ended"'
expect_eq "$(dk exec keeps cat /site/index)" half
[ ! -e "$DATA_ROOT/container/$(dk inspect -f '{{.Id}}' keeps)/update" ] || fail "what was kept for a rollback is still there"
dk rm -f keeps >/dev/null

step "a container that ends meanwhile is left alone"
told <<<'sleep 1000'
ct update web >/dev/null 2>&1 & other=$!
eventually 5 eval 'dk top web -eo pid,args | grep -q "sleep 1000"'
dk rm -f web plain two three >/dev/null
wait $other
expect_nothing_left
pass
