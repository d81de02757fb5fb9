#!/bin/bash
# Each of the 107 calls of the Engine API has an answer of its own: here the status of an engine that has nothing of that
# name and is in no swarm, the same to a client of 1.24 and of 1.51; what is an error says so as {"message"}.
. "$(dirname "$0")/lib.sh"
start_daemon
ask() { # METHOD PATH
    local options=(-X "$1")
    [ "$1" = HEAD ] && options=(-I)
    [ "$1" = POST ] && options+=(-d '{}')
    curl -s "${options[@]}" -o answer -w '%{http_code}' --max-time 20 -H 'Content-Type: application/json' \
        --unix-socket "$SOCKET" "http://d$2" < /dev/null
}
n=0
while read -r method path wanted; do
    called=${path//'{id}'/nothing}
    called=${called//'{name}'/nothing}
    [ "$path" = /events ] && called='/events?until=1'
    for version in 1.51 1.24; do
        : > answer
        status=$(ask "$method" "/v$version$called")
        [ "$status" = "$wanted" ] || fail "$method /v$version$path: $status, want $wanted: $(cat answer)"
        [ "$status" -lt 400 ] || [ "$method" = HEAD ] || expect_match "$(cat answer)" '^\{"message":"..*"\}$'
        expect_no_match "$(cat answer)" 'page not found'
    done
    n=$((n + 1))
done <<'CALLS'
POST /auth 503
GET /info 200
GET /version 200
GET /_ping 200
HEAD /_ping 200
GET /events 200
GET /system/df 200
GET /containers/json 200
POST /containers/create 400
GET /containers/{id}/json 404
GET /containers/{id}/top 404
GET /containers/{id}/logs 404
GET /containers/{id}/changes 404
GET /containers/{id}/export 404
GET /containers/{id}/stats 404
POST /containers/{id}/resize 400
POST /containers/{id}/start 404
POST /containers/{id}/stop 404
POST /containers/{id}/restart 404
POST /containers/{id}/kill 404
POST /containers/{id}/update 404
POST /containers/{id}/rename 400
POST /containers/{id}/pause 404
POST /containers/{id}/unpause 404
POST /containers/{id}/attach 404
GET /containers/{id}/attach/ws 400
POST /containers/{id}/wait 404
DELETE /containers/{id} 404
HEAD /containers/{id}/archive 400
GET /containers/{id}/archive 400
PUT /containers/{id}/archive 400
POST /containers/prune 200
POST /containers/{id}/exec 404
POST /exec/{id}/start 404
POST /exec/{id}/resize 400
GET /exec/{id}/json 404
GET /images/json 200
POST /build 400
POST /build/prune 200
POST /images/create 400
GET /images/{name}/json 404
GET /images/{name}/history 404
POST /images/{name}/push 200
POST /images/{name}/tag 400
DELETE /images/{name} 404
GET /images/search 400
POST /images/prune 200
POST /commit 404
GET /images/{name}/get 404
GET /images/get 400
POST /images/load 200
GET /distribution/{name}/json 503
GET /networks 200
GET /networks/{id} 404
DELETE /networks/{id} 404
POST /networks/create 400
POST /networks/{id}/connect 400
POST /networks/{id}/disconnect 400
POST /networks/prune 200
GET /volumes 200
POST /volumes/create 201
GET /volumes/{name} 404
PUT /volumes/{name} 503
DELETE /volumes/{name} 404
POST /volumes/prune 200
GET /swarm 503
POST /swarm/init 501
POST /swarm/join 501
POST /swarm/leave 503
POST /swarm/update 503
GET /swarm/unlockkey 503
POST /swarm/unlock 503
GET /nodes 503
GET /nodes/{id} 503
DELETE /nodes/{id} 503
POST /nodes/{id}/update 503
GET /services 503
POST /services/create 503
GET /services/{id} 503
DELETE /services/{id} 503
POST /services/{id}/update 503
GET /services/{id}/logs 503
GET /tasks 503
GET /tasks/{id} 503
GET /tasks/{id}/logs 503
GET /secrets 503
POST /secrets/create 503
GET /secrets/{id} 503
DELETE /secrets/{id} 503
POST /secrets/{id}/update 503
GET /configs 503
POST /configs/create 503
GET /configs/{id} 503
DELETE /configs/{id} 503
POST /configs/{id}/update 503
GET /plugins 200
GET /plugins/privileges 501
POST /plugins/pull 501
GET /plugins/{name}/json 404
DELETE /plugins/{name} 404
POST /plugins/{name}/enable 404
POST /plugins/{name}/disable 404
POST /plugins/{name}/upgrade 501
POST /plugins/create 501
POST /plugins/{name}/push 404
POST /plugins/{name}/set 404
POST /session 501
CALLS
expect_eq $n 107

step "what is no call"
expect_eq "$(ask GET /v1.51/nothing)" 404
expect_match "$(cat answer)" 'page not found'
expect_eq "$(ask PATCH /v1.51/containers/json)" 404
expect_eq "$(ask GET /v1.52/info)" 400
expect_match "$(cat answer)" 'client version 1.52 is too new'
expect_eq "$(ask GET /v1.23/info)" 400
expect_match "$(cat answer)" 'client version 1.23 is too old'
for path in /session /grpc; do expect_eq "$(ask POST $path)" 501; done
pass
