#!/bin/bash
# What waits for a container's own validation: docker-compose's dependencies, health filters, and the
# order in which containers come back with the daemon; ancestry goes through an archive.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image

step "wait for ready: with a validation, a health check, neither; not for one that ends or goes"
good='test -e /good'
dk run -d --name db --label corten.method.validate="$good" busybox sleep 1000 >/dev/null
dk run -d --name hc --health-cmd "$good" --health-interval 0.3s busybox sleep 1000 >/dev/null
dk run -d --name none busybox sleep 1000 >/dev/null
dk create --name later --label corten.method.validate="$good" busybox sh -c 'touch /good; exec sleep 1000' >/dev/null
for n in db hc none later; do ct wait --condition ready $n >"wait.$n" 2>&1 & done
eventually 5 grep -qx 0 wait.none
expect_eq "$(cat wait.db wait.hc wait.later)" ''
dk exec db touch /good
dk exec hc touch /good
dk start later >/dev/null
for n in db hc later; do eventually 10 grep -qx 0 "wait.$n"; done
expect_status 0 ct wait --condition ready db hc
dk run -d --name never --label corten.method.validate=false busybox sleep 1000 >/dev/null
ct wait --condition ready never >wait.never 2>&1 & other=$!
dk rm -f never >/dev/null
wait $other && fail "ready after its end"
expect_match "$(cat wait.never)" 'the container (is not running|was removed before it was ready)'
dk stop -t 0 db >/dev/null
expect_fails 'the container is not running' ct wait --condition ready db
api POST '/v1.51/containers/none/wait?condition=ready'
expect_eq "$api_status $output" '200 {"StatusCode":0}'
api POST '/v1.50/containers/none/wait?condition=ready'
expect_eq "$api_status $(jq -r .message <<<"$output")" '400 invalid condition: "ready"'
dk rm -f db hc none later >/dev/null

command -v docker-compose >/dev/null || skip "docker-compose is not installed"
case $(docker-compose version --short 2>/dev/null) in 1.29.*) ;; *) skip "docker-compose is not 1.29" ;; esac
cat >docker-compose.yml <<'EOF'
version: "2.4"
services:
  web:
    image: busybox
    command: sh -c "test -e /shared/ready && echo came after > /shared/order; exec sleep 1000"
    depends_on:
      db: {condition: service_healthy}
    volumes: [ "shared:/shared" ]
  db:
    image: busybox
    command: sh -c "sleep 2; touch /shared/ready; exec sleep 1000"
    volumes: [ "shared:/shared" ]
    labels:
      corten.method.validate: test -e /shared/ready
volumes: {shared: }
EOF
dc() { in_net env PYTHONWARNINGS=ignore DOCKER_HOST="unix://$SOCKET" docker-compose --no-ansi -p gate "$@"; }

step "docker-compose waits until the validation was good"
dc up -d >up.log 2>&1 || fail "$(cat up.log)"
expect_eq "$(dk exec gate_web_1 cat /shared/order)" "came after"
expect_eq "$(ct ps -q --filter ready=true | wc -l)" 2
expect_eq "$(dk ps -q --filter health=healthy | wc -l)" 1
dc down -v >/dev/null 2>&1 || fail "down"

step "ancestry goes through an archive"
printf 'FROM busybox\nLABEL corten.method.validate=true\n' | ct build -q -t base - >/dev/null || fail "base"
printf 'FROM base AS tools\nFROM base\nCOPY --from=tools /etc/passwd /p\n' | ct build -q -t app - >/dev/null || fail "app"
seen=$(ct metadata app | jq -c '[.ancestors[].image_name]')
expect_match "$seen" '"busybox","base"'
dk save app | gzip >app.tar.gz
dk rmi app base >/dev/null
dk load -q -i app.tar.gz >/dev/null
expect_eq "$(ct metadata app | jq -c '[.ancestors[].image_name]')" "$seen"
expect_eq "$(ct metadata app | jq -r '.ancestors[-1].validate_method')" true
pass
