#!/bin/bash
# `docker exec NAME container --…` in any container: our own program comes from a descriptor, asks the
# monitor, and leaves nothing behind; an image's own program of that name wins.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
mkdir ctx scratch own
cat >ctx/Dockerfile <<'EOF'
FROM busybox
LABEL corten.method.validate="echo checked; exit 0" corten.method.update="echo to stderr >&2; exit 4"
LABEL corten.method.hang="sleep 1000" corten.method.hang.timeout=300ms corten.metadata="{\"team\":\"dns\"}"
LABEL corten.method.long="sleep 1003"
CMD ["sleep", "1000"]
EOF
dk build -q -t app ctx >/dev/null 2>&1 || fail "build"
printf '#include <unistd.h>\nint main(void) { for (;;) pause(); }\n' >idle.c
gcc -static -o scratch/idle idle.c || skip "no static libc"
printf 'FROM scratch\nCOPY idle /idle\nLABEL corten.method.validate="[\\"/idle\\"]" corten.method.validate.timeout=200ms\nCMD ["/idle"]\n' >scratch/Dockerfile
dk build -q -t bare scratch >/dev/null 2>&1 || fail "build from scratch"
printf 'FROM app\nRUN printf "#!/bin/sh\\necho own \\$1\\n" > /bin/container && chmod +x /bin/container\n' >own/Dockerfile
dk build -q -t own own >/dev/null 2>&1 || fail "build own"

step "questions and methods, output and exit status"
dk run -d --name web app >/dev/null || fail "run"
expect_eq "$(dk exec web container --metadata | jq -r '.image_name, .metadata.team, .container.name, .validate')" "app:latest
dns
web
true"
expect_match "$(dk exec web container --examine)" '^image app:latest$'
expect_match "$(dk exec web container --examine)" '^  validate  +echo checked; exit 0$'
expect_eq "$(dk exec web container --methods | tr '\n' ' ')" "hang long update validate "
expect_eq "$(dk exec web container --validate 2>/dev/null)" checked
expect_status 1 dk exec web container --update
expect_match "$output" '^to stderr$'
expect_match "$output" '^update: failed \(exit status 4\): to stderr'
expect_match "$output" '^rolled back: method: update: failed'
expect_status 124 dk exec web container --hang
expect_match "$output" 'over its deadline of 300ms'
expect_status 1 dk exec web container --nosuch
expect_match "$output" 'no such method'
expect_status 2 dk exec web container
expect_match "$(dk exec -t web container --validate)" '^checked'
expect_match "$(ct methods web)" 'update +inside +failed'
expect_status 127 dk exec web containers --validate

dk run -d --name st --entrypoint sleep --label corten.method.start='echo begun' busybox 1000 >/dev/null || fail "run st"
expect_eq "$(dk exec st container --start 2>/dev/null)" begun
dk rm -f st >/dev/null

step "a client that goes away takes its method along"
timeout 1 "$docker" -H "unix://$SOCKET" exec -t web container --long >/dev/null 2>&1
pid=$(dk top web -eo pid,args | awk '/container --long/ {print $1}')
[ -n "$pid" ] && kill -9 "$pid"
eventually 5 eval '! dk top web -eo pid,args | grep -q "sleep 1003"'

step "the root file system is not touched; it may be read-only; inside a shell there is no such program"
expect_eq "$(dk diff web)" ""
expect_fails 'not found' dk exec web sh -c 'container --validate'
dk run -d --read-only --cap-drop ALL --security-opt no-new-privileges -u 1000 --name low app >/dev/null || fail "run low"
expect_eq "$(dk exec low container --validate 2>/dev/null)" checked

step "from scratch, without a shell"
dk run -d --name bare bare >/dev/null || fail "run bare"
expect_eq "$(ct exec bare container --metadata | jq -r '.validate_method')" '["/idle"]'
expect_status 124 dk exec bare container --validate
expect_eq "$(dk diff bare)" ""

step "an image's own program of that name wins"
dk run -d --name own own >/dev/null || fail "run own"
expect_eq "$(dk exec own container --validate)" "own --validate"

step "also after the daemon's death"
restart_daemon
expect_eq "$(dk exec web container --validate 2>/dev/null)" checked
dk rm -f web low bare own >/dev/null
expect_nothing_left
pass
