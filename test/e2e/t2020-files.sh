#!/bin/bash
# cp both ways, export and diff: running and stopped, with volumes, links that lead out, read-only places.
. "$(dirname "$0")/lib.sh"
start_daemon
make_busybox_image
mkdir -p src/sub
echo one > src/a
echo two > src/sub/b
ln -s a src/link

step "into and out of a running container"
dk run -d --name run -v vol:/vol --tmpfs /ram busybox sleep 1000 > /dev/null
dk cp src run:/tmp/
expect_eq "$(dk exec run cat /tmp/src/a /tmp/src/sub/b /tmp/src/link | tr '\n' ' ')" "one two one "
dk cp src/a run:/vol/x
dk cp src/a run:/ram/y
expect_eq "$(dk exec run cat /vol/x /ram/y | tr '\n' ' ')" "one one "
dk cp run:/tmp/src out
expect_eq "$(diff -r src out && readlink out/link)" "a"
dk cp run:/vol/x out/x
dk cp run:/ram/y out/y
expect_eq "$(cat out/x out/y | tr '\n' ' ')" "one one "
dk cp run:/tmp/src/. dot
expect_eq "$(diff -r src dot)" ""
expect_eq "$(dk cp run:/tmp/src - | tar t | sort | tr '\n' ' ')" "src/ src/a src/link src/sub/ src/sub/b "
expect_eq "$(dk cp run:/tmp/src/link - | tar tv | awk '{print $1, $NF}')" "lrwxrwxrwx a"
expect_eq "$(dk cp -L run:/tmp/src/link - | tar tv | awk '{print $1, $NF}')" "-rw-r--r-- a"

step "into and out of a stopped container, its volume and one that never ran"
dk stop -t 0 run > /dev/null
dk cp src/a run:/tmp/stopped
dk cp src/a run:/vol/stopped
dk start run > /dev/null
expect_eq "$(dk exec run cat /tmp/stopped /vol/stopped | tr '\n' ' ')" "one one "
dk stop -t 0 run > /dev/null
expect_eq "$(dk cp run:/vol/stopped - | tar xO)" "one"
expect_eq "$(dk cp run:/tmp/stopped - | tar xO)" "one"
dk create --name new -v vol:/data busybox cat /data/x /tmp/n > /dev/null
expect_eq "$(dk cp new:/data/x - | tar xO)" "one"
dk cp src/a new:/tmp/n
expect_eq "$(dk start -a new | tr '\n' ' ')" "one one "

step "links never lead out; they are followed inside"
dk run --name links busybox sh -c 'mkdir /d; echo in > /d/f; ln -s /d /abs; ln -s ../../../../d /tmp/rel; ln -s /etc/shadow-none /dangling; ln -s /proc/self/root/ /magic'
expect_eq "$(dk cp links:/abs/f - | tar xO)" "in"
expect_eq "$(dk cp links:/tmp/rel/f - | tar xO)" "in"
dk cp src/a links:/abs
expect_eq "$(dk cp links:/d/a - | tar xO)" "one"
api HEAD "/containers/links/archive?path=/abs"
stat_of() { curl -s --max-time 10 --unix-socket "$SOCKET" -I "http://x/containers/$1/archive?path=$2" | tr -d '\r' | sed -n 's/^X-Docker-Container-Path-Stat: //p' | base64 -d; }
expect_match "$(stat_of links /abs)" '"name":"abs".*"mode":134218239.*"linkTarget":"/d"'
expect_match "$(stat_of links /abs/)" '"name":"abs".*"mode":2147484141.*"linkTarget":""'
expect_match "$(stat_of links /tmp/rel)" '"linkTarget":"/d"'
expect_match "$(stat_of links /)" '"name":"/"'
expect_fails "Could not find the file /nosuch in container links|No such container:path: links:/nosuch" dk cp links:/nosuch out
expect_fails "Could not find the file|No such container:path" dk cp links:/dangling/x out
mkdir evil
ln -s /etc evil/hosts-dir
tar cf evil.tar -C evil hosts-dir
tar rf evil.tar --transform 's,^,hosts-dir/,' src/a
curl -s --unix-socket "$SOCKET" -X PUT -H 'Content-Type: application/x-tar' --data-binary @evil.tar "http://x/containers/links/archive?path=/tmp" > /dev/null
expect_eq "$(test -e /etc/src/a && echo out)" ""

step "places that cannot be written"
dk run -d --name ro --read-only -v vol:/ro:ro -v vol:/rw busybox sleep 1000 > /dev/null
expect_fails "container rootfs is marked read-only" dk cp src/a ro:/tmp/
expect_fails "mounted volume is marked read-only" dk cp src/a ro:/ro/
dk cp src/a ro:/rw/
dk stop -t 0 ro > /dev/null
expect_fails "container rootfs is marked read-only" dk cp src/a ro:/tmp/
expect_fails "mounted volume is marked read-only" dk cp src/a ro:/ro/
# A client that is still sending hears it, too: its connection is not closed under it.
expect_match "$(perl -MIO::Socket::UNIX -e '
    $SIG{PIPE} = sub { print "cut off\n"; exit };
    my $s = IO::Socket::UNIX->new($ARGV[0]) or die;
    print $s "PUT /containers/ro/archive?path=/tmp HTTP/1.1\r\nHost: d\r\nContent-Length: 1024\r\n\r\n", "x" x 100;
    $s->flush;
    sysread($s, my $answer, 4096);
    for (1 .. 3) { select(undef, undef, undef, 0.1); print $s "x" x 308; $s->flush }
    print $answer' "$SOCKET")" "marked read-only"
put() { curl -s -o "$TEST_TMP/answer" -w '%{http_code}' --unix-socket "$SOCKET" -X PUT --data-binary "@$2" "http://x/containers/links/archive?path=$1"; }
tar cf plain.tar -C src a sub
expect_eq "$(put /d/f plain.tar) $(cat "$TEST_TMP/answer")" '400 {"message":"extraction point is not a directory"}'
expect_eq "$(put /nosuch plain.tar)" 404
dk run --name kinds busybox sh -c 'mkdir -p /k/a; echo > /k/sub'
expect_eq "$(put '/tmp&noOverwriteDirNonDir=1' plain.tar)" 200
kput() { curl -s -o "$TEST_TMP/answer" -w '%{http_code}' --unix-socket "$SOCKET" -X PUT --data-binary "@plain.tar" "http://x/containers/kinds/archive?path=/k&$1"; }
expect_eq "$(kput noOverwriteDirNonDir=true)" 400
expect_match "$(cat "$TEST_TMP/answer")" 'cannot overwrite directory'
expect_eq "$(kput x=1)" 200
expect_eq "$(dk cp kinds:/k/sub/b - | tar xO)" "two"
gzip -k plain.tar
expect_eq "$(put /tmp plain.tar.gz)" 200

step "owners: as in the archive, or the container's user"
dk create --name own -u 1234:5678 busybox true > /dev/null
tar cf owned.tar --owner=77 --group=88 -C src a
oput() { curl -s -o /dev/null -w '%{http_code}' --unix-socket "$SOCKET" -X PUT --data-binary @owned.tar "http://x/containers/own/archive?path=/tmp&$1"; }
expect_eq "$(oput x=1) $(dk cp own:/tmp/a - | tar tvn --numeric-owner | awk '{print $2}')" "200 77/88"
expect_eq "$(oput copyUIDGID=1) $(dk cp own:/tmp/a - | tar tv --numeric-owner | awk '{print $2}')" "200 1234/5678"

step "diff"
dk run --name diff busybox sh -c 'echo x > /new; mkdir /dir; echo > /dir/f; rm /etc/group; echo y >> /etc/passwd; chmod 700 /tmp'
expect_eq "$(dk diff diff | sort | tr '\n' ' ')" "A /dir A /dir/f A /new C /etc C /etc/passwd C /tmp D /etc/group "
dk create --name clean busybox true > /dev/null
expect_eq "$(dk diff clean)" ""
dk start -a clean
expect_eq "$(dk diff clean)" ""

step "export is the container's own files, nothing that was mounted"
dk run -d --name exp -v vol:/vol busybox sh -c 'echo e > /exported; rm /etc/group; exec sleep 1000' > /dev/null
eventually 5 docker exec exp test -e /exported
dk export -o exp.tar exp
expect_eq "$(tar xOf exp.tar exported)" "e"
expect_no_match "$(tar tf exp.tar)" "^(vol/x|etc/group|proc/1)$"
expect_match "$(tar tf exp.tar)" "^bin/busybox$"
dk stop -t 0 exp > /dev/null
expect_eq "$(dk export exp | tar xO exported)" "e"
dk rm -f run new links ro kinds own diff clean exp > /dev/null
expect_nothing_left
pass
