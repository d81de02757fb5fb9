#!/bin/bash
# ADD of URLs and git repositories: content, digests, caching, errors.
. "$(dirname "$0")/lib.sh"
command -v git >/dev/null || skip "git is not installed"
command -v python3 >/dev/null || skip "python3 is not installed"
start_daemon
make_busybox_image
export DOCKER_BUILDKIT=0
mkdir -p www ctx repo/sub
echo hello >www/file.txt
touch -d '2020-02-03 04:05:06Z' www/file.txt
mkdir t && echo in >t/inside && tar czf www/some.tgz -C t .
g() { git -C repo -c user.name=a -c user.email=a@b "$@" >/dev/null; }
g init -q -b main && echo r >repo/root.txt && echo s >repo/sub/s.txt && g add . && g commit -qm one
g tag v1 && echo later >repo/root.txt && g commit -qam two
commit=$(git -C repo rev-parse v1)
git clone -q --bare repo www/r.git && git -C www/r.git update-server-info
nsenter --net=/proc/$net_pid/ns/net python3 -m http.server --bind 127.0.0.1 -d www 8099 >/dev/null 2>&1 &
server=$!
at_end 'kill $server'
eventually 5 in_net curl -sf http://127.0.0.1:8099/file.txt
u=http://127.0.0.1:8099
sum=$(sha256sum www/file.txt | cut -d' ' -f1)

cat >ctx/Dockerfile <<END
FROM busybox
ADD $u/file.txt /
ADD --checksum=sha256:$sum --chmod=644 $u/file.txt /dir/
ADD $u/some.tgz /packed/
ADD --unpack $u/some.tgz /unpacked/
ADD $u/r.git#v1 /git/
ADD --keep-git-dir --checksum=$commit $u/r.git?ref=v1&subdir=sub /sub/
END
in_build() { in_net docker -H "unix://$SOCKET" build "$@"; }
out=$(in_build -t r ctx 2>&1) || fail "$out"
look() { dk run --rm r sh -c "$1"; }
expect_eq "$(look 'cat /file.txt /dir/file.txt; stat -c %a /file.txt /dir/file.txt')" "hello
hello
600
644"
expect_eq "$(look 'stat -c %Y /file.txt')" "$(date -d '2020-02-03 04:05:06Z' +%s)"
expect_eq "$(look 'ls /packed /unpacked | xargs')" "/packed: some.tgz /unpacked: inside"
expect_eq "$(look 'cat /git/root.txt; ls -a /git /sub | xargs')" "r
/git: . .. root.txt sub /sub: . .. s.txt"

step "contexts from elsewhere, in any compression"
mkdir whole && printf 'FROM busybox\nCOPY f /from-whole\n' >whole/Dockerfile && echo w >whole/f
tar cJf www/whole.txz -C whole . && tar cjf www/whole.tbz -C whole .
printf 'FROM busybox\nADD %s/some.tgz /x\n' $u >www/alone
printf 'FROM busybox\nCOPY s.txt /from-git\n' >repo/sub/Dockerfile && g add . && g commit -qm three
rm -rf www/r.git && git clone -q --bare repo www/r.git && git -C www/r.git update-server-info
for c in whole.txz whole.tbz alone r.git#main:sub; do
    out=$(in_build -q $u/$c 2>&1) || fail "$c: $out"
done
tar cJf ctx/packed.txz -C t . && tar cjf ctx/packed.tbz -C t .
printf 'FROM busybox\nADD packed.txz packed.tbz /p/\nRUN cat /p/inside\n' >ctx/D3
out=$(in_build -f ctx/D3 ctx 2>&1) || fail "$out"
head -c 60 ctx/packed.tbz >www/cut.tbz
out=$(in_build $u/cut.tbz 2>&1) && fail "a cut archive was built"

step "unchanged: from the cache; changed: not"
out=$(in_build -t r ctx 2>&1) || fail "$out"
expect_eq "$(grep -c 'Using cache' <<<"$out")" 6
echo other >www/file.txt
expect_fails 'digest mismatch' in_build ctx
printf "FROM busybox\nADD --checksum=0000000000000000000000000000000000000000 $u/r.git /x\n" >ctx/Dockerfile
expect_fails 'expected checksum to match' in_build ctx
printf "FROM busybox\nADD $u/none.txt /x\n" >ctx/Dockerfile
expect_fails '404' in_build ctx
pass
