#!/bin/bash
# Archives that others write: docker-archives of the first generation (repositories alone), sparse files, zstd:chunked
# layers, as many layers as an image may have, long names, large ids.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "no python3"
start_daemon
make_busybox_image box
dk save box -o "$TEST_TMP/box.tar"
mkdir "$TEST_TMP/box"
tar -C "$TEST_TMP/box" -xf "$TEST_TMP/box.tar"
layer=$TEST_TMP/layer.tar
gzip -dc <"$TEST_TMP/box/$(jq -r '.[0].Layers[0]' "$TEST_TMP/box/manifest.json")" >"$layer" 2>/dev/null ||
    cp "$TEST_TMP/box/$(jq -r '.[0].Layers[0]' "$TEST_TMP/box/manifest.json")" "$layer"

step "repositories alone: two names, a chain of two layers"
a=$(printf 'a%.0s' {1..64}) b=$(printf 'b%.0s' {1..64})
old=$TEST_TMP/old
mkdir -p "$old/$a" "$old/$b" "$TEST_TMP/top"
cp "$layer" "$old/$a/layer.tar"
echo top >"$TEST_TMP/top/file"
tar -C "$TEST_TMP/top" -cf "$old/$b/layer.tar" file
echo '{"id":"'$a'","created":"2015-01-02T03:04:05Z","container_config":{"Cmd":["/bin/sh","-c","#(nop) ADD"]},"os":"linux","architecture":"amd64"}' >"$old/$a/json"
echo '{"id":"'$b'","parent":"'$a'","created":"2015-01-03T03:04:05Z","author":"somebody","container_config":{"Cmd":["/bin/sh","-c","make"]},"config":{"Cmd":["cat","/file"],"Env":["E=1"]},"os":"linux","architecture":"amd64","Size":5}' >"$old/$b/json"
echo '{"old":{"1":"'$b'","2":"'$b'"},"older":{"latest":"'$a'"}}' >"$old/repositories"
tar -C "$old" -cf "$TEST_TMP/old.tar" .
expect_match "$(dk load -i "$TEST_TMP/old.tar")" 'Loaded image: old:1'
expect_eq "$(dk run --rm old:2)" top
expect_eq "$(dk images -q --no-trunc old:1)" "$(dk images -q --no-trunc old:2)"
expect_eq "$(dk inspect -f '{{len .RootFS.Layers}} {{.Author}} {{.Config.Env}}' old:1)" '2 somebody [E=1]'
expect_eq "$(dk history --no-trunc --format '{{.CreatedBy}}' old:1 | head -1)" '/bin/sh -c make'
expect_eq "$(dk run --rm older echo yes)" yes
echo '{"bad":{"1":"../../etc"}}' >"$old/repositories"
tar -C "$old" -cf "$TEST_TMP/old.tar" .
expect_fails 'is not the id of a layer' dk load -i "$TEST_TMP/old.tar"
echo '{"id":"'$a'","parent":"'$b'"}' >"$old/$a/json"
echo '{"loop":{"1":"'$b'"}}' >"$old/repositories"
tar -C "$old" -cf "$TEST_TMP/old.tar" .
expect_fails 'more than 127 layers' dk load -i "$TEST_TMP/old.tar"

step "sparse files, names as long as they can be, large ids"
tree=$TEST_TMP/tree long=$(printf 'n%.0s' {1..255})
mkdir -p "$tree/$long/$long"
truncate -s 64M "$tree/sparse"
echo data | dd of="$tree/sparse" bs=1 seek=33554432 conv=notrunc 2>/dev/null
echo far >"$tree/$long/$long/$long"
chown 4000000000:70000 "$tree/sparse"
for format in gnu 'pax --sparse-version=0.1' 'pax --sparse-version=1.0'; do
    # shellcheck disable=SC2086
    tar -C "$tree" -S --format=$format -cf "$TEST_TMP/s.tar" . || fail "tar"
    dk import "$TEST_TMP/s.tar" sparse:1 >/dev/null || fail "import of $format"
    cid=$(dk create sparse:1 x)
    dk cp "$cid:/sparse" - | tar -xO >"$TEST_TMP/back"
    cmp "$TEST_TMP/back" "$tree/sparse" || fail "$format: another file"
    expect_eq "$(dk cp "$cid:/$long/$long/$long" - | tar -xO)" far
    expect_eq "$(dk export "$cid" | tar -tv --numeric-owner sparse | awk '{print $2, $3}')" '4000000000/70000 67108864'
    dk rm "$cid" >/dev/null
done
[ "$(du -sk "$DATA_ROOT/image/layer" | cut -f1)" -lt 20000 ] || fail "holes take room: $(du -sk "$DATA_ROOT/image/layer")"

step "what files have besides their bytes: through import, COPY, RUN, commit and save"
cat >"$TEST_TMP/meta.py" <<'PY'
import io, json, sys, tarfile
def entry(t, name, type=tarfile.REGTYPE, data=b'', pax={}, **k):
    i = tarfile.TarInfo(name)
    i.type, i.size, i.pax_headers = type, len(data), pax
    for a, v in k.items(): setattr(i, a, v)
    t.addfile(i, io.BytesIO(data))
def text(b): return b.decode('utf8', 'surrogateescape')
def acl(*rows): return text(b'\2\0\0\0' + b''.join(t.to_bytes(2, 'little') + p.to_bytes(2, 'little') + (i & 0xffffffff).to_bytes(4, 'little') for t, p, i in rows))
if sys.argv[1] == 'make':
    t = tarfile.open(sys.argv[2], 'w', format=tarfile.PAX_FORMAT)
    entry(t, 'suid', data=b'x', mode=0o6755, pax={'mtime': '1234567890.123456789'})
    entry(t, 'hard', tarfile.LNKTYPE, linkname='suid')
    entry(t, 'dev', tarfile.CHRTYPE, mode=0o640, devmajor=1, devminor=3)
    entry(t, 'block', tarfile.BLKTYPE, mode=0o640, devmajor=7, devminor=200)
    entry(t, 'fifo', tarfile.FIFOTYPE, mode=0o600)
    entry(t, 'link', tarfile.SYMTYPE, linkname='../../etc/passwd')
    entry(t, 'attr', data=b'y', mode=0o644, pax={'SCHILY.xattr.user.k': 'v', 'SCHILY.xattr.security.capability': text(b'\1\0\0\2\0\4' + bytes(14))})
    entry(t, 'acl', data=b'z', mode=0o664, uid=4000000000, gid=70000,
          pax={'SCHILY.xattr.system.posix_acl_access': acl((1, 6, -1), (2, 6, 70000), (4, 5, -1), (16, 6, -1), (32, 4, -1))})
    t.close()
else: # what a saved image's topmost layer has, a line each; argument: what all names begin with
    t = tarfile.open(sys.argv[2])
    layer = json.load(t.extractfile('manifest.json'))[0]['Layers'][-1]
    for m in sorted(tarfile.open(fileobj=io.BytesIO(t.extractfile(layer).read())), key=lambda m: m.name):
        name = m.name.removeprefix('./').removeprefix(sys.argv[3])
        if name in ('', '.') or m.isdir(): continue
        what = {b'0': 'file', b'1': 'file', b'2': 'link ' + m.linkname, b'3': f'char {m.devmajor} {m.devminor}', b'4': f'block {m.devmajor} {m.devminor}', b'6': 'fifo'}[m.type]
        if name in ('hard', 'suid'): # whichever comes first
            what = 'one' if m.islnk() or m.pax_headers.get('mtime') == '1234567890.123456789' and m.mode == 0o6755 else 'other'
        print(name, what, '' if m.type in b'12' or what == 'one' else oct(m.mode), m.uid, m.gid, sorted((k, v) for k, v in m.pax_headers.items() if 'SCHILY' in k))
PY
python3 "$TEST_TMP/meta.py" make "$TEST_TMP/meta.tar"
dk import -c 'CMD ["x"]' "$TEST_TMP/meta.tar" meta:1 >/dev/null || fail "import"
has() { dk save -o "$TEST_TMP/has.tar" "$1" && PYTHONIOENCODING=utf8:surrogateescape python3 "$TEST_TMP/meta.py" show "$TEST_TMP/has.tar" "${2-}"; }
was=$(has meta:1)
expect_eq "$(wc -l <<<"$was") $(grep -c ' one ' <<<"$was") $(grep -c "posix_acl_access\|capability.*user.k" <<<"$was")" '8 2 2'
expect_match "$was" '^block block 7 200 0o640 0 0'
expect_match "$was" '^acl file 0o664 4000000000 70000'
make_busybox_image box
mkdir -p "$TEST_TMP/ctx"
printf 'FROM box\nCOPY --from=meta:1 / /m/\n' >"$TEST_TMP/ctx/Dockerfile"
ct build -q -t copied:1 "$TEST_TMP/ctx" >/dev/null || fail "build"
# COPY gives all to root, times are seconds; else it is the same.
expect_eq "$(has copied:1 m/ | sed 's/ \(one\|other\) .*\[/ [/; s/ [0-9]* [0-9]* \[/ [/')" "$(sed 's/ one .*\[/ [/; s/ [0-9]* [0-9]* \[/ [/' <<<"$was")"
printf 'RUN chmod 4711 /m/attr; ln /m/acl /m/acl2; mknod /m/new c 5 6; chown 99999:99999 /m/fifo; rm /m/hard\n' >>"$TEST_TMP/ctx/Dockerfile"
ct build -q -t ran:1 "$TEST_TMP/ctx" >/dev/null || fail "build"
ran=$(has ran:1 m/)
expect_match "$ran" '^fifo fifo 0o600 99999 99999'
expect_match "$ran" '^new char 5 6 0o644 0 0'
expect_match "$ran" '^\.wh\.hard file'
expect_match "$ran" "^attr file 0o4711 0 0 .*user.k', 'v'"
dk run --name meta box sh -c 'touch /f; chmod 6711 /f; ln /f /g; mknod /d b 8 1; mkfifo /p' && dk commit meta by-commit:1 >/dev/null || fail "commit"
expect_eq "$(has by-commit:1 | sed 's/ \[\]//' | tr -s '\n ' ' ')" 'd block 8 1 0o644 0 0 f file 0o6711 0 0 g file 0 0 p fifo 0o644 0 0 '
output=$(ct system check 2>&1) || fail "system check: $output"
dk rm meta >/dev/null

step "archives in xz and bzip2: import, load, cp"
for z in xz bzip2; do
    command -v $z >/dev/null || continue
    $z <"$TEST_TMP/meta.tar" >"$TEST_TMP/meta.z"
    dk import "$TEST_TMP/meta.z" meta:$z >/dev/null || fail "import of $z"
    expect_eq "$(has meta:$z)" "$was"
    dk save box | $z -1 >"$TEST_TMP/box.z"
    dk rmi box >/dev/null
    dk load -q -i "$TEST_TMP/box.z" >/dev/null || fail "load of $z"
    head -c 700000 "$TEST_TMP/box.z" | expect_fails 'cut' dk load -q
    cid=$(dk create box x)
    expect_eq "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$SOCKET" -T "$TEST_TMP/meta.z" "http://d/v1.51/containers/$cid/archive?path=/tmp")" 200
    expect_eq "$(dk cp "$cid:/tmp/acl" - | tar -xO)" z
    dk rm "$cid" >/dev/null
done

step "127 layers, the last one on top; one more is refused"
python3 - "$layer" "$TEST_TMP/many.tar" "$TEST_TMP/chunked.tar" <<'PY' || fail "archive of many layers"
import hashlib, io, json, subprocess, sys, tarfile
base = open(sys.argv[1], 'rb').read()
def layer(name, text):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w') as t:
        i = tarfile.TarInfo(name); i.size = len(text); t.addfile(i, io.BytesIO(text))
    return out.getvalue()
def archive(path, layers, tag, stored=None):
    sha = lambda b: hashlib.sha256(b).hexdigest()
    config = json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': {},
        'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + sha(l) for l in layers]}}).encode()
    with tarfile.open(path, 'w') as t:
        def put(name, data):
            i = tarfile.TarInfo(name); i.size = len(data); t.addfile(i, io.BytesIO(data))
        for k, l in enumerate(layers): put('%d/layer.tar' % k, (stored or layers)[k])
        put('c.json', config)
        put('manifest.json', json.dumps([{'Config': 'c.json', 'RepoTags': [tag], 'Layers': ['%d/layer.tar' % k for k in range(len(layers))]}]).encode())
archive(sys.argv[2], [base] + [layer('f%d' % k, b'%d' % k) for k in range(126)], 'many:127')
# zstd:chunked: a frame for each piece, the table of contents and its footer in frames that are skipped.
one = layer('chunk', b'x' * 300000)
def frame(b): return subprocess.run(['zstd', '-q', '-c'], input=b, stdout=subprocess.PIPE, check=True).stdout
def skipped(b): return b'\x50\x2a\x4d\x18' + len(b).to_bytes(4, 'little') + b
try:
    packed = b''.join(frame(one[k:k + 65536]) for k in range(0, len(one), 65536)) + skipped(frame(b'{"version":1}')) + skipped(b'GNUlInUx' * 8)
    archive(sys.argv[3], [base, one], 'chunked:1', [base, packed])
except FileNotFoundError: pass
PY
dk load -qi "$TEST_TMP/many.tar" >/dev/null || fail "load of 127 layers"
expect_eq "$(dk run --rm many:127 sh -c 'cat /f125; ls / | grep -c "^f[0-9]"')" 125126
dk run --name one many:127 touch /new
expect_fails 'more than 127 layers' dk commit one many:128
ct image squash -t many:flat many:127 >/dev/null || fail "squash of 127 layers"
expect_eq "$(dk run --rm many:flat sh -c 'cat /f125; ls / | grep -c "^f[0-9]"')" 125126

step "zstd:chunked"
[ -s "$TEST_TMP/chunked.tar" ] || pass # no zstd here; the unit tests have the same stream
dk load -qi "$TEST_TMP/chunked.tar" >/dev/null || fail "load of a zstd:chunked layer"
expect_eq "$(dk run --rm chunked:1 wc -c /chunk)" '300000 /chunk'
pass
