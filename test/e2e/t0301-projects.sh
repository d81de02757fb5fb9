#!/bin/bash
# A listener for projects: their containers can be looked at and operated, others are not there, and nothing can be made.
. "$(dirname "$0")/lib.sh"
cat > "$TEST_TMP/daemon.json" <<E
{"listeners": [{"host": "unix://$TEST_TMP/shop.sock", "policy": {"projects": ["shop", "till"]}},
               {"host": "unix://$TEST_TMP/look.sock", "policy": {"projects": ["shop"], "read-only": true}}]}
E
start_daemon --config "$TEST_TMP/daemon.json"
make_busybox_image
shop=(docker -H "unix://$TEST_TMP/shop.sock")
for name in shop:web till:till blog:page; do
    dk run -d --name "${name#*:}" -l "com.docker.compose.project=${name%:*}" busybox sleep 1000 > /dev/null
done
dk run -d --name bare busybox sleep 1000 > /dev/null
since=$(date +%s.%N)

step "what is seen"
expect_eq "$("${shop[@]}" ps -a --format '{{.Names}}' | sort | xargs)" "till web"
expect_eq "$(docker -H "unix://$TEST_TMP/look.sock" ps --format '{{.Names}}')" web
expect_eq "$("${shop[@]}" inspect -f '{{.Name}}' web)" /web
for other in page bare "$(dk inspect -f '{{.Id}}' bare)"; do
    expect_fails "No such (container|object)" "${shop[@]}" inspect --type container "$other"
    expect_fails "No such container" "${shop[@]}" kill "$other"
    expect_fails "No such container" "${shop[@]}" exec "$other" true
    expect_fails "No such container" "${shop[@]}" logs "$other"
done
exec=$(curl -s --unix-socket "$SOCKET" -H 'Content-Type: application/json' -d '{"Cmd":["true"]}' http://d/containers/bare/exec | cut -d'"' -f4)
expect_eq "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$TEST_TMP/shop.sock" "http://d/exec/$exec/json")" 404

step "what can be done"
expect_eq "$("${shop[@]}" exec web echo in)" in
"${shop[@]}" restart -t 0 web > /dev/null || fail restart
"${shop[@]}" stop -t 0 till > /dev/null || fail stop
expect_fails "privileged execs" "${shop[@]}" exec --privileged web true
expect_fails "does not allow|is not allowed" "${shop[@]}" run --rm busybox true
for words in "rm -f web" "volume create x" "network create x" "update -m 64m web" "rename web x" "images" "system df" "commit web x" \
    "container prune -f"; do
    # shellcheck disable=SC2086
    expect_fails "this listener serves containers of its projects" "${shop[@]}" $words
done
expect_fails "read-only" docker -H "unix://$TEST_TMP/look.sock" restart web
expect_fails "No such container" docker -H "unix://$TEST_TMP/look.sock" top till

step "events of theirs"
dk kill page bare > /dev/null
dk volume create vv > /dev/null
expect_eq "$("${shop[@]}" events --since "$since" --until "$(date +%s.%N)" --format '{{.Actor.Attributes.name}}' | sort -u | xargs)" "till web"
expect_match "$(dk events --since "$since" --until "$(date +%s.%N)")" 'name=page'

step "an image does not make a container one of a project"
dk commit -c 'LABEL com.docker.compose.project=shop' bare posing > /dev/null
dk create --name poser posing true > /dev/null
expect_fails "No such (container|object)" "${shop[@]}" inspect --type container poser
dk create --name own -l com.docker.compose.project=shop posing true > /dev/null
"${shop[@]}" inspect --type container own > /dev/null || fail "a container of the project is not seen"
dk rm poser own > /dev/null

step "what is not understood is refused"
printf '{"listeners": [{"host": "unix:///x", "policy": {"projects": [""]}}]}' > "$TEST_TMP/bad.json"
expect_fails "projects: names are expected" "$bin/cortend" --validate --config "$TEST_TMP/bad.json"
pass
