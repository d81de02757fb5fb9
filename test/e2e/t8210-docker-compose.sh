#!/bin/bash
# Debian's docker-compose 1.29 (Python, API 1.38 and older): three services are built, come up, scale, are looked at and go.
# limit: 240
. "$(dirname "$0")/lib.sh"
command -v docker-compose > /dev/null || skip "docker-compose is not installed"
case $(docker-compose version --short 2> /dev/null) in 1.29.*) ;; *) skip "docker-compose is not 1.29" ;; esac
start_daemon
make_busybox_image
mkdir shop && cd shop || exit 2
mkdir web
cat > web/Dockerfile <<'D'
FROM busybox
COPY page /www/index.html
CMD ["httpd", "-f", "-p", "80", "-h", "/www"]
D
echo welcome > web/page
cat > docker-compose.yml <<'Y'
version: "2.4"
services:
  web:
    build: web
    depends_on:
      db: {condition: service_healthy}
    environment: {PLACE: shop}
    networks: {front: , back: }
    labels: {tier: front}
  db:
    image: busybox
    command: sh -c "echo ready; date +%s > /data/started; exec sleep 1000"
    healthcheck: {test: "test -e /data/started", interval: 1s, retries: 20}
    volumes: ["data:/data"]
    networks: {back: {aliases: [database]}}
    stop_grace_period: 1s
    ulimits: {nofile: {soft: 100, hard: 200}}
  job:
    image: busybox
    command: sh -c "nslookup database > /dev/null && echo found; exec sleep 1000"
    networks: [back]
    depends_on: [db]
    init: true
networks: {front: , back: {internal: true}}
volumes: {data: }
Y
# Its Python warns about the host's; that is not what is tested.
dc() { in_net env PYTHONWARNINGS=ignore DOCKER_HOST="unix://$SOCKET" docker-compose --no-ansi "$@" 2> "$TEST_TMP/dc.err" || { cat "$TEST_TMP/dc.err" >&2; return 1; }; }

step "config, build, up"
dc config -q || fail "config"
dc up -d --build > up.out || fail "up"
expect_eq "$(dc ps --services | sort | tr '\n' ' ')" "db job web "
expect_eq "$(dk ps --format '{{.Names}}' | sort | tr '\n' ' ')" "shop_db_1 shop_job_1 shop_web_1 "
expect_match "$(dc ps)" 'shop_db_1 .*Up \(healthy\)'

step "what is in the file is so"
expect_eq "$(dc exec -T web wget -q -O - http://127.0.0.1/)" "welcome"
expect_eq "$(dc exec -T job wget -q -O - http://web/)" "welcome"
found() { [ "$(dc logs job | grep -c found)" -gt 0 ]; }
eventually 10 found
expect_match "$(dc logs db)" 'db_1 .*\| ready'
expect_eq "$(dc exec -T db sh -c 'ulimit -Sn')" "100"
expect_eq "$(dc exec -T job cat /proc/1/comm)" "corten-init"
[ -z "${CORTEN_FULL:-}" ] || expect_match "$(dc top db)" "sleep 1000"
expect_eq "$(dc run --rm -T job echo once)" "once"

step "scale up and down"
dc up -d --scale web=3 > /dev/null || fail "scale"
expect_eq "$(dk ps -q --filter label=com.docker.compose.service=web | wc -l)" 3
dc up -d --scale web=1 > /dev/null || fail "scale back"
expect_eq "$(dk ps -aq --filter label=com.docker.compose.service=web | wc -l)" 1

step "nothing changed, nothing made anew; something changed, that one alone"
before=$(dk ps -q --no-trunc | sort)
dc up -d > /dev/null || fail "up again"
expect_eq "$(dk ps -q --no-trunc | sort)" "$before"
sed -i 's/PLACE: shop/PLACE: market/' docker-compose.yml
started=$(dk exec shop_db_1 cat /data/started)
dc up -d > /dev/null || fail "up with a change"
expect_eq "$(dc exec -T web sh -c 'echo $PLACE')" "market"
expect_eq "$(dk ps -q --no-trunc | sort | comm -12 - <(echo "$before") | wc -l)" 2
if [ -n "${CORTEN_FULL:-}" ]; then # its Python takes a second a call
    dc restart -t 1 db > /dev/null || fail "restart"
    expect_match "$(dc exec -T db cat /data/started)" '^[0-9]+$'
    [ "$(dc exec -T db cat /data/started)" -gt "$started" ] || fail "db was not restarted"
    dc pause job > /dev/null && dc unpause job > /dev/null || fail "pause"
    dc stop -t 1 web > /dev/null || fail "stop"
    dc start web > /dev/null || fail "start"
    dc kill web > /dev/null || fail "kill"
    dc rm -f web > /dev/null || fail "rm"
fi

step "down"
dc down -v -t 1 > /dev/null || fail "down"
expect_eq "$(dk ps -aq; dk volume ls -q; dk network ls --filter name=shop -q)" ""
expect_nothing_left
pass
