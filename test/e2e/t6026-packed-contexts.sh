#!/bin/bash
# Contexts that are sent as archives are read as they came: not unpacked, whatever is in them, and the same as a directory.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "python3 is not installed"
start_daemon
make_busybox_image
export DOCKER_BUILDKIT=0

step "the same steps as from the directory"
mkdir -p ctx/d/e ctx/out && cd ctx || fail "no directory"
for i in $(seq 40); do echo "$i" >"d/f$i"; done
echo x >d/e/x; ln d/e/x d/hard; ln -s e/x d/link; chmod 4755 d/f7; echo no >out/no
tar -cf inner.tar -C d . && printf 'out\n.dockerignore\n' >.dockerignore
cat >Dockerfile <<'END'
FROM busybox
COPY d /d
COPY --parents d/e/x d/f1* /p/
ADD inner.tar /inner
COPY . /all
RUN --mount=target=/c ls /c > /seen && cat /c/d/link >> /seen && ! touch /c/new 2>/dev/null
RUN --mount=target=/c cat /c/d/f2 >> /seen
RUN --mount=target=/c,source=d,rw echo other > /c/f3 && cat /c/f4 >> /seen
END
cd ..
out=$(ct build --provenance=false -t a ctx 2>&1) || fail "$out"
out=$(dk build -t b ctx 2>&1) || fail "$out"
expect_eq "$(grep -c 'Using cache' <<<"$out")" 7
expect_no_match "$out" 'Running in'
out=$(dk build --no-cache -t c ctx 2>&1) || fail "$out"
expect_eq "$(dk run --rm c cat /seen)" "Dockerfile
d
inner.tar
x
2
4"
expect_eq "$(dk run --rm c stat -c '%a %h %N' /d/f7 /d/e/x /d/link /inner/f7 /p/d/e/x)" "4755 1 /d/f7
644 2 /d/e/x
777 1 '/d/link' -> 'e/x'
4755 1 /inner/f7
644 1 /p/d/e/x"
expect_eq "$(dk run --rm c ls /p/d | wc -l)" 12
expect_eq "$(dk run --rm c ls -A /all)" "$(printf 'Dockerfile\nd\ninner.tar')"

step "nothing of it becomes a file of the builder's"
printf 'FROM busybox\nCOPY d/f1 /\nRUN sleep 30\n' >ctx/Dockerfile
"$docker" build -t slow ctx >slow.log 2>&1 &
slow=$!
eventually 10 grep -q 'Running in' slow.log
expect_eq "$(find "$TEST_TMP" -name f33 | grep -v '/ctx/' | grep -vc /image/)" 0
kill $slow
wait $slow 2>/dev/null

step "archives as nobody makes them by accident"
cat >make.py <<'END'
import io, sys, tarfile
which, out = sys.argv[1:3]
def add(t, name, data=b"", kind=tarfile.REGTYPE, link="", **more):
    i = tarfile.TarInfo(name)
    i.type, i.linkname, i.size = kind, link, len(data)
    for k, v in more.items():
        setattr(i, k, v)
    t.addfile(i, io.BytesIO(data))
L, H, D = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
with tarfile.open(out, "w:gz" if which == "good" else "w") as t:
    copy = b"FROM busybox\nCOPY . /x\n"
    add(t, "Dockerfile", b"FROM nothing\n")
    if which == "good":
        add(t, "twice", b"old"), add(t, "kept", kind=H, link="twice"), add(t, "./twice", b"new")
        add(t, "dir/sub/f", b"below"), add(t, "dir", b"a file now")
        add(t, "real", kind=D, mode=0o755), add(t, "way", kind=L, link="real"), add(t, "way/f", b"through")
        add(t, "up", kind=L, link="../../../../etc"), add(t, "up/passwd", b"inside")
        copy += b"COPY up/passwd /p\n"
    if which == "dotdot": add(t, "../../evil", b"x")
    if which == "link": add(t, "l", kind=H, link="../../etc/passwd")
    if which == "ring": add(t, "l", kind=L, link="l"), add(t, "l/f", b"x")
    if which == "deep": add(t, "d/" * 600, kind=D)
    if which == "node": add(t, "c", kind=tarfile.CHRTYPE, devmajor=0, devminor=0)
    if which == "escape":
        add(t, "up", kind=L, link="/etc/hostname")
        copy += b"COPY up /h\n"
    add(t, "Dockerfile", copy)
END
good() { python3 make.py "$1" "$1.tar" && dk build -t "$1" - <"$1.tar"; }
out=$(good good 2>&1) || fail "$out"
expect_eq "$(dk run --rm good sh -c 'cd x; cat twice kept dir real/f way/f etc/passwd /p; echo; ls')" \
    "newolda file nowthroughthroughinsideinside
Dockerfile
dir
etc
kept
real
twice
up
way"
for bad in dotdot:'leads out' link:'leads out' ring:l/f deep:deeper node:whiteout escape:'file not found'; do
    out=$(good "${bad%%:*}" 2>&1) && fail "${bad%%:*} was built"
    expect_match "$out" "${bad#*:}"
done
head -c 3000 deep.tar >cut.tar
out=$(dk build - <cut.tar 2>&1) && fail "half an archive was built"
none_left() { [ -z "$(dk ps -aq)" ]; }
eventually 10 none_left
pass
