#!/usr/bin/env python3
"""websocket.py SOCKET PATH [TEXT…] - attaches over a WebSocket: sends each TEXT as a masked frame, prints what
comes until the close frame, then "-- closed STATUS". Words: @ping, @close, @bad (a frame without a mask),
@half (two fragments), @origin=URL (a header of the handshake). Tests only."""
import os, socket, struct, sys, time

path, words = sys.argv[2], sys.argv[3:]
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
head = f"GET {path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
for w in [w for w in words if w.startswith("@origin=")]:
    head += f"Origin: {w[8:]}\r\n"
    words.remove(w)
s.sendall(head.encode() + b"\r\n")
got = b""
while b"\r\n\r\n" not in got:
    more = s.recv(4096)
    if not more:
        break
    got += more
answer, _, rest = got.partition(b"\r\n\r\n")
if not answer.startswith(b"HTTP/1.1 101 ") or b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" not in answer:
    print(answer.split(b"\r\n")[0].decode(), rest.decode().strip())
    sys.exit(1)


def frame(opcode, payload, fin=True, mask=True):
    key = os.urandom(4)
    n = len(payload)
    size = bytes([n]) if n < 126 else b"\x7e" + struct.pack(">H", n)
    size = bytes([size[0] | (0x80 if mask else 0)]) + size[1:]
    body = bytes(c ^ key[i & 3] for i, c in enumerate(payload)) if mask else payload
    s.sendall(bytes([opcode | (0x80 if fin else 0)]) + size + (key if mask else b"") + body)


for w in words:
    if w == "@ping":
        frame(9, b"are you there")
    elif w == "@close":
        time.sleep(0.3)
        frame(8, struct.pack(">H", 1000))
    elif w == "@bad":
        frame(2, b"x", mask=False)
    elif w == "@half":
        frame(2, b"ha", fin=False)
        frame(0, b"lf\n")
    else:
        frame(2, w.encode() + b"\n")


def take(n):
    global rest
    while len(rest) < n:
        more = s.recv(65536)
        if not more:
            raise EOFError
        rest += more
    out, rest = rest[:n], rest[n:]
    return out


out = sys.stdout.buffer
try:
    while True:
        a, n = take(2)
        n = struct.unpack(">H", take(2))[0] if n == 126 else struct.unpack(">Q", take(8))[0] if n == 127 else n
        payload = take(n)
        if a & 15 == 8:
            out.write(b"-- closed %d\n" % struct.unpack(">H", payload)[0])
            break
        out.write(b"<pong %s>\n" % payload if a & 15 == 10 else payload)
        out.flush()
except EOFError:
    out.write(b"-- cut\n")
