"""A bus with a systemd behind it that records what it is asked (t8104). argv: socket, log, cgroup mount...

Speaks the D-Bus specification from the other side, with code of its own: what both sides would get wrong together is what
test/vm/systemd.sh is for."""
import glob
import os
import socket
import struct
import sys

ALIGN = {"y": 1, "g": 1, "v": 1, "b": 4, "u": 4, "i": 4, "s": 4, "o": 4, "a": 4, "t": 8, "x": 8, "d": 8, "(": 8}


def end_of_type(sig, i):
    if sig[i] == "a":
        return end_of_type(sig, i + 1)
    if sig[i] != "(":
        return i + 1
    i += 1
    while sig[i] != ")":
        i = end_of_type(sig, i)
    return i + 1


class Reader:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def align(self, n):
        end = (self.at + n - 1) // n * n
        assert not any(self.data[self.at:end]), "padding is not zero"
        self.at = end

    def take(self, fmt):
        n = struct.calcsize(fmt)
        (v,) = struct.unpack_from("<" + fmt, self.data, self.at)
        self.at += n
        return v

    def value(self, sig):
        c = sig[0]
        self.align(ALIGN[c])
        if c == "y":
            return self.take("B")
        if c in "ub":
            return self.take("I")
        if c == "t":
            return self.take("Q")
        if c in "sog":
            n = self.take("B" if c == "g" else "I")
            text = self.data[self.at:self.at + n].decode()
            assert self.data[self.at + n] == 0
            self.at += n + 1
            return text
        if c == "v":
            inner = self.value("g")
            return self.value(inner)
        if c == "a":
            n = self.take("I")
            self.align(ALIGN[sig[1]])
            end, out = self.at + n, []
            while self.at < end:
                out.append(self.value(sig[1:]))
            assert self.at == end
            return out
        if c == "(":
            return self.values(sig[1:end_of_type(sig, 0) - 1])
        raise AssertionError(sig)

    def values(self, sig):
        out, i = [], 0
        while i < len(sig):
            j = end_of_type(sig, i)
            out.append(self.value(sig[i:j]))
            i = j
        return out


def pad(b, n):
    return b + b"\0" * (-len(b) % n)


def text(b, s):
    return pad(b, 4) + struct.pack("<I", len(s)) + s.encode() + b"\0"


def message(kind, serial, fields, sig, body):
    out = b""
    if sig:
        fields = fields + [(8, "g", sig)]
    for code, t, v in fields:
        out = pad(out, 8) + bytes([code, 1]) + t.encode() + b"\0"
        if t == "u":
            out = pad(out, 4) + struct.pack("<I", v)
        elif t == "g":
            out += bytes([len(v)]) + v.encode() + b"\0"
        else:
            out = text(out, v)
    head = b"l" + bytes([kind, 0, 1]) + struct.pack("<III", len(body), serial, len(out))
    return pad(head + out, 8) + body


class Connection:
    def __init__(self, sock, log, mounts):
        self.sock, self.log, self.mounts, self.serial, self.job = sock, log, mounts, 0, 0
        self.buffer = b""

    def need(self, n):
        while len(self.buffer) < n:
            more = self.sock.recv(4096)
            if not more:
                raise EOFError
            self.buffer += more

    def line(self):
        while b"\r\n" not in self.buffer:
            self.need(len(self.buffer) + 1)
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def say(self, what):
        self.log.write(what + "\n")
        self.log.flush()

    def send(self, kind, fields, sig="", body=b""):
        self.serial += 1
        self.sock.sendall(message(kind, self.serial, fields, sig, body))

    def finish(self, serial, unit, result="done"):
        self.job += 1
        job = f"/org/freedesktop/systemd1/job/{self.job}"
        # Some other job ends first: nobody may take it for his own.
        for path, name, how in ((job + "0", "other.service", "failed"), (job, unit, result)):
            if path == job:
                self.send(2, [(5, "u", serial)], "o", text(b"", job))
            body = text(text(text(struct.pack("<I", 1), path), name), how)
            self.send(4, [(1, "o", "/org/freedesktop/systemd1"), (2, "s", "org.freedesktop.systemd1.Manager"),
                          (3, "s", "JobRemoved")], "uoss", body)

    def start_unit(self, serial, name, mode, properties, aux):
        slice_name = dict(properties)["Slice"]
        self.say(f"start {name} {mode}")
        for key, value in properties:
            self.say(f"  {key}={'PIDS' if key == 'PIDs' else value}")
        if "refused" in name:
            self.send(3, [(4, "s", "org.freedesktop.systemd1.UnitExists"), (5, "u", serial)], "s",
                      text(b"", f"Unit {name} was already loaded."))
            return
        for mount in self.mounts:
            place = f"{mount}/{slice_name}/{name}"
            os.makedirs(place)
            for pid in dict(properties)["PIDs"]:
                with open(place + "/cgroup.procs", "w") as f:
                    f.write(str(pid))
        self.finish(serial, name, "failed" if "broken" in name else "done")

    def call(self, serial, member, args):
        if member == "StartTransientUnit":
            self.start_unit(serial, *args)
        elif member == "StopUnit":
            self.say(f"stop {args[0]} {args[1]}")
            for mount in self.mounts:
                for place in glob.glob(f"{mount}/*.slice/{args[0]}"):
                    os.rmdir(place)
            self.finish(serial, args[0])
        elif member == "SetUnitProperties":
            self.say(f"set {args[0]} {args[1]} " + " ".join(f"{k}={v}" for k, v in args[2]))
            self.send(2, [(5, "u", serial)])
        elif member == "Hello":
            self.send(2, [(5, "u", serial)], "s", text(b"", ":1.7"))
        else:
            self.say(f"{member}")
            self.send(2, [(5, "u", serial)])

    def serve(self):
        self.need(1)
        assert self.buffer[:1] == b"\0"
        self.buffer = self.buffer[1:]
        assert self.line() == b"AUTH EXTERNAL " + b"".join(b"%02x" % c for c in str(os.geteuid()).encode())
        self.sock.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
        assert self.line() == b"BEGIN"
        while True:
            self.need(16)
            order, kind, _, version, body, serial, fields = struct.unpack("<cBBBIII", self.buffer[:16])
            assert (order, kind, version) == (b"l", 1, 1), (order, kind, version)
            head = (16 + fields + 7) // 8 * 8
            self.need(head + body)
            names = dict(Reader(self.buffer[:16 + fields], 12).value("a(yv)"))
            args = Reader(self.buffer[head:head + body]).values(names.get(8, ""))
            self.buffer = self.buffer[head + body:]
            assert names[6] in ("org.freedesktop.systemd1", "org.freedesktop.DBus"), names
            self.call(serial, names[3], args)


def main():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(8)
    with open(sys.argv[2], "a", encoding="utf-8") as log:
        while True:
            sock, _ = listener.accept()
            try:
                Connection(sock, log, sys.argv[3:]).serve()
            except EOFError:
                pass
            except AssertionError as e:
                log.write(f"WRONG {e!r}\n")
                log.flush()
            sock.close()


main()
