#!/usr/bin/env python3
"""Runs a command on a terminal of 40 lines by 120 and tells what was to be seen. For e2e tests.

    terminal.py COMMAND…

Prints the last screen, a line "--", and for each line "ID: STATUS…" that was ever drawn its statuses in their order,
each once ("Downloading", without its bar), in the order in which the lines came to be. Exits as the command did.
"""
import fcntl
import os
import pty
import re
import struct
import sys
import termios

pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[1], sys.argv[1:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

screen, row, column, seen = [""], 0, 0, {}


def look():
    """Takes the line that was just finished into account."""
    m = re.match(r"([0-9a-f]{12}): +([A-Z][a-z]+( [a-z]+)*)", screen[row])
    if m:
        states = seen.setdefault(m[1], [])
        if not states or states[-1] != m[2]:
            states.append(m[2])


def feed(text):
    global row, column
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+|\x1b", text):
        m = re.fullmatch(r"\x1b\[([0-9;?]*)([A-Za-z])", part)
        if m:
            n = int(m[1] or 1) if m[1].isdigit() or not m[1] else 1
            if m[2] == "A":
                look()
                row = max(row - n, 0)
            elif m[2] == "B":
                look()
                row += n
                while row >= len(screen):
                    screen.append("")
            elif m[2] == "K":
                screen[row] = screen[row][:column] if not m[1] or m[1] == "0" else ""
        elif part == "\r":
            column = 0
        elif part == "\n":
            look()
            row += 1
            if row == len(screen):
                screen.append("")
        else:
            line = screen[row].ljust(column)
            screen[row] = line[:column] + part + line[column + len(part):]
            column += len(part)


rest = b""
while True:
    try:
        more = os.read(fd, 65536)
    except OSError:
        more = b""
    if not more:
        break
    rest += more
    # What ends in the middle of a sequence or of a character waits for the next bytes.
    cut = max(rest.rfind(b"\n"), rest.rfind(b"\r")) + 1
    feed(rest[:cut].decode(errors="replace"))
    rest = rest[cut:]
feed(rest.decode(errors="replace"))
look()
print("\n".join(s.rstrip() for s in screen).rstrip("\n"))
print("--")
for name, states in seen.items():
    print(name + ": " + ", ".join(states))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
