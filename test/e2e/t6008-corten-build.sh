#!/bin/bash
# corten build: progress, outputs, contexts, stdin, metadata, reproducibility, checks.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
mkdir -p ctx other elsewhere
unset CI
echo hello >ctx/f
echo named >other/n
echo '*.skip' >other/.dockerignore
touch other/x.skip
cat >ctx/Dockerfile <<'END'
FROM busybox AS one
ARG WHO=nobody
RUN echo said by $WHO; echo $WHO > /who
FROM one AS two
COPY f /f
END

step "plain progress; unchanged is cached"
out=$(ct build -t a:1 -t b --build-arg WHO=me --iidfile id --metadata-file meta ctx 2>&1) || fail "$out"
expect_match "$out" '^#[0-9]+ \[one [0-9]+/5\] RUN echo said by'
expect_match "$out" '^#[0-9]+ [0-9.]+ said by me$'
expect_match "$out" '^#[0-9]+ DONE [0-9.]+s$'
expect_match "$out" '^tagged a:1$'
expect_match "$out" "^image $(cat id)$"
expect_match "$(cat meta)" '"image.name":"a:1,b:latest"'
expect_match "$(cat meta)" '"predicateType":"https://slsa.dev/provenance/v1"'
expect_match "$(cat meta)" '"WHO":"me"'
out=$(ct build -t a:1 --build-arg WHO=me ctx 2>&1) || fail "$out"
expect_eq "$(grep -c CACHED <<<"$out")" 2
expect_eq "$(ct build -q -t a:1 -t b --build-arg WHO=me ctx)" "$(cat id)"
out=$(ct build --progress rawjson --no-cache-filter one --build-arg WHO=me ctx 2>&1) || fail "$out"
expect_match "$out" '^\{"Step":[0-9]+,"Log":"said by me'
expect_eq "$(dk inspect -f '{{index .Config.Labels "org.opencontainers.image.base.name"}}' a:1)" busybox
printf 'FROM a:1\nRUN true\n' >elsewhere/D
CI=true corten build -q -t child -f elsewhere/D elsewhere >/dev/null || fail "child"
label() { dk inspect -f "{{index .Config.Labels \"$2\"}}" "$1"; }
expect_eq "$(label child corten.build.ancestors)" "busybox@$(dk inspect -f '{{.Id}}' busybox) a:1@$(dk inspect -f '{{.Id}}' a:1)"
expect_eq "$(label a:1 corten.build.ancestors)" "busybox@$(dk inspect -f '{{.Id}}' busybox)"
expect_eq "$(label child corten.build.ci) $(label a:1 corten.build.ci)" "true false"
expect_fails 'mode .fancy.' ct build --progress fancy ctx

step "outputs"
ct build -q -o out ctx >/dev/null || fail "local"
expect_eq "$(cat out/f)" hello
ct build -q -o type=tar,dest=- ctx 2>/dev/null >o1.tar || fail "tar to stdout"
expect_match "$(tar tf o1.tar)" '^(\./)?f$'
ct build -q -t o -o type=oci,dest=o.tar ctx >/dev/null || fail "oci"
expect_match "$(tar tf o.tar)" '^index.json$'
expect_fails 'not supported' ct build -o type=zip,dest=x ctx

step "named contexts, Dockerfiles and contexts from elsewhere"
printf 'FROM base\nCOPY --from=o . /o/\n' >elsewhere/D
out=$(ct build -t n -f elsewhere/D --build-context base=docker-image://busybox --build-context o=other ctx 2>&1) || fail "$out"
expect_eq "$(dk run --rm n ls /o)" n
printf 'FROM busybox\nCOPY f /g\n' | ct build -q -f - ctx >/dev/null || fail "Dockerfile from stdin"
printf 'FROM busybox\nRUN true\n' | ct build -q - >/dev/null || fail "Dockerfile as context"
tar cz -C ctx . | ct build -q - >/dev/null || fail "archive as context"

step "the same date, the same image"
cat >ctx/R <<'END'
FROM busybox
RUN mkdir -p /d/e && date > /dev/null && echo x > /d/e/f
WORKDIR /w
COPY f /f
END
export SOURCE_DATE_EPOCH=1600000000
out=$(ct build -f ctx/R -t r --verify ctx 2>&1) || fail "$out"
expect_match "$out" '^verified'
expect_eq "$(dk run --rm r stat -c %Y /d/e/f /d/e /w /f | sort -u)" 1600000000
expect_match "$(dk inspect -f '{{.Created}}' r)" '^2020-09-13'
unset SOURCE_DATE_EPOCH
expect_fails 'not reproducible' ct build -f ctx/R --verify ctx

step "checks"
cat >ctx/C <<'END'
FROM busybox as Base
ENV key value
workdir rel
CMD echo hi
CMD echo ho
ENV DB_PASSWORD=x
EXPOSE 80/TCP
END
output=$(ct build --check -f ctx/C ctx) && fail "no warnings"
for rule in StageNameCasing FromAsCasing LegacyKeyValueFormat WorkdirRelativePath JSONArgsRecommended \
    MultipleInstructionsDisallowed SecretsUsedInArgOrEnv ExposeProtoCasing ConsistentInstructionCasing; do
    expect_match "$output" "warning: $rule: "
done
expect_match "$output" '^ctx/C:3:1: warning: WorkdirRelativePath'
printf '# check=skip=all\nFROM busybox:1\nMAINTAINER x\n' >ctx/C
output=$(ct build --check -f ctx/C ctx) || fail "$output"

step "several sources make a layer that can be sent on: its bytes come out again"
mkdir -p order/z order/a order/a-b
echo 1 >order/b; echo 2 >order/a/x; echo 3 >order/z/f; echo 4 >order/a-b/x
ln order/a-b/x order/a/y
printf 'FROM busybox\nCOPY b z a a-b /x/\nCOPY z b /w/\nCOPY . /all\n' >order/Dockerfile
ct build -q -t order order >/dev/null || fail "order"
expect_eq "$(dk run --rm order sh -c 'ls /x | xargs; cat /all/a/y')" "b f x y
4"
dk save order >order.tar || fail "save"
out=$(ct system check 2>&1) || fail "$out"
expect_match "$out" 'all is well'

step "--push"
. "$here/trap.sh"
start_trap
expect_status 0 ct build --push -t 127.0.0.1:$trap/p:1 -t 127.0.0.1:$trap/p:2 order
asked 'PUT /v2/p/manifests/1 status=201'
asked 'PUT /v2/p/manifests/2 status=201'
expect_status 0 ct build -q -o type=registry -t 127.0.0.1:$trap/q order
asked 'PUT /v2/q/manifests/latest status=201'
expect_fails 'needs a name' ct build --push order

step "--annotation: in a manifest that is pushed, and in one that is saved"
expect_status 0 ct build -q --push --annotation x.y=z --annotation manifest:a='b "c"' -t 127.0.0.1:$trap/n order
in_net curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' http://127.0.0.1:$trap/v2/n/manifests/latest >m.json
expect_eq "$(jq -c .annotations m.json)" '{"x.y":"z","a":"b \"c\""}'
expect_eq "$(jq -r .mediaType m.json)" application/vnd.oci.image.manifest.v1+json
ct build -q --annotation s=1 -t saved order >/dev/null && dk save saved -o saved.tar || fail "save"
digest=$(tar xOf saved.tar index.json | jq -r '.manifests[0].digest')
expect_eq "$(tar xOf saved.tar "blobs/sha256/${digest#*:}" | jq -c .annotations)" '{"s":"1"}'
expect_fails 'index annotations not supported' ct build --annotation index:a=b order
pass
