#!/bin/bash
# Two real services (docs/examples/lifecycle): bind9 with zones in git, updated as a transaction while
# it is asked without a pause; nginx with metrics and monitor. Both are Debian's packages.
# limit: 180
. "$(dirname "$0")/lib.sh"
command -v git >/dev/null || skip needs git
command -v perl >/dev/null || skip needs perl

# A small Debian: the packages' own files, and of this machine (Debian as well) what they are linked with.
packages="libjemalloc2 liblmdb0 libmaxminddb0 libprotobuf-c1 libfstrm0 bind9-libs bind9-utils bind9 bind9-host bind9-dnsutils nginx-common nginx"
cache=$root/.cache/service-debs
if [ "$(ls "$cache" 2>/dev/null | wc -l)" -lt 12 ]; then
    command -v apt-get >/dev/null || skip needs apt-get for the packages of the services
    rm -rf "$cache" && mkdir -p "$cache"
    # shellcheck disable=SC2086
    (cd "$cache" && apt-get -qq download $packages) >"$TEST_TMP/apt.log" 2>&1
    [ "$(ls "$cache" | wc -l)" = 12 ] || { rm -rf "$cache"; skip the packages cannot be had; }
fi
busybox=$(command -v busybox) || skip busybox-static is not installed
debian=$TEST_TMP/debian
mkdir -p "$debian"/{usr/bin,usr/sbin,usr/lib,usr/local/bin,etc/bind,root,tmp,run,proc,sys,dev,srv,var/cache/bind,var/lib/nginx,var/log/nginx}
for d in bin sbin lib; do ln -s "usr/$d" "$debian/$d"; done
mkdir -p "$debian/usr/lib64" && ln -s usr/lib64 "$debian/lib64"
for deb in "$cache"/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -C "$debian" -x --keep-directory-symlink --exclude='./usr/share/*' || fail "$deb"; done
cp "$busybox" "$debian/usr/bin/busybox"
"$debian/usr/bin/busybox" --list | while read -r applet; do [ -e "$debian/usr/bin/$applet" ] || ln -s busybox "$debian/usr/bin/$applet"; done
cp "$(command -v git)" "$debian/usr/bin/git"
ln -s git "$debian/usr/bin/git-upload-pack"
# What the recipe would fetch lies there already.
printf '#!/bin/sh\n' >"$debian/usr/bin/apt-get" && chmod +x "$debian/usr/bin/apt-get"
export LD_LIBRARY_PATH=$debian/usr/lib/x86_64-linux-gnu
for program in "$debian"/usr/bin/{git,dig,named-check*} "$debian"/usr/sbin/{named,rndc,rndc-confgen,nginx} "$debian"/usr/lib/x86_64-linux-gnu/*.so*; do
    ldd "$program" 2>/dev/null
done | grep -o '/[^ ]*\.so[^ ]*' | sort -u | while read -r lib; do
    case $lib in "$debian"/*) continue ;; esac
    mkdir -p "$debian$(dirname "$lib")" && cp -L "$lib" "$debian$lib"
done
missing=$(for p in "$debian"/usr/sbin/{named,nginx,rndc} "$debian"/usr/bin/dig; do ldd "$p"; done | grep "not found" | sort -u)
[ -z "$missing" ] || skip "of this machine: $missing"
unset LD_LIBRARY_PATH
printf 'root:x:0:0:root:/root:/bin/sh\nbind:x:100:100::/:/bin/sh\nwww-data:x:33:33::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$debian/etc/passwd"
printf 'root:x:0:\nbind:x:100:\nwww-data:x:33:\nnogroup:x:65534:\n' >"$debian/etc/group"
chmod 1777 "$debian/tmp"

start_daemon
tar -C "$debian" -c . | dk import --change 'CMD ["/bin/sh"]' - debian:12-slim >/dev/null || fail "import"
rm -rf "$debian"
cp -r "$root/docs/examples/lifecycle" ex
ct build -q -t ops-base ex/base >/dev/null || fail "base"
ct build -q -t dns ex/dns >/dev/null || fail "dns"
ct build -q -t web ex/web >/dev/null || fail "web"

export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@x GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@x
publish() { # DIRECTORY MESSAGE
    git -C "$1" add -A && git -C "$1" commit -q -m "$2" && git -C "$1" push -q origin HEAD:main
}
zone() { printf '$TTL 60\n@ SOA ns hostmaster %s 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n%s\n' "$1" "$2"; }
for r in zones site; do
    git init -q --bare -b main "$r.git" && git clone -q "$r.git" $r 2>/dev/null && git -C $r checkout -q -b main
done
zone 1 'www A 192.0.2.1' >zones/example.test.zone
publish zones first
echo one >site/index.html
publish site first

step "the DNS server starts by its method, is checked, and is ready"
dk run -d --name dns -v "$PWD/zones.git:/content.git:ro" dns >/dev/null || fail "run"
eventually 20 eval '[ "$(dk inspect -f "{{.State.Health.Status}}" dns)" = healthy ]'
expect_match "$(ct validate dns 2>&1)" '^ok 2 - example.test: serial 1$'
expect_match "$(ct validate --json dns | jq -c '[.Status, .Format, .Examples, .Failures]')" '\["ok","tap",2,0\]'
expect_match "$(ct monitor dns 2>&1)" '^dns: monitor: ok'
address=$(dk inspect -f '{{.NetworkSettings.IPAddress}}' dns)
started=$(dk inspect -f '{{.State.StartedAt}}' dns)

# Asks for www.example.test without a pause; prints how often, how often in vain, and what came.
cat >ask.pl <<'EOF'
use IO::Socket::INET; use IO::Select;
my ($host, $file) = @ARGV; my ($n, $bad) = (0, 0);
my $q = pack("n6", 4711, 0x0100, 1, 0, 0, 0) . join("", map { pack("C/a", $_) } qw(www example test)) . pack("C n n", 0, 1, 1);
while (!-e $file) {
    my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => 53, Proto => "udp") or die;
    $s->send($q); $n++; my $a = "";
    if (IO::Select->new($s)->can_read(3)) { $s->recv($a, 512) }
    my @h = unpack("n6", $a);
    $bad++ if @h < 6 || ($h[1] & 15) || !$h[3];
    select undef, undef, undef, 0.002;
}
print "$n asked, $bad in vain\n";
EOF
in_net perl ask.pl "$address" "$PWD/enough" >asked 2>&1 &
asker=$!
answer() { dk exec dns dig +short @127.0.0.1 www.example.test A; }

step "a good commit is kept"
zone 2 'www A 192.0.2.2' >zones/example.test.zone
publish zones second
expect_status 0 ct update dns
expect_match "$output" 'now at [0-9a-f]+: second'
expect_match "$output" '^dns: kept$'
expect_eq "$(answer)" 192.0.2.2

step "one that does not load, and one that loads and is not good, are taken back"
echo 'this is no zone' >zones/example.test.zone
publish zones broken
expect_status 1 ct update dns
expect_match "$output" '^dns: rolled back: method: update: failed'
expect_eq "$(answer)" 192.0.2.2
expect_eq "$(dk exec dns git -c safe.directory='*' -C /srv/content log -1 --format=%s)" second
zone 4 'www A 192.0.2.4' >zones/example.test.zone
zone 1 'mail A 192.0.2.4' >zones/second.test.zone # without www
publish zones wrong
expect_status 1 dk exec dns container --update
expect_match "$output" '^rolled back: method: validate: failed.*3 examples, 1 failures'
expect_eq "$(answer)" 192.0.2.2
rm zones/second.test.zone
zone 5 'www A 192.0.2.5' >zones/example.test.zone
publish zones mended

step "the git server tells the daemon"
token=$(ct webhook create dns 2>/dev/null)
expect_eq "$(curl -sS -o /dev/null -w '%{http_code}' -X POST -H "X-Gitlab-Token: $token" --unix-socket "$SOCKET" http://d/corten/hook/dns)" 202
eventually 15 eval '[ "$(answer)" = 192.0.2.5 ]'
eventually 15 eval 'ct methods dns | grep -q "transaction  *webhook  *ok"'

step "nobody noticed"
touch enough
wait $asker || fail "$(cat asked)"
cat asked
expect_match "$(cat asked)" '^[0-9]{2,} asked, 0 in vain$'
expect_eq "$(dk inspect -f '{{.State.StartedAt}} {{.RestartCount}}' dns)" "$started 0"

step "it knows what it is, and what it is built on"
expect_eq "$(ct examine dns | grep -E '^(ancestor|image|container) ' | tr '\n' ' ')" "ancestor debian:12-slim ancestor ops-base image dns container dns "
expect_match "$(ct examine dns)" '^  validate +dns-method validate  \(every 10s\)$'
expect_match "$(ct examine dns)" '^  validate +ops-content check  \(every 30s\)$'
expect_eq "$(dk exec dns container --metadata | jq -r '.update_method, .metadata.team, .ancestors[-1].validate_method')" "ops-content pull
operations
ops-content check"
expect_eq "$(ct ps --filter ancestor=ops-base --format '{{.Names}}')" dns

step "the web server, its numbers, and its page"
dk run -d --name web -v "$PWD/site.git:/content.git:ro" --label corten.method.metrics.interval=1s web >/dev/null || fail "run web"
eventually 20 eval '[ "$(dk inspect -f "{{.State.Health.Status}}" web)" = healthy ]'
expect_match "$(ct monitor web 2>&1)" '^WEB OK - [0-9]+ connections \| active='
page() { api GET /corten/metrics; }
eventually 10 eval 'page; grep -q "^app_nginx_requests{name=\"web\"" <<<"$output"'
expect_match "$output" '^app_nginx_connections\{name="web",.*state="waiting"\} '
expect_match "$output" '^corten_method_performance\{name="web",.*method="monitor",label="active"'
echo two >site/index.html
publish site second
expect_status 0 dk exec web container --update
expect_eq "$(in_net curl -s "http://$(dk inspect -f '{{.NetworkSettings.IPAddress}}' web)/")" two
dk rm -f dns web >/dev/null
pass
