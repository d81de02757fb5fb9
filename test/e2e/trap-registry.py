#!/usr/bin/env python3
"""A registry with a token server that misbehaves on demand. For e2e tests; keeps everything in memory.

    trap-registry.py DIRECTORY PORT

Listens on 127.0.0.1:PORT (registry) and on 127.0.0.1:PORT+1 and 127.0.0.2:PORT+1 (token server, foreign
storage, proxy). DIRECTORY/requests.log gets a line for each request:
    PORT METHOD PATH status=N auth=none|basic:USER|bearer:TOKEN range=… type=…
DIRECTORY/faults.json is read before each request when it is there; its members:
    auth            "bearer", "basic" (user u, password p) or "" (default)
    token_uses      a token is good for so many requests (0: for ever)
    scopes          true: a token is good only for the repositories and actions it was asked for
    status          [[path regex, status, times, retry-after], …]: answered instead
    cut             [bytes, times]: blobs end after so many bytes, the connection is closed
    cut_range       the same for what was asked for by a range with an end
    slow            seconds between pieces of a blob
    cut_upload      [bytes, times]: uploads are read so far, then the connection is closed
    max_upload      bytes: larger bodies are answered 413
    no_range        true: Range is ignored
    bad_range       true: 206 that begins elsewhere
    redirect        URL prefix: GET of blobs is redirected to it
    corrupt         true: a byte of every blob is another
    manifest_type   Content-Type of manifests
    manifest        text that is served as every manifest
    huge            so many bytes are served as every manifest
    wrong_length    true: Content-Length of blobs is ten more than comes
    digest_header   Docker-Content-Digest of manifests
    page            tags on one page of the list
    realm           where the challenge points to
    referrers       true: the referrers API is there
    no_mount        true: cross-repository mounts are ignored
"""
import base64
import hashlib
import json
import os
import re
import socket
import sys
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

top, port = sys.argv[1], int(sys.argv[2])
blobs, manifests, uploads, tokens, used, refresh = {}, {}, {}, {}, {}, {}
owned = {}  # repository: digests
lock = threading.Lock()


def faults():
    try:
        with open(os.path.join(top, "faults.json")) as f:
            return json.load(f)
    except FileNotFoundError:
        return {}


def once(kind, times):
    """True the first `times` times since faults.json was written."""
    key = (kind, os.stat(os.path.join(top, "faults.json")).st_mtime_ns)
    with lock:
        used[key] = used.get(key, 0) + 1
        return used[key] <= times


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    # --- answers
    def note(self, status):
        auth = self.headers.get("Authorization", "")
        if auth.startswith("Basic "):
            auth = "basic:" + base64.b64decode(auth[6:]).decode().split(":")[0]
        elif auth.startswith("Bearer "):
            auth = "bearer:" + auth[7:]
        with lock, open(os.path.join(top, "requests.log"), "a") as f:
            f.write("%d %s %s status=%d auth=%s range=%s type=%s\n" % (
                self.server.server_port, self.command, self.path, status, auth or "none",
                self.headers.get("Range") or self.headers.get("Content-Range") or "-",
                self.headers.get("Content-Type") or "-"))

    def answer(self, status, body=b"", **headers):
        self.note(status)
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), str(v))
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status, code, message, **headers):
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.answer(status, body, Content_Type="application/json", **headers)

    def hang_up(self):
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def body(self):
        f, n = faults(), int(self.headers.get("Content-Length") or 0)
        if f.get("max_upload") and n > f["max_upload"]:
            self.close_connection = True
            self.error(413, "SIZE_INVALID", "too large")
            return None
        cut = f.get("cut_upload")
        if cut and n > cut[0] and once("cut_upload", cut[1]):
            self.kept = self.rfile.read(cut[0])  # hung up by the caller, once it is stored
            return None
        return self.rfile.read(n)

    # --- authentication
    def basic(self):
        auth = self.headers.get("Authorization", "")
        return auth.startswith("Basic ") and base64.b64decode(auth[6:]).decode() == "u:p"

    def allowed(self, f, name, action):
        auth = self.headers.get("Authorization", "")
        if f.get("auth") == "basic":
            if self.basic():
                return True
            self.error(401, "UNAUTHORIZED", "incorrect username or password",
                       WWW_Authenticate='Basic realm="trap"')
            return False
        if f.get("auth") != "bearer":
            return True
        with lock:
            token = tokens.get(auth[7:]) if auth.startswith("Bearer ") else None
            good = token is not None and (token["left"] is None or token["left"] > 0)
            if good and f.get("scopes") and name:
                good = "%s:%s" % (name, action) in token["scopes"]
            if good and token["left"] is not None:
                token["left"] -= 1
        if good:
            return True
        realm = f.get("realm") or "http://127.0.0.1:%d/token" % (port + 1)
        self.error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate=
                   'Bearer realm="%s",service="trap",scope="repository:%s:%s"' % (realm, name, action))
        return False

    def token(self, query):
        f = faults()
        if self.command == "POST":
            form = urllib.parse.parse_qs(self.body().decode())
            if form.get("grant_type") != ["refresh_token"] or form["refresh_token"][0] not in refresh:
                return self.error(401, "UNAUTHORIZED", "no such refresh token")
            scopes = " ".join(form.get("scope", [])).split()
        else:
            if "Authorization" in self.headers and not self.basic():
                return self.error(401, "UNAUTHORIZED", "incorrect username or password")
            scopes = query.get("scope", [])
        granted = set()
        for s in scopes:
            _, name, actions = s.split(":")
            granted |= {"%s:%s" % (name, a) for a in actions.split(",")}
        text = "t" + uuid.uuid4().hex[:8]
        tokens[text] = {"left": f.get("token_uses") or None, "scopes": granted}
        doc = {"token": text, "expires_in": 60}
        if query.get("offline_token") and self.basic():
            doc["refresh_token"] = "r" + uuid.uuid4().hex[:8]
            refresh[doc["refresh_token"]] = True
        self.answer(200, json.dumps(doc).encode(), Content_Type="application/json")

    # --- blobs and manifests
    def get_blob(self, f, digest, foreign=False):
        data = blobs.get(digest)
        if data is None:
            return self.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if f.get("redirect") and not foreign and self.command == "GET":
            return self.answer(307, Location=f["redirect"] + "/storage/" + digest)
        if f.get("corrupt"):
            data = data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]
        status, start, headers = 200, 0, {"Docker_Content_Digest": digest}
        m = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range", ""))
        whole = len(data)
        if not f.get("no_range"):
            headers["Accept_Ranges"] = "bytes"
        if m and m.group(2) and not f.get("no_range"):
            data = data[:int(m.group(2)) + 1]
        if m and not f.get("no_range"):
            start = int(m.group(1))
            if start >= len(data):
                return self.error(416, "RANGE_INVALID", "beyond the end")
            if f.get("bad_range"):
                start -= 1
            status = 206
            headers["Content_Range"] = "bytes %d-%d/%d" % (start, len(data) - 1, whole)
        length = len(data) - start + (10 if f.get("wrong_length") else 0)
        if self.command == "HEAD":
            return self.answer(200, Content_Length=len(data), Docker_Content_Digest=digest)
        self.note(status)
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        end, cut = len(data), f.get("cut_range" if m and m.group(2) else "cut")
        if cut and len(data) - start > cut[0] and once("cut", cut[1]):
            end = start + cut[0]
        for at in range(start, end, 65536):
            self.wfile.write(data[at:min(at + 65536, end)])
            self.wfile.flush()
            time.sleep(f.get("slow", 0))
        if end < len(data) or f.get("wrong_length"):
            self.hang_up()

    def get_manifest(self, f, name, reference):
        if f.get("huge"):
            return self.answer(200, b"{" + b" " * f["huge"] + b"}", Content_Type="application/json")
        found = manifests.get((name, reference))
        if "manifest" in f:
            found = (f.get("manifest_type", "application/vnd.oci.image.manifest.v1+json"), f["manifest"].encode())
        if not found:
            return self.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        digest = "sha256:" + hashlib.sha256(found[1]).hexdigest()
        self.answer(200, found[1], Content_Type=f.get("manifest_type") or found[0],
                    Docker_Content_Digest=f.get("digest_header") or digest)

    def put_manifest(self, name, reference):
        data = self.body()
        if data is None:
            return
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        for r in (reference, digest):
            manifests[(name, r)] = (self.headers["Content-Type"], data)
        subject = json.loads(data).get("subject") if faults().get("referrers") else None
        headers = {"OCI_Subject": subject["digest"]} if subject else {}
        self.answer(201, Location="/v2/%s/manifests/%s" % (name, digest), Docker_Content_Digest=digest, **headers)

    def tags(self, f, name, query):
        tags = sorted(r for (n, r) in manifests if n == name and ":" not in r)
        last = query.get("last", [""])[0]
        rest, headers = [t for t in tags if t > last], {}
        if f.get("page") and len(rest) > f["page"]:
            rest = rest[:f["page"]]
            headers["Link"] = '</v2/%s/tags/list?last=%s>; rel="next"' % (name, rest[-1])
        self.answer(200, json.dumps({"name": name, "tags": rest}).encode(), Content_Type="application/json", **headers)

    def upload_begin(self, f, name, query):
        mount = query.get("mount", [""])[0]
        if mount in blobs and not f.get("no_mount") and mount in owned.get(query["from"][0], set()):
            owned.setdefault(name, set()).add(mount)
            return self.answer(201, Location="/v2/%s/blobs/%s" % (name, mount))
        uid = uuid.uuid4().hex
        uploads[uid] = b""
        self.body()
        self.answer(202, Location="/v2/%s/blobs/uploads/%s" % (name, uid), Range="0-0")

    def upload(self, name, uid, query):
        if uid not in uploads:
            return self.error(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown")
        here = "/v2/%s/blobs/uploads/%s" % (name, uid)
        if self.command == "GET":
            return self.answer(204, Location=here, Range="0-%d" % max(len(uploads[uid]) - 1, 0))
        m = re.match(r"(\d+)-(\d+)$", self.headers.get("Content-Range", ""))
        if self.command == "PATCH" and m and int(m.group(1)) != len(uploads[uid]):
            return self.error(416, "BLOB_UPLOAD_INVALID", "not where it stopped")
        self.kept = None
        data = self.body()
        if data is None:
            if self.kept is not None:
                uploads[uid] += self.kept
                self.hang_up()
            return None
        uploads[uid] += data
        if self.command == "PATCH":
            return self.answer(202, Location=here, Range="0-%d" % (len(uploads[uid]) - 1))
        wanted = query["digest"][0]
        whole = uploads.pop(uid)
        if "sha256:" + hashlib.sha256(whole).hexdigest() != wanted:
            return self.error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        blobs[wanted] = whole
        owned.setdefault(name, set()).add(wanted)
        return self.answer(201, Location="/v2/%s/blobs/%s" % (name, wanted), Docker_Content_Digest=wanted)

    def referrers(self, f, name, digest, query):
        """Pages of two; nobody knows it unless the fault `referrers` says so."""
        if not f.get("referrers"):
            return self.error(404, "NOT_FOUND", "no such page")
        found = []
        for (n, reference), (kind, data) in sorted(manifests.items()):
            doc = json.loads(data)
            if n == name and ":" in reference and doc.get("subject", {}).get("digest") == digest:
                found.append({"mediaType": kind, "digest": reference, "size": len(data),
                              "artifactType": doc.get("artifactType") or doc["config"]["mediaType"]})
        start, headers = int(query.get("from", ["0"])[0]), {}
        if start + 2 < len(found):
            headers["Link"] = '</v2/%s/referrers/%s?from=%d>; rel="next"' % (name, digest, start + 2)
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": found[start:start + 2]}
        return self.answer(200, json.dumps(index).encode(), Content_Type="application/vnd.oci.image.index.v1+json", **headers)

    # --- routes
    def registry(self, f, path, query):
        m = re.match(r"/v2/(.+)/(manifests|blobs|tags|referrers)/(uploads/)?(.*)$", path)
        name, kind, is_upload, rest = m.groups() if m else ("", "", None, "")
        write = self.command in ("PUT", "POST", "PATCH")
        if not self.allowed(f, name, "push" if write else "pull"):
            self.body()
            return None
        if path == "/v2/":
            return self.answer(200, b"{}")
        if path == "/v1/search":
            return self.answer(200, json.dumps({"num_results": 2, "results": [
                {"name": "trap/" + query["q"][0], "description": "one", "is_official": True, "star_count": 7},
                {"name": "trap/other", "description": "two", "star_count": 1}]}).encode())
        if kind == "manifests":
            return self.put_manifest(name, rest) if write else self.get_manifest(f, name, rest)
        if kind == "tags":
            return self.tags(f, name, query)
        if kind == "referrers":
            return self.referrers(f, name, rest, query)
        if kind == "blobs" and is_upload and not rest:
            return self.upload_begin(f, name, query)
        if kind == "blobs" and is_upload:
            return self.upload(name, rest, query)
        if kind == "blobs":
            known = rest in owned.get(name, set())
            return self.get_blob(f, rest if known else "")
        return self.error(404, "NOT_FOUND", "no such page")

    def serve(self):
        f = faults()
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        for pattern, status, times, *after in f.get("status", []):
            if re.search(pattern, self.command + " " + url.path) and once(pattern, times):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {"Retry_After": after[0]} if after else {}
                return self.error(status, "TOOMANYREQUESTS" if status == 429 else "UNKNOWN",
                                  "You have reached your pull rate limit." if status == 429 else "trap", **headers)
        if self.server.server_port == port:
            return self.registry(f, url.path, query)
        if url.path == "/token":
            return self.token(query)
        if url.scheme:  # we are a proxy
            return self.registry(f, url.path, query)
        return self.get_blob(f, url.path.rsplit("/", 1)[-1], foreign=True)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = serve


for address in (("127.0.0.1", port), ("127.0.0.1", port + 1), ("127.0.0.2", port + 1)):
    server = ThreadingHTTPServer(address, Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever).start()
