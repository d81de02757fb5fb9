#!/usr/bin/env python3
"""An engine that has what ours has not: plugins, checkpoints, a search. For the command line's side of them.

    engine.py SOCKET    serves there; every call is written to stdout
"""
import http.server
import json
import os
import re
import socketserver
import sys

PLUGIN = {"Id": "5" * 64, "Name": "vieux/sshfs:latest", "Enabled": False, "PluginReference": "docker.io/vieux/sshfs:latest",
          "Config": {"Description": "sshFS"}, "Settings": {"Env": []}}
ANSWERS = [
    ("GET", r"/plugins$", [PLUGIN]),
    ("GET", r"/plugins/privileges\?", []),
    ("GET", r"/plugins/.*/json$", PLUGIN),
    ("GET", r"/images/search\?", [{"name": "box", "description": "one", "star_count": 7, "is_official": True, "is_automated": False}]),
    ("GET", r"/containers/web/checkpoints", [{"Name": "one"}]),
    ("POST", r"/plugins/(pull|.*/push|.*/upgrade)", {"status": "done"}),
]


class Engine(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.headers.get("Transfer-Encoding") == "chunked":
            while (size := int(self.rfile.readline(), 16)) > 0:
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        path = re.sub(r"^/v[0-9.]+", "", self.path)
        print(self.command, path, len(body), flush=True)
        found = [a for m, p, a in ANSWERS if m == self.command and re.match(p, path)]
        text = b"" if not found else json.dumps(found[0]).encode()
        status = 200 if found or path.startswith("/_ping") or self.command == "GET" else 204
        self.send_response(status)
        self.send_header("Api-Version", "1.51")
        self.send_header("Docker-Experimental", "true")
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_DELETE = do_HEAD = answer

    def log_message(self, *args):
        pass

    def address_string(self):
        return ""


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request, address):
        pass  # a client that has heard enough


if os.path.exists(sys.argv[1]):
    os.unlink(sys.argv[1])
Server(sys.argv[1], Engine).serve_forever()
