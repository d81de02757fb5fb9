#!/bin/bash
# Where an image comes from: labels, the chain of ancestors, the statement; what the user labels wins.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
unset CI
label() { dk inspect -f "{{index .Config.Labels \"$2\"}}" "$1"; }
id() { dk inspect -f '{{.Id}}' "$1"; }
mkdir -p work/app
git -C work init -q -b main .
git -C work remote add origin https://me:secret@example.org/team/shop.git
printf 'FROM busybox\nRUN true\nLABEL corten.method.validate="true"\n' >work/app/Dockerfile
git -C work add . && git -C work -c user.name=x -c user.email=x@x commit -qm x

step "labels of the first image"
BUILD_NUMBER=17 CI=true ct build -q -t reg.example/app:1 -t app work/app >/dev/null || fail build
expect_eq "$(label app corten.build.project)" shop
expect_eq "$(label app corten.build.name)" reg.example/app
expect_eq "$(label app corten.build.tags)" "reg.example/app:1 app:latest"
expect_eq "$(label app corten.build.context) $(label app corten.build.dockerfile)" "app Dockerfile"
expect_eq "$(label app corten.build.branch) $(label app corten.build.dirty)" "main false"
expect_eq "$(label app corten.build.cause) $(label app corten.build.ci) $(label app corten.build.tag)" "manual true 17"
expect_eq "$(label app org.opencontainers.image.source)" https://example.org/team/shop.git
expect_eq "$(label app org.opencontainers.image.revision)" "$(git -C work rev-parse HEAD)"
expect_match "$(label app corten.build.time)" '^20[0-9-]+T[0-9:]+Z$'
expect_eq "$(label app corten.build.stamp)" "$(label app corten.build.time | tr -cd 0-9)"
expect_eq "$(label app corten.build.base.id)" "$(id busybox)"
first=$(id app)
BUILD_NUMBER=17 CI=true ct build -q -t reg.example/app:1 -t app work/app >/dev/null
expect_eq "$(id app)" "$first"

step "the chain, through FROM, another stage, and a build by the stock CLI"
printf 'FROM app\nRUN true > /x\n' | DOCKER_BUILDKIT=0 dk build -q -t stock - >/dev/null
printf 'FROM stock\nCMD ["x"]\n' >work/app/D2
printf 'FROM busybox\nRUN echo > /t\n' | ct build -q -t tools - >/dev/null
printf 'FROM tools AS t\nFROM stock\nCOPY --from=t /t /t\nLABEL corten.build.project=mine\n' >work/app/D3
ct build -q -t child -f work/app/D3 work/app >/dev/null || fail child
label child corten.build.ancestry >chain
python3 - chain "$(id busybox)" "$first" "$(id tools)" "$(id stock)" <<'END' || fail "$(cat chain)"
import json, sys
c = json.load(open(sys.argv[1]))
by = {x["id"]: x for x in c}
busybox, app, tools, stock = sys.argv[2:]
order = [x["id"] for x in c]
assert order.index(tools) < order.index(stock) and order[-1] == stock, order
assert by[tools]["by"] == "copy" and by[stock]["by"] == "from"
assert by[stock]["labels"]["corten.method.validate"] == "true", by[stock]
END
expect_eq "$(label child corten.build.project)" mine
expect_eq "$(ct image ancestry --format '{{.Name}} {{.By}} {{.Project}}' child | xargs)" \
    "busybox from app from shop tools copy stock from child:latest this mine"
expect_match "$(ct image ancestry --json child)" '"Name":"stock"'
expect_eq "$(ct image ancestry --format '{{.Name}}' busybox)" busybox:latest
expect_eq "$(label child corten.build.dirty)" true
ct build -q --label org.opencontainers.image.source=elsewhere --label corten.build.cause=timer -t l work/app >/dev/null
expect_eq "$(label l org.opencontainers.image.source) $(label l corten.build.cause)" "elsewhere timer"
ct build -q --provenance=false -t none work/app >/dev/null
expect_eq "$(dk inspect -f '{{json .Config.Labels}}' none)" '{"corten.method.validate":"true"}'
step "the in-toto statement is kept with the image, whichever client built it"
printf 'FROM busybox\nARG TOKEN\nRUN echo attested >/a\n' >Attested
kept() { [ "$(ct image attestation --json "$1" | grep -o '"_type":"https://in-toto.io/Statement/v1"' | wc -l)" -ge 1 ]; }
ct build -q -t att --build-arg TOKEN=hidden -f - . <Attested >/dev/null || fail build
eventually 5 kept att
out=$(ct image attestation att)
expect_match "$out" "\"sha256\":\"$(dk inspect -f '{{.Id}}' att | cut -d: -f2)\""
expect_match "$out" '"predicateType":"https:..slsa.dev.provenance.v1"'
expect_match "$out" '"uri":"(docker.io.library.)?busybox'
expect_no_match "$out" hidden
DOCKER_BUILDKIT=0 dk build -q -t att2 - <Attested >/dev/null || fail "classic API"
eventually 5 kept att2
id=$(dk inspect -f '{{.Id}}' att)
kill_daemon
restart_daemon
kept att || fail "lost with the daemon"
expect_eq "$(ct build -q -t att --build-arg TOKEN=hidden -f - . <Attested)" "$id"
printf "FROM busybox\nRUN echo bare >/a\n" | ct build -q --provenance=false -t bare -f - . >/dev/null || fail bare
expect_fails 'no attestation' ct image attestation bare
dk rmi -f att att2 bare >/dev/null
expect_status 0 ct system check

pass
