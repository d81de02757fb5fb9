#!/bin/bash
# Dockerfiles as people write them (corpus/build.txt) give the trees, configs and histories that BuildKit in dockerd makes.
# The short round builds some of them; CORTEN_FULL all 40.
# limit: 900
. "$(dirname "$0")/lib.sh"
. "$here/peer.sh"
for p in dockerd python3 dpkg; do command -v $p >/dev/null || skip "$p is not installed"; done
w=$TEST_TMP/x
mkdir -p "$w" && cd "$w" || fail "no directory"
start_daemon
peer_net=$net_pid
run_dockerd --iptables=false --bridge=none || skip "$peer_why"
peer_cli=/usr/bin/docker
[ -x $peer_cli ] || peer_cli=$docker
moby() { DOCKER_HOST=$peer "$peer_cli" "$@"; }

step "bases"
# Files of installed packages and what they depend on, as they lie here.
packages_tar() { # PACKAGE…
    local all
    all=$(apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances "$@" | grep -E '^[a-z0-9]' | cut -d: -f1 | sort -u)
    # shellcheck disable=SC2086
    { printf '%s\n' /bin /lib /lib64 /sbin /etc/passwd /etc/group
      dpkg -L $all 2>/dev/null | grep -vE '^/usr/share/(doc|man|locale|info|lintian|bug)(/|$)|^/(\.|etc/.*|var/.*)?$'; } |
        perl -MCwd=realpath -ne 'chomp; m{(.*)/(.+)} or next; my $d = $1 eq "" ? "" : realpath($1) // next;
            print substr("$d/$2", 1), "\n" if -e "$d/$2" || -l "$d/$2"' | sort -u |
        tar c --no-recursion -C / -T - 2>/dev/null
}
have() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -q '^installed$'; }
import() { # NAME TAR [CHANGE…]
    local name=$1 tar=$2 changes=() c
    shift 2
    for c; do changes+=(-c "$c"); done
    dk import "${changes[@]}" "$tar" "$name" >/dev/null && moby import "${changes[@]}" "$tar" "$name" >/dev/null || fail "import $name"
}
make_busybox_image box0
dk save box0 >/dev/null || fail "save"
c=$(dk create box0 x) && dk export "$c" >box.tar && dk rm "$c" >/dev/null
dk rmi box0 >/dev/null
import box box.tar 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' 'CMD ["sh"]'
import onb box.tar 'CMD ["inherited"]' 'ENTRYPOINT ["/bin/env"]' 'ONBUILD COPY site /onb' 'ONBUILD RUN echo triggered > /onb/t' \
    'HEALTHCHECK CMD true' 'LABEL base=onb' 'EXPOSE 1'
bases=" box onb scratch "
least=6
if [ -n "${CORTEN_FULL:-}" ]; then
    least=38
    packages_tar dash bash coreutils sed grep >deb.tar
    import deb deb.tar 'CMD ["bash"]' && bases+="deb "
    have gcc && have make && packages_tar dash bash coreutils gcc make libc6-dev >cc.tar && import cc cc.tar && bases+="cc "
    have python3 && packages_tar dash bash coreutils findutils python3 >py.tar && import py py.tar && bases+="py "
    have nodejs && packages_tar dash bash coreutils nodejs >node.tar && import node node.tar && bases+="node "
fi

step "context"
mkdir -p ctx/{site/css,c,py,node,links,ignored/deep}
echo '<h1>hi</h1>' >ctx/site/index.html
echo 'x' >ctx/site/other.html
echo 'body {}' >ctx/site/css/a.css
printf '#include "greet.h"\nint main(void) { return greet(); }\n' >ctx/c/hello.c
printf '#include <stdio.h>\n#include "greet.h"\nint greet(void) { puts("hello"); return 0; }\n' >ctx/c/greet.c
echo 'int greet(void);' >ctx/c/greet.h
printf 'hello: hello.c greet.c\n\t$(CC) $(CFLAGS) -o $@ $^\n' >ctx/c/Makefile
printf 'print("app")\n' >ctx/py/app.py
echo 'nothing' >ctx/py/requirements.txt
printf '{"name": "app", "version": "1.0.0"}\n' >ctx/node/package.json
printf '{}\n' >ctx/node/package-lock.json
printf 'console.log(require("http").STATUS_CODES[200])\n' >ctx/node/server.js
ln -s ../site/index.html ctx/links/rel
ln -s /etc/passwd ctx/links/abs
ln -s nowhere ctx/links/dangling
printf '#!/bin/bash\nexec "$@"\n' >ctx/entry.sh
tar cf ctx/archive.tar --owner=7 --group=8 -C ctx site links
gzip -kn ctx/archive.tar
touch ctx/ignored/{a.log,keep.log,b.txt} ctx/ignored/deep/{c.log,d.txt}
printf '**/*.log\n!ignored/keep.log\nignored/deep/d.txt\nDockerfile.*\n.dockerignore\n' >ctx/.dockerignore
chmod 640 ctx/site/other.html
chmod 755 ctx/entry.sh

# Fields of a Dockerfile in the corpus.
awk -v dir="$w" '/^=== / {if (f) close(f); f = dir "/" $2 ".df"; o = dir "/" $2 ".opt"; $1 = $2 = ""; print > o; close(o); next}
    /^--- peer$/ {close(f); sub(/\.df$/, ".peer", f); next} f {print > f}' "$here/corpus/build.txt"

needs() { # FILE: every base is here
    local b
    for b in $(sed -nE 's/^FROM +([a-z]+)( .*)?$/\1/p; s/.*--from=([a-z]{3,4}) .*/\1/p' "$1"); do
        grep -qiE "^FROM .* AS $b\$" "$1" && continue
        case $bases in *" $b "*) ;; *) return 1 ;; esac
    done
}
files_of() { # COMMAND IMAGE FILE
    local id
    id=$($1 create "$2" x) || fail "create"
    $1 export "$id" >"$3"
    $1 rm "$id" >/dev/null
}
# Today's BuildKit says some of it in other words than the peer's here: EXPOSE's list, the value of a HEALTHCHECK, flags of
# COPY, arguments that were given.
history_of() {
    $1 history --no-trunc --format '{{.CreatedBy}}' "$2" | sed -E '/^EXPOSE map\[/{s/map\[/[/;s/:\{\}//g}
        s/^HEALTHCHECK .*/HEALTHCHECK/; /^(COPY|ADD) /s/ --ch(own|mod)=[^ ]*//g; s/^(ARG [A-Za-z_]+)=.*/\1/'
}

step "the same from both"
n=0 wrong=0
for df in "$w"/*.df; do
    name=$(basename "$df" .df) options=$(cat "${df%.df}.opt") flags=()
    [ -z "${CORTEN_FULL:-}" ] && [[ " $options " != *" short "* ]] && continue
    [ -n "${ONLY:-}" ] && [[ $name != *$ONLY* ]] && continue
    needs "$df" || { echo "$name: a base is not here"; continue; }
    for o in $options; do
        case $o in
        target=*) flags+=(--target "${o#target=}") ;;
        arg=*) flags+=(--build-arg "${o#arg=}") ;;
        esac
    done
    theirs=$df
    [ -f "${df%.df}.peer" ] && theirs=${df%.df}.peer
    ct build -q --provenance=false -t ours:1 -f "$df" "${flags[@]}" ctx >log 2>&1 || { echo "-- $name: corten"; cat log; wrong=$((wrong + 1)); continue; }
    DOCKER_BUILDKIT=1 moby build -q --network none -t theirs:1 -f "$theirs" "${flags[@]}" ctx >log 2>&1 || { echo "-- $name: peer"; cat log; wrong=$((wrong + 1)); continue; }
    files_of dk ours:1 a.tar
    files_of moby theirs:1 b.tar
    out=$(python3 "$here/corpus/compare.py" tree a.tar b.tar)
    if [[ " $options " != *" tree "* ]]; then
        dk inspect -f '{{json .}}' ours:1 >a.json
        moby inspect -f '{{json .}}' theirs:1 >b.json
        configs=$(python3 "$here/corpus/compare.py" config a.json b.json)
        if [[ $configs == *Layers:* ]]; then
            moby save -o saved.tar theirs:1
            configs=$(python3 "$here/corpus/compare.py" config a.json b.json saved.tar)
        fi
        out+=$configs
        out+=$(diff <(history_of dk ours:1) <(history_of moby theirs:1))
    fi
    [ -z "$out" ] || { printf -- '-- %s differs\n%s\n' "$name" "$out"; wrong=$((wrong + 1)); }
    n=$((n + 1))
done
echo "$n Dockerfiles"
[ $wrong = 0 ] || fail "$wrong Dockerfiles give something else"
[ $n -ge $least ] || [ -n "${ONLY:-}" ] || fail "only $n Dockerfiles were built"
pass
