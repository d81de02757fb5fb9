#!/bin/bash
# import from a URL: http and https, redirects, passwords; what cannot be had is named, and nothing of it is left.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "python3 is not installed"
mkdir -p www certs tree/bin
cp "$(readlink -f "$(command -v busybox)")" tree/bin/busybox
echo inside >tree/word
tar -C tree -czf www/tree.tgz .
tar -C tree -cf www/tree.tar .
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=local -addext subjectAltName=IP:127.0.0.1 \
    -keyout key.pem -out cert.pem 2>/dev/null || skip "openssl is not installed"
cat >serve.py <<'P'
# PORT [tls]: files of www, and what servers do with those who ask.
import base64, http.server, ssl, sys, time
port = int(sys.argv[1])
class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *a): print(self.path, self.headers.get('Authorization'), file=open('asked', 'a'), flush=True)
    def tell(self, status, headers=(), body=b''):
        self.send_response(status)
        for k, v in headers: self.send_header(k, v)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        whole = open('www/tree.tar', 'rb').read()
        kind, _, rest = self.path[1:].partition('/')
        if kind == 'to': self.tell(302, [('Location', rest)])
        elif kind == 'up': self.tell(307, [('Location', '../' + rest)])
        elif kind == 'round': self.tell(301, [('Location', '/round/x%s' % rest)])
        elif kind == 'busy': self.tell(503, body=b'come back later\n')
        elif kind == 'cut' or kind == 'chunks': # at the end of a member: what came looks whole
            self.protocol_version = 'HTTP/1.1'
            self.send_response(200)
            self.send_header(*(('Content-Length', str(len(whole))) if kind == 'cut' else ('Transfer-Encoding', 'chunked')))
            self.end_headers()
            at = whole.index(b'./bin/busybox\0')
            if kind == 'cut': self.wfile.write(whole[:at])
            else: self.wfile.write(b'%x\r\n%s\r\n' % (at, whole[:at]))
            self.close_connection = True
        elif kind == 'slow':
            self.send_response(200)
            self.end_headers()
            self.wfile.write(whole[:100000])
            self.wfile.flush()
            time.sleep(60)
        elif kind == 'junk': self.tell(200, body=b'<html>no tar at all</html>' * 100)
        elif kind == 'asks':
            good = self.headers.get('Authorization') == 'Basic ' + base64.b64encode(b'me:p@ss').decode()
            self.tell(200, body=whole) if good else self.tell(401, [('WWW-Authenticate', 'Basic realm="x"')], b'who are you?')
        else: super().do_GET()
s = http.server.ThreadingHTTPServer(('127.0.0.1', port), lambda *a: Handler(*a, directory='www'))
if len(sys.argv) > 2:
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain('cert.pem', 'key.pem')
    s.socket = c.wrap_socket(s.socket, server_side=True)
s.serve_forever()
P
jq -n --arg d "$PWD/certs" '{"certs-dirs": [$d]}' >config.json
start_daemon --config-file "$PWD/config.json"
for port in '8000' '8443 tls' '8444 tls'; do
    # shellcheck disable=SC2086
    nsenter --net=/proc/$net_pid/ns/net python3 serve.py $port >/dev/null 2>>serve.log &
    at_end "kill $! 2>/dev/null"
done
mkdir -p certs/127.0.0.1:8443 && cp cert.pem certs/127.0.0.1:8443/ca.crt
for port in 8000 8443 8444; do eventually 10 in_net bash -c "</dev/tcp/127.0.0.1/$port" 2>/dev/null || fail "$(cat serve.log)"; done
u=http://127.0.0.1:8000

step "http, the name, the changes, what the history and the client are told"
expect_status 0 dk import -c 'CMD ["/bin/busybox", "cat", "/word"]' $u/tree.tgz web:1
expect_match "$output" "^Downloading from $u/tree.tgz\$"
expect_match "$output" '^sha256:[0-9a-f]{64}$'
expect_eq "$(dk run --rm --network none web:1)" inside
expect_eq "$(dk history --no-trunc --format '{{.Comment}}' web:1)" "Imported from $u/tree.tgz"
expect_status 0 ct import -m mine $u/tree.tar web:2
expect_eq "$(dk history --no-trunc --format '{{.Comment}}' web:2)" mine
expect_eq "$(dk inspect -f '{{.RootFS.Layers}}' web:2 | wc -w)" 1
api POST '/v1.51/images/create?fromSrc=127.0.0.1:8000/tree.tar&repo=web&tag=3'
expect_eq "$api_status" 200
expect_eq "$(jq -rs '.[0].status, (map(select(.status == "Importing")) | last | .progressDetail | .current == .total, .total)' <<<"$output")" \
    "$(printf 'Downloading from %s/tree.tar\ntrue\n%d' $u "$(stat -c %s www/tree.tar)")"
api GET /v1.51/images/web:3/json
expect_eq "$api_status" 200
have=$(dk images -q --no-trunc | sort)

step "redirects, relative ones too; too many; to what is no http; from https to http"
expect_status 0 dk import $u/to//up/tree.tar
expect_status 0 dk import $u/to//tree.tar
expect_fails 'stopped after 10 redirects' dk import $u/round/1
expect_fails 'may not|[Uu]nsupported|protocol' dk import $u/to/file:///etc/passwd
expect_fails 'from https to http' dk import https://127.0.0.1:8443/to/$u/tree.tar

step "https: an authority that is laid out for the host, and one that nobody knows"
expect_status 0 dk import https://127.0.0.1:8443/tree.tgz
expect_fails 'https://127.0.0.1:8444/tree.tgz: .*certificate' dk import https://127.0.0.1:8444/tree.tgz

step "user and password: for that host and port alone, and nowhere shown"
expect_status 0 dk import "http://me:p%40ss@127.0.0.1:8000/asks" web:4
expect_no_match "$output$(dk history --no-trunc web:4)" 'p%40ss|p@ss|me:'
expect_fails 'GET http://127.0.0.1:8000/asks with status 401: who are you' dk import "http://me:wrong@127.0.0.1:8000/asks"
: >asked
expect_status 0 dk import "http://me:p%40ss@127.0.0.1:8000/to/https://127.0.0.1:8443/tree.tar"
expect_match "$(cat asked)" '^/to/https.* Basic'
expect_match "$(cat asked)" '^/tree.tar None$'

step "what cannot be had: by status, nobody there, no such name, no tar, cut in the middle"
api POST '/v1.51/images/create?fromSrc=127.0.0.1:8000/no.tar&repo=web&tag=5'
expect_eq "$api_status" 404
expect_match "$(jq -r .message <<<"$output")" "failed to GET $u/no.tar with status 404: .*"
expect_fails "failed to GET $u/busy with status 503: come back later" dk import $u/busy
expect_fails 'GET http://127.0.0.1:1/x: .*(refused|connect)' dk import http://127.0.0.1:1/x
expect_fails 'GET http://no.invalid/x: .*resolve' dk import http://no.invalid/x
api POST '/v1.51/images/create?fromSrc=ftp://h/x'
expect_eq "$api_status $(jq -r .message <<<"$output")" '400 import: unsupported protocol scheme "ftp"'
api POST '/v1.51/images/create'
expect_eq "$api_status" 400
expect_fails 'tar' dk import $u/junk web:5
for way in cut chunks; do
    expect_fails "GET $u/$way: " dk import $u/$way web:5
    expect_match "$output" "Downloading from $u/$way"
done
expect_fails 'No such image' dk image inspect web:5

step "a client that leaves, a daemon that is killed: nothing is left"
timeout 1 "$docker" import $u/slow web:5 >/dev/null
in_net curl -s --unix-socket "$SOCKET" -X POST "http://d/v1.51/images/create?fromSrc=$u/slow" >/dev/null &
slow=$!
eventually 5 eval '[ "$(grep -c ^/slow asked)" = 2 ]'
kill_daemon
wait $slow
restart_daemon
dk image prune -f >/dev/null
dk rmi web:4 >/dev/null
left() { [ -z "$(ls -A "$DATA_ROOT/image/ingest")" ] && ct system check >/dev/null; }
eventually 10 left || fail "$(find "$DATA_ROOT/image/ingest"; ct system check)"
expect_eq "$(dk images -q --no-trunc | sort)" "$have"
pass
