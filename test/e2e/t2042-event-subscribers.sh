#!/bin/bash
# 24 subscribers to events, of which one never reads: the others miss nothing and do not wait, the stuck one is cut once a
# MiB waits for it, and the daemon's memory shows no more than that.
. "$(dirname "$0")/lib.sh"
command -v python3 > /dev/null || skip "python3 is not installed"
start_daemon
make_busybox_image
# An event tells the container's labels: 48 KiB each.
dk create --name talk --label "big=$(head -c 49152 /dev/zero | tr '\0' x)" busybox true > /dev/null
cat > subscribers.py <<'P'
import json, select, socket, sys, threading, time
path, pid, rounds, much = sys.argv[1], sys.argv[2], 64, int(sys.argv[3])
def dial(request):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(path)
    s.sendall((request + ' HTTP/1.1\r\nHost: d\r\n\r\n').encode())
    return s
def head(s):
    got = b''
    while not got.endswith(b'\r\n\r\n'):
        got += s.recv(1)
    return got
def rss():
    return int(open('/proc/%s/statm' % pid).read().split()[1]) * 4
def rename(name, to):
    s = dial('POST /containers/%s/rename?name=%s' % (name, to))
    assert b' 204 ' in head(s)
    s.close()
def follow(s, seen):
    file, data = s.makefile('rb'), b''
    while len(seen) < rounds:
        size = int(file.readline(), 16)
        data += file.read(size)
        file.readline()
        while b'\n' in data:
            line, data = data.split(b'\n', 1)
            seen.append(json.loads(line)['Actor']['Attributes']['name'])
subscribers = [dial('GET /events?filters={"event":["rename"]}') for _ in range(24)]
for s in subscribers:
    assert b' 200 ' in head(s)
stuck, others, seen = subscribers[0], subscribers[1:], [[] for _ in range(23)]
threads = [threading.Thread(target=follow, args=(s, l), daemon=True) for s, l in zip(others, seen)]
for t in threads:
    t.start()
before, name, most = rss(), 'talk', 0
for i in range(rounds):
    rename(name, 'talk%d' % i)
    name = 'talk%d' % i
    most = max(most, rss())
for t in threads:
    t.join(60)
want = ['talk%d' % i for i in range(rounds)]
assert all(l == want for l in seen), [len(l) for l in seen]
# The stuck one has what the two ends held, and then its end.
held = 0
while True:
    try:
        more = stuck.recv(65536)
    except ConnectionResetError:
        break
    if not more:
        break
    held += len(more)
print('# stuck: %d KiB, of %d; the daemon grew by %d KiB' % (held / 1024, rounds * 48, most - before))
assert held < 2 << 20, held
assert most - before < much * 8192, (before, most)  # 3 MiB of it are the events that are kept
# Whoever subscribes now is served as ever.
late = dial('GET /events?filters={"event":["rename"]}')
head(late)
rename(name, 'talk')
assert b'"rename"' in late.recv(65536)
P
case $build in *san*) much=64 ;; *) much=1 ;; esac
in_net python3 subscribers.py "$SOCKET" "$daemon_pid" $much || fail "subscribers"
expect_eq "$(grep -c 'does not read: cut' "$daemon_log")" 1
pass
