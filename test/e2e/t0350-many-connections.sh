#!/bin/bash
# A thousand connections at once, half of them follow events or a log, some of which never read: all are served, others
# do not wait, memory stays flat.
. "$(dirname "$0")/lib.sh"
command -v python3 > /dev/null || skip "python3 is not installed"
start_daemon
make_busybox_image
dk create --name talk busybox true > /dev/null
dk run -d -i --name said busybox cat > /dev/null
cat > many.py <<'P'
import resource, socket, sys, time
path, pid, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
def dial(request):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(path)
    if request:
        s.sendall(('%s HTTP/1.1\r\nHost: d\r\n\r\n' % request).encode())
    return s
def until(s, what):
    got = b''
    while what not in got:
        more = s.recv(65536)
        assert more, 'the stream ended before %s: %s' % (what, got)
        got += more
def rss():
    return int(open('/proc/%s/statm' % pid).read().split()[1]) * 4
def post(p, body=b''):
    s = dial(None)
    s.sendall(('POST %s HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n'
               % (p, len(body))).encode() + body)
    got = b''
    while True:
        more = s.recv(65536)
        if not more:
            return got
        got += more
sizes = [rss()]
for round_ in range(3):
    events = [dial('GET /events') for _ in range(n // 4)]
    logs = [dial('GET /containers/said/logs?follow=1&stdout=1&tail=0') for _ in range(n // 4)]
    plain = [dial('GET /containers/json?all=1') for _ in range(n // 2)]
    for s in plain:
        until(s, b'said')
    for s in events + logs:
        until(s, b'\r\n\r\n')
    # All of them are open; one more asks.
    t = time.time()
    s = dial('GET /containers/said/json')
    until(s, b'"Running":true')
    print('# round %d: %d connections, one more answered in %.1f ms' % (round_, len(events + logs + plain), (time.time() - t) * 1000))
    name = 'n%d' % round_
    assert b' 204 ' in post('/containers/talk/rename?name=' + name).split(b'\r\n')[0]
    assert b' 204 ' in post('/containers/%s/rename?name=talk' % name).split(b'\r\n')[0]
    for s in events[2:]:  # the first two never read
        until(s, name.encode())
    a = dial(None)
    a.sendall(b'POST /containers/said/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
    until(a, b'\r\n\r\n')
    a.sendall(b'line of %s\n' % name.encode())
    for s in logs[2:]:
        until(s, b'line of %s' % name.encode())
    sizes.append(rss())
    for s in events + logs + plain + [a]:
        s.close()
print('# resident KiB: %s' % sizes)
much = int(sys.argv[4])  # instrumented programs need more
assert sizes[1] - sizes[0] < 8 * 1024 * much, sizes
assert sizes[3] - sizes[1] < 1024 * much, sizes
P
case $build in *san*) much=64 ;; *) much=1 ;; esac
in_net python3 many.py "$SOCKET" "$daemon_pid" 1000 $much || fail "a thousand connections"
pass
