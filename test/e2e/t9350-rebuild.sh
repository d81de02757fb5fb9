#!/bin/bash
# build --validate: names come after the new image was found good; rebuild: again from where an image
# says that it comes from.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@x GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@x
git init -q --bare -b main app.git
git clone -q app.git src 2>/dev/null && git -C src checkout -q -b main && mkdir src/app
cat >src/app/Dockerfile <<'EOF'
FROM busybox
COPY state /state
LABEL corten.method.validate="grep -q good /state" corten.method.validate.start-period=0s
CMD ["sleep", "1000"]
EOF
commit() { echo "$1" >src/app/state; git -C src add -A; git -C src commit -q -m "$1"; git -C src push -q origin main; }
commit "good one"

step "a good image gets its names, another one does not"
expect_status 0 ct build -q --validate -t app:1 -t app:latest src/app
expect_match "$output" '^new image: validate: ok'
expect_match "$(dk images --format '{{.Repository}}:{{.Tag}}')" '^app:1$'
expect_eq "$(dk ps -aq | wc -l)" 0
first=$(dk inspect -f '{{.Id}}' app:latest)
echo broken >src/app/state
expect_status 1 ct build -q --validate -t app:1 -t app:latest src/app
expect_match "$output" 'not tagged: validate: failed'
expect_eq "$(dk inspect -f '{{.Id}}' app:latest)" "$first"
expect_eq "$(dk ps -aq | wc -l)" 0
printf 'FROM busybox\nCMD ["sleep","9"]\n' >plain
expect_fails 'has no validate method: not tagged' ct build -q --validate -t plain -f plain .
expect_eq "$(dk images -q plain)" ""

step "rebuild: what would change, the recorded revision, the newest"
git -C src checkout -q app/state
before=$(ct metadata -k gitref app:1)
expect_match "$(ct rebuild --dry-run app:1 2>&1)" '^commits +none'
expect_match "$(ct rebuild --dry-run app:1 2>&1)" '^base +busybox is the same$'
commit "good two"
expect_match "$(ct rebuild --newest --dry-run app:1 2>&1)" '^commit +[0-9a-f]+ good two$'
expect_eq "$(ct metadata -k gitref app:1)" "$before"
expect_status 0 ct rebuild app:1
expect_eq "$(ct metadata -k gitref app:1) $(ct metadata -k build_cause app:1)" "$before rebuild"
expect_status 0 ct rebuild --newest --validate app:1
expect_eq "$(ct metadata -k gitref app:1)" "$(git -C src rev-parse HEAD)"
expect_eq "$(dk run --rm app:1 cat /state)" "good two"
expect_eq "$(dk inspect -f '{{.Id}}' app:latest)" "$(dk inspect -f '{{.Id}}' app:1)"
commit "broken three"
expect_status 1 ct rebuild --newest --validate app:1
expect_eq "$(dk run --rm app:1 cat /state)" "good two"
dk run -d --name old app:1 >/dev/null
expect_eq "$(ct ps -q --filter gitref=main | wc -l) $(ct ps -q --filter built-before=1h | wc -l) $(ct ps -q --filter built-before=0s | wc -l)" "1 0 1"
expect_eq "$(ls -d /tmp/corten-rebuild.* 2>/dev/null | wc -l)" 0

step "without a repository: the directory, as long as it is there"
mkdir plain-dir && printf 'FROM busybox\nCOPY state /state\n' >plain-dir/Dockerfile && echo one >plain-dir/state
touch -d '1 hour ago' plain-dir/*
ct build -q -t local:1 -t local:2 plain-dir >/dev/null || fail "local"
dk tag app:1 local:2
expect_match "$(ct rebuild --dry-run local:1 2>&1)" '^files +0 are newer than the image$'
echo two >plain-dir/state
touch -d '1 hour' plain-dir/state
expect_match "$(ct rebuild --dry-run local:1 2>&1)" '^changed +state$'
expect_eq "$(dk run --rm local:1 cat /state)" one
expect_status 0 ct rebuild local:1
expect_eq "$(dk run --rm local:1 cat /state) $(ct metadata -k build_cause local:1)" "two rebuild"
expect_eq "$(dk inspect -f '{{.Id}}' local:2)" "$(dk inspect -f '{{.Id}}' app:1)" # not its name any more
expect_fails 'is for images of a git repository' ct rebuild --newest local:1
mv plain-dir gone-dir
expect_fails 'is not there any more' ct rebuild local:1
printf 'FROM busybox\nLABEL corten.build.context=/ corten.build.host=elsewhere\n' | ct build -q --provenance=false -t far - >/dev/null
expect_fails 'of another machine' ct rebuild far

step "labels do not reach further than the checkout"
lie() { printf 'FROM busybox\nLABEL org.opencontainers.image.source="%s" org.opencontainers.image.revision=%s corten.build.context="%s"\n' "$1" "$2" "$3" >lie; ct build -q --provenance=false -t lie -f lie . >/dev/null || fail "lie"; }
commit=$(git -C src rev-parse HEAD)
lie "--upload-pack=touch owned" "$commit" .
expect_fails 'git clone failed' ct rebuild lie
lie "ext::sh -c touch% owned" "$commit" .
expect_fails 'git clone failed' ct rebuild lie
lie "$PWD/app.git" "--help" .
expect_fails 'is no commit' ct rebuild lie
lie "$PWD/app.git" "$commit" ../..
expect_fails 'leaves the checkout' ct rebuild lie
ln -s /etc src/out && git -C src add -A && git -C src commit -q -m link && git -C src push -q origin main
lie "$PWD/app.git" "$(git -C src rev-parse HEAD)" out
expect_fails 'leaves the checkout' ct rebuild lie
[ ! -e owned ] || fail "a label ran"
expect_fails 'does not say where it comes from' ct rebuild busybox
pass
