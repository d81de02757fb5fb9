#!/usr/bin/python3
"""A volume plugin for tests: volume-plugin.py SOCKET DIR LOG. Volumes are directories in DIR; option fail=CALL makes
that call fail, option hang=CALL makes it never answer. Every call is a line in LOG: call, name, id."""
import json, os, socketserver, sys, time
from http.server import BaseHTTPRequestHandler

socket, root, log = sys.argv[1:]
options = {}


class Handler(BaseHTTPRequestHandler):
    def address_string(self):
        return "unix"

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = self.path[1:]
        asked = json.loads(body) if body else {}
        name = asked.get("Name", "")
        with open(log, "a") as f:
            f.write("%s %s %s\n" % (call, name, asked.get("ID", "")))
        answer, place = {"Err": ""}, os.path.join(root, name)
        if call == "VolumeDriver.Create":
            options[name] = asked.get("Opts") or {}
        own = options.get(name, {})
        if own.get("hang") == call.split(".")[-1]:
            time.sleep(1000)
        if call == "Plugin.Activate":
            answer = {"Implements": ["VolumeDriver"] if "other" not in socket else ["authz"]}
        elif own.get("fail") == call.split(".")[-1]:
            answer = {"Err": "it does not want to"}
        elif call == "VolumeDriver.Create":
            os.makedirs(place, exist_ok=True)
        elif call == "VolumeDriver.List" and "box" in socket:
            answer["Volumes"] = [{"Name": n, "Mountpoint": ""} for n in sorted(os.listdir(root)) if ".removed" not in n]
        elif call == "VolumeDriver.Mount":
            answer["Mountpoint"] = place
        elif call == "VolumeDriver.Remove":
            os.rename(place, place + ".removed")
        text = json.dumps(answer).encode()
        self.send_response(500 if answer.get("Err") else 200)
        self.send_header("Content-Type", "application/vnd.docker.plugins.v1.2+json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        request, _ = super().get_request()
        return request, ("unix", 0)


Server(socket, Handler).serve_forever()
