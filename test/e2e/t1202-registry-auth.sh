#!/bin/bash
# Tokens, passwords and identity tokens: who gets them, how they are renewed; login, search and
# what a registry says about a name.
. "$(dirname "$0")/lib.sh"
. "$here/trap.sh"
start_daemon
start_trap
r=127.0.0.1:$trap t=127.0.0.1:$((trap + 1))
make_busybox_image box
dk tag box $r/team/box:1

step "login: right and wrong, by password and by token server"
faults '{"auth": "basic"}'
expect_fails 'unauthorized: incorrect username or password' dk login -u u -p wrong $r
expect_fails 'no basic auth credentials' dk push $r/team/box:1
expect_status 0 dk login -u u -p p $r
expect_match "$output" 'Login Succeeded'
asked '^5070 GET /v2/ status=200 auth=basic:u '
dk logout $r >/dev/null
api POST /auth '{"username":"u","password":"p","serveraddress":"http://'$r'/v1/"}'
expect_eq "$api_status" 200
api POST /auth '{"username":"u","password":"no","serveraddress":"'$r'"}'
expect_eq "$api_status" 401
api POST /auth '{"username":"u","password":"p","serveraddress":"-bad-"}'
expect_eq "$api_status" 400
faults '{"auth": "bearer"}'
expect_status 0 dk login -u u -p p $r
asked '^5071 GET /token\?service=trap&account=u&client_id=corten&offline_token=true status=200 auth=basic:u '
grep -q identitytoken "$DOCKER_CONFIG/config.json" || fail "no identity token: $(cat "$DOCKER_CONFIG/config.json")"

step "the identity token stands for the password from now on"
faults '{"auth": "bearer", "scopes": true}'
expect_status 0 dk push $r/team/box:1
asked '^5071 POST /token status=200 auth=none'
not_asked 'auth=basic'
dk logout $r >/dev/null

step "tokens are asked for what is needed, and again when they are used up in mid-pull"
printf '{"auths":{"%s":{"auth":"%s"}}}' $r "$(printf u:p | base64)" >"$DOCKER_CONFIG/config.json"
fresh
faults '{"auth": "bearer", "scopes": true, "token_uses": 1}'
expect_status 0 dk pull $r/team/box:1
asked '^5071 GET /token\?service=trap&scope=repository%3Ateam%2Fbox%3Apull&account=u status=200 auth=basic:u '
not_asked '^5070 .* auth=basic'
[ "$(grep -c '^5071 GET /token' "$trap_log")" -gt 2 ] || fail "one token for all: $(cat "$trap_log")"
fresh
faults '{"auth": "bearer", "token_uses": 3, "cut": [200000, 3]}'
expect_status 0 dk pull $r/team/box:1
faults '{"auth": "bearer", "scopes": true, "token_uses": 2}'
dk tag $r/team/box:1 $r/team/second:1
expect_status 0 dk push $r/team/second:1
expect_match "$output" 'Mounted from team/box$'
asked 'scope=repository%3Ateam%2Fsecond%3Apull%2Cpush&scope=repository%3Ateam%2Fbox%3Apull'

step "a wrong password, a token server elsewhere, one that is busy"
printf '{"auths":{"%s":{"auth":"%s"}}}' $r "$(printf u:no | base64)" >"$DOCKER_CONFIG/config.json"
expect_fails 'unauthorized: incorrect username or password' dk pull $r/team/box:1
printf '{"auths":{"%s":{"auth":"%s"}}}' $r "$(printf u:p | base64)" >"$DOCKER_CONFIG/config.json"
faults '{"auth": "bearer", "realm": "http://127.0.0.2:'$((trap + 1))'/token"}'
expect_fails 'names a token server that may not be asked' dk pull $r/team/box:1
not_asked '^5071'
faults '{"auth": "bearer", "status": [["/token", 503, 1]]}'
expect_status 0 dk pull $r/team/box:1

step "what a name stands for, without pulling"
faults '{}'
auth=$(printf '{}' | base64)
api GET /distribution/$r/team/box:1/json
expect_eq "$api_status" 200
expect_match "$output" '"Descriptor":\{"mediaType":"application/vnd.[a-z.+0-9]*json","digest":"sha256:[0-9a-f]{64}","size":[0-9]+\}'
expect_match "$output" '"Platforms":\[\{"architecture":"amd64","os":"linux"\}\]'
api GET /distribution/$r/team/none:1/json
expect_eq "$api_status" 404

step "search by a registry that has it"
expect_status 0 dk search --no-trunc $r/box
expect_match "$output" '^trap/box +one +7'
api GET "/images/search?term=$r/box&filters=%7B%22is-official%22%3A%5B%22true%22%5D%7D"
expect_match "$output" '"name":"trap/box"'
expect_no_match "$output" 'other'
api GET /images/search
expect_eq "$api_status" 400
faults '{"status": [["/v1/search", 404, 9]]}'
expect_fails 'offers no search' dk search $r/box

step "passwords in a credential helper's hands"
cat >"$TEST_TMP/bin/docker-credential-trap" <<'H'
#!/bin/sh
# Keeps one credential in a file; says what it was asked.
echo "$1" >>"$HOME/helper.log"
case $1 in
store) cat >"$HOME/helper.kept" ;;
get) cat "$HOME/helper.kept" 2>/dev/null || { echo 'credentials not found in native keychain'; exit 1; } ;;
erase) rm -f "$HOME/helper.kept" ;;
list) [ -s "$HOME/helper.kept" ] && sed 's/.*"ServerURL": *\("[^"]*"\).*/{\1:"u"}/' "$HOME/helper.kept" || echo '{}' ;;
esac
H
chmod +x "$TEST_TMP/bin/docker-credential-trap"
mkdir "$TEST_TMP/private"
echo "FROM $r/team/box:1" >"$TEST_TMP/private/Dockerfile"
for key in '"credHelpers":{"'$r'":"trap"}' '"credsStore":"trap"'; do
    for cli in ct dk; do
        [ $cli = ct ] && program=$bin/corten || program=$docker
        : >"$HOME/helper.log"
        echo "{$key}" >"$DOCKER_CONFIG/config.json"
        faults '{"auth": "basic"}'
        expect_fails 'no basic auth credentials' $cli pull $r/team/box:1
        expect_status 0 $cli login -u u -p p $r
        expect_status 0 $cli pull $r/team/box:1
        asked 'GET /v2/team/box/manifests/1 .*auth=basic:u'
        faults '{"auth": "basic"}'
        expect_status 0 env DOCKER_BUILDKIT=0 $program build --pull -q "$TEST_TMP/private" # it has the credentials, too
        asked 'GET /v2/team/box/manifests/1 .*auth=basic:u'
        grep -q '"auth"' "$DOCKER_CONFIG/config.json" && fail "the password is in the file: $(cat "$DOCKER_CONFIG/config.json")"
        expect_status 0 $cli logout $r
        expect_fails 'no basic auth credentials' $cli pull $r/team/box:1
        expect_match "$(sort -u "$HOME/helper.log" | tr '\n' ' ')" "^erase get $([ "$key" = '"credsStore":"trap"' ] && echo 'list ')store \$"
    done
done
echo '{}' >"$DOCKER_CONFIG/config.json"

step "platforms"
faults '{}'
expect_fails 'does not match the specified platform: wanted linux/arm64' dk pull --platform linux/arm64 $r/team/box:1
expect_fails 'cannot be used on this platform' dk pull --platform windows/amd64 $r/team/box:1
expect_status 0 dk pull --platform linux/amd64 $r/team/box:1
pass
