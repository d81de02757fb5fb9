#!/bin/bash
# The command line beside the API: contexts, ssh and TLS hosts, completion in real shells, help, the live view.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
ct run -d --name web busybox sh -c 'while :; do echo beat; sleep 1; done' >/dev/null || fail "web"

step "the reference page is what the table says"
ct __docs markdown | diff - "$root/docs/cli.md" || fail "docs/cli.md is old: corten __docs markdown > docs/cli.md"
"$root/dist/debian/install-from-table" "$TEST_TMP/package" "$bin/corten" || fail "install-from-table"
[ -s "$TEST_TMP/package/usr/share/fish/vendor_completions.d/corten.fish" ] || fail "no completions in the package"
man1=$TEST_TMP/package/usr/share/man/man1
expect_eq "$(ls "$man1" | wc -l)" "$(($(grep -c '^## ' "$root/docs/cli.md") + 1))"
if command -v man >/dev/null; then
    LC_ALL=C.UTF-8 MANROFFSEQ='' man --warnings -l "$man1"/*.1 2>&1 >/dev/null | grep -v "can't break line\|cannot adjust" && fail "man warns"
    expect_match "$(man -l "$man1/corten-run.1" 2>/dev/null)" '--systemd-unit'
fi
expect_match "$(ct run --help)" '^Usage:  corten run'
expect_match "$(ct help volume ls)" 'corten volume list'

step "contexts, and where commands go"
host=$DOCKER_HOST
unset DOCKER_HOST CORTEN_HOST
expect_eq "$(ct context show)" default
ct context create here --description "this one" --docker "host=$host" >/dev/null 2>&1 || fail "context create"
expect_fails 'already exists' ct context create here --docker "host=$host"
expect_eq "$(ct --context here ps --format '{{.Names}}')" web
ct context use here >/dev/null 2>&1
expect_eq "$(ct ps --format '{{.Names}}')" web
expect_eq "$("$docker" context ls --format '{{.Name}} {{.DockerEndpoint}} {{.Current}}' | grep here)" "here $host true"
expect_eq "$("$docker" ps --format '{{.Names}}')" web
expect_eq "$(ct context inspect here -f '{{.Endpoints.docker.Host}}')" "$host"
ct context export here "$TEST_TMP/here.tar" 2>/dev/null || fail "context export"
ct context import there "$TEST_TMP/here.tar" >/dev/null 2>&1 || fail "context import"
expect_eq "$(DOCKER_CONTEXT=there ct ps --format '{{.Names}}')" web
expect_fails 'in use' ct context rm here
ct context rm -f here there >/dev/null || fail "context rm"
expect_eq "$(ct context ls -q)" default
export DOCKER_HOST=$host CORTEN_HOST=$host

step "ssh:// runs dial-stdio at the far end"
cat >"$TEST_TMP/bin/ssh" <<END
#!/bin/sh
# stands in for ssh: what would run there runs here
for last; do :; done
echo "\$*" >>"$TEST_TMP/ssh.log"
PATH=$bin:/usr/bin:/bin CORTEN_HOST=$host DOCKER_HOST=$host exec sh -c "\$last"
END
chmod +x "$TEST_TMP/bin/ssh"
expect_eq "$(ct -H ssh://me@far:2222 ps --format '{{.Names}}')" web
expect_match "$(cat "$TEST_TMP/ssh.log")" '-l me -p 2222 -- far '
expect_eq "$(echo in | ct -H ssh://far exec -i web cat)" in
expect_fails 'want ssh://' ct -H ssh://-oProxyCommand=x ps
rm "$TEST_TMP/bin/ssh"

step "TLS, with certificates both ways"
pki=$TEST_TMP/pki
mkdir "$pki" && (
    cd "$pki" || exit 1
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca-key.pem -out ca.pem -days 2 -subj /CN=ca
    for who in server client; do
        openssl req -newkey rsa:2048 -nodes -keyout $who-key.pem -out $who.csr -subj /CN=$who
        echo 'subjectAltName=IP:127.0.0.1' >ext
        openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out $who.pem -days 2 -extfile ext
    done
) >/dev/null 2>&1 || fail "openssl"
restart_daemon_options=(--host tcp://127.0.0.1:2399 --tlsverify --tlscacert "$pki/ca.pem" --tlscert "$pki/server.pem" --tlskey "$pki/server-key.pem")
stop_daemon
daemon_options=("${restart_daemon_options[@]}")
spawn_daemon
tls=(--tlsverify --tlscacert "$pki/ca.pem" --tlscert "$pki/client.pem" --tlskey "$pki/client-key.pem")
expect_eq "$(in_net "$bin/corten" -H tcp://127.0.0.1:2399 "${tls[@]}" ps --format '{{.Names}}')" web
expect_eq "$(echo in | in_net "$bin/corten" -H tcp://127.0.0.1:2399 "${tls[@]}" exec -i web cat)" in
mkdir "$TEST_TMP/certs" && cp "$pki/ca.pem" "$TEST_TMP/certs/" && cp "$pki/client.pem" "$TEST_TMP/certs/cert.pem" && cp "$pki/client-key.pem" "$TEST_TMP/certs/key.pem"
expect_eq "$(unset CORTEN_HOST; DOCKER_HOST=tcp://127.0.0.1:2399 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=$TEST_TMP/certs in_net "$bin/corten" ps -q | wc -l)" 1
expect_status 1 in_net "$bin/corten" -H tcp://127.0.0.1:2399 --tlsverify --tlscacert "$pki/client.pem" ps
expect_status 1 in_net "$bin/corten" -H tcp://127.0.0.1:2399 ps

step "which name was meant"
ct network create shopnet >/dev/null
ct volume create stock >/dev/null
expect_fails "^Did you mean 'web'\?$" ct stop wbe
expect_fails "^Did you mean 'busybox'\?$" ct rmi busbox
expect_fails "^Did you mean 'shopnet'\?$" ct network rm shopmet
expect_fails "^Did you mean 'stock'\?$" ct volume rm stok
expect_fails "^Did you mean 'web'\?$" ct cp wbe:/etc/passwd -
expect_fails "^Did you mean 'web'\?$" ct network connect shopnet we
expect_fails 'No such container: entirely-else$' ct stop entirely-else
expect_no_match "$output" 'Did you mean'
ct network rm shopnet >/dev/null
ct volume rm stock >/dev/null

step "completion in real shells"
mkdir -p "$TEST_TMP/bin"
ln -sf "$bin/corten" "$TEST_TMP/bin/corten"
expect_eq "$(bash -c 'source <(corten completion bash); COMP_WORDS=(corten vol); COMP_CWORD=1; _corten; echo "${COMPREPLY[*]}"')" volume
expect_eq "$(bash -c 'source <(corten completion bash); COMP_WORDS=(corten stop w); COMP_CWORD=2; _corten; echo "${COMPREPLY[*]}"')" web
expect_eq "$(bash -c 'source <(corten completion bash); COMP_WORDS=(corten run --restart un); COMP_CWORD=3; _corten; echo "${COMPREPLY[*]}"')" unless-stopped
expect_match "$(bash -c 'source <(corten completion bash); COMP_WORDS=(corten volume ""); COMP_CWORD=2; _corten; echo "${COMPREPLY[*]}"')" 'inspect'
if command -v fish >/dev/null; then
    expect_eq "$(fish -c 'corten completion fish | source; complete -C "corten stop w"')" web
    expect_match "$(fish -c 'corten completion fish | source; complete -C "corten ps --no-"')" '^--no-trunc'
fi
if command -v zsh >/dev/null; then
    expect_eq "$(zsh -fc 'autoload -Uz compinit; compinit -u -d '"$TEST_TMP/zcomp"'; source <(corten completion zsh); compadd() { shift; print -l -- "$@"; }; words=(corten stop w); CURRENT=3; _corten' 2>&1)" web
fi

step "which version is spoken, and what is asked"
expect_eq "$(ct -l debug ps -q 2>&1 >/dev/null)" "GET /v1.51/containers/json"
expect_eq "$(DOCKER_API_VERSION=1.41 ct --log-level debug ps -q 2>&1 >/dev/null)" "GET /v1.41/containers/json"
expect_eq "$(ct -l info ps -q 2>&1 >/dev/null)" ""
expect_fails "^corten: API version 'x': want 1.24 to 1.51$" env DOCKER_API_VERSION=x "$bin/corten" ps
expect_fails "want 1.24 to 1.51$" env DOCKER_API_VERSION=1.99 "$bin/corten" ps
expect_fails 'unable to parse logging level: loud$' ct -l loud ps

step "no daemon, no permission, no heavy library"
expect_status 1 ct -H "unix://$TEST_TMP/nowhere" ps
expect_match "$output" '^Cannot connect to the Docker daemon at unix://.*nowhere. Is the docker daemon running\?$'
expect_match "$output" "^Start it with 'systemctl start corten'"
expect_status 1 setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/ DOCKER_CONFIG=/nowhere "$bin/corten" ps
expect_match "$output" '^permission denied while trying to connect to the Docker daemon socket at unix://'
expect_match "$output" '^Run it as root, or as a member of the group that owns the socket.$'
expect_status 125 ct ps --nope
expect_status 1 ct ps --format '{{.Nope'
expect_match "$output" '^corten: failed to parse template: template: :1:2: unclosed action$'
if ! ldd "$bin/corten" | grep -q 'lib[a-z]*san\.'; then # an instrumented program brings more, and asks more
    expect_eq "$(ldd "$bin/corten" | grep -c '=>')" 1 # c
    if command -v strace >/dev/null; then
        # A start without a daemon; a call on a local socket adds connecting, one negotiation and the call itself.
        strace -o "$TEST_TMP/calls" "$bin/corten" --version >/dev/null
        [ "$(wc -l <"$TEST_TMP/calls")" -lt 60 ] || fail "a start takes $(wc -l <"$TEST_TMP/calls") system calls"
        strace -o "$TEST_TMP/calls" "$bin/corten" ps >/dev/null
        [ "$(wc -l <"$TEST_TMP/calls")" -lt 110 ] || fail "ps takes $(wc -l <"$TEST_TMP/calls") system calls"
    fi
fi
expect_no_match "$(ldd "$bin/corten")" 'lib(ssl|crypto|curl|archive|uv|sqlite3|zstd|z|isal|lzma|bz2|ldns|seccomp|cap)\.so'

step "json, colours, confirmations"
expect_eq "$(ct stop -t 0 --json web)" '{"name":"web"}'
expect_eq "$(ct wait --json web)" '{"name":"web","status":137}'
expect_eq "$(ct tag --json busybox other:1)" '{"name":"other:1"}'
expect_eq "$(ct rmi --json other:1)" '{"untagged":"other:1"}'
ct run -d --name pub -p 127.0.0.1:8098:80 busybox sleep 1000 >/dev/null
expect_eq "$(ct port --json pub)" '{"port":"80/tcp","host_ip":"127.0.0.1","host_port":"8098"}'
expect_match "$(ct top --json pub)" '^\{"Titles":\["UID",.*"sleep 1000"'
ct rm -f pub >/dev/null
ct create --name waste busybox true >/dev/null
ct network create waste-net >/dev/null
expect_fails '--json: only with --force' ct system prune --json
expect_match "$(ct system prune --dry-run)" '- 2 containers that do not run .*waste'
expect_match "$(ct system prune --dry-run)" '- 1 networks that no container uses .*: waste-net$'
expect_eq "$(ct network prune -f --json)" '{"networks":["waste-net"],"reclaimed":0}'
id=$(ct inspect -f '{{.Id}}' waste)
expect_match "$(ct container prune -f --json --filter label=none)" '^\{"containers":\[\],"reclaimed":0\}$'
expect_eq "$(ct rm --json waste)" '{"name":"waste"}'
expect_match "$(ct system prune -f --json --filter label=none)" '^\{"containers":\[\],"networks":\[\],"images":\[\],"build_cache":\[\],"reclaimed":0\}$'

step "disk use by owner"
ct run -d --name store --label com.docker.compose.project=shop -v stock:/data busybox sh -c 'head -c 3000000 /dev/zero >/data/x; head -c 2000000 /dev/zero >/y; >/done; sleep 1000' >/dev/null
eventually 10 eval 'ct exec store test -f /done'
expect_match "$(ct system df --by project --format '{{.Owner}} {{.Containers}} {{.ContainerFiles}} {{.Volumes}}')" '^shop 1 2[.0-9]*MB 3[.0-9]*MB$'
expect_match "$(ct system df --by container --format '{{.Owner}} {{.Volumes}}')" '^store 3[.0-9]*MB$'
expect_match "$(ct system df --by image --format '{{.Owner}} {{.Containers}}')" '^busybox:latest 2$'
expect_match "$(ct system df --by image --json)" '"Owner":"busybox:latest"'
expect_fails "^corten: --by 'x': want project, image or container" ct system df --by x
ct rm -f store >/dev/null; ct volume rm stock >/dev/null
expect_match "$(ct ps -a --json)" '"Names":"web"'
expect_fails 'exclude each other' ct ps --json --format x
expect_eq "$(NO_COLOR=1 ct ps -a | grep -c $'\033')" 0
expect_match "$(echo n | ct system prune)" '1 containers that do not run'
expect_eq "$(ct ps -aq | wc -l)" 1
ct start web >/dev/null

expect_match "$(ct top </dev/null)" '^web '
ct rm -f web >/dev/null
pass
