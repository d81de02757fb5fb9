#!/bin/bash
# Hostile images: labels that lie, are huge or hold escapes; methods that hang, fork, flood, kill and
# daemonize. Nobody but their own container notices.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
make_layered() { # NAME JSON-LABELS: busybox with these labels, by a hand-made archive
    mkdir -p "img-$1"
    dk save busybox | tar -C "img-$1" -x
    python3 - "img-$1" "$1" "$2" <<'EOF'
import sys, json, hashlib, os, glob
d, name, labels = sys.argv[1:]
m = json.load(open(d + "/manifest.json"))[0]
c = json.load(open(d + "/" + m["Config"]))
c.setdefault("config", {})["Labels"] = json.load(open(labels))
c["config"]["Cmd"] = ["sleep", "1000"]
text = json.dumps(c).encode()
f = hashlib.sha256(text).hexdigest() + ".json"
for x in ("index.json", "oci-layout", "repositories"):
    if os.path.exists(d + "/" + x): os.remove(d + "/" + x)
open(d + "/" + f, "wb").write(text)
json.dump([{"Config": f, "RepoTags": [name + ":latest"], "Layers": m["Layers"]}], open(d + "/manifest.json", "w"))
EOF
    tar -C "img-$1" -c . | dk load -q >/dev/null
}

step "labels that lie, and escapes: shown escaped, named as problems"
python3 - >lies.json <<'EOF'
import json
deep = "[" * 500 + "]" * 500
m = {"corten.build.project": "\u001b[31mred\u0007", "corten.build.host": "a\nimage fake\n", "corten.build.time": "yesterday",
     "corten.build.ancestry": deep, "corten.metadata": "{\"a\":", "corten.method.\u001b[2J": "x", "corten.method.validate": "[\"a\"",
     "corten.method.monitor": "echo OK\u202e", "corten.method.monitor.timeout": "-5s", "corten.method.monitor.user": "root:nosuch",
     "corten.method.monitor.privileged": "true", "corten.method.update.env.LD_PRELOAD": "x", "org.opencontainers.image.source": "ext::sh -c 'touch /tmp/owned' ",
     "corten.build": "x", "corten.cause": "approved", "corten.deployed-by": "the owner", "corten.method.monitor.env.PATH": "/evil",
     "org.opencontainers.image.revision": "--upload-pack=touch /tmp/owned"}
m.update({"corten.method.m%d" % i: "true" for i in range(200)})
json.dump(m, open("/dev/stdout", "w"))
EOF
make_layered lies lies.json || fail "load lies"
ct examine lies >shown || fail "examine"
expect_eq "$(tr -d '\n\t -~' <shown | wc -c)" 0
expect_match "$(cat shown)" '^  project +.x1b\[31mred.x07$'
expect_no_match "$(cat shown)" '^image fake'
expect_match "$(cat shown)" 'problem: corten.build.ancestry is deeper than 8 levels'
expect_match "$(cat shown)" 'problem: method validate: its command is neither a JSON array nor a text'
expect_match "$(cat shown)" 'problem: method monitor: privileged "true" is no option of a method'
expect_eq "$(ct metadata lies | jq '.methods | length')" 32
ct metadata lies >shown
expect_eq "$(tr -d '\n\t -~' <shown | wc -c)" 0
expect_eq "$(jq -r .monitor_method shown)" $'echo OK\xe2\x80\xae'
expect_fails 'revision is no commit' ct rebuild lies
[ ! -e /tmp/owned ] || fail "a label ran"
dk run -d --name lies lies >/dev/null || fail "run lies"
expect_eq "$(dk inspect lies | jq '.[0].HostConfig.Privileged, (.[0].Config.Env | map(select(startswith("LD_"))) | length)')" "false
0"
expect_eq "$(ct metadata lies | jq -r '.container | .deployed_by, .deployed_cause, .id' | tr '\n' ' ')" "uid 0  $(dk inspect -f '{{.Id}}' lies) "
restart_daemon # which removes what builds have left behind
expect_eq "$(dk inspect -f "{{.State.Running}}" lies)" true
ct methods lies >shown
expect_eq "$(tr -d '\n\t -~' <shown | wc -c)" 0
dk rm -f lies >/dev/null
# The same by who creates the container: what an option may be is the same, and a body has its limit.
expect_match "$(dk run --rm -d --name lab --label corten.method.validate='["a"' busybox sleep 5 && ct methods lab)" 'problem: method validate: its command is neither'
dk rm -f lab >/dev/null
python3 -c 'import json; print(json.dumps({"Image": "busybox", "Cmd": ["sleep", "5"], "Labels": {"corten.method.validate": "x" * (10 << 20)}}))' >body
expect_match "$(curl -s -o answer -w '%{http_code}' --unix-socket "$SOCKET" -H 'Content-Type: application/json' --data-binary @body http://d/v1.43/containers/create?name=fat; cat answer)" '^(201|400|413)'
ct methods fat >shown 2>&1 && expect_match "$(cat shown)" 'problem: .*(longer than 32 KiB|more than 1 MiB)'
dk rm -f fat >/dev/null 2>&1

step "huge labels"
python3 -c 'import json; json.dump({"corten.method.validate": "x" * 100000, "corten.metadata": "y" * 300000, "corten.build.ancestry": "[" + ",".join(["{\"name\":\"a\"}"] * 20000) + "]"}, open("big.json", "w"))'
make_layered big big.json || fail "load big"
expect_match "$(ct examine big)" 'problem: method validate: its command is longer than 32 KiB'
expect_match "$(ct examine big)" 'problem: corten.build.ancestry has more than 64 entries'
expect_match "$(ct metadata -k problems big)" 'corten.metadata is longer than 64 KiB'
python3 -c 'import json; json.dump({"corten.metadata": "y" * (10 << 20)}, open("huge.json", "w"))'
expect_fails . make_layered huge huge.json
expect_eq "$(dk run --rm busybox echo alive)" alive

step "methods that hang, fork, flood, kill their own container and hide"
python3 - >methods.json <<'EOF'
import json
json.dump({"corten.method.bomb": "bomb() { bomb | bomb & }; (bomb) & exec sleep 1000", "corten.method.bomb.timeout": "1s",
  "corten.method.flood": "yes flooding", "corten.method.flood.timeout": "1s",
  "corten.method.hide": "setsid sh -c 'trap \"\" TERM HUP; sleep 1001' & setsid setsid sleep 1001 & trap '' TERM; sleep 1001", "corten.method.hide.timeout": "500ms",
  "corten.method.tap": "echo 1..1000000; i=0; while [ $i -lt 20000 ]; do echo \"ok $i - padding padding padding\"; i=$((i+1)); done",
  "corten.method.update": "yes flooding", "corten.method.update.timeout": "1s", "corten.method.update.on-failure": "keep",
  "corten.method.who": "cat /proc/self/status; ls /proc/self/fd",
  "corten.method.kill": "kill -9 -1; kill -9 1; sleep 1", "corten.method.stop": "kill -TERM 1; sleep 5"}, open("/dev/stdout", "w"))
EOF
make_layered bad methods.json || fail "load bad"
dk run -d --init --name bad --pids-limit 100 --cap-drop ALL bad >/dev/null || fail "run bad"
expect_status 124 ct call bomb bad
eventually 10 eval '[ "$(dk top bad -eo pid,args | wc -l)" = 3 ]'
expect_status 124 ct call hide bad
eventually 5 eval '[ "$(dk top bad -eo pid,args | grep -c "sleep 1001")" = 0 ]'
ct call flood bad 2>result >/dev/null
expect_match "$(cat result)" 'failed.*over its deadline of 1s'
expect_status 1 ct update bad # told while it runs, as far as it is read
[ "${#output}" -gt 200000 ] && [ "${#output}" -lt 300000 ] || fail "${#output} bytes of a flood"
expect_match "$(ct call -q tap bad 2>&1)" 'bad: tap: (failed|unknown)'
expect_eq "$(ct methods --json bad | jq '[.Results[].Output | length] | max <= 4096')" true
expect_match "$(ct call who bad 2>/dev/null)" '^CapEff:.0000000000000000$'
expect_match "$(ct call who bad 2>/dev/null)" '^NoNewPrivs'
expect_eq "$(ct call who bad 2>/dev/null | grep -E '^[0-9]+$' | tr '\n' ' ')" "0 1 2 3 "
ct call kill bad >/dev/null 2>&1
expect_eq "$(dk run --rm busybox echo alive)" alive
dk rm -f bad >/dev/null

step "a schedule that never ends well costs its own container alone"
dk run -d --name loop --label corten.method.validate='yes' --label corten.method.validate.timeout=200ms --label corten.method.validate.start-period=0s --label corten.method.validate.interval=1s busybox sleep 1000 >/dev/null
dk run -d --name stop --label corten.method.validate=false --label corten.method.validate.start-period=0s --label corten.method.validate.on-failure=stop busybox sleep 1000 >/dev/null
eventually 15 eval '[ "$(dk inspect -f "{{.State.Status}}" stop)" = exited ]'
eventually 10 eval '[ "$(dk inspect -f "{{.State.Health.Status}}" loop)" = unhealthy ]'
expect_eq "$(dk run --rm busybox echo alive)" alive
dk rm -f loop stop >/dev/null
expect_nothing_left
pass
