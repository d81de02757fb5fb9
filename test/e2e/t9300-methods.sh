#!/bin/bash
# Methods in an image's labels: called by both command lines and the API, on a schedule, with results
# that are read; who they run as; what survives the daemon.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
mkdir ctx user
cat >ctx/Dockerfile <<'EOF'
FROM busybox
LABEL corten.method.start="echo started; exec sleep 1000"
LABEL corten.method.validate="test -e /good && printf '1..2\nok 1\nok 2 # skip\n'" corten.method.validate.interval=1s
LABEL corten.method.monitor="[\"/bin/sh\",\"-c\",\"echo 'DISK WARNING - x | used=5MB;8;9'; exit 1\"]"
LABEL corten.method.metrics="printf 'hits{page=\"a\"} 7\ntemp:3|g\n'" corten.method.metrics.interval=1s
LABEL corten.method.hang="sleep 1000 & setsid sleep 1001 & echo begun; sleep 1000" corten.method.hang.timeout=300ms
LABEL corten.method.who="id -u; echo \$COLOUR \$CORTEN_METHOD >&2; exit 3" corten.method.who.env.COLOUR=red
LABEL corten.method.leave="setsid sleep 1002 >/dev/null 2>&1 & echo left"
LABEL corten.method.backup="cat /etc/hostname"
LABEL corten.method.gone="x" corten.method.bad="[1]"
EOF
dk build -q -t app ctx >/dev/null 2>&1 || fail "build"
cat >user/Dockerfile <<'EOF'
FROM app
USER web
LABEL corten.method.gone="" corten.method.who.user=root
EOF
dk build -q -t user user >/dev/null 2>&1 || fail "build"

step "start is the entry point; validation is tried again until it is good: ready, healthy"
dk run -d --name web --label corten.cause=test app >/dev/null || fail "run"
expect_eq "$(dk logs web)" started
expect_eq "$(dk inspect -f '{{.State.Health.Status}} {{json .Config.Entrypoint}}' web)" 'starting ["/bin/sh","-c","echo started; exec sleep 1000"]'
expect_eq "$(dk inspect web | jq -c '.[0].Lifecycle | [.Ready, .Problems]')" '[false,["method bad: its command has a word that is no string"]]'
dk exec web touch /good
eventually 5 eval '[ "$(ct inspect -f "{{.State.Health.Status}}" web)" = healthy ]'
expect_eq "$(dk inspect web | jq -c '.[0].Lifecycle | [.Ready, (.Results[] | select(.Method == "validate") | .Examples, .Failures, .Skipped, .Format)]')" '[true,2,0,1,"tap"]'
expect_match "$(dk ps)" '\(healthy\)'
told() { dk events --since 1m --until 0s --filter event=method --format '{{.Actor.Attributes.method}} {{.Actor.Attributes.status}} {{.Actor.Attributes.trigger}}'; }
eventually 5 eval 'told | grep -q "^validate ok start$"'

expect_eq "$(ct metadata web | jq -r '.container | .deployed_by, .deployed_cause, .ready, .restarts')" "uid 0
test
true
0"
step "corten call, validate, monitor, backup: output, result, exit status"
expect_status 3 ct call who web
expect_match "$output" '^0$'
expect_match "$output" '^red who$'
expect_match "$output" '^web: who: failed \(exit status 3\)' 
expect_status 0 ct validate -q web
expect_eq "$output" "web: validate: ok: 2 examples, 0 failures, 1 skipped"
expect_status 1 ct monitor web
expect_match "$output" '^web: monitor: warning \(exit status 1\): DISK WARNING - x$'
expect_eq "$(ct monitor --json web | jq -c '[.Status, .Format, .Performance[0].Label, .Performance[0].Value, .Performance[0].Crit]')" '["warning","plugin","used",5,"9"]'
expect_eq "$(ct backup web 2>/dev/null)" "$(dk inspect -f '{{.Config.Hostname}}' web)"
expect_match "$(ct call -e COLOUR=blue -u 1000 who web 2>&1)" '^1000$'
expect_fails 'has no method nosuch' ct call nosuch web
expect_fails 'has no method bad' ct call bad web

for _ in $(seq 22); do ct backup -q web >/dev/null 2>&1; done # the newest twenty are kept
expect_eq "$(ct methods --json web | jq -c '[.Results[] | select(.Method == "backup")] | length')" 20
expect_eq "$(ct methods --json -n 2 -m backup web | jq -c '.Results | length')" 2
expect_eq "$(dk ps -q --filter method=validate --filter ready=true | wc -l) $(dk ps -q --filter method=nosuch | wc -l)" "1 0"

step "over its deadline all of it is killed, and what it leaves behind at its end"
expect_status 124 ct call hang web
expect_match "$output" 'over its deadline of 300ms: killed'
expect_status 0 ct call leave web
expect_eq "$(dk top web -eo pid,args | grep -c 'sleep 100[012]')" 1

step "the numbers of metrics, and results, on the daemon's page"
page() { api GET /corten/metrics; }
eventually 5 eval 'page; grep -q "^app_hits{name=\"web\",.*page=\"a\"} 7" <<<"$output"'
expect_match "$output" '^app_temp\{name="web",id="[0-9a-f]{12}",image="app"\} 3$'
expect_match "$output" '^corten_method_performance\{name="web",.*method="monitor",label="used",unit="MB"\} 5$'
expect_match "$output" '^corten_container_ready\{name="web",.*\} 1$'

step "no more rights than the container: another user only where that is root"
dk run -d --name low user >/dev/null || fail "run"
dk exec -u 0 low touch /good
expect_fails "wants user 'root', but container low runs as 'web'" ct call who low
expect_match "$(ct call -u root who low 2>&1)" '^0$'
expect_fails 'has no method gone' ct call gone low
expect_status 3 ct call -u web who low

step "the daemon dies: the clock goes on, results and numbers are known to the next one"
before=$(ct methods --json web | jq '[.Results[] | select(.Method == "validate")] | length')
kill_daemon
sleep 2.2
restart_daemon
eventually 5 eval '[ "$(ct methods --json web | jq "[.Results[] | select(.Method == \"validate\")] | length")" -ge $((before + 2)) ]'
eventually 5 eval 'page; grep -q "^app_hits" <<<"$output"'
expect_eq "$(dk inspect -f '{{.State.Health.Status}}' web)" healthy
dk exec web rm /good
eventually 5 eval '[ "$(dk inspect -f "{{.State.Health.Status}}" web)" = unhealthy ]'
expect_match "$(dk ps --filter health=unhealthy)" web
expect_eq "$(ct ps -q --filter ready=true --filter method=validate | wc -l)" 1

step "who stems from what"
expect_match "$(ct ps --filter method=gone --format '{{.Names}}')" '^web$'
expect_no_match "$(ct ps --filter method=gone --format '{{.Names}}')" low
dk rm -f web low >/dev/null
expect_nothing_left
pass
