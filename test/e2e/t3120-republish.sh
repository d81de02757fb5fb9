#!/bin/bash
# Published ports of a running container come and go: by IPv4 and ::1, out of the middle of a range, with another list
# of sources; they survive restarts of daemon and container; conflicts change nothing.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
serve='mkdir -p /w; hostname > /w/index.html; exec httpd -f -p 80 -h /w'
fetch() { in_net timeout 5 busybox wget -q -O - "http://$1/"; }
six() { [ -e /proc/sys/net/ipv6 ]; }
dk run -d --name web --hostname web -p 8080:80 busybox sh -c "$serve" > /dev/null
dk run -d --name other --hostname other -p 9090:80 busybox sh -c "$serve" > /dev/null
eventually 5 fetch 127.0.0.1:8080

step "one more"
expect_eq "$(ct update --publish-add 8081:80 web)" web
expect_eq "$(fetch 127.0.0.1:8081)" web
six && expect_eq "$(fetch '[::1]:8081')" web
expect_match "$(dk port web)" '0.0.0.0:8081$'
expect_fails "port is already allocated \(by container web\)" dk run --rm -p 8081:80 busybox true
expect_fails "port is already allocated \(by container other\)" ct update --publish-add 9090:80 web
expect_fails "ddress already in use" in_net busybox nc -l -p 8081
kill_daemon
restart_daemon
expect_eq "$(fetch 127.0.0.1:8081)" web
dk restart -t 0 web > /dev/null
eventually 5 fetch 127.0.0.1:8081

step "none any more"
ct update --publish-rm 80/tcp web > /dev/null
expect_status 1 fetch 127.0.0.1:8080
expect_status 1 fetch 127.0.0.1:8081
expect_eq "$(dk port web)" ""
dk run --rm -p 8081:80 busybox true
ct update --publish-rm 80 --publish-add 8082:80,from=10.0.0.0/8 web > /dev/null
expect_match "$(ct port web)" 'from 10.0.0.0/8$'

step "out of a range"
dk run -d --name long -p 7000-7009:7000-7009 busybox sleep 1000 > /dev/null
ct update --publish-rm 7004 long > /dev/null
expect_eq "$(dk port long | grep -c '0.0.0.0')" 9
dk run --rm -p 7004:80 busybox true
expect_fails "by container long" dk run --rm -p 7005:80 busybox true

step "while it does not run"
dk stop -t 0 web > /dev/null
ct update --publish-add 8083:80 web > /dev/null
dk start web > /dev/null
eventually 5 fetch 127.0.0.1:8083
expect_fails "invalid port" ct update --publish-rm x web
dk rm -f web other long > /dev/null
expect_nothing_left
pass
